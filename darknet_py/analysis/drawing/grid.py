"""Where the boxes of a drawing stand on a grid, and which way each arrow takes through it.

Decision: rows are steps of the computation, shared by the whole picture; columns are resolutions where a network goes
back to one (a detector), else there is one column; slots are places side by side in a column. An arrow never crosses a
box: it runs across in the gap below a row, and down in a free slot or in a lane beside its column.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .drawing import Drawing, Stage


@dataclass(frozen=True)
class Place:
    """Column, slot and row of a box."""

    column: int
    slot: int
    row: int


@dataclass(frozen=True)
class Lane:
    """A vertical way beside the slots of a column: `inner` ones lie within the frames of stages."""

    column: int
    inner: bool
    number: int


@dataclass(frozen=True)
class Grid:
    """The place of each box, the column of each stage, and for each arrow its way down; None where rows are next."""

    places: tuple[Place, ...]
    columns: tuple[int, ...]
    ways: tuple[Place | Lane | None, ...]


@dataclass
class Tracks:
    """Parallel lines, each taken by a source over some spans; the arrows of one source share theirs."""

    taken: list[list[tuple[int, float, float]]] = field(default_factory=list)

    def take(self, source: int, start: float, end: float) -> int:
        """The first line that is free between start and end, or the source's own."""
        start, end = min(start, end), max(start, end)
        for number, spans in enumerate(self.taken):
            if all(s == source or end < a or b < start for s, a, b in spans):
                spans.append((source, start, end))
                return number
        self.taken.append([(source, start, end)])
        return len(self.taken) - 1


def make_grid(drawing: Drawing) -> Grid:
    """Place the boxes of a drawing."""
    columns = _columns(drawing)
    column_of = {0: columns[0]} | {i: c for s, c in zip(drawing.stages, columns, strict=True) for i in s.boxes}
    rows = _rows(drawing, columns)
    taken: dict[Place, int] = {}
    places = _places(drawing, column_of, rows, taken)
    ways = _ways(drawing, places, taken)
    return Grid(places, columns, ways)


def _columns(drawing: Drawing) -> tuple[int, ...]:
    """The column of each stage: its resolution, largest first, or always 0 where sizes only fall."""
    sizes = [s.size for s in drawing.stages]
    if len(set(sizes)) == len(sizes):
        return (0,) * len(sizes)
    order = sorted(set(sizes), key=lambda s: (-s[0] * s[1], s) if s else (0, s))
    return tuple(order.index(s) for s in sizes)


def _rows(drawing: Drawing, columns: tuple[int, ...]) -> dict[int, int]:
    """Each box below what it reads, each stage below box 0 and the stages above it in its column."""
    rows = {0: 0}
    bottom: dict[int, int] = {}
    for stage, column in zip(drawing.stages, columns, strict=True):
        first = bottom.get(column, 0) + 1
        for i in stage.boxes:
            rows[i] = max([first, *(rows[a] + 1 for a, b in drawing.arrows if b == i)])
        bottom[column] = max(rows[i] for i in stage.boxes)
    for stage in drawing.stages:
        _sink(drawing, stage, rows)
    return rows


def _sink(drawing: Drawing, stage: Stage, rows: dict[int, int]) -> None:
    """Move what waits for another stage down to its reader, so that frames are not taller than they must be."""
    readers = {i: [b for a, b in drawing.arrows if a == i] for i in stage.boxes}
    loose: list[int] = []
    for i in stage.boxes:
        sources = {a for a, b in drawing.arrows if b == i} & set(stage.boxes)
        stays = set(readers[i]) <= set(stage.boxes) and readers[i] and drawing.boxes[i].role != "bypass"
        loose += [i] if stays and sources <= set(loose) else []
    for i in reversed(loose):
        rows[i] = min(rows[b] for b in readers[i]) - 1


def _places(
    drawing: Drawing, column_of: dict[int, int], rows: dict[int, int], taken: dict[Place, int]
) -> tuple[Place, ...]:
    """Slots from the top down: below the source where that is free; a bypass stands to the right of the main way."""
    stage_of = {0: 0} | {i: n for n, s in enumerate(drawing.stages, 1) for i in s.boxes}
    found: dict[int, Place] = {}
    for i in sorted(rows, key=lambda i: (rows[i], drawing.boxes[i].role == "bypass", i)):
        near = [found[a].slot for a, b in drawing.arrows if b == i and stage_of[a] == stage_of[i]]
        slot = min(near, default=0)
        while Place(column_of[i], slot, rows[i]) in taken:
            slot += 1
        found[i] = Place(column_of[i], slot, rows[i])
        readers = [b for a, b in drawing.arrows if a == i]
        alone = len(readers) == 1 and stage_of[readers[0]] == stage_of[i]
        taken.update((p, i) for p in _below(found[i], rows[readers[0]] if alone else rows[i] + 1))
    return tuple(found[i] for i in range(len(drawing.boxes)))


def _below(place: Place, end: int) -> list[Place]:
    return [Place(place.column, place.slot, row) for row in range(place.row, end)]


def _ways(drawing: Drawing, places: tuple[Place, ...], taken: dict[Place, int]) -> tuple[Place | Lane | None, ...]:
    lanes: dict[tuple[int, bool], Tracks] = {}
    stage_of = {i: n for n, s in enumerate(drawing.stages, 1) for i in s.boxes}
    ways: list[Place | Lane | None] = []
    for a, b in drawing.arrows:
        above, below = places[a], places[b]
        free = _free(a, above, below, taken)
        if below.row == above.row + 1 or free:
            ways.append(free)
            continue
        key = min(above.column, below.column), stage_of.get(a) == stage_of.get(b)
        number = lanes.setdefault(key, Tracks()).take(a, above.row, below.row - 1)
        ways.append(Lane(*key, number))
    return tuple(ways)


def _free(source: int, above: Place, below: Place, taken: dict[Place, int]) -> Place | None:
    """The slot of the source or of the target, if nothing else stands between their rows; it is taken then."""
    for slot in (above, below):
        between = [Place(slot.column, slot.slot, row) for row in range(above.row + 1, below.row)]
        if between and all(taken.get(p, source) == source for p in between):
            taken.update((p, source) for p in between)
            return slot
    return None
