"""An `.mlpackage`: the program, the picture that goes in, the suppression as a second model, and the contract.

Decision: the classic pipeline of Core ML's detectors, which Vision shows as objects with labels: a program that gives
`confidence` (boxes, classes) and `coordinates` (boxes, 4: centre and size, relative to the input), then the model
NonMaximumSuppression, which Core ML computes itself, by plain overlap.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..contract.boxes import Size
from ..contract.contract import Contract
from ..errors import BackendError
from ..ir import Graph, Value, check
from ..ir.builder import Builder
from ..passes import fold_constants
from ..version import requirement
from .rules import MilWriter, shape_of

if TYPE_CHECKING:
    from coremltools.models import MLModel

CONFIDENCE, COORDINATES = "confidence", "coordinates"
COLOURS = {1: "GRAYSCALE", 3: "RGB"}


def legal(name: str) -> str:
    """A name as MIL takes it, which would give any other one a new name itself.

    >>> legal("30_yolo"), legal("1_lstm.state"), legal("images")
    ('layer_30_yolo', 'layer_1_lstm_state', 'images')
    """
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"layer_{plain}" if plain[0].isdigit() else plain


def with_legal_names(contract: Contract) -> Contract:
    """The contract of a file whose inputs and outputs are called as MIL takes it."""
    states = tuple(replace(s, input=legal(s.input), output=legal(s.output)) for s in contract.states)
    return replace(contract, input=legal(contract.input), outputs=tuple(map(legal, contract.outputs)), states=states)


def to_mlmodel(graph: Graph, contract: Contract, *, half: bool = False, flat: bool = False) -> MLModel:
    """The graph, with its parameters loaded, as a model of Core ML for one picture at a time.

    Its outputs are called as the contract says (`with_legal_names`), and have a batch axis of 1 unless they are
    `flat`. A picture is an image in the contract's colours, which Core ML scales; one of other channels is an array.
    `half` computes in float16, as Apple's accelerators do. Raises `BackendError` without coremltools,
    or for what Core ML cannot say.
    """
    tools = _tools()

    from coremltools.converters.mil import Builder as Mil
    from coremltools.converters.mil.mil import Function, Program

    graph = fold_constants(graph)
    placeholders = {legal(value.name): Mil.placeholder(shape=shape_of(value)) for value in graph.inputs}
    program = Program()
    with Function(placeholders, opset_version=tools.target.iOS15) as function:
        writer = MilWriter(graph, Mil, {value.name: function.inputs[legal(value.name)] for value in graph.inputs})
        writer.write()
        names = (*contract.outputs, *(s.output for s in contract.states))
        outputs = zip(graph.roots, names, strict=True)
        function.set_outputs([_output(Mil, writer.read(v), v.shape if flat else shape_of(v), n) for v, n in outputs])
    program.add_function("main", function)
    kinds = [_kind(tools, value, contract if value is graph.image else None) for value in graph.inputs]
    precision = tools.precision.FLOAT16 if half else tools.precision.FLOAT32
    with _quiet():
        return tools.convert(
            program, convert_to="mlprogram", inputs=kinds, compute_precision=precision, skip_model_load=True,
            minimum_deployment_target=tools.target.iOS15,
        )  # fmt: skip


def as_centres(graph: Graph, net_size: Size) -> Graph:
    """A graph that gives corners (n, 4) in pixels of the input, and scores, with centres and sizes relative to it.

    >>> b = Builder()
    >>> boxes = b.input("boxes", (5, 4))
    >>> as_centres(b.graph(boxes, boxes, b.op("relu", boxes)), (8, 8)).outputs[0].shape
    (5, 4)
    """
    height, width = net_size
    boxes, scores = graph.outputs
    b = Builder()
    b.enter(graph.layers[-1].index if graph.layers else 0, "coordinates")
    low, high = b.slice(boxes, 1, 0, 2), b.slice(boxes, 1, 2, 4)
    scale = b.const(np.array([[1 / width, 1 / height]], np.float32))
    centre = b.mul(b.mul(b.add(low, high), 0.5), scale)
    outputs = (b.concat([centre, b.mul(b.sub(high, low), scale)], axis=1), scores)
    return check(replace(graph, ops=(*graph.ops, *b.ops), data={**graph.data, **b.data}, outputs=outputs))


def with_suppression(model: MLModel, contract: Contract) -> MLModel:
    """A model whose flat outputs are `CONFIDENCE` and `COORDINATES`, and what Core ML leaves of them.

    Whoever runs it may give other thresholds; without any, those of the contract count.
    """
    tools = _tools()
    first = model.get_spec()
    whole = tools.proto.Model_pb2.Model()
    whole.specificationVersion = first.specificationVersion
    whole.pipeline.models.add().CopyFrom(first)
    last = whole.pipeline.models.add()
    last.specificationVersion = whole.specificationVersion
    suppression = last.nonMaximumSuppression
    suppression.confidenceInputFeatureName = suppression.confidenceOutputFeatureName = CONFIDENCE
    suppression.coordinatesInputFeatureName = suppression.coordinatesOutputFeatureName = COORDINATES
    suppression.iouThresholdInputFeatureName = "iouThreshold"
    suppression.confidenceThresholdInputFeatureName = "confidenceThreshold"
    suppression.iouThreshold, suppression.confidenceThreshold = contract.iou, contract.threshold
    suppression.pickTop.perClass = True
    suppression.stringClassLabels.vector.extend(contract.names or map(str, range(contract.classes)))
    for output in first.description.output:
        for place in (last.description.input, last.description.output, whole.description.output):
            place.add().CopyFrom(output)
    for place in (last.description.output, whole.description.output):
        for output in place:
            _free_rows(output, contract.classes if output.name == CONFIDENCE else 4)
    whole.description.input.add().CopyFrom(first.description.input[0])
    for name, meaning in (("iouThreshold", contract.iou), ("confidenceThreshold", contract.threshold)):
        for place in (last.description.input, whole.description.input):
            given = place.add()
            given.name = name
            given.shortDescription = f"optional; {meaning:g} without it"
            given.type.doubleType.SetInParent()
            given.type.isOptional = True
    with _quiet():
        return tools.models.MLModel(whole, weights_dir=model.weights_dir, skip_model_load=True)


def save(model: MLModel, path: Path, metadata: dict[str, str], title: str) -> None:
    """Write a package with entries in its metadata to a new folder `path`."""
    model.short_description = title
    for key, value in metadata.items():
        model.user_defined_metadata[key] = value
    model.save(str(path))


def _free_rows(output: Any, width: int) -> None:
    """As many rows as are left."""
    array = output.type.multiArrayType
    del array.shape[:]
    array.shapeRange.sizeRanges.add(lowerBound=0, upperBound=-1)
    array.shapeRange.sizeRanges.add(lowerBound=width, upperBound=width)


def _kind(tools: Any, value: Value, contract: Contract | None) -> Any:
    """How an input is given: the picture as an image, everything else as an array."""
    colours = COLOURS.get(value.shape[0]) if contract is not None and len(value.shape) == 3 else None
    if contract is None or colours is None:
        return tools.TensorType(name=legal(value.name), shape=shape_of(value), dtype=np.float32)
    layout = getattr(tools.colorlayout, colours)
    return tools.ImageType(name=legal(value.name), shape=shape_of(value), scale=contract.scale, color_layout=layout)


def _output(mil: type[Any], value: Any, shape: tuple[int, ...], name: str) -> Any:
    """A value under the name of an output, which an input or a constant cannot have itself."""
    return mil.reshape(x=value, shape=list(shape), name=name)


def _tools() -> Any:
    try:
        with _quiet():
            import coremltools
    except ImportError:
        hint = f"pip install {requirement('coreml')}"
        raise BackendError(f"Core ML's packages are written by coremltools, which is missing: {hint}") from None
    return coremltools


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what coremltools tells of its progress, and of what it lacks away from Apple's systems."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
