"""The table of primitives in PyTorch: it is whole, its gradients are derivatives, and the first of equals has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from darknet_py.ir import PRIMITIVES, Graph, Value
from darknet_py.ir.builder import Builder

torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")

from darknet_py.backends.torch.kernels import KERNELS  # noqa: E402
from darknet_py.backends.torch.module import GraphModule  # noqa: E402

Body = Callable[[Builder, Value], Value]
RNG = np.random.default_rng(3)


def graph_of(body: Body, shape: tuple[int, ...] = (4, 5, 6)) -> Graph:
    b = Builder()
    x = b.input("images", shape)
    b.enter(0, "test")
    return b.graph(x, body(b, x))


def numbers(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, np.float32)


def weighted(kind: str, *shape: int, **attrs: object) -> Body:
    return lambda b, x: b.op(kind, x, b.const(numbers(*shape)), **attrs)


def normalized(b: Builder, x: Value) -> Value:
    stored = [numbers(4), numbers(4), numbers(4), RNG.random(4, np.float32) + 0.5]
    return b.op("batch_norm", x, *map(b.const, stored), epsilon=1e-5, outside=True)


def pool(kind: str, kernel: int, stride: int, *pads: int) -> Body:
    return lambda b, x: b.op(kind, x, kernel=(kernel, kernel), strides=(stride, stride), pads=pads)


SMOOTH: dict[str, Body] = {
    "conv": weighted("conv", 3, 4, 3, 3, pads=(1, 1, 1, 1)),
    "conv, uneven": weighted("conv", 3, 4, 3, 3, pads=(0, 1, 2, 0), strides=(2, 1)),
    "conv, groups": weighted("conv", 4, 2, 3, 3, groups=2, dilations=(2, 2), pads=(2, 2, 2, 2)),
    "conv_transpose": weighted("conv_transpose", 4, 2, 3, 3, strides=(2, 2), pads=(1, 1, 1, 1)),
    "conv_transpose, uneven": weighted("conv_transpose", 4, 2, 3, 3, pads=(0, 1, 1, 0)),
    "matmul": lambda b, x: b.op("matmul", x, b.const(numbers(4, 6, 2))),
    "batch_norm": normalized,
    "max_pool": pool("max_pool", 2, 2, 0, 0, 1, 0),
    "max_pool, wide": pool("max_pool", 9, 1, 4, 4, 5, 4),
    "avg_pool": pool("avg_pool", 3, 2, 1, 1, 1, 1),
    "avg_pool, uneven": pool("avg_pool", 2, 1, 0, 0, 1, 1),
    "softmax": lambda b, x: b.op("softmax", x, axis=0),
    "reduce_max": lambda b, x: b.op("reduce_max", x, axes=(0,)),
    "reduce_mean": lambda b, x: b.op("reduce_mean", x, axes=(1, 2)),
    "concat": lambda b, x: b.concat([x, b.op("exp", x), b.const(numbers(1, 5, 6))]),
    "slice": lambda b, x: b.op("slice", x, axes=(0, 2), starts=(1, 0), stops=(4, 6), steps=(1, 2)),
    "gather": lambda b, x: b.op("gather", x, axis=0, indices=(3, 0, 0)),
    "upsample": lambda b, x: b.op("upsample", x, scale=(2, 3)),
    "transpose": lambda b, x: b.op("transpose", x, order=(2, 0, 1)),
    "pad": lambda b, x: b.op("pad", x, pads=(1, 0, 2, 3), value=1.0),
    "maximum": lambda b, x: b.op("maximum", x, b.op("tanh", b.mul(x, 3))),
    "leaky_relu": lambda b, x: b.op("leaky_relu", x, slope=0.1),
    "elu": lambda b, x: b.op("elu", x, alpha=1.6732),
    "clip": lambda b, x: b.op("clip", x, low=-0.3, high=0.6),
    "power": lambda b, x: b.op("power", b.op("exp", x), exponent=-0.75),
    "div": lambda b, x: b.op("div", x, b.op("reduce_sum", b.op("exp", x), axes=(0,))),
    **{kind: (lambda b, x, kind=kind: b.op(kind, x)) for kind in ("sigmoid", "tanh", "mish", "swish", "relu", "exp")},
}


def test_every_primitive_has_a_kernel() -> None:
    assert set(KERNELS) == set(PRIMITIVES)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_gradient_is_the_derivative(name: str) -> None:
    module = GraphModule(graph_of(SMOOTH[name])).double().eval()
    x = torch.tensor(RNG.permutation(np.linspace(-1.9, 2.3, 240)).reshape(2, 4, 5, 6), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: tuple(module(x)), (x,))


def gradient(body: Body, x: np.ndarray) -> np.ndarray:
    """Of the sum of the result, by one sample."""
    tensor = torch.tensor(x[None], requires_grad=True)
    (y,) = GraphModule(graph_of(body, x.shape))(tensor)
    y.sum().backward()
    return tensor.grad.numpy()[0]


@pytest.mark.parametrize(
    "body",
    [pool("max_pool", 3, 3, 0, 0, 0, 0), pool("max_pool", 3, 3, 0, 0, 2, 1), pool("max_pool", 9, 9, 0, 0, 6, 6)],
    ids=["plain", "uneven", "wide"],
)
def test_the_first_of_equal_cells_in_the_order_of_rows_has_the_gradient(body: Body) -> None:
    x = np.zeros((1, 3, 3), np.float32)
    x[0, 0, 2] = x[0, 1, 0] = x[0, 2, 2] = 1
    wanted = np.zeros_like(x)
    wanted[0, 0, 2] = 1
    assert np.array_equal(gradient(body, x), wanted)


def test_the_first_of_two_equal_operands_has_the_gradient() -> None:
    x = np.array([[[1.0]], [[1.0]]], np.float32)
    got = gradient(lambda b, x: b.op("maximum", b.slice(x, 0, 0, 1), b.slice(x, 0, 1, 2)), x)
    assert got.ravel().tolist() == [1, 0]


def test_what_is_no_number_stays_none_in_a_maximum() -> None:
    x = torch.tensor([[[[np.nan]], [[1.0]]]])
    body: Body = lambda b, x: b.op("maximum", b.slice(x, 0, 1, 2), b.slice(x, 0, 0, 1))  # noqa: E731
    module = GraphModule(graph_of(body, (2, 1, 1)))
    assert torch.isnan(module(x)[0]).all()
    with torch.no_grad():
        assert torch.isnan(module(x)[0]).all()


def test_a_window_with_nothing_in_it_is_the_least_number_of_a_float() -> None:
    graph = graph_of(pool("max_pool", 2, 2, 2, 2, 2, 2), (1, 2, 2))
    module = GraphModule(graph)
    least = np.finfo(np.float32).min
    assert float(module(torch.ones(1, 1, 2, 2))[0][0, 0, 0, 0].detach()) == least
    assert float(module.double()(torch.ones(1, 1, 2, 2, dtype=torch.double))[0][0, 0, 0, 0]) == least


def test_what_has_no_batch_axis_is_repeated_in_a_result() -> None:
    b = Builder()
    x = b.input("images", (1,))
    b.enter(0, "test")
    graph = replace(b.graph(x), outputs=(b.mul(b.const([2.0]), 3),), ops=tuple(b.ops), data=b.data)
    assert GraphModule(graph)(torch.zeros(3, 1))[0].tolist() == [[6], [6], [6]]
