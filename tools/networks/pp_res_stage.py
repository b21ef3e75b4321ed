"""CSPRepResNet of PaddleDetection's PP-YOLOE: CSPResStage with effective squeeze and excitation, as a classifier.

RepVGG blocks are written as the single 3x3 that they are at inference. The published CSPResStage takes `attn` (None, or
'eca', by which it means effective squeeze and excitation) and `act` ('relu' or 'swish'): `attention` here, and the
activation of the network.
"""

from __future__ import annotations

from dataclasses import dataclass

from .builder import Builder, Tensor

STAGE_LAYERS = (3, 6, 6, 3)
STAGE_CHANNELS = (64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class CSPRepResNet:
    """The multipliers of depth and width, and whether stages have attention."""

    depth: float
    width: float
    attention: bool = True


SMALL, LARGE = CSPRepResNet(0.33, 0.5), CSPRepResNet(1.0, 1.0)


def effective_squeeze_excite(b: Builder, x: Tensor) -> Tensor:
    """x times the hard sigmoid of one 1x1 convolution of its mean, with as many channels (CenterMask, VoVNetV2)."""
    weights = b.conv(b.avgpool(x), x.channels, activation="hard_sigmoid", normalize=False)
    return b.scale_channels(weights, x)


def stage(b: Builder, x: Tensor, channels: int, blocks: int, *, attention: bool = True) -> Tensor:
    """CSPResStage: a strided 3x3 to the mean of both widths, halves, blocks, concatenate, attention, 1x1."""
    middle = (x.channels + channels) // 2
    x = b.conv(x, middle, 3, 2)
    bypass = b.conv(x, middle // 2)
    z = b.conv(x, middle // 2)
    for _ in range(blocks):
        y = b.conv(z, middle // 2, 3)
        z = b.shortcut(b.conv(y, middle // 2, 3, normalize=False), z)
    y = b.concat(bypass, z)
    return b.conv(effective_squeeze_excite(b, y) if attention else y, channels)


def network(b: Builder, net: CSPRepResNet) -> Tensor:
    """The ImageNet network."""
    first, *widths = (max(round(c * net.width), 1) for c in STAGE_CHANNELS)
    b.stage("stem")
    x = b.conv(b.image, first // 2, 3, 2)
    x = b.conv(b.conv(x, first // 2, 3), first, 3)
    for number, (layers, channels) in enumerate(zip(STAGE_LAYERS, widths, strict=True), 1):
        blocks = max(round(layers * net.depth), 1)
        b.stage(f"stage {number}: {blocks} blocks, {channels} channels")
        x = stage(b, x, channels, blocks, attention=net.attention)
    return b.classifier(x)
