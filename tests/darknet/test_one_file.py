"""A layer is one file: what stands below is all that has to be written for another section of Darknet."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from darknet_py.analysis.cost import cost
from darknet_py.analysis.diff import diff
from darknet_py.analysis.drawing.drawing import draw
from darknet_py.analysis.summary import summarize
from darknet_py.backends.session import open_session
from darknet_py.darknet.cfg.options import opt
from darknet_py.darknet.compile import Compilation, compile_cfg
from darknet_py.darknet.explain import describe_section, list_sections
from darknet_py.darknet.layers import LAYERS, Layer
from darknet_py.darknet.layers.layer import Lowered, image, layer
from darknet_py.darknet.layers.lowering import Lowering
from darknet_py.darknet.layers.training import train
from darknet_py.ir.graph import Value

CFG = "[net]\nwidth=8\nheight=6\nchannels=3\n[fading]\nsize=2\nstride=2\nstrength=.5\nspeed=fast\n"


@pytest.fixture(scope="module")
def net() -> Iterator[Compilation]:
    before = dict(LAYERS)

    @layer
    class Fading(Layer):
        """The largest value under each window, times `strength`."""

        sections = ("fading", "fade")
        dialects = ("alexeyab",)
        family = "max pool"
        short = "fade"

        size: int = opt(2, "height and width of a window", low=1)
        stride: int = opt(2, "step between windows", low=1)
        strength: float = opt(1.0, "factor")
        speed: float = train(1.0, "how fast it fades in training")

        def lower(self, b: Lowering, *inputs: Value) -> Value:
            image(inputs[0])
            window = dict(kernel=(self.size,) * 2, strides=(self.stride,) * 2, pads=(0, 0, 0, 0))
            return b.mul(b.op("max_pool", inputs[0], **window), self.strength)

        def darknet_operations(self, x: Lowered) -> float:
            return 1e9 * len(x.ops)

    try:
        yield compile_cfg(CFG).check()
    finally:
        LAYERS.clear()
        LAYERS.update(before)


def test_it_is_read_and_lowered(net: Compilation) -> None:
    assert net.diagnostics == ()
    x = np.arange(3 * 6 * 8, dtype=np.float32).reshape(1, 3, 6, 8)
    (y,) = open_session(net.graph, "numpy").run([x])
    np.testing.assert_array_equal(y[0, 0], 0.5 * x[0, 0, 1::2, 1::2])
    (error,) = compile_cfg(CFG.replace("size=2", "size=0")).errors
    assert "must be at least 1" in error.message


def test_it_is_summarized_and_costed(net: Compilation) -> None:
    (line,) = summarize(net).format_table().splitlines()[1:-1]
    assert line.split() == "0 fade 2x 2/ 2 8 x 6 x 3 -> 4 x 3 x 3 2.000 BF".split()
    (paid,) = cost(net.graph).layers
    assert (paid.bflops_darknet, paid.cio, paid.params_file) == (2, 3 * 6 * 8 + 3 * 3 * 4, 0)


def test_it_is_drawn_and_compared(net: Compilation) -> None:
    assert [box.title for box in draw(net.graph).boxes] == ["image", "fading"]
    other = compile_cfg(CFG.replace("[fading]", "[fade]").replace("=.5", "=.25"))
    assert str(diff(net.graph, other.graph)) == "0_fading and 0_fade: mul with another constant"


def test_it_is_explained(net: Compilation) -> None:
    assert "fading" in list_sections()
    text = describe_section("fading")
    assert text.index("strength") < text.index("for training only:") < text.index("speed")
