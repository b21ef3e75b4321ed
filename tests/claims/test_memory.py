"""What max-outs save, by hand on a small pyramid."""

from __future__ import annotations

from darknet_py.analysis.cost import live_elements
from darknet_py.darknet.compile import compile_cfg
from tools.claims.memory import moved_forward, saved

# A wide map, narrowed after three layers that do not need it, and joined with what these made.
CONV = "[convolutional]\nfilters={}\nsize=1\nactivation=linear\n"
NET = (
    f"[net]\nwidth=8\nheight=8\nchannels=3\n{CONV.format(16)}{3 * CONV.format(4)}"
    "[route]\nlayers=0\n[maxout]\nout_channels=4\n[route]\nlayers=-1,3\n"
)
PIXELS = 64


def test_a_max_out_that_keeps_a_quarter_saves_three_quarters_of_what_waits() -> None:
    found = saved(NET, 4)
    assert (found.read, found.written, found.part) == (16 * PIXELS, 4 * PIXELS, 0.75)


def test_the_head_keeps_the_wide_map_until_it_is_narrowed() -> None:
    found = saved(NET, 4)
    assert found.with_them.peak == 4 * PIXELS * (16 + 4 + 4) / (1 << 20)  # wide, the other, and what is made of it
    assert found.without.peak == 4 * PIXELS * (16 + 4 + 20) / (1 << 20)


def test_moved_forward_a_max_out_lets_go_of_the_wide_map_before_the_next_layers_run() -> None:
    graph = compile_cfg(NET).check().graph
    assert [info.index for info in moved_forward(graph).layers] == [0, 4, 5, 1, 2, 3, 6]
    # The first layer after it still reads the wide map; from then on the narrow one waits.
    alive = [live // PIXELS for live in live_elements(moved_forward(graph))]
    assert alive == [3 + 16, 16, 16 + 4, 16 + 4 + 4, 4 + 4 + 4, 4 + 4 + 4, 4 + 4 + 8]
