"""Sections that several operations are: activations, and what moves pixels or normalizes across channels.

Decision: what they may be is guessed from shapes and constants, and each guess is held against its own lowering, so a
guess may be wrong and a part is not.
"""

from __future__ import annotations

from ...ir import Op
from .matching import activations
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
