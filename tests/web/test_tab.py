"""The compiler in a browser tab: its stand-ins in this Python, its folder, and the page itself in Chromium."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from browsing import NPM, ROOT, browse, hosted, package
from networks import picture, write_classifier, write_detector, write_recurrent

from darknet_py import load
from darknet_py.errors import DataError
from darknet_py.model.formats.web import RUNTIME
from tools.tab.__main__ import ADDRESS, build, compiler, python_of

SHARED = ROOT.parent / "shared"
TINY = SHARED / "weights/yolo-fastest-1.1/yolo-fastest-1.1.cfg"
BROKEN = "[net]\nwidth=32\nheight=32\nchannels=3\n[convolutonal]\nfilters=8\nsize=3\n[maxpool]\nsize=2\nstride=2\n"

# What runs the page's own Python here, without some packages: the arguments are those, the function and its own.
HIDING = """
import sys

class Hidden:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in hidden:
            raise ImportError(f"{name} is hidden")

hidden = set(sys.argv[1].split(","))
sys.meta_path.insert(0, Hidden())
from tools.tab.browser import tab

tab.prepare("numpy" not in hidden)
for line in sys.stdin:
    import json
    print(tab.answer(*json.loads(line)))
"""


def ask(hidden: str, *questions: tuple[Any, ...]) -> list[Any]:
    """What the page's Python answers in a process without the `hidden` packages."""
    done = subprocess.run(
        [sys.executable, "-c", HIDING, hidden], input="\n".join(map(json.dumps, questions)), capture_output=True,
        text=True, timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


OTHERS = "cv2,onnxruntime,onnx,google,click,torch"


def test_without_onnx_it_writes_the_same_bytes(tmp_path: Path) -> None:
    from darknet_py.contract.form import Form
    from darknet_py.darknet.network import open_network
    from darknet_py.onnx.export import to_exported
    from darknet_py.onnx.metadata import to_metadata
    from darknet_py.onnx.stream import write_model

    cfgs = [write_detector(tmp_path), write_classifier(tmp_path)]
    cfgs += [
        folder / "net.cfg"
        for folder in sorted((ROOT / "tests/golden").iterdir())[::12]
        if (folder / "net.weights").is_file()
    ]
    questions = []
    for i, cfg in enumerate(cfgs):
        weights = cfg.with_suffix(".weights")
        questions.append(
            ("export", str(cfg), str(weights) if weights.is_file() else None, None, str(tmp_path / f"{i}.onnx"))
        )
    answers = ask(OTHERS, *questions)
    written = 0
    for i, (cfg, answer) in enumerate(zip(cfgs, answers, strict=True)):
        if "error" in answer:
            continue
        network = open_network(cfg)
        program = network.program()
        exported = to_exported(program, Form(boxes="decoded" if program.contract.decoders else "raw"))
        own = (tmp_path / f"{i}.onnx").read_bytes()
        model = onnx.load_from_string(own)
        onnx.checker.check_model(model, full_check=True)
        exported.model.graph.name = network.cfg.stem
        onnx.helper.set_model_props(exported.model, {p.key: p.value for p in model.metadata_props})
        out = io.BytesIO()
        write_model(out, exported.model, exported.arrays)
        assert out.getvalue() == own, cfg
        assert set(to_metadata(exported.contract)) == {p.key for p in model.metadata_props}
        written += 1
    assert written > 10


def test_without_numpy_all_that_needs_no_numbers_goes_on(tmp_path: Path) -> None:
    cfgs = [write_detector(tmp_path), *sorted((ROOT / "cfgs").glob("*.cfg"))[::9]]
    cfgs += sorted((ROOT / "tests/darknet/cfgs/invalid").glob("*.cfg"))[::5]
    questions = [("examine", str(cfg)) for cfg in cfgs]
    with_numpy, without = ask(OTHERS, *questions), ask(f"{OTHERS},numpy", *questions)
    whole = 0
    for cfg, right, found in zip(cfgs, with_numpy, without, strict=True):
        if "reorg" in cfg.stem:  # whose channels get mixed, place by place: that is computed with NumPy
            assert "needs NumPy" in found["error"]
            continue
        assert found.get("diagnostics") == right["diagnostics"], cfg
        assert found.get("layers") == right.get("layers"), cfg
        if "svg" in found:
            assert (found["svg"], found["totals"]) == (right["svg"], right["totals"])
            whole += 1
    assert whole > sum("svg" in right for right in with_numpy) / 2
    (refused,) = ask(
        f"{OTHERS},numpy", ("export", str(cfgs[0]), str(cfgs[0].with_suffix(".weights")), None, str(tmp_path / "o"))
    )
    assert "needs NumPy, which could not be loaded" in refused["error"]


def test_what_is_wrong_comes_with_a_caret_and_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "my.cfg").write_text(BROKEN)
    (found,) = ask(OTHERS, ("examine", str(tmp_path / "my.cfg")))
    (told,) = found["diagnostics"]
    assert told["severity"] == "error"
    assert "^^^" in told["text"]
    assert "did you mean 'convolutional'" in told["text"]
    assert "svg" not in found


