"""What a process of the benchmark times, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from darknet_py.apps.bench.worker import Contestant, version
from darknet_py.contract.thresholds import CONF, RANDOM_CONF
from darknet_py.model.opening import load

OPTIONS = {"size": (64, 64), "random_weights": 0}


def test_random_weights_do_not_time_the_suppression_of_noise(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
    np.save(tmp_path / "photo.npy", photo)
    np.save(tmp_path / "input.npy", np.zeros((1, 3, 64, 64), np.float32))
    folder = tmp_path / "side"
    folder.mkdir()
    side = Contestant()
    side.open("yolov3-tiny.cfg", None, "numpy", 1, str(folder), **OPTIONS)
    model = load("yolov3-tiny.cfg", backend="numpy", **OPTIONS)
    noise, kept = (len(model(photo, conf)[0].boxes) for conf in (CONF, RANDOM_CONF))
    assert side.detect()["found"] == kept < noise


def test_what_is_picked_by_measuring_has_no_version() -> None:
    assert version("auto") == "the fastest"
    assert version("numpy").startswith("NumPy ")
