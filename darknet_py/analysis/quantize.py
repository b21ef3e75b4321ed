"""Static int8: an exported network with its convolutions in 8 bits, and what that costs in what it finds.

Decision: nobody gets an int8 network without its loss. Some pictures are kept out of the calibration; on these both
networks are run, matched and timed, and the figures are part of the result and of the file. From the last convolutions
on (the heads) everything stays in float32: there a rounding moves a box or turns a class.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import numpy as np
import onnx

from ..backends.auto import timed
from ..backends.session import Session
from ..contract.nms import box_iou
from ..errors import BackendError, DataError
from ..vision.results import Results
from ..vision.sources import PictureFile, expand

HELD_OUT = 4  # every fourth picture
ROUNDS = 5  # of the timing
OVERLAP = 0.5  # two boxes of one class are the same object from this IoU on
LEARNED = frozenset(("Conv", "Gemm", "MatMul"))
# What has an 8-bit kernel in onnxruntime. With convolutions alone yolov4-tiny takes 1.2 times as long. Accuracy is no
# clear reason: on 32 pictures yolov4-tiny finds 89 % again with them alone and 85 % with all, MobileNetV2 79 and 93 %.
OPERATORS = (*sorted(LEARNED), "Add", "Clip", "Concat", "LeakyRelu", "MaxPool", "Relu", "Resize", "Slice")


@dataclass(frozen=True)
class Loss:
    """How the int8 network compares with the float network on some pictures.

    `objects` is what the float network finds (a classifier: the best class of each picture). `recall` is the part of
    these that the int8 network finds too, with the same class and an IoU of at least `OVERLAP`; `precision` the part of
    its own objects that the float network has; `difference` the mean absolute difference of the probabilities of what
    both find. Each is None where there is nothing to divide by.
    """

    pictures: int
    objects: int
    recall: float | None
    precision: float | None
    difference: float | None

    def __str__(self) -> str:
        rates = (("recall", self.recall), ("precision", self.precision))
        told = [f"{name} {rate:.1%}" for name, rate in rates if rate is not None]
        told += [] if self.difference is None else [f"probabilities off by {self.difference:.3f} on average"]
        return f"{', '.join(told) or 'nothing to compare'} ({self.objects} objects in {self.pictures} pictures)"


@dataclass(frozen=True)
class Quantization:
    """The loss on the pictures held out of the calibration and on the others, and the float time over the int8 time."""

    held_out: Loss
    calibration: Loss
    speed: float

    def __str__(self) -> str:
        return (
            f"int8 against float32, pictures held out: {self.held_out}\n"
            f"int8 against float32, pictures of the calibration: {self.calibration}\n"
            f"int8 is {self.speed:.2f} times as fast as float32 in onnxruntime on this machine"
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Quantization:
        """The figures again."""
        return cls(Loss(**data["held_out"]), Loss(**data["calibration"]), data["speed"])


def quantize(
    model: onnx.ModelProto, images: str | Path, open_model: Callable[[Path], Opened]
) -> tuple[onnx.ModelProto, Quantization]:
    """The int8 form (QDQ, weights by channel) of a model that `export_onnx` made, and what it loses.

    `images` is a path, folder or glob of at least two pictures like those that the network will see; every fourth is
    held out. `open_model` opens an ONNX file, as `load` does. Raises `DataError` for too few pictures, and
    `BackendError` where onnxruntime cannot quantize the model.
    """
    files = expand(images)
    held_out = files[HELD_OUT - 1 :: HELD_OUT] or files[-1:]
    others = [f for f in files if f not in held_out]
    if not others:
        raise DataError(f"{images} is one picture: int8 needs one to calibrate with and one to measure the loss with")
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        try:
            plain.write_bytes(model.SerializeToString())
        except ValueError as e:  # what does not fit into protobuf's 2 GB
            raise BackendError(f"the network cannot be quantized: {e}") from None
        reference = open_model(plain)
        recorder = reference.session = _Recorder(reference.session)
        calibration = _Calibration(reference, recorder, [i.name for i in model.graph.input], others)
        _quantize(model, plain, small, calibration)
        candidate = open_model(small)
        pairs = [(_look(reference, f), _look(candidate, f)) for f in held_out]
        again = [_look(candidate, f) for f in others]
        feed = recorder.inputs
        speeds = [timed(recorder, feed) / timed(candidate.session, feed) for _ in range(ROUNDS)]
        losses = loss(*zip(*pairs, strict=True)), loss(calibration.found, again)
        return onnx.load(small), Quantization(*losses, speed=median(speeds))


def loss(wanted: Sequence[Results], got: Sequence[Results]) -> Loss:
    """What the second results lose against the first, picture by picture."""
    compare = _compare_boxes if not wanted or wanted[0].scores is None else _compare_classes
    matched = np.array([pair for a, b in zip(wanted, got, strict=True) for pair in compare(a, b)]).reshape(-1, 2)
    objects, own = (sum(len(r) if r.scores is None else 1 for r in results) for results in (wanted, got))
    if not objects or not own or not len(matched):
        return Loss(len(wanted), objects, 0.0 if objects else None, 0.0 if own else None, None)
    off = float(np.abs(matched[:, 0] - matched[:, 1]).mean())
    return Loss(len(wanted), objects, len(matched) / objects, len(matched) / own, off)


def _compare_classes(a: Results, b: Results) -> Iterable[tuple[float, float]]:
    """The probabilities of the best class, if it is the same."""
    assert a.scores is not None
    assert b.scores is not None
    best = int(a.scores.argmax())
    return [(a.scores[best], b.scores[best])] if best == b.scores.argmax() else []


def _compare_boxes(a: Results, b: Results) -> Iterator[tuple[float, float]]:
    """The probabilities of the objects that both have, the surest taking the nearest box first."""
    near = box_iou(a.boxes.xywh[:, None], b.boxes.xywh) * (a.boxes.cls[:, None] == b.boxes.cls)
    for i in np.argsort(-a.boxes.conf, kind="stable") if near.size else ():
        j = int(near[i].argmax())
        if near[i, j] >= OVERLAP:
            near[:, j] = 0
            yield float(a.boxes.conf[i]), float(b.boxes.conf[j])


class Opened(Protocol):
    """What is asked of an open network: `Model` is one."""

    session: Session

    def reset(self) -> None:
        """Forget what recurrent layers remember."""
        ...

    def __call__(self, source: Any) -> list[Results]:
        """Results for pictures."""
        ...


class _Recorder:
    """A session that keeps its last inputs."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.inputs: list[np.ndarray] = []

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.inputs = list(inputs)
        return self._session.run(inputs)


