"""Winograd's method in the runtimes that get it: the same numbers, in their own layouts, with what follows."""

from __future__ import annotations

import cv2
import pytest
from agree import OPTIONS, agree, network

from darknet_py.backends import blocked, opencv
from darknet_py.passes import optimize
from darknet_py.passes.winograd import TILES, Tile

CONV = "[convolutional]\nfilters={}\nsize=3\npad=1\nbatch_normalize=1\nactivation={}\n"
NET = "[net]\nwidth=13\nheight=9\nchannels=32\n" + CONV.format(32, "leaky") + CONV.format(32, "leaky")
NET += "[shortcut]\nfrom=-2\nactivation=leaky\n" + CONV.format(48, "mish") + CONV.format(16, "linear")


@pytest.mark.parametrize("outputs", ["all", "last"])
@pytest.mark.parametrize("tile", TILES, ids=lambda t: f"{t.length}x{t.length}")
def test_tiles_make_no_difference_to_runtimes(tile: Tile, outputs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darknet_py.passes.winograd.TILES", (tile,))
    monkeypatch.setattr("darknet_py.passes.winograd.WORTH", 0)
    graph = network(NET)
    if outputs == "last":
        graph = graph.with_outputs([graph.layers[-1].output])
    agree(graph, runtimes=("onnxruntime",))
    written = blocked.write_blocked(optimize(graph), 16)
    assert [n.op_type for n in written.nodes].count("Transpose") == 4
    if cv2.__version__ >= "5":
        after = optimize(graph, opencv.passes_for("5.0.0"))
        assert [op.kind for op in after.ops].count("untile") == 4
        monkeypatch.setitem(OPTIONS, "opencv", {})
        agree(graph, runtimes=("opencv",))


def test_the_blocked_layout_is_left_for_nothing_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darknet_py.passes.winograd.WORTH", 0)
    graph = network(NET)
    graph = graph.with_outputs([graph.layers[-1].output])
    kinds = [n.op_type for n in blocked.write_blocked(optimize(graph), 16).nodes]
    assert (kinds.count("ReorderInput"), kinds.count("ReorderOutput"), kinds.count("Neg")) == (1, 1, 0)


def test_it_can_be_switched_off() -> None:
    graph = network("[net]\nwidth=52\nheight=52\nchannels=64\n" + CONV.format(256, "leaky"))
    optimized = optimize(graph)
    assert any("tile" in name for name in blocked.write_blocked(optimized, 16).arrays)
    assert not any("tile" in name for name in blocked.write_blocked(optimized, 16, winograd=False).arrays)
    for winograd in (True, False):
        kinds = [op.kind for op in optimize(graph, opencv.passes_for("5.0.0", winograd)).ops]
        assert ("untile" in kinds) is winograd
