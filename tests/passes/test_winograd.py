"""Winograd's method: exact as algebra, of known rounding, used where it pays."""

from __future__ import annotations

import numpy as np
import pytest
from agree import compare, network
from tiles import FREE, each_tile, force

from darknet_py.backends.session import open_session
from darknet_py.ir import Graph
from darknet_py.passes import PASSES, optimize
from darknet_py.passes.winograd import SIZE, TILES, Tile, TileCosts, best_tile, tile_convolutions

CONV = "[convolutional]\nfilters={}\nsize={}\npad=1\nbatch_normalize=1\nactivation={}\n"
COSTS = TileCosts(16, point=93, product=27, result=68, weight=13)


def tiled(graph: Graph, costs: TileCosts = FREE) -> tuple[Graph, int]:
    """The graph after the pass, and how many convolutions it computes by tiles."""
    after = optimize(graph, (*PASSES, tile_convolutions(costs)))
    return after, sum(op.kind == "untile" for op in after.ops)


@each_tile
def test_a_tile_is_a_convolution(tile: Tile) -> None:
    """In one direction, in float64: results (products of transformed image and kernel) against sums of products."""
    rng = np.random.default_rng(0)
    image, kernel = rng.standard_normal(tile.length + SIZE - 1), rng.standard_normal(SIZE)
    transformed = [np.dot(image[first::step][: len(f)], f) for first, step, f in tile.taps]
    wanted = [image[i : i + SIZE] @ kernel for i in range(tile.length)]
    np.testing.assert_allclose(tile.results @ (transformed * (tile.kernel @ kernel)), wanted, rtol=1e-12)


@each_tile
def test_a_bias_reaches_each_result_once(tile: Tile) -> None:
    bias = np.float32([1, -2, 3])
    spread = tile.bias(bias).reshape(tile.points, len(bias))
    np.testing.assert_allclose(tile.square @ spread, np.tile(bias, (tile.length**2, 1)), rtol=1e-5)


@each_tile
def test_a_tile_rounds_little_more_than_a_sum_of_products(tile: Tile) -> None:
    """Images as they are after a ReLU, 128 channels; both in float32, against float64."""
    rng = np.random.default_rng(0)
    channels, filters, size = 128, 16, tile.length + SIZE - 1
    image = np.maximum(0, rng.standard_normal((200, channels, size, size))).astype(np.float32)
    kernel = rng.standard_normal((filters, channels, SIZE, SIZE)).astype(np.float32)
    transform = np.zeros((len(tile.taps), size), np.float32)
    for row, (first, step, factors) in zip(transform, tile.taps, strict=True):
        row[first::step][: len(factors)] = factors
    points = np.einsum("qx,py,tcyx->qptc", transform, transform, image, optimize=True)
    kernels = tile.weights(kernel).reshape(tile.points, filters, channels)
    products = points.reshape(tile.points, -1, channels) @ kernels.transpose(0, 2, 1)
    mixed = tile.square @ products.reshape(tile.points, -1)
    got = mixed.reshape(tile.length, tile.length, -1, filters)  # across, down, tile, filter

    def direct(dtype: type[np.generic]) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(image.astype(dtype), (SIZE, SIZE), (2, 3))
        flat = windows.transpose(3, 2, 0, 1, 4, 5).reshape(tile.length, tile.length, len(image), -1)
        return flat @ kernel.astype(dtype).reshape(filters, -1).T

    exact = direct(np.float64)
    assert got.dtype == np.float32
    bound = {2: 1.5, 4: 4}[tile.length]  # measured: 1.2 and 3.7 times as much
    assert np.std(got - exact) < bound * np.std(direct(np.float32) - exact)


def test_what_pays_is_chosen() -> None:
    few, many = TILES
    assert best_tile(512, 256, 13, 13, COSTS) is few  # weights cost more than what a large tile saves
    assert best_tile(128, 128, 52, 52, COSTS) is many
    assert best_tile(16, 16, 208, 208, COSTS) is None  # little arithmetic, much memory
    assert best_tile(128, 120, 52, 52, COSTS) is None  # no whole blocks


@each_tile
@pytest.mark.parametrize(("width", "height"), [(12, 9), (13, 16), (5, 3), (4, 1)])
def test_an_image_of_any_size(tile: Tile, width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, tile)
    text = f"[net]\nwidth={width}\nheight={height}\nchannels=3\n" + CONV.format(6, 3, "leaky")
    text += "[convolutional]\nfilters=5\nsize=3\npad=1\nactivation=linear\n"
    graph = network(text)
    after, count = tiled(graph)
    assert count == 2
    x = np.random.default_rng(0).random((2, *graph.image.shape), np.float32)
    compare(graph, open_session(after, "numpy").run([x]), open_session(graph, "numpy").run([x]), "tiles")


@pytest.mark.parametrize("option", ["stride=2", "dilation=2", "groups=2", "padding=0", "size=5"])
def test_other_convolutions_are_left_alone(option: str) -> None:
    stem = "[net]\nwidth=52\nheight=52\nchannels=64\n"
    plain = "[convolutional]\nfilters=64\nsize=3\nstride=1\npadding=1\nactivation=leaky\n"
    name = option.partition("=")[0]
    kept = "".join(line for line in plain.splitlines(True) if not line.startswith(name))
    assert tiled(network(stem + plain))[1] == 1
    assert tiled(network(stem + kept + option + "\n"))[1] == 0
