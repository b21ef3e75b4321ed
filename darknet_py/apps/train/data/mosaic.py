"""Four pictures in one: which part of each is shown where, and what becomes of its boxes.

Decision: each of the four has been drawn at the full size of the network, as in Darknet; a `Corner` says which part of
it is taken, and moves its boxes by the same. Corners are numbered 0 to 3: top left, top right, bottom left, bottom
right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import Excerpt, Size

QUARTERS = 4
LEAST_CUT = 0.2  # a cut is this part of a side away from its ends (data.c load_data_detection: min_offset)


@dataclass(frozen=True)
class Cut:
    """Where the four pictures meet, in pixels from the left and from the top."""

    x: int
    y: int


def cut_of(chances: tuple[float, float], net: Size) -> Cut:
    """The cut that two numbers of [0, 1) mean.

    >>> cut_of((0.0, 0.999), (100, 200))
    Cut(x=40, y=80)
    """
    return Cut(_within(chances[0], net[1]), _within(chances[1], net[0]))


def _within(chance: float, side: int) -> int:
    low, high = int(np.float32(side) * np.float32(LEAST_CUT)), int(side * (1 - np.float32(LEAST_CUT)))
    return low + int(chance * (high - low + 1))


@dataclass(frozen=True)
class Corner:
    """One of the four: its number, the cut, the size of the whole, and how far it is moved off what is beyond it.

    The four shifts are pixels of the network, and keep filled borders out of sight as far as there are pixels instead.
    """

    number: int
    cut: Cut
    net: Size
    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    @property
    def target(self) -> tuple[slice, slice]:
        """The rows and columns of the whole that it fills."""
        height, width = self.net
        rows = slice(0, self.cut.y) if self.number in (0, 1) else slice(self.cut.y, height)
        return rows, slice(0, self.cut.x) if self.number in (0, 2) else slice(self.cut.x, width)

    @property
    def source(self) -> tuple[slice, slice]:
        """The rows and columns of its own picture that are taken: the corner that is away from the middle."""
        dx, dy = self.move
        rows, columns = self.target
        return slice(rows.start - dy, rows.stop - dy), slice(columns.start - dx, columns.stop - dx)

    @property
    def move(self) -> tuple[int, int]:
        """How far its picture is moved to the right and down."""
        height, width = self.net
        dx = self.cut.x + self.right - width if self.number in (0, 2) else self.cut.x - self.left
        return dx, self.cut.y + self.bottom - height if self.number in (0, 1) else self.cut.y - self.top

    def rows(self, rows: np.ndarray, bound: bool, room: int) -> np.ndarray:
        """Its boxes (n, 6) as they are in the whole, without tracks; `bound` cuts them at the corner's own borders.

        Only the first `room` of them are looked at. Without `bound` a box may reach into a neighbour, where its object
        is not seen: Darknet's default (data.c blend_truth_mosaic).
        """
        rows = rows[:room]
        height, width = map(np.float32, self.net)
        x, y, w, h = rows[:, :4].T
        dx, dy = self.move
        x, y = x + np.float32(dx) / width, y + np.float32(dy) / height
        down, across = self.target
        lows, highs = ((across.start, across.stop), (down.start, down.stop)) if bound else (None, None)
        x, w, fine_x = _cut(x, w, width, lows)
        y, h, fine_y = _cut(y, h, height, highs)
        moved = np.stack([x, y, w, h, rows[:, 4], np.zeros(len(rows))], 1).astype(np.float32)
        return moved[fine_x & fine_y]


def _cut(
    centre: np.ndarray, size: np.ndarray, side: np.float32, bounds: tuple[int, int] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre and size along one axis after a cut at whole pixels, and whether enough of them is left."""
    low, high = _pixels(centre, size, side)
    if bounds is not None:
        low, high = np.maximum(low, bounds[0]), np.minimum(high, bounds[1])
        centre = ((low + high).astype(np.float32) / 2) / side
        size = (high - low).astype(np.float32) / side
    else:
        before = np.minimum(low, 0).astype(np.float32) / side
        centre, size = centre - before / 2, size + before
        after = np.maximum(high - int(side), 0).astype(np.float32) / side
        centre, size = centre - after / 2, size - after
        low, high = _pixels(centre, size, side)
    fine = (low >= 0) & (high <= side) & (size > 1 / side) & (size < 1) & (centre > 0) & (centre < 1)
    return centre, size, fine


def _pixels(centre: np.ndarray, size: np.ndarray, side: np.float32) -> tuple[np.ndarray, np.ndarray]:
    low, high = (centre - size / 2) * side, (centre + size / 2) * side
    return low.astype(np.int64), high.astype(np.int64)  # a cast cuts towards 0, as C's


def corner_of(number: int, cut: Cut, net: Size, excerpt: Excerpt, picture: Size, flip: bool) -> Corner:
    """The corner of a picture that was drawn with `excerpt`, moved off what its excerpt adds (data.c)."""
    seen = excerpt.mirrored() if flip else excerpt
    height, width = net

    def beyond(cut_off: int, side: int, own: int, most: int) -> int:
        return min(most, max(0, -cut_off * side // own))

    return Corner(
        number, cut, net,
        left=beyond(seen.left, width, picture[1], cut.x), right=beyond(seen.right, width, picture[1], width - cut.x),
        top=beyond(seen.top, height, picture[0], cut.y), bottom=beyond(seen.bottom, height, picture[0], height - cut.y),
    )  # fmt: skip
