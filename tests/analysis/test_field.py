"""Receptive fields against answers worked out by hand, and against what really changes when a picture does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darknet_py.analysis.field import Field, field_of, fields_of_heads, image_box
from darknet_py.backends.numpy.session import open_session
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.weights import random_weights
from darknet_py.ir import Graph

SIDE = 24  # pixels of a picture that is changed row by row
CONV = "[convolutional]\nfilters=2\nsize={}\nstride={}\npad=1\nactivation=linear\n"


def graph_of(layers: str, side: int = SIDE) -> Graph:
    return compile_cfg(f"[net]\nwidth={side}\nheight={side}\nchannels=2\n{layers}").check().graph


def seen(layers: str, side: int = 64) -> tuple[int, int, bool]:
    graph = graph_of(layers, side)
    return field_of(graph, graph.layers[-1].output)


# -- by hand -----------------------------------------------------------------------------------------------------


def test_a_window_sees_its_kernel() -> None:
    assert seen(CONV.format(5, 1)) == (5, 5, False)


def test_a_window_after_a_stride_sees_as_many_more_pixels_as_it_has_steps() -> None:
    assert seen(CONV.format(3, 2) + CONV.format(3, 2) + CONV.format(3, 1)) == (3 + 2 * 2 + 2 * 4, 15, False)


def test_a_dilated_kernel_sees_what_lies_between_its_taps() -> None:
    assert seen(CONV.format(3, 1).replace("pad", "dilation=4\npad")) == (9, 9, False)


def test_height_and_width_are_told_apart() -> None:
    layers = "[convolutional]\nsize=3\nstride_x=3\nstride_y=1\npad=1\n" + CONV.format(3, 1)
    assert seen(layers) == (5, 9, False)


def test_of_two_ways_the_one_that_sees_more_counts() -> None:
    assert seen(CONV.format(3, 1) + CONV.format(7, 1) + "[shortcut]\nfrom=-2\nactivation=linear") == (9, 9, False)


def test_a_route_of_half_of_the_channels_sees_what_that_half_does() -> None:
    two = CONV.format(3, 1) + "[route]\nlayers=-2\n" + CONV.format(9, 1) + "[route]\nlayers=-1,-3\n"
    halves = [two + f"[route]\nlayers=-1\ngroups=2\ngroup_id={i}\n" for i in (0, 1)]
    start = CONV.format(1, 1)
    assert [seen(start + half)[0] for half in halves] == [9, 3]


def test_groups_of_a_convolution_do_not_see_each_other() -> None:
    joined = (
        CONV.format(1, 1) + CONV.format(3, 1) + "[route]\nlayers=-2\n" + CONV.format(9, 1) + "[route]\nlayers=-1,-3\n"
    )
    apart = joined + "[convolutional]\nfilters=2\nsize=1\ngroups=2\nactivation=linear\n[route]\nlayers=-1\ngroups=2\n"
    assert [seen(f"{apart}group_id={i}\n")[0] for i in (0, 1)] == [9, 3]


def test_neighbours_in_an_enlarged_map_differ_and_the_larger_field_is_told() -> None:
    # Of a map of 2x2 pixels to a cell, enlarged to pixels: a 3x3 window looks at two of those, or at two.
    assert seen("[maxpool]\nsize=2\nstride=2\npadding=0\n[upsample]\nstride=2\n" + CONV.format(3, 1)) == (4, 4, False)
    # A 2x2 window with its first cell odd looks at two, with an even one at one.
    assert seen(
        "[maxpool]\nsize=2\nstride=2\npadding=0\n[upsample]\nstride=2\n[maxpool]\nsize=2\nstride=1\npadding=0\n"
    ) == (4, 4, False)


def test_a_maxout_changes_no_field() -> None:
    assert seen(CONV.format(3, 1) + "[maxout]\nout_channels=1\n") == (3, 3, False)


def test_a_mean_of_a_map_is_told_apart_from_windows() -> None:
    gate = CONV.format(3, 1) + "[avgpool]\n" + "[scale_channels]\nfrom=-2\n"
    assert seen(gate) == (3, 3, True)
    assert seen(CONV.format(3, 1) + "[avgpool]\n") == (0, 0, True)


def test_a_connected_layer_sees_the_whole_picture() -> None:
    assert seen(CONV.format(3, 1) + "[connected]\noutput=3\nactivation=linear") == (0, 0, True)


def test_pixels_that_reorg_moves_into_channels_are_seen() -> None:
    """Darknet's [reorg] puts rows and columns that are not neighbours into a cell: more than the stride is seen."""
    height, width, whole = seen(CONV.format(1, 1).replace("filters=2", "filters=4") + "[reorg]\nstride=2\n", 16)
    assert not whole
    assert height >= 2
    assert width >= 2


