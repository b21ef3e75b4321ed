"""A folder in which every example that the project prints can run: what README and help call `my.cfg`, `dog.jpg`.

`run_line` runs one line as a shell would; a line that needs what is not here is skipped, and says what.
"""

from __future__ import annotations

import shlex
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from clips import write_clip
from networks import picture, write_classifier, write_detector

from darknet_py.cli import main
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import random_weights, write_weights
from darknet_py.zoo.find import find_cfg
from darknet_py.zoo.models import models

DIFFERENT = ("darknet-py diff",)  # exits with 1 where networks differ, as the examples' do
HEADER = struct.pack("<iiiq", 0, 2, 5, 0)


def write_scratch(folder: Path) -> None:
    """All files of the examples."""
    for name in ("my", "net"):
        write_detector(folder, name)
    write_classifier(folder)
    (folder / "colour.weights").write_bytes(HEADER)
    (folder / "imagenet.data").write_text("names = colour.names\ntop = 3\n")
    (folder / "obj.data").write_text("classes = 2\nvalid = photos.txt\nnames = my.names\nresults = results\n")
    (folder / "photos.txt").write_text("dog.jpg\nphotos/b.png\n")
    (folder / "photos").mkdir()
    (folder / "cfgs").mkdir()
    write_detector(folder / "cfgs", "other")
    cv2.imwrite(str(folder / "dog.jpg"), picture((1, 2, "red")))
    cv2.imwrite(str(folder / "photos/b.png"), picture((1, 2, "blue")))
    write_clip(folder / "clip.mp4", 20, codec="mp4v")
    np.save(folder / "input.npy", np.zeros((3, 32, 32), np.float32))
    CliRunner().invoke(main, ["export", str(folder / "my.cfg"), "-o", str(folder / "my.onnx")])
    # stands for yolov4, which is not ours: as many layers, of one weight each
    layers = "[convolutional]\nfilters=1\n" * 140
    (folder / "yolov4.cfg").write_text(f"[net]\nwidth=8\nheight=8\nchannels=3\n{layers}")
    for name in ("yolov4.cfg", "csppelee"):
        cfg = folder / name if name.endswith(".cfg") else find_cfg(name)
        graph = compile_file(cfg).check().graph
        write_weights(folder / f"{cfg.stem}.weights", graph, random_weights(graph, 0))


def show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Netron that opens no browser and does not wait."""
    start = lambda *_, **__: ("localhost", 8080)  # noqa: E731 - a name for one line
    monkeypatch.setitem(sys.modules, "netron", SimpleNamespace(start=start, wait=lambda: None))


def needs_shared(line: str, shared: Path) -> None:
    """Skip a line that fetches a trained model, where the material outside the repository is missing."""
    if "rtsp://" in line or " 0" in line:
        pytest.skip(f"needs a camera: {line}")
    named = [word for word in shlex.split(line) if word in models() and not line.startswith("darknet-py summary")]
    if named and not (shared / "weights" / named[0]).is_dir():
        pytest.skip(f"needs {shared / 'weights' / named[0]}, a trained model that is not ours to publish")


def run_line(line: str) -> Result:
    """Run `darknet-py …` in the working folder; it must succeed."""
    command, _, source = line.partition(" < ")
    words = [w for word in shlex.split(command)[1:] for w in _expanded(word)]
    fast = ["--rounds", "1"] if words[0] == "bench" else []
    result = CliRunner().invoke(
        main, [*words, *fast], prog_name="darknet-py", input=Path(source).read_text() if source else None
    )
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in ((0, 1) if line.startswith(DIFFERENT) else (0,)), f"{line}\n{result.output}"
    return result


def _expanded(word: str) -> list[str]:
    """What the shell makes of a pattern."""
    return sorted(map(str, Path().glob(word))) if word.startswith("cfgs/*") else [word]
