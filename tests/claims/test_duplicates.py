"""Duplicate gradients: on a small dense block and its partial counterpart, by hand from the paper's Eqs. 1 to 4."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.weights import random_weights
from darknet_py.ir import Graph
from tools.claims.gradients import block_of, columns_of, duplication, effective_rank, gram_cosine, linear_cka

NET = "[net]\nwidth=3\nheight=3\nchannels=2\n"
GROWTH = 4
CONV = "[convolutional]\nfilters={}\nsize=1\nactivation=linear\n"
LAYER = CONV.format(GROWTH)

# x0 = layer 0; x1 = 1 reads it; 2 = [x1, x0]; x2 = 3 reads that; 4 = [x2, x1, x0]; the transition = 5.
DENSE = NET + LAYER + LAYER + "[route]\nlayers=-1,-2\n" + LAYER + "[route]\nlayers=-1,-2\n" + CONV.format(3)
# x0' = 1 and x0'' = 3 read layer 0; x1 = 4; 5 = [x1, x0'']; x2 = 6; 7 = [x2, x1, x0'']; x_T = 8; 9 = [x_T, x0'].
SPLIT = LAYER + LAYER + "[route]\nlayers=0\n" + LAYER + LAYER + "[route]\nlayers=-1,-2\n" + LAYER
CSP = NET + SPLIT + "[route]\nlayers=-1,-2\n" + LAYER + "[route]\nlayers=-1,1\n" + CONV.format(3)
FUSION_FIRST = NET + SPLIT + "[route]\nlayers=-1,-2,1\n" + CONV.format(3)
FUSION_LAST = NET + SPLIT + "[route]\nlayers=-1,-2\n" + LAYER + "[route]\nlayers=-1,1\n"


def graph_of(text: str) -> Graph:
    graph = compile_cfg(text).check().graph
    return graph.with_data(random_weights(graph, 0).arrays)


def readers(text: str) -> dict[int, list[int]]:
    block = block_of(graph_of(text))
    return {source: [r.layer for r in block.readers_of(source)] for source in block.merged}


# -- who reads what ----------------------------------------------------------------------------------------------


def test_in_a_dense_block_every_map_but_the_last_is_read_more_than_once() -> None:
    """Eq. 2: g_0 is in w_1, w_2 and w_T, g_1 in w_2 and w_T, g_2 in w_T alone."""
    assert readers(DENSE) == {0: [1, 3, 5], 1: [3, 5], 3: [5]}


def test_in_a_partial_block_the_bypass_and_the_transition_are_read_once() -> None:
    """Eq. 4: g_0'' is in w_1, w_2 and w_T; g_0' and g_T are in w_U alone."""
    assert readers(CSP) == {1: [10], 3: [4, 6, 8], 4: [6, 8], 6: [8], 8: [10]}


def test_fusion_first_lets_one_transition_read_both_parts() -> None:
    assert readers(FUSION_FIRST) == {1: [8], 3: [4, 6, 8], 4: [6, 8], 6: [8]}


def test_fusion_last_leaves_the_second_transition_out() -> None:
    assert readers(FUSION_LAST + CONV.format(3)) == readers(CSP)
    assert readers(FUSION_LAST) == {1: [], 3: [4, 6, 8], 4: [6, 8], 6: [8], 8: []}


def test_a_residual_sum_carries_all_that_was_added_to_it() -> None:
    block = LAYER + "[shortcut]\nfrom=-2\nactivation=leaky\n"
    assert readers(NET + LAYER + block + block + LAYER) == {0: [1, 3, 5], 1: [3, 5], 3: [5]}


def test_a_pool_a_half_and_a_max_out_carry_what_they_read() -> None:
    net = NET + LAYER + LAYER + "[route]\nlayers=-1,-2\n[maxpool]\nsize=2\nstride=1\n"
    half = net + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n" + LAYER
    assert readers(half)[0] == [1, 5]
    assert readers(net + "[maxout]\nout_channels=4\n" + LAYER) == {0: [1, 5], 1: [5]}


