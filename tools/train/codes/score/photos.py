"""The two sets of real photos: their labels, and the boxes that count neither as hit nor as false alarm."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darknet_py.vision.datasets import Example, open_dataset
from darknet_py.vision.labels import Labels
from tools.networks.codes import NAMES

IMAGES = Path(__file__).resolve().parents[5] / "shared" / "images"
SETS = ("codes", "codes_hard")
CLASSES = NAMES  # the numbers in the labels are those of our network
MENDED = Path(__file__).with_name("mended.toml")


@dataclass(frozen=True)
class Photo:
    """A photo and its labels, of which those that are `difficult` are to be ignored."""

    path: Path
    labels: Labels


def read_set(name: str) -> tuple[Photo, ...]:
    """The photos of a set, in order. Raises `DataError` where it is not there."""
    folder = IMAGES / name
    return tuple(_photo(example, folder / "ignore") for example in open_dataset(folder / "images").examples)


def mended(photos: Sequence[Photo]) -> tuple[Photo, ...]:
    """Photos of `codes` with labels that say what is there, where those of the set do not: see `mended.toml`."""
    told = {one["name"]: one for one in tomllib.loads(MENDED.read_text("utf-8"))["photo"]}
    return tuple(_mended(photo, told[photo.path.name]) if photo.path.name in told else photo for photo in photos)


def _mended(photo: Photo, told: dict[str, Any]) -> Photo:
    labels = _labels(told["codes"]) if "codes" in told else photo.labels
    return Photo(photo.path, labels.and_difficult(_labels(told.get("ignored", []))))


def _labels(rows: Sequence[tuple[str, float, float, float, float]]) -> Labels:
    return Labels.of([
        (CLASSES.index(name), (left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        for name, left, top, right, bottom in rows
    ])  # fmt: skip


def _photo(example: Example, ignore: Path) -> Photo:
    beside = ignore / f"{example.picture.stem}.txt"
    example = replace(example, difficult=beside if beside.is_file() else None)
    return Photo(example.picture, example.read(CLASSES)[0])
