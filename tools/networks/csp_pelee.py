"""CSPPeleeNet: PeleeNet with every stage split into a part that bypasses the dense block and a part that goes through.

    x ──1x1── x0'  (γ of the channels) ──────────────────────────┐
     └──1x1── x0'' (the others) ── dense layers ── x_T (1x1) ── concat ── pool ── x_U (1x1)

"fusion first" has no x_T (concatenate, then transit), "fusion last" no x_U (transit, then concatenate).
"""

from __future__ import annotations

from dataclasses import dataclass

from .builder import Builder, Tensor
from .dense import GROWTH, dense_block, one_way_block, stem

FIRST_GAMMA = 0.5  # stage 1 is always halved: with γ there too, 0.25 would be 1.013 BFLOPs instead of 0.986


@dataclass(frozen=True)
class CSPPelee:
    """Layers and bottleneck widths of the four stages, γ, the transitions, and the last convolution.

    `last` is the kernel of the convolution after the last stage; 0: none of its own (x_U with a 1x1).
    """

    layers: tuple[int, ...] = (2, 4, 8, 4)
    inter: tuple[int, ...] = (16, 32, 64, 64)
    gamma: float = 0.5
    inner_transition: bool = True
    outer_transition: bool = True
    attention: bool = False
    last: int = 1


def backbone(b: Builder, net: CSPPelee) -> list[Tensor]:
    """The concatenated stages at 1/4, 1/8, 1/16 before pooling, and the last convolution at 1/32."""
    pooled, convolved = _stem(b, outer=net.outer_transition)
    x = b.concat(pooled, convolved)
    taps: list[Tensor] = []
    for stage, (layers, inter) in enumerate(zip(net.layers, net.inter, strict=True), 1):
        gamma = net.gamma if stage > 1 else FIRST_GAMMA
        b.stage(f"stage {stage}: {gamma:g} of {x.channels} channels bypass {layers} two-way dense layers")
        bypass = b.conv(x, round(gamma * x.channels))
        z = b.conv(x, x.channels - bypass.channels)
        z = dense_block(b, z, layers, inter, attention=net.attention)
        b.stage(f"stage {stage}: transition of {x.channels + layers * GROWTH} channels")
        z = b.conv(z, z.channels) if net.inner_transition else z
        x = b.concat(z, bypass)
        taps.append(x)
        if stage == len(net.layers):
            taps[-1] = b.conv(x, x.channels, net.last)
            break
        x = b.maxpool(x)
        x = b.conv(x, x.channels) if net.outer_transition else x
    return taps


def _stem(b: Builder, *, outer: bool) -> tuple[Tensor, Tensor]:
    """PeleeNet's stem; the pooled way has a 1x1 of its own where every pool has one."""
    if not outer:
        return stem(b)
    b.stage("stem")
    a = b.conv(b.image, 32, 3, 2)
    pooled = b.conv(b.maxpool(a), 32)
    return pooled, b.conv(b.conv(a, 16), 32, 3, 2)


def classifier(b: Builder, net: CSPPelee) -> Tensor:
    """The ImageNet network."""
    return b.classifier(backbone(b, net)[-1])


@dataclass(frozen=True)
class CSPDense:
    """CSPDenseNet Reference: halves, one-way dense layers, no transitions but the last convolution (ours)."""

    layers: tuple[int, ...] = (4, 2, 4, 4)
    inter: tuple[int, ...] = (32, 64, 64, 64)
    last: int = 3


def dense_backbone(b: Builder, net: CSPDense) -> list[Tensor]:
    """The concatenated stages at 1/4, 1/8, 1/16 before pooling, and the last convolution at 1/32."""
    b.stage("stem")
    x = b.conv(b.image, 64, 3, 2)
    taps: list[Tensor] = []
    for stage, (layers, inter) in enumerate(zip(net.layers, net.inter, strict=True), 1):
        x = b.maxpool(x)
        b.stage(f"stage {stage}: half of {x.channels} channels bypass {layers} dense layers")
        bypass = b.conv(x, x.channels // 2)
        x = b.concat(one_way_block(b, b.conv(x, x.channels // 2), layers, inter), bypass)
        taps.append(x)
    b.stage("last convolution")
    taps[-1] = b.conv(x, 512, net.last)
    return taps


def dense_classifier(b: Builder, net: CSPDense) -> Tensor:
    """The ImageNet network."""
    return b.classifier(dense_backbone(b, net)[-1])
