"""The labelled objects of pictures: Darknet's text (`class cx cy w h`, relative), VOC's XML and COCO's JSON.

Decision: reading never stops at a faulty line, as Darknet's does silently: what can be read is, and each fault is told
by file and line. Darknet itself runs a shell command with the path of a bad label in it; this does not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..files import read_whole

MAX_BYTES = 1 << 26  # of a file of labels
LEAVES = "the box leaves the picture"  # what is said of a box that is kept all the same
MAX_JSON = 1 << 31  # instances_train2017.json has 450 MB


@dataclass(frozen=True, eq=False)
class Labels:
    """The labelled objects of one picture: `cls` (n,) int64 and `boxes` (n, 4) float32, centre and size relative to it.

    `difficult` (n,) bool marks those that count for nothing, whether found or not.
    """

    cls: np.ndarray
    boxes: np.ndarray
    difficult: np.ndarray

    def __len__(self) -> int:
        return len(self.cls)

    def and_difficult(self, others: Labels) -> Labels:
        """These objects, and `others` that count for nothing."""
        return Labels(
            np.concatenate([self.cls, others.cls]),
            np.concatenate([self.boxes, others.boxes]),
            np.concatenate([self.difficult, np.ones(len(others), bool)]),
        )

    @classmethod
    def of(cls, rows: list[tuple[int, float, float, float, float]], difficult: list[bool] | None = None) -> Labels:
        """From rows of class, centre and size."""
        numbers = np.array([row[1:] for row in rows], np.float32).reshape(-1, 4)
        flags = np.array(difficult, bool) if difficult else np.zeros(len(rows), bool)
        return cls(np.array([row[0] for row in rows], np.int64), numbers, flags)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a line of a file of labels (lines count from 1; 0 is the file as a whole)."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}" if self.line else f"{self.path}: {self.what}"


def read_labels(path: Path, classes: int | None = None) -> tuple[Labels, tuple[Fault, ...]]:
    """The objects in a text file, a line each, and the faults of lines that are none.

    A box that leaves the picture is kept, as Darknet keeps it, and is a fault too; a class beyond `classes` is not.
    """
    rows: list[tuple[int, float, float, float, float]] = []
    faults: list[Fault] = []
    text = read_whole(path, MAX_BYTES, "file of labels").decode("utf-8-sig", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        row = _row(line)
        what = _fault(line) if row is None else _doubt(row, classes)
        if what:
            faults.append(Fault(path, number, what))
        if row is not None and (classes is None or row[0] < classes):
            rows.append(row)
    return Labels.of(rows), tuple(faults)


def _row(line: str) -> tuple[int, float, float, float, float] | None:
    words = line.split()
    try:
        x, y, w, h = (float(word) for word in words[1:5])
        number = int(words[0])
    except (ValueError, IndexError):
        return None
    fine = number >= 0 and all(map(math.isfinite, (x, y, w, h))) and w > 0 and h > 0
    return (number, x, y, w, h) if fine else None


def _fault(line: str) -> str:
    shown = line.strip()
    return (
        f"{shown[:40]!r} is no `class cx cy w h`: a number from 0 on, and four relative to the picture, sizes above 0"
    )


def _doubt(row: tuple[int, float, float, float, float], classes: int | None) -> str:
    number, x, y, w, h = row
    if classes is not None and number >= classes:
        return f"class {number} is beyond the {classes} classes"
    if max(x, y, w, h) > 2:
        return f"{x:g} {y:g} {w:g} {h:g} looks like pixels: the four are relative to the picture's width and height"
    if x - w / 2 < -0.001 or y - h / 2 < -0.001 or x + w / 2 > 1.001 or y + h / 2 > 1.001:
        return LEAVES
    return ""


def read_voc(path: Path, names: tuple[str, ...]) -> tuple[Labels, tuple[Fault, ...]]:
    """The objects in an XML file of PASCAL VOC, whose corners count pixels from 1; `difficult` ones are marked.

    Names are looked up in `names`; others are faults.
    """
    from xml.etree import ElementTree

    data = read_whole(path, MAX_BYTES, "file of labels")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # entities that inflate: VOC has neither
        raise DataError(f"{path}: an XML file of labels declares no document type")
    try:
        root = ElementTree.fromstring(data)
        width, height = (float(root.findtext(f"size/{side}") or 0) for side in ("width", "height"))
    except (ElementTree.ParseError, ValueError) as e:
        raise DataError(f"{path}: not the XML of PASCAL VOC ({e})") from None
    if width <= 0 or height <= 0:
        raise DataError(f"{path}: no <size> with width and height")
    rows, difficult, faults = [], [], []
    for element in root.iter("object"):
        name = (element.findtext("name") or "").strip()
        try:
            sides = [float(element.findtext(f"bndbox/{side}") or "nan") for side in ("xmin", "ymin", "xmax", "ymax")]
        except ValueError:
            sides = [math.nan] * 4
        if name not in names or not all(map(math.isfinite, sides)):
            faults.append(Fault(path, 0, f"object {name!r}: {'no box' if name in names else 'no such class'}"))
            continue
        left, top, right, bottom = sides
        box = ((left + right) / 2 - 1, (top + bottom) / 2 - 1, right - left, bottom - top)  # voc_label.py convert
        rows.append((names.index(name), box[0] / width, box[1] / height, box[2] / width, box[3] / height))
        difficult.append((element.findtext("difficult") or "0").strip() == "1")
    return Labels.of(rows, difficult), tuple(faults)


@dataclass(frozen=True, eq=False)
class CocoFile:
    """A file of COCO's object detection: `pictures` are file names with their labels, `names` those of the classes."""

    pictures: tuple[tuple[str, Labels], ...]
    names: tuple[str, ...]


def read_coco(path: Path) -> CocoFile:
    """The pictures of a COCO file, classes numbered from 0 in the order of their ids; crowds are marked difficult.

    Raises `DataError` if it is none.
    """
    try:
        data = json.loads(read_whole(path, MAX_JSON, "COCO file"))
        return CocoFile(tuple(_coco_pictures(data)), tuple(c["name"] for c in _categories(data)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise DataError(f"{path}: not the JSON of COCO's object detection ({type(e).__name__}: {e})") from None


def _categories(data: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(data["categories"], key=lambda c: int(c["id"]))


def _coco_pictures(data: dict[str, Any]) -> Iterator[tuple[str, Labels]]:
    number = {int(c["id"]): i for i, c in enumerate(_categories(data))}
    of: dict[Any, list[dict[str, Any]]] = {}
    for a in data["annotations"]:
        of.setdefault(a["image_id"], []).append(a)
    for image in data["images"]:
        width, height = float(image["width"]), float(image["height"])
        rows, crowd = [], []
        for a in of.get(image["id"], ()):
            x, y, w, h = map(float, a["bbox"])
            rows.append((number[a["category_id"]], (x + w / 2) / width, (y + h / 2) / height, w / width, h / height))
            crowd.append(bool(a.get("iscrowd", 0)))
        yield str(image["file_name"]), Labels.of(rows, crowd)
