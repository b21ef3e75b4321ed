"""Winograd's method in the runtimes that get it: the same numbers, in their own layouts, with what follows."""

from __future__ import annotations

import cv2
import pytest
from agree import OPTIONS, agree, network, only_opencv_5, random_inputs
from blocks import in_blocks
from tiles import each_tile, force

from darknet_py.backends.opencv import session as opencv
from darknet_py.errors import BackendError
from darknet_py.ir import Graph
from darknet_py.passes import optimize
from darknet_py.passes.winograd import TILES, Tile

CONV = "[convolutional]\nfilters={}\nsize=3\npad=1\nbatch_normalize=1\nactivation={}\n"
NET = "[net]\nwidth=13\nheight=9\nchannels=32\n" + CONV.format(32, "leaky") + CONV.format(32, "leaky")
NET += "[shortcut]\nfrom=-2\nactivation=leaky\n" + CONV.format(48, "mish") + CONV.format(16, "linear")


def graph_of(outputs: str) -> Graph:
    graph = network(NET)
    return graph if outputs == "all" else graph.with_outputs([graph.layers[-1].output])


each_output = pytest.mark.parametrize("outputs", ["all", "last"])


@each_output
@each_tile
def test_tiles_in_onnxruntime(tile: Tile, outputs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, tile)
    graph = graph_of(outputs)
    agree(graph, runtimes=("onnxruntime",))
    written = in_blocks(graph)
    assert [n.op_type for n in written.nodes].count("Transpose") == 4


@only_opencv_5
@each_output
@each_tile
def test_tiles_in_opencv(tile: Tile, outputs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, tile)
    graph = graph_of(outputs)
    after = optimize(graph, opencv.passes_of_release(cv2.__version__))
    assert [op.kind for op in after.ops].count("untile") == 4
    monkeypatch.setitem(OPTIONS, "opencv", {})
    agree(graph, runtimes=("opencv",))


@only_opencv_5
def test_opencv_does_without_where_they_do_not_fit_into_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = network("[net]\nwidth=52\nheight=52\nchannels=64\n" + CONV.format(256, "leaky"))

    def has_tiles() -> bool:
        session = opencv.open_session(graph)
        session.run(random_inputs(graph, 1))
        return any("tile" in name for name in session.profile())

    assert has_tiles()
    monkeypatch.setattr("darknet_py.onnx.stream.PROTOBUF_LIMIT", 2 * 64 * 256 * 9 * 4)
    assert not has_tiles()
    agree(graph, runtimes=("opencv",))
    monkeypatch.setattr("darknet_py.onnx.stream.PROTOBUF_LIMIT", 1000)
    with pytest.raises(BackendError, match="at most 2 GB"):
        opencv.open_session(graph)


def test_the_blocked_layout_is_left_for_nothing_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, *TILES)
    kinds = [n.op_type for n in in_blocks(graph_of("last")).nodes]
    assert (kinds.count("ReorderInput"), kinds.count("ReorderOutput"), kinds.count("Neg")) == (1, 1, 0)


def test_it_can_be_switched_off() -> None:
    graph = network("[net]\nwidth=52\nheight=52\nchannels=64\n" + CONV.format(256, "leaky"))
    for winograd in (True, False):
        assert any("tile" in name for name in in_blocks(graph, winograd=winograd).arrays) is winograd
        kinds = [op.kind for op in optimize(graph, opencv.passes_of_release("5.0.0", winograd)).ops]
        assert ("untile" in kinds) is winograd
