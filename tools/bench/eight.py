"""How others make int8 of a network: of the plain ONNX, with what a runtime offers for it, set up as its makers advise.

Decision: they get the same pictures as our calibration, and run in the same engines, as files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx

Images = Sequence[np.ndarray]  # (1, c, h, w) float32 each

NNCF_PICTURES = 300  # as many as NNCF takes if there are as many


@dataclass(frozen=True)
class Quantizer:
    """A quantizer: the `package` that has it, the back end that runs its files, and what makes one of them.

    `make` takes a plain ONNX file, pictures, and a folder.
    """

    title: str
    package: str
    backend: str
    make: Callable[[Path, Images, Path], Path]

    @property
    def installed(self) -> bool:
        """Whether its package and back end are here."""
        return all(find_spec(name) is not None for name in (self.package, self.backend))


class _Reader:
    """What onnxruntime's quantizer reads pictures from."""

    def __init__(self, name: str, images: Images) -> None:
        self._left = iter([{name: image} for image in images])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


def by_onnxruntime(plain: Path, images: Images, folder: Path) -> Path:
    """Static quantization with pairs of QuantizeLinear and DequantizeLinear, a scale for each channel of weights."""
    from onnxruntime.quantization import QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared, path = folder / "prepared.onnx", folder / "onnxruntime.onnx"
    quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)  # every shape is known
    name = onnx.load(prepared, load_external_data=False).graph.input[0].name
    quantize_static(str(prepared), str(path), _Reader(name, images), quant_format=QuantFormat.QDQ, per_channel=True)
    return path


def by_nncf(plain: Path, images: Images, folder: Path) -> Path:
    """NNCF's quantization after training, with grids that fit leaky activations."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # which reports to its makers
    import nncf
    import openvino

    data = nncf.Dataset(list(images))
    settings: dict[str, Any] = {"preset": nncf.QuantizationPreset.MIXED, "subset_size": min(NNCF_PICTURES, len(images))}
    path = folder / "nncf.xml"
    openvino.save_model(nncf.quantize(openvino.Core().read_model(str(plain)), data, **settings), str(path))
    return path


QUANTIZERS = (
    Quantizer("onnxruntime's quantizer in onnxruntime", "onnxruntime.quantization", "onnxruntime", by_onnxruntime),
    Quantizer("onnxruntime's quantizer in OpenVINO", "onnxruntime.quantization", "openvino", by_onnxruntime),
    Quantizer("NNCF in OpenVINO", "nncf", "openvino", by_nncf),
)
