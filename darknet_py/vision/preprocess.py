"""From a photo to the input of a network, with the numbers of Darknet's image.c.

Decision: stretched, letterboxed, or the middle of it: all three are one map, in `stretch`.
"""

from __future__ import annotations

import numpy as np

from ..contract.boxes import letterbox_size
from ..errors import DataError
from .stretch import COLOR, MONOCHROME, WITH_ALPHA, AxisPart, stretch

GREY = 0.5  # image.c letterbox_image fills the canvas with it


def to_input(
    image: np.ndarray,
    net_shape: tuple[int, ...],
    letterbox: bool = False,
    *,
    bgr: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """An image (h, w, c) as the input (c, h, w) float32 of a network: stretched, or scaled and padded with grey.

    uint8 is divided by 255, float32 is taken as it is; (h, w) is one channel. Grey is repeated for a network with three
    channels, RGB becomes grey for a network with one, and alpha is left out for both. With `bgr` the image is BGR or
    BGRA, and the network gets R, G, B and alpha all the same. `out` is the array to write into. Raises `DataError` for
    any other mismatch.
    """
    result = _new(net_shape) if out is None else out
    image, planes = fit(image, result, bgr)
    h, w = planes.shape[1:]
    if letterbox:
        h, w = letterbox_size(image.shape[:2], (h, w))
        top, left = (planes.shape[1] - h) // 2, (planes.shape[2] - w) // 2
        result[:] = GREY
        planes = planes[:, top : top + h, left : left + w]
    stretch(image, planes, AxisPart(h, 0, h), AxisPart(w, 0, w))
    return result


def to_center(
    image: np.ndarray,
    net_shape: tuple[int, ...],
    *,
    bgr: bool = False,
    out: np.ndarray | None = None,
    edge: int = 0,
) -> np.ndarray:
    """The middle of an image whose shorter side has the network's width (classifier.c predict_classifier), or `edge`.

    Everything else is as in `to_input`.
    """
    result = _new(net_shape) if out is None else out
    image, planes = fit(image, result, bgr)
    net_h, net_w = planes.shape[1:]
    h, w = image.shape[:2]
    # image.c resize_min, in whole numbers
    edge = edge or net_w
    new_h, new_w = (h * edge // w, edge) if w < h else (edge, w * edge // h)
    stretch(image, planes, _middle(max(1, new_h), net_h), _middle(max(1, new_w), net_w))
    return result


def resize_image(image: np.ndarray, h: int, w: int) -> np.ndarray:
    """Stretch an image (h, w, c) to (c, h, w) float32 (image.c resize_image).

    >>> resize_image(np.float32([[0, 1]])[..., None], 1, 3).tolist()
    [[[0.0, 0.5, 1.0]]]
    """
    return to_input(image, (image.shape[2], h, w))


def _new(net_shape: tuple[int, ...]) -> np.ndarray:
    if len(net_shape) != 3:
        raise DataError(f"the network wants {net_shape}, which is no image")
    return np.empty(net_shape, np.float32)


def fit(image: np.ndarray, result: np.ndarray, bgr: bool) -> tuple[np.ndarray, np.ndarray]:
    """The image with channels that fit, and the planes of the result in the order of these channels."""
    channels = len(result)
    image = image[..., None] if image.ndim == 2 else image
    if image.ndim != 3 or not image.size or image.dtype not in (np.uint8, np.float32):
        raise DataError(f"an image is a uint8 or float32 array (h, w, c), not {image.dtype} {image.shape}")
    if image.shape[2] == WITH_ALPHA and channels in (COLOR, MONOCHROME):
        image = image[:, :, :COLOR]
    if image.shape[2] == MONOCHROME and channels in (COLOR, MONOCHROME):
        return image, result
    if image.shape[2] == channels == WITH_ALPHA and bgr:
        import cv2

        # image_opencv.cpp load_image_mat_cv does the same under the name COLOR_RGBA2BGRA
        return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGRA2RGBA), result
    if image.shape[2] == channels:
        return image, result[::-1] if bgr and channels == COLOR else result
    if image.shape[2] == COLOR and channels == MONOCHROME:
        import cv2

        kind = cv2.COLOR_BGR2GRAY if bgr else cv2.COLOR_RGB2GRAY
        return cv2.cvtColor(np.ascontiguousarray(image), kind)[..., None], result
    raise DataError(f"the image has {image.shape[2]} channels, and the network wants {channels}")


def _middle(have: int, want: int) -> AxisPart:
    """The `want` middle ones of `have`; the border is repeated where there are too few (image.c crop_image)."""
    return AxisPart(have, int((have - want) / 2), want)  # C cuts towards zero