@pytest.fixture
def npm(tmp_path: Path) -> Path:
    """A folder that looks as npm leaves it, with small files."""
    runtime, python = (tmp_path / "npm/node_modules" / name for name in ("onnxruntime-web/dist", "pyodide"))
    for folder, names in (
        (runtime, RUNTIME),
        (python, ("pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip")),
    ):
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_bytes(name.encode())
    entry = {"name": "numpy", "file_name": "numpy-2.whl", "sha256": "00", "depends": []}
    (python / "pyodide-lock.json").write_text(
        json.dumps({"info": {"version": "1.2"}, "packages": {"numpy": entry, "scipy": {}}})
    )
    (python / "package.json").write_text('{"version": "1.2"}')
    return tmp_path / "npm"


def test_the_folder_has_what_the_page_asks_for(tmp_path: Path, npm: Path) -> None:
    assert sum(map(len, build(tmp_path / "out", npm))) > 100_000
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {
        "index.html",
        "page.js",
        "worker.js",
        "compiler.zip",
        "packages.json",
        "NOTICE.txt",
        "look.js",
        "pyodide.asm.js",
        *RUNTIME,
    } <= names
    with zipfile.ZipFile(tmp_path / "out/compiler.zip") as archive:
        inside = set(archive.namelist())
    assert {
        "darknet_py/darknet/compile.py",
        "darknet_py/darknet/cfg/grammar.lark",
        "lark/lark.py",
        "browser/tab.py",
    } <= inside
    assert not any(name.startswith(("darknet_py/apps/", "darknet_py/cli/")) or "__pycache__" in name for name in inside)
    assert compiler() == compiler()
    assert list(build(tmp_path / "out", npm)), "written again over itself"


def test_numpy_comes_from_beside_pyodide_or_from_its_own_address(npm: Path) -> None:
    python = npm / "node_modules/pyodide"
    from_afar = python_of(python, ADDRESS)
    assert from_afar.address == "https://cdn.jsdelivr.net/pyodide/v1.2/full/numpy-2.whl"
    assert json.loads(from_afar.packages)["packages"] == {
        "numpy": {"name": "numpy", "file_name": from_afar.address, "sha256": "00", "depends": []}
    }
    (python / "numpy-2.whl").write_bytes(b"")
    beside = python_of(python, ADDRESS)
    assert (beside.address, beside.files[-1].name) == ("", "numpy-2.whl")
    (python / "pyodide.mjs").unlink()
    with pytest.raises(DataError, match="npm install pyodide"):
        python_of(python, ADDRESS)


def test_the_page_may_ask_for_numpy_and_for_nothing_else_elsewhere(tmp_path: Path, npm: Path) -> None:
    list(build(tmp_path / "out", npm))
    page = (tmp_path / "out/index.html").read_text()
    assert page.count("https:") == 1
    assert "connect-src 'self' https://cdn.jsdelivr.net/pyodide/v1.2/full/numpy-2.whl;" in page
    (npm / "node_modules/pyodide/numpy-2.whl").write_bytes(b"")
    list(build(tmp_path / "alone", npm))
    assert "connect-src 'self';" in (tmp_path / "alone/index.html").read_text()


def use(folder: Path, tmp_path: Path, drops: list[list[Path]], photo: Path | None = None) -> dict[str, Any]:
    """What is seen when files are dropped on the page."""
    steps = {"drops": [list(map(str, files)) for files in drops], "picture": photo and str(photo)}
    with hosted(folder) as url:
        seen = browse(Path(__file__).with_name("tab.mjs"), url, tmp_path, json.dumps(steps))
    assert seen["errors"] == []
    assert all(one.startswith((f"GET {url}", "GET blob:", "GET data:")) for one in seen["asked"]), seen["asked"]
    assert {one.removeprefix(f"GET {url}") for one in seen["later"]} <= set(RUNTIME), "what is dropped stays here"
    assert seen["refused"].get("connect-src", 0) >= 1, "the browser itself holds the page to it"
    assert seen["unlabelled"] == []
    assert seen["wide"] <= 360
    return seen


