"""Taps as channels: the same sums, for windows of any size and place, used where it pays."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from agree import OPTIONS, agree, network, only_opencv_5
from graphs import ALL_TAPS, COLUMNS, ROUNDING, computes_the_same, graph_of, kinds, numbers

from darknet_py.backends.opencv import session as opencv
from darknet_py.backends.session import open_session
from darknet_py.ir import Graph, Value
from darknet_py.ir.builder import Builder
from darknet_py.passes import optimize
from darknet_py.passes.im2col import TapCosts, unfold_convolutions

COSTS = TapCosts(8, tap=60, strided=1.35, edge=12)


def convolution(shape: tuple[int, int, int], filters: int, size: tuple[int, int], **attrs: Any) -> Graph:
    def body(b: Builder, x: Value) -> Value:
        weights = b.const(numbers(filters, shape[0] // attrs.get("groups", 1), *size))
        return b.op("conv", x, weights, b.const(numbers(filters)), **attrs)

    return graph_of(body, shape)


WINDOWS = [
    ((3, 3), {"strides": (2, 2), "pads": (1, 1, 1, 1)}),
    ((3, 3), {"strides": (2, 2), "pads": (0, 0, 0, 0)}),
    ((3, 3), {"strides": (2, 1), "pads": (2, 0, 1, 3)}),
    ((3, 3), {"strides": (3, 2), "pads": (1, 1, 0, 0)}),
    ((2, 2), {"strides": (2, 2), "pads": (0, 0, 1, 1)}),
    ((1, 1), {"strides": (2, 2), "pads": (0, 0, 0, 0)}),
    ((3, 2), {"strides": (1, 3), "pads": (0, 1, 2, 0)}),
]
IMAGES = [(8, 8), (7, 9), (4, 5), (3, 3)]
each_case = pytest.mark.parametrize(
    ("image", "size", "attrs"), [(image, *window) for image in IMAGES for window in WINDOWS]
)


@each_case
def test_all_taps(image: tuple[int, int], size: tuple[int, int], attrs: dict[str, Any]) -> None:
    before = convolution((4, *image), 5, size, **attrs)
    after = optimize(before, (unfold_convolutions(ALL_TAPS),))
    taps = size[0] * size[1]
    assert kinds(after) == ["conv"] * taps + ["concat"] * (taps > 1) + ["conv"]
    assert after.ops[-1].inputs[0].shape == (4 * taps, *before.outputs[0].shape[1:])
    computes_the_same(before, after, ROUNDING)


@each_case
def test_columns(
    image: tuple[int, int], size: tuple[int, int], attrs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darknet_py.passes.im2col.WORTH", 0)
    before = convolution((3, *image), 5, size, **attrs)
    after = optimize(before, (unfold_convolutions(COLUMNS),))
    assert kinds(after) == ["conv"] * (1 if size[0] == 1 else 2)
    assert after.ops[-1].inputs[0].shape[0] == 3 * size[0]
    computes_the_same(before, after, ROUNDING)


def test_a_pixel_that_no_tap_reads_is_left_out() -> None:
    """By hand: a kernel of ones in one dimension, stride 2, on 1 2 3 4 5 6 7: 0+1+2, 2+3+4, 4+5+6."""
    before = convolution((1, 1, 7), 1, (1, 3), strides=(1, 2), pads=(0, 1, 0, 0))
    weights, bias = before.ops[0].inputs[1:]
    before.data[weights][:], before.data[bias][:] = 1, 0
    after = optimize(before, (unfold_convolutions(ALL_TAPS),))
    x = np.arange(1, 8, dtype=np.float32).reshape(1, 1, 1, 7)
    assert [y.ravel().tolist() for y in open_session(after, "numpy").run([x])] == [[3, 9, 15]]


@pytest.mark.parametrize(
    ("shape", "filters", "size", "attrs", "convolutions"),
    [
        ((64, 16, 16), 128, 3, {"strides": (2, 2), "pads": (1, 1, 1, 1)}, 10),
        ((64, 104, 104), 64, 3, {"strides": (2, 2), "pads": (1, 1, 1, 1)}, 1),
        ((64, 16, 16), 128, 3, {"pads": (1, 1, 1, 1)}, 1),
        ((60, 16, 16), 128, 3, {"strides": (2, 2), "pads": (1, 1, 1, 1)}, 1),
        ((64, 16, 16), 128, 5, {"strides": (2, 2), "pads": (2, 2, 2, 2)}, 1),
        ((64, 16, 16), 128, 3, {"strides": (2, 2), "groups": 2}, 1),
        ((64, 16, 16), 128, 3, {"strides": (2, 2), "dilations": (2, 2)}, 1),
        ((3, 64, 64), 64, 7, {"strides": (2, 2), "pads": (3, 3, 3, 3)}, 2),
        ((1, 64, 64), 32, 3, {"pads": (1, 1, 1, 1)}, 2),
        ((3, 64, 64), 32, 3, {"pads": (1, 1, 1, 1)}, 1),
        ((3, 64, 64), 64, 7, {"strides": (2, 2), "dilations": (2, 2)}, 1),
    ],
    ids=["small", "large", "no stride", "no whole blocks", "5x5", "groups", "dilated", "7x7", "grey", "rgb", "wide"],
)
def test_what_pays_is_chosen(
    shape: tuple[int, int, int], filters: int, size: int, attrs: dict[str, Any], convolutions: int
) -> None:
    after = optimize(convolution(shape, filters, (size, size), **attrs), (unfold_convolutions(COSTS),))
    assert kinds(after).count("conv") == convolutions


@only_opencv_5
@each_case
def test_opencv_picks_the_same_pixels(image: tuple[int, int], size: tuple[int, int], attrs: dict[str, Any]) -> None:
    graph = convolution((8, *image), 5, size, **attrs)
    agree(optimize(graph, (unfold_convolutions(ALL_TAPS),)), runtimes=("opencv",))


@only_opencv_5
def test_opencv_gets_both(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[net]\nwidth=33\nheight=26\nchannels=3\n"
    text += "[convolutional]\nfilters=64\nsize=7\nstride=2\npad=1\nbatch_normalize=1\nactivation=leaky\n"
    text += "[convolutional]\nfilters=160\nsize=3\nstride=2\npad=1\nactivation=mish\n"
    graph = network(text)
    after = optimize(graph, opencv.passes_of_release(cv2.__version__))
    assert sum("im2col" in op.output.name for op in after.ops) == 1 + 9 + 1
    monkeypatch.setitem(OPTIONS, "opencv", {})
    agree(graph, runtimes=("opencv",))
