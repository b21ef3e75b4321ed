"""Trained detectors on photos: the same objects from NumPy, onnxruntime and OpenCV, and from OpenCV 4's own importer.

NumPy itself is held to Darknet's C in detect/test_real.py, except for yolov4-tiny, which is younger than that program.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_py import Model, Results, load
from darknet_py.cv2_compat import readNetFromDarknet

NETWORKS = (
    "yolov4-tiny", "MobileNetV2-YOLOv3-Nano-coco", "yolo-fastest-1.1", "yolo-fastest-1.1-xl", "yolo-fastest-1.1_body",
    "yoloface-500k",
)  # fmt: skip
PHOTOS = ("dog", "eagle", "person")
LEAST_IOU, PROBABILITY = 0.99, 0.002
ROWS = 5e-4  # of what OpenCV's importer gives: boxes relative to the picture, probabilities


def cfg_of(shared: Path, name: str) -> Path:
    (cfg,) = (shared / "weights").glob(f"*/{name}.cfg")
    return cfg


@cache
def model(cfg: Path, backend: str) -> Model:
    return load(cfg, backend=backend)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes as corners."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    return common / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - common)


def assert_same_objects(found: Results, wanted: Results) -> None:
    """Every wanted object is found once, and nothing else."""
    left = list(range(len(found)))
    for xyxy, conf, cls in zip(wanted.boxes.xyxy, wanted.boxes.conf, wanted.boxes.cls, strict=True):
        same = [
            i for i in left
            if found.boxes.cls[i] == cls
            and abs(found.boxes.conf[i] - conf) < PROBABILITY
            and overlap(found.boxes.xyxy[i], xyxy) > LEAST_IOU
        ]  # fmt: skip
        assert same, f"nothing like class {cls} with {conf:.4f} at {xyxy}"
        left.remove(same[0])
    assert not left


@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_runtime_finds_the_same_objects(shared: Path, name: str, photo: str) -> None:
    wanted, *others = (
        model(cfg_of(shared, name), backend)(shared / "images" / f"{photo}.jpg")[0]
        for backend in ("numpy", "onnxruntime", "opencv")
    )
    for found in others:
        assert_same_objects(found, wanted)


def test_yolov4_tiny_finds_what_is_there(shared: Path) -> None:
    results = [model(cfg_of(shared, "yolov4-tiny"), "numpy")(shared / "images" / f"{p}.jpg")[0] for p in PHOTOS]
    assert [sorted(r.names[int(c)] for c in r.boxes.cls) for r in results] == [
        ["bicycle", "car", "dog", "truck"], ["bird", "bird"], ["dog", "horse", "person"],
    ]  # fmt: skip


@pytest.mark.skipif(
    not hasattr(cv2.dnn, "readNetFromDarknet"), reason="OpenCV 5 has no importer; `make test` runs this in OpenCV 4"
)
@pytest.mark.parametrize("photo", PHOTOS)
def test_yolov4_tiny_gives_the_rows_of_opencvs_own_importer(shared: Path, photo: str) -> None:
    cfg = cfg_of(shared, "yolov4-tiny")
    files = str(cfg), str(cfg.with_suffix(".weights"))
    blob = cv2.dnn.blobFromImage(cv2.imread(str(shared / "images" / f"{photo}.jpg")), 1 / 255, (416, 416), swapRB=True)
    ours, theirs = (rows(read(*files), blob) for read in (readNetFromDarknet, cv2.dnn.readNetFromDarknet))
    assert [r.shape for r in ours] == [(507, 85), (2028, 85)]
    for mine, own in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, own, atol=ROWS, rtol=0)


def rows(net: cv2.dnn.Net, blob: np.ndarray) -> list[np.ndarray]:
    net.setInput(blob)
    return [np.array(o) for o in net.forward(net.getUnconnectedOutLayersNames())]
