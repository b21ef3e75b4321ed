"""Sections that several operations are: activations, and what moves pixels or normalizes across channels.

Decision: what they may be is guessed from shapes and constants, and each guess is held against its own lowering, so a
guess may be wrong and a part is not.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...ir import Op, Value
from .matching import activations, lowered
from .parts import Finder, Part, in_cfg

MOST = 16  # of the numbers that are tried where a pattern does not tell them


def find_activation(s: Finder, op: Op) -> Part | None:
    """[activation], which goes into the section before where that has one."""
    for name, pattern in activations(op.kind):
        source = s.m.source(pattern, op.output)
        if source is not None and source not in s.network.graph.data:
            return Part("activation", op.output, source, {"activation": name})
    return None


def find_maxout(s: Finder, op: Op) -> Part | None:
    """[maxpool] across channels."""
    if len(op.output.shape) != 3:
        return None
    slices = [o for o in s.m.ancestors(op.output, ("maximum", "concat", "slice")) if o.kind == "slice"]
    sources = sorted({o.inputs[0] for o in slices}, key=lambda v: -v.shape[0])
    options = {"maxpool_depth": "1", "out_channels": str(op.output.shape[0]), "size": "1", "stride": "1"}
    parts = (s.lowered("maxpool", options, source, op.output) for source in sources[:MOST])
    return next((part for part in parts if part is not None), None)


def find_reorg(s: Finder, op: Op) -> Part | None:
    """[reorg3d] and [reorg]."""
    y = op.output.shape
    x = s.m.origin(op.output, ("reshape", "transpose", "gather", "slice", "concat")) if len(y) == 3 else None
    if x is None or len(x.shape) != 3:
        return None
    larger = y[1] > x.shape[1]
    stride = y[1] // x.shape[1] if larger else x.shape[1] // max(1, y[1])
    if stride < 2:
        return None
    options = {"stride": str(stride), **({"reverse": "1"} if larger else {})}
    parts = (s.lowered(section, options, x, op.output) for section in ("reorg3d", "reorg"))
    return next((part for part in parts if part is not None), None)


def find_crop(s: Finder, op: Op) -> Part | None:
    """[crop]."""
    y = op.output.shape
    x = s.m.origin(op.output, ("slice", "sub", "mul")) if len(y) == 3 else None
    if x is None or x.shape[1:] == y[1:]:
        return None
    sides = {"crop_height": str(y[1]), "crop_width": str(y[2])}
    parts = (s.lowered("crop", {**sides, "noadjust": adjust}, x, op.output) for adjust in ("1", "0"))
    return next((part for part in parts if part is not None), None)


def find_history(s: Finder, op: Op) -> Part | None:
    """[history]: an image, and room for more."""
    if s.m.kind(op.inputs[-1]) != "repeat_batch":
        return None
    x, times = op.inputs[0], op.output.shape[0] // op.inputs[0].shape[0]
    return s.lowered("history", {"history_size": str(times)}, x, op.output)


def find_binary(s: Finder, op: Op) -> Part | None:
    """[convolutional] with xnor: signs of the input and of the weights, and what these are multiplied with.

    The weights become their signs times that, which Darknet makes the same of again.
    """
    scaled = s.m.producers.get(op.inputs[0])
    conv = s.m.producers.get(scaled.inputs[0]) if scaled is not None and scaled.kind == "mul" else None
    if conv is None or conv.kind != "conv" or not np.isin(signs := s.needed(conv, 1), (-1, 1)).all():
        return None
    x, pads = conv.inputs[0], (0, 0, 0, 0)
    for kind in ("pad", "sub", "mul", "ceil", "clip"):
        if s.m.kind(x) == kind:
            before = s.m.producers[x]
            x, pads = before.inputs[0], before.attrs.get("pads", pads)
    told = {"filters": str(len(signs)), "size": str(signs.shape[2]), "stride": str(conv.attrs["strides"][0]),
            "pad": "0", "padding": str(pads[0]), "xnor": "1"}  # fmt: skip
    pattern = lowered("convolutional", {**told, "activation": "linear"}, x.shape)
    bound = s.m.bind(pattern, op.output) if pattern is not None else None
    if pattern is None or bound is None or bound.source is not x:
        return None
    found = {o.kind: bound.arrays[o.inputs[1]] for o in pattern.ops if o.inputs[1:] and o.inputs[1] in bound.arrays}
    arrays = {"biases": found["add"].ravel(), "weights": found["conv"] * found["mul"].reshape(-1, 1, 1, 1)}
    return Part("convolutional", op.output, x, told, arrays)


def find_local(s: Finder, op: Op) -> Part | None:
    """[local]."""
    within = ("reshape", "transpose", "conv")
    conv = next((o for o in s.m.ancestors(op.inputs[0], within) if o.kind == "conv"), None)
    if conv is None or len(op.output.shape) != 3 or conv.attrs["groups"] != math.prod(op.output.shape[1:]):
        return None
    options = {"filters": str(op.output.shape[0]), "size": str(conv.inputs[1].shape[2])}
    for x, stride, pad in reversed(_windowed(s, conv.inputs[0])):  # what pads before it is its own
        told = {**options, "stride": str(stride), "pad": str(pad), "activation": "linear"}
        part = s.lowered("local", told, x, op.output)
        if part is not None:
            return replace(part, options={k: v for k, v in told.items() if k != "activation"})
    return None


def _windowed(s: Finder, value: Value) -> list[tuple[Value, int, int]]:
    """What windows may have been cut out of, one operation before the other, with their step and the padding."""
    found, stride = [], 1
    kinds = ("reshape", "transpose", "concat", "slice", "pad")
    while (op := s.m.producers.get(value)) is not None and op.kind in kinds:
        value, stride = op.inputs[0], max((stride, *op.attrs.get("steps", ())))
        if len(value.shape) == 3:
            found.append((value, stride, op.attrs["pads"][0] if op.kind == "pad" else 0))
    return found


def find_sums(s: Finder, op: Op) -> Part | None:
    """[upsample] the other way, which adds pixels up: their mean, times their number."""
    pool, factor = s.m.producers.get(op.inputs[0]), s.m.constant(op.inputs[1])
    if pool is None or pool.kind != "avg_pool" or factor is None or factor.size != 1:
        return None
    stride = pool.attrs["kernel"][0]
    options = {"stride": str(-stride), "scale": in_cfg(factor / stride**2)}
    return s.lowered("upsample", options, pool.inputs[0], op.output)


def find_local_response(s: Finder, op: Op) -> Part | None:
    """[normalization]."""
    power = s.m.producers.get(op.inputs[1])
    if power is None or power.kind != "power":
        return None
    within = s.m.ancestors(power.inputs[0], ("add", "sub", "slice", "concat", "mul"))
    numbers = [(o.kind, c) for o in within for v in o.inputs if (c := s.m.constant(v)) is not None]
    factors = [c for kind, c in numbers if kind == "mul"]
    starts = [c for kind, c in numbers if kind != "mul"]
    if not starts or not factors:
        return None
    told = {"alpha": in_cfg(factors[0]), "kappa": in_cfg(starts[0]), "beta": in_cfg(-power.attrs["exponent"])}
    parts = (s.lowered("normalization", {**told, "size": str(n)}, op.inputs[0], op.output) for n in range(1, MOST))
    return next((part for part in parts if part is not None), None)
