"""Sections that one operation is, with its weights: products, windows, sums of two values, parts of the channels.

Decision: what Darknet has in one form only (square kernels, one padding on all sides, equal parts of the channels) is
refused with the form that the file has, because nobody else computes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...darknet.dialects import ALEXEYAB
from ...darknet.layers.pooling import AxisWindows
from ...ir import Op, Value
from ...ir.compare import HUGE
from .parts import Finder, Part, in_cfg

# -- products ----------------------------------------------------------------------------------------------------


def find_convolutional(s: Finder, op: Op) -> Part:
    """[convolutional], with zeros around its input that are a node of their own."""
    x, a = op.inputs[0], dict(op.attrs)
    if s.m.kind(x) == "pad" and s.m.producers[x].attrs["value"] == 0:
        x, a["pads"] = _padded(s, x, a["pads"])
    weights = s.needed(op, 1)
    n, _, height, width = weights.shape
    dilation = a["dilations"][0]
    if height != width or dilation != a["dilations"][1]:
        raise s.refuse(op, f"a kernel of {width} x {height}, and Darknet's are square")
    options = {"filters": str(n), "size": str(height), **_steps(a["strides"]), **_padding(s, op, x, a, height)}
    if dilation > 1 and height > 1:
        options["dilation"] = str(dilation)
    if a["groups"] > 1:
        options["groups"] = str(a["groups"])
    return Part("convolutional", op.output, x, options, {"biases": _biases(s, op, n), "weights": weights})


def _padded(s: Finder, x: Value, pads: tuple[int, ...]) -> tuple[Value, tuple[int, ...]]:
    """What a node that pads reads, and its paddings with those of a window on it."""
    pad = s.m.producers[x]
    return pad.inputs[0], tuple(p + q for p, q in zip(pads, pad.attrs["pads"], strict=True))


def _padding(s: Finder, op: Op, x: Value, a: Mapping[str, tuple[int, ...]], size: int) -> dict[str, str]:
    """The padding of a convolution, which Darknet has the same on all sides; what no window reaches is any."""
    top, left, _, _ = a["pads"]
    dilation = a["dilations"][0] if size > 1 else 1
    counts = [(n + 2 * top - dilation * (size - 1) - 1) // step + 1
              for n, step in zip(x.shape[1:], a["strides"], strict=True)]  # fmt: skip
    if top != left or top % dilation or counts != list(op.output.shape[1:]):
        raise s.refuse(op, f"paddings of {a['pads']}, and Darknet has one on all sides")
    padding = top // dilation
    return {"pad": "1"} if padding == size // 2 else {"pad": "0", "padding": str(padding)}


def find_connected(s: Finder, op: Op, value: Value | None = None, biases: np.ndarray | None = None) -> Part:
    """[connected]; `biases` are those that a later operation adds, which gives `value`."""
    weights = s.needed(op, 1)
    arrays = {"biases": _biases(s, op, len(weights)) if biases is None else biases, "weights": weights}
    return Part("connected", value or op.output, op.inputs[0], {"output": str(len(weights))}, arrays)


def _biases(s: Finder, op: Op, count: int) -> np.ndarray:
    return s.needed(op, 2) if len(op.inputs) > 2 else np.zeros(count, np.float32)


# -- a factor and an offset for each channel -----------------------------------------------------------------------


def find_batchnorm(s: Finder, op: Op) -> Part:
    """[batchnorm]."""
    scale, bias, mean, variance = (s.needed(op, i).astype(np.float64) for i in range(1, 5))
    if len(op.inputs[0].shape) != 3:
        raise s.refuse(op, "Darknet normalizes images")
    rescaled = scale * np.sqrt(variance + ALEXEYAB.epsilon) / np.sqrt(variance + op.attrs["epsilon"])
    return _batchnorm(op.output, op.inputs[0], bias, rescaled, mean, variance)


def find_affine(s: Finder, op: Op) -> Part | None:
    """A factor or an offset for each channel: a batch normalization that was computed."""
    fixed = [i for i, v in enumerate(op.inputs) if s.m.constant(v) is not None]
    if len(fixed) != 1:
        return None
    given, x = s.needed(op, fixed[0]), op.inputs[1 - fixed[0]]
    if s.m.kind(x) == "linear" and op.kind == "add" and given.shape == x.shape:
        return find_connected(s, s.m.producers[x], op.output, given)
    if s.m.kind(x) == "upsample" and op.kind == "mul" and given.size == 1:
        larger = s.m.producers[x]
        options = {"stride": str(larger.attrs["scale"][0]), "scale": in_cfg(given)}
        return s.lowered("upsample", options, larger.inputs[0], op.output)
    channels = x.shape[0]
    if len(x.shape) != 3 or given.size not in (1, channels) or given.shape[1:] not in ((), (1, 1)):
        return None
    line = _line(op.kind, np.broadcast_to(given.reshape(-1), (channels,)).astype(np.float64), first=fixed == [0])
    if line is None:
        return None
    factor, offset = line
    ones, zeros = np.ones_like(factor), np.zeros_like(factor)
    return _batchnorm(op.output, x, offset, factor * math.sqrt(1 + ALEXEYAB.epsilon), zeros, ones)


def _line(kind: str, given: np.ndarray, *, first: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """What an operation with a constant, its first operand or its second, multiplies with and adds."""
    ones, zeros = np.ones_like(given), np.zeros_like(given)
    if kind == "mul":
        return given, zeros
    if kind == "div":
        return None if first else (1 / given, zeros)
    if kind == "add":
        return ones, given
    return (-ones, given) if first else (ones, -given)


def _batchnorm(
    value: Value, x: Value, biases: np.ndarray, scales: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> Part:
    arrays = {"biases": biases, "scales": scales, "mean": mean, "variance": variance}
    return Part("batchnorm", value, x, {}, {role: array.astype(np.float32) for role, array in arrays.items()})


# -- windows -----------------------------------------------------------------------------------------------------


def _steps(strides: tuple[int, int]) -> dict[str, str]:
    down, across = strides
    return {"stride": str(down)} if down == across else {"stride_y": str(down), "stride_x": str(across)}


def find_pool(s: Finder, op: Op, section: str) -> Part:
    """[maxpool] and [local_avgpool]: the padding with which Darknet has as many windows from the same corner."""
    x, a = op.inputs[0], dict(op.attrs)
    if section == "maxpool" and s.m.kind(x) == "pad" and s.m.producers[x].attrs["value"] <= -HUGE:
        x, a["pads"] = _padded(s, x, a["pads"])
    (size, width), (top, left, _, _), strides = a["kernel"], a["pads"], a["strides"]
    for padding in (2 * top, 2 * top + 1) if size == width and top == left else ():
        try:
            counts = [
                AxisWindows.of(n, size, step, padding).count for n, step in zip(x.shape[1:], strides, strict=True)
            ]
        except ValueError:
            continue
        if counts == list(op.output.shape[1:]):
            return Part(section, op.output, x, {"size": str(size), **_steps(strides), "padding": str(padding)})
    raise s.refuse(op, f"windows of {a['kernel']} with paddings {a['pads']}: Darknet's are square")


def find_avgpool(s: Finder, op: Op) -> Part | None:
    """[avgpool]."""
    whole = tuple(op.attrs["axes"]) == (1, 2) and len(op.inputs[0].shape) == 3
    return Part("avgpool", op.output, op.inputs[0]) if whole else None


def find_upsample(s: Finder, op: Op) -> Part | None:
    """[upsample]."""
    down, across = op.attrs["scale"]
    return Part("upsample", op.output, op.inputs[0], {"stride": str(down)}) if down == across else None


def find_softmax(s: Finder, op: Op) -> Part | None:
    """A softmax over all numbers, over equal groups of them, or over channels; maybe of a quotient."""
    inner = op
    while inner.kind == "reshape":
        before = s.m.producers.get(inner.inputs[0])
        if before is None:
            return None
        inner = before
    if inner.kind != "softmax":
        return None
    shape, axis = inner.output.shape, inner.attrs["axis"]
    over, groups = math.prod(shape[axis + 1 :]) == 1, math.prod(shape[:axis])
    x, options = inner.inputs[0], {}
    if not over and not (len(shape) == 3 and axis == 0):
        raise s.refuse(inner, "a softmax over the middle of an array")
    if groups > 1:
        options["groups"] = str(groups)
    if not over:
        options["spatial"] = "1"
    divided = s.m.producers.get(x)
    if over and divided is not None and divided.kind == "div":
        by = s.m.constant(divided.inputs[1])
        if by is not None and by.size == 1:
            options["temperature"], x = in_cfg(by), divided.inputs[0]
    return Part("softmax", op.output, x, options)


# -- values of layers together -------------------------------------------------------------------------------------


def find_route(s: Finder, op: Op) -> Part | None:
    """[route] of several layers."""
    if op.attrs["axis"] != 0 or _fixed(s, *op.inputs):
        return None
    return Part("route", op.output, op.inputs[0], others=op.inputs, key="layers")


def refuse_class_tree(s: Finder, op: Op) -> None:
    """Raise `DataError` for a softmax of each of some unequal parts of a vector: the tree that says so is not there."""
    made = [s.m.producers.get(v) for v in op.inputs]
    parts = [s.m.producers.get(o.inputs[0]) for o in made if o is not None and o.kind == "softmax"]
    vectors = {o.inputs[0] for o in parts if o is not None and o.kind == "slice" and len(o.output.shape) == 1}
    if len(parts) == len(made) and len(vectors) == 1 and len({v.shape for v in op.inputs}) > 1:
        raise s.refuse(op, "a softmax for each group of a class tree, and the file lacks the tree, which a cfg names")


def find_group(s: Finder, op: Op) -> Part | None:
    """[route] with groups."""
    x, a = op.inputs[0], op.attrs
    if a["axes"] != (0,) or a["steps"] != (1,) or len(x.shape) not in (1, 3):
        return None
    size, start = a["stops"][0] - a["starts"][0], a["starts"][0]
    groups = x.shape[0] // size
    whole = x.shape[0] % size == 0 or (len(x.shape) == 1 and x.shape[0] // groups == size)  # numbers may be left over
    if not whole or start % size:
        raise s.refuse(op, f"channels {start} to {a['stops'][0] - 1} of {x.shape[0]}: Darknet takes equal parts")
    options = {"groups": str(groups), "group_id": str(start // size)}
    return Part("route", op.output, x, options, others=(x,), key="layers")


def find_shortcut(s: Finder, op: Op) -> Part | None:
    """[shortcut]."""
    a, b = op.inputs
    if not _are_images(a, b) or a.shape != b.shape or _fixed(s, a, b):
        return None
    main, term = (b, _whole_term(s, a)) if _whole_term(s, a) is not a else (a, _whole_term(s, b))
    return Part("shortcut", op.output, main, others=(term,), key="from")


def find_smaller_shortcut(s: Finder, op: Op) -> Part | None:
    """[shortcut] of a layer with fewer channels, which is added to the first ones."""
    added = s.m.producers.get(op.inputs[0])
    rest = s.m.producers.get(op.inputs[-1])
    if added is None or rest is None or (added.kind, rest.kind, len(op.inputs)) != ("add", "slice", 2):
        return None
    x, channels = rest.inputs[0], added.output.shape[0]
    if len(x.shape) != 3 or not _is_part(rest, channels, x.shape[0]):
        return None
    for head, term in (added.inputs, added.inputs[::-1]):
        first = s.m.producers.get(head)
        if first is not None and first.inputs[0] is x and _is_part(first, 0, channels) and term.shape == head.shape:
            return Part("shortcut", op.output, x, others=(term,), key="from")
    return None


def _is_part(op: Op, start: int, stop: int) -> bool:
    """Whether an operation takes these channels."""
    told = tuple(op.attrs.get(key) for key in ("axes", "starts", "stops", "steps"))
    return op.kind == "slice" and told == ((0,), (start,), (stop,), (1,))


def _whole_term(s: Finder, x: Value) -> Value:
    """What the first channels of are added, which a shortcut does by itself."""
    op = s.m.producers.get(x)
    if op is None or op.kind != "slice":
        return x
    first = (op.attrs["axes"], op.attrs["starts"], op.attrs["steps"]) == ((0,), (0,), (1,))
    return op.inputs[0] if first and op.inputs[0].shape[0] % x.shape[0] else x


def find_gate(s: Finder, op: Op) -> Part | None:
    """[sam] and [scale_channels]."""
    a, b = op.inputs
    if not _are_images(a, b) or _fixed(s, a, b):
        return None
    if a.shape == b.shape:
        return Part("sam", op.output, a, others=(b,), key="from")
    for scale, x in ((a, b), (b, a)):
        if scale.shape == (x.shape[0], 1, 1):
            return Part("scale_channels", op.output, scale, others=(x,), key="from")
        if scale.shape == (1, *x.shape[1:]):
            return Part("scale_channels", op.output, scale, {"scale_wh": "1"}, others=(x,), key="from")
    return None


def _fixed(s: Finder, *values: Value) -> bool:
    return any(v in s.network.graph.data for v in values)


def _are_images(*values: Value) -> bool:
    return all(len(v.shape) == 3 for v in values)
