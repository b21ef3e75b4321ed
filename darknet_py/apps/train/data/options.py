"""What a cfg says of the pictures that it is trained on: [net]'s options and the last head's, as one value.

Decision: the last head speaks for all of them, as in Darknet (detector.c train_detector), and what does not go together
is an error or a word at the beginning, never a surprise in the middle of a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ....darknet.compile import Compilation
from ....darknet.layers.heads.detection import Detection
from ....darknet.layers.heads.head import Head
from ....darknet.layers.layer import Layer, layer_of
from ....darknet.layers.net import Net
from ....darknet.layers.training import BoxTraining
from ....errors import DataError

BOXES, GRID, CLASSES = "boxes", "grid", "classes"  # how the truth of a picture is laid out
PLAIN, MIXUP, CUTMIX, MOSAIC, CUTMIX_OR_MOSAIC = range(5)  # what Darknet calls use_mixup


@dataclass(frozen=True)
class Augmentation:
    """How pictures are changed, and how their truth is laid out; names and meanings are the cfg's.

    `layout` is BOXES (rows of 6), GRID ([detection]: `side` cells each way) or CLASSES. `mixing` is one of the numbers
    above. `classes` is 0 for a classifier: its labels tell.
    """

    layout: str = BOXES
    classes: int = 0
    max_boxes: int = 200
    side: int = 0
    jitter: float = 0.2
    resize: float = 1.0
    flip: bool = True
    hue: float = 0.0
    saturation: float = 1.0
    exposure: float = 1.0
    blur: int = 0
    gaussian_noise: int = 0
    mixing: int = PLAIN
    mosaic_bound: bool = False
    letter_box: bool = False
    angle: float = 0.0
    aspect: float = 1.0
    min_crop: int = 0
    max_crop: int = 0
    label_smooth_eps: float = 0.0

    @classmethod
    def of(cls, net: Net, head: Layer) -> Augmentation:
        """The options of a network whose last layer is `head`. Raises `DataError` for what Darknet refuses."""
        boxes = isinstance(head, BoxTraining) and isinstance(head, Head)
        mixing = mixing_of(net, boxes)
        if boxes and mixing == MOSAIC and net.letter_box:
            raise DataError("mosaic=1 and letter_box=1 in [net] do not go together: leave one of them out")
        if net.track:
            raise DataError("track=1 in [net]: sequences of a video are not made here: take the line out")
        common = cls(
            flip=bool(net.flip), hue=net.hue, saturation=net.saturation, exposure=net.exposure,
            blur=net.blur, gaussian_noise=net.gaussian_noise, mixing=mixing,
        )  # fmt: skip
        if not boxes:
            low = net.min_crop if net.min_crop is not None else net.width
            high = net.max_crop if net.max_crop is not None else 2 * net.width
            return replace(
                common, layout=CLASSES, angle=net.angle, aspect=net.aspect, min_crop=low, max_crop=max(low, high),
                label_smooth_eps=net.label_smooth_eps,
            )  # fmt: skip
        assert isinstance(head, BoxTraining)
        assert isinstance(head, Head)
        side = head.side if isinstance(head, Detection) else 0
        return replace(
            common, layout=GRID if side else BOXES, classes=head.classes, max_boxes=head.max_, side=side,
            jitter=head.jitter, resize=head.resize or 1.0, mosaic_bound=bool(net.mosaic_bound),
            letter_box=bool(net.letter_box),
        )  # fmt: skip


def mixing_of(net: Net, boxes: bool) -> int:
    """Which mixture the options of [net] mean (parser.c parse_net_options, data.c load_data_detection).

    A detector has no cutmix: together with mosaic it means mosaic, alone nothing.
    """
    if net.mosaic and net.cutmix:
        return MOSAIC if boxes else CUTMIX_OR_MOSAIC
    if net.mosaic:
        return MOSAIC
    if net.cutmix:
        return PLAIN if boxes else CUTMIX
    return MIXUP if net.mixup else PLAIN


def last_head(compilation: Compilation) -> Layer:
    """The layer whose options govern the pictures: the last head, or the last layer."""
    layers = [layer_of(info) for info in compilation.graph.layers]
    if not layers:
        raise DataError("a cfg without layers has nothing to train")
    return next((layer for layer in reversed(layers) if isinstance(layer, BoxTraining)), layers[-1])


def doubts(net: Net, head: Layer) -> Iterator[str]:
    """What of [net] has no effect on the pictures although it is written, a sentence each."""
    boxes = isinstance(head, BoxTraining)
    if boxes and net.cutmix:
        yield "cutmix=1 is for classifiers: " + ("mosaic=1 counts" if net.mosaic else "it has no effect here")
    if net.mosaic and net.mixup:
        yield "mosaic=1 counts, and mixup=1 beside it has no effect"
    if boxes and (net.angle or net.aspect != 1):
        yield "angle and aspect are for classifiers: they have no effect here"
    if net.weights_reject_freq:
        yield f"weights_reject_freq={net.weights_reject_freq} has no effect here: filters that are alike stay"
