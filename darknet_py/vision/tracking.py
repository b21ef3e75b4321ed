"""Which boxes of successive pictures are one object: association in two stages, as in ByteTrack (Zhang et al., 2022).

Decision: NumPy and a greedy choice by overlap, no assignment solver: where boxes of one class overlap so much that the
two differ, ids are a guess anyway. Boxes that are not sure are the point: they continue tracks (a person half hidden)
but begin none, so a model is called with a low `conf` (`LOW`) and the tracker decides what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..contract.detections import Boxes
from ..contract.nms import box_iou
from ..contract.thresholds import CONF
from ..errors import DataError
from .results import Results

LOW = 0.1  # the least probability of a box that may continue a track
SURE = 0.5  # from here on a box begins a track at once; a less sure one when it is seen twice
KEEP = 30  # pictures that a track outlives without a box
FIRST, SECOND, AGAIN = 0.2, 0.5, 0.3  # the least overlap: with high boxes, with low ones, of a box seen once


@dataclass(frozen=True, eq=False)
class _Tracks:
    """n objects: `box` (n, 4) centre and size in pixels when last seen, `speed` (n, 2) of the centre in a picture,
    `cls` (n,), `id` (n,), 0 for what was seen once and is not sure, and `missed` (n,) pictures since.
    """

    box: np.ndarray
    speed: np.ndarray
    cls: np.ndarray
    id: np.ndarray
    missed: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> _Tracks:
        return _Tracks(self.box[rows], self.speed[rows], self.cls[rows], self.id[rows], self.missed[rows])

    def expected(self) -> np.ndarray:
        """Where the objects should be in the next picture, (n, 4)."""
        moved = self.box.copy()
        moved[:, :2] += self.speed * (self.missed + 1)[:, None]
        return moved


_NONE = _Tracks(*(np.zeros((0, *shape), kind) for shape, kind in (((4,), float), ((2,), float), *[((), int)] * 3)))


class Tracker:
    """Gives the boxes of one sequence of pictures their ids, which count from 1.

    Call the model with `conf=LOW` (0.1), and `update` with its results in order. Boxes above `high` (one number, or an
    array with one for each class) are kept, and matched with tracks first; those above `low` are kept only where they
    continue a track that was seen in the picture before. A track begins with a box above `sure`, or with the second
    sight of one above `high`, and ends `keep` pictures after it was last seen. `by_class`: a track keeps its class.

    >>> from darknet_py.vision.results import Results
    >>> def picture(x, conf):
    ...     boxes = Boxes(np.float32([[x, 0, x + 40, 80]]), np.float32([conf]), np.array([0]), (80, 200))
    ...     return Results(np.zeros((80, 200, 3), np.uint8), "frame", {0: "person"}, boxes)
    >>> tracker = Tracker()
    >>> [tracker.update(picture(x, conf)).boxes.track_ids for x, conf in ((0, 0.9), (8, 0.15), (16, 0.8), (150, 0.3))]
    [[1], [1], [1], [None]]
    """

    def __init__(
        self, high: float | np.ndarray = CONF, low: float = LOW, sure: float = SURE, keep: int = KEEP, *,
        by_class: bool = True,
    ) -> None:  # fmt: skip
        limits = np.asarray(high)  # infinite for classes that nobody wants
        if not (((limits >= 0) & ((limits <= 1) | np.isinf(limits))).all() and 0 <= low <= 1 and 0 <= sure <= 1):
            raise DataError(f"high, low and sure are probabilities, not {high}, {low} and {sure}")
        if keep < 0:
            raise DataError(f"keep is a number of pictures, not {keep}")
        self.high, self.low, self.sure, self.keep, self.by_class = high, low, sure, keep, by_class
        self.reset()

    def reset(self) -> None:
        """Forget all objects, and count from 1 again."""
        self._tracks, self._count = _NONE, 0

    def update(self, results: Results) -> Results:
        """The results of the next picture with `boxes.id`, 0 where a box has no track (yet), and without low boxes that
        continue none.
        """
        return replace(results, boxes=self._update(results.boxes))

    def _update(self, boxes: Boxes) -> Boxes:
        sure = np.asarray(self.high)
        high = boxes.conf > (sure[boxes.cls] if sure.ndim else sure)
        low = (boxes.conf > self.low) & ~high
        tracks, places = self._tracks, boxes.xywh.astype(float)
        overlap = self._overlaps(tracks, boxes, places)
        known = tracks.id > 0
        owner = np.full(len(boxes), -1)  # the row of the track that a box continues
        _assign(owner, overlap, known, high, FIRST)
        _assign(owner, overlap, known & (tracks.missed == 0), low, SECOND)
        _assign(owner, overlap, ~known, high, AGAIN)
        ids = self._ids(owner, high, boxes.conf)
        self._tracks = self._next(owner, high, ids, boxes.cls, places)
        return replace(boxes, id=ids)[high | (owner >= 0)]

    def _overlaps(self, tracks: _Tracks, boxes: Boxes, places: np.ndarray) -> np.ndarray:
        """The overlap of each track with each box, (tracks, boxes); 0 where they cannot be one object."""
        expected = tracks.expected()
        distance = np.abs(expected[:, None, :2] - places[None, :, :2])
        meets = (2 * distance < expected[:, None, 2:] + places[None, :, 2:]).all(axis=2)
        if self.by_class:
            meets &= tracks.cls[:, None] == boxes.cls[None]
        row, column = np.nonzero(meets)  # most objects of a crowd are far from each other
        overlap = np.zeros(meets.shape)
        overlap[row, column] = box_iou(expected[row], places[column])
        return overlap

    def _ids(self, owner: np.ndarray, high: np.ndarray, conf: np.ndarray) -> np.ndarray:
        """The id of each box: that of its track, a new one, or 0."""
        old = owner >= 0
        ids = np.zeros(len(owner), np.int64)
        ids[old] = self._tracks.id[owner[old]]
        begins = (ids == 0) & high & (old | (conf > self.sure))
        ids[begins] = self._count + 1 + np.arange(begins.sum())
        self._count += int(begins.sum())
        return ids

    def _next(
        self, owner: np.ndarray, high: np.ndarray, ids: np.ndarray, cls: np.ndarray, places: np.ndarray
    ) -> _Tracks:
        """The tracks after a picture: those that were seen, those that were not and are kept, and new ones."""
        before = self._tracks
        seen = np.flatnonzero(owner >= 0)
        last = before[owner[seen]]
        moved = (places[seen, :2] - last.box[:, :2]) / (last.missed + 1)[:, None]
        speed = np.where((last.id == 0)[:, None], moved, (last.speed + moved) / 2)
        new = np.flatnonzero((owner < 0) & high)
        missing = np.ones(len(before.id), bool)
        missing[owner[seen]] = False
        left = before[np.flatnonzero(missing & (before.id > 0) & (before.missed < self.keep))]
        rows = np.concatenate([seen, new])
        return _Tracks(
            np.concatenate([places[rows], left.box]),
            np.concatenate([speed, np.zeros((len(new), 2)), left.speed]),
            np.concatenate([cls[rows], left.cls]),
            np.concatenate([ids[rows], left.id]),
            np.concatenate([np.zeros(len(rows), int), left.missed + 1]),
        )


def _assign(owner: np.ndarray, overlap: np.ndarray, tracks: np.ndarray, boxes: np.ndarray, least: float) -> None:
    """Write into `owner` which of the masked tracks each of the masked boxes continues, the largest overlap first."""
    free = tracks.copy()
    free[owner[owner >= 0]] = False
    rows, columns = np.nonzero((overlap >= least) & free[:, None] & (boxes & (owner < 0))[None])
    for k in np.argsort(-overlap[rows, columns], kind="stable"):
        row, column = rows[k], columns[k]
        if free[row] and owner[column] < 0:
            free[row], owner[column] = False, row
