"""Small heads for tests of losses: a cfg with one convolution and a head, whose loss reads what a test says."""

from __future__ import annotations

from typing import Any

import torch

from darknet_py.apps.train.losses import HeadLoss, head_loss
from darknet_py.darknet.compile import Compilation, compile_cfg


def compiled(head: str, channels: int, cells: tuple[int, int] = (1, 1), net: str = "") -> Compilation:
    """A network of 32 pixels a cell whose convolution gives `channels` to the head."""
    height, width = cells
    text = (
        f"[net]\nwidth={32 * width}\nheight={32 * height}\nchannels=3\n{net}\n"
        f"[convolutional]\nfilters={channels}\nsize=1\nstride=32\nactivation=linear\n{head}\n"
    )
    return compile_cfg(text).check()


def loss_of(head: str, channels: int, cells: tuple[int, int] = (1, 1), net: str = "", **more: Any) -> HeadLoss:
    return head_loss(compiled(head, channels, cells, net), 1, **more)


def objects(*rows: tuple[float, ...], room: int = 6) -> torch.Tensor:
    """A truth (1, room, 6) of rows x, y, w, h, class."""
    truth = torch.zeros(1, room, 6)
    for i, row in enumerate(rows):
        truth[0, i, : len(row)] = torch.tensor(row)
    return truth


def noise(loss: HeadLoss, batch: int = 1, seed: int = 0) -> torch.Tensor:
    """What a head reads: any numbers, or those of a logistic function where it wants them."""
    x = torch.randn(batch, *loss.source.shape, generator=torch.Generator().manual_seed(seed))
    return (x.sigmoid() if getattr(loss.info.layer, "new_coords", 0) else x).requires_grad_()


def crowd(batch: int, count: int, classes: int, seed: int = 0) -> torch.Tensor:
    """Random objects, the last picture without any."""
    made = torch.Generator().manual_seed(seed)
    truth = torch.zeros(batch, count + 2, 6)
    truth[:, :count, :2] = torch.rand(batch, count, 2, generator=made) * 0.98 + 0.01
    truth[:, :count, 2:4] = torch.rand(batch, count, 2, generator=made) * 0.6 + 0.05
    truth[:, :count, 4] = torch.randint(classes, (batch, count), generator=made).float()
    if batch > 1:
        truth[-1] = 0
    return truth


YOLO = "[yolo]\nclasses=3\nnum=3\nanchors=20,20, 40,30, 60,70\n"
GAUSSIAN = "[Gaussian_yolo]\nclasses=3\nnum=3\nanchors=20,20, 40,30, 60,70\n"
REGION = "[region]\nclasses=3\nnum=2\nanchors=1,1, 2,3\nsoftmax=1\nrescore=1\nobject_scale=5\nthresh=.6\n"
