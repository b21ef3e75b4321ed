"""From the grid to pixels: rectangles of boxes and stages, corners of arrows.

Decision: widths first (texts, lanes), then the lines that arrows take across each gap, then heights. The width of a
text is estimated, so that the same drawing comes out everywhere without a font at hand; it is that of DejaVu Sans, the
widest font that browsers fall back to.
"""

from __future__ import annotations

from dataclasses import dataclass

from .drawing import Box, Drawing
from .grid import Grid, Lane, Place, Tracks, make_grid
from .style import heading, is_small, lines

FONT, LINE = 11, 14
PAD_X, PAD_Y = 10, 6
SLOT_GAP, COLUMN_GAP, STRIP_GAP = 18, 26, 12
LANE, TRACK = 9, 7  # between parallel arrows
GAP = 24  # between rows
FRAME_PAD = 14
PORT = 22  # from the middle of a box, where an arrow from the side comes in
STAGE_HEIGHT = 78  # the notes beside a stage are up to four lines
MARGIN, HEADER = 20, 76

Point = tuple[float, float]
WIDTHS = {**dict.fromkeys("ijlI.,:;|·/ ", 0.35), **dict.fromkeys("ftr()-–", 0.42), **dict.fromkeys("mwMW×+<>…", 0.9)}
OTHER_WIDTH, BOLD = 0.65, 1.12  # in heights of the font; bold letters are wider by that factor


@dataclass(frozen=True)
class Frame:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.y + self.height

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width

    @property
    def middle(self) -> float:
        """The x in the middle."""
        return self.x + self.width / 2


@dataclass(frozen=True)
class Layout:
    """Everything in pixels: the whole, the boxes, the stages, and the corners of the arrows."""

    width: float
    height: float
    boxes: tuple[Frame, ...]
    stages: tuple[Frame, ...]
    arrows: tuple[tuple[Point, ...], ...]


@dataclass(frozen=True)
class Column:
    """Where the parts of a column begin, from left to right: frame, slots, lanes within frames, lanes outside."""

    left: float
    slots: float
    slot_width: float
    inner: float
    outer: float
    right: float

    def middle(self, slot: int) -> float:
        """The x in the middle of a slot."""
        return self.slots + slot * (self.slot_width + SLOT_GAP) + self.slot_width / 2

    def lane(self, lane: Lane) -> float:
        """The x of a lane."""
        return (self.inner if lane.inner else self.outer) + lane.number * LANE


@dataclass(frozen=True)
class Run:
    """A piece of an arrow that runs across in the gap below a row, on a track of that gap."""

    row: int
    start: float
    end: float
    track: int


def lay_out(drawing: Drawing) -> Layout:
    """Place everything."""
    grid = make_grid(drawing)
    columns = _columns(drawing, grid)
    runs, tracks = _runs(drawing, grid, columns)
    sizes = [(_box_width(b), LINE * len(lines(b)) + 2 * PAD_Y) for b in drawing.boxes]
    tops, heights = _rows(drawing, grid, [h for _, h in sizes], tracks)
    boxes = tuple(
        _box(columns[place.column], place, size, tops[place.row], heights[place.row])
        for place, size in zip(grid.places, sizes, strict=True)
    )
    stages = tuple(_stage(drawing, grid, columns, tops, heights, n) for n in range(len(drawing.stages)))
    gaps = [top + height + (GAP + FRAME_PAD) / 2 for top, height in zip(tops, heights, strict=True)]
    arrows = tuple(
        _corners(boxes[a], boxes[b], [(r.start, r.end, gaps[r.row] + TRACK * r.track) for r in run])
        for (a, b), run in zip(drawing.arrows, runs, strict=True)
    )
    return Layout(columns[-1].right + MARGIN, tops[-1] + heights[-1] + FRAME_PAD + MARGIN, boxes, stages, arrows)


def text_width(text: str, size: float = FONT, *, bold: bool = False) -> float:
    """About how wide a text is in DejaVu Sans; in Helvetica it is less."""
    return size * (BOLD if bold else 1) * sum(WIDTHS.get(c, OTHER_WIDTH) for c in text)


def bold_lines(box: Box) -> int:
    """How many of the first lines of a box are bold."""
    return 0 if is_small(box) else len(heading(box))


def _box_width(box: Box) -> float:
    bold = bold_lines(box)
    return max(text_width(line, bold=n < bold) for n, line in enumerate(lines(box))) + 2 * PAD_X