def built(folder: Path, *, numpy: bool = True) -> Path:
    """The page in a folder; skips the test where an npm package is missing, or NumPy's wheel, where that is to be."""
    package("onnxruntime-web")
    if python_of(package("pyodide"), ADDRESS).address and numpy:
        pytest.skip("needs NumPy's wheel for Pyodide beside it (its name and hash: pyodide-lock.json)")
    list(build(folder, NPM.parent))
    return folder


def same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    assert [one["name"] for one in found] == [one["name"] for one in wanted]
    np.testing.assert_allclose([one["confidence"] for one in found], [one["confidence"] for one in wanted], atol=1e-4)
    np.testing.assert_allclose([one["box"] for one in found], [one["box"] for one in wanted], atol=0.05)


def test_in_chromium_a_network_is_compiled_run_and_saved(tmp_path: Path) -> None:
    page = built(tmp_path / "page")
    cfg = write_detector(tmp_path)
    (tmp_path / "broken.cfg").write_text(BROKEN)
    other = tmp_path / "other.weights"
    other.write_bytes(cfg.with_suffix(".weights").read_bytes()[:40])
    cv2.imwrite(str(tmp_path / "cells.png"), picture((1, 1, "red"), (3, 3, "blue")))
    files = [cfg, cfg.with_suffix(".weights"), cfg.with_suffix(".names")]
    memory = write_recurrent(tmp_path)
    drops = [[tmp_path / "broken.cfg"], [cfg], [other], [memory, memory.with_suffix(".weights")], files]
    seen = use(page, tmp_path, drops, tmp_path / "cells.png")
    wrong, alone, short, recurrent, whole = seen["drops"]
    assert recurrent["told"].startswith("memory.cfg is an ONNX file to save. It remembers")
    assert (recurrent["runs"], recurrent["saves"]) == (False, True)
    assert wrong["told"] == "broken.cfg has an error: what is wrong stands below."
    assert "^^^" in wrong["diagnostics"]
    assert (alone["layers"], alone["drawn"], alone["runs"], alone["saves"]) == (3, True, False, False)
    assert alone["drawing"] > 0
    assert "28 (112 B)" in alone["totals"] or "Parameters 28" in alone["totals"]
    assert short["wrong"]
    assert "other.weights" in short["told"]
    assert (whole["told"], whole["runs"]) == ("net.cfg is ready: give it a picture.", True)
    model = load(cfg)
    found = [one for one in seen["found"]["objects"] if one["confidence"] > 0.25]
    same(found, model(tmp_path / "cells.png")[0].to_dict()["objects"])
    assert seen["saved"] == "net.onnx"
    assert load(tmp_path / "saved.onnx").names == {0: "red", 1: "blue"}
    same(load(tmp_path / "saved.onnx")(tmp_path / "cells.png")[0].to_dict()["objects"], found)


def test_in_chromium_a_photo_has_the_boxes_that_python_finds(tmp_path: Path) -> None:
    if not TINY.is_file():
        pytest.skip("needs ../shared/weights/yolo-fastest-1.1 and ../shared/images")
    page = built(tmp_path / "page")
    photo = SHARED / "images/dog.jpg"
    seen = use(page, tmp_path, [[TINY, TINY.with_suffix(".weights")]], photo)
    wanted = load(TINY, TINY.with_suffix(".weights"))(photo)[0].to_dict()["objects"]
    same([one for one in seen["found"]["objects"] if one["confidence"] > 0.25], wanted)


def test_in_chromium_without_numpy_the_cfg_alone_is_read(tmp_path: Path) -> None:
    page = built(tmp_path / "page", numpy=False)
    packages = json.loads((page / "packages.json").read_text())
    packages["packages"] = {}
    (page / "packages.json").write_text(json.dumps(packages))
    cfg = write_detector(tmp_path)
    seen = use(page, tmp_path, [[cfg], [cfg.with_suffix(".weights")]])
    assert seen["network"].endswith("without NumPy: no weights")
    alone, refused = seen["drops"]
    assert (alone["layers"], alone["drawn"]) == (3, True)
    assert refused["wrong"]
    assert "needs NumPy" in refused["told"]
