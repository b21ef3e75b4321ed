"""What an exported ONNX file says about itself, so that it can be run and decoded without the cfg it came from.

Decision: one entry of `metadata_props` for each field, called `darknet.` and the field, its value in JSON: people read
it in any viewer, and `OnnxContract.of` reads it back.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.boxes import Size, undo_letterbox
from ..contract.candidates import Candidates, join
from ..contract.decode import Detections, to_detections
from ..contract.nms import nms
from ..darknet.layers.heads.head import Head
from ..darknet.layers.heads.tree import Tree
from ..errors import DataError

if TYPE_CHECKING:
    import onnx

PREFIX = "darknet."


def read_onnx(path: str | Path) -> onnx.ModelProto:
    """An ONNX file, without the arrays that it keeps in a second one; `DataError` if it cannot be read."""
    import onnx

    try:
        return onnx.load(path, load_external_data=False)
    except OSError as e:
        raise DataError(f"cannot read {path}: {e.strerror or e}") from None
    except Exception as e:  # protobuf's own, which is no public name
        raise DataError(f"{path} is no ONNX file: {e}") from None


@dataclass(frozen=True)
class HeadRecord:
    """A head whose output the file has: the tensor, the section, and the options that decoding needs."""

    output: str
    section: str
    options: dict[str, Any]
    tree: dict[str, Any] | None = None  # the nodes of a class hierarchy: names, parents

    @classmethod
    def of(cls, output: str, section: str, head: Head) -> HeadRecord:
        """The record of a head."""
        options = {f.name: _plain(getattr(head, f.name)) for f in dataclasses.fields(head) if f.init}
        tree: Tree | None = getattr(head, "hierarchy", None)
        nodes = {k: _plain(v) for k, v in dataclasses.asdict(tree).items()} if tree else None
        return cls(output, section, options, nodes)

    def head(self, dialect: str) -> Head:
        """The head again. Raises `DataError` for a section that is no head."""
        from ..darknet.layers import LAYERS

        found = LAYERS.get((self.section, dialect))
        if found is None or not issubclass(found, Head):
            raise DataError(f"the file has a head [{self.section}] of the dialect {dialect!r}, which is unknown here")
        return self.build(found)

    def build(self, kind: type[Head]) -> Head:
        """The head again, when its class is known."""
        options: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in self.options.items()}
        head = kind(**options)
        if self.tree:
            object.__setattr__(head, "hierarchy", Tree(tuple(self.tree["names"]), tuple(self.tree["parents"])))
        return head


@dataclass(frozen=True)
class StateRecord:
    """Memory of a recurrent layer: feed zeros first, then what came out; `shape` is without the batch axis."""

    input: str
    output: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class OnnxContract:
    """What goes into an exported network and what comes out of it.

    `shape` is one input: (channels, height, width), `colour` the order of the channels, and `scale` what 8-bit pixels
    are multiplied with. `resize` is how a picture gets that size: 'stretch', 'letterbox' (padded with 0.5), or 'crop'
    (the middle, for classifiers). `boxes` is what the file ends in: 'raw' (the outputs of `heads`, or of the last layer
    where there are none), 'decoded' or 'nms'; see `export_onnx`.
    """

    producer: str
    cfg: str
    cfg_sha256: str
    weights_sha256: str | None
    dialect: str
    shape: tuple[int, ...]
    resize: str
    names: tuple[str, ...]
    boxes: str
    threshold: float
    iou: float
    nms_kind: str
    nms_beta: float
    half: bool
    heads: tuple[HeadRecord, ...] = ()
    states: tuple[StateRecord, ...] = ()
    int8: dict[str, Any] | None = None  # what the int8 form loses, as `quantize.Quantization` has it
    input: str = "images"
    colour: str = "RGB"
    scale: float = 1 / 255

    def to_metadata(self) -> dict[str, str]:
        """The fields as keys and JSON."""
        return {PREFIX + k: json.dumps(v, ensure_ascii=False) for k, v in dataclasses.asdict(self).items()}

    @classmethod
    def of(cls, model: onnx.ModelProto) -> OnnxContract:
        """The contract in the metadata of a model; `DataError` if it is not there or incomplete."""
        own = [p for p in model.metadata_props if p.key.startswith(PREFIX)]
        fields = {p.key.removeprefix(PREFIX): json.loads(p.value) for p in own}
        try:
            heads = tuple(HeadRecord(**h) for h in fields.pop("heads"))
            states = tuple(StateRecord(s["input"], s["output"], tuple(s["shape"])) for s in fields.pop("states"))
            shape, names = tuple(fields.pop("shape")), tuple(fields.pop("names"))
            return cls(**fields, shape=shape, names=names, heads=heads, states=states)
        except (KeyError, TypeError) as e:
            raise DataError(
                f"this ONNX file was not exported by darknet-py, or by another version of it ({e})"
            ) from None

    @cached_property
    def layers(self) -> tuple[Head, ...]:
        """The heads, ready to decode."""
        return tuple(h.head(self.dialect) for h in self.heads)

    def detections(
        self,
        outputs: Sequence[np.ndarray],
        image_size: Size,
        *,
        threshold: float | None = None,
        iou: float | None = None,
        letterbox: bool | None = None,
    ) -> Detections:
        """The objects in the outputs for one sample, of a picture of (height, width).

        `outputs` are those of the file without states; raw and decoded ones without the batch axis, the rows of 'nms'
        filtered to the sample. Thresholds are those of the export unless given. Raises `DataError` for a file
        without heads.
        """
        if not self.heads:
            raise DataError(f"{self.cfg} has no layer that gives boxes")
        threshold = self.threshold if threshold is None else threshold
        padded = self.resize == "letterbox" if letterbox is None else letterbox
        size = (self.shape[1], self.shape[2])
        candidates = self._candidates(outputs, size, threshold)
        if padded:
            candidates = candidates.with_boxes(undo_letterbox(candidates.boxes, image_size, size))
        if self.boxes != "nms":
            candidates = nms(candidates, self.nms_kind, self.iou if iou is None else iou, self.nms_beta)
        return to_detections(candidates, image_size)

    def _candidates(self, outputs: Sequence[np.ndarray], size: Size, threshold: float) -> Candidates:
        if self.boxes == "raw":
            return join([h.decode(o, size, threshold) for h, o in zip(self.layers, outputs, strict=True)])
        if self.boxes == "decoded":
            xyxy, scores = outputs
        else:
            (rows,) = outputs
            xyxy, scores = rows[:, 1:5], np.zeros((len(rows), len(self.names)), np.float32)
            scores[np.arange(len(rows)), rows[:, 6].astype(np.int64)] = rows[:, 5]
        kept = scores.max(1, initial=0) > np.float32(threshold)
        xyxy, scores = xyxy[kept], np.where(scores[kept] > np.float32(threshold), scores[kept], np.float32(0))
        relative = xyxy / np.array([size[1], size[0]] * 2, np.float32)
        center, extent = (relative[:, :2] + relative[:, 2:]) / 2, relative[:, 2:] - relative[:, :2]
        boxes = np.concatenate([center, extent], axis=1).astype(np.float32)
        return Candidates(boxes, np.ones(len(boxes), np.float32), scores)


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    return list(value) if isinstance(value, tuple) else value
