"""Anchors for a cfg from a data set: what fits, how well the cfg's own fit, and the cfg written anew with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...analysis.anchors import SEEDS, WHOLE_PIXELS, AnchorFit, fit_anchors, mean_iou, propose_masks
from ...contract.decoders.region import BEFORE
from ...darknet.cfg.edit import edit
from ...darknet.compile import Compilation, compile_file
from ...darknet.layers.heads.head import anchor_table
from ...darknet.layers.heads.region import Region
from ...darknet.layers.heads.yolo import AnchorHead
from ...darknet.layers.layer import layer_of
from ...errors import DataError
from ...vision.datasets import Dataset, open_dataset

SCHEMA = "darknet-py/anchors/1"


@dataclass(frozen=True)
class AnchorSection:
    """A head of a cfg: the number of its section and its line, pixels of a cell, its anchors in pixels, its mask."""

    section: int
    line: int
    kind: str
    stride: float
    anchors: tuple[tuple[float, float], ...]
    mask: tuple[int, ...]
    classes: int
    before: int


@dataclass(frozen=True, eq=False)
class Anchors:
    """Anchors that fit: `fit`, the mask of each head, `own` the mean IoU of the cfg's own, `counters` of each class."""

    compilation: Compilation
    heads: tuple[AnchorSection, ...]
    fit: AnchorFit
    masks: tuple[tuple[int, ...], ...]
    own: float
    boxes: int
    counters: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with `schema`; anchors in pixels of the input."""
        net = self.compilation.graph.image.shape
        return {
            "schema": SCHEMA, "width": net[2], "height": net[1], "boxes": self.boxes,
            "anchors": self.fit.anchors.tolist(), "iou": self.fit.iou, "seed": self.fit.seed,
            "spread": dict(zip(("min", "median", "max"), self.fit.spread, strict=True)), "own_iou": self.own,
            "heads": [
                {"line": h.line, "section": h.kind, "stride": h.stride, "mask": list(m), "own_mask": list(h.mask)}
                for h, m in zip(self.heads, self.masks, strict=True)
            ],
            "counters_per_class": list(self.counters),
        }  # fmt: skip

    def cfg_text(self) -> str:
        """The cfg with these anchors, masks, `num`, and the `filters` before the heads; the rest as it is."""
        return edit(self.compilation.cfg, dict(self._changes()))

    def _changes(self) -> Iterator[tuple[tuple[int, str], str]]:
        for head, mask in zip(self.heads, self.masks, strict=True):
            unit = head.stride if head.kind == "region" else 1  # cells of its grid
            shown = ",  ".join(f"{w / unit:.6g},{h / unit:.6g}" for w, h in self.fit.anchors)
            yield (head.section, "anchors"), shown
            yield (head.section, "num"), str(len(self.fit.anchors))
            if head.kind != "region":
                yield (head.section, "mask"), ",".join(map(str, mask))
            count = len(self.fit.anchors) if head.kind == "region" else len(mask)
            if count != len(head.mask):
                yield self._filters(head, count)

    def _filters(self, head: AnchorSection, count: int) -> tuple[tuple[int, str], str]:
        before = self.compilation.cfg.sections[head.section - 1]
        if before.name not in ("convolutional", "conv"):
            raise DataError(
                f"line {head.line}: [{head.kind}] takes {len(head.mask)} anchors; {count} need other filters, before "
                f"it is [{before.name}]: choose as many anchors as it has"
            )
        return (head.section - 1, "filters"), str(count * (head.before + head.classes))


def anchors(
    data: Dataset | str | Path,
    cfg: str | Path,
    *,
    count: int | None = None,
    size: tuple[int, int] | None = None,
    split: str = "train",
    by_size: bool = False,
    seeds: int = SEEDS,
    seed: int = 0,
) -> Anchors:
    """Fit anchors of a cfg to the labelled boxes of a data set.

    `count` is how many (default: as many as the cfg has), `size` the (height, width) of the input instead of the cfg's,
    `by_size` shares them among the heads by the rule of Darknet's readme instead of evenly. Raises `DarknetError`, also
    for a cfg without anchors.
    """
    dataset = data if isinstance(data, Dataset) else open_dataset(data, split)
    compilation = compile_file(cfg, size=size).check()
    heads = anchor_sections(compilation)
    if not heads:
        raise DataError(f"{cfg} has no head with anchors: no [yolo], [Gaussian_yolo] or [region]")
    classes = max(h.classes for h in heads)
    labels = [example.read(dataset.names)[0] for example in dataset.examples]
    boxes = np.concatenate([one.boxes[:, 2:] for one in labels]).astype(np.float64)
    if not len(boxes):
        raise DataError(f"{dataset.path}: no boxes in its labels")
    _, height, width = compilation.graph.image.shape
    sizes = boxes * (width, height)
    own = tuple(dict.fromkeys(a for h in heads for a in h.anchors))
    fit = fit_anchors(
        sizes, count or sum(len(h.mask) for h in heads), seeds=seeds, seed=seed, round_to=int(width > WHOLE_PIXELS)
    )
    masks = _masks(heads, fit, by_size)
    counters = np.bincount(np.concatenate([one.cls for one in labels]), minlength=classes)
    own_iou = mean_iou(sizes[(sizes > 0).all(1)], np.array(own))
    return Anchors(compilation, heads, fit, masks, own_iou, len(boxes), tuple(counters.tolist()))


def fit_to_data(data: str | Path, count: int, size: tuple[int, int], split: str = "train") -> AnchorFit:
    """Anchors for an input of (height, width), without a cfg: `detector calc_anchors`."""
    dataset = open_dataset(data, split)
    boxes = [example.read(dataset.names)[0].boxes[:, 2:] for example in dataset.examples]
    sizes = np.concatenate(boxes).astype(np.float64) * (size[1], size[0])
    return fit_anchors(sizes, count, round_to=int(size[1] > WHOLE_PIXELS))


def _masks(heads: tuple[AnchorSection, ...], fit: AnchorFit, by_size: bool) -> tuple[tuple[int, ...], ...]:
    """By the number of anchors that each head has, where they are as many as before; else shared anew."""
    if not by_size and sum(len(h.mask) for h in heads) == len(fit.anchors):
        masks: list[tuple[int, ...]] = [()] * len(heads)
        start = 0
        for i in sorted(range(len(heads)), key=lambda i: heads[i].stride):
            masks[i] = tuple(range(start, start + len(heads[i].mask)))
            start += len(heads[i].mask)
        return tuple(masks)
    return tuple(propose_masks(fit.anchors, [round(h.stride) for h in heads], by_size))


def anchor_sections(compilation: Compilation) -> tuple[AnchorSection, ...]:
    """The heads of a cfg that have anchors, in order."""
    height = compilation.graph.image.shape[1]
    heads = []
    for info in compilation.graph.layers:
        layer, section = layer_of(info), compilation.cfg.sections[info.index + 1]  # [net] is no layer
        stride = height / info.output.shape[-2] if len(info.output.shape) == 3 else 0
        at = (info.index + 1, section.span.line, section.name, stride)
        if isinstance(layer, AnchorHead):
            heads.append(AnchorSection(*at, layer.boxes, layer.masks, layer.classes, layer.before))
        elif isinstance(layer, Region):
            table = tuple((w * stride, h * stride) for w, h in anchor_table(layer.anchors, layer.num))
            heads.append(AnchorSection(*at, table, tuple(range(layer.num)), layer.classes, BEFORE))
    return tuple(heads)
