"""What training does differently from inference, read off compiled layers: plain data for whoever trains the graph.

Decision: CUDA's meaning, which trained every published network, surprises included, because results depend on them:
gradients of weighted shortcuts and of activations across channels without their cross terms, the clipped delta of
[connected], the divided one of [scale_channels] with `scale_wh`.

Not copied, each because it is a slip that helps nobody (../shared/facts/training.md, section 13):

- gelu's derivative at the output instead of the input (activations.c gelu_gradient): ours is the true one;
- the gradient of [local_avgpool], which is wrong in Darknet on CPU and GPU in different ways: ours is the true one;
- the bias gradient of a normalized [connected], which CUDA adds twice (connected_layer.c and cuDNN);
- what the CPU loses: deltas that a convolution overwrites, the bias gradient of batch normalization, the source of
  [sam], stale deltas of layers that do not train, the missing blur in the backward pass of `antialiasing`;
- the activation gradient of a layer before a [dropout], which Darknet takes from what was dropped and scaled in place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..ir.builder import Builder
from ..ir.graph import Graph, LayerInfo, Op, Value
from ..ir.training import Chained, ClipGradient, Dropout, Rule, ScaleGradient, Slope, StopGradient, Training
from .compile import Compilation
from .layers import passthrough
from .layers.activations import activate
from .layers.attention import ScaleChannels
from .layers.connected import Connected
from .layers.layer import Layer, layer_of
from .layers.shortcut import Shortcut

RAMP = 0.85  # dropout_layer_kernels.cu: what part of max_batches dropblock grows in
BLOCK = 7.0  # dropout_layer.c make_dropout_layer, where no size is given
CONNECTED_LIMIT = 1.0  # connected_layer.c backward_connected_layer_gpu
FIXED_LIMIT = 1.0  # convolutional_kernels.cu backward_convolutional_layer_gpu, with try_fix_nan

# activation_kernels.cu: what CUDA takes for the gradients of activations across channels.
ACROSS_CHANNELS: Mapping[str, Slope] = {
    "normalize_channels": "positive share",
    "normalize_channels_softmax": "softmax share",
    "normalize_channels_softmax_maxval": "softmax share",
}
KINKED: Mapping[str, Slope] = {"hard_mish": "hard_mish", "plse": "plse", "lhtan": "lhtan", "stair": "stair"}

Rules = dict[Value, tuple[Rule, ...]]


def training_of(compilation: Compilation, *, quirks: bool = True) -> Training:
    r"""The graph of a compiled cfg to be trained, and what training computes differently.

    Its values are those of the compiled graph, but for outputs of [dropout], which are values of their own. Without
    `quirks`, gradients are true derivatives where CUDA's are not (see above).

    >>> from .compile import compile_cfg
    >>> text = "[net]\nwidth=8\nheight=8\nchannels=3\n[connected]\noutput=4\n[dropout]\nprobability=.5\n"
    >>> for rules in training_of(compile_cfg(text)).rules.values():
    ...     print(*rules)
    Dropout(probability=0.5, block=None, ramp=0.0)
    ClipGradient(limit=1.0, finite=False)
    """
    graph, rules = compilation.graph, Rules()
    for info in compilation.graph.layers:
        layer = layer_of(info)
        if isinstance(layer, passthrough.Dropout):
            graph, value = _in_place(graph, info.index)
            _add(rules, value, dropout_rule(layer, value, compilation.net.max_batches))
        elif quirks and isinstance(layer, ScaleChannels) and layer.scale_wh:
            graph, value = _with_attention(graph, info)
            _add(rules, value, ScaleGradient(1 / (value.shape[1] * value.shape[2])))
    by_layer: dict[int, list[Op]] = {}
    for op in graph.ops:
        by_layer.setdefault(op.layer, []).append(op)
    for info in graph.layers:
        ops = by_layer.get(info.index, [])
        for value, rule in (*_kinks(layer_of(info), ops), *(_quirks(layer_of(info), info, ops) if quirks else ())):
            _add(rules, value, rule)
        if compilation.net.try_fix_nan and layer_of(info).family == "convolution":
            _add(rules, info.output, ClipGradient(FIXED_LIMIT, finite=True))
    graph = _only_forward(graph, rules)
    stopped, until = _stop(graph)
    for info in graph.layers[: stopped + 1]:
        _add(rules, info.output, StopGradient(until))
    return Training(graph, rules, stopped if until == math.inf else 0)


def dropout_rule(layer: passthrough.Dropout, value: Value, max_batches: int) -> Dropout:
    """What a [dropout] of a value does (dropout_layer.c, dropout_layer_kernels.cu)."""
    if not layer.dropblock or len(value.shape) != 3:
        return Dropout(layer.probability)
    side, relative = layer.dropblock_size_abs or BLOCK, layer.dropblock_size_rel
    block = (relative * value.shape[1], relative * value.shape[2]) if relative else (side, side)
    return Dropout(layer.probability, block, RAMP * max_batches)


def _add(rules: Rules, value: Value, rule: Rule) -> None:
    rules[value] = (*rules.get(value, ()), rule)


# -- values of their own -----------------------------------------------------------------------------------------


def _same(of: Value, name: str, layer: int) -> Op:
    """An operation that gives its operand as another value: nothing is computed, and a rule has a place."""
    return Op("reshape", (of,), Value(name, of.shape, of.batched), {"shape": of.shape}, layer)


def _in_place(graph: Graph, index: int) -> tuple[Graph, Value]:
    """The graph where a layer's output, which is that of the layer before, is a value that later layers read.

    Darknet drops in place: whoever reads the layer before after the [dropout] sees what was dropped. (A layer that
    reads both this and a copy made by a [route] before it takes this for both.)
    """
    info = graph.layer(index)
    before, dropped = info.output, f"{info.name}.dropped"
    same = _same(before, dropped, index)
    memory = {index, *_sharing(graph, info.inputs[0])}
    for later in graph.layers:
        if later.index > index and later.output is before and memory.intersection(later.inputs):
            memory.add(later.index)
    readers = {i.index for i in graph.layers if i.index > index and memory.intersection(i.inputs)}
    at = next((n for n, op in enumerate(graph.ops) if op.layer > index), len(graph.ops))
    after = tuple(_reading(op, before, same.output) if op.layer in readers else op for op in graph.ops[at:])
    layers = tuple(
        replace(i, output=same.output) if i.index >= index and i.index in memory else i for i in graph.layers
    )
    ends = {i.output for i in layers if i.index >= index}
    outputs = tuple(same.output if v is before and same.output in ends and v not in ends else v for v in graph.outputs)
    return replace(graph, ops=(*graph.ops[:at], same, *after), layers=layers, outputs=outputs), same.output


def _sharing(graph: Graph, index: int) -> Iterator[int]:
    """The layers whose output lies where that of a layer does: Darknet gives [dropout] and [empty] no memory."""
    yield index
    info = graph.layer(index)
    if isinstance(layer_of(info), passthrough.Dropout | passthrough.Empty):
        yield from _sharing(graph, info.inputs[0])


def _with_attention(graph: Graph, info: LayerInfo) -> tuple[Graph, Value]:
    """The graph where what a [scale_channels] multiplies with is a value of its own."""
    attention = graph.layer_inputs(info)[0]
    same = _same(attention, f"{info.name}.attention", info.index)
    at = next(n for n, op in enumerate(graph.ops) if op.layer == info.index and op.kind == "mul")
    op = _reading(graph.ops[at], attention, same.output)
    return replace(graph, ops=(*graph.ops[:at], same, op, *graph.ops[at + 1 :])), same.output


def _reading(op: Op, value: Value, other: Value) -> Op:
    return replace(op, inputs=tuple(other if v is value else v for v in op.inputs)) if value in op.inputs else op


# -- gradients ---------------------------------------------------------------------------------------------------


def _kinks(layer: Layer, ops: list[Op]) -> Iterator[tuple[Value, Rule]]:
    """The derivatives of activations that are written with clips and floors, kinks included."""
    name = getattr(layer, "activation", "")
    if slope := KINKED.get(name):
        yield from ((result, Chained(source, slope)) for source, result in _activations(name, ops))


def _quirks(layer: Layer, info: LayerInfo, ops: list[Op]) -> Iterator[tuple[Value, Rule]]:
    """Where CUDA's gradients within a layer are no derivatives; its own operations are given."""
    name = getattr(layer, "activation", "")
    if slope := ACROSS_CHANNELS.get(name):
        yield from ((result, Chained(source, slope)) for source, result in _activations(name, ops))
    if isinstance(layer, Shortcut) and layer.weights_type != "none":
        weights: Slope = "softmax share" if layer.weights_normalization == "softmax" else "share"
        for op in ops:
            if op.kind == "div" and not op.output.batched:
                yield op.output, Chained(_weights(ops), weights)
    if isinstance(layer, Connected) and any(op.output is info.output for op in ops):
        yield info.output, ClipGradient(CONNECTED_LIMIT)