def test_a_map_belongs_to_the_stage_where_it_is_joined() -> None:
    """The input of a dense block counts with the block, whether a pool stands before or after the layer of it."""
    net = "[net]\nwidth=8\nheight=8\nchannels=2\n"
    pool = "[maxpool]\nsize=2\nstride=2\n"
    block = LAYER + "[route]\nlayers=-1,-2\n" + LAYER
    for before in (pool + LAYER, LAYER + pool):
        found = block_of(graph_of(net + before + block))
        assert {found.sizes[source] for source in found.merged} == {(4, 4)}


# -- what gradients are, by hand ---------------------------------------------------------------------------------


def by_hand(graph: Graph, images: np.ndarray, sent: np.ndarray) -> tuple[dict[int, np.ndarray], dict[int, float]]:
    """Gradients of sum(sent * output) in the dense block: of the weights, and squared norms of g_0, g_1, g_2."""
    w, b = ({p.layer: graph.data[p.value] for p in graph.params if p.role == role} for role in ("weights", "biases"))
    w = {layer: a[:, :, 0, 0].astype(float) for layer, a in w.items()}
    positions = images.transpose(1, 0, 2, 3).reshape(images.shape[1], -1).astype(float)
    x0 = w[0] @ positions + b[0][:, None]
    x1 = w[1] @ x0 + b[1][:, None]
    x2 = w[3] @ np.concatenate([x1, x0]) + b[3][:, None]
    g_t = sent.transpose(1, 0, 2, 3).reshape(sent.shape[1], -1).astype(float)
    g2, g1, g0 = np.split(w[5].T @ g_t, 3)  # what the transition sends
    from_2 = w[3].T @ g2
    g1, g0 = g1 + from_2[:GROWTH], g0 + from_2[GROWTH:]
    g0 = g0 + w[1].T @ g1
    of_weights = {
        0: g0 @ positions.T, 1: g1 @ x0.T, 3: g2 @ np.concatenate([x1, x0]).T,
        5: g_t @ np.concatenate([x2, x1, x0]).T,
    }  # fmt: skip
    energy = {0: (g0**2).sum(), 1: (g1**2).sum(), 3: (g2**2).sum(), 5: (g_t**2).sum()}
    return {layer: g[:, :, None, None] for layer, g in of_weights.items()}, energy


