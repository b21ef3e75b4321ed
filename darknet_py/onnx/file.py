"""Read an ONNX file that `export_onnx` wrote: its contract, as a `Model` needs it; back ends open it themselves.

Decision: the file says itself what goes in and how boxes come out, so nothing is looked for beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..contract.boxes import Size
from ..contract.decode import Detections
from .metadata import OnnxContract, read_onnx

Outputs = list[np.ndarray]


class OnnxFile:
    """An ONNX file: its contract, and the sizes of its inputs."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        model = read_onnx(self.path)
        self.contract = OnnxContract.of(model)
        batch = model.graph.input[0].type.tensor_type.shape.dim[0]
        # How many samples the file takes at a time; None: any number.
        self.batch = None if batch.dim_param else int(batch.dim_value)

    def sample(self, outputs: Outputs, index: int) -> Outputs:
        """What the outputs say about one sample of a batch."""
        if self.contract.boxes == "nms":
            return [rows[rows[:, 0] == index] for rows in outputs]
        return [o[index] for o in outputs]

    def decode(self, outputs: Sequence[np.ndarray], size: Size, conf: float, iou: float, letterbox: bool) -> Detections:
        """The objects in the outputs of one sample."""
        return self.contract.detections(outputs, size, threshold=conf, iou=iou, letterbox=letterbox)
