"""The published detection heads: those of Partial Residual Networks for small backbones, of YOLOv3 and PANet.

A head gets the backbone's outputs at 1/4, 1/8, 1/16 and 1/32 (the last two or three suffice for some).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .builder import COCO_CLASSES, Builder, Tensor

TINY_ANCHORS = (10, 14, 23, 27, 37, 58, 81, 82, 135, 169, 344, 319)  # yolov3-tiny.cfg
COCO_ANCHORS = (10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326)  # yolov3.cfg
OPTIMAL_ANCHORS = (12, 16, 19, 36, 40, 28, 36, 75, 76, 55, 72, 146, 142, 110, 192, 243, 459, 401)  # yolov4.cfg
MASKS = ((0, 1, 2), (3, 4, 5), (6, 7, 8))  # of the scales 1/8, 1/16, 1/32


@dataclass(frozen=True)
class Yolo:
    """Anchors, and what the [yolo] sections say besides: for all scales, and for the one at 1/8, 1/16 and 1/32."""

    anchors: tuple[int, ...] = COCO_ANCHORS
    common: dict[str, object] = field(default_factory=dict)
    scale_x_y: tuple[float, ...] = ()
    classes: int = COCO_CLASSES

    def __call__(self, b: Builder, x: Tensor, scale: int) -> Tensor:
        """The head of scale 0 (1/8), 1 or 2 (1/32)."""
        own: dict[str, object] = {"scale_x_y": self.scale_x_y[scale]} if self.scale_x_y else {}
        return b.yolo(x, MASKS[scale], self.anchors, {**self.common, **own}, self.classes)


YOLOV3 = Yolo()
GIOU = Yolo(common={"iou_normalizer": 0.5, "iou_loss": "giou"}, scale_x_y=(1.2, 1.1, 1.05))
OPTIMAL = Yolo(
    OPTIMAL_ANCHORS,
    {
        "iou_thresh": 0.213, "cls_normalizer": 1.0, "iou_normalizer": 0.07, "iou_loss": "ciou", "nms_kind": "greedynms",
        "beta_nms": 0.6,
    },
    (1.2, 1.1, 1.05),
)  # fmt: skip


# -- small detectors -----------------------------------------------------------------------------------------------


def tiny_yolo(b: Builder, x: Tensor, mask: Sequence[int]) -> Tensor:
    """A scale with the six anchors of YOLOv3-tiny."""
    return b.yolo(x, mask, TINY_ANCHORS, {})


def prn(b: Builder, taps: Sequence[Tensor], scales: int = 2) -> None:
    """Partial residual networks: shortcuts that add the first channels of a wider layer; two or three scales.

    As in the published yolov3-tiny-prn.cfg, the next scale reads the 3x3 before its shortcuts.
    """
    c5, *below = reversed(taps)
    b.stage("PRN: 1/32")
    r = b.conv(c5, 256)
    x = b.conv(r, 256, 3)
    _prn_yolo(b, b.shortcut(x, r, b.activation), scales, 2)
    for scale, tap in zip((1, 0)[: scales - 1], below, strict=False):
        b.stage(f"PRN: 1/{8 << scale}")
        up = b.upsample(b.conv(x, 128))
        x = b.conv(b.shortcut(up, tap, b.activation), 128, 3)
        y = b.shortcut(b.shortcut(x, up, b.activation), tap, b.activation)
        _prn_yolo(b, y, scales, scale)


def _prn_yolo(b: Builder, x: Tensor, scales: int, scale: int) -> None:
    if scales == 2:
        tiny_yolo(b, x, (3, 4, 5) if scale == 2 else (1, 2, 3))
    else:
        YOLOV3(b, x, scale)


def fpn(b: Builder, taps: Sequence[Tensor], *, dense: bool = False) -> None:
    """The same two scales with a concatenation instead of shortcuts; `dense` predicts from both sides of the 3x3."""
    *_, c4, c5 = taps
    b.stage("FPN: 1/32")
    x = b.conv(b.conv(c5, 256), 256, 3)
    tiny_yolo(b, x, (3, 4, 5))
    b.stage("FPN: 1/16")
    fused = b.concat(b.upsample(b.conv(x, 128)), c4)
    y = b.conv(fused, 128, 3)
    tiny_yolo(b, b.concat(y, fused) if dense else y, (1, 2, 3))


def yolov3_tiny(b: Builder, c4: Tensor, x: Tensor) -> None:
    """The head of YOLOv3-tiny: `c4` is the 3x3 at 1/16, `x` the last one of the backbone."""
    b.stage("YOLOv3-tiny: 1/32")
    r = b.conv(x, 256)
    tiny_yolo(b, b.conv(r, 512, 3), (3, 4, 5))
    b.stage("YOLOv3-tiny: 1/16")
    fused = b.concat(b.upsample(b.conv(r, 128)), c4)
    tiny_yolo(b, b.conv(fused, 256, 3), (0, 1, 2))  # the published cfg uses anchor 0 and not 3


# -- large detectors -----------------------------------------------------------------------------------------------


def _pairs(b: Builder, x: Tensor, channels: int, count: int) -> Tensor:
    """`count` times 1x1 to `channels` and 3x3 to twice as many."""
    for _ in range(count):
        x = b.conv(b.conv(x, channels), 2 * channels, 3)
    return x


def _spatial_pyramid(b: Builder, x: Tensor) -> Tensor:
    """Pools of 5, 9 and 13 beside their input, between two bottlenecks."""
    b.stage("spatial pyramid pooling")
    x = b.conv(_pairs(b, x, 512, 1), 512)
    pools = [b.maxpool(x, size, 1) for size in (5, 9, 13)]
    return b.concat(*reversed(pools), x)


def panet_spp(b: Builder, taps: Sequence[Tensor], yolo: Yolo = YOLOV3) -> None:
    """Path aggregation: top down by upsampling, bottom up by strided 3x3, and a prediction on the way up."""
    *_, c3, c4, c5 = taps
    f5 = b.conv(_pairs(b, _spatial_pyramid(b, c5), 512, 1), 512)
    b.stage("PANet, down to 1/16")
    f4 = b.conv(_pairs(b, _beside(b, f5, c4, 256), 256, 2), 256)
    b.stage("PANet, down to 1/8")
    x = b.conv(_pairs(b, _beside(b, f4, c3, 128), 128, 2), 128)
    yolo(b, b.conv(x, 256, 3), 0)
    for scale, (channels, tap) in enumerate(((256, f4), (512, f5)), 1):
        b.stage(f"PANet, up to 1/{8 << scale}")
        x = b.concat(b.conv(x, channels, 3, 2), tap)
        x = b.conv(_pairs(b, x, channels, 2), channels)
        yolo(b, b.conv(x, 2 * channels, 3), scale)


def _beside(b: Builder, above: Tensor, tap: Tensor, channels: int) -> Tensor:
    """A tap, and the enlarged level above it, reduced to as many channels each."""
    up = b.upsample(b.conv(above, channels))
    return b.concat(b.conv(tap, channels), up)


def fpn_spp(b: Builder, taps: Sequence[Tensor], yolo: Yolo = YOLOV3, *, reduce: bool = True) -> None:
    """YOLOv3's three scales after a spatial pyramid; `reduce` gives the taps a 1x1, as FPN does."""
    *_, c3, c4, c5 = taps
    x = b.conv(_pairs(b, _spatial_pyramid(b, c5), 512, 1), 512)
    yolo(b, b.conv(x, 1024, 3), 2)
    for scale, tap, channels in ((1, c4, 256), (0, c3, 128)):
        b.stage(f"{'FPN' if reduce else 'YOLOv3'}: 1/{8 << scale}")
        x = _beside(b, x, tap, channels) if reduce else b.concat(b.upsample(b.conv(x, channels)), tap)
        x = b.conv(_pairs(b, x, channels, 2), channels)
        yolo(b, b.conv(x, 2 * channels, 3), scale)
