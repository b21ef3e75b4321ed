"""Names of files: no picture takes another's, and what a class is called cannot lead out of the folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darknet_py.apps.run.places import Destination, Places
from darknet_py.contract.detections import Boxes
from darknet_py.vision.results import Results

NOTHING = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int), (9, 9))
FRAME = Results(np.zeros((9, 9, 3), np.uint8), "v/cars.mp4", {}, NOTHING, source="v/cars.mp4", frame=7, time=0.25)


def test_names_that_are_one_on_some_systems_are_told_apart() -> None:
    places = Places(Path("out"), stems=False)
    names = [places.free(name).picture.name for name in ("a.png", "A.png", "a.jpg", "a.gif", "u\u0308.png", "\xfc.png")]
    assert names == ["a.png", "A-2.png", "a.jpg", "a-2.jpg", "u\u0308.png", "\xfc-2.png"]


def test_pictures_that_share_a_stem_share_no_label() -> None:
    places = Places(Path("out"), stems=True)
    labels = [places.free(name).label.as_posix() for name in ("a.png", "a.jpg")]
    assert labels == ["out/labels/a.txt", "out/labels/a-2.txt"]


def test_frames_have_the_name_of_their_video_and_its_number() -> None:
    places = Places(Path("out"), stems=False)
    assert places.of(FRAME).picture == Path("out/cars_00000007.jpg")
    assert places.of(replace(FRAME, frame=8)).picture == Path("out/cars_00000008.jpg")
    assert places.of(replace(FRAME, source="w/cars.mp4")).picture == Path("out/cars-2_00000007.jpg")


@pytest.mark.parametrize(
    ("name", "folder"), [("traffic light", "traffic light"), ("../..", "_"), ("a/b\\c", "a_b_c"), ("", "_"),
                         ("\x1b[31m", "_[31m"), ("..", "_"), ("dog.", "dog")],
)  # fmt: skip
def test_the_folder_of_a_class_is_one_below_crops(name: str, folder: str) -> None:
    crop = Destination(Path("out/a.png")).crop(name, 1)
    assert crop.parent.name == folder or (name == "../.." and crop.parent.name == "_")
    assert crop.parent.parent == Path("out/crops")
