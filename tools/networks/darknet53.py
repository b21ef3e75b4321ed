"""Darknet-53, CSPDarknet-53 and its Elastic version, as the published cfgs have them; and Darknet Reference."""

from __future__ import annotations

from dataclasses import dataclass

from .builder import Builder, Tensor

DARKNET53 = ((1, 64), (2, 128), (8, 256), (8, 512), (4, 1024))  # blocks and channels of each stage


@dataclass(frozen=True)
class CSPStage:
    """Residual blocks; the channels of bypass and part, inside a block, and after the transition.

    A stage without `bypass` is a plain one of Darknet-53.
    """

    blocks: int
    bypass: int
    inner: int
    fused: int


@dataclass(frozen=True)
class CSPDarknet53:
    """The five stages; `elastic` blocks compute half of their channels at half the resolution."""

    stages: tuple[CSPStage, ...]
    elastic: bool = False


_REST = (CSPStage(2, 64, 64, 128), CSPStage(8, 128, 128, 256), CSPStage(8, 256, 256, 512), CSPStage(4, 512, 512, 1024))
CSP_DARKNET53 = CSPDarknet53((CSPStage(1, 64, 32, 64), *_REST))
CSP_DARKNET53_M = CSPDarknet53((CSPStage(1, 32, 32, 64), *_REST))
CSP_DARKNET53_S = CSPDarknet53((CSPStage(1, 0, 32, 64), *_REST))
CSP_DARKNET53_ELASTIC = CSPDarknet53(CSP_DARKNET53.stages, elastic=True)


def _residual(b: Builder, x: Tensor, inner: int) -> Tensor:
    return b.shortcut(b.conv(b.conv(x, inner), x.channels, 3), x)


def _elastic(b: Builder, x: Tensor) -> Tensor:
    half = x.channels // 2
    fine, coarse = b.conv(b.conv(b.part(x, 0), half), half, 3), b.maxpool(b.part(x, 1))
    coarse = b.upsample(b.conv(b.conv(coarse, half), half, 3))
    return b.shortcut(b.concat(fine, coarse), x)


def darknet53(b: Builder) -> Tensor:
    """The ImageNet network."""
    b.stage("stem")
    x = b.conv(b.image, 32, 3)
    for stage, (blocks, channels) in enumerate(DARKNET53, 1):
        b.stage(f"stage {stage}: {blocks} blocks of {channels} channels")
        x = b.conv(x, channels, 3, 2)
        for _ in range(blocks):
            x = _residual(b, x, channels // 2)
    return b.classifier(x)


def csp_backbone(b: Builder, net: CSPDarknet53) -> list[Tensor]:
    """The fused stages at 1/2 to 1/32."""
    b.stage("stem")
    x = b.conv(b.image, 32, 3)
    taps: list[Tensor] = []
    for number, stage in enumerate(net.stages, 1):
        b.stage(f"stage {number}: {stage.bypass or 'no'} channels bypass {stage.blocks} blocks")
        x = b.conv(x, stage.fused, 3, 2)
        x = _csp_stage(b, x, stage, net.elastic, number) if stage.bypass else _residual(b, x, stage.inner)
        taps.append(x)
    return taps


def _csp_stage(b: Builder, x: Tensor, stage: CSPStage, elastic: bool, number: int) -> Tensor:
    bypass = b.conv(x, stage.bypass)
    z = b.conv(x, stage.bypass)
    for _ in range(stage.blocks):
        z = _elastic(b, z) if elastic else _residual(b, z, stage.inner)
    b.stage(f"stage {number}: transition")
    return b.conv(b.concat(b.conv(z, stage.bypass), bypass), stage.fused)


def csp_darknet53(b: Builder, net: CSPDarknet53) -> Tensor:
    """The ImageNet network."""
    return b.classifier(csp_backbone(b, net)[-1])


def reference_backbone(b: Builder) -> list[Tensor]:
    """Darknet Reference: seven 3x3 convolutions with pools between them; the outputs of the last three."""
    b.stage("stem")
    x = b.conv(b.image, 16, 3)
    taps: list[Tensor] = []
    for channels in (32, 64, 128, 256, 512, 1024):
        x = b.conv(b.maxpool(x), channels, 3)
        taps.append(x)
    return taps[-3:]


def reference(b: Builder) -> Tensor:
    """The ImageNet network."""
    return b.classifier(reference_backbone(b)[-1])
