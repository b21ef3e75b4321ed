"""Boxes as tensors: IoU and its kin, and what Darknet takes for their gradients.

Decision: the gradients are written out, not left to autograd, because Darknet's differ from the true ones in what it
leaves out, and every published network was trained with them (box.c dx_box_iou).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

Tensor = Any  # torch is installed for training only, and mypy does without it

MAX_PAIRS = 1 << 21  # pairs of a predicted box and an object that are compared at a time: 8 MB for each number

DIOU_POWER = 0.6  # of the distance, box.c box_diou


class TensorBoxes(NamedTuple):
    """Boxes by their centre and size, as tensors of one shape, in parts of the picture."""

    x: Tensor
    y: Tensor
    w: Tensor
    h: Tensor

    def pick(self, index: Any) -> TensorBoxes:
        """The boxes at an index."""
        return TensorBoxes(*(v[index] for v in self))

    @property
    def left(self) -> Tensor:
        return self.x - self.w / 2

    @property
    def right(self) -> Tensor:
        return self.x + self.w / 2

    @property
    def top(self) -> Tensor:
        return self.y - self.h / 2

    @property
    def bottom(self) -> Tensor:
        return self.y + self.h / 2


def boxes_of(rows: Tensor) -> TensorBoxes:
    """Boxes from a tensor whose last axis begins with x, y, w, h."""
    return TensorBoxes(rows[..., 0], rows[..., 1], rows[..., 2], rows[..., 3])


def iou(a: TensorBoxes, b: TensorBoxes) -> Tensor:
    """Intersection over union, 0 where they do not touch (box.c box_iou).

    >>> one = TensorBoxes(*torch.tensor([0.5, 0.5, 0.2, 0.2]))
    >>> round(float(iou(one, one._replace(x=one.x + 0.1))), 4)
    0.3333
    """
    w = torch.minimum(a.right, b.right) - torch.maximum(a.left, b.left)
    h = torch.minimum(a.bottom, b.bottom) - torch.maximum(a.top, b.top)
    both = w.clamp(min=0) * h.clamp(min=0)
    union = a.w * a.h + b.w * b.h - both
    return torch.where((both > 0) & (union != 0), both / union, 0.0)


def _hull(a: TensorBoxes, b: TensorBoxes) -> tuple[Tensor, Tensor]:
    w = torch.maximum(a.right, b.right) - torch.minimum(a.left, b.left)
    h = torch.maximum(a.bottom, b.bottom) - torch.minimum(a.top, b.top)
    return w, h


def giou(a: TensorBoxes, b: TensorBoxes) -> Tensor:
    """Generalized IoU (box.c box_giou)."""
    w = torch.minimum(a.right, b.right) - torch.maximum(a.left, b.left)
    h = torch.minimum(a.bottom, b.bottom) - torch.maximum(a.top, b.top)
    union = a.w * a.h + b.w * b.h - w.clamp(min=0) * h.clamp(min=0)
    hull_w, hull_h = _hull(a, b)
    hull = hull_w * hull_h
    found = iou(a, b)
    return torch.where(hull == 0, found, found - (hull - union) / hull)


def _distance(a: TensorBoxes, b: TensorBoxes) -> tuple[Tensor, Tensor]:
    """The squared distance of the centres, and the squared diagonal of the smallest box around both."""
    w, h = _hull(a, b)
    return (a.x - b.x) ** 2 + (a.y - b.y) ** 2, w * w + h * h


def diou(a: TensorBoxes, b: TensorBoxes) -> Tensor:
    """Distance IoU, with Darknet's exponent of 0.6 (box.c box_diou)."""
    distance, diagonal = _distance(a, b)
    found = iou(a, b)
    return torch.where(diagonal == 0, found, found - (distance / diagonal) ** DIOU_POWER)


def ciou(a: TensorBoxes, b: TensorBoxes) -> Tensor:
    """Complete IoU; `b` is the object (box.c box_ciou)."""
    distance, diagonal = _distance(a, b)
    found = iou(a, b)
    v = _angle(a, b) ** 2 * (4 / math.pi**2)
    alpha = v / (1 - found + v + 1e-6)
    return torch.where(diagonal == 0, found, found - (distance / diagonal + alpha * v))


def _angle(a: TensorBoxes, b: TensorBoxes) -> Tensor:
    return torch.atan(b.w / b.h) - torch.atan(a.w / a.h)


KINDS = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou}


