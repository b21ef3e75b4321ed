"""A graph in onnxruntime's blocked layout: channels in blocks of one SIMD register, as its own optimizer lays them out.

Decision: we write the blocked operators ourselves (domain com.microsoft.nchwc). onnxruntime does it only for what its
pattern matching knows, and goes back to the plain layout, which is two copies, at each activation after an addition,
at Mish, at squeeze and excitation, and at groups of few channels. The model fits this machine's registers: it is for a
session, never for a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from ...files import scratch
from ...ir.graph import Graph
from ...onnx.emitter import IR_VERSION, OPSET, Emitter
from ...onnx.operators import EMITTERS, need_weights
from .blocked_conv import write_conv, write_untile
from .blocked_emitter import MICROSOFT, NCHWC, BlockedEmitter
from .fusion import fuse_convolutions

# What is computed element by element, so that the order of elements does not matter. FINITE stays finite in the lanes
# that fill the last block, where a NaN would win over the weight 0 that it meets.
FINITE = frozenset("add sub mul maximum clip leaky_relu elu relu sigmoid tanh mish swish floor ceil".split())
ELEMENTWISE = FINITE | {"div", "power", "exp", "sqrt"}

WRITERS = {"conv": write_conv, "untile": write_untile}


def write_blocked(graph: Graph, block: int) -> BlockedEmitter:
    """An optimized graph as a model for onnxruntime on a CPU whose blocks have `block` channels, still in parts."""
    need_weights(graph)
    fused = fuse_convolutions(graph)
    swallowed = {op for f in fused.values() for op in f.swallowed}
    e = BlockedEmitter(graph, block)

    def emit(_: Emitter) -> None:
        plan = fused.get(e.op)
        if e.op in swallowed:
            return
        if plan is not None and (name := WRITERS[plan.conv.kind](e, plan)):
            if plan.negated:
                e.in_blocks(lambda _: _mish_of_negated(e, name))
            return
        for op in plan.ops if plan is not None else (e.op,):
            e.op = op
            if not _write_blocked(e):
                PLAIN[op.kind](e)
                e.is_plain(op.output)

    e.write(dict.fromkeys(PLAIN, emit))
    return e


@cache
def block_size() -> int | None:
    """Channels in a block of onnxruntime's layout on this machine, as its optimizer shows them; None if it has none."""
    w = numpy_helper.from_array(np.zeros((1, 64, 1, 1), np.float32), "w")
    x, y = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, c, 4, 4]) for n, c in (("x", 64), ("y", 1)))
    body = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "probe", [x], [y], [w])
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    with scratch() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.optimized_model_filepath = str(folder / "probe.onnx")
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        optimized = onnx.load(options.optimized_model_filepath)
    weights = {n.input[1] for n in optimized.graph.node if n.domain == NCHWC and n.op_type == "Conv"}
    return next((i.dims[0] for i in optimized.graph.initializer if i.name in weights), None)


# -- element by element ------------------------------------------------------------------------------------------


def _swish(e: Emitter) -> None:
    e.node("QuickGelu", [e.x()], alpha=1.0, domain=MICROSOFT)


def _mish(e: Emitter) -> None:
    _mish_of_negated(e, e.node("Neg", [e.x()], "negated"))


def _mish_of_negated(e: Emitter, z: str) -> None:
    """With z = -x and q = sigmoid(z): tanh(log(1 + e^x)) = 2 / (1 + q q) - 1, and x times that is z - 2 z / (1 + q q).

    Five passes over the elements; (1 + q q) / 2 is a HardSigmoid, which onnxruntime computes in one. Off by a rounding
    of x, as x itself is.
    """
    q = e.node("Sigmoid", [z], "sigmoid")
    half = e.node("HardSigmoid", [e.node("Mul", [q, q], "square")], "half", alpha=0.5, beta=0.5)
    e.node("Sub", [z, e.node("Div", [z, half], "twice")])


PLAIN = {**EMITTERS, "swish": _swish, "mish": _mish}


# -- in blocks ---------------------------------------------------------------------------------------------------


