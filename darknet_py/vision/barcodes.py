"""What the barcodes and matrix codes in boxes say, read by zxing-cpp from what is in each box.

Decision: a box is cut out with a margin, since codes need a quiet zone, and tried several ways, the cheapest first: a
small code that a decoder overlooks in the picture is read when it is enlarged, which takes a box a small part of the
time that the picture takes (`tools/train/codes/CONTESTANTS.md`). Only formats of the kind that the class names count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..contract.detections import CodeText
from ..errors import DataError
from ..version import requirement
from .results import Results

MARGIN = 0.1  # of the longer side of a box, on each side of it
QUIET = 4  # pixels more
SCALES = (2, 3)  # a code that is not read as it is is tried so many times as large
LARGEST = 1600  # pixels of the longer side of what is enlarged: above it that takes long and finds nothing
TURN = 45  # degrees: zxing-cpp looks along the rows and the columns

_LINEAR, _QR, _PDF417 = ("AllLinear",), ("QRCode", "MicroQRCode", "RMQRCode"), ("PDF417", "MicroPDF417")

# What classes are called, without blanks and signs, and the formats of zxing-cpp that they mean; others mean all.
KINDS = {
    "barcode": _LINEAR, "linear": _LINEAR, "1d": _LINEAR, "qr": _QR, "qrcode": _QR,
    "datamatrix": ("DataMatrix",), "aztec": ("Aztec",), "azteccode": ("Aztec",), "pdf417": _PDF417,
}  # fmt: skip


def check_reader() -> None:
    """Raise `DataError` where zxing-cpp is not installed."""
    _zxing()


def read_codes(results: Results) -> Results:
    """The same results with `boxes.codes`: what the code in each box says, None for a box in which none was read.

    A class called after a kind of codes (barcode, qrcode, datamatrix, aztec, pdf417) is tried as that kind, others as
    any. Needs zxing-cpp (the extra `codes`). Raises `DataError` without it.
    """
    zxing = _zxing()
    grey = _grey(results.orig_img)
    kinds = [_formats(zxing, results.names[c]) for c in results.boxes.cls.tolist()]
    codes = tuple(_read(zxing, grey, box, kind) for box, kind in zip(results.boxes.xyxy, kinds, strict=True))
    return replace(results, boxes=replace(results.boxes, codes=codes))


def _zxing() -> Any:
    try:
        import zxingcpp
    except ImportError:
        raise DataError(f"reading codes needs zxing-cpp: pip install {requirement('codes')}") from None
    return zxingcpp


def _formats(zxing: Any, name: str) -> list[Any]:
    """The formats of zxing-cpp that a class of this name is tried as."""
    word = "".join(c for c in name.casefold() if c.isalnum())
    return [getattr(zxing.BarcodeFormat, one) for one in KINDS.get(word, ("AllReadable",))]


def _grey(picture: np.ndarray) -> np.ndarray:
    import cv2

    return picture if picture.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(picture[..., :3]), cv2.COLOR_BGR2GRAY)


def _read(zxing: Any, grey: np.ndarray, box: np.ndarray, formats: list[Any]) -> CodeText | None:
    """What the code in a box (4 corners in pixels) says; of several the one with its centre nearest to the box's.

    One whose centre is in the margin is a neighbour, and not meant.
    """
    left, top, right, bottom = _with_margin(box, grey.shape)
    if right - left < 2 or bottom - top < 2:
        return None
    corners = box.reshape(2, 2) - (left, top)
    for tried, back in views(grey[top:bottom, left:right]):
        found = [(_distance(back @ _centre(one.position), corners), one) for one in zxing.read_barcodes(tried, formats)]
        distance, best = min(found, key=lambda pair: pair[0], default=(1.0, None))
        if best and distance < 1:
            return CodeText(best.text, str(best.format))
    return None


def _distance(point: np.ndarray, corners: np.ndarray) -> float:
    """How far a point (2,) is from the middle of a box (2 corners, 2): 0 in the middle, 1 at the border."""
    half = (corners[1] - corners[0]) / 2
    return float(np.abs((point - corners[0] - half) / half).max())


def _with_margin(box: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The corners of a box and the quiet zone around it, in whole pixels, cut at the border of the picture."""
    left, top, right, bottom = (float(v) for v in box)
    more = MARGIN * max(right - left, bottom - top) + QUIET
    height, width = shape[:2]
    grown = np.array([left - more, top - more, right + more, bottom + more])
    x, y, x2, y2 = np.clip(grown, 0, [width, height, width, height]).astype(int).tolist()
    return x, y, x2, y2


def views(crop: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A crop as it is, enlarged, and turned, each with the matrix (2, 3) from its pixels to those of the crop."""
    scales = [scale for scale in (1, *SCALES) if scale == 1 or scale * max(crop.shape) <= LARGEST]
    shown = {}
    for scale in scales:
        shown[scale] = _enlarged(crop, scale)
        yield shown[scale], np.array([[1 / scale, 0, 0], [0, 1 / scale, 0]])
    scale = scales[:2][-1]
    turned, back = _turned(shown[scale])
    yield turned, back / scale


def _enlarged(crop: np.ndarray, scale: int) -> np.ndarray:
    import cv2

    if scale == 1:
        return np.ascontiguousarray(crop)
    return cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def _turned(crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A crop turned by `TURN` about its middle, its border continued, and the matrix (2, 3) back."""
    import cv2

    height, width = crop.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), TURN, 1)
    c, s = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = int(height * s + width * c), int(height * c + width * s)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    turned = cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return turned, cv2.invertAffineTransform(matrix)


def _centre(position: Any) -> np.ndarray:
    """The centre of a position of zxing-cpp, and 1: (3,)."""
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    return np.array([(p.x, p.y, 1) for p in corners], float).mean(axis=0)
