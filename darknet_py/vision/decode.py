"""From what holds a picture (encoded bytes, an array, a PIL image) to the pixels that Darknet would work on.

Decision: a picture has the same pixels however it is handed over, those of Darknet's OpenCV build (image_opencv.cpp
load_image_mat_cv, which is `cv2.imread`). So bytes are decoded as `imread` decodes a file, a truncated JPEG too; and a
PIL image that was opened and not yet loaded still is its file, and is decoded as that.
"""

from __future__ import annotations

import warnings
from threading import Lock
from typing import Any, Final

import numpy as np

from ..backends.opencv.log import silent_opencv
from ..errors import DataError, PictureWarning, Say
from .headers import check_size, picture_size

MAX_BYTES = 1 << 28  # of a file
JPEG = b"\xff\xd8"
# What libjpeg reads after the end of a file (jdatasrc.c fill_input_buffer), longer than any segment that was cut.
ENDLESS_END = b"\xff\xd9" * (1 << 15)
ORIENTATION: Final = 0x0112  # the tag in EXIF
INTEGER_FILES = (None, "PNG", "PPM")  # formats whose 16-bit pictures PIL has in mode "I", of 32 bits

_shared = Lock()  # of open files, which have one position for all threads


def warn(text: str) -> None:
    """Warn of a picture that is read, and may be less than it was: `PictureWarning`."""
    warnings.warn(text, PictureWarning, stacklevel=3)


def decode(data: bytes, channels: int, limit: int, where: str, say: Say = warn) -> np.ndarray:
    """Encoded bytes as `cv2.imread` reads them for a network of `channels`: grey, BGR, or all there is; uint8.

    16 bits become their upper 8. `say` is told of a JPEG that was cut, which is read as far as it goes. Raises
    `DataError` for what is no picture, or has more than `limit` pixels.
    """
    import cv2

    check_size(picture_size(data), limit, where)
    # image_opencv.cpp load_image_mat: one channel is read as grey, three as colour, other numbers as they are
    flag = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR}.get(channels, cv2.IMREAD_UNCHANGED)
    pixels = _imdecode(data, flag)
    if pixels is None and data.startswith(JPEG):
        pixels = _imdecode(data + ENDLESS_END, flag)  # imread takes what a truncated one has, imdecode only with an end
        if pixels is not None:
            say(f"{where}: the JPEG was cut, its end is missing; what it has no pixels for is grey")
    if pixels is None:
        raise DataError(f"{where}: not a picture, or in a format that OpenCV cannot read")
    return _eight_bits(pixels, where)


def _imdecode(data: bytes, flag: int) -> np.ndarray | None:
    import cv2

    try:
        with silent_opencv():
            return cv2.imdecode(np.frombuffer(data, np.uint8), flag) if data else None
    except cv2.error:
        return None


def _eight_bits(pixels: np.ndarray, where: str) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)  # as libpng strips them, and stb_image
    raise DataError(f"{where}: pixels are {pixels.dtype}, and Darknet reads 8 or 16 bits: scale them to 0 to 255")


def check_array(pixels: np.ndarray) -> np.ndarray:
    """An array as `cv2.imread` gives it: (h, w), (h, w, 1), (h, w, 3) BGR or (h, w, 4) BGRA, uint8 or uint16.

    Raises `DataError` for any other.
    """
    if pixels.dtype not in (np.uint8, np.uint16):
        raise DataError(f"an array of pictures must be uint8 (0 to 255) or uint16 (0 to 65535), not {pixels.dtype}")
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise DataError(f"an array of shape {pixels.shape} is no picture: want (h, w), (h, w, 3) or (n, h, w, 3)")
    return _eight_bits(pixels, "the array")


def read_stream(file: Any, where: str) -> bytes:
    """All bytes of an open file, from its beginning where it can be rewound. Raises `DataError` if it has none."""
    with _shared:
        try:
            if getattr(file, "seekable", lambda: False)():
                file.seek(0)
            data = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as e:
            raise DataError(f"cannot read the picture from {where}: {getattr(e, 'strerror', None) or e}") from None
    if not isinstance(data, bytes | bytearray):
        raise DataError(f"{where} gives {type(data).__name__}, not bytes: open it with mode 'rb'")
    check_length(len(data), where)
    return bytes(data)


