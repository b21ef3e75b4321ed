"""A Darknet cfg as anyone would write it in PyTorch: plain modules in a list, for a benchmark to compare with.

Decision: nothing of darknet-py computes here. The cfg is only read for what its layers are; what they compute is
nn.Conv2d, nn.BatchNorm2d and their like. It knows the layers of the networks that are compared, and refuses others.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor, nn

from darknet_py.darknet.compile import Compilation
from darknet_py.darknet.layers.layer import layer_of

ACTIVATIONS = {
    "linear": nn.Identity,
    "leaky": lambda: nn.LeakyReLU(0.1, inplace=True),
    "mish": nn.Mish,
    "logistic": nn.Sigmoid,
}


class Maxout(nn.Module):  # type: ignore[misc]  # PyTorch is not looked into
    """The largest of every `count`-th channel."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        return x.view(batch, -1, self.count, height, width).amax(1)


class Pool(nn.Module):  # type: ignore[misc]  # PyTorch is not looked into
    """A max pool with Darknet's padding: size - 1 in all, the odd one after."""

    def __init__(self, size: int, stride: int) -> None:
        super().__init__()
        before = (size - 1) // 2
        self.pads = (before, size - 1 - before) * 2
        self.pool = nn.MaxPool2d(size, stride)
        self.whole = size == stride

    def forward(self, x: Tensor) -> Tensor:
        if self.whole:  # sides divide: no window reaches the padding
            return self.pool(x)
        return self.pool(F.pad(x, self.pads, value=float("-inf")))


class PlainNetwork(nn.Module):  # type: ignore[misc]  # PyTorch is not looked into
    """The layers of a compiled cfg; it gives what the heads read."""

    def __init__(self, compilation: Compilation) -> None:
        super().__init__()
        graph = compilation.graph
        self.kinds = [info.section for info in graph.layers]
        self.reads = [info.inputs for info in graph.layers]
        self.layers = nn.ModuleList()
        channels = {-1: graph.image.shape[0]}
        for info in graph.layers:
            self.layers.append(_module(info.section, layer_of(info), channels[info.inputs[0]]))
            channels[info.index] = info.output.shape[0]

    def forward(self, x: Tensor) -> list[Tensor]:
        outputs: dict[int, Tensor] = {-1: x}
        heads = []
        for i, (kind, reads, layer) in enumerate(zip(self.kinds, self.reads, self.layers, strict=True)):
            inputs = [outputs[j] for j in reads]
            if kind == "yolo":
                heads.append(inputs[0])
            elif kind == "route":
                outputs[i] = layer(inputs[0] if len(inputs) == 1 else torch.cat(inputs, 1))
            elif kind == "shortcut":
                outputs[i] = layer(_added(*inputs))
            elif kind == "sam":
                outputs[i] = layer(inputs[0] * inputs[1])
            else:
                outputs[i] = layer(inputs[0])
        return heads


class Part(nn.Module):  # type: ignore[misc]  # PyTorch is not looked into
    """One of equal parts of the channels."""

    def __init__(self, groups: int, number: int) -> None:
        super().__init__()
        self.groups, self.number = groups, number

    def forward(self, x: Tensor) -> Tensor:
        return x.chunk(self.groups, 1)[self.number]


def _added(x: Tensor, other: Tensor) -> Tensor:
    """The channels that both have are added, and the rest of the first ones stay (shortcut_layer.c)."""
    common = min(x.shape[1], other.shape[1])
    total = x[:, :common] + other[:, :common]
    return total if common == x.shape[1] else torch.cat((total, x[:, common:]), 1)


def _module(kind: str, layer: Any, channels: int) -> nn.Module:
    """What computes a layer, after its inputs were joined."""
    match kind:
        case "convolutional":
            return _convolution(layer, channels)
        case "maxpool":
            return Pool(layer.size, layer.stride)
        case "maxout":
            return Maxout(layer.out_channels)
        case "upsample":
            return nn.Upsample(scale_factor=layer.stride, mode="nearest")
        case "route":
            return nn.Identity() if layer.groups == 1 else Part(layer.groups, layer.group_id)
        case "shortcut" | "sam":
            return ACTIVATIONS[layer.activation]()
        case "yolo":
            return nn.Identity()
    raise NotImplementedError(f"[{kind}] is not in the networks that are compared")


def _convolution(layer: Any, channels: int) -> nn.Module:
    pad = layer.size // 2 if layer.pad else layer.padding
    parts: list[nn.Module] = [nn.Conv2d(
        channels, layer.filters, layer.size, layer.stride, pad, groups=layer.groups, bias=not layer.batch_normalize,
    )]  # fmt: skip
    if layer.batch_normalize:
        parts.append(nn.BatchNorm2d(layer.filters, momentum=0.01))
    if layer.activation != "linear":
        parts.append(ACTIVATIONS[layer.activation]())
    return nn.Sequential(*parts)
