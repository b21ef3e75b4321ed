"""Export to ONNX: the optimized graph, optionally with the decoding of its heads, and a contract that says what it is.

Decision: what is exported is what the onnxruntime back end runs; decoding is appended to the graph as primitives, so
every runtime can run and check it, and only `NonMaxSuppression` is written as ONNX directly.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from ..contract.contract import contract_of
from ..contract.thresholds import CONF, IOU
from ..darknet.dialects import DIALECTS
from ..darknet.layers.heads.head import Head
from ..darknet.layers.lowering import Lowering
from ..darknet.network import Network, open_network
from ..errors import BackendError, DataError
from ..ir import Graph, Value, check
from ..passes import optimize
from ..version import VERSION
from .emitter import LARGE, Emitter, input_names, output_names
from .metadata import HeadRecord, OnnxContract, StateRecord, read_onnx
from .operators import write_onnx
from .stream import assemble, check_model, fits, write_model

BOXES = ("raw", "decoded", "nms")
DETECTION = 7  # sample, left, top, right, bottom, score, class


def export_onnx(
    network: Network | str | Path,
    path: str | Path,
    *,
    weights: str | Path | None = None,
    batch: int | None = None,
    boxes: str = "raw",
    half: bool = False,
    int8: str | Path | None = None,
    names: str | Path | None = None,
    letterbox: bool | None = None,
    threshold: float = CONF,
    iou: float = IOU,
    max_detections: int = 300,
    external: bool = False,
) -> OnnxContract:
    r"""Write a network as an ONNX file and return what the file says about itself.

    `network` is an open network or the path of a cfg (`weights` as in `load`). The input `images` is (N, channels,
    height, width) float32, RGB from 0 to 1, with N symbolic or `batch`; the states of recurrent layers are further
    inputs and outputs. `boxes`:

    - 'raw': the outputs of the heads as Darknet has them, (N, channels, h, w), named after their layers; for networks
      without heads the output of the last layer;
    - 'decoded': `boxes` (N, n, 4), left, top, right, bottom in pixels of the input, and `scores` (N, n, classes);
    - 'nms': `detections` (k + 1, 7), a row for each object: sample, left, top, right, bottom, score, class; the last
      row is all zeros, because OpenCV 5 dies of an empty table. Suppression is by class among scores above `threshold`,
      at most `max_detections` of each class, by plain IoU over `iou`: ONNX has no other, so where the cfg says
      greedynms or diounms, which go by the distance of the centres too, some boxes differ.

    `half` stores and computes in float16, with float32 at both ends and in decoding. `int8` is a folder, glob or path
    of pictures: they calibrate a network of 8 bits, with float32 in the heads; what it loses on them is in the `int8`
    of the result and of the file, and is yours to judge (processors without VNNI lose more). `external` puts large
    arrays into a second file beside the first (`net.onnx.data`), as networks beyond 2 GB always do. Files appear whole
    or not at all. Raises `DataError` for bad options or a path that cannot be written, `BackendError` where boxes
    cannot be expressed.

    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "tiny.cfg").write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n")
    >>> export_onnx(folder / "tiny.cfg", folder / "tiny.onnx").shape
    (3, 8, 8)
    """
    if boxes not in BOXES:
        raise DataError(f"boxes={boxes!r} is none of {', '.join(BOXES)}")
    if half and int8 is not None:
        raise DataError("half and int8 exclude each other")
    if batch is not None and batch < 1:
        raise DataError(f"a batch of {batch} is empty")
    if not isinstance(network, Network):
        network = open_network(network, weights)
    elif weights is not None:
        raise DataError("an open network has its weights already")
    graph = optimize(network.graph)
    contract = replace(
        _contract(network, graph, names, letterbox), boxes=boxes, threshold=threshold, iou=iou, half=half
    )
    body = frozenset(graph.ops) if half else frozenset()
    tensors: list[str] = []
    extend: Callable[[Emitter], None] | None = None
    if boxes != "raw":
        graph = with_boxes(graph)
        tensors = ["boxes", "scores", *output_names(graph)[2:]]
    if boxes == "nms":
        contract = replace(contract, nms_kind="default")
        extend = partial(_suppress, count=graph.outputs[0].shape[0], threshold=threshold, iou=iou, most=max_detections)
    emitter = write_onnx(graph, batch=batch, half=body, names=tensors, extend=extend)
    model, arrays = emitter.skeleton(), emitter.arrays
    helper.set_model_props(model, contract.to_metadata())
    if int8 is not None:
        from ..analysis.quantize import quantize

        model, found = quantize(assemble(model, arrays), int8)
        arrays = {}
        contract = replace(contract, int8=found.to_dict())
        helper.set_model_props(model, contract.to_metadata())
    model.graph.name = network.cfg.stem
    _save(model, arrays, Path(path), external)
    return contract


def read_contract(path: str | Path) -> OnnxContract:
    """What an ONNX file that `export_onnx` wrote says about itself; `DataError` for any other file."""
    return OnnxContract.of(read_onnx(path))


def with_boxes(graph: Graph) -> Graph:
    """The graph with two outputs instead of its heads: boxes (n, 4) in pixels of the input, and scores (n, classes).

    Raises `BackendError` if it has no heads.
    """
    if not graph.heads:
        raise BackendError("the network has no layer that gives boxes: export it with boxes=raw")
    b = Lowering(DIALECTS[graph.dialect])
    size = (graph.image.shape[1], graph.image.shape[2])
    boxes, scores = [], []
    for index in graph.heads:
        info = graph.layers[index]
        assert isinstance(info.layer, Head)
        b.enter(index, f"{info.section}.boxes")
        found = info.layer.lower_boxes(b, info.output, size)
        boxes.append(found[0])
        scores.append(found[1])
    classes = max(s.shape[1] for s in scores)
    outputs = (b.concat(boxes), b.concat([_widened(b, s, classes) for s in scores]))
    return check(replace(graph, ops=(*graph.ops, *b.ops), data={**graph.data, **b.data}, outputs=outputs))


def _widened(b: Lowering, scores: Value, classes: int) -> Value:
    missing = classes - scores.shape[1]
    if not missing:
        return scores
    return b.concat([scores, b.const(np.zeros((scores.shape[0], missing)))], axis=1)


def _contract(network: Network, graph: Graph, names: str | Path | None, letterbox: bool | None) -> OnnxContract:
    known = contract_of(network, names, letterbox)
    tensors = dict(zip(graph.outputs, output_names(graph), strict=False))
    infos = [graph.layers[i] for i in graph.heads]
    heads = [(i, i.layer) for i in infos if isinstance(i.layer, Head)]
    kind, beta = heads[-1][1].suppression() if heads else ("default", 0.6)
    image, *states = input_names(graph)
    following = output_names(graph)[len(graph.outputs) :]
    return OnnxContract(
        producer=f"darknet-py {VERSION}", cfg=network.cfg.name, cfg_sha256=_sha256(network.cfg),
        weights_sha256=_sha256(network.weights) if network.weights else None, dialect=graph.dialect,
        shape=graph.image.shape, resize="letterbox" if known.letterbox else "stretch" if heads else "crop",
        names=known.names.names, boxes="raw", threshold=CONF, iou=IOU, nms_kind=kind, nms_beta=beta, half=False,
        heads=tuple(HeadRecord.of(tensors[i.output], i.section, head) for i, head in heads),
        states=tuple(map(StateRecord, states, following, (s.input.shape for s in graph.states))), input=image,
    )  # fmt: skip


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _suppress(e: Emitter, *, count: int, threshold: float, iou: float, most: int) -> None:
    """Write NonMaxSuppression behind `boxes` and `scores`, and gather what it selects into one table."""

    def node(kind: str, inputs: list[str], output: str, **attrs: object) -> str:
        e.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attrs))
        return output

    # One more box of zeros, which is the last row of the table.
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
    node("Concat", [sample, corners, score, label], "detections", axis=1)
    rows = helper.make_tensor_value_info("detections", TensorProto.FLOAT, ["detections", DETECTION])
    e.outputs = [rows, *e.outputs[2:]]


def _save(model: onnx.ModelProto, arrays: dict[str, np.ndarray], path: Path, external: bool) -> None:
    """Check the model and write it: to a folder beside its place first, then into its place."""
    if path.exists() and not path.is_file():  # renaming over /dev/null would remove it
        raise DataError(f"cannot write {path}: it is a {'folder' if path.is_dir() else 'device'}")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            written = Path(folder, path.name)
            if external or not fits(model, arrays):
                data, whole = f"{path.name}.data", assemble(model, arrays)
                onnx.save_model(whole, written, save_as_external_data=True, location=data, size_threshold=LARGE)
                onnx.checker.check_model(str(written), full_check=True)
                if Path(folder, data).exists():
                    Path(folder, data).chmod(written.stat().st_mode)  # onnx lets only its owner read it
                    os.replace(Path(folder, data), path.with_name(data))
            else:
                check_model(model, arrays)
                with written.open("wb") as file:
                    write_model(file, model, arrays)
            os.replace(written, path)
    except OSError as e:
        raise DataError(f"cannot write {path}: {e.strerror or e}") from None
