"""Every primitive in every runtime: as many variants as a lowering may ask for, each a graph of one operation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from agree import RUNTIMES, agree

from darknet_py.backends.session import open_session
from darknet_py.ir import PRIMITIVES, Graph, Value
from darknet_py.ir.builder import Builder
from darknet_py.ir.kernels import KERNELS
from darknet_py.onnx.operators import EMITTERS, OPERATORS, to_onnx

Body = Callable[[Builder, Value], Value]
RNG = np.random.default_rng(7)
IMAGE = (4, 9, 11)


def numbers(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, np.float32)


def graph_of(body: Body, shape: tuple[int, ...] = IMAGE) -> Graph:
    b = Builder()
    x = b.input("images", shape)
    b.enter(0, "test")
    y = body(b, x)
    return Graph(x, tuple(b.ops), (), (), (y,), data=b.data)


def unary(kind: str, **attrs: float) -> Body:
    return lambda b, x: b.op(kind, x, **attrs)


def binary(kind: str, other: object, first: bool = False) -> Body:
    def body(b: Builder, x: Value) -> Value:
        y = b.const(other)  # type: ignore[arg-type]
        return b.op(kind, y, x) if first else b.op(kind, x, y)

    return body


def conv(n: int, k: tuple[int, int], bias: bool = False, channels: int = 4, groups: int = 1, **attrs: object) -> Body:
    def body(b: Builder, x: Value) -> Value:
        w = b.const(numbers(n, channels // groups, *k))
        return b.op("conv", x, w, *([b.const(numbers(n))] if bias else []), groups=groups, **attrs)

    return body


def conv_transpose(k: tuple[int, int], bias: bool = False, **attrs: object) -> Body:
    def body(b: Builder, x: Value) -> Value:
        return b.op("conv_transpose", x, b.const(numbers(4, 3, *k)), *([b.const(numbers(3))] if bias else []), **attrs)

    return body


def batch_norm(outside: bool) -> Body:
    def body(b: Builder, x: Value) -> Value:
        c = x.shape[0]
        stored = [numbers(c), numbers(c), numbers(c), np.float32(RNG.random(c) * 1e-3)]
        return b.op("batch_norm", x, *map(b.const, stored), epsilon=1e-5, outside=outside)

    return body


def pool(kind: str, k: tuple[int, int], s: tuple[int, int], pads: tuple[int, ...]) -> Body:
    return lambda b, x: b.op(kind, x, kernel=k, strides=s, pads=pads)


def bordered(b: Builder, x: Value) -> Value:
    border = b.const(numbers(2, 9, 11))
    y = b.op("repeat_batch", border, x)
    return b.concat([border, y, b.op("relu", x), border, y])


def implicit(b: Builder, x: Value) -> Value:
    return b.concat([b.op("leaky_relu", x, slope=0.1), b.const(numbers(2, 9, 11))])


VECTOR = (12,)
CASES: dict[str, list[tuple[Body, tuple[int, ...]]]] = {
    "conv": [
        (conv(6, (3, 3), bias=True), IMAGE),
        (conv(6, (1, 1)), IMAGE),
        (conv(6, (3, 3), strides=(2, 1), pads=(1, 1, 1, 1)), IMAGE),
        (conv(6, (3, 3), dilations=(2, 2), pads=(2, 2, 2, 2)), IMAGE),
        (conv(8, (3, 3), groups=4, pads=(1, 1, 1, 1)), IMAGE),
        (conv(8, (3, 3), groups=2, pads=(1, 1, 1, 1)), IMAGE),
        (conv(5, (5, 5), pads=(0, 1, 4, 2)), IMAGE),
        (conv(5, (3, 3), pads=(4, 4, 4, 4)), IMAGE),
    ],
    "conv_transpose": [
        (conv_transpose((3, 3), bias=True), IMAGE),
        (conv_transpose((4, 4), strides=(2, 2), pads=(1, 1, 1, 1)), IMAGE),
        (conv_transpose((3, 3), strides=(2, 2), pads=(1, 1, 0, 0)), IMAGE),
    ],
    "linear": [
        (lambda b, x: b.op("linear", x, b.const(numbers(5, 12)), b.const(numbers(5))), VECTOR),
        (lambda b, x: b.op("linear", x, b.const(numbers(5, 12))), VECTOR),
    ],
    "matmul": [
        (lambda b, x: b.op("matmul", b.const(numbers(4, 3, 9)), x), IMAGE),
        (lambda b, x: b.op("matmul", x, b.const(numbers(4, 11, 2))), IMAGE),
        (lambda b, x: b.op("matmul", x, b.op("transpose", x, order=(0, 2, 1))), IMAGE),
    ],
    "batch_norm": [(batch_norm(o), shape) for o in (False, True) for shape in (IMAGE, VECTOR)],
    **{
        kind: [
            (binary(kind, 1.5), IMAGE),
            (binary(kind, 1.5, first=True), IMAGE),
            (binary(kind, numbers(4, 1, 1) + 3), IMAGE),
            (binary(kind, numbers(1, 9, 11) + 4, first=True), IMAGE),
            (binary(kind, numbers(12), first=kind != "div"), VECTOR),
            (binary(kind, 2.5), VECTOR),
            (lambda b, x, kind=kind: b.op(kind, x, b.op("reduce_sum", b.op("exp", x), axes=(0,))), IMAGE),
            (lambda b, x, kind=kind: b.op(kind, b.op("reduce_max", x, axes=(1, 2)), b.op("exp", x)), IMAGE),
            (lambda b, x, kind=kind: b.op(kind, x, b.op("exp", x)), IMAGE),
        ]
        for kind in ("add", "sub", "mul", "div", "maximum")
    },
    "clip": [(unary("clip", low=0.0, high=6.0), IMAGE), (unary("clip", low=-2.0, high=0.5), IMAGE),
             (unary("clip", low=0.25, high=float("inf")), IMAGE)],
    "leaky_relu": [(unary("leaky_relu", slope=0.1), IMAGE), (unary("leaky_relu", slope=0.01), VECTOR)],
    "elu": [(unary("elu", alpha=1.0), IMAGE), (unary("elu", alpha=1.6732), IMAGE)],
    "power": [(unary("power", exponent=3.0), IMAGE), (unary("power", exponent=2.0), IMAGE),
              (lambda b, x: b.op("power", b.op("exp", x), exponent=-0.75), IMAGE)],
    **{
        kind: [(unary(kind), IMAGE), (unary(kind), VECTOR)]
        for kind in ("relu", "sigmoid", "tanh", "mish", "swish", "exp", "floor", "ceil")
    },
    "sqrt": [(lambda b, x: b.op("sqrt", b.op("exp", x)), IMAGE)],
    "max_pool": [
        (pool("max_pool", (2, 2), (2, 2), (0, 0, 1, 1)), IMAGE),
        (pool("max_pool", (2, 2), (1, 1), (0, 0, 1, 1)), IMAGE),
        (pool("max_pool", (13, 13), (1, 1), (6, 6, 6, 6)), IMAGE),
        (pool("max_pool", (3, 2), (2, 1), (1, 0, 1, 1)), IMAGE),
        (pool("max_pool", (3, 3), (2, 2), (1, 1, 2, 2)), IMAGE),
        (pool("max_pool", (1, 1), (1, 1), (0, 0, 0, 0)), IMAGE),
        (pool("max_pool", (2, 2), (2, 2), (5, 5, 6, 6)), IMAGE),
    ],
    "avg_pool": [
        (pool("avg_pool", (2, 2), (2, 2), (0, 0, 0, 0)), IMAGE),
        (pool("avg_pool", (3, 3), (2, 2), (1, 1, 1, 1)), IMAGE),
        (pool("avg_pool", (3, 3), (1, 1), (1, 0, 2, 1)), IMAGE),
        (pool("avg_pool", (9, 11), (1, 1), (0, 0, 0, 0)), IMAGE),
    ],
    **{
        kind: [(lambda b, x, kind=kind, axes=axes: b.op(kind, x, axes=axes), shape)
               for axes, shape in (((0,), IMAGE), ((1, 2), IMAGE), ((0, 1, 2), IMAGE), ((0,), VECTOR))]
        for kind in ("reduce_max", "reduce_mean", "reduce_sum")
    },
    "softmax": [(lambda b, x, axis=axis: b.op("softmax", x, axis=axis), shape)
                for axis, shape in ((0, IMAGE), (2, IMAGE), (1, IMAGE), (0, VECTOR))],
    "concat": [
        (lambda b, x: b.concat([x, b.op("relu", x), x]), IMAGE),
        (lambda b, x: b.concat([x, b.op("relu", x)], axis=2), IMAGE),
        (lambda b, x: b.concat([x, b.op("relu", x)]), VECTOR),
        (implicit, IMAGE),
        (bordered, IMAGE),
    ],
    "slice": [
        (lambda b, x: b.slice(x, 0, 1, 3), IMAGE),
        (lambda b, x: b.slice(x, 2, 1, 11, 3), IMAGE),
        (lambda b, x: b.op("slice", x, axes=(0, 2), starts=(0, 2), stops=(4, 9), steps=(2, 2)), IMAGE),
        (lambda b, x: b.slice(x, 0, 3, 7), VECTOR),
    ],
    "pad": [
        (lambda b, x: b.op("pad", x, pads=(1, 0, 2, 3), value=0.0), IMAGE),
        (lambda b, x: b.op("pad", x, pads=(1, 1, 1, 1), value=-1.0), IMAGE),
    ],
    "reshape": [
        (lambda b, x: b.flatten(x), IMAGE),
        (lambda b, x: b.reshape(x, 2, 2, 9, 11), IMAGE),
        (lambda b, x: b.reshape(x, 12, 1, 1), VECTOR),
        (lambda b, x: b.reshape(x, 2, 2, 3, 3, 11, 1), IMAGE),
    ],
    "transpose": [
        (lambda b, x: b.op("transpose", x, order=(1, 2, 0)), IMAGE),
        (lambda b, x: b.op("transpose", b.reshape(x, 2, 2, 3, 3, 11), order=(4, 1, 3, 0, 2)), IMAGE),
    ],
    "gather": [
        (lambda b, x: b.op("gather", x, axis=0, indices=(3, 0, 0, 2, 1)), IMAGE),
        (lambda b, x: b.op("gather", x, axis=2, indices=(10, 5)), IMAGE),
        (lambda b, x: b.op("gather", x, axis=0, indices=(11, 0, 4)), VECTOR),
    ],
    "upsample": [
        (lambda b, x: b.op("upsample", x, scale=(2, 2)), IMAGE),
        (lambda b, x: b.op("upsample", x, scale=(3, 1)), IMAGE),
    ],
    "untile": [
        (lambda b, x: b.op("untile", x, b.const(numbers(4, 4)), size=(18, 22)), IMAGE),
        (lambda b, x: b.op("untile", x, b.const(numbers(9, 2)), size=(26, 31)), IMAGE),
    ],
    "repeat_batch": [
        (lambda b, x: b.add(b.op("repeat_batch", b.const(numbers(4, 1, 1)), x), x), IMAGE),
        (lambda b, x: b.mul(b.op("repeat_batch", b.const(numbers(12)), x), x), VECTOR),
    ],
}  # fmt: skip
PARAMETERS = [pytest.param(*case, id=f"{kind}-{i}") for kind, cases in CASES.items() for i, case in enumerate(cases)]


def test_every_primitive_has_a_kernel_an_emitter_and_a_test() -> None:
    assert set(KERNELS) == set(EMITTERS) == set(CASES) == set(PRIMITIVES)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("body", "shape"), PARAMETERS)
def test_a_primitive_is_the_same_everywhere(body: Body, shape: tuple[int, ...], runtime: str) -> None:
    agree(graph_of(body, shape), runtimes=(runtime,))


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize(("body", "shape"), PARAMETERS)
def test_only_portable_operators_are_written(body: Body, shape: tuple[int, ...], batch: int | None) -> None:
    used = {node.op_type for node in to_onnx(graph_of(body, shape), batch=batch).graph.node}
    assert used <= OPERATORS
    assert batch is None or "Shape" not in used


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("kind", ["mish", "swish", "tanh", "sigmoid"])
def test_activations_are_right_far_from_zero_and_close_to_it(kind: str, runtime: str) -> None:
    points = [-1e4, -100, -50, -20, -10, -5, -1e-3, -1e-6, 0, 1e-6, 1e-3, 5, 10, 20, 50, 100, 1e4]
    x = np.array(points, np.float32)
    (y,) = open_session(graph_of(unary(kind), x.shape), runtime).run([x[None]])
    z = x.astype(np.float64)
    with np.errstate(over="ignore"):
        s = 1 / (1 + np.exp(-z))
    exact = {"mish": z * np.tanh(np.logaddexp(0, z)), "swish": z * s, "tanh": np.tanh(z), "sigmoid": s}
    assert np.abs(y[0] - exact[kind]).max() < 2e-6 * max(1, np.abs(x).max() * (kind in ("mish", "swish")) * 1e-3)
    near = np.abs(x) < 2
    assert np.allclose(y[0][near], exact[kind][near], rtol=1e-5, atol=1e-7)
