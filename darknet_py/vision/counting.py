"""What tracked objects do: they cross a line, they enter and leave a zone.

Decision: an object is the centre of its box, and what counts is the segment between its positions in two pictures. No
band around a line, and no position in a thin zone, is needed: what is fast is counted as what is slow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import DataError
from .results import Results

FORGOTTEN = 1000  # pictures, after which an object that is not seen has no position any more


@dataclass(frozen=True, eq=False)
class LineCount:
    """What crossed a line so far: `points` are its two ends in pixels.

    `forward` crossings go from the left of somebody who walks from the first end to the second to the right: downwards
    over a line that is drawn from left to right. `crossed` are the tracks that crossed in this picture, each with
    'forward' or 'backward', and `classes` the same counts for each class number.
    """

    points: np.ndarray
    forward: int = 0
    backward: int = 0
    crossed: tuple[tuple[int, str], ...] = ()
    classes: tuple[tuple[int, int, int], ...] = ()

    @property
    def text(self) -> str:
        """The counts in a few words."""
        return f"{self.forward} forward, {self.backward} backward"

    def to_dict(self, names: dict[int, str]) -> dict[str, object]:
        """Plain data."""
        return {
            "line": [round(float(v), 2) for v in self.points.ravel()],
            "forward": self.forward, "backward": self.backward,
            "crossed": [{"track_id": track, "direction": direction} for track, direction in self.crossed],
            "classes": {names[c]: {"forward": forward, "backward": back} for c, forward, back in self.classes},
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class ZoneCount:
    """What entered and left a zone so far, and the tracks `inside` it now; `points` are its corners in pixels.

    An object that is first seen inside has not entered, and one that is lost inside has not left.
    """

    points: np.ndarray
    entered: int = 0
    left: int = 0
    inside: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """The counts in a few words."""
        return f"{self.entered} entered, {self.left} left, {len(self.inside)} inside"

    def to_dict(self, _: dict[int, str]) -> dict[str, object]:
        """Plain data."""
        return {
            "zone": [round(float(v), 2) for v in self.points.ravel()],
            "entered": self.entered, "left": self.left, "inside": list(self.inside),
        }  # fmt: skip


Count = LineCount | ZoneCount


class _Positions:
    """Where each track was last seen."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, tuple[float, float]]] = {}
        self._pictures = 0

    def moves(self, results: Results) -> list[tuple[int, int, np.ndarray | None, np.ndarray]]:
        """The (track, class, position before or None, position now) of each tracked box, positions (2,) in pixels."""
        boxes = results.boxes
        if boxes.id is None and len(boxes):
            raise DataError("the boxes have no ids: give the results to a Tracker first")
        self._pictures += 1
        found = []
        for track, number, (x, y) in zip(boxes.track_ids, boxes.cls.tolist(), boxes.xywh[:, :2].tolist(), strict=True):
            if track is None:
                continue
            before = self._last.get(track)
            found.append((track, number, None if before is None else np.array(before[1]), np.array((x, y))))
            self._last[track] = self._pictures, (x, y)
        if self._pictures % FORGOTTEN == 0:
            recent = self._pictures - FORGOTTEN
            self._last = {track: seen for track, seen in self._last.items() if seen[0] > recent}
        return found


class LineCounter:
    """Counts what crosses the line from (x1, y1) to (x2, y2): pixels, or fractions of the picture if none is above 1.

    Raises `DataError` for a line without length, or, in `update`, one that lies beside the picture.

    >>> door = LineCounter(0, 0.5, 1, 0.5)
    >>> door.forward, door.backward
    (0, 0)
    """

    def __init__(self, x1: float, y1: float, x2: float, y2: float) -> None:
        self._points = _points((x1, y1, x2, y2), "line")
        if (self._points[0] == self._points[1]).all():
            raise DataError(f"a line has two ends, and {x1:g},{y1:g} is one point")
        self.reset()

    def reset(self) -> None:
        """Forget all positions, and count from 0 again."""
        self.forward = self.backward = 0
        self._classes: dict[int, tuple[int, int]] = {}
        self._positions = _Positions()

    def update(self, results: Results) -> Results:
        """The results of a `Tracker` for the next picture, with a `LineCount` added to `counts`."""
        points = _in_picture(self._points, results, "line")
        crossed = []
        for track, number, before, now in self._positions.moves(results):
            if before is None or not _crosses(before, now, points[0], points[1]):
                continue
            forward = _is_right(now, points[0], points[1])
            crossed.append((track, "forward" if forward else "backward"))
            self.forward, self.backward = self.forward + forward, self.backward + (not forward)
            ahead, back = self._classes.get(number, (0, 0))
            self._classes[number] = ahead + forward, back + (not forward)
        classes = tuple((number, *both) for number, both in sorted(self._classes.items()))
        count = LineCount(points, self.forward, self.backward, tuple(crossed), classes)
        return replace(results, counts=(*results.counts, count))


