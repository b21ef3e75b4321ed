"""Int8: what computes in 8 bits, on which grids, and that an executor computes what the grids say."""

from __future__ import annotations

import numpy as np
import pytest

from darknet_py.ir import Graph, Value
from darknet_py.ir.builder import Builder
from darknet_py.ir.int8 import ByteGrid, Calibration, heads, plan, quantizable, weight_scales, whole_weights

RNG = np.random.default_rng(3)


def conv(b: Builder, x: Value, filters: int, size: int = 3, groups: int = 1) -> Value:
    weights = b.const(RNG.standard_normal((filters, x.shape[0] // groups, size, size)))
    return b.op("conv", x, weights, b.const(RNG.standard_normal(filters)), pads=(size // 2,) * 4, groups=groups)


def network() -> Graph:
    """Three convolutions with leaky activations, a pool and a route between them, a depthwise one, and a head."""
    b = Builder()
    x = b.input("images", (3, 8, 8))
    first = b.op("leaky_relu", conv(b, x, 16), slope=0.1)
    second = b.op("leaky_relu", conv(b, first, 16), slope=0.1)
    pool = b.op("max_pool", b.concat([first, second]), kernel=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0))
    deep = b.op("relu", conv(b, pool, 32, groups=32))
    return b.graph(x, conv(b, b.op("relu", conv(b, deep, 16, 1)), 5, 1))


def all_from(graph: Graph, limits: tuple[float, float] = (-2.0, 6.0), **more: object) -> Calibration:
    names = [graph.image.name, *(op.output.name for op in graph.ops)]
    return Calibration(dict.fromkeys(names, limits), **more)  # type: ignore[arg-type]  # as the test says


@pytest.mark.parametrize("limits", [(-1.0, 3.0), (0.0, 1.0), (-5.0, 0.0), (0.5, 2.0), (0.0, 0.0)])
def test_a_grid_holds_zero_and_reaches_over_its_range(limits: tuple[float, float]) -> None:
    grid = ByteGrid.over(limits)
    assert grid.rounded(np.zeros(1, np.float32)) == 0
    ends = np.array(limits, np.float32)
    assert np.abs(grid.rounded(ends) - ends).max() <= grid.scale


def test_weights_have_a_grid_for_each_output_channel_and_no_weight_is_off_by_more_than_half_a_step() -> None:
    weights = RNG.standard_normal((4, 3, 3, 3)) * np.array([1e-3, 1, 50, 0]).reshape(4, 1, 1, 1)
    scales = weight_scales(weights)
    whole = whole_weights(weights, scales)
    assert whole.dtype == np.int8
    assert np.abs(whole).max() == 127
    off = np.abs(whole * scales.reshape(-1, 1, 1, 1) - weights)
    assert (off <= 0.5001 * scales.reshape(-1, 1, 1, 1)).all()


def test_the_last_products_and_what_follows_are_heads() -> None:
    graph = network()
    assert heads(graph) == {graph.ops[-1]}
    assert [op.kind for op in quantizable(graph)] == ["conv"] * 4


def test_what_is_moved_about_shares_a_grid() -> None:
    graph = network()
    ranges = {**all_from(graph).ranges, graph.ops[1].output.name: (0.0, 30.0)}
    found = plan(graph, Calibration(ranges), whole=False)
    first, second, route, pool = (graph.ops[i].output for i in (1, 3, 4, 5))
    assert {found.grids[v] for v in (first, second, route, pool)} == {ByteGrid.over((-2.0, 30.0))}


def test_activations_are_part_of_it_only_where_the_executor_wants_them_named() -> None:
    graph = network()
    named, fused = (plan(graph, all_from(graph), whole=whole) for whole in (True, False))
    assert {op.kind for op in fused.ops} == {"conv", "concat", "max_pool"}
    assert {op.kind for op in named.ops - fused.ops} == {"conv", "leaky_relu", "relu"}


def test_what_is_positive_passes_a_leaky_activation_without_another_rounding() -> None:
    graph = network()
    ranges = {**all_from(graph).ranges, graph.ops[1].output.name: (-0.2, 6.0)}
    found = plan(graph, Calibration(ranges), whole=True)
    before, after = (found.grids[v] for v in (graph.ops[1].inputs[0], graph.ops[1].output))
    assert before.scale == after.scale
    positive = before.rounded(np.linspace(0, 5, 99, dtype=np.float32))
    np.testing.assert_array_equal(after.rounded(positive), positive)


def test_products_of_few_channels_stay_in_float_where_they_lose_time() -> None:
    graph = network()
    products = [sorted(op.inputs[1].shape[1] for op in plan(graph, all_from(graph), whole=w).ops if op.kind == "conv")
                for w in (True, False)]  # fmt: skip
    assert products == [[1, 3, 16, 32], [16, 32]]


def test_a_product_that_is_to_stay_in_float_stays() -> None:
    graph = network()
    products = quantizable(graph)
    kept = all_from(graph, in_float=frozenset({products[1].output.name}))
    assert products[1] not in plan(graph, kept, whole=True).ops
    assert products[3] in plan(graph, kept, whole=True).ops


def test_what_was_not_calibrated_stays_in_float() -> None:
    graph = network()
    assert not plan(graph, Calibration({}), whole=True).ops


def test_biases_are_corrected_in_the_plan_and_not_in_the_graph() -> None:
    graph = network()
    conv = quantizable(graph)[1]
    found = plan(graph, all_from(graph, biases={conv.output.name: (0.5,) * 16}), whole=True)
    np.testing.assert_allclose(found.graph.data[conv.inputs[2]] - graph.data[conv.inputs[2]], 0.5, rtol=1e-6)


def test_a_calibration_travels_as_plain_data() -> None:
    own = Calibration({"a": (-1.0, 2.0)}, frozenset({"b"}), {"b": (0.25, 0.5)})
    assert Calibration.of(own.to_dict()) == own
