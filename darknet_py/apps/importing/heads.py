"""Heads: the sections that the decoders of a file say, held against what the file computes.

Decision: a file that we exported says which decoder each output has; what a section says beyond that is tried, and what
computes something else is an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...contract.decoders import Decoder, Detection, Gaussian, Region, Yolo
from ...ir import Value
from .matching import lowered
from .parts import Finder, Part, in_cfg

# The operations that heads are made of.
KINDS = ("reshape", "slice", "sigmoid", "mul", "sub", "concat", "transpose", "softmax")


def head_parts(s: Finder) -> list[Part]:
    """The heads of a network, one for each of its outputs; none where its file names none."""
    contract = s.network.contract
    decoders = contract.decoders if contract is not None else ()
    table = _anchor_table(decoders)
    return [_head(s, v, d, table) for v, d in zip(s.network.graph.outputs, decoders, strict=bool(decoders))]


def _anchor_table(decoders: Sequence[Decoder]) -> list[tuple[float, float]]:
    """The anchors of all heads in pixels, smallest first, as a cfg lists them."""
    found = {a for d in decoders if isinstance(d, Yolo | Gaussian) for a in d.anchors}
    return sorted(found, key=lambda a: (a[0] * a[1], a))


def _head(s: Finder, value: Value, decoder: Decoder, table: list[tuple[float, float]]) -> Part:
    source = _head_input(s, value)
    for section, options, dialect in _head_sections(s, decoder, table):
        folder = str(s.trees.folder) if "tree" in options else None
        pattern = lowered(section, options, source.shape, dialect, folder)
        bound = s.m.source(pattern, value) if pattern is not None else None
        if bound is None:
            continue
        if dialect != "pytorch":
            return Part(section, value, bound, options, head=True)
        new = {**options, "new_coords": "1", "scale_x_y": "2.0"}  # the same boxes in Darknet's words
        return Part(section, value, bound, new, before="logistic", head=True)
    op = s.m.producers.get(value, s.network.graph.ops[-1])
    raise s.refuse(op, f"it is not what the [{decoder.kind}] computes that the file says it is")


def _head_input(s: Finder, value: Value) -> Value:
    """What a head reads: an array of as many numbers that is computed by none of the operations of a head."""
    if s.m.kind(value) not in KINDS:
        return value
    source = s.m.origin(value, KINDS)
    if source is not None:
        return source
    # What is before the head is of these kinds too.
    count = math.prod(value.shape)
    inner = (op for op in s.m.ancestors(value, KINDS) if math.prod(op.output.shape) == count)
    flat = [op.inputs[0] for op in inner if op.kind in ("reshape", "transpose")]
    return flat[-1] if flat else value


def _head_sections(
    s: Finder, decoder: Decoder, table: list[tuple[float, float]]
) -> Iterator[tuple[str, dict[str, str], str]]:
    """The sections that a decoder may be of, with their dialects."""
    if isinstance(decoder, Yolo | Gaussian):
        anchors = {
            "mask": ",".join(str(table.index(a)) for a in decoder.anchors),
            "anchors": ", ".join(f"{in_cfg(w)},{in_cfg(h)}" for w, h in table),
            "classes": str(decoder.classes), "num": str(len(table)), "scale_x_y": in_cfg(decoder.stretch),
            "nms_kind": decoder.nms_kind, "beta_nms": in_cfg(decoder.nms_beta),
        }  # fmt: skip
    if isinstance(decoder, Gaussian):
        yield "Gaussian_yolo", {**anchors, "yolo_point": decoder.point}, "alexeyab"
    elif isinstance(decoder, Yolo) and decoder.logistic == "all":
        yield "yolo", anchors, "pytorch"
    elif isinstance(decoder, Yolo):
        yield "yolo", {**anchors, **({"new_coords": "1"} if decoder.logistic == "nothing" else {})}, "alexeyab"
    elif isinstance(decoder, Region):
        listed = ", ".join(f"{in_cfg(w)},{in_cfg(h)}" for w, h in decoder.anchors)
        options = {"anchors": listed, "num": str(len(decoder.anchors)), "classes": str(decoder.classes),
                   "softmax": str(int(decoder.softmax))}  # fmt: skip
        if decoder.tree_file is not None:
            options["tree"] = s.trees.names[decoder.tree] if decoder.tree is not None else Path(decoder.tree_file).name
        yield "region", {**options, **({"classfix": "-1"} if decoder.classfix else {})}, "alexeyab"
    elif isinstance(decoder, Detection):
        options = {"classes": str(decoder.classes), "coords": "4", "side": str(decoder.side), "num": str(decoder.num),
                   "sqrt": str(int(decoder.sqrt))}  # fmt: skip
        for softmax in ("1", "0"):  # without one it is whatever comes in
            yield "detection", {**options, "softmax": softmax}, "alexeyab"
