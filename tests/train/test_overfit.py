"""`make train-overfit`: which pictures a cfg can learn by heart, what of the cfg changes for it, and that it does."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SHARED

pytest.importorskip("torch")

from darknet_py import compile_cfg, write_weights
from darknet_py.darknet.initial import initial_weights
from darknet_py.errors import DataError
from darknet_py.vision.datasets import open_dataset
from tools.train import overfit

# The finest anchor is in no mask, as in yolov4-tiny.
CFG = """[net]
width=64
height=64
channels=3
batch=64
subdivisions=16
hue=.1
saturation=1.5
exposure=1.5
learning_rate=0.001
max_batches=9000
policy=steps

[convolutional]
batch_normalize=1
filters=16
size=3
stride=4
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky

[convolutional]
filters=14
size=1
activation=linear

# what is found
[yolo]
mask=1,2
anchors=6,6, 20,20, 34,34
classes=2
num=3
jitter=.3
random=0
"""
LEARNABLE = "0 0.3 0.3 0.3 0.3\n1 0.7 0.7 0.3 0.3\n"
OTHERS = {
    "a": "",  # nothing to find
    "b": LEARNABLE + "0 0.5 0.8 0.1 0.1\n",  # no head learns it
    "c": "0 0.3 0.3 0.3 0.3\n0 0.32 0.3 0.3 0.3\n",  # one of the two is suppressed
    "f": "0 0.3 0.3 0.3 0.3\n1 0.32 0.3 0.3 0.3\n",  # but not of another class
}


def draw(folder: Path) -> Path:
    """Six pictures, of which d, e and f can be learned."""
    folder.mkdir()
    for name in "abcdef":
        text = OTHERS.get(name, LEARNABLE)
        pixels = np.random.default_rng(ord(name)).integers(0, 60, (64, 64, 3), np.uint8)
        for number, x, y, w, h in (map(float, line.split()) for line in text.splitlines()):
            left, top, right, bottom = (round(64 * v) for v in (x - w / 2, y - h / 2, x + w / 2, y + h / 2))
            pixels[top:bottom, left:right, int(number)] = 255
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
        (folder / f"{name}.txt").write_text(text)
    return folder


def test_pictures_are_chosen_whose_objects_can_all_be_learned_and_found(tmp_path: Path) -> None:
    dataset, compilation = open_dataset(draw(tmp_path / "pictures")), compile_cfg(CFG)
    assert [e.picture.stem for e in overfit.learnable(dataset, compilation, 3)] == ["d", "e", "f"]
    with pytest.raises(DataError, match="3 pictures whose objects can all be learned, and 4 are wanted"):
        overfit.learnable(dataset, compilation, 4)


def test_of_the_cfg_only_the_training_changes() -> None:
    text = overfit.recipe(compile_cfg(CFG), max_batches=100)
    before, after = (compile_cfg(one) for one in (CFG, text))
    assert (after.net.batch, after.net.subdivisions, after.net.max_batches, after.net.policy) == (8, 1, 100, "sgdr")
    assert (after.net.hue, after.net.saturation, after.net.exposure, after.net.flip) == (0, 1, 1, 0)
    head = after.graph.layer(3).layer
    assert (head.jitter, head.resize, head.masks) == (0, 1, (1, 2))
    assert "# what is found" in text
    assert [op.kind for op in after.graph.ops] == [op.kind for op in before.graph.ops]
    assert [p.value.shape for p in after.graph.params] == [p.value.shape for p in before.graph.params]


def test_what_was_learned_is_measured_on_two_back_ends(tmp_path: Path) -> None:
    """Ten iterations: stored statistics begin at 0 and need hundreds, so nothing is found yet."""
    cfg, compilation = tmp_path / "small.cfg", compile_cfg(CFG)
    cfg.write_text(overfit.recipe(compilation, max_batches=10, burn_in=2))
    (tmp_path / "two.names").write_text("blue\ngreen\n")
    examples = overfit.learnable(open_dataset(draw(tmp_path / "pictures")), compilation, 2)
    data = overfit.write_data(tmp_path, examples, tmp_path / "two.names")
    write_weights(tmp_path / "all.weights", compilation.graph, initial_weights(compilation.graph, 0))
    begun = overfit.first_layers(cfg, tmp_path / "all.weights", tmp_path / "small.conv.2", 2)
    said: list[str] = []
    found = overfit.learn(cfg, data, begun, said.append, threads=1, workers=0)
    assert {*found.maps} == {*overfit.MEASURED}
    assert len({*found.maps.values()}) == 1
    assert found.weights.name == "small_final.weights"
    text = "\n".join(said)
    assert "small.conv.2 ends before layer 2" in text
    assert "green AP 0.0000 of 2 objects" in text


@pytest.mark.heavy
def test_yolov4_tiny_learns_eight_pictures_by_heart(tmp_path: Path) -> None:
    for place in (SHARED / "images/coco64/images", SHARED / "weights/yolov4-tiny"):
        if not place.is_dir():
            pytest.skip(f"needs {place}")
    given = ["--pictures", str(SHARED / "images/coco64/images"), "--published", str(SHARED / "weights/yolov4-tiny")]
    assert overfit.main([*given, "--out", str(tmp_path / "out")]) == 0
