"""`export_onnx`: a network of any origin, opened, written as ONNX, and quantized where that is asked for."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..contract.contract import Contract, StateSpec
from ..contract.program import Program
from ..contract.thresholds import CONF, IOU
from ..darknet.network import Network, open_network
from ..darknet.weights import hash_weights
from ..errors import DataError, told_once
from ..files import check_output, put, scratch
from ..ir import Graph
from ..onnx.emitter import output_names
from ..onnx.export import Exported, is_exported, to_exported
from ..passes import Pass, optimize
from ..version import VERSION


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
    replace: bool = False,
) -> Contract:
    r"""Write a network as an ONNX file and return what the file says about itself.

    `network` is an open network or the path of a cfg (`weights` as in `load`). The input `images` is (N, channels,
    height, width) float32, RGB from 0 to 1, with N symbolic or `batch`; the states of recurrent layers are further
    inputs and outputs. `boxes`:

    - 'raw': the outputs of the heads as Darknet has them, (N, channels, h, w), named after their layers; for networks
      without heads the output of the last layer;
    - 'decoded': `boxes` (N, n, 4), left, top, right, bottom in pixels of the input, and `scores` (N, n, classes);
    - 'nms': `detections` (k, 7), a row for each object of all samples: sample, left, top, right, bottom, score, class;
      no rows where there is nothing. Corners are in pixels of the input. Suppression is by class among scores above
      `threshold`, at most `max_detections` of each class, by plain IoU over `iou`: ONNX has no other, so where the cfg
      says greedynms or diounms, which go by the distance of the centres too, some boxes differ. What is below these
      limits is not in the output: lower ones need another file.

    - 'padded': the same with a batch axis, as servers want it: `num_dets` (N, 1) int32, `boxes` (N, m, 4), `scores`
      (N, m) and `classes` (N, m) int32, best first, zeros after the last; m is `max_detections`, of all classes
      together, or as many as there can be;
      'efficient-nms' is another word for it;
    - 'tensorrt': the same outputs from the node of TensorRT's plug-in EfficientNMS, for TensorRT alone.

    `half` stores and computes in float16, with float32 at both ends and in decoding; what that loses on random numbers
    is in the `diagnostics` of the result, and weights or values that no float16 holds are warned of. `int8` is a
    folder, glob or path of pictures: they calibrate a network of 8 bits, with float32 in the heads; what it loses on
    them is in the `int8` of the result and of the file, and is yours to judge (processors without VNNI lose more).
    `external` puts large arrays into a second file beside the first (`net.onnx.data`), as networks beyond 2 GB always
    do. Files appear whole or not at all, and none is written over that was read, or that this package did not write,
    unless `replace` says that the second may go. Raises `DataError` for that, for bad options, or a path that cannot be
    written, `BackendError` where boxes cannot be expressed.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "tiny.cfg").write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n")
    >>> export_onnx(folder / "tiny.cfg", folder / "tiny.onnx").shape
    (3, 8, 8)
    """
    if not isinstance(network, Network):
        network = open_network(network, weights)
    elif weights is not None:
        raise DataError("an open network has its weights already")
    sources = [p for p in (network.cfg, network.weights, names, int8) if p is not None]
    check_output(path, replace=replace, sources=sources, own=is_exported)
    exported = exported_of(
        network, batch=batch, boxes=boxes, half=half, int8=int8, names=names, letterbox=letterbox, threshold=threshold,
        iou=iou, max_detections=max_detections,
    )  # fmt: skip
    return exported.save(path, external=external, replace=replace, sources=sources)


def exported_of(
    network: Network,
    *,
    names: str | Path | None = None,
    letterbox: bool | None = None,
    half: bool = False,
    int8: str | Path | None = None,
    **options: Any,
) -> Exported:
    """An open network as ONNX, not yet written; `options` are those of `to_exported`.

    The `diagnostics` of its contract are about the names and about what float16 loses.
    """
    if half and int8 is not None:
        raise DataError("half and int8 exclude each other")
    program = named(network, names, letterbox)
    exported = to_exported(program, half=half, **options)
    if int8 is not None:
        exported = _quantized(exported, int8)
    exported.model.graph.name = network.cfg.stem
    told = (*notes_of(network, program.contract), *(told_of_half(program) if half else ()))
    return dataclasses.replace(exported, contract=dataclasses.replace(exported.contract, diagnostics=told))


def named(network: Network, names: str | Path | None = None, letterbox: bool | None = None) -> Program:
    """The program of a network with all that a file says of it: names of classes, and the hashes of cfg and weights."""
    program = network.program(names, letterbox)
    contract = dataclasses.replace(
        program.contract, cfg_sha256=network.cfg_sha256,
        weights_sha256=hash_weights(network.compilation.graph, network.loaded) if network.loaded else None,
    )  # fmt: skip
    return Program(program.graph, contract)


def notes_of(network: Network, contract: Contract) -> tuple[str, ...]:
    """What is to be said of a contract and was not yet, when its network was opened: of the names of classes."""
    compiled = {str(d) for d in told_once(network.compilation.diagnostics)}
    return tuple(d for d in contract.diagnostics if d not in compiled)


def told_of_half(program: Program) -> tuple[str, ...]:
    """What float16 loses, in sentences: a warning of Python too where it cannot hold the numbers."""
    from ..analysis.half import find_half_loss

    found = find_half_loss(optimize(program.graph))
    if found.warnings:
        warnings.warn("\n".join(found.warnings), stacklevel=4)
    return tuple(f"warning: {w}" for w in found.warnings) or (str(found),)


def finished(
    network: Network,
    passes: Sequence[Pass],
    *,
    boxes: str = "raw",
    names: str | Path | None = None,
    letterbox: bool | None = None,
    batch: int | None = None,
    half: bool = False,
    threshold: float = CONF,
    iou: float = IOU,
) -> Program:
    """An open network as a file has it that is written from the graph: optimized, and with a contract that says so.

    It ends in the outputs of the heads, in boxes and scores ('decoded'), or before the heads ('input'). Raises
    `DataError` for other `boxes`.
    """
    program = named(network, names, letterbox)
    if boxes not in ("raw", "decoded", "input"):
        raise DataError(f"boxes={boxes!r}: this format has no suppression; 'raw' and 'decoded' are to be had")
    if boxes == "decoded":
        program = program.with_boxes()
    elif boxes == "input":
        program = program.before_heads()
    graph = optimize(program.graph, passes)
    outputs = output_names(graph)
    count = len(graph.outputs)
    contract = dataclasses.replace(
        program.contract, batch=batch, producer=f"darknet-py {VERSION}", threshold=threshold, iou=iou, half=half,
        input=graph.image.name, outputs=program.contract.outputs or tuple(outputs[:count]),
        states=tuple(StateSpec(s.input.name, f"{s.input.name}.next", s.input.shape) for s in graph.states),
        diagnostics=(*notes_of(network, program.contract), *(beyond_half(graph) if half else ())),
    )  # fmt: skip
    return Program(graph, contract)


def beyond_half(graph: Graph) -> tuple[str, ...]:
    """In a sentence for each, the layers with weights that float16 cuts: for files that only store them in it.

    What storing them loses is what such a file is off by when it is run.
    """
    from ..analysis.half import find_cut_weights

    return tuple(f"warning: {excess}" for excess in find_cut_weights(graph))


@contextmanager
def placing(path: Path, *beside: str) -> Iterator[Path]:
    """A path in a folder beside `path`: what is written there is put in its place when the block ends.

    `beside` are the suffixes of files that are written with it, and put first. Raises `DataError` where `check_output`
    does for any of them, and for a path that cannot be written.
    """
    places = [*(path.with_suffix(suffix) for suffix in beside), path]
    for place in places:
        check_output(place)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch(path.parent) as folder:
            yield folder / path.name
            for place in places:
                put(folder / place.name, place)
    except OSError as e:
        raise DataError(f"cannot write {path}: {e.strerror or e}") from None


def _quantized(exported: Exported, images: str | Path) -> Exported:
    from ..analysis.quantize import quantize

    model, found = quantize(exported.whole(), images)
    return Exported(model, {}, dataclasses.replace(exported.contract, int8=found.to_dict()))