def _columns(drawing: Drawing, grid: Grid) -> list[Column]:
    columns: list[Column] = []
    left: float = MARGIN
    for number in range(max(grid.columns) + 1):
        at = [i for i, p in enumerate(grid.places) if p.column == number]
        width = max(_box_width(drawing.boxes[i]) for i in at)
        slots = 1 + max(p.slot for i, p in enumerate(grid.places) if i in set(at))
        notes = [line for s, c in zip(drawing.stages, grid.columns, strict=True) if c == number for line in s.notes]
        first = left + FRAME_PAD + max(map(text_width, notes)) + STRIP_GAP
        inner = first + slots * (width + SLOT_GAP) - SLOT_GAP + 2 * LANE
        outer = inner + _lanes(grid, number, inner=True) * LANE + 2 * FRAME_PAD
        right = outer + _lanes(grid, number, inner=False) * LANE
        columns.append(Column(left, first, width, inner, outer, right))
        left = right + COLUMN_GAP
    return columns


def _lanes(grid: Grid, column: int, *, inner: bool) -> int:
    numbers = [w.number for w in grid.ways if isinstance(w, Lane) and (w.column, w.inner) == (column, inner)]
    return max(numbers, default=-1) + 1


def _runs(drawing: Drawing, grid: Grid, columns: list[Column]) -> tuple[list[list[Run]], dict[int, Tracks]]:
    """The pieces of each arrow that run across: at most one below its source and one above its target."""
    tracks: dict[int, Tracks] = {}
    found = []
    for (a, b), way in zip(drawing.arrows, grid.ways, strict=True):
        above, below = grid.places[a], grid.places[b]
        start, end = (columns[p.column].middle(p.slot) for p in (above, below))
        down = _x(columns, way) if way else end
        last = down if way else start
        port = end if last == end else end + PORT if last > end else end - PORT
        pieces = [(above.row, start, down), (below.row - 1, down, port)] if way else [(above.row, start, port)]
        found.append([
            Run(row, x, y, tracks.setdefault(row, Tracks()).take(a, x, y)) for row, x, y in pieces if x != y
        ])  # fmt: skip
    return found, tracks


def _x(columns: list[Column], way: Place | Lane) -> float:
    return columns[way.column].lane(way) if isinstance(way, Lane) else columns[way.column].middle(way.slot)


def _rows(
    drawing: Drawing, grid: Grid, box_heights: list[float], tracks: dict[int, Tracks]
) -> tuple[list[float], list[float]]:
    """Top and height of each row; a gap is as wide as its arrows and the frames that begin or end there need."""
    count = 1 + max(p.row for p in grid.places)
    heights = [0.0] * count
    for place, height in zip(grid.places, box_heights, strict=True):
        heights[place.row] = max(heights[place.row], height)
    borders = set()
    for stage in drawing.stages:
        rows = sorted({grid.places[i].row for i in stage.boxes})
        borders |= {rows[0] - 1, rows[-1]}
        if len(rows) == 1:
            heights[rows[0]] = max(heights[rows[0]], STAGE_HEIGHT - 2 * FRAME_PAD)
    tops = [float(HEADER)]
    for row in range(count - 1):
        across = TRACK * len(tracks[row].taken) if row in tracks else 0
        tops.append(tops[-1] + heights[row] + GAP + across + (2 * FRAME_PAD if row in borders else 0))
    return tops, heights


def _box(column: Column, place: Place, size: tuple[float, float], top: float, height: float) -> Frame:
    width = size[0]
    return Frame(column.middle(place.slot) - width / 2, top + (height - size[1]) / 2, width, size[1])


def _stage(
    drawing: Drawing, grid: Grid, columns: list[Column], tops: list[float], heights: list[float], number: int
) -> Frame:
    rows = [grid.places[i].row for i in drawing.stages[number].boxes]
    column = columns[grid.columns[number]]
    top, bottom = tops[min(rows)] - FRAME_PAD, tops[max(rows)] + heights[max(rows)] + FRAME_PAD
    return Frame(column.left, top, column.outer - FRAME_PAD - column.left, bottom - top)


def _corners(above: Frame, below: Frame, runs: list[tuple[float, float, float]]) -> tuple[Point, ...]:
    points: list[Point] = [(above.middle, above.bottom)]
    for start, end, y in runs:
        points += [(start, y), (end, y)]
    return (*points, (points[-1][0], below.y))
