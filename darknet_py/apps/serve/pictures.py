"""A client's picture: from the bytes that came to what a network takes, without trusting a word of them.

Decision: only formats whose header can be read here are decoded (no TIFF, no OpenEXR: their decoders are large, and
nobody sends them), and what a header says is held against the limits before a decoder sees the rest.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from ...contract.contract import Contract
from ...errors import DataError, to_nobody
from ...vision.decode import check_array
from ...vision.headers import Size, picture_size
from ...vision.inference import prepare
from ...vision.opening import Wanted
from ...vision.picture import Picture
from .limits import Limits, Refusal

FORMATS = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF.{4}WEBP|BM", re.DOTALL)
FORMAT_NAMES = "JPEG, PNG, WebP or BMP"
SCAN = b"\xff\xda"  # what begins a pass over a JPEG; between the bytes of one it cannot stand
NAME = "picture"
JPEG_QUALITY = 90


def open_picture(data: bytes, contract: Contract, limits: Limits) -> tuple[Picture, np.ndarray]:
    """A picture in encoded bytes, and the input (c, h, w) float32 of the network.

    Raises `Refusal`: 415 for what is of no format that is read here, 413 for one that is too large; `DataError` for
    what is broken.
    """
    if not FORMATS.match(data):
        raise Refusal(415, f"this is no picture of a format that is read here: {FORMAT_NAMES}")
    size = picture_size(data)
    if size is None or min(size) < 1:
        raise DataError("the picture is cut within its header (with curl: --data-binary @FILE)")
    _check_size(size, limits)
    if data.startswith(b"\xff\xd8") and data.count(SCAN) > limits.scans:
        raise Refusal(413, f"a JPEG of more than {limits.scans} scans")
    return _prepared(picture_in(data, contract, limits), contract)


def picture_in(data: bytes, contract: Contract, limits: Limits) -> Picture:
    """A picture that is fit to be opened."""
    wanted = Wanted(contract.shape[0], limits.pixels, say=to_nobody)  # what clients cut is no line of the log
    return wanted.decoded(data, NAME)


def open_pixels(pixels: np.ndarray, contract: Contract, limits: Limits) -> tuple[Picture, np.ndarray]:
    """The same of pixels (h, w, c) uint8, grey, RGB or RGBA, in the order of the network's own input."""
    _check_size((pixels.shape[1], pixels.shape[0]), limits)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(pixels.shape[2])
    if order is None:
        raise DataError(f"a picture has 1, 3 or 4 channels, not {pixels.shape[2]}")
    return _prepared(Picture(check_array(np.ascontiguousarray(pixels[:, :, order])), NAME), contract)


def _check_size(size: Size, limits: Limits) -> None:
    if size[0] * size[1] > limits.pixels:
        raise Refusal(413, f"a picture of {size[0]}x{size[1]} has more than {limits.pixels:,} pixels")


def _prepared(picture: Picture, contract: Contract) -> tuple[Picture, np.ndarray]:
    rows = np.empty(contract.shape, np.float32)
    prepare(picture, contract, contract.letterbox, rows)
    return picture, rows


def write_jpeg(pixels: np.ndarray) -> bytes:
    """Pixels (h, w, 3), BGR, encoded."""
    import cv2

    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def without_pixels(picture: Picture) -> Picture:
    """The picture's size without its pixels: whoever waits in a queue need not hold them."""
    return replace(picture, pixels=np.broadcast_to(np.uint8(0), picture.pixels.shape))
