"""The NumPy executor's shortcuts: convolution in blocks, and results written over operands that nobody reads again."""

from __future__ import annotations

import numpy as np
import pytest
from agree import network, random_inputs
from goldens import Golden, goldens

from darknet_py.backends.numpy.session import overwriting
from darknet_py.backends.session import open_session
from darknet_py.ir import Graph
from darknet_py.ir import kernels_conv as numpy_conv

CASES = [c for c in goldens("golden").values() if c.ran]

NETWORK = """
[net]
width=8
height=8
channels=4
[convolutional]
filters=8
size=3
pad=1
activation=leaky
[route]
layers=-1
groups=2
group_id=1
[activation]
activation=mish
[route]
layers=-1,0
"""


def direct(x: np.ndarray, w: np.ndarray, stride: int, pad: int, dilation: int, groups: int) -> np.ndarray:
    """Cross-correlation by its definition, in double precision."""
    n, cg, k, _ = w.shape
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    size = (x.shape[2] - dilation * (k - 1) - 1) // stride + 1
    y = np.zeros((len(x), n, size, size))
    for f in range(n):
        first = f // (n // groups) * cg
        for row, column in np.ndindex(size, size):
            top, left = row * stride, column * stride
            window = x[:, first : first + cg, top : top + dilation * (k - 1) + 1, left : left + dilation * (k - 1) + 1]
            y[:, f, row, column] = (window[..., ::dilation, ::dilation] * w[f]).sum((1, 2, 3))
    return y


@pytest.mark.parametrize("budget", [1, 4 * 6 * 9 * 9 * 2, 4 << 20])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("k", "stride", "pad", "dilation", "groups", "filters"),
    [(3, 1, 1, 1, 1, 4), (3, 2, 1, 1, 1, 4), (1, 1, 0, 1, 1, 4), (1, 2, 0, 1, 1, 4), (1, 1, 1, 1, 1, 4),
     (5, 1, 2, 1, 2, 4), (3, 1, 2, 2, 3, 6), (1, 1, 0, 1, 2, 4), (3, 1, 1, 1, 6, 6), (3, 2, 1, 1, 6, 12)],
)  # fmt: skip
def test_a_convolution_is_the_same_in_blocks_of_any_size(
    k: int, stride: int, pad: int, dilation: int, groups: int, filters: int, budget: int, exact: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(numpy_conv, "COLUMN_BYTES", budget)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 6, 9, 9), np.float32)
    w = rng.standard_normal((filters, 6 // groups, k, k), np.float32)
    bias = rng.standard_normal(filters, np.float32)
    run = numpy_conv.conv_in_order if exact else numpy_conv.conv
    y = run(x, w, bias, strides=(stride,) * 2, pads=(pad,) * 4, dilations=(dilation,) * 2, groups=groups)
    expected = direct(x, w, stride, pad, dilation, groups) + bias[:, None, None]
    assert y.dtype == np.float32
    assert np.abs(y - expected).max() < 1e-5 * np.abs(expected).max()


def test_inputs_are_left_as_they_were() -> None:
    graph = network("[net]\nwidth=4\nheight=4\nchannels=2\n[activation]\nactivation=leaky\n[activation]\n")
    (image,) = random_inputs(graph, 2)
    image -= 0.5
    before = image.copy()
    open_session(graph.with_outputs(graph.outputs[-1:]), "numpy").run([image])
    assert np.array_equal(image, before)


def test_what_a_slice_looks_at_is_not_overwritten() -> None:
    graph = network(NETWORK)
    last = graph.with_outputs(graph.outputs[-1:])
    readers = {v: i for i, op in enumerate(last.ops) for v in op.inputs}
    assert [op.kind for op in overwriting(last, readers)] == ["leaky_relu"]  # mish reads a part of what is read again
    feed = random_inputs(graph, 2)
    assert np.array_equal(open_session(last, "numpy").run(feed)[0], open_session(graph, "numpy").run(feed)[-1])


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_results_do_not_depend_on_what_else_is_returned(case: Golden) -> None:
    graph: Graph = case.graph(as_darknet=True)
    everything = graph.with_outputs(dict.fromkeys([*(info.output for info in graph.layers), *graph.outputs]))
    states = [np.zeros((1, *s.input.shape), np.float32) for s in graph.states]
    feed = [next(iter(case.steps())), *states]
    got = open_session(graph, "numpy").run(feed)
    wanted = dict(zip(everything.outputs, open_session(everything, "numpy").run(feed), strict=False))
    for value, y in zip(graph.outputs, got, strict=False):
        assert np.array_equal(y, wanted[value], equal_nan=True)