def batch(seed: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    return chance.normal(size=(2, 2, 3, 3)).astype(np.float32), chance.normal(size=(2, 3, 3, 3)).astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_measures_of_a_dense_block_are_those_of_its_equations(seed: int) -> None:
    graph = graph_of(DENSE)
    weights, energy = by_hand(graph, *batch(seed))
    found = duplication(graph, weights, energy)
    assert found.shared == pytest.approx((energy[0] + energy[1]) / (energy[0] + energy[1] + energy[3]))
    w1, w2, wt = (weights[layer][:, :, 0, 0] for layer in (1, 3, 5))
    shared = [(w1, w2[:, GROWTH:]), (w1, wt[:, 2 * GROWTH :]), (w2, wt[:, GROWTH:])]
    assert found.cosine == pytest.approx(np.mean([gram_cosine(a, b) for a, b in shared]))
    assert found.cka == pytest.approx(np.mean([linear_cka(a, b) for a, b in shared]))
    unit = [a / np.linalg.norm(a) for a in (w1, w2[:, GROWTH:], wt[:, 2 * GROWTH :])]
    of_x1 = [a / np.linalg.norm(a) for a in (w2[:, :GROWTH], wt[:, GROWTH : 2 * GROWTH])]
    ranks = [effective_rank(np.concatenate(parts)) / GROWTH for parts in (unit, of_x1)]
    assert found.rank == pytest.approx(np.mean(ranks))


@pytest.mark.parametrize("seed", [0, 1])
def test_pytorch_has_the_gradients_that_are_worked_out_by_hand(seed: int) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install 'darknet-compiler[torch]'")
    from tools.claims.probe import gradients

    graph = graph_of(DENSE)
    images, sent = batch(seed)
    wanted, energy = by_hand(graph, images, sent)
    weights, sources = gradients(graph, images, lambda y: (y * torch.from_numpy(sent)).sum(), graph.layers[-1].output)
    for layer, gradient in wanted.items():
        assert weights[layer] == pytest.approx(gradient, rel=1e-4, abs=1e-4)
        assert sources[layer] == pytest.approx(energy[layer], rel=1e-4)


def test_a_partial_block_shares_less_energy_where_every_map_gets_as_much() -> None:
    """With equal gradients everywhere the share is a count of maps: 2 of 3, and 2 of 5 with the two that bypass."""
    for text, share in ((DENSE, 2 / 3), (CSP, 2 / 5), (FUSION_FIRST, 2 / 4)):
        graph = graph_of(text)
        block = block_of(graph)
        weights = {r.layer: np.ones((2, len(r.channels), 1, 1)) for r in block.readers}
        assert duplication(graph, weights, dict.fromkeys(block.sizes, 1.0)).shared == pytest.approx(share)


def test_gradients_that_are_copies_of_each_other_are_at_1_and_add_no_rank() -> None:
    graph = graph_of(DENSE)
    chance = np.random.default_rng(0)
    copy = {c: chance.normal(size=2) for c in range(3 * GROWTH)}
    block = block_of(graph)
    weights = {}
    for reader in block.readers:
        carried = [min(c, default=(0, 0)) for c in reader.channels]
        columns = [copy[(0, 1, 3, 5).index(layer) * GROWTH + c] for layer, c in carried]
        weights[reader.layer] = np.stack(columns, 1)[:, :, None, None]
    found = duplication(graph, weights, dict.fromkeys(block.sizes, 1.0))
    assert found.cosine == pytest.approx(1)
    assert found.cka == pytest.approx(1)
    assert found.rank <= 2 / GROWTH + 1e-9  # two filters' worth of directions, however many layers repeat them
    assert found.random_cosine < 0.9
    assert found.random_rank > 1.5 * found.rank


# -- properties of the measures ----------------------------------------------------------------------------------

seeds = st.integers(0, 10_000)
sides = st.integers(2, 8)


def matrices(seed: int, rows: int, others: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    return chance.normal(size=(rows, channels)), chance.normal(size=(others, channels))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seeds, sides, sides, sides)
def test_likeness_is_between_0_and_1_and_the_same_both_ways(seed: int, rows: int, others: int, channels: int) -> None:
    a, b = matrices(seed, rows, others, channels)
    for measure in (gram_cosine, linear_cka):
        assert -1e-12 <= measure(a, b) <= 1 + 1e-12
        assert measure(a, b) == pytest.approx(measure(b, a))
        assert measure(a, a) == pytest.approx(1)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seeds, sides, sides, st.floats(0.1, 10))
def test_the_order_signs_and_size_of_filters_do_not_matter(seed: int, rows: int, channels: int, factor: float) -> None:
    a, b = matrices(seed, rows, rows, channels)
    turned = np.linalg.qr(np.random.default_rng(seed + 1).normal(size=(rows, rows)))[0] @ b * factor
    for measure in (gram_cosine, linear_cka):
        assert measure(a, turned) == pytest.approx(measure(a, b))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seeds, sides, sides)
def test_an_effective_rank_is_between_1_and_the_rank_and_copies_add_nothing(
    seed: int, rows: int, channels: int
) -> None:
    a, _ = matrices(seed, rows, 1, channels)
    assert 1 <= effective_rank(a) <= min(rows, channels) + 1e-9
    assert effective_rank(np.concatenate([a, -3 * a])) == pytest.approx(effective_rank(a))


def test_a_gradient_of_nothing_is_like_nothing() -> None:
    assert gram_cosine(np.zeros((2, 3)), np.ones((2, 3))) == 0
    assert effective_rank(np.zeros((2, 3))) == 0


def test_taps_of_a_kernel_are_features_and_channels_are_columns() -> None:
    gradient = np.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2)
    assert columns_of(gradient, [2, 0]).shape == (8, 2)
    assert columns_of(gradient, [2, 0])[:4].tolist() == [[8, 0], [9, 1], [10, 2], [11, 3]]
