"""DenseNet-201-Elastic (allenai/elastic) and our CSP version of it.

Both normalize before they convolve, hence [batchnorm] and [activation] sections. Darknet enlarges by nearest neighbour
where Elastic's PyTorch code interpolates.
"""

from __future__ import annotations

from dataclasses import dataclass

from .builder import Builder, Tensor

GROWTH = 32
INNER = 64  # of each of the two ways: bn_size 4 x growth 32, halved


@dataclass(frozen=True)
class DenseNet:
    """Layers per block, and the quarters of the channels that bypass a block (0: a plain DenseNet)."""

    layers: tuple[int, ...] = (10, 20, 40, 30)
    bypass: int = 0


def _normalized(b: Builder, x: Tensor) -> Tensor:
    return b.activate(b.batch_norm(x), "relu")


def _way(b: Builder, x: Tensor) -> Tensor:
    return b.conv(b.conv(x, INNER, activation="relu"), GROWTH, 3, activation="linear", normalize=False)


def _block(b: Builder, x: Tensor, layers: int, *, elastic: bool) -> Tensor:
    """Dense layers of two ways, one of them at half the resolution; their outputs are added."""
    for _ in range(layers):
        y = _normalized(b, x)
        coarse = _way(b, b.local_avgpool(y) if elastic else y)
        coarse = b.upsample(coarse) if elastic else coarse
        x = b.concat(x, b.shortcut(_way(b, y), coarse))
    return x


def elastic(b: Builder, net: DenseNet) -> Tensor:
    """The ImageNet network; the last block, at 7x7 for an image of 224x224, has both ways at full resolution."""
    b.stage("stem")
    x = b.maxpool(b.conv(b.image, 64, 7, 2, activation="relu"), 3, 2)
    for stage, layers in enumerate(net.layers, 1):
        last = stage == len(net.layers)
        b.stage(f"stage {stage}: {layers} elastic dense layers on {x.channels} channels")
        x = _csp_block(b, x, net.bypass, layers, last) if net.bypass else _block(b, x, layers, elastic=not last)
        b.stage(f"stage {stage}: transition")
        x = _normalized(b, x)
        if not last:
            x = b.local_avgpool(b.conv(x, x.channels // 2, activation="linear", normalize=False))
    return b.classifier(x)


def _csp_block(b: Builder, x: Tensor, bypass: int, layers: int, last: bool) -> Tensor:
    """Some quarters of the channels bypass the dense layers, whose transition comes before both are concatenated."""
    quarters = [b.part(x, i, 4) for i in range(bypass)]
    z = b.part(x, bypass, 4) if bypass == 3 else b.concat(*(b.part(x, i, 4) for i in range(bypass, 4)))
    z = _normalized(b, _block(b, z, layers, elastic=not last))
    return b.concat(*quarters, b.conv(z, z.channels, activation="linear", normalize=False))
