"""Pictures of networks: what is recognized, that nothing is lost, and that no arrow crosses a box."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from darknet_py.analysis.drawing.drawing import Drawing, draw, ranges
from darknet_py.analysis.drawing.layout import FONT, HEADER, PAD_X, Frame, Layout, bold_lines, lay_out
from darknet_py.analysis.drawing.part import part_of
from darknet_py.analysis.drawing.style import lines
from darknet_py.analysis.drawing.svg import to_svg
from darknet_py.analysis.drawing.text import to_dot, to_mermaid
from darknet_py.darknet.compile import compile_cfg, compile_file
from darknet_py.errors import DataError
from darknet_py.zoo.find import find_network

NET = "[net]\nwidth=32\nheight=32\nchannels=3\n"
NETWORKS = ("csppelee", "csresnext50", "spelee", "yolov3-csppelee-efm", "csresnext50-panet-spp", "enetb0")


def conv(filters: int, size: int = 1, stride: int = 1) -> str:
    return f"[convolutional]\nfilters={filters}\nsize={size}\nstride={stride}\npad=1\nactivation=leaky\n"


def route(*layers: int) -> str:
    return f"[route]\nlayers={','.join(map(str, layers))}\n"


def shortcut(layer: int) -> str:
    return f"[shortcut]\nfrom={layer}\nactivation=linear\n"


RESIDUAL = conv(4) + conv(4, 3) + shortcut(-3)
DENSE = conv(4) + conv(4, 3) + route(-1, -3)
CSP = conv(8, 3, 2) + conv(4) + route(-2) + conv(4) + 3 * RESIDUAL + conv(4) + route(-1, -13) + conv(8)


def drawn(cfg: str, *, full: bool = False) -> Drawing:
    return draw(compile_cfg(NET + cfg).check().graph, "a network", full=full)


def of_file(name: str, *, full: bool = False) -> Drawing:
    return draw(compile_file(find_network(name).cfg).check().graph, name, full=full)


def captions(drawing: Drawing) -> list[str]:
    return [box.caption for box in drawing.boxes]


def test_a_csp_block_is_split_residuals_transition_and_concatenation() -> None:
    drawing = drawn(CSP)
    assert captions(drawing) == [
        "image", "conv 3×3/2", "bypass: conv 1×1", "split: conv 1×1", "residual ×3", "transition: conv 1×1", "concat",
        "transition: conv 1×1",
    ]  # fmt: skip
    assert [box.csp for box in drawing.boxes] == [None, None, 0, 0, 0, 0, 0, 0]
    assert drawing.arrows == ((0, 1), (1, 2), (1, 3), (3, 4), (4, 5), (5, 6), (2, 6), (6, 7))


def test_a_box_says_layers_output_and_cost() -> None:
    box = drawn(CSP).boxes[4]
    assert box.detail == "conv 1×1, 3×3"
    assert box.layers == tuple(range(4, 13))
    macs = 3 * (4 * 4 + 9 * 4 * 4) * 16 * 16
    assert box.bflops == pytest.approx(2 * macs / 1e9)
    assert box.numbers == "4–12 · 4×16×16 · 0.000246 BF"


def test_stages_are_runs_of_one_resolution() -> None:
    drawing = drawn(conv(4, 3) + CSP + "[avgpool]\n" + conv(5) + "[softmax]\n")
    assert [(stage.title, stage.size) for stage in drawing.stages] == [
        ("1/1", (32, 32)),
        ("1/2", (16, 16)),
        ("vector", ()),
    ]
    assert [ranges(stage.layers) for stage in drawing.stages] == ["0", "1–16", "17–19"]
    assert sum(s.bflops for s in drawing.stages) == pytest.approx(sum(b.bflops for b in drawing.boxes))


@pytest.mark.parametrize(
    ("cfg", "title", "detail"),
    [
        (conv(4) + 2 * DENSE, "dense layer ×2", "conv 1×1, 3×3"),
        (
            conv(4) + conv(2) + conv(2, 3) + conv(2, 3) + route(-4) + conv(2) + conv(2, 3) + route(-7, -4, -1),
            "two-way dense layer", "conv 1×1, 3×3, 3×3 ∥ conv 1×1, 3×3",
        ),
        (conv(4) + RESIDUAL, "residual", "conv 1×1, 3×3"),
        (
            conv(4) + "[avgpool]\n" + conv(2) + conv(4) + "[scale_channels]\nfrom=-4\n", "channel attention",
            "avgpool, conv 1×1, 1×1",
        ),
        (conv(4) + conv(4) + "[sam]\nfrom=-2\n", "spatial attention", "conv 1×1"),
        (
            conv(4) + "[maxpool]\nsize=5\nstride=1\n" + route(-2) + "[maxpool]\nsize=9\nstride=1\n" + route(-1, -3, -4),
            "spatial pyramid", "maxpool 9 ∥ maxpool 5",
        ),
    ],
)  # fmt: skip
def test_units_are_recognized(cfg: str, title: str, detail: str) -> None:
    drawing = drawn(cfg)
    assert (drawing.boxes[-1].title, drawing.boxes[-1].detail) == (title, detail)
    assert len(drawing.boxes) == 3


def test_a_unit_that_is_read_from_outside_stays_open() -> None:
    drawing = drawn(conv(4) + RESIDUAL + route(-2, -1))
    assert "residual" not in captions(drawing)
    assert captions(drawing)[-2:] == ["add", "concat"]


def test_a_slice_can_split_a_csp_block() -> None:
    cfg = conv(8, 3) + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n" + conv(4, 3) + conv(4, 3) + route(-1, -2) + conv(8)
    drawing = drawn(cfg + route(-6, -1))
    assert captions(drawing) == [
        "image", "conv 3×3", "split: part 2 of 2, conv 3×3", "dense layer", "transition: conv 1×1", "concat",
    ]  # fmt: skip


def test_full_shows_every_layer_and_every_route() -> None:
    drawing = drawn(CSP, full=True)
    assert [box.layers for box in drawing.boxes[1:]] == [(i,) for i in range(16)]
    assert drawing.boxes[3].title == "route"
    assert (2, 15) in drawing.arrows


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_drawn_once_and_arrows_go_on(name: str, full: bool) -> None:
    graph = compile_file(find_network(name).cfg).check().graph
    drawing = draw(graph, full=full)
    layers = [i for box in drawing.boxes for i in box.layers]
    assert len(set(layers)) == len(layers)
    idle = set(range(len(graph.layers))) - set(layers)
    assert all(graph.layers[i].section in ("route", "dropout") for i in idle)
    assert all(a < b for a, b in drawing.arrows)
    assert {b for _, b in drawing.arrows} == set(range(1, len(drawing.boxes)))
    assert sorted(i for stage in drawing.stages for i in stage.boxes) == list(range(1, len(drawing.boxes)))


def test_the_paper_networks_show_their_blocks() -> None:
    assert [len(of_file(name).csp_blocks) for name in ("csppelee", "csresnext50", "yolov3-csppelee-efm", "pelee")] == [
        4, 4, 4, 0,
    ]  # fmt: skip
    titles = [box.title for box in of_file("csppelee").boxes if box.kind == "dense"]
    assert titles == [f"two-way dense layer ×{n}" for n in (2, 4, 8, 4)]
    titles = [box.title for box in of_file("csresnext50").boxes if box.kind == "residual"]
    assert titles == [f"residual ×{n}" for n in (3, 3, 5, 2)]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_no_arrow_crosses_a_box(name: str, full: bool) -> None:
    drawing = of_file(name, full=full)
    layout = lay_out(drawing)
    for n, (frame, other) in enumerate(pairwise(sorted(layout.boxes, key=lambda f: (f.y, f.x)))):
        assert frame.bottom <= other.y or frame.right <= other.x or other.right <= frame.x, n
    for (a, b), points in zip(drawing.arrows, layout.arrows, strict=True):
        others = [f for i, f in enumerate(layout.boxes) if i not in (a, b)]
        assert not any(crosses(p, q, f) for p, q in pairwise(points) for f in others), (a, b)
        assert all(min(abs(p[0] - q[0]), abs(p[1] - q[1])) < 1e-6 for p, q in pairwise(points))
    assert_inside(layout)


def crosses(p: tuple[float, float], q: tuple[float, float], frame: Frame) -> bool:
    across = min(p[0], q[0]) < frame.right and max(p[0], q[0]) > frame.x
    return across and min(p[1], q[1]) < frame.bottom and max(p[1], q[1]) > frame.y


def assert_inside(layout: Layout) -> None:
    frames = (*layout.boxes, *layout.stages)
    assert all(f.x >= 0 and f.right <= layout.width and f.bottom <= layout.height for f in frames)
    assert all(0 <= x <= layout.width for points in layout.arrows for x, _ in points)


def test_a_part_has_what_it_reads_as_inputs() -> None:
    part = part_of(drawn(conv(4, 3) + CSP), 5, 15)
    assert captions(part) == [
        "layer 4", "residual ×3", "transition: conv 1×1", "layer 2", "concat",
    ]  # fmt: skip
    assert [box.shape for box in part.boxes] == [(4, 16, 16)] * 4 + [(8, 16, 16)]
    assert part.arrows == ((0, 1), (1, 2), (2, 4), (3, 4))
    assert [(stage.title, ranges(stage.layers)) for stage in part.stages] == [("1/2", "5–15")]
    assert "layers 5–15" in to_svg(part)


def test_only_a_whole_csp_block_keeps_its_frame() -> None:
    whole = drawn(CSP)
    assert part_of(whole, 1, 15).csp_blocks == (0,)
    assert part_of(whole, 4, 15).csp_blocks == ()


def test_a_part_from_the_beginning_reads_the_image() -> None:
    part = part_of(drawn(CSP), 0, 0)
    assert captions(part) == ["image", "conv 3×3/2"]
    assert part.part == (0, 0)


def test_layers_that_compute_nothing_are_no_part() -> None:
    with pytest.raises(DataError, match="no layer from 2 to 2 computes anything"):
        part_of(drawn(CSP), 2, 2)


@pytest.mark.parametrize(("name", "first", "last"), [("yolov3-csppelee-efm", 159, 214), ("csppelee", 63, 125)])
def test_frames_of_parts_stay_below_the_legend(name: str, first: int, last: int) -> None:
    layout = lay_out(part_of(of_file(name), first, last))
    assert min(frame.y for frame in layout.stages) >= HEADER
    assert_inside(layout)


@pytest.mark.parametrize("name", ["csppelee", "csresnext50", "yolov3-csppelee-efm"])
def test_texts_fit_into_their_boxes_in_the_widest_usual_font(name: str) -> None:
    textpath = pytest.importorskip("matplotlib.textpath", reason="needs matplotlib, for the font DejaVu Sans")
    drawing = of_file(name)
    for box, frame in zip(drawing.boxes, lay_out(drawing).boxes, strict=True):
        for n, line in enumerate(lines(box)):
            font = {"family": "DejaVu Sans", "weight": "bold" if n < bold_lines(box) else "normal"}
            drawn_line = textpath.TextPath((0, 0), line, size=FONT, prop=font)
            assert drawn_line.get_extents().width < frame.width - PAD_X, line


def test_svg_is_xml_with_all_texts() -> None:
    drawing = drawn(CSP)
    root = ElementTree.fromstring(to_svg(drawing))
    texts = {"".join(e.itertext()) for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"residual ×3", "bypass: conv 1×1", "CSP", "1/2", "16×16", "layers 0–15"} <= texts
    arrows = [e for e in root.iter("{http://www.w3.org/2000/svg}path") if e.get("marker-end")]
    assert len(arrows) == len(drawing.arrows)


def test_mermaid_has_a_subgraph_for_each_stage_and_block() -> None:
    text = [line.strip() for line in to_mermaid(drawn(CSP)).splitlines()]
    assert text[:4] == ["---", 'title: "a network"', "---", "flowchart TB"]
    assert 'subgraph c0x0["CSP block"]' in text
    assert 'b4["residual ×3<br/>conv 1×1, 3×3<br/>4–12 · 4×16×16 · 0.000246 BF"]:::residual' in text
    assert "b2 --> b6" in text
    assert sum(line.startswith("subgraph") for line in text) == text.count("end") == 2


def test_dot_has_the_same_boxes_and_arrows() -> None:
    text = to_dot(drawn(CSP))
    assert text.count("{") == text.count("}") == 3
    assert text.count(" -> ") == 8
    assert 'b4 [label="residual ×3\\nconv 1×1, 3×3\\n4–12 · 4×16×16 · 0.000246 BF"' in text


@pytest.mark.parametrize("full", [False, True])
def test_graphviz_reads_the_dot_text(full: bool) -> None:
    dot = shutil.which("dot")
    if dot is None:
        pytest.skip("needs Graphviz's `dot` to check the text: apt-get install graphviz")
    text = to_dot(of_file("csppelee", full=full))
    done = subprocess.run([dot, "-Tcanon"], input=text, text=True, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_titles_cannot_break_out_of_a_picture() -> None:
    drawing = draw(compile_cfg(NET + conv(4)).graph, '<a> "b" & c')
    assert "&lt;a&gt;" in to_svg(drawing)
    ElementTree.fromstring(to_svg(drawing))
    assert "'b'" in to_mermaid(drawing)
    assert "'b'" in to_dot(drawing)


def test_ranges_fold_neighbours() -> None:
    assert ranges([5, 1, 2, 3, 9]) == "1–3, 5, 9"
