"""Dense layers and the stem of PeleeNet: what the Pelee families share."""

from __future__ import annotations

from .builder import Builder, Tensor

GROWTH = 32  # channels that a dense layer adds
GROUP_WIDTH = 8  # input channels per group in PeleeNeXt


def stem(b: Builder, channels: int = 32) -> tuple[Tensor, Tensor]:
    """PeleeNet's two ways from the image to a quarter of its size: pooled, and convolved."""
    b.stage("stem")
    a = b.conv(b.image, channels, 3, 2)
    pooled = b.maxpool(a)
    y = b.conv(a, channels // 2)
    return pooled, b.conv(y, channels, 3, 2)


def two_way(b: Builder, z: Tensor, inter: int, *, grouped: bool = False) -> tuple[Tensor, Tensor]:
    """A two-way dense layer: one 3x3 sees a window of 3, two in a row one of 5; each gives half the growth."""
    half = GROWTH // 2
    wide = inter // GROUP_WIDTH if grouped else 1
    deep = b.conv(b.conv(z, inter), half, 3, groups=wide)
    deep = b.conv(deep, half, 3, groups=half // GROUP_WIDTH if grouped else 1)
    shallow = b.conv(b.conv(z, inter), half, 3, groups=wide)
    return shallow, deep


def squeeze_excite(b: Builder, x: Tensor, inner: int) -> Tensor:
    """Channel attention: x times the logistic of two 1x1 convolutions of its mean."""
    y = b.conv(b.avgpool(x), inner, normalize=False)
    return b.scale_channels(b.conv(y, x.channels, activation="logistic", normalize=False), x)


def dense_block(
    b: Builder, z: Tensor, layers: int, inter: int, *, grouped: bool = False, attention: bool = False
) -> Tensor:
    """Two-way dense layers, each reading everything before it."""
    for _ in range(layers):
        new = two_way(b, z, inter, grouped=grouped)
        z = b.concat(z, squeeze_excite(b, b.concat(*new), GROWTH // 2)) if attention else b.concat(z, *new)
    return z


def sparse_block(b: Builder, z: Tensor, layers: int, inter: int) -> Tensor:
    """Two-way dense layers that read the outputs 1, 2, 4, 8 … steps back (SparseNet); the block returns all of them."""
    nodes = [z]
    for layer in range(1, layers + 1):
        steps = [1 << j for j in range(layer.bit_length()) if 1 << j <= layer]
        seen = [nodes[layer - step] for step in steps]
        nodes.append(b.concat(*two_way(b, b.concat(*seen) if len(seen) > 1 else seen[0], inter)))
    return b.concat(*nodes)


def one_way_block(b: Builder, z: Tensor, layers: int, inter: int) -> Tensor:
    """DenseNet's layers: 1x1 to `inter`, 3x3 to the growth, concatenate."""
    for _ in range(layers):
        z = b.concat(z, b.conv(b.conv(z, inter), GROWTH, 3))
    return z
