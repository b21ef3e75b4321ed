"""Anchors that fit a data set: k-means with 1 - IoU as the distance, as `darknet detector calc_anchors` does it.

Decision: Darknet seeds its one run by the clock, so that results differ from run to run by several percent; here many
seeds are tried and the best is kept, with its seed. Which head gets which anchors is proposed too, which Darknet leaves
to its readme. `Assignment` is which head learns an object, as far as its size decides that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..darknet.compile import Compilation
from ..darknet.layers.heads.gaussian_yolo import GaussianYolo
from ..darknet.layers.heads.head import Head, anchor_table
from ..darknet.layers.heads.yolo import AnchorHead, Yolo
from ..darknet.layers.layer import layer_of
from ..errors import DataError, counted

ROUNDS = 1000  # detector.c calc_anchors: at most
SEEDS = 30
WHOLE_PIXELS = 32  # the same: anchors are rounded where the network is wider than this
LARGE = 60  # pixels: by Darknet's readme, larger anchors belong to the coarsest head, those below 30 to the finest of 3
PART = 1 << 16  # boxes at a time


@dataclass(frozen=True, eq=False)
class AnchorFit:
    """Fitted anchors: `anchors` (k, 2) float64 width and height in pixels, by area; `iou` is the mean of the best IoU.

    `seed` gave them; `spread` is the least, the median and the greatest mean IoU over all seeds.
    """

    anchors: np.ndarray
    iou: float
    seed: int
    spread: tuple[float, float, float]


def shape_iou(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """IoU of boxes (n, 2) and anchors (k, 2) that share their centre: (n, k).

    >>> shape_iou(np.array([[10.0, 20]]), np.array([[10.0, 10], [10, 20]])).tolist()
    [[0.5, 1.0]]
    """
    common = np.minimum(sizes[:, None], anchors[None]).prod(-1)
    return common / (sizes.prod(1)[:, None] + anchors.prod(1)[None] - common)


def mean_iou(sizes: np.ndarray, anchors: np.ndarray) -> float:
    """The mean over boxes (n, 2) of the IoU with the best of the anchors (k, 2)."""
    return float(sum(part.max(1).sum() for part in _parts(sizes, anchors)) / len(sizes))


def _parts(sizes: np.ndarray, anchors: np.ndarray) -> Iterator[np.ndarray]:
    return (shape_iou(sizes[i : i + PART], anchors) for i in range(0, len(sizes), PART))


def fit_anchors(sizes: np.ndarray, count: int, *, seeds: int = SEEDS, seed: int = 0, round_to: int = 1) -> AnchorFit:
    """The best `count` anchors for boxes (n, 2), widths and heights in pixels, over `seeds` seeds from `seed` on.

    `round_to` 1 gives whole pixels, 0 leaves them. Raises `DataError` for fewer different boxes than anchors.
    """
    sizes = sizes[(sizes > 0).all(1)].astype(np.float64)
    different = np.unique(sizes, axis=0)
    if len(different) < count:
        raise DataError(f"{counted(len(different), 'different box', 'es')} cannot make {counted(count, 'anchor')}")
    found = [_kmeans(sizes, different, count, s) for s in range(seed, seed + seeds)]
    found = [np.maximum(np.round(anchors), 1) for anchors in found] if round_to else found
    runs = [(mean_iou(sizes, anchors), -s, anchors) for s, anchors in enumerate(found, seed)]
    score, best, anchors = max(runs, key=lambda run: run[:2])  # of equal ones the first seed
    scores = sorted(run[0] for run in runs)
    anchors = anchors[np.argsort(anchors.prod(1), kind="stable")]
    return AnchorFit(anchors, score, -best, (scores[0], scores[len(scores) // 2], scores[-1]))


def _kmeans(sizes: np.ndarray, different: np.ndarray, count: int, seed: int) -> np.ndarray:
    anchors = different[np.random.default_rng(seed).choice(len(different), count, replace=False)]
    before = None
    for _ in range(ROUNDS):
        nearest = np.concatenate([part.argmax(1) for part in _parts(sizes, anchors)])
        if before is not None and (nearest == before).all():
            break
        members = np.bincount(nearest, minlength=count)
        sums = np.stack([np.bincount(nearest, sizes[:, side], minlength=count) for side in (0, 1)], 1)
        anchors = np.where(members[:, None] > 0, sums / np.maximum(members, 1)[:, None], anchors)
        before = nearest
    return anchors


def propose_masks(anchors: np.ndarray, strides: Sequence[int], by_size: bool = False) -> list[tuple[int, ...]]:
    """Which anchors (k, 2), sorted by area, each head gets: the larger ones where the stride is.

    Evenly; `by_size` by the rule of Darknet's readme: those below 30 x 30 pixels to stride 8, below 60 x 60 to 16, the
    others to 32, so that the limits are 3.75 strides. Raises `DataError` if a head would get none.

    >>> propose_masks(np.array([[9.0, 9], [20, 20], [40, 40], [90, 90]]), [32, 16])
    [(2, 3), (0, 1)]
    """
    order = np.argsort(strides, kind="stable")  # finest first
    masks: list[tuple[int, ...]] = [()] * len(strides)
    if by_size:
        limits = [(LARGE / 16 * strides[i]) ** 2 for i in order[:-1]]
        head = np.searchsorted(limits, anchors.prod(1), side="right")
    else:
        head = np.arange(len(anchors)) * len(strides) // len(anchors)
    for place, i in enumerate(order):
        masks[int(i)] = tuple(int(a) for a in np.flatnonzero(head == place))
    if not all(masks):
        raise DataError(f"by size, {sum(not m for m in masks)} of {len(masks)} heads would get no anchor: share evenly")
    return masks


@dataclass(frozen=True, eq=False)
class _Listed:
    """The anchors that a head lists: `sizes` (num, 2) in pixels, which are `its` own by its mask, (num,) bool.

    Above the IoU `enough` each of its own learns an object, and not only the closest one; 1: never.
    """

    sizes: np.ndarray
    its: np.ndarray
    enough: float


@dataclass(frozen=True, eq=False)
class Assignment:
    """Which objects have a head that learns them, by their size alone (yolo_layer.c process_batch).

    A head learns an object if the closest of all anchors that it lists is in its `mask`. Published cfgs list anchors
    that are in the mask of no head (yolov4-tiny its 10x14): of objects of that size they learn that nothing is there.
    """

    heads: tuple[_Listed, ...]

    @classmethod
    def of(cls, compilation: Compilation) -> Assignment:
        """That of a cfg; of no heads where one learns by other rules, such as [region], which learns all objects."""
        found = []
        for layer in map(layer_of, compilation.graph.layers):
            if type(layer) in (Yolo, GaussianYolo):
                assert isinstance(layer, AnchorHead)
                found.append(_listed(layer))
            elif isinstance(layer, Head):
                return cls(())
        return cls(tuple(found))

    def lost(self, sizes: np.ndarray) -> np.ndarray:
        """Which objects, by width and height in pixels of the input (n, 2), no head learns: (n,) bool.

        With iou_thresh_kind other than iou, some of those that are lost may not be found.
        """
        lost = np.full(len(sizes), bool(self.heads)) & (sizes > 0).all(1)
        for head in self.heads:
            iou = shape_iou(sizes, head.sizes)
            learned = head.its[iou.argmax(1)]  # the first of equal ones, as Darknet's
            if head.enough < 1:
                learned |= (iou[:, head.its] > head.enough).any(1)
            lost &= ~learned
        return lost

    def idle(self) -> tuple[tuple[float, float], ...]:
        """The (width, height) of anchors that are in the mask of no head."""
        own = {tuple(size) for head in self.heads for size in head.sizes[head.its].tolist()}
        listed = dict.fromkeys(tuple(size) for head in self.heads for size in head.sizes.tolist())
        return tuple(size for size in listed if size not in own)

    def doubt(self, sizes: np.ndarray) -> str | None:
        """A sentence about those objects of `sizes` that no head learns; None where there are none."""
        lost = int(self.lost(sizes).sum())
        if not lost:
            return None
        anchors = ", ".join(f"{w:g}x{h:g}" for w, h in self.idle())
        return (
            f"{lost} of {len(sizes)} objects are never learned: the anchor closest to their size is in no head's mask "
            f"({anchors})"
        )


OWN_ALL_ANCHORS = (
    "give each anchor to a head (mask=; `darknet-py anchors --write` does), or let several anchors learn an object: "
    "iou_thresh=0.2 in each head"
)


def _listed(layer: AnchorHead) -> _Listed:
    count = max(layer.num, 1)
    sizes = np.array(anchor_table(layer.anchors, count), np.float64)
    return _Listed(sizes, np.isin(np.arange(count), layer.masks), layer.iou_thresh)
