"""What a contract means for a picture: the input that it becomes, and the results that the outputs are."""

from __future__ import annotations

import numpy as np

from ..contract.contract import Contract
from ..contract.detections import Boxes
from ..errors import DataError
from .preprocess import to_center, to_input
from .resample import to_center_resampled
from .results import Results
from .sources import Picture


def prepare(picture: Picture, contract: Contract, letterbox: bool, out: np.ndarray) -> None:
    """Write a picture as one input of the network, (c, h, w), in Darknet's order of colours.

    `letterbox` pads it; else it is stretched, or scaled and cut for classifiers. Raises `DataError` if it does not fit.
    """
    pixels = picture.pixels
    alpha = pixels.ndim == 3 and pixels.shape[2] == 4 and contract.shape[0] == 3
    image = pixels[:, :, :3] if alpha else pixels
    try:
        if not contract.decoders and not letterbox:
            _cut(image, contract, out)
        else:
            to_input(image, contract.shape, letterbox, bgr=True, out=out)
    except DataError as e:
        raise DataError(f"{picture.path}: {e}") from None


def _cut(image: np.ndarray, contract: Contract, out: np.ndarray) -> None:
    """The middle of a picture, resized as the contract says."""
    if contract.interpolation == "darknet":
        to_center(image, contract.shape, bgr=True, out=out, edge=contract.shorter_edge)
    else:
        to_center_resampled(image, contract.interpolation, contract.shorter_edge, out)


def results_of(
    outputs: list[np.ndarray],
    picture: Picture,
    contract: Contract,
    names: dict[int, str],
    *,
    threshold: float | None = None,
    iou: float | None = None,
    letterbox: bool | None = None,
) -> Results:
    """What the outputs for one sample say about its picture; thresholds and padding are the contract's unless given.

    Raises `DataError` where they are neither boxes nor class scores.
    """
    size = (picture.pixels.shape[0], picture.pixels.shape[1])
    if contract.decoders:
        boxes = contract.decode(outputs, size, threshold=threshold, iou=iou, letterbox=letterbox)
        return Results(picture.pixels, picture.path, names, boxes)
    scores = outputs[-1]
    if scores.size != max(scores.shape):
        raise DataError(f"the network gives an array of {scores.shape}, neither boxes nor class scores: use forward")
    none = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), size)
    return Results(picture.pixels, picture.path, names, none, scores.ravel())