class ZoneCounter:
    """Counts what enters and leaves the polygon x, y, x, y, …: pixels, or fractions of the picture if none is above 1.

    Something that passes right through between two pictures enters and leaves. Raises `DataError` for fewer than three
    corners, or, in `update`, for a zone beside the picture.

    >>> yard = ZoneCounter(0, 0, 0.5, 0, 0.5, 1, 0, 1)
    >>> yard.entered, yard.left, yard.inside
    (0, 0, ())
    """

    def __init__(self, *corners: float) -> None:
        if len(corners) < 6 or len(corners) % 2:
            raise DataError(f"a zone is x,y of three corners or more, and {len(corners)} numbers are none")
        self._points = _points(corners, "zone")
        self.reset()

    def reset(self) -> None:
        """Forget all positions, and count from 0 again."""
        self.entered = self.left = 0
        self.inside: tuple[int, ...] = ()
        self._positions = _Positions()

    def update(self, results: Results) -> Results:
        """The results of a `Tracker` for the next picture, with a `ZoneCount` added to `counts`."""
        corners = _in_picture(self._points, results, "zone")
        inside = []
        for track, _, before, now in self._positions.moves(results):
            here = _is_inside(now, corners)
            if here:
                inside.append(track)
            if before is None:
                continue
            there = _is_inside(before, corners)
            through = not there and not here and _edges_crossed(before, now, corners) > 1
            self.entered += (here and not there) or through
            self.left += (there and not here) or through
        self.inside = tuple(sorted(inside))
        count = ZoneCount(corners, self.entered, self.left, self.inside)
        return replace(results, counts=(*results.counts, count))


def _points(numbers: Sequence[float], what: str) -> np.ndarray:
    if not all(math.isfinite(n) and n >= 0 for n in numbers):
        raise DataError(f"a {what} is in pixels or fractions of the picture, and {', '.join(map(str, numbers))} is not")
    return np.array(numbers, float).reshape(-1, 2)


def _in_picture(points: np.ndarray, results: Results, what: str) -> np.ndarray:
    """The points in pixels."""
    height, width = results.orig_shape
    if points.max() <= 1:
        return points * (width, height)
    if (points.min(axis=0) >= (width, height)).any():
        place = ",".join(f"{v:g}" for v in points.ravel())
        raise DataError(f"the {what} {place} lies beside the pictures, which are {width}x{height} (width x height)")
    return points


def _is_right(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> bool:
    """Whether a point is on the right of a line or on it; as y goes down, that is below a line to the right."""
    (dx, dy), (px, py) = end - start, point - start
    return bool(dx * py - dy * px >= 0)


def _crosses(before: np.ndarray, now: np.ndarray, start: np.ndarray, end: np.ndarray) -> bool:
    """Whether a movement crosses a segment. Ends count to one side, so nothing counts twice, and no corner is a gap."""
    sides = _is_right(before, start, end) != _is_right(now, start, end)
    return sides and _is_right(start, before, now) != _is_right(end, before, now)


def _edges_crossed(before: np.ndarray, now: np.ndarray, corners: np.ndarray) -> int:
    edges = zip(corners, np.roll(corners, -1, axis=0), strict=True)
    return sum(_crosses(before, now, start, end) for start, end in edges)


def _is_inside(point: np.ndarray, corners: np.ndarray) -> bool:
    """Whether a point is in a polygon: a ray from it to the right crosses an odd number of edges."""
    x, y = point
    (x1, y1), (x2, y2) = corners.T, np.roll(corners, -1, axis=0).T
    meets = (y1 <= y) != (y2 <= y)
    slope = np.divide(x2 - x1, y2 - y1, out=np.zeros_like(x1), where=meets)
    return bool((meets & (x < x1 + (y - y1) * slope)).sum() % 2)
