"""`make train-demo`, in small and whole: pictures that are drawn, a training on them, the same boxes everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from darknet_py.vision.datasets import open_dataset
from tools.train import demo, shapes

LOW = 0.02  # a score that boxes of a detector have that has learned little


@pytest.mark.parametrize("number", range(12))
def test_a_box_is_where_the_pixels_of_its_shape_are(number: int) -> None:
    chance = np.random.default_rng(number)
    shape = shapes._shape(chance, 160, 200)
    pixels = np.zeros((160, 200, 3), np.uint8)
    shapes._paint(pixels, shape, chance)
    rows, columns = np.nonzero(pixels.max(2) > 127)
    seen = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
    assert np.abs(seen - shape.box).max() <= 1.5


def test_the_same_seed_draws_the_same_pictures_and_another_others(tmp_path: Path) -> None:
    (first, one), (again, two), (other, _) = (shapes.picture(seed, 3) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert [s.number for s in one] == [s.number for s in two]
    assert first.shape != other.shape or not np.array_equal(first, other)
    data = open_dataset(shapes.draw_pictures(tmp_path / "drawn", 5, 1))
    assert len(data) == 5
    assert not any(faults for _, faults in (example.read(shapes.NAMES) for example in data.examples))


def test_a_detector_that_learned_a_little_has_the_same_boxes_on_every_back_end(tmp_path: Path) -> None:
    losses: list[str] = []
    outcome = demo.learn(
        tmp_path, losses.append, learned=24, unseen=6, batch=4, max_batches=200, threads=1, workers=0
    )  # fmt: skip
    assert outcome.weights.name == "shapes_final.weights"
    found = demo.boxes_of(outcome, 3, LOW)
    assert {"numpy", "onnxruntime", "opencv", "torch"} <= {*found}
    assert sum(map(len, found["numpy"]))
    for results in found.values():
        pixels, score = demo.difference(results, found["numpy"], LOW)
        assert pixels <= demo.PIXELS
        assert score <= demo.SCORE
    truth = found["numpy"]
    moved = [replace(one, boxes=replace(one.boxes, xyxy=one.boxes.xyxy + 0.5)) for one in truth]
    assert demo.difference(moved, truth, LOW)[0] > demo.PIXELS
    fewer = [replace(one, boxes=one.boxes[:0]) for one in truth]
    assert demo.difference(fewer, truth, LOW) == demo.difference(truth, fewer, LOW) == (np.inf, np.inf)


@pytest.mark.heavy
def test_the_demo_meets_its_bars(tmp_path: Path) -> None:
    assert demo.main(["--out", str(tmp_path / "demo")]) == 0
    assert (tmp_path / "demo/predictions.png").is_file()
