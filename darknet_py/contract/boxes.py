"""Boxes between the network input, the image and pixels, with Darknet's integer arithmetic for letterboxes."""

from __future__ import annotations

import numpy as np

Size = tuple[int, int]  # (height, width)


def letterbox_size(image_size: Size, net_size: Size) -> Size:
    """The (height, width) of an image that was scaled to fit into the network input (image.c letterbox_image).

    >>> letterbox_size((576, 768), (320, 320))
    (240, 320)
    """
    (h, w), (net_h, net_w) = image_size, net_size
    # The comparison is made in float32, the division cuts off: both decide about a pixel now and then.
    if np.float32(net_w) / np.float32(w) < np.float32(net_h) / np.float32(h):
        return max(1, h * net_w // w), net_w
    return net_h, max(1, w * net_h // h)


def undo_letterbox(boxes: np.ndarray, image_size: Size, net_size: Size) -> np.ndarray:
    """Boxes (n, 4) relative to a letterboxed network input, relative to the image (yolo_layer.c correct_yolo_boxes)."""
    (new_h, new_w), (net_h, net_w) = letterbox_size(image_size, net_size), net_size
    border = np.array([(net_w - new_w) / 2 / net_w, (net_h - new_h) / 2 / net_h, 0, 0])
    ratio = np.array([new_w / net_w, new_h / net_h] * 2)
    return ((boxes - border) / ratio).astype(np.float32)


def to_xyxy(boxes: np.ndarray, image_size: Size) -> np.ndarray:
    """Boxes (n, 4) as centre and size relative to an image, as left, top, right, bottom in its pixels; not clipped.

    >>> to_xyxy(np.float32([[0.5, 0.5, 0.5, 1]]), (100, 200)).tolist()
    [[50.0, 0.0, 150.0, 100.0]]
    """
    half = boxes[:, 2:] / 2
    corners = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    h, w = image_size
    return (corners * np.array([w, h, w, h], np.float32)).astype(np.float32)