def check_length(length: int, where: str) -> None:
    """Raise `DataError` for more bytes than any picture has."""
    if length > MAX_BYTES:
        raise DataError(f"{where}: more than {MAX_BYTES:,} bytes are no picture")


def from_pil(image: Any, channels: int, limit: int, where: str, say: Say = warn) -> np.ndarray:
    """A PIL image as its file would be read: turned as EXIF says, with its alpha only where that is a channel.

    One that was loaded has PIL's pixels: the same ones, but for what its mode has lost (as the brightness that a JPEG
    has apart from its colours). Raises `DataError` for modes without a meaning ("F"), or for a file that is broken.
    """
    size = getattr(image, "size", None)
    check_size(size, limit, where)
    data = _encoded(image)
    if data is not None:
        try:
            return decode(data, channels, limit, where, say)
        except DataError:
            pass  # in a format that only PIL knows
    try:
        with _shared:
            pixels = _converted(image, channels, where)
    except (OSError, SyntaxError, ValueError) as e:  # what PIL raises for broken files
        raise DataError(f"{where}: not a picture that PIL can read: {e}") from None
    # OpenCV takes no notice of EXIF where it is to leave a picture unchanged.
    return _turned(pixels, _orientation(image)) if channels in (1, 3) else pixels


def _encoded(image: Any) -> bytes | None:
    """The file of a PIL image of which nothing but the header was read yet."""
    file = getattr(image, "fp", None)
    if file is None or not getattr(image, "tile", None) or image.tell():
        return None
    with _shared:
        try:
            place = file.tell()
            file.seek(0)
            data = file.read(MAX_BYTES + 1)
            file.seek(place)
        except (OSError, ValueError, AttributeError):
            return None
    size = picture_size(data)
    # `Image.draft` asks for a smaller one; a TIFF's size is that after turning
    return data if size in (image.size, image.size[::-1]) and len(data) <= MAX_BYTES else None


def _converted(image: Any, channels: int, where: str) -> np.ndarray:
    """The pixels of a PIL image in the order of OpenCV, which are not turned yet."""
    mode = image.mode
    if mode == "F" or (mode == "I" and getattr(image, "format", None) not in INTEGER_FILES):
        raise DataError(
            f"{where}: a PIL image of mode {mode!r} has no range of its own, and Darknet reads 8 or 16 bits: "
            "scale it to 0 to 255 and convert it to 'L'"
        )
    if mode.startswith("I"):
        return _sixteen_bits(np.asarray(image), where)
    if mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if mode == "CMYK":
        return _cmyk_to_bgr(np.asarray(image))
    if mode in ("La", "RGBa"):
        image = image.convert(mode.upper())
    if channels not in (1, 3) and _has_alpha(image):
        return np.ascontiguousarray(np.asarray(image.convert("RGBA"))[:, :, [2, 1, 0, 3]])
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _sixteen_bits(values: np.ndarray, where: str) -> np.ndarray:
    if values.size and (values.min() < 0 or values.max() > 0xFFFF):
        raise DataError(
            f"{where}: a PIL image of mode 'I' has values of 0 to 65535, not {values.min()} to {values.max()}"
        )
    return (values >> 8).astype(np.uint8)


def _has_alpha(image: Any) -> bool:
    return image.mode in ("LA", "PA", "RGBA") or "transparency" in getattr(image, "info", ())


def _cmyk_to_bgr(inks: np.ndarray) -> np.ndarray:
    """Inks (h, w, 4) as OpenCV makes colours of them (utils.cpp icvCvt_CMYK2BGR); PIL's own are up to 2 off."""
    light = 255 - inks[..., 3:].astype(np.int32)
    return np.ascontiguousarray((light - (inks[..., :3] * light >> 8))[..., ::-1].astype(np.uint8))


def _orientation(image: Any) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF raises whatever it likes, and says nothing
        return 1


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as the camera was held, for EXIF's orientations 1 to 8; others are no orientation.

    >>> _turned(np.array([[1, 2, 3]]), 6).tolist()
    [[1], [2], [3]]
    """
    if orientation not in range(2, 9):
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