def test_a_head_has_the_field_of_the_map_it_decodes_and_its_anchors() -> None:
    yolo = "[convolutional]\nfilters=12\nsize=3\npad=1\nactivation=linear\n[yolo]\nmask=1,2\nclasses=1\nnum=3\n"
    (field,) = fields_of_heads(graph_of(yolo + "anchors=3,4, 9,8, 5,6\n"))
    assert field == Field("1_yolo", (24, 24), 3, 3, False, ((9, 8), (5, 6)))
    assert field.sentence() == "1_yolo, 24x24 cells, sees 3x3 pixels; anchors 5x6 to 9x8"


def test_a_network_without_heads_tells_of_what_it_returns() -> None:
    (field,) = fields_of_heads(graph_of(CONV.format(3, 1) + "[avgpool]\n[softmax]\n"))
    assert field.sentence() == "2_softmax, 1x1 cells, sees the whole picture at once"


# -- by changing the picture -------------------------------------------------------------------------------------

convolutions = st.builds(CONV.format, st.sampled_from([1, 3, 5]), st.sampled_from([1, 2]))
pools = st.builds("[maxpool]\nsize={}\nstride={}\n".format, st.sampled_from([2, 3]), st.sampled_from([1, 2]))
dilated = st.just(CONV.format(3, 1).replace("pad", "dilation=2\npad"))
enlarged = st.just("[upsample]\nstride=2\n")
beside = convolutions.filter(lambda c: "stride=1" in c).map(
    lambda c: f"{CONV.format(1, 1)}{c}[shortcut]\nfrom=-2\nactivation=linear\n"
)
cut = st.just("[maxpool]\nsize=1\nstride=1\nmaxpool_depth=1\nout_channels=1\n" + CONV.format(1, 1))
chains = st.lists(st.one_of(convolutions, pools, dilated, enlarged, beside, cut), min_size=1, max_size=5).map("".join)


def influence(graph: Graph, cell: tuple[int, int], axis: int) -> set[int]:
    """The rows (axis 1) or columns (axis 2) of the picture that change a cell of the last layer."""
    weights = random_weights(graph, 0).arrays
    positive = {v: np.abs(a) + np.float32(0.5) for v, a in weights.items()}  # so that nothing cancels
    session = open_session(graph.with_data(positive).with_outputs([graph.layers[-1].output]))
    plain = np.zeros((1, *graph.image.shape), np.float32)
    y, x = cell
    (before,) = session.run([plain])
    found = set()
    for i in range(SIDE):
        lit = plain.copy()
        lit[(slice(None),) * (axis + 1) + (i,)] = 1
        (after,) = session.run([lit])
        found |= {i} if (after[0, :, y, x] != before[0, :, y, x]).any() else set()
    return found


@settings(max_examples=25, deadline=None, derandomize=True)
@given(chains)
def test_a_field_is_what_changes_a_cell_when_it_changes(layers: str) -> None:
    compilation = compile_cfg(f"[net]\nwidth={SIDE}\nheight={SIDE}\nchannels=2\n{layers}")
    if compilation.errors or math.prod(compilation.graph.layers[-1].output.shape) > 1 << 15:
        return
    graph = compilation.graph
    value = graph.layers[-1].output
    _, rows, columns = value.shape
    cell = rows // 2, columns // 2
    box, whole = image_box(graph, value, ((0, value.shape[0] - 1), *((n, n) for n in cell)))
    assert box is not None
    assert not whole
    for axis in (1, 2):
        lo, hi = box[axis]
        found = influence(graph, cell, axis)
        assert (min(found), max(found)) == (max(lo, 0), min(hi, SIDE - 1))


@pytest.mark.parametrize("name", ["yolov3-csppelee-efm", "yolov3-csppelee-gfm", "csresnext50-panet-spp"])
def test_the_heads_of_the_paper_see_more_than_their_largest_anchor(name: str) -> None:
    from darknet_py.darknet.compile import compile_file
    from darknet_py.zoo.find import find_network

    fields = fields_of_heads(compile_file(find_network(name).cfg, size=(416, 416)).check().graph)
    assert len(fields) == 3
    for field in fields:
        assert all(w <= field.width and h <= field.height for w, h in field.anchors)
