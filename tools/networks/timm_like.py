"""timm's (and mmpretrain's) versions of the CSP backbones, which differ from the paper's: one 1x1 expands a stage, and
its output is cut in halves; the first stage is no exception; pools have a 3x3 window; leaky has slope 0.01 ("relie").

Decision: networks for trained weights normalize pictures by mean and deviation in a [batchnorm] of their own: folded
into the first convolution, which pads with zeros, that would be wrong along the borders.
"""

from __future__ import annotations

from dataclasses import dataclass

from .builder import Builder, Tensor


@dataclass(frozen=True)
class CrossStages:
    """Stem kernel and stride, and per stage: blocks, output, expansion, width inside a block, and how it is built."""

    stem: tuple[int, int, int]  # channels, kernel, stride
    blocks: tuple[int, ...]
    outputs: tuple[int, ...]
    expansion: tuple[float, ...]
    inner: tuple[int, ...]
    groups: int = 1
    bottleneck: bool = True  # three convolutions and an activation after the shortcut; False: two, and none
    pool: bool = True
    grow_early: bool = False  # the strided 3x3 has the stage's output channels already


CSPRESNET50 = CrossStages((64, 7, 2), (3, 3, 5, 2), (128, 256, 512, 1024), (2.0,) * 4, (64, 128, 256, 512))
CSPRESNEXT50 = CrossStages(
    (64, 7, 2), (3, 3, 5, 2), (256, 512, 1024, 2048), (1.0,) * 4, (128, 256, 512, 1024), groups=32
)
CSPDARKNET53 = CrossStages(
    (32, 3, 1), (1, 2, 8, 8, 4), (64, 128, 256, 512, 1024), (2.0, 1.0, 1.0, 1.0, 1.0), (32, 64, 128, 256, 512),
    bottleneck=False, pool=False, grow_early=True,
)  # fmt: skip


@dataclass(frozen=True)
class DarkStages:
    """timm's Darknet-53: blocks and output of each stage; 1x1 convolutions have half the channels."""

    blocks: tuple[int, ...] = (1, 2, 8, 8, 4)
    outputs: tuple[int, ...] = (64, 128, 256, 512, 1024)


def dark_network(b: Builder, net: DarkStages) -> Tensor:
    """timm's Darknet-53 for trained weights: that of Darknet but for the normalization and the slope of leaky."""
    x = b.conv(normalized(b), 32, 3)
    for stage, (blocks, channels) in enumerate(zip(net.blocks, net.outputs, strict=True), 1):
        b.stage(f"stage {stage}: {blocks} blocks")
        x = b.conv(x, channels, 3, 2)
        for _ in range(blocks):
            x = b.shortcut(b.conv(b.conv(x, channels // 2), channels, 3), x)
    return b.classifier(x)


def normalized(b: Builder) -> Tensor:
    """The picture, normalized by mean and deviation."""
    b.stage("mean and deviation of pixels")
    x = b.batch_norm(b.image)
    b.stage("stem")
    return x


def network(b: Builder, net: CrossStages, *, trained: bool = False) -> Tensor:
    """The ImageNet network; `trained`: for the weights of other programs, with their normalization of pictures."""
    b.stage("stem")
    channels, kernel, stride = net.stem
    x = b.conv(normalized(b) if trained else b.image, channels, kernel, stride)
    x = b.maxpool(x, 3, 2) if net.pool else x
    for stage in range(len(net.blocks)):
        b.stage(f"stage {stage + 1}: {net.blocks[stage]} blocks")
        x = _stage(b, x, net, stage, strided=stage > 0 or not net.pool)
    return b.classifier(x)


def _stage(b: Builder, x: Tensor, net: CrossStages, stage: int, *, strided: bool) -> Tensor:
    output = net.outputs[stage]
    if strided:
        x = b.conv(x, output if net.grow_early else x.channels, 3, 2, groups=net.groups)
    expanded = b.conv(x, round(net.expansion[stage] * output), activation="linear" if net.bottleneck else None)
    bypass, z = b.part(expanded, 0), b.part(expanded, 1)
    for _ in range(net.blocks[stage]):
        z = _block(b, z, net, stage)
    b.stage(f"stage {stage + 1}: transition")
    z = b.conv(z, z.channels)
    return b.conv(b.concat(bypass, z), output)


def _block(b: Builder, x: Tensor, net: CrossStages, stage: int) -> Tensor:
    y = b.conv(x, net.inner[stage])
    if not net.bottleneck:
        return b.shortcut(b.conv(y, x.channels, 3), x)
    y = b.conv(y, net.inner[stage], 3, groups=net.groups)
    return b.shortcut(b.conv(y, x.channels, activation="linear"), x, b.activation)
