"""What a contract means for a picture: the input that it becomes, and the results that the outputs are."""

from __future__ import annotations

import numpy as np

from ..contract.contract import Contract
from ..contract.detections import Boxes
from ..contract.selection import ALL, Selection
from ..errors import DataError, Say, to_nobody
from .picture import Picture
from .preprocess import to_center, to_input
from .results import Results

NO_NUMBERS = "the network computes NaN or infinity (weights of a training that diverged?)"
HIDDEN = "dont_show"  # image.c get_actual_detections: names that begin so are neither printed nor drawn


def prepare(picture: Picture, contract: Contract, letterbox: bool, out: np.ndarray) -> None:
    """Write a picture as one input of the network, (c, h, w), in Darknet's order of colours.

    `letterbox` pads it; else it is stretched, or scaled and cut for classifiers. Raises `DataError` if it does not fit.
    """
    try:
        if not contract.decoders and not letterbox:
            _cut(picture.pixels, contract, out)
        else:
            to_input(picture.pixels, contract.shape, letterbox, bgr=True, out=out)
    except DataError as e:
        raise DataError(f"{picture.path}: {e}") from None


def inputs_of(picture: Picture, contract: Contract) -> list[np.ndarray]:
    """All that a network gets for one picture: (n, c, h, w), of which it is the first, and memories of zeros.

    Raises `DataError` if it does not fit.
    """
    count = contract.batch or 1
    batch = np.zeros((count, *contract.shape), np.float32)
    prepare(picture, contract, contract.letterbox, batch[0])
    return [batch, *(np.zeros((count, *state.shape), np.float32) for state in contract.states)]


def _cut(image: np.ndarray, contract: Contract, out: np.ndarray) -> None:
    """The middle of a picture, resized as the contract says."""
    if contract.interpolation == "darknet":
        to_center(image, contract.shape, bgr=True, out=out, edge=contract.shorter_edge)
    else:
        from .resample import to_center_resampled  # only networks of PyTorch's programs want it

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
    selection: Selection = ALL,
    say: Say | None = None,
) -> Results:
    """What the outputs for one sample say about its picture; thresholds and padding are the contract's unless given.

    `selection` says which boxes are wanted. What is NaN or infinite is left out, boxes of classes whose names begin
    with 'dont_show' too unless the selection has classes, and of several outputs of a classifier the last one counts;
    `say` is told, but not of the names. What may be wrong with the results is in their `warning` too. Raises
    `DataError` where the outputs are neither boxes nor class scores.
    """
    say = say or to_nobody
    doubts = [picture.warning] if picture.warning else []

    def doubt(text: str) -> None:
        doubts.append(text)
        say(f"warning: {text}")

    size = (picture.pixels.shape[0], picture.pixels.shape[1])
    if contract.decoders:
        shown = selection.without(_hidden(names), contract.classes)
        boxes = contract.decode(outputs, size, threshold=threshold, iou=iou, letterbox=letterbox, selection=shown)
        if not all(map(_is_sound, outputs)):
            doubt(f"{NO_NUMBERS}: such boxes are left out")
        if contract.is_full(boxes):
            doubt(contract.told_of_full())
        return _results(picture, names, boxes, doubts)
    scores = outputs[-1].ravel()
    if scores.size != max(outputs[-1].shape):
        raise DataError(
            f"the network gives numbers of shape {outputs[-1].shape}, no boxes, no class scores: use `Model.forward`"
        )
    if len(outputs) > 1:
        say(f"the network has {len(outputs)} outputs: the last one counts, as in Darknet ({scores.size} classes)")
    if not _is_sound(scores):
        doubt(f"{NO_NUMBERS}: such scores are taken as 0")
        scores = np.where(np.isfinite(scores), scores, np.float32(0))
    none = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), size)
    return _results(picture, names, none, doubts, scores)


def _results(
    picture: Picture, names: dict[int, str], boxes: Boxes, doubts: list[str], scores: np.ndarray | None = None
) -> Results:
    return Results(
        picture.pixels,
        picture.path,
        names,
        boxes,
        scores,
        source=picture.source,
        frame=picture.frame,
        time=picture.time,
        taken=picture.taken,
        rate=picture.rate,
        warning="; ".join(doubts) or None,
    )


def _is_sound(array: np.ndarray) -> bool:
    """Whether all is finite: a sum is quick, and not finite where something is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def _hidden(names: dict[int, str]) -> list[int]:
    return [number for number, name in names.items() if name.startswith(HIDDEN)]
