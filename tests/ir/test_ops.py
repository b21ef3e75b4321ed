"""The primitives are a closed set: each is documented, and each executor has a kernel for each."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from darknet_py.ir import PRIMITIVES, ShapeError, check
from darknet_py.ir.builder import Builder
from darknet_py.ir.kernels import KERNELS, run_op

# For each primitive the shapes of some operands and its attributes.
EXAMPLES: dict[str, tuple[list[tuple[int, ...]], dict[str, object]]] = {
    "conv": ([(4, 6, 8), (6, 2, 3, 3), (6,)], dict(strides=(2, 1), pads=(1, 0, 2, 1), dilations=(1, 2), groups=2)),
    "conv_transpose": ([(4, 6, 8), (4, 3, 2, 3), (3,)], dict(strides=(2, 1), pads=(1, 0, 0, 1))),
    "linear": ([(7,), (3, 7), (3,)], {}),
    "matmul": ([(2, 3, 4), (2, 4, 5)], {}),
    "batch_norm": ([(3, 2, 2), (3,), (3,), (3,), (3,)], dict(epsilon=1e-5)),
    "add": ([(3, 4, 5), (3, 1, 1)], {}),
    "sub": ([(3, 4, 5), ()], {}),
    "mul": ([(3, 4, 5), (1, 4, 5)], {}),
    "div": ([(3, 4, 5), (3, 4, 5)], {}),
    "maximum": ([(3, 4, 5), (3, 4, 5)], {}),
    "clip": ([(3, 4)], dict(low=-1.0, high=1.0)),
    "leaky_relu": ([(3, 4)], dict(slope=0.1)),
    "elu": ([(3,)], dict(alpha=1.0)),
    "power": ([(3,)], dict(exponent=2.0)),
    **{kind: ([(2, 3, 4)], {}) for kind in "relu sigmoid tanh mish swish exp sqrt floor ceil".split()},
    "max_pool": ([(2, 7, 8)], dict(kernel=(3, 2), strides=(2, 3), pads=(1, 0, 1, 1))),
    "avg_pool": ([(2, 7, 8)], dict(kernel=(3, 2), strides=(2, 3), pads=(1, 0, 1, 1))),
    **{kind: ([(2, 3, 4)], dict(axes=(0, 2))) for kind in ("reduce_max", "reduce_mean", "reduce_sum")},
    "softmax": ([(2, 3, 4)], dict(axis=1)),
    "concat": ([(2, 3, 4), (2, 1, 4), (2, 2, 4)], dict(axis=1)),
    "slice": ([(5, 6, 7)], dict(axes=(0, 2), starts=(1, 0), stops=(4, 7), steps=(1, 3))),
    "pad": ([(2, 3, 4)], dict(pads=(1, 2, 0, 1), value=0.0)),
    "reshape": ([(2, 3, 4)], dict(shape=(4, 6))),
    "transpose": ([(2, 3, 4)], dict(order=(2, 0, 1))),
    "gather": ([(5, 2)], dict(axis=0, indices=(4, 4, 0))),
    "untile": ([(32, 3, 2), (4, 16)], dict(size=(5, 4))),
    "upsample": ([(2, 3, 4)], dict(scale=(2, 3))),
    "repeat_batch": ([(2, 3), (7, 7, 7)], {}),
}

# Whose second and later operands have no batch axis.
PARAMETERS = {"conv", "conv_transpose", "linear", "batch_norm", "untile"}


def test_numpy_has_a_kernel_for_each_primitive() -> None:
    assert set(KERNELS) == set(PRIMITIVES) == set(EXAMPLES)


@pytest.mark.parametrize("kind", sorted(PRIMITIVES))
def test_each_primitive_says_what_it_computes(kind: str) -> None:
    assert PRIMITIVES[kind].doc
    for parameter in inspect.signature(PRIMITIVES[kind].shape).parameters.values():
        assert parameter.annotation is not parameter.empty


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_the_builder_completes_every_attribute(kind: str) -> None:
    shapes, attrs = EXAMPLES[kind]
    needed = {k: v for k, v in attrs.items() if k not in PRIMITIVES[kind].defaults}
    b = Builder()
    x = b.input("x", shapes[0])
    needed |= {"groups": attrs["groups"]} if "groups" in attrs else {}  # the shapes are made for it
    graph = check(b.graph(x, b.op(kind, x, *(b.const(np.zeros(s)) for s in shapes[1:]), **needed)))
    assert graph.ops[0].attrs == {**PRIMITIVES[kind].defaults, **needed}
    assert graph.ops[0].attrs.keys() == PRIMITIVES[kind].attributes


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_the_shape_rule_is_what_the_kernel_does(kind: str, batch: int) -> None:
    shapes, attrs = EXAMPLES[kind]
    rng = np.random.default_rng(0)
    fixed = shapes[1:] if kind in PARAMETERS else [s for s in shapes if s == ()]
    batched = [rng.random((batch, *s), np.float32) for s in shapes if s not in fixed]
    if kind == "repeat_batch":
        batched[0] = batched[0][0]
    got = run_op(kind, [*batched, *(rng.random(s, np.float32) for s in fixed)], True, attrs)
    assert got.shape == (batch, *PRIMITIVES[kind].shape(*shapes, **attrs))
    assert got.dtype == np.float32


@pytest.mark.parametrize(
    ("kind", "shapes", "attrs"),
    [
        ("untile", [(30, 3, 2), (4, 16)], dict(size=(5, 4))),
        ("untile", [(32, 3, 2), (4, 16)], dict(size=(7, 4))),
        ("conv", [(3, 4, 4), (2, 3, 5, 5)], {}),
        ("conv", [(3, 4, 4), (2, 2, 1, 1)], {}),
        ("conv", [(3, 4, 4), (2, 3, 1, 1), (3,)], {}),
        ("conv", [(3, 4, 4), (2, 3, 1, 1)], dict(groups=0)),
        ("conv", [(12,), (2, 3, 1, 1)], {}),
        ("conv_transpose", [(3, 4, 4), (2, 3, 1, 1)], {}),
        ("conv_transpose", [(3, 1, 1), (3, 1, 1, 1)], dict(pads=(1, 1, 1, 1))),
        ("linear", [(3,), (2, 4)], {}),
        ("matmul", [(2, 3, 4), (2, 3, 4)], {}),
        ("batch_norm", [(3, 1, 1), (3,), (3,), (3,), (4,)], dict(epsilon=0.1)),
        ("add", [(3, 4, 5), (3, 4)], {}),
        ("mul", [(3, 4, 5), (3, 4, 6)], {}),
        ("concat", [(2, 3, 4), (2, 3, 5)], dict(axis=0)),
        ("slice", [(4,)], dict(axes=(0,), starts=(2,), stops=(5,), steps=(1,))),
        ("slice", [(4,)], dict(axes=(0,), starts=(2,), stops=(2,), steps=(1,))),
        ("reshape", [(4,)], dict(shape=(5,))),
        ("transpose", [(4, 5)], dict(order=(0, 0))),
        ("gather", [(4, 5)], dict(axis=0, indices=(4,))),
        ("softmax", [(4, 5)], dict(axis=2)),
        ("reduce_max", [(4, 5)], dict(axes=(2,))),
        ("max_pool", [(1, 2, 2)], dict(kernel=(3, 3), strides=(1, 1), pads=(0, 0, 0, 0))),
    ],
)
def test_operands_that_do_not_fit_are_refused(
    kind: str, shapes: list[tuple[int, ...]], attrs: dict[str, object]
) -> None:
    with pytest.raises(ShapeError):
        PRIMITIVES[kind].shape(*shapes, **attrs)
