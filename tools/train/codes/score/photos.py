"""The two sets of real photos: their labels, and the boxes that count neither as hit nor as false alarm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from darknet_py.vision.datasets import Example, open_dataset
from darknet_py.vision.labels import Labels
from tools.networks.codes import NAMES

IMAGES = Path(__file__).resolve().parents[5] / "shared" / "images"
SETS = ("codes", "codes_hard")
CLASSES = NAMES  # the numbers in the labels are those of our network


@dataclass(frozen=True)
class Photo:
    """A photo and its labels, of which those that are `difficult` are to be ignored."""

    path: Path
    labels: Labels


def read_set(name: str) -> tuple[Photo, ...]:
    """The photos of a set, in order. Raises `DataError` where it is not there."""
    folder = IMAGES / name
    return tuple(_photo(example, folder / "ignore") for example in open_dataset(folder / "images").examples)


def _photo(example: Example, ignore: Path) -> Photo:
    beside = ignore / f"{example.picture.stem}.txt"
    example = replace(example, difficult=beside if beside.is_file() else None)
    return Photo(example.picture, example.read(CLASSES)[0])
