"""Trained networks on photos: from the file to the detections as Darknet's C printed them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darknet_py.backends.session import Session, open_session
from darknet_py.contract.boxes import to_xyxy
from darknet_py.contract.detections import Boxes
from darknet_py.darknet.compile import Compilation, compile_file
from darknet_py.darknet.program import program_of
from darknet_py.darknet.weights import read_weights
from darknet_py.vision import stretch
from darknet_py.vision.preprocess import to_input
from darknet_py.vision.sources import pictures

NETWORKS = (
    "MobileNetV2-YOLOv3-Nano-coco", "yolo-fastest-1.1", "yolo-fastest-1.1-xl", "yolo-fastest-1.1_body", "yoloface-500k",
)  # fmt: skip
needs_fine_remap = pytest.mark.skipif(not stretch.is_remap_exact(), reason="needs OpenCV 5: older ones mix coarsely")
INPUTS = ("plain", "letter")
PHOTOS = ("dog", "eagle", "person")
RECORDED = "yolo-fastest-1.1"  # whose folder has the decoded photo, and the input that Darknet made of it


@cache
def network(shared: Path, name: str) -> tuple[Compilation, Session]:
    """A trained network, ready to run."""
    (cfg,) = (shared / "weights").glob(f"*/{name}.cfg")
    compiled = compile_file(cfg).check()
    weights = read_weights(cfg.with_name(f"{name}.weights"), compiled.graph)
    return compiled, open_session(compiled.graph.with_data(weights.arrays), "numpy")


def decoded_by_stb(shared: Path) -> np.ndarray:
    """The dog (h, w, c), as Darknet without OpenCV reads it."""
    with np.load(shared / "golden_real" / RECORDED / "dog_plain_stb_orig_u8.npz") as file:
        return file["a"].transpose(1, 2, 0)


def read_rgb(path: Path) -> np.ndarray:
    (picture,) = pictures(path)
    return picture.pixels[..., ::-1]


def check(shared: Path, name: str, photo: str, kind: str, decoder: str, image: np.ndarray) -> None:
    """Compare with both thresholds of one recording."""
    compiled, session = network(shared, name)
    letterbox = kind == "letter"
    outputs = [o[0] for o in session.run([to_input(image, compiled.net.shape, letterbox)[None]])]
    recording = json.loads((shared / "golden_real" / name / f"{photo}_{kind}_{decoder}.json").read_text())
    size = (image.shape[0], image.shape[1])
    assert size == (recording["im_h"], recording["im_w"])
    for wanted in recording["sets"]:
        found = program_of(compiled).contract.decode(outputs, size, threshold=wanted["thresh"], letterbox=letterbox)
        assert len(found) == wanted["n_post"]
        compare(found, wanted["post"], size)


def compare(found: Boxes, wanted: list[dict[str, Any]], size: tuple[int, int]) -> None:
    """Each wanted object is there once, with its probability, in its place."""
    left = list(range(len(found)))
    for post in wanted:
        (box,) = to_xyxy(np.array([post["box"]], np.float32), size)
        match = next((
            i for i in left
            if found.cls[i] == post["class"]
            and abs(found.conf[i] - post["prob"]) < 1e-5
            and np.abs(found.xyxy[i] - box).max() < 0.05  # of a pixel
        ), None)  # fmt: skip
        assert match is not None, f"nothing like {post}"
        left.remove(match)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_photo_gives_darknets_detections(shared: Path, name: str, photo: str, kind: str) -> None:
    check(shared, name, photo, kind, "opencv", read_rgb(shared / "images" / f"{photo}.jpg"))


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_photo_decoded_without_opencv_does_too(shared: Path, name: str, kind: str) -> None:
    check(shared, name, "dog", kind, "stb", decoded_by_stb(shared))


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize(("decoder", "tolerance"), [("stb", 0), ("opencv", 3e-7)])
@pytest.mark.parametrize("way", ["numpy", pytest.param("opencv", marks=needs_fine_remap)])
def test_the_input_is_darknets(
    shared: Path, kind: str, decoder: str, tolerance: float, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit by bit, or mixed by OpenCV to 3e-7; with OpenCV, Darknet's compiler made a product of the division by 255."""
    monkeypatch.setattr(stretch, "is_remap_exact", lambda: way == "opencv")
    tolerance = tolerance if way == "numpy" else tolerance + 3e-7
    folder = shared / "golden_real" / RECORDED
    with np.load(folder / f"dog_{kind}_{decoder}_orig_u8.npz") as photo:
        got = to_input(photo["a"].transpose(1, 2, 0), (3, 320, 320), kind == "letter")
    with np.load(folder / f"dog_{kind}_{decoder}_input.npz") as wanted:
        assert np.abs(got - wanted["a"]).max() <= tolerance


def test_a_file_is_decoded_as_darknet_with_opencv_decodes_it(shared: Path) -> None:
    with np.load(shared / "golden_real" / RECORDED / "dog_plain_opencv_orig_u8.npz") as photo:
        wanted = photo["a"].transpose(1, 2, 0)
    assert np.array_equal(read_rgb(shared / "images" / "dog.jpg"), wanted)
