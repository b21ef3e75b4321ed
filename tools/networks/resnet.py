"""ResNet, ResNeXt and their CSP and Elastic versions, as the published cfgs have them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .builder import Builder, Tensor


@dataclass(frozen=True)
class ResNet:
    """Bottleneck blocks per stage, the width inside them and at their end, and the groups of their 3x3."""

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    inner: tuple[int, ...] = (64, 128, 256, 512)
    outer: tuple[int, ...] = (256, 512, 1024, 2048)
    groups: int = 1
    pool_last: bool = False


@dataclass(frozen=True)
class CSPResNet:
    """Per stage: blocks, bypass, the other part, the width inside blocks, and the width after the transition.

    `split` is the activation of the two convolutions that split a stage: the published cfgs vary it. The blocks of an
    `elastic` stage compute half of their channels at half the resolution.
    """

    blocks: tuple[int, ...] = (3, 3, 5, 2)
    bypass: tuple[int, ...] = (128, 256, 512, 1024)
    part: tuple[int, ...] = (64, 256, 512, 1024)
    inner: tuple[int, ...] = (64, 128, 256, 512)
    fused: tuple[int, ...] = (128, 256, 512, 1024)
    groups: int = 1
    split: tuple[str | None, ...] = (None, "linear", "linear", None)
    elastic: tuple[bool, ...] = (False,) * 4


CSP_RESNET = CSPResNet()
CSP_RESNEXT = CSPResNet(inner=(128, 256, 512, 1024), fused=(256, 512, 1024, 2048), groups=32)
WIDE = (128, 256, 512, 1024)  # `part` of the nets whose first stage is no exception
EVERY_STAGE = (True,) * 4
CSP_RESNET_ELASTIC = CSPResNet(part=WIDE, elastic=EVERY_STAGE)
CSP_RESNEXT_ELASTIC = CSPResNet(part=WIDE, fused=(256, 512, 1024, 2048), groups=32, elastic=EVERY_STAGE)
CSP_RESNEXT_PLUS_ELASTIC = replace(CSP_RESNEXT, part=WIDE, elastic=(False, False, True, False))

# Our CSPResNet-10, per stage: the bypass, and the other part.
CSP_RESNET10 = ((64, 64), (32, 64), (64, 128), (128, 256))


def _stem(b: Builder) -> Tensor:
    b.stage("stem")
    return b.maxpool(b.conv(b.image, 64, 7, 2))


def resnet(b: Builder, net: ResNet) -> Tensor:
    """A ResNet whose strided shortcuts add every second pixel, with no projection (pjreddie's shortcut_cpu)."""
    x = _stem(b)
    for stage, (blocks, inner, outer) in enumerate(zip(net.blocks, net.inner, net.outer, strict=True), 1):
        b.stage(f"stage {stage}: {blocks} blocks of {outer} channels")
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            y = b.conv(b.conv(x, inner), inner, 3, stride, groups=net.groups)
            x = b.shortcut(b.conv(y, outer, activation="linear"), x, b.activation)
    return b.classifier(x, pool_last=net.pool_last)


def resnet10(b: Builder) -> Tensor:
    """Four basic blocks."""
    x = _stem(b)
    for stage, width in enumerate((64, 128, 256, 512), 1):
        b.stage(f"stage {stage}: one basic block of {width} channels")
        y = b.conv(x, width, 3, 1 if stage == 1 else 2)
        x = b.shortcut(b.conv(y, width, 3, activation="linear"), x, b.activation)
    return b.classifier(x)


def csp_backbone(b: Builder, net: CSPResNet) -> list[Tensor]:
    """The fused stages at 1/4, 1/8, 1/16 and 1/32."""
    x = _stem(b)
    taps: list[Tensor] = []
    for stage, (blocks, fused) in enumerate(zip(net.blocks, net.fused, strict=True)):
        b.stage(f"stage {stage + 1}: {net.bypass[stage]} channels bypass {blocks} blocks")
        if taps:
            x = b.conv(x, x.channels, 3, 2, groups=net.groups)
        bypass = b.conv(x, net.bypass[stage], activation=net.split[stage])
        z = b.conv(x, net.part[stage], activation=net.split[stage])
        for _ in range(blocks):
            z = _elastic_block(b, z, net, stage) if net.elastic[stage] else _block(b, z, net, stage)
        b.stage(f"stage {stage + 1}: transition")
        x = b.conv(b.concat(b.conv(z, net.bypass[stage]), bypass), fused)
        taps.append(x)
    return taps


def _block(b: Builder, x: Tensor, net: CSPResNet, stage: int) -> Tensor:
    y = b.conv(b.conv(x, net.inner[stage]), net.inner[stage], 3, groups=net.groups)
    return b.shortcut(b.conv(y, net.bypass[stage], activation="linear"), x, b.activation)


def _elastic_block(b: Builder, x: Tensor, net: CSPResNet, stage: int) -> Tensor:
    """Half of the channels at full resolution, half at half of it (Elastic, Wang et al. 2019)."""
    inner, half, groups = net.inner[stage], x.channels // 2, max(net.groups // 2, 1)

    def way(y: Tensor) -> Tensor:
        return b.conv(b.conv(b.conv(y, inner), inner, 3, groups=groups), half, activation="linear")

    fine = way(b.part(x, 0))
    coarse = b.upsample(way(b.maxpool(b.part(x, 1))))
    return b.shortcut(b.concat(fine, coarse), x, b.activation)


def csp_resnet(b: Builder, net: CSPResNet) -> Tensor:
    """The ImageNet network."""
    return b.classifier(csp_backbone(b, net)[-1])


def csp_resnet10(b: Builder) -> Tensor:
    """Our CSPResNet-10: fusion last; a third of a stage bypasses one basic block and its transition."""
    x = _stem(b)
    for stage, (bypass, part) in enumerate(CSP_RESNET10, 1):
        b.stage(f"stage {stage}: {bypass} channels bypass a basic block of {part}")
        x = b.conv(x, x.channels, 3, 2) if stage > 1 else x
        skipped, z = b.conv(x, bypass), b.conv(x, part)
        y = b.conv(b.conv(z, part, 3), part, 3, activation="linear")
        x = b.concat(b.conv(b.shortcut(y, z, b.activation), part), skipped)
    return b.classifier(x)
