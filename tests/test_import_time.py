"""What must not be imported for a name, for help, or for a usage error: time is not measured, causes are."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import pytest
from networks import picture, write_detector

import darknet_py

HEAVY = ("numpy", "cv2", "onnx", "onnxruntime", "lark", "urllib.request", "subprocess")
SCRIPT = """
import sys
{code}
print([m for m in {heavy} if m in sys.modules])
"""
HELP = """
from darknet_py.cli import main
try:
    main({args}, prog_name="darknet-py")
except SystemExit:
    pass
"""


@pytest.mark.parametrize(
    "code",
    [
        "import darknet_py",
        "import darknet_py; darknet_py.__version__; dir(darknet_py)",
        HELP.format(args=["--help"]),
        HELP.format(args=["--version"]),
        HELP.format(args=["run", "--help"]),
        HELP.format(args=["lint"]),
    ],
)
def test_nothing_heavy_is_imported_by(code: str) -> None:
    script = SCRIPT.format(code=code, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


ONE_PICTURE = """
import sys
from darknet_py.cli import main
try:
    main(["run", "net.cfg", "dog.png", "--no-save", "--quiet"], prog_name="darknet-py")
except SystemExit as end:
    assert not end.code
print([m.removeprefix("darknet_py.") for m in {unused} if m in sys.modules])
"""
# What videos, many pictures, windows, drawings, addresses and networks of other programs want.
UNUSED = (
    "darknet_py.vision.video.frames", "darknet_py.vision.video.writer", "darknet_py.vision.video.recorder",
    "darknet_py.vision.video.capture", "darknet_py.vision.video.live", "darknet_py.vision.video.ahead",
    "darknet_py.vision.window", "darknet_py.vision.draw", "darknet_py.vision.resample", "darknet_py.vision.tracking",
    "darknet_py.model.beside", "darknet_py.model.throughput", "darknet_py.model.at_once", "darknet_py.model.pipeline",
    "concurrent.futures", "PIL", "openvino", "ncnn", "torch",
)  # fmt: skip


def test_one_picture_imports_what_it_needs(tmp_path: Path) -> None:
    """The second time, when the compiled network is at hand, no compiler either."""
    write_detector(tmp_path)
    cv2.imwrite(str(tmp_path / "dog.png"), picture((0, 0, "red")))
    environment = {**os.environ, "DARKNET_PY_CACHE": str(tmp_path / "cache")}
    for unused in (UNUSED, (*UNUSED, "darknet_py.darknet.compile", "onnx", "lark")):
        script = ONE_PICTURE.format(unused=unused)
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
        assert done.stdout.splitlines()[-1] == "[]"


def test_in_an_archive_the_first_import_says_what_to_do(tmp_path: Path) -> None:
    wheel = tmp_path / "darknet.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("__init__", "__main__", "version"):
            archive.write(Path(darknet_py.__file__).with_name(f"{name}.py"), f"darknet_py/{name}.py")
    for words in (["-c", "import darknet_py"], ["-m", "darknet_py", "--version"]):
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(wheel)}, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 1
        assert f"darknet-py cannot be used from inside {wheel}" in done.stderr
        assert "hint: `pip install`" in done.stderr
