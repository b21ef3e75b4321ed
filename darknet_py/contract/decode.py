"""From the outputs of the heads of one image to its detections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..darknet.layers.heads.head import Head
from ..errors import DataError
from .boxes import Size, to_xyxy, undo_letterbox
from .candidates import Candidates, join
from .nms import nms
from .thresholds import CONF, IOU

if TYPE_CHECKING:
    from ..darknet.layers.net import Net
    from ..ir.graph import Graph, Value


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
    threshold: float = CONF,
    iou: float = IOU,
    letterbox: bool = False,
    max_detections: int | None = None,
    raw: bool = False,
) -> Detections:
    """What Darknet's `detector test` finds: one row for each (box, class) that survives.

    `outputs` are the arrays of `graph.heads`, in that order, for one sample and without the batch axis; `image_size` is
    the (height, width) of the photo, and `letterbox` says that it was padded instead of stretched. `raw`: the arrays
    are those of `raw_outputs(graph)` instead. Raises `DataError` where the outputs are not those of the heads.
    """
    candidates = find_candidates(graph, net, outputs, threshold, raw=raw)
    size = (net.height, net.width)
    return _settle(_heads(graph), candidates, size, image_size, iou, letterbox)[:max_detections]


def decode_heads(
    heads: Sequence[Head],
    outputs: Sequence[np.ndarray],
    net_size: Size,
    image_size: Size,
    threshold: float,
    iou: float,
    letterbox: bool,
) -> Detections:
    """The same without a graph, from arrays as `raw_outputs` names them."""
    candidates = _decode(heads, outputs, net_size, threshold, raw=True)
    return _settle(heads, candidates, net_size, image_size, iou, letterbox)


def _settle(
    heads: Sequence[Head], candidates: Candidates, net_size: Size, image_size: Size, iou: float, letterbox: bool
) -> Detections:
    if letterbox:
        candidates = candidates.with_boxes(undo_letterbox(candidates.boxes, image_size, net_size))
    # detector.c test_detector: the last head says how to suppress the boxes of all.
    kind, beta = heads[-1].suppression()
    return to_detections(nms(candidates, kind, iou, beta), image_size)


def find_candidates(
    graph: Graph, net: Net, outputs: Sequence[np.ndarray], threshold: float, *, raw: bool = False
) -> Candidates:
    """The candidates of all heads, relative to the network input, before suppression."""
    heads = _heads(graph)
    shapes = [v.shape for v in (raw_outputs(graph) if raw else map(graph.layer_output, graph.heads))]
    if not heads or [o.shape for o in outputs] != shapes:
        raise DataError(f"the heads give {shapes}, and what was passed is {[o.shape for o in outputs]}")
    return _decode(heads, outputs, (net.height, net.width), threshold, raw=raw)


def _decode(
    heads: Sequence[Head], outputs: Sequence[np.ndarray], net_size: Size, threshold: float, *, raw: bool
) -> Candidates:
    pairs = zip(heads, outputs, strict=True)
    return join([head.decode(o, net_size, threshold, raw=raw and head.reads_input) for head, o in pairs])


def raw_outputs(graph: Graph) -> tuple[Value, ...]:
    """What `decode` of each head reads with `raw`: the input of the layer where it can take that, else its output."""
    values = []
    for info, head in zip((graph.layers[i] for i in graph.heads), _heads(graph), strict=True):
        source = info.inputs[0]
        before = graph.image if source < 0 else graph.layer_output(source)
        values.append(before if head.reads_input else info.output)
    return tuple(values)


def _heads(graph: Graph) -> list[Head]:
    layers = [graph.layers[i].layer for i in graph.heads]
    return [layer for layer in layers if isinstance(layer, Head)]


def to_detections(candidates: Candidates, image_size: Size, max_detections: int | None = None) -> Detections:
    """A row for each probability that is not 0, sorted, with boxes in pixels of an image of (height, width)."""
    row, class_id = np.nonzero(candidates.probabilities)
    confidence = candidates.probabilities[row, class_id]
    best = np.argsort(-confidence, kind="stable")[:max_detections]
    return Detections(to_xyxy(candidates.boxes[row[best]], image_size), confidence[best], class_id[best])
