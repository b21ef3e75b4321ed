"""What is ncnn's own: parts that NumPy computes, float32, inputs left alone, and releases that are refused.

Its numbers are in the other tests, which take every back end that is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from agree import TOLERANCE, agree, compare, network, random_inputs
from networks import picture, write_detector

from darknet_py import load
from darknet_py.backends.backend import available_backends
from darknet_py.backends.ncnn.axes import permutes
from darknet_py.backends.ncnn.layers import MOST_AXES
from darknet_py.backends.ncnn.writer import MOST_FOUND, Writer, has_layer, lack_for
from darknet_py.backends.precision import BF16, Precision
from darknet_py.backends.session import open_session
from darknet_py.errors import BackendError
from darknet_py.ir import Graph, Value
from darknet_py.ir.builder import Builder
from darknet_py.passes import optimize

CFG = """
[net]
width=16
height=8
channels=4
[convolutional]
filters=16
size=3
pad=1
activation=leaky
[reorg]
stride=2
[convolutional]
filters=64
size=3
pad=1
activation=mish
[shortcut]
from=-2
"""
MOVED = """
[net]
width=16
height=8
channels=6
[normalization]
size=3
[reorg]
stride=2
[convolutional]
filters=16
activation=linear
[reorg]
stride=2
reverse=1
[reorg3d]
stride=4
[normalization]
beta=0.5
"""
needs_ncnn = pytest.mark.skipif(
    "ncnn" not in available_backends(), reason="ncnn is not installed: pip install 'ncnn>=1.0.20261020'"
)


def graph_of(body: Callable[[Builder, Value], Value], shape: tuple[int, ...]) -> Graph:
    b = Builder()
    x = b.input("images", shape)
    b.enter(0, "test")
    y = body(b, x)
    return Graph(x, tuple(b.ops), (), (), (y,), data=b.data)


def agree_in_ncnn(body: Callable[[Builder, Value], Value], shape: tuple[int, ...]) -> None:
    """An operation that ncnn computes, and not NumPy in its place."""
    graph = graph_of(body, shape)
    assert all(map(has_layer, graph.ops))
    agree(graph, batches=(2,), runtimes=("ncnn",))


@pytest.fixture
def graph() -> Graph:
    return network(CFG)


def test_without_the_package_the_error_says_which_extra_has_it(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "darknet_py.backends.ncnn.session", raising=False)
    monkeypatch.setitem(sys.modules, "ncnn", None)
    monkeypatch.setattr("darknet_py.version._checkout", lambda: "")
    with pytest.raises(BackendError, match=r"darknet-compiler\[ncnn\]"):
        open_session(graph, "ncnn")


def test_convolutions_compute_their_activations_and_values_with_two_readers_are_split(graph: Graph) -> None:
    graph = optimize(graph.with_outputs([graph.layer_output(3)]))
    ops = [op for op in graph.ops if has_layer(op)]
    first = ops.index(next(op for op in ops if op.layer == 2))
    text = Writer(ops[first:], [graph.outputs[0]], graph.data).text()
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["Input", "Split", "Convolution", "BinaryOp"]
    assert " 9=5" in next(line for line in text.splitlines() if line.startswith("Convolution"))  # Mish


@needs_ncnn
def test_numpy_computes_what_ncnn_has_no_layer_for() -> None:
    graph = graph_of(
        lambda b, x: b.op("relu", b.reshape(b.add(b.reshape(b.op("exp", x), 2, 2, 2, 2, 3), 1), 4, 12)), (8, 6)
    )
    assert [op.kind for op in graph.ops if not has_layer(op)] == ["add"]
    agree(graph, batches=(1, 3), runtimes=("ncnn",))


@needs_ncnn
def test_a_network_in_ncnn_gives_each_of_its_layers(graph: Graph) -> None:
    agree(graph, batches=(1, 3), runtimes=("ncnn",))
    agree(graph.with_outputs([graph.layer_output(3)]), runtimes=("ncnn",))


@needs_ncnn
def test_reorg_and_normalization_need_no_numpy() -> None:
    graph = network(MOVED)
    assert {"gather", "power", "transpose"} <= {op.kind for op in graph.ops}
    assert all(map(has_layer, graph.ops))
    agree(graph, batches=(1, 3), runtimes=("ncnn",))


def test_a_transposition_of_any_number_of_axes_is_some_of_four() -> None:
    rng = np.random.default_rng(3)
    for axes in range(1, 8):
        for _ in range(30):
            shape, order = tuple(rng.integers(1, 4, axes).tolist()), tuple(rng.permutation(axes).tolist())
            moved = array = rng.random(shape)
            steps = [*permutes(shape, order)]
            for own, turn in steps:
                assert len(own) <= MOST_AXES
                moved = moved.reshape(own).transpose(turn)
            assert np.array_equal(moved.ravel(), array.transpose(order).ravel())
            assert len(steps) <= max(1, axes - MOST_AXES + 1)


@needs_ncnn
def test_four_axes_are_permuted_in_every_order() -> None:
    def body(b: Builder, x: Value) -> Value:
        x = b.reshape(x, 2, 3, 4, 5)
        return b.concat([b.flatten(b.op("transpose", x, order=order)) for order in permutations(range(4))])

    agree_in_ncnn(body, (6, 20))


@needs_ncnn
def test_more_than_four_axes_are_permuted() -> None:
    for order in ((5, 4, 3, 2, 1, 0), (3, 0, 5, 2, 4, 1)):
        agree_in_ncnn(
            lambda b, x, to=order: b.flatten(b.op("transpose", b.reshape(x, 2, 3, 2, 3, 2, 2), order=to)), (6, 24)
        )


@needs_ncnn
@pytest.mark.parametrize("exponent", [-2.0, -1.0, -0.75, -0.5, 0.0, 0.5, 1.5, 2.0, 3.0, 4.0])
def test_powers_are_those_of_numpy(exponent: float) -> None:
    agree_in_ncnn(lambda b, x: b.op("power", b.add(x, 0.1), exponent=exponent), (4, 5, 7))
    if exponent == int(exponent):  # has a value for negative numbers too
        agree_in_ncnn(lambda b, x: b.op("power", b.sub(x, 1.1), exponent=exponent), (4, 5, 7))


@needs_ncnn
@pytest.mark.parametrize("shape", [(12,), (5, 6), (4, 5, 7), (8, 3, 5, 4)])
def test_elements_are_gathered_and_skipped_along_every_axis(shape: tuple[int, ...]) -> None:
    for axis, n in enumerate(shape):
        last = n - 1
        agree_in_ncnn(lambda b, x, at=axis, i=last: b.op("gather", x, axis=at, indices=(i, 0, 0, 1, i)), shape)
        agree_in_ncnn(
            lambda b, x, at=axis, to=n: b.op("slice", x, axes=(at,), starts=(1,), stops=(to,), steps=(2,)), shape
        )


@needs_ncnn
def test_a_gather_finds_the_neighbours_of_the_last_place() -> None:
    places = (MOST_FOUND - 1, MOST_FOUND - 2, MOST_FOUND // 2, MOST_FOUND // 2 + 1, 1, 0)
    graph = graph_of(lambda b, x: b.op("gather", x, axis=0, indices=places), (MOST_FOUND,))
    image = np.arange(MOST_FOUND, dtype=np.float32)[None]
    (found,) = open_session(graph, "ncnn").run([image])
    assert found.tolist() == [list(map(float, places))]


@needs_ncnn
def test_coordinates_are_not_rounded_in_bfloat16() -> None:
    n = 5001
    graph = graph_of(lambda b, x: b.op("gather", b.op("relu", x), axis=0, indices=tuple(reversed(range(n)))), (n,))
    image = (np.arange(n, dtype=np.float32) % 200)[None]  # which bfloat16 holds
    (found,) = open_session(graph, "ncnn", precision=Precision(BF16)).run([image])
    assert np.array_equal(found, image[:, ::-1])


@needs_ncnn
@pytest.mark.parametrize(
    ("channels", "filters", "groups", "size", "step"),
    [(8, 8, 2, 3, 1), (16, 32, 16, 3, 1), (6, 6, 6, 5, 1), (3, 3, 3, 3, 2), (16, 16, 16, 5, 2), (12, 24, 3, 1, 1)],
)
def test_groups_are_computed_in_bfloat16(channels: int, filters: int, groups: int, size: int, step: int) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(filters, channels // groups, size, size))

    def body(b: Builder, x: Value) -> Value:
        constants = b.const(weights), b.const(rng.normal(size=filters))
        y = b.op("conv", x, *constants, groups=groups, strides=(step, step), pads=(1, 0, 1, 2), dilations=(1, step))
        return b.op("mish", y)

    graph = graph_of(body, (channels, 11, 9))
    inputs = random_inputs(graph, 2)
    wanted = open_session(graph, "numpy").run(inputs)
    compare(graph, open_session(graph, "ncnn", precision=Precision(BF16)).run(inputs), wanted, "ncnn", 0.02)


@needs_ncnn
def test_a_bound_may_be_infinite() -> None:
    for low, high in ((-np.inf, 0.5), (0.25, np.inf)):
        agree_in_ncnn(lambda b, x, at=(low, high): b.op("clip", x, low=at[0], high=at[1]), (2, 5, 4))
        agree_in_ncnn(
            lambda b, x, at=(low, high): b.op(
                "clip", b.op("conv", x, b.const(np.ones((3, 2, 1, 1)))), low=at[0], high=at[1]
            ),
            (2, 5, 4),
        )


@needs_ncnn
def test_constants_have_more_than_four_axes() -> None:
    five = np.arange(1.0, 25.0).reshape(1, 2, 3, 4, 1)
    graph = graph_of(lambda b, x: b.concat([b.reshape(x, 1, 2, 3, 2, 1), b.const(five)], axis=3), (12,))
    agree(graph, batches=(2,), runtimes=("ncnn",))


def test_what_keeps_ncnn_from_an_operation_is_said() -> None:
    def lack(body: Callable[[Builder, Value], Value], *shape: int) -> str:
        return lack_for(graph_of(body, shape).ops[-1])

    five = (1, 2, 3, 4, 5)
    assert lack(lambda b, x: b.op("relu", x), *five) == "ncnn has no blob of more than 4 axes for relu"
    assert not lack(lambda b, x: b.op("transpose", x, order=(4, 0, 3, 1, 2)), *five)
    untiled = lack(lambda b, x: b.op("untile", x, b.const(np.eye(4)), size=(4, 4)), 4, 2, 2)
    assert untiled == "ncnn has no layer for untile"
    computed = lack(lambda b, x: b.op("linear", b.flatten(x), x), 1, 6)
    assert computed == "ncnn's layer for linear has its weights in the file, and these are computed"
    far = lack(lambda b, x: b.op("gather", x, axis=0, indices=(1,)), MOST_FOUND + 1)
    assert far == "ncnn's float32 coordinates tell 2097152 places apart, not the 2097153 of a gather"


@needs_ncnn
def test_winograds_method_costs_little(graph: Graph) -> None:
    inputs = random_inputs(graph, 2)
    wanted = open_session(graph, "numpy").run(inputs)
    compare(graph, open_session(graph, "ncnn").run(inputs), wanted, "ncnn", 5 * TOLERANCE)


@needs_ncnn
def test_inputs_are_left_alone() -> None:
    graph = network("[net]\nwidth=4\nheight=4\nchannels=4\n[activation]\nactivation=relu\n")
    (image,) = random_inputs(graph, 1)
    image -= 0.5
    before = image.copy()
    open_session(graph, "ncnn").run([image])
    assert np.array_equal(image, before)


@needs_ncnn
def test_a_release_that_computes_something_else_is_refused(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    import ncnn

    monkeypatch.setattr(ncnn, "__version__", "1.0.20260526")
    with pytest.raises(BackendError, match=r"1\.0\.20260526 clips wrongly"):
        open_session(graph, "ncnn")


@needs_ncnn
def test_a_detector_finds_the_same(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    image = picture((1, 2, "red"))
    found, wanted = (load(cfg, backend=b)(image)[0].boxes for b in ("ncnn", "numpy"))
    assert len(found) == len(wanted) > 0
    assert np.allclose(found.xyxy, wanted.xyxy, atol=1e-3)
