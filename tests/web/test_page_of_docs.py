"""The programs in JavaScript that `tools/docs/browser.md` shows run, and find what Python finds."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import cv2
import pytest
from browsing import NPM, ROOT, browse, hosted, node, package
from commands import said
from networks import picture, write_detector
from pages import blocks

from darknet_py import load

PAGE = "browser"


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """The folder of a reader: a network, its page, and the programs."""
    cfg = write_detector(tmp_path, "my")
    said("export", cfg, "--format", "web", "-o", tmp_path / "page", "--runtime", package("onnxruntime-web"))
    shown = {block.file: block.text for block in blocks() if block.page.stem == PAGE and block.file}
    (tmp_path / "own.mjs").write_text(shown["own.mjs"])
    (tmp_path / "page/own.js").write_text(shown["own.js"])
    cv2.imwrite(str(tmp_path / "dog.jpg"), picture((1, 2, "red"), (3, 0, "blue")), [cv2.IMWRITE_JPEG_QUALITY, 100])
    return tmp_path


def wanted(folder: Path) -> list[tuple[str, str, list[int]]]:
    """What Python finds: name, confidence, and box in whole pixels."""
    found = load(folder / "my.cfg")(folder / "dog.jpg")[0].to_dict()["objects"]
    assert len(found) == 2
    return [(one["name"], f"{one['confidence']:.2f}", [round(v) for v in one["box"]]) for one in found]


def test_the_program_for_node_runs(reader: Path) -> None:
    package("jpeg-js")
    (reader / "node_modules").symlink_to(NPM)
    done = subprocess.run([node(), "own.mjs"], cwd=reader, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    found = [(name, confidence, [int(v) for v in box]) for name, confidence, *box in lines]
    assert sorted(found) == sorted(wanted(reader))


def test_the_program_for_a_page_runs(reader: Path) -> None:
    shutil.copy(reader / "dog.jpg", reader / "page/dog.jpg")
    (reader / "page/own.html").write_text('<!doctype html><script type="module" src="own.js"></script>')
    script = reader / "listen.mjs"
    script.write_text(LISTEN)
    with hosted(reader / "page") as url:
        seen = browse(script, f"{url}own.html")
    found = [(name, confidence, box) for name, confidence, box in seen["said"]]
    assert sorted(found) == sorted(wanted(reader))


LISTEN = """
import { createRequire } from "node:module";
import { join } from "node:path";
const [chromium, core, url] = process.argv.slice(2);
const { chromium: kind } = createRequire(join(core, "package.json"))(core);
const browser = await kind.launch({ executablePath: chromium, args: ["--no-sandbox"] });
const page = await browser.newPage(), said = [];
const two = new Promise((done) => page.on("console", async (message) => {
  if (message.type() !== "log") return;
  said.push(await Promise.all(message.args().map((one) => one.jsonValue())));
  if (said.length === 2) done();
}));
await page.goto(url);
await Promise.race([two, new Promise((done) => setTimeout(done, 60000))]);
await browser.close();
console.log(JSON.stringify({ said }));
"""


def test_the_page_names_what_is_there() -> None:
    text = (ROOT / "tools/docs/browser.md").read_text()
    for name in ("web.png", "tab.png"):
        assert name in text
        assert (ROOT / "tools/docs" / name).is_file()
    assert "tab:" in (ROOT / "Makefile").read_text()
