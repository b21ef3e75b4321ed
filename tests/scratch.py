"""A folder in which every example that the project prints can run: what README and help call `my.cfg`, `dog.jpg`.

`run_line` runs one line as a shell would; a line that needs what is not here is skipped, and says what.
"""

from __future__ import annotations

import re
import shlex
import shutil
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from clips import write_clip
from networks import NAMES, picture, write_classifier, write_detector

from darknet_py.cli import main
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import Header, Weights, random_weights, write_weights
from darknet_py.zoo.find import find_cfg
from darknet_py.zoo.models import models
from darknet_py.zoo.shipped import ready_networks, shipped_networks

EXAMPLE = "tools/train/codes/example.webp"
DIFFERENT = ("darknet-py diff",)  # exits with 1 where networks differ, as the examples' do
HEADER = struct.pack("<iiiq", 0, 2, 5, 0)
TRAINED = "batch=8\nsubdivisions=2\nlearning_rate=0.1\nmax_batches=40\n"  # of [net]: seconds on a processor


def write_scratch(folder: Path) -> None:
    """All files of the examples."""
    for name in ("my", "net"):
        _to_be_trained(write_detector(folder, name))
    _write_colours(folder)
    lists = "train = train.txt\nvalid = photos.txt\n"
    for name in ("obj", "my"):
        rest = f"names = my.names\nresults = results\nbackup = backup/{name}\n"
        (folder / f"{name}.data").write_text(f"classes = 2\n{lists}{rest}")
    (folder / "coco.data").write_text(f"classes = 80\n{lists}")
    (folder / "photos.txt").write_text("dog.jpg\nphotos/b.png\n")
    (folder / "train.txt").write_text("a.png\n")
    (folder / "photos").mkdir()
    (folder / "dataset/images").mkdir(parents=True)
    sizes = np.random.default_rng(0).uniform(0.1, 0.25, (12, 2))
    places = [(column, row) for row in (0.125, 0.375, 0.625) for column in (0.125, 0.375, 0.625, 0.875)]
    labels = "".join(
        f"{i % 2} {x} {y} {w:.3f} {h:.3f}\n" for i, ((x, y), (w, h)) in enumerate(zip(places, sizes, strict=True))
    )
    for name in ("dog", "a"):
        (folder / f"{name}.txt").write_text(labels)
    cv2.imwrite(str(folder / "a.png"), picture((2, 2, "blue")))
    (folder / "photos/b.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    cv2.imwrite(str(folder / "dataset/images/a.jpg"), picture((1, 2, "red")))
    cv2.imwrite(str(folder / "red_1.jpg"), picture((1, 2, "red")))
    (folder / "colours.txt").write_text("red_1.jpg\n")
    (folder / "cfgs").mkdir()
    write_detector(folder / "cfgs", "other")
    cv2.imwrite(str(folder / "dog.jpg"), picture((1, 2, "red")))
    cv2.imwrite(str(folder / "photos/b.png"), picture((1, 2, "blue")))
    write_clip(folder / "clip.mp4", 20, codec="mp4v")
    np.save(folder / "input.npy", np.zeros((3, 32, 32), np.float32))
    for name in ("my.onnx", "my.int8.onnx"):
        CliRunner().invoke(main, ["export", str(folder / "my.cfg"), "-o", str(folder / name)])
    # stands for yolov4, which is not ours: its first 137 layers have no weights, as the first one of my.cfg
    layers = "[upsample]\nstride=1\n" * 137 + "[convolutional]\nfilters=1\n" * 3
    (folder / "yolov4.cfg").write_text(f"[net]\nwidth=8\nheight=8\nchannels=3\n{layers}")
    (folder / "yolov4.conv.137").write_bytes(HEADER)
    _write_labelled(folder)
    (folder / EXAMPLE).parent.mkdir(parents=True)
    shutil.copy(Path(__file__).parents[1] / EXAMPLE, folder / EXAMPLE)
    for name in ("yolov4.cfg", "csppelee"):
        cfg = folder / name if name.endswith(".cfg") else find_cfg(name)
        graph = compile_file(cfg).check().graph
        write_weights(folder / f"{cfg.stem}.weights", graph, random_weights(graph, 0))


def _to_be_trained(cfg: Path) -> None:
    """Add what training reads to a cfg."""
    cfg.write_text(cfg.read_text().replace("channels=3\n", f"channels=3\n{TRAINED}"))


def _write_colours(folder: Path) -> None:
    """The classifier, with a convolution that can learn and changes nothing, and a data set of one picture."""
    cfg = write_classifier(folder)
    _to_be_trained(cfg)
    cfg.write_text(cfg.read_text().replace("[avgpool]", "[convolutional]\nfilters=3\nactivation=linear\n[avgpool]"))
    graph = compile_file(cfg).check().graph
    biases, weights = graph.params
    same = {biases.value: np.zeros(3, np.float32), weights.value: np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)}
    write_weights(folder / "colour.weights", graph, Weights(Header(), same))
    lists = "train = colours.txt\nvalid = colours.txt\n"
    (folder / "imagenet.data").write_text(f"{lists}names = colour.names\ntop = 3\nbackup = backup/imagenet\n")


