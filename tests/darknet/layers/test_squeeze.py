"""[se] against an answer worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from darknet_py.backends.session import open_session
from darknet_py.darknet.compile import compile_cfg

NET = "[net]\nwidth=2\nheight=1\nchannels=4\n[se]\nreduction=2\n"


def test_se_scales_each_channel_by_a_hard_sigmoid_of_two_matrices() -> None:
    graph = compile_cfg(NET, dialect="pytorch").check().graph
    squeeze, excite = np.eye(2, 4, dtype=np.float32), np.array([[6, 0], [0, 6], [-6, 0], [1.5, 0]], np.float32)
    arrays = dict(zip((p.value for p in graph.params), (squeeze, excite), strict=True))
    x = np.array([[[0, 2]], [[-1, -3]], [[4, 4]], [[8, 8]]], np.float32)  # means 1, -2, 4, 8

    got = open_session(graph.with_data(arrays), "numpy").run([x[None]])[0][0]

    assert got[:, 0].tolist() == pytest.approx(np.array([[0, 2], [-0.5, -1.5], [0, 0], [6, 6]]))


@pytest.mark.parametrize("option", ["reduction=8", "filters=3"])
def test_se_must_fit_the_channels(option: str) -> None:
    (problem,) = compile_cfg(NET.replace("reduction=2", option), dialect="pytorch").errors
    assert problem.code == "DK305"