def _write_blocked(e: BlockedEmitter) -> bool:
    """Write the current operation in blocks, or return False."""
    if len(e.op.output.shape) != 3 or not any(e.is_blocked(v) for v in e.op.inputs):
        return False
    if e.op.kind in ELEMENTWISE:
        return _elementwise(e)
    rule = RULES.get(e.op.kind)
    return rule is not None and rule(e)


def _elementwise(e: BlockedEmitter) -> bool:
    shape = e.op.output.shape
    if e.op.kind in ("mul", "add") and _by_channel(e):
        return True
    if e.op.kind not in FINITE and shape[0] % e.block:
        return False
    for value in e.op.inputs:
        if not value.batched and np.prod(value.shape) != 1:
            return False
        if value.batched and (value.shape != shape or not e.can_block(value)):
            return False
    e.in_blocks(PLAIN[e.op.kind])
    return True


def _by_channel(e: BlockedEmitter) -> bool:
    """An image with one number for each channel, which is repeated along a row: the runtime is slow on short runs."""
    x, scale = sorted(e.op.inputs, key=lambda v: -math.prod(v.shape))
    channels, height, width = e.op.output.shape
    if x.shape != e.op.output.shape or scale.shape != (channels, 1, 1) or height * width == 1:
        return False
    if not (x.batched and scale.batched and e.can_block(x) and e.can_block(scale)):
        return False
    blocks, row = e.padded(channels) // e.block, width * e.block

    def shaped(source: str, suffix: str, *shape: int) -> str:
        return e.block_node("Reshape", [source, e.integers(0, *shape)], suffix, domain="")

    one = shaped(e.blocked(scale), "one", blocks, 1, 1, e.block)
    repeated = e.block_node("Expand", [one, e.integers(1, blocks, 1, width, e.block)], "repeated", domain="")
    rows = [shaped(e.blocked(x), "rows", blocks, height, row), shaped(repeated, "row", blocks, 1, row)]
    y = e.block_node("Mul" if e.op.kind == "mul" else "Add", rows, "scaled", domain="")
    e.block_node("Reshape", [y, e.integers(0, e.padded(channels), height, width)], domain="")
    return True


def _concat(e: BlockedEmitter) -> bool:
    if e.op.attrs["axis"] or any(v.shape[0] % e.block for v in e.op.inputs[:-1]):
        return False
    if not all(e.can_block(v) for v in e.op.inputs):
        return False
    e.in_blocks(EMITTERS["concat"])
    return True


def _slice(e: BlockedEmitter) -> bool:
    """Whole blocks."""
    a, channels = e.op.attrs, e.op.inputs[0].shape[0]
    if a["axes"] != (0,) or a["steps"] != (1,):
        return False
    start, stop = a["starts"][0], a["stops"][0]
    if start % e.block or (stop % e.block and stop != channels):
        return False
    bounds = (e.integers(n) for n in (start, e.padded(stop), 1))
    e.block_node("Slice", [e.blocked(e.op.inputs[0]), *bounds], domain="")
    return True


def _max_pool(e: BlockedEmitter) -> bool:
    a = e.op.attrs
    if any(p >= k for p, k in zip(a["pads"], a["kernel"] * 2, strict=True)):
        return False
    x = e.blocked(e.op.inputs[0])
    e.block_node("MaxPool", [x], kernel_shape=a["kernel"], strides=a["strides"], pads=a["pads"])
    return True


def _avg_pool(e: BlockedEmitter) -> bool:
    a, x = e.op.attrs, e.blocked(e.op.inputs[0])
    e.block_node(
        "AveragePool", [x], kernel_shape=a["kernel"], strides=a["strides"], pads=a["pads"], count_include_pad=0
    )
    return True


def _reduce_mean(e: BlockedEmitter) -> bool:
    if e.op.attrs["axes"] != (1, 2):
        return False
    e.block_node("GlobalAveragePool", [e.blocked(e.op.inputs[0])])
    return True


def _upsample(e: BlockedEmitter) -> bool:
    scales = (1, 1, *e.op.attrs["scale"])
    e.block_node("Upsample", [e.blocked(e.op.inputs[0])], scales=scales, mode="nearest")
    return True


RULES: dict[str, Callable[[BlockedEmitter], bool]] = {
    "concat": _concat,
    "slice": _slice,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "reduce_mean": _reduce_mean,
    "upsample": _upsample,
}
