"""Export to ONNX: the optimized graph, optionally with the decoding of its heads, and a contract that says what it is.

Decision: what is exported is what the onnxruntime back end runs; decoding is appended to the graph as primitives, so
every runtime can run and check it, and only `NonMaxSuppression` is written as ONNX directly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from ..contract.contract import BATCHED, ROW, Contract, StateSpec
from ..contract.form import Form
from ..contract.program import Program
from ..errors import DataError
from ..files import kind_of, put, scratch
from ..ir import Graph
from ..ir.int8 import Calibration, plan
from ..passes import optimize
from ..version import VERSION
from .emitter import LARGE, Emitter, input_names, output_names
from .metadata import to_metadata
from .operators import Emit, write_onnx
from .stream import assemble, check_model, fits, write_sealed

BOXES = ("raw", "decoded", "nms", "padded")  # what every runtime runs
SAME_AS = {"efficient-nms": "padded"}  # what TensorRT's plug-in gives, in ONNX's own operators
PRODUCER = "darknet-py"  # as `Emitter.skeleton` writes it
TABLE = "nms.table"  # the detections and a row of zeros
PADDED = ("num_dets", "boxes", "scores", "classes")
PLAIN = Form()
PLUGINS = "trt.plugins"  # the domain in which onnxruntime looks for TensorRT's; TensorRT itself goes by the name alone


@dataclass
class Exported:
    """An ONNX model still in parts, and its contract."""

    model: onnx.ModelProto
    arrays: dict[str, np.ndarray]
    contract: Contract

    def whole(self) -> onnx.ModelProto:
        """The model with its arrays and its contract."""
        helper.set_model_props(self.model, to_metadata(self.contract))
        return assemble(self.model, self.arrays)

    def save(
        self,
        path: str | Path,
        *,
        external: bool = False,
        replace: bool = False,
        sources: Iterable[str | Path] = (),
    ) -> Contract:
        """Check the model and write it, whole or not at all; its contract.

        `replace` and `sources` are those of `files.check_output`. Raises `DataError` if it cannot be written, or must
        not be.
        """
        helper.set_model_props(self.model, to_metadata(self.contract))
        _save(self.model, self.arrays, Path(path), external, partial(put, replace=replace, sources=tuple(sources)))
        return self.contract


def ending_of(program: Program, form: Form) -> str:
    """What the file of a program ends in, in a form, by the name that a contract has for it.

    Raises what `to_exported` would for it, and before a calibration is computed.
    """
    asked = form.boxes or "raw"
    boxes = SAME_AS.get(asked, asked)
    if boxes not in (*BOXES, *BATCHED):
        raise DataError(f"boxes={boxes!r} is none of {', '.join((*BOXES, *SAME_AS, 'tensorrt'))}")
    program.ending_in(boxes)
    return boxes


def to_exported(
    program: Program,
    form: Form = PLAIN,
    *,
    calibration: Calibration | None = None,
    whole: bool = True,
    emitters: Mapping[str, Emit] | None = None,
) -> Exported:
    """A program with its parameters loaded as ONNX, of 8 bits with a `calibration`; `emitters` are for `write_onnx`.

    `whole` is for the plan of 8 bits (`ir.int8.plan`). Raises `DataError` for `boxes` that there are not, and
    `BackendError` where they cannot be expressed.
    """
    boxes = ending_of(program, form)
    graph = optimize(program.graph)
    plain = replace(program.contract, origin="", names_origin="", diagnostics=(), boxes=boxes, outputs=())
    contract = described(graph, plain, form)
    body = frozenset(graph.ops) if form.half else frozenset()
    tensors: list[str] = []
    extend: Callable[[Emitter], None] | None = None
    if boxes != "raw":
        graph = Program(graph, program.contract).with_boxes().graph
        tensors = ["boxes", "scores", *output_names(graph)[2:]]
        contract = replace(contract, outputs=("boxes", "scores"))
    most, limits = form.max_detections, dict[str, Any](threshold=form.threshold, iou=form.iou)
    if boxes in BATCHED:
        count, classes = graph.outputs[1].shape
        most = min(most, count * classes)
        # What is left has other names than the tables that it is taken from.
        tensors[:2] = ["all.boxes", "all.scores"]
        contract = replace(contract, nms_kind="default", outputs=PADDED, max_detections=most)
        write = _to_tensorrt if boxes == "tensorrt" else _to_padded
        extend = partial(write, count=count, classes=classes, most=most, **limits)
    if boxes == "nms":
        contract = replace(contract, nms_kind="default", outputs=("detections",), max_detections=most)
        extend = partial(_to_table, count=graph.outputs[0].shape[0], most=most, **limits)
    small = plan(graph, calibration, whole) if calibration else None
    emitter = write_onnx(
        small.graph if small else graph, batch=form.batch, half=body, names=tensors, extend=extend, emitters=emitters,
        int8=small,
    )  # fmt: skip
    model = emitter.skeleton()
    if boxes == "tensorrt":
        model.opset_import.append(helper.make_opsetid(PLUGINS, 1))
    return Exported(model, emitter.arrays, contract)


def described(graph: Graph, contract: Contract, form: Form) -> Contract:
    """The contract of a file that has this graph, in a form: what goes in and comes out, by name, and who wrote it.

    Where the contract has names of outputs already, these are kept.
    """
    image, *states = input_names(graph)
    names, count = output_names(graph), len(graph.outputs)
    return replace(
        contract, batch=form.batch, producer=f"darknet-py {VERSION}", threshold=form.threshold, iou=form.iou,
        half=form.half, input=image, outputs=contract.outputs or tuple(names[:count]),
        states=tuple(map(StateSpec, states, names[count:], (s.input.shape for s in graph.states))),
    )  # fmt: skip


def _named(e: Emitter, kind: str, inputs: list[str], output: str, **attrs: object) -> str:
    """A node of no operation of the graph, and its only output, which has the same name."""
    e.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attrs))
    return output


def _to_table(e: Emitter, *, count: int, threshold: float, iou: float, most: int) -> None:
    """Write NonMaxSuppression after `boxes` and `scores`, and gather what it selects into one table."""
    node = partial(_named, e)
    # One more box of zeros, which is the last row of `TABLE` and cut off at the end: on the way there OpenCV 5 dies of
    # tables without rows.
    boxes = node("Pad", ["boxes", e.integers(0, 0, 0, 0, 1, 0)], "nms.boxes_and_zero")
    scores = node("Pad", ["scores", e.integers(0, 0, 0, 0, 1, 0)], "nms.scores_and_zero")
    by_class = node("Transpose", [scores], "nms.scores_by_class", perm=(0, 2, 1))
    zero = e.initializer(np.array([[0, 0, count]], np.int64), "nms.zero")
    # The corners are given as (x, y) where ONNX says (y, x): an overlap is the same either way.
    limits = [e.integers(most), e.floats(iou), e.floats(threshold)]
    found = node("NonMaxSuppression", [boxes, by_class, *limits], "nms.found")
    chosen = node("Concat", [found, zero], "nms.chosen", axis=0)
    places = node("Gather", [chosen, e.integers(0, 2)], "nms.places", axis=1)
    corners = node("GatherND", [boxes, places], "nms.boxes")
    scores = node("GatherND", [by_class, chosen], "nms.score")
    score = node("Unsqueeze", [scores, e.integers(1)], "nms.score_column")
    numbers = node("Cast", [chosen], "nms.numbers", to=TensorProto.FLOAT)
    sample = node("Gather", [numbers, e.integers(0)], "nms.sample", axis=1)
    label = node("Gather", [numbers, e.integers(1)], "nms.class", axis=1)
    table = node("Concat", [sample, corners, score, label], TABLE, axis=1)
    node("Slice", [table, e.integers(0), e.integers(-1), e.integers(0)], "detections")
    rows = helper.make_tensor_value_info("detections", TensorProto.FLOAT, ["detections", ROW])
    e.outputs = [rows, *e.outputs[2:]]


def _to_padded(e: Emitter, *, count: int, classes: int, threshold: float, iou: float, most: int) -> None:
    """Write NonMaxSuppression after boxes and scores, and the best of what it selects of each sample, padded.

    What was selected keeps its score in a table of zeros, of which the best are taken: so samples stay apart, however
    many there are.
    """
    node = partial(_named, e)
    by_class = node("Transpose", ["all.scores"], "nms.scores_by_class", perm=(0, 2, 1))
    limits = [e.integers(count), e.floats(iou), e.floats(threshold)]
    found = node("NonMaxSuppression", ["all.boxes", by_class, *limits], "nms.found")
    kept = node("GatherND", [by_class, found], "nms.kept")
    shape = node("Shape", [by_class], "nms.shape")
    zeros = node("Expand", [e.floats(0.0), shape], "nms.zeros")
    table = node("ScatterND", [zeros, found, kept], "nms.table")
    flat = node("Reshape", [table, e.integers(0, count * classes)], "nms.flat")
    best, places = "scores", "nms.places"
    e.nodes.append(helper.make_node("TopK", [flat, e.integers(most)], [best, places], name="nms.best", axis=1))
    is_one = node("Greater", [best, e.floats(0.0)], "nms.is_one")
    ones = node("Cast", [is_one], "nms.ones", to=TensorProto.INT32)
    node("ReduceSum", [ones, e.integers(1)], "num_dets", keepdims=1)
    label = node("Div", [places, e.integers(count)], "nms.class")
    node("Mul", [node("Cast", [label], "nms.label", to=TensorProto.INT32), ones], "classes")
    place = node("Mod", [places, e.integers(count)], "nms.box")
    index = node("Unsqueeze", [place, e.integers(2)], "nms.index")
    corners = node("GatherND", ["all.boxes", index], "nms.corners", batch_dims=1)
    mask = node("Unsqueeze", [is_one, e.integers(2)], "nms.mask")
    node("Where", [mask, corners, e.floats(0.0)], "boxes")
    _declare_padded(e, most)


def _to_tensorrt(e: Emitter, *, count: int, classes: int, threshold: float, iou: float, most: int) -> None:
    """Write the node of TensorRT's plug-in EfficientNMS after boxes and scores.

    Its attributes, and the types and shapes of its results, are those of its documentation: corners, no background, and
    scores that are probabilities already. It looks at the 4096 best scores of a sample.
    """
    attributes = dict(
        plugin_version="1", score_threshold=threshold, iou_threshold=iou, max_output_boxes=most, background_class=-1,
        score_activation=0, class_agnostic=0, box_coding=0,
    )  # fmt: skip
    inputs = ["all.boxes", "all.scores"]
    e.nodes.append(helper.make_node("EfficientNMS_TRT", inputs, PADDED, name="nms", domain=PLUGINS, **attributes))
    _declare_padded(e, most)


def _declare_padded(e: Emitter, most: int) -> None:
    """Say that the outputs are the padded ones, and then the states."""
    batch = e.outputs[0].type.tensor_type.shape.dim[0]
    axis = batch.dim_param or batch.dim_value
    kinds = (TensorProto.INT32, TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.INT32)
    shapes = ([axis, 1], [axis, most, 4], [axis, most], [axis, most])
    made = map(helper.make_tensor_value_info, PADDED, kinds, shapes)
    e.outputs = [*made, *e.outputs[2:]]


def _point_to(model: onnx.ModelProto, name: str) -> None:
    """Say that the arrays of a model that are not in it are in the file `name` beside it."""
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = name


def _save(
    model: onnx.ModelProto, arrays: dict[str, np.ndarray], path: Path, external: bool, put: Callable[..., None]
) -> None:  # fmt: skip
    """Check the model and write it: to a folder beside its place first, then into its place."""
    apart = external or not fits(model, arrays)
    place = path.with_name(f"{path.name}.data")
    for own in (path, place) if apart else (path,):
        if (kind := kind_of(own)) not in ("a file", "nothing"):  # renaming over /dev/null would remove it
            raise DataError(f"cannot write {own}: it is {kind}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch(path.parent) as folder:
            written = folder / path.name
            if apart:
                whole = assemble(model, arrays)
                # onnx looks for a file of that name in the current folder too, so first it has one that nothing has.
                second = written.with_name(f"{folder.name}.arrays")
                onnx.save_model(whole, written, save_as_external_data=True, location=second.name, size_threshold=LARGE)
                onnx.checker.check_model(str(written), full_check=True)
                if second.exists():
                    second.chmod(written.stat().st_mode)  # onnx lets only its owner read it
                    _point_to(whole, place.name)
                    onnx.save_model(whole, written)
                    put(second, place)
            else:
                check_model(model, arrays)
                with written.open("wb") as file:
                    write_sealed(file, model, arrays)
            put(written, path)
    except OSError as e:
        raise DataError(f"cannot write {path}: {e.strerror or e}") from None