def best_iou(pred: TensorBoxes, objects: Tensor, want_index: bool) -> tuple[Tensor, Tensor | None]:
    """For each box (batch, …) the largest IoU with the objects (batch, count, 4) of its picture, and which it is.

    Of equal ones the first. Objects without size match nothing, so they fill up lists. The index is None unless it is
    wanted.
    """
    batch, count = objects.shape[:2]
    shape = pred.x.shape
    flat = TensorBoxes(*(v.reshape(batch, 1, -1) for v in pred))
    edges = (flat.left, flat.right, flat.top, flat.bottom, flat.w * flat.h)
    best = torch.zeros_like(flat.x[:, 0])
    index = torch.zeros(best.shape, dtype=torch.long, device=best.device) if want_index else None
    step = max(1, MAX_PAIRS // max(1, best.numel()))
    for start in range(0, count, step):
        found = _iou_of_edges(edges, boxes_of(objects[:, start : start + step, None]))
        value, at = found.max(dim=1)  # the first of equal ones, as Darknet's `>`
        if index is not None:
            index = torch.where(value > best, at + start, index)
        best = torch.maximum(best, value)
    return best.reshape(shape), None if index is None else index.reshape(shape)


def _iou_of_edges(edges: tuple[Tensor, ...], other: TensorBoxes) -> Tensor:
    left, right, top, bottom, area = edges
    both = (torch.minimum(right, other.right) - torch.maximum(left, other.left)).clamp_(min=0)
    both *= (torch.minimum(bottom, other.bottom) - torch.maximum(top, other.top)).clamp_(min=0)
    union = (area + other.w * other.h).sub_(both)
    return torch.where(both > 0, both / union, 0.0)


class Slopes(NamedTuple):
    """Darknet's derivatives of the likeness of two boxes by the first one's centre and size."""

    x: Tensor
    y: Tensor
    w: Tensor
    h: Tensor


def slopes(kind: str, a: TensorBoxes, b: TensorBoxes) -> Slopes:
    """Darknet's gradient of `kind` ('iou', 'giou', 'diou' or 'ciou') by box `a`, where `b` is the object.

    Those of size are twice the true ones. Without overlap, "intersection" is the product of two signed extents; giou
    then only looks at the box around both, diou and ciou at the centres (box.c dx_box_iou).
    """
    wide = torch.minimum(a.right, b.right) - torch.maximum(a.left, b.left)
    high = torch.minimum(a.bottom, b.bottom) - torch.maximum(a.top, b.top)
    both = wide * high
    union = (a.bottom - a.top) * (a.right - a.left) + (b.bottom - b.top) * (b.right - b.left) - both
    apart = (wide <= 0) | (high <= 0)
    zero = torch.zeros_like(both)
    # By the edges of `a`: left, right, top, bottom.
    area = (a.top - a.bottom, a.bottom - a.top, a.left - a.right, a.right - a.left)
    inner = (
        torch.where(a.left > b.left, -high, zero), torch.where(a.right < b.right, high, zero),
        torch.where(a.top > b.top, -wide, zero), torch.where(a.bottom < b.bottom, wide, zero),
    )  # fmt: skip
    joint = tuple(s - i for s, i in zip(area, inner, strict=True))
    edges = [
        torch.where(union > 0, (union * i - both * u) / (union * union), zero)
        for i, u in zip(inner, joint, strict=True)
    ]
    if kind == "giou":
        edges = _with_hull(edges, a, b, union, joint, apart)
    left, right, top, bottom = edges
    plain = Slopes(left + right, top + bottom, right - left, bottom - top)
    if kind in ("iou", "giou"):
        return plain
    return _with_distance(plain, a, b, both / union if kind == "ciou" else None, apart)


def _with_hull(
    edges: list[Tensor], a: TensorBoxes, b: TensorBoxes, union: Tensor, joint: tuple[Tensor, ...], apart: Tensor
) -> list[Tensor]:
    wide, high = _hull(a, b)
    hull = wide * high
    zero = torch.zeros_like(hull)
    outer = (
        torch.where(a.left < b.left, -high, zero), torch.where(a.right > b.right, high, zero),
        torch.where(a.top < b.top, -wide, zero), torch.where(a.bottom > b.bottom, wide, zero),
    )  # fmt: skip
    terms = [(hull * u - union * o) / (hull * hull) for u, o in zip(joint, outer, strict=True)]
    return [
        torch.where(apart, term, torch.where(hull > 0, edge + term, edge))
        for edge, term in zip(edges, terms, strict=True)
    ]


def _with_distance(plain: Slopes, a: TensorBoxes, b: TensorBoxes, ratio: Tensor | None, apart: Tensor) -> Slopes:
    """Add what pulls the centres together, and, given the IoU as `ratio`, what pulls at the aspect ratio."""
    distance, diagonal = _distance(a, b)
    wide, high = _hull(a, b)
    left, right, top, bottom = (
        v.to(wide.dtype)
        for v in (a.left < b.left, a.right > b.right, a.top < b.top, a.bottom > b.bottom)
    )  # fmt: skip
    square = diagonal * diagonal
    # The second parts of x and y have the wrong sign, and those of w and h are halves (box.c:430 ff.).
    x = (2 * (b.x - a.x) * diagonal - 2 * wide * (right - left) * distance) / square
    y = (2 * (b.y - a.y) * diagonal - 2 * high * (bottom - top) * distance) / square
    w = wide * (right + left) * distance / square
    h = high * (bottom + top) * distance / square
    if ratio is not None:
        angle = _angle(a, b)
        v = angle * angle * (4 / math.pi**2)
        pull = v / (1 - ratio + v + 1e-6) * (8 / math.pi**2) * angle
        w, h = w + pull * a.h, h - pull * a.w
    terms = Slopes(x, y, w, h)
    return Slopes(
        *(torch.where(apart, t, torch.where(diagonal > 0, p + t, p)) for p, t in zip(plain, terms, strict=True))
    )
