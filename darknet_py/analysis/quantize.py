"""Static int8: an exported network with its convolutions in 8 bits, and what that costs in what it finds.

Decision: nobody gets an int8 network without its loss. Some pictures are kept out of the calibration; on these both
networks are run, matched and timed, and the figures are part of the result and of the file. From the last convolutions
on (the heads) everything stays in float32: there a rounding moves a box or turns a class.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from operator import truediv as divide
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx

from ..backends.auto import timed
from ..backends.session import Session, open_file
from ..contract.contract import Contract
from ..contract.nms import box_iou
from ..contract.thresholds import CONF, IOU
from ..errors import BackendError, DataError, counted
from ..files import scratch
from ..onnx.metadata import contract_of
from ..vision.inference import prepare, results_of
from ..vision.results import Results
from ..vision.sources import Found, expand, pictures
from ..zoo.names import ByNumber

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
        seen = f"{counted(self.objects, 'object')} in {counted(self.pictures, 'picture')}"
        return f"{', '.join(told) or 'nothing to compare'} ({seen})"


@dataclass(frozen=True)
class Quantization:
    """The loss on the pictures held out of the calibration and on the others, and the float time over the int8 time."""

    held_out: Loss
    calibration: Loss
    speed: float
    runtime: str = "onnxruntime"

    def __str__(self) -> str:
        return (
            f"int8 against float32, pictures held out: {self.held_out}\n"
            f"int8 against float32, pictures of the calibration: {self.calibration}\n"
            f"int8 is {self.speed:.2f} times as fast as float32 in {self.runtime} on this machine"
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Quantization:
        """The figures again."""
        losses = Loss(**data["held_out"]), Loss(**data["calibration"])
        return cls(*losses, data["speed"], data.get("runtime", cls.runtime))


def quantize(model: onnx.ModelProto, images: str | Path) -> tuple[onnx.ModelProto, Quantization]:
    """The int8 form (QDQ, weights by channel) of a model that `export_onnx` made, and what it loses.

    `images` is a path, folder or glob of at least two pictures like those that the network will see; every fourth is
    held out. Raises `DataError` for too few pictures, and `BackendError` where onnxruntime cannot quantize the model.
    """
    others, held_out = split_pictures(images)
    with scratch() as folder:
        plain, small = folder / "float.onnx", folder / "int8.onnx"
        try:
            plain.write_bytes(model.SerializeToString())
        except ValueError as e:  # what does not fit into protobuf's 2 GB
            raise BackendError(f"the network cannot be quantized: {e}") from None
        contract = contract_of(model)
        reference = _Opened(open_file(plain), contract)
        calibration = _Calibration(reference, [i.name for i in model.graph.input], others)
        _quantize(model, plain, small, calibration)
        candidate = _Opened(open_file(small), contract)
        pairs = [(reference.look(f), candidate.look(f)) for f in held_out]
        again = [candidate.look(f) for f in others]
        sessions = reference.session, candidate.session
        speeds = [divide(*(timed(s, reference.inputs) for s in sessions)) for _ in range(ROUNDS)]
        losses = loss(*zip(*pairs, strict=True)), loss(calibration.found, again)
        return onnx.load(small), Quantization(*losses, speed=median(speeds))


def split_pictures(images: str | Path) -> tuple[list[Found], list[Found]]:
    """The pictures of a path, folder or glob to calibrate with, and those that are held out.

    Raises `DataError` for less than one of each.
    """
    files = expand(images, videos=False)
    held_out = files[HELD_OUT - 1 :: HELD_OUT] or files[-1:]
    others = [f for f in files if f not in held_out]
    if not others:
        raise DataError(f"{images} is one picture: int8 needs one to calibrate with and one to measure the loss with")
    return others, held_out


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


class _Opened:
    """An exported network in onnxruntime, and the inputs that its last picture became."""

    def __init__(self, session: Session, contract: Contract) -> None:
        self.session, self.contract = session, contract
        self.inputs: list[np.ndarray] = []

    def look(self, file: Found) -> Results:
        """What it finds in a picture, with memories of zeros and Darknet's thresholds."""
        contract = self.contract
        (picture,) = pictures(file, contract.shape[0])
        batch = np.zeros((contract.batch or 1, *contract.shape), np.float32)
        prepare(picture, contract, contract.letterbox, batch[0])
        self.inputs = [batch, *(np.zeros((len(batch), *s.shape), np.float32) for s in contract.states)]
        outputs = contract.sample(self.session.run(self.inputs)[: len(contract.outputs)], 0)
        return results_of(outputs, picture, contract, ByNumber(contract.names), threshold=CONF, iou=IOU)


class _Calibration:
    """What onnxruntime asks for the inputs: those that the float network gets for each picture."""

    def __init__(self, reference: _Opened, names: Sequence[str], files: Iterable[Found]) -> None:
        self._reference, self._names, self._files = reference, names, iter(files)
        self.found: list[Results] = []

    def get_next(self) -> dict[str, np.ndarray] | None:
        file = next(self._files, None)
        if file is None:
            return None
        self.found.append(self._reference.look(file))
        return dict(zip(self._names, self._reference.inputs, strict=True))


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
