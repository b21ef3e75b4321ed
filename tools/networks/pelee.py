"""PeleeNet and the variants of it that the paper compares CSPPeleeNet with."""

from __future__ import annotations

from dataclasses import dataclass

from .builder import Builder, Tensor
from .dense import GROWTH, dense_block, sparse_block, stem


@dataclass(frozen=True)
class Pelee:
    """Layers and bottleneck widths of the four stages, and what is done to the dense layers."""

    layers: tuple[int, ...] = (3, 4, 8, 6)
    inter: tuple[int, ...] = (16, 32, 64, 64)
    sparse: bool = False
    grouped: bool = False
    attention: bool = False


def backbone(b: Builder, net: Pelee) -> list[Tensor]:
    """The stages' outputs at 1/4, 1/8, 1/16 and 1/32, before pooling.

    A transition keeps all its channels, and pools by maximum in the authors' Darknet version (the published
    1.017 BFLOPs count a [maxpool]; the average pooling of Pelee's own code cost nothing in that Darknet).
    """
    x = b.conv(b.concat(*stem(b)), 32)
    taps: list[Tensor] = []
    for stage, (layers, inter) in enumerate(zip(net.layers, net.inter, strict=True), 1):
        b.stage(f"stage {stage}: {layers} {'sparse' if net.sparse else 'two-way dense'} layers")
        x = b.maxpool(x) if taps else x
        if net.sparse:
            z = sparse_block(b, x, layers, inter)
        else:
            z = dense_block(b, x, layers, inter, grouped=net.grouped, attention=net.attention)
        b.stage(f"stage {stage}: transition of {x.channels + layers * GROWTH} channels")
        x = b.conv(z, z.channels)
        taps.append(x)
    return taps


def classifier(b: Builder, net: Pelee) -> Tensor:
    """The ImageNet network."""
    return b.classifier(backbone(b, net)[-1])
