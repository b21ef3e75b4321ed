"""[route] and its relatives: earlier outputs one after another along the channels, or a part of each.

Decision: inputs that differ in height or width are an error here, at the route. Darknet prints a line, makes a layer of
no size and aborts at the next convolution.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ...errors import Code
from ...ir.graph import Value
from ...ir.ops import Shape
from ..cfg.options import opt
from .channels import Channels, Flow, joined
from .layer import Columns, Layer, LayerError, Spelling, layer, unspeakable
from .lowering import Lowering
from .training import unused


@layer
class Routing(Layer):
    """What all routes share: the list of layers."""

    family = "concatenation"

    layers: tuple[int, ...] = opt((), "the layers to join; negative counts back", required=True)
    stream: int = unused(-1, "number of a CUDA stream")
    wait_stream: int = unused(-1, "number of the CUDA stream to wait for")

    def references(self) -> tuple[int, ...]:
        return self.layers

    def joined(self) -> tuple[int, ...]:
        return self.layers

    def word(self) -> str:
        if part := self.part():
            return f"part {part[0] + 1} of {part[1]}"
        return "concat" if len(self.layers) > 1 else "route"

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        return joined(inputs)

    def check_inputs(self, b: Lowering, inputs: tuple[Value, ...]) -> None:
        """Raise `LayerError` unless the inputs are earlier layers of the same height and width."""
        need_layers(b, "layers")
        if len({v.shape[1:] for v in inputs}) > 1:
            found = ", ".join(f"{_size(v)} (layer {i})" for i, v in zip(self.layers, inputs, strict=True))
            raise LayerError(Code.BAD_SHAPE, f"the inputs differ in height and width: {found}", "layers")


@layer
class Route(Routing):
    """Earlier outputs one after another; with `groups`, part `group_id` of each of them.

    The PyTorch code refuses a file with `group_id`, so where one is read in its dialect it means what Darknet means.
    """

    sections = ("route",)
    dialects = ("alexeyab", "pytorch")

    groups: int = opt(1, "parts that each input is cut into", low=1)
    group_id: int = opt(0, "which of the parts to take, from 0", low=0)

    def part(self) -> tuple[int, int] | None:
        return (self.group_id, self.groups) if self.groups > 1 and len(self.layers) == 1 else None

    def columns(self) -> Columns:
        return replace(super().columns(), group=self.group_id if self.groups > 1 else None)

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        if any(len(flow) % self.groups for flow in inputs):
            return Layer.channels(self, c, *inputs)
        return joined(_part(c, flow, self.groups, self.group_id) for flow in inputs)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        self.check_inputs(b, inputs)
        if self.group_id >= self.groups:
            message = f"group_id={self.group_id} is not one of the {self.groups} groups, which count from 0"
            raise LayerError(Code.OUT_OF_RANGE, message, "group_id")
        if any(v.shape[0] % self.groups for v in inputs):
            return self._uneven(b, inputs)
        return b.concat([self._part(b, v) for v in inputs])

    def _part(self, b: Lowering, x: Value) -> Value:
        size = x.shape[0] // self.groups
        if not size:
            raise LayerError(Code.BAD_SHAPE, f"{self.groups} groups of {_size(x)} leave nothing", "groups")
        return b.slice(x, 0, size * self.group_id, size * (self.group_id + 1))

    def _uneven(self, b: Lowering, inputs: tuple[Value, ...]) -> Value:
        """Part of the memory of each input (route_layer.c): an image only where the parts add up to whole channels."""
        channels = sum(v.shape[0] for v in inputs)
        message = f"{self.groups} groups do not divide the channels evenly: Darknet cuts within a channel"
        b.warn(Code.SUSPICIOUS, message, "groups")
        parts = [self._part(b, b.flatten(v)) for v in inputs]
        outputs = channels * math.prod(inputs[0].shape[1:]) // self.groups
        missing = outputs - sum(p.shape[0] for p in parts)
        flat = b.concat([*parts, b.const([0.0] * missing)] if missing else parts)
        shape = (channels // self.groups, *inputs[0].shape[1:])
        return b.reshape(flat, *shape) if math.prod(shape) == outputs else flat


@layer
class PlainRoute(Routing):
    """Earlier outputs one after another; pjreddie's Darknet knows no groups."""

    sections = ("route",)
    dialects = ("pjreddie",)

    def spelled(self, *inputs: Shape) -> Spelling:
        return Spelling()

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        self.check_inputs(b, inputs)
        return b.concat(list(inputs))


@layer
class Route2(Routing):
    """Two earlier outputs one after another; the second gets no gradient in training."""

    sections = ("route2",)
    dialects = ("pytorch",)
    count = 2

    def spelled(self, *inputs: Shape) -> Spelling:
        return Spelling("route")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        if len(inputs) != self.count:
            message = f"{len(inputs)} layers; [{self.sections[0]}] joins {self.count}"
            raise LayerError(Code.OUT_OF_RANGE, message, "layers")
        self.check_inputs(b, inputs)
        return b.concat(list(inputs))


@layer
class Route3(Route2):
    """Three earlier outputs one after another; only the first gets a gradient in training."""

    sections = ("route3",)
    count = 3


@layer
class RouteLhalf(Routing):
    """The lower half of the channels of each input, one after another (Darknet's yolov4-tiny takes the upper)."""

    sections = ("route_lhalf",)
    dialects = ("pytorch",)

    def part(self) -> tuple[int, int] | None:
        return (0, 2) if len(self.layers) == 1 else None

    def spelled(self, *inputs: Shape) -> Spelling:
        if any(shape[0] % 2 for shape in inputs):
            raise unspeakable("it would cut within a channel where their number is odd", "layers")
        return Spelling("route", {"groups": "2", "group_id": "0"})

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        if any(len(flow) % 2 for flow in inputs):
            return Layer.channels(self, c, *inputs)
        return joined(_part(c, flow, 2, 0) for flow in inputs)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        self.check_inputs(b, inputs)
        if any(v.shape[0] < 2 for v in inputs):
            raise LayerError(Code.BAD_SHAPE, "an input of one channel has no half", "layers")
        return b.concat([b.slice(v, 0, 0, v.shape[0] // 2) for v in inputs])


def _part(c: Channels, flow: Flow, parts: int, part: int) -> Flow:
    """One of the equal parts of some channels, which stay equal."""
    c.evenly(flow, parts)
    size = len(flow) // parts
    return flow.part(part * size, (part + 1) * size)


def need_layers(b: Lowering, key: str) -> None:
    """Raise `LayerError` in the first layer: it has no earlier layer, and the image is none."""
    if b.index == 0:
        raise LayerError(Code.BAD_REFERENCE, "the first layer has no earlier layer to read", key)


def _size(x: Value) -> str:
    if len(x.shape) != 3:
        return f"{x.shape[0]} numbers"
    return f"{x.shape[2]} x {x.shape[1]}"
