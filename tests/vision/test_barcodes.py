"""What the codes in boxes say: rendered codes in boxes by hand, small, turned, next to each other, and none."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from darknet_py import CodeText, read_codes
from darknet_py.contract.detections import Boxes
from darknet_py.errors import DataError
from darknet_py.version import requirement
from darknet_py.vision.results import DRAWN_TEXT, Results

NAMES = {0: "barcode", 1: "QR code", 2: "datamatrix", 3: "aztec", 4: "pdf417", 5: "person"}
KINDS = ("EAN13", "QRCode", "DataMatrix", "Aztec", "PDF417")


def rendered(kind: str, text: str, scale: int = 4) -> np.ndarray:
    """A grey picture of a code without a quiet zone of its own."""
    zxing = pytest.importorskip("zxingcpp", reason=f"needs zxing-cpp: pip install {requirement('codes')}")
    code = zxing.create_barcode(text, getattr(zxing.BarcodeFormat, kind))
    return np.array(code.to_image(scale=scale, add_quiet_zones=False))


def scene(*codes: np.ndarray, gap: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Codes beside each other on light grey, (h, w) uint8, and their boxes (n, 4 corners)."""
    height = max(code.shape[0] for code in codes) + 2 * gap
    picture = np.full((height, sum(code.shape[1] + gap for code in codes) + gap), 230, np.uint8)
    boxes, left = [], gap
    for code in codes:
        h, w = code.shape
        picture[gap : gap + h, left : left + w] = code
        boxes.append((left, gap, left + w, gap + h))
        left += w + gap
    return picture, np.array(boxes, np.float32)


def found(picture: np.ndarray, xyxy: np.ndarray, *classes: int) -> Results:
    boxes = Boxes(xyxy, np.full(len(xyxy), 0.9, np.float32), np.array(classes), picture.shape[:2])
    return Results(picture, "codes.png", NAMES, boxes)


def texts(results: Results) -> list[str | None]:
    return [code and code.text for code in read_codes(results).boxes.codes or ()]


@pytest.mark.parametrize("number", range(5))
def test_a_code_of_each_kind_is_read_from_its_box(number: int) -> None:
    text = "4006381333931" if number == 0 else "hello, 世界" if number == 1 else "HELLO 42"
    picture, boxes = scene(rendered(KINDS[number], text))
    assert texts(found(picture, boxes, number)) == [text]
    assert texts(found(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), boxes, number)) == [text]


def test_each_box_has_what_its_own_code_says() -> None:
    picture, boxes = scene(*(rendered("QRCode", text) for text in ("one", "two", "three")), gap=18)
    results = read_codes(found(picture, boxes[::-1], 1, 1, 1))
    assert results.boxes.codes == tuple(CodeText(text, "QR Code") for text in ("three", "two", "one"))
    assert results.boxes[1:2].codes == (CodeText("two", "QR Code"),)


def test_a_neighbour_in_the_margin_is_not_read_for_a_box() -> None:
    picture, boxes = scene(rendered("QRCode", "one"), gap=60)
    beside = boxes + np.float32([boxes[0, 2] - boxes[0, 0], 0] * 2) * 0.9
    wide = np.concatenate([beside[:, :2] - (0, 300), beside[:, 2:] + (0, 300)], 1)  # its margin holds the whole code
    assert texts(found(picture, wide.astype(np.float32), 1)) == [None]


def test_only_the_kind_that_the_class_names_is_looked_for() -> None:
    picture, boxes = scene(rendered("DataMatrix", "matrix"))
    assert texts(found(picture, boxes, 2)) == ["matrix"]
    assert texts(found(picture, boxes, 1)) == [None]
    assert texts(found(picture, boxes, 5)) == ["matrix"]  # a class that is no kind of code is tried as any


def test_what_is_small_or_turned_is_read_from_a_view_of_the_box() -> None:
    picture, boxes = scene(rendered("QRCode", "turned", 3))
    height, width = picture.shape
    turned = cv2.warpAffine(picture, cv2.getRotationMatrix2D((width / 2, height / 2), 45, 1), (width, height),
                            flags=cv2.INTER_AREA, borderValue=230)  # fmt: skip
    small = cv2.resize(turned, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert texts(found(turned, boxes + np.float32([-20, -20, 20, 20]), 1)) == ["turned"]
    assert texts(found(small, boxes / 2 + np.float32([-10, -10, 10, 10]), 1)) == ["turned"]


def test_a_box_without_a_code_or_without_pixels_has_none() -> None:
    picture, boxes = scene(rendered("QRCode", "one"))
    empty = np.float32([[0, 0, 30, 30], [-90, -90, -50, -50], [5, 5, 5, 5], [-50, -50, 900, 900]])
    assert texts(found(picture, empty, 1, 1, 1, 1)) == [None, None, None, "one"]
    assert texts(found(picture, boxes[:0])) == []


def test_what_was_read_is_in_every_text_and_on_the_drawn_label() -> None:
    picture, boxes = scene(rendered("QRCode", "two\nlines"))
    both = np.concatenate([boxes, np.float32([[0, 0, 9, 9]])])
    results = read_codes(found(picture, both, 1, 0))
    first, second = json.loads(results.to_json())["objects"]
    assert (first["text"], first["format"]) == ("two\nlines", "QR Code")
    assert (second["text"], second["format"]) == (None, None)
    assert results.darknet_text().splitlines()[1].endswith("\tQR Code two\ufffdlines")  # a line stays one
    plain = replace(results, boxes=replace(results.boxes, codes=None))
    assert "text" not in plain.to_dict()["objects"][0]
    assert "QR Code" not in plain.darknet_text()
    assert (results.plot() != plain.plot()).any()


@pytest.mark.parametrize(("letter", "end"), [("a", "..."), ("码", "…")])
def test_a_long_text_is_drawn_shortened_and_one_of_ascii_letters_stays_one(letter: str, end: str) -> None:
    results = found(np.zeros((90, 90, 3), np.uint8), np.array([[10, 10, 80, 80]], np.float32), 1)
    boxes = replace(results.boxes, codes=(CodeText(letter * 100, "QR Code"),))
    label = replace(results, boxes=boxes)._label(0)
    assert label == f"QR code 90% {letter * (DRAWN_TEXT - len(end))}{end}"
    assert label.isascii() == (letter == "a")  # what is not ASCII is drawn with Pillow


def test_a_missing_decoder_is_one_line_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    with pytest.raises(DataError) as told:
        read_codes(found(np.zeros((9, 9), np.uint8), np.zeros((0, 4), np.float32)))
    assert str(told.value) == f"reading codes needs zxing-cpp: pip install {requirement('codes')}"