def _activations(name: str, ops: list[Op]) -> Iterator[tuple[Value, Value]]:
    """What each application of an activation reads and gives: its operations follow one another in a layer."""
    b = Builder()
    x = b.input("x", (1, 1, 1))
    activate(b, x, name)
    kinds, place = [op.kind for op in b.ops], b.ops[0].inputs.index(x)
    for start in range(len(ops) - len(kinds) + 1):
        part = ops[start : start + len(kinds)]
        if [op.kind for op in part] == kinds:
            yield part[0].inputs[place], part[-1].output


def _weights(ops: list[Op]) -> Value:
    """The weights of a shortcut: what the first of its operations reads."""
    return ops[0].inputs[0]


# -- what is not trained -----------------------------------------------------------------------------------------


def _only_forward(graph: Graph, rules: Rules) -> Graph:
    """The graph and, by `rules`, no gradients through layers with `onlyforward`."""
    for info in graph.layers:
        if not layer_of(info).onlyforward:
            continue
        own = any(op.output is info.output and op.layer == info.index for op in graph.ops)
        if not own:
            graph, value = _in_place(graph, info.index)
            _add(rules, value, StopGradient())
        else:
            _add(rules, info.output, StopGradient())
    return graph


def _stop(graph: Graph) -> tuple[int, float]:
    """The last layer that no backward pass reaches, -1 if there is none, and the iteration from which one does.

    network.c backward_network_gpu: 1 is for ever, and Darknet builds the layers before it for inference.
    """
    found = [(info.index, layer_of(info).stopbackward) for info in graph.layers if layer_of(info).stopbackward > 0]
    if not found:
        return -1, 0
    index, until = found[-1]
    return index, math.inf if until == 1 else until
