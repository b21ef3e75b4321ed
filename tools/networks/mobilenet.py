"""MobileNet-v2, CSPMobileNet-v2, EfficientNet-B0 and Res2NetLite-72, as the published cfgs have them."""

from __future__ import annotations

from .builder import Builder, Tensor
from .dense import squeeze_excite

# MobileNet-v2: output channels, stride and repeats of the inverted residuals that expand six times.
V2_ROWS = ((24, 2, 2), (32, 2, 3), (64, 1, 4), (96, 2, 3), (160, 2, 3), (320, 1, 1))

# CSPMobileNet-v2: per stage the width of its first expansion, then output channels and repeats.
CSP_V2_STAGES = ((48, ((24, 2),)), (72, ((32, 3), (64, 4))), (192, ((96, 3),)), (288, ((160, 3), (320, 1))))

# EfficientNet-B0: expansion, kernel, stride, squeezed channels, output channels, whether a shortcut closes the block.
B0_ROWS = (
    (32, 3, 1, 8, 16, False), (96, 3, 2, 16, 24, False), (144, 3, 1, 8, 24, True), (144, 5, 2, 8, 40, False),
    (192, 5, 1, 16, 40, True), (192, 3, 1, 16, 80, False), (384, 3, 1, 24, 80, True), (384, 3, 1, 24, 80, True),
    (384, 5, 2, 24, 112, False), (576, 5, 1, 32, 112, True), (576, 5, 1, 32, 112, True), (576, 5, 2, 32, 192, False),
    (960, 5, 1, 64, 192, True), (960, 5, 1, 64, 192, True), (960, 5, 1, 64, 192, True), (960, 3, 1, 64, 320, False),
)  # fmt: skip

# Res2NetLite-72: width of a branch, and the blocks after the first of a stage.
RES2NET_STAGES = ((72, 3), (144, 7), (288, 3))
SCALES = 4


def mobilenet_v2(b: Builder) -> Tensor:
    """Inverted residuals; every channel of the widened image has a 3x3 of its own."""
    b.stage("stem")
    x = b.conv(b.conv(b.image, 32, 3, 2), 32)
    x = b.conv(b.conv(x, 32, 3, groups=32), 16, activation="linear")
    for channels, first_stride, repeats in V2_ROWS:
        b.stage(f"{repeats} inverted residuals of {channels} channels")
        for i in range(repeats):
            wide = 6 * x.channels
            y = b.conv(b.conv(x, wide), wide, 3, 1 if i else first_stride, groups=wide)
            y = b.conv(y, channels, activation="linear")
            x = b.shortcut(y, x) if i else y
    return b.classifier(b.conv(x, 1280))


def csp_mobilenet_v2(b: Builder) -> Tensor:
    """Each stage widens three times and lets that bypass; the other part doubles it in its depthwise 3x3."""
    b.stage("stem")
    x = b.conv(b.image, 32, 3, 2)
    bypass = b.conv(x, 16, 3, groups=16)
    y = b.conv(b.conv(x, 32), 32, 3, groups=32)
    x = b.concat(b.conv(y, 16, activation="linear"), bypass)
    for wide, rows in CSP_V2_STAGES:
        b.stage(f"stage of {wide} channels that bypass {sum(n for _, n in rows)} inverted residuals")
        x = b.conv(x, wide)
        bypass = b.conv(x, wide, 3, 2, groups=wide)
        z = _csp_block(b, x, rows[0][0], 2)
        for channels, repeats in rows:
            for i in range(repeats):
                if z.channels == channels and i == 0:
                    continue  # the strided block above is the first of the first row
                y = _csp_block(b, b.conv(z, 3 * z.channels), channels, 1)
                z = b.shortcut(y, z) if i else y
        x = b.concat(z, bypass)
    return b.classifier(b.conv(x, 640))


def _csp_block(b: Builder, wide: Tensor, channels: int, stride: int) -> Tensor:
    y = b.conv(wide, 2 * wide.channels, 3, stride, groups=wide.channels)
    return b.conv(y, channels, activation="linear")


def efficientnet_b0(b: Builder) -> Tensor:
    """Inverted residuals with squeeze and excitation."""
    b.stage("stem")
    x = b.conv(b.image, 32, 3, 2)
    for number, (wide, size, stride, squeezed, channels, closed) in enumerate(B0_ROWS, 1):
        b.stage(f"block {number}: {channels} channels")
        y = b.conv(b.conv(x, wide), wide, size, stride, groups=wide)
        y = b.conv(squeeze_excite(b, y, squeezed), channels, activation="linear")
        x = b.shortcut(b.dropout(y, 0.2), x) if closed else y
    return b.classifier(b.conv(x, 1280), dropout=0.2)


def res2net_lite(b: Builder) -> Tensor:
    """Four slices of a block's channels in a chain: each is added to the 3x3 of the one before, then convolved."""
    b.stage("stem")
    x = b.maxpool(b.conv(b.image, 32, 3, 2), 3, 2)
    for stage, (width, blocks) in enumerate(RES2NET_STAGES, 1):
        b.stage(f"stage {stage}: {blocks} blocks of {SCALES} x {width} channels")
        x = b.conv(b.conv(b.conv(x, width), width, 3, 2, groups=2), SCALES * width)
        for _ in range(blocks):
            x = b.shortcut(_res2net_block(b, b.conv(x, SCALES * width), width), x)
    return b.classifier(x)


def _res2net_block(b: Builder, x: Tensor, width: int) -> Tensor:
    slices = [b.part(x, 0, SCALES)]
    for i in range(1, SCALES):
        y = b.part(x, i, SCALES)
        y = b.shortcut(y, slices[-1]) if i > 1 else y
        slices.append(b.conv(y, width, 3, groups=2))
    return b.conv(b.concat(*slices), SCALES * width)