def _look(model: Opened, file: PictureFile) -> Results:
    model.reset()
    (results,) = model(file)
    return results


class _Calibration:
    """What onnxruntime asks for the inputs: those that the float network gets for each picture."""

    def __init__(self, model: Opened, recorder: _Recorder, names: Sequence[str], files: Iterable[PictureFile]) -> None:
        self._model, self._recorder, self._names, self._files = model, recorder, names, iter(files)
        self.found: list[Results] = []

    def get_next(self) -> dict[str, np.ndarray] | None:
        file = next(self._files, None)
        if file is None:
            return None
        self.found.append(_look(self._model, file))
        return dict(zip(self._names, self._recorder.inputs, strict=True))


def _quantize(model: onnx.ModelProto, plain: Path, small: Path, reader: _Calibration) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with _quiet():
        try:
            quantize_static(
                plain, small, reader, quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                op_types_to_quantize=list(OPERATORS), nodes_to_exclude=sorted(heads(model)),
            )  # fmt: skip
        except (ValueError, RuntimeError, TypeError) as e:
            raise BackendError(f"onnxruntime cannot quantize the network: {e}") from e


def heads(model: onnx.ModelProto) -> set[str]:
    """The names of the nodes from the last convolutions (or products) on, these included."""
    producers = {output: node for node in model.graph.node for output in node.output}
    todo = [producers[o.name] for o in model.graph.output if o.name in producers]
    found: dict[str, onnx.NodeProto] = {}
    while todo:
        node = todo.pop()
        if node.name in found:
            continue
        found[node.name] = node
        if node.op_type not in LEARNED:
            todo += [producers[i] for i in node.input if i in producers]
    return set(found)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice that onnxruntime logs for people who call it themselves."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