def _write_labelled(folder: Path) -> None:
    """A data set: eight pictures to train on, with boxes of eight sizes, and two that the detector finds all of."""
    (folder / "data").mkdir()
    cells = [(row, column, colour) for row in (1, 2) for column in (1, 2) for colour in NAMES]
    for i, cell in enumerate(cells):
        _write_example(folder / f"data/train{i}.png", [cell], 10 + i)
    for i, name in enumerate(("data/valid0.png", "data/valid1.png")):
        _write_example(folder / name, [(1, 1 + i, "red"), (2, 2 - i, "blue")], 16)
    (folder / "data/train.txt").write_text("".join(f"data/train{i}.png\n" for i in range(len(cells))))
    (folder / "data/valid.txt").write_text("data/valid0.png\ndata/valid1.png\n")
    data = "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = my.names\nbackup = backup\n"
    (folder / "cells.data").write_text(data)


def _write_example(path: Path, cells: list[tuple[int, int, str]], side: int) -> None:
    """A picture of 32 pixels with lit cells, and a box of `side` pixels about the centre of each."""
    cv2.imwrite(str(path), picture(*cells))
    centres = [(NAMES.index(colour), (column + 0.5) / 4, (row + 0.5) / 4) for row, column, colour in cells]
    lines = (f"{class_} {x:g} {y:g} {side / 32:g} {side / 32:g}\n" for class_, x, y in centres)
    path.with_suffix(".txt").write_text("".join(lines))


def show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Netron that opens no browser and does not wait, and a server that opens its models and ends."""
    start = lambda *_, **__: ("localhost", 8080)  # noqa: E731 - a name for one line
    monkeypatch.setitem(sys.modules, "netron", SimpleNamespace(start=start, wait=lambda: None))
    run_server = lambda own, *_, **__: [opened(1) for _, opened in own]  # noqa: E731 - as above
    served = SimpleNamespace(run_server=run_server, ServerOptions=lambda **given: given, read_token=str)
    monkeypatch.setitem(sys.modules, "darknet_py.apps.serve.run", served)


def needs_shared(line: str, shared: Path) -> None:
    """Skip a line that fetches a trained model, where the material outside the repository is missing."""
    if "rtsp://" in line or re.match(r"darknet-py run \S+ 0( |$)", line):
        pytest.skip(f"needs a camera: {line}")
    if "s3://" in line:
        pytest.skip(f"needs a bucket: {line}")
    named = [word for word in shlex.split(line) if word in models() and not line.startswith("darknet-py summary")]
    if named and not (shared / "weights" / named[0]).is_dir():
        pytest.skip(f"needs {shared / 'weights' / named[0]}, a trained model that is not ours to publish")
    lacking = [word for word in shlex.split(line) if word in shipped_networks() and word not in ready_networks()]
    if lacking:
        pytest.skip(f"the weights are not here yet: weights/{lacking[0]}.weights")
    checkpoint = next((word for word in shlex.split(line) if word.endswith(".pth")), None)
    if checkpoint:
        pytest.skip(f"needs {checkpoint}, a trained model that cannot be had everywhere")


def run_line(line: str) -> Result:
    """Run `darknet-py …` in the working folder; it must succeed."""
    command, _, source = line.partition(" < ")
    words = [w for word in shlex.split(command)[1:] for w in _expanded(word)]
    fast = ["--rounds", "1"] if words[0] == "bench" else []
    result = CliRunner().invoke(
        main, [*words, *fast], prog_name="darknet-py", input=Path(source).read_bytes() if source else None
    )
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in ((0, 1) if line.startswith(DIFFERENT) else (0,)), f"{line}\n{result.output}"
    return result


def _expanded(word: str) -> list[str]:
    """What the shell makes of a pattern."""
    return sorted(map(str, Path().glob(word))) if word.startswith("cfgs/*") else [word]
