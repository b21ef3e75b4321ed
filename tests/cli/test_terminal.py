"""What files say of themselves is shown, and commands no terminal; whatever is printed can be encoded."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import darknet_py
from darknet_py import compile_cfg, load
from darknet_py.analysis.drawing.drawing import draw
from darknet_py.analysis.drawing.svg import to_svg
from darknet_py.analysis.drawing.text import to_dot, to_mermaid
from darknet_py.errors import CfgError, DataError, printable

from .conftest import Run

EVIL = "\x1b]0;title\x07\x1b[31m\x9b5m\u202egnp\r\x7f\u2066"
SHOWN = r"\x1b]0;title\x07\x1b[31m\x9b5m\u202egnp\r\x7f\u2066"


def harmless(text: str) -> bool:
    return printable(text) == text


@pytest.mark.fault("terminal-escape")
def test_names_are_shown_and_not_obeyed(run: Run, cfg: Path, photos: Path) -> None:
    Path("evil.names").write_text(f"{EVIL.replace(chr(13), '')}\nblue\n")
    for more in ((), ("--json",)):
        result = run("run", cfg, photos / "a.png", "-n", "evil.names", "--no-save", *more)
        assert harmless(result.output)
        assert "]0;title" in result.stdout
    assert json.loads(result.stdout)[0]["objects"][0]["name"] == EVIL.replace("\r", "")


@pytest.mark.fault("terminal-escape")
@pytest.mark.parametrize(
    "text", [f"fil{EVIL}ters=3", f"activation={EVIL}leaky", f"filters={EVIL}", f"[foo{EVIL}]", f"{EVIL}", f"a={EVIL}=b"]
)
def test_diagnostics_are_shown_and_not_obeyed(run: Run, text: str) -> None:
    Path("evil.cfg").write_bytes(f"[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\n{text}\n".encode())
    for command in (("lint",), ("lint", "--json"), ("summary",), ("explain",)):
        result = run(*command, "evil.cfg")
        assert harmless(result.output), result.output
    compilation = compile_cfg(Path("evil.cfg").read_bytes(), f"{EVIL}.cfg")
    assert compilation.diagnostics
    assert all(harmless(str(d)) for d in compilation.diagnostics)
    assert harmless(str(CfgError(compilation.diagnostics)))


@pytest.mark.fault("terminal-escape")
@pytest.mark.parametrize(
    "command",
    [
        ("run", "net.cfg", EVIL), ("run", EVIL, "a.png"), ("lint", EVIL), ("summary", EVIL), ("explain", EVIL),
        ("models", EVIL), ("download", EVIL), (EVIL,), ("summary", "net.cfg", "--size", EVIL), ("lint", f"--{EVIL}"),
        ("export", "net.cfg", "-o", f"{EVIL}.pb"), ("verify", "net.cfg", "--backend", EVIL),
        ("weights", "inspect", "net.cfg", EVIL), ("diff", EVIL, EVIL), ("bench", EVIL),
        ("dump", "net.cfg", "--input", EVIL, "-o", "x"),
    ],
)  # fmt: skip
def test_paths_and_words_are_shown_and_not_obeyed(run: Run, cfg: Path, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.exit_code or command[0] == "models"
    assert harmless(result.output), result.output


@pytest.mark.fault("terminal-escape")
def test_pictures_with_evil_names_are_shown_and_not_obeyed(run: Run, cfg: Path, photos: Path) -> None:
    (photos / "a.png").rename(photos / f"{EVIL.replace('/', '')}.png")
    result = run("run", cfg, photos)
    assert result.exit_code == 0
    assert SHOWN in result.stdout
    assert harmless(result.output)
    assert SHOWN in repr(str(DataError(EVIL))).replace("\\\\", "\\")


def test_the_caret_stands_under_what_is_shown() -> None:
    cfg = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nactivation=\x1b\x1bleeky\n"
    shown, caret = str(compile_cfg(cfg).errors[0]).split("\n")[1:3]
    assert shown[caret.index("^") : caret.rindex("^") + 1] == r"\x1b\x1bleeky"


@pytest.mark.parametrize("write", [to_svg, to_dot, to_mermaid])
def test_drawings_have_no_control_characters(write) -> None:  # type: ignore[no-untyped-def]
    graph = compile_cfg("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n").graph
    text = write(draw(graph, f'{EVIL}"<&\\'))
    assert harmless(text)
    if write is to_svg:
        assert ET.fromstring(text) is not None


def test_names_in_metadata_are_shown_and_not_obeyed(run: Run, cfg: Path, photos: Path) -> None:
    Path("evil.names").write_text("\x1b[31mred\nblue\n")
    run("export", cfg, "-o", "net.onnx", "-n", "evil.names")
    result = run("run", "net.onnx", photos / "a.png", "--no-save")
    assert r"\x1b[31mred: 100%" in result.stdout
    assert load("net.onnx").names[0] == "\x1b[31mred"


def test_only_two_modules_print() -> None:
    for path in Path(darknet_py.__file__).parent.rglob("*.py"):
        if path.name in ("options.py", "__init__.py") and path.parent.name == "cli":
            continue
        calls = [ast.unparse(n.func) for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
        assert "click.echo" not in calls, f"{path}: use echo or message of cli/options.py, which escape"


ENCODINGS = (
    {"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii:strict"}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "utf-8:strict"},
)  # fmt: skip


@pytest.mark.parametrize("environment", ENCODINGS, ids=str)
def test_every_name_can_be_printed_in_every_locale(cfg: Path, photos: Path, environment: dict[str, str]) -> None:
    cfg.with_suffix(".names").write_text("\U0001f600\n\u4e2d\n", "utf-8")
    photo = photos / "\u4e2d\U0001f600.png"
    (photos / "a.png").rename(photo)
    command = [sys.executable, "-m", "darknet_py", "run", cfg, photo, "--no-save"]
    for more in ([], ["--json"]):
        done = subprocess.run([*command, *more], capture_output=True, check=False, env={**os.environ, **environment})
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert json.loads(done.stdout)[0]["objects"][0]["name"] == "\U0001f600"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes as names")
def test_a_name_that_is_no_text_can_be_printed(cfg: Path, photos: Path) -> None:
    photo = os.fsencode(photos) + b"/\xff\x1b.png"
    os.rename(photos / "a.png", photo)  # noqa: PTH104 - bytes are no Path
    command = [sys.executable, "-m", "darknet_py", "run", cfg, photo, "--no-save"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert rb"\udcff\x1b.png: 32x32" in done.stdout
