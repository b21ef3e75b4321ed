"""The heads of Table 2: EFM, the paper's exact fusion model, and the global fusion models it is compared with.

Fig. 6 gives the arrows, Fig. 7 every convolution of EFM with its cost, Table 2 the totals. What is known of EFM and
what is not stands in the note of its network; CEM and GFM are ours, made to cost what Table 2 says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .builder import Builder, Tensor
from .heads import YOLOV3, Yolo

CEM_WIDTH = 128  # SAM costs CEM 0.116 BFLOPs: 128 x 128 weights at 1/8, 1/16 and 1/32


@dataclass(frozen=True)
class EFM:
    """Attention before the predictions; a spatial pyramid in the place of a convolution at 1/32; what predicts."""

    attention: bool = False
    pyramid: bool = False
    yolo: Yolo = YOLOV3


def efm(b: Builder, taps: Sequence[Tensor], head: EFM = EFM()) -> None:
    """Exact fusion: each level gathers the same one, the one above and the one below; max-outs keep them narrow."""
    c2, c3, c4, c5 = taps
    b.stage("EFM: the level of 1/32, from C5 and C4")
    f5a = b.conv(b.conv(c5, 256), 256, 3)
    f5a = _pyramid(b, f5a) if head.pyramid else b.conv(f5a, 128)
    c4m = b.maxout(c4, 128)
    f5 = b.concat(f5a, b.maxpool(c4m))

    b.stage("EFM: the level of 1/16, from C4, C3 and the level of 1/32")
    y = b.conv(b.concat(b.upsample(f5a), c4m), 128)
    y = b.conv(b.conv(y, 128, 3), 64)
    c3m = b.maxout(c3, 64)
    lateral = b.conv(b.concat(y, b.conv(c3m, 64, 3, 2)), 64)
    f4 = b.concat(b.conv(lateral, 64, 3), lateral)

    b.stage("EFM: the level of 1/8, from C3, C2 and the level of 1/16")
    y = b.shortcut(c3m, b.conv(b.maxout(c2, 32), 32, 3, 2))
    y = b.conv(b.conv(y, 64), 64, 3)
    f3 = b.concat(y, b.upsample(b.conv(f4, 64)))

    p3 = _predict(b, f3, 64, 0, attention=head.attention, yolo=head.yolo)
    p4 = _predict(b, b.concat(_down(b, p3, 1), f4), 128, 1, attention=head.attention, yolo=head.yolo)
    _predict(b, b.shortcut(_down(b, p4, 2), f5), 128, 2, attention=head.attention, yolo=head.yolo)


def _pyramid(b: Builder, x: Tensor) -> Tensor:
    x = b.maxout(x, 128)
    pools = [b.maxpool(x, size, 1) for size in (5, 9, 13)]
    return b.maxout(b.concat(*reversed(pools), x), 128)


def _predict(
    b: Builder, x: Tensor, channels: int, scale: int, *, attention: bool, yolo: Yolo = YOLOV3
) -> Tensor:  # fmt: skip
    b.stage(f"prediction at 1/{8 << scale}")
    x = b.sam(x) if attention else x
    x = b.conv(b.conv(x, channels), channels, 3)
    yolo(b, x, scale)
    return x


def _down(b: Builder, x: Tensor, scale: int) -> Tensor:
    b.stage(f"from the prediction at 1/{4 << scale} to 1/{8 << scale}")
    return b.conv(x, 2 * x.channels, 3, 2)


def cem(b: Builder, taps: Sequence[Tensor], *, attention: bool = False) -> None:
    """Context enhancement (ThunderNet): C4, C5 and the mean of C5 summed at 1/16, and read at three scales.

    To add one number to a whole channel, Darknet needs an [upsample] by the size of the map, which ties the cfg to one
    input size; so the mean of C5 scales the channels instead.
    """
    _, _, c4, c5 = taps
    b.stage("CEM: C4, C5 and the mean of C5")
    context = b.conv(b.avgpool(c5), CEM_WIDTH, activation="logistic", normalize=False)
    top = b.conv(c5, CEM_WIDTH)
    gated = b.scale_channels(context, top)
    lateral = b.conv(c4, CEM_WIDTH)
    fused = b.conv(b.shortcut(b.upsample(gated), lateral), CEM_WIDTH, 3)
    _predict(b, b.upsample(fused), 64, 0, attention=attention)
    _predict(b, fused, 128, 1, attention=attention)
    low = b.conv(b.concat(b.maxpool(fused), top), CEM_WIDTH)
    _predict(b, low, 128, 2, attention=attention)


def gfm(b: Builder, taps: Sequence[Tensor]) -> None:
    """Global fusion: C5, its mean, C4, C3 and C2 become one map at 1/16; the predictions go bottom up as in EFM."""
    c2, c3, c4, c5 = taps
    b.stage("GFM: C5 and its mean")
    context = b.conv(b.avgpool(c5), 256, activation="logistic", normalize=False)
    top = b.conv(b.conv(c5, 256), 256, 3)
    top = b.upsample(b.scale_channels(context, top))
    b.stage("GFM: C2 and C3, down to 1/16")
    low = b.shortcut(b.maxout(c3, 64), b.conv(b.maxout(c2, 32), 32, 3, 2))
    low = b.conv(low, 64, 3, 2)
    b.stage("GFM: one map")
    fused = b.conv(b.concat(top, b.maxout(c4, 128), low), 128)
    fused = b.conv(b.conv(fused, 128, 3), 128)
    p3 = _predict(b, b.upsample(fused), 64, 0, attention=False)
    p4 = _predict(b, b.concat(_down(b, p3, 1), fused), 128, 1, attention=False)
    _predict(b, _down(b, p4, 2), 128, 2, attention=False)
