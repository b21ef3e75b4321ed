"""From the outputs of the heads of one image to its detections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from ..ir.graph import Graph
from ..layers.head import Head
from ..layers.net import Net
from .boxes import Size, to_xyxy, undo_letterbox
from .candidates import Candidates, join
from .nms import nms


@dataclass(frozen=True)
class Detections:
    """n objects, the surest first.

    `xyxy` (n, 4) float32 are left, top, right, bottom in pixels of the image, and may lie outside it; `confidence` (n,)
    float32; `class_id` (n,) int64.
    """

    xyxy: np.ndarray
    confidence: np.ndarray
    class_id: np.ndarray

    def __len__(self) -> int:
        return len(self.class_id)

    def __iter__(self) -> Iterator[tuple[np.ndarray, float, int]]:
        """One (box, confidence, class) after the other."""
        return zip(self.xyxy, self.confidence.tolist(), self.class_id.tolist(), strict=True)

    def __getitem__(self, index: slice | np.ndarray) -> Detections:
        return Detections(self.xyxy[index], self.confidence[index], self.class_id[index])

    def clip(self, image_size: Size) -> Detections:
        """The same objects with their boxes cut at the border of an image of (height, width)."""
        h, w = image_size
        return Detections(np.clip(self.xyxy, 0, np.array([w, h, w, h], np.float32)), self.confidence, self.class_id)


def find_detections(
    graph: Graph,
    net: Net,
    outputs: Sequence[np.ndarray],
    image_size: Size,
    *,
    threshold: float = 0.25,
    iou: float = 0.45,
    letterbox: bool = False,
    max_detections: int | None = None,
) -> Detections:
    """What Darknet's `detector test` finds: one row for each (box, class) that survives.

    `outputs` are the arrays of `graph.heads`, in that order, for one sample and without the batch axis; `image_size` is
    the (height, width) of the photo, and `letterbox` says that it was padded instead of stretched. Raises `DataError`
    where the outputs are not those of the heads.
    """
    candidates = find_candidates(graph, net, outputs, threshold)
    if letterbox:
        candidates = candidates.with_boxes(undo_letterbox(candidates.boxes, image_size, (net.height, net.width)))
    # detector.c test_detector: the last head says how to suppress the boxes of all.
    kind, beta = _heads(graph)[-1].suppression()
    return to_detections(nms(candidates, kind, iou, beta), image_size, max_detections)


def find_candidates(graph: Graph, net: Net, outputs: Sequence[np.ndarray], threshold: float) -> Candidates:
    """The candidates of all heads, relative to the network input, before suppression."""
    heads = _heads(graph)
    shapes = [graph.layer_output(i).shape for i in graph.heads]
    if not heads or [o.shape for o in outputs] != shapes:
        raise DataError(f"the heads give {shapes}, and what was passed is {[o.shape for o in outputs]}")
    size = (net.height, net.width)
    return join([head.decode(o, size, threshold) for head, o in zip(heads, outputs, strict=True)])


def _heads(graph: Graph) -> list[Head]:
    layers = [graph.layers[i].layer for i in graph.heads]
    return [layer for layer in layers if isinstance(layer, Head)]


def to_detections(candidates: Candidates, image_size: Size, max_detections: int | None = None) -> Detections:
    """A row for each probability that is not 0, sorted, with boxes in pixels of an image of (height, width)."""
    row, class_id = np.nonzero(candidates.probabilities)
    confidence = candidates.probabilities[row, class_id]
    best = np.argsort(-confidence, kind="stable")[:max_detections]
    return Detections(to_xyxy(candidates.boxes[row[best]], image_size), confidence[best], class_id[best])
