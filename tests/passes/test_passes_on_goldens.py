"""Every pass on every network that Darknet ran: the NumPy reference computes the same before and after."""

from __future__ import annotations

import numpy as np
import pytest
from goldens import SENSITIVE, TOLERANCE, Golden, error, goldens
from graphs import ALL_TAPS, COLUMNS
from tiles import FREE, each_tile, force

from darknet_py.backends.session import open_session
from darknet_py.ir import Graph
from darknet_py.passes import PASSES, Pass, optimize
from darknet_py.passes.cascade_pools import cascade_pools
from darknet_py.passes.copy_inputs import copy_inputs
from darknet_py.passes.crop_transposed import crop_transposed
from darknet_py.passes.cut_single_windows import cut_single_windows
from darknet_py.passes.im2col import unfold_convolutions
from darknet_py.passes.pad_narrow import pad_narrow
from darknet_py.passes.part_elu import part_elu
from darknet_py.passes.spread_channels import spread_channels
from darknet_py.passes.widen_groups import widen_groups
from darknet_py.passes.winograd import TILES, Tile, tile_convolutions

CASES = [c for c in (*goldens("golden").values(), *goldens("golden_pj").values()) if c.ran]
UNFOLD = (unfold_convolutions(ALL_TAPS), unfold_convolutions(COLUMNS))
EXACT: tuple[Pass, ...] = (
    widen_groups(8),
    cascade_pools,
    spread_channels,
    pad_narrow,
    copy_inputs,
    cut_single_windows,
    crop_transposed,
    part_elu,
)


def test_there_are_goldens() -> None:
    assert len(CASES) > 260


def the_same(case: Golden, graph: Graph, after: Graph, tolerance: float) -> bool:
    """Whether both compute the same from what Darknet was given."""
    x = case.steps()[0]
    states = [np.zeros((1, *s.input.shape), np.float32) for s in graph.states]
    wanted = open_session(graph, "numpy").run([x, *states])
    got = open_session(after, "numpy").run([x, *states])
    return all(error(a, b) < tolerance for a, b in zip(got, wanted, strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_all_passes_together_change_nothing(case: Golden) -> None:
    graph = case.graph(as_darknet=True)
    after = optimize(graph, (*PASSES, *EXACT))
    assert the_same(case, graph, after, {"lrn_strong": SENSITIVE["lrn_strong"]}.get(case.name, TOLERANCE))


@each_tile
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_tiles_only_round(case: Golden, tile: Tile, monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, tile)
    graph = case.graph(as_darknet=True)
    after = optimize(graph, (*PASSES, tile_convolutions(FREE)))
    assert the_same(case, graph, after, SENSITIVE.get(case.name, TOLERANCE))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_taps_as_channels_only_reorder_sums(case: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darknet_py.passes.im2col.WORTH", 0)
    graph = case.graph(as_darknet=True)
    assert the_same(case, graph, optimize(graph, (*PASSES, *UNFOLD)), SENSITIVE.get(case.name, TOLERANCE))


def test_many_of_them_have_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, *TILES)
    graphs = (optimize(c.graph(as_darknet=True), (*PASSES, tile_convolutions(FREE))) for c in CASES)
    assert sum(any(op.kind == "untile" for op in g.ops) for g in graphs) > 50


def test_many_of_them_have_convolutions_to_unfold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darknet_py.passes.im2col.WORTH", 0)
    graphs = (optimize(c.graph(as_darknet=True), (*PASSES, *UNFOLD)) for c in CASES)
    assert sum(any("im2col" in op.output.name for op in g.ops) for g in graphs) > 50
