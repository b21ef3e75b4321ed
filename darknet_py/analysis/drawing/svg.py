"""A drawing as SVG, written by ourselves: no Graphviz is needed, and text stays text."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from ...errors import printable
from .drawing import Box, Drawing, gigas
from .layout import FONT, LINE, MARGIN, PAD_X, PAD_Y, Frame, Layout, Point, bold_lines, lay_out, text_width
from .style import ARROW, CSP_LINE, FRAME, FRAME_LINE, STYLES, TEXT, Style, lines, style_name, used_styles  # fmt: skip

FONTS = "Helvetica, Arial, 'Liberation Sans', sans-serif"
CORNER = 5
BLOCK_PAD = 7  # between the boxes of a CSP block and its dashed frame
LABEL, LABEL_X = "CSP", 8  # of that frame, and how far from its corner
LEGEND_Y = 44
SWATCH = 14


def to_svg(drawing: Drawing) -> str:
    """The drawing as an SVG document."""
    layout = lay_out(drawing)
    legend = list(used_styles(drawing).values())
    width = max(layout.width, _legend_width(legend), text_width(_title(drawing), 16, bold=True) + 2 * MARGIN)
    body = [
        *_header(drawing, legend), *_stages(drawing, layout), *_blocks(drawing, layout),
        *(_arrow(points) for points in layout.arrows), *_boxes(drawing, layout),
    ]  # fmt: skip
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{layout.height:.0f}"'
        f' viewBox="0 0 {width:.0f} {layout.height:.0f}" font-family="{FONTS}" font-size="{FONT}" fill="{TEXT}">'
    )
    marker = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0.5 L8 4 L0 7.5 z" fill="{ARROW}"/></marker></defs>'
    )
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return "\n".join([head, f"<title>{_escape(_title(drawing))}</title>", marker, ground, *body, "</svg>", ""])


def _escape(text: str) -> str:
    """A text in SVG: no XML may have control characters, however they are written."""
    return html.escape(printable(text, lines=False))


def _title(drawing: Drawing) -> str:
    bflops = sum(box.bflops for box in drawing.boxes)
    count = max(max(box.layers, default=0) for box in drawing.boxes) + 1
    layers = f"{count} layers" if drawing.part is None else "layers {}–{}".format(*drawing.part)
    return " · ".join([*filter(None, [drawing.title]), layers, gigas(bflops)])


def _header(drawing: Drawing, legend: Sequence[Style]) -> Iterable[str]:
    yield f'<text x="{MARGIN}" y="28" font-size="16" font-weight="bold">{_escape(_title(drawing))}</text>'
    x: float = MARGIN
    for style in legend:
        yield _rect(Frame(x, LEGEND_Y, SWATCH * 1.6, SWATCH), style)
        yield f'<text x="{x + SWATCH * 1.6 + 5:.1f}" y="{LEGEND_Y + 11}">{_escape(style.legend)}</text>'
        x += _legend_item(style)


def _legend_item(style: Style) -> float:
    return SWATCH * 1.6 + 5 + text_width(style.legend) + 16


def _legend_width(legend: Sequence[Style]) -> float:
    return 2 * MARGIN + sum(map(_legend_item, legend))


def _stages(drawing: Drawing, layout: Layout) -> Iterable[str]:
    for stage, frame in zip(drawing.stages, layout.stages, strict=True):
        yield _plain(frame, f'fill="{FRAME}" stroke="{FRAME_LINE}"', 8)
        x, y = frame.x + PAD_X, frame.y + LINE + 4
        yield f'<text x="{x:.1f}" y="{y:.1f}" font-size="13" font-weight="bold">{_escape(stage.title)}</text>'
        for n, note in enumerate(stage.notes, 1):
            yield f'<text x="{x:.1f}" y="{y + n * LINE:.1f}" fill="#4a5058">{_escape(note)}</text>'


def _blocks(drawing: Drawing, layout: Layout) -> Iterable[str]:
    """A dashed frame around each CSP block."""
    for block in drawing.csp_blocks:
        inside = [f for box, f in zip(drawing.boxes, layout.boxes, strict=True) if box.csp == block]
        left, top = min(f.x for f in inside) - BLOCK_PAD, min(f.y for f in inside) - BLOCK_PAD
        right, bottom = max(f.right for f in inside) + BLOCK_PAD, max(f.bottom for f in inside) + BLOCK_PAD
        frame = Frame(left, top, right - left, bottom - top)
        yield _plain(frame, f'fill="none" stroke="{CSP_LINE}" stroke-dasharray="5 3"', 8)
        label = Frame(left + LABEL_X, top - LINE / 2, text_width(LABEL, bold=True) + 8, LINE)
        yield _plain(label, f'fill="{FRAME}"', 0)
        yield f'<text x="{label.x + 4:.1f}" y="{top + 4:.1f}" font-weight="bold" fill="#b34700">{LABEL}</text>'


def _boxes(drawing: Drawing, layout: Layout) -> Iterable[str]:
    for box, frame in zip(drawing.boxes, layout.boxes, strict=True):
        yield _rect(frame, STYLES[style_name(box)])
        yield from _text(box, frame)


def _text(box: Box, frame: Frame) -> Iterable[str]:
    texts = lines(box)
    bold = bold_lines(box)
    for n, line in enumerate(texts):
        y = frame.y + PAD_Y + (n + 1) * LINE - 3.5
        weight = ' font-weight="bold"' if n < bold else ""
        yield f'<text x="{frame.middle:.1f}" y="{y:.1f}" text-anchor="middle"{weight}>{_escape(line)}</text>'


def _rect(frame: Frame, style: Style) -> str:
    dashes = ' stroke-dasharray="5 3"' if style.dashed else ""
    radius = frame.height / 2 if style.round else 4
    return _plain(frame, f'fill="{style.fill}" stroke="{style.line}"{dashes}', radius)


def _plain(frame: Frame, paint: str, radius: float) -> str:
    place = f'x="{frame.x:.1f}" y="{frame.y:.1f}" width="{frame.width:.1f}" height="{frame.height:.1f}"'
    return f'<rect {place} rx="{radius:g}" {paint}/>'


def _arrow(points: Sequence[Point]) -> str:
    """A line through the corners, rounded at each."""
    path = [f"M{_at(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        path.append(f"L{_at(_toward(corner, before))} Q{_at(corner)} {_at(_toward(corner, after))}")
    path.append(f"L{_at(points[-1])}")
    return f'<path d="{" ".join(path)}" fill="none" stroke="{ARROW}" stroke-width="1.2" marker-end="url(#tip)"/>'


def _toward(corner: Point, other: Point) -> Point:
    """The point a radius away from a corner, or halfway if that is nearer."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)  # lines are upright or level
    step = min(CORNER, length / 2) / length if length else 0
    return corner[0] + dx * step, corner[1] + dy * step


def _at(point: Point) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"
