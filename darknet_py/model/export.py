"""`export_onnx`: a network of any origin, opened, written as ONNX, and quantized where that is asked for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..backends.backend import DEFAULT
from ..contract.contract import Contract
from ..contract.form import MOST
from ..contract.program import Program
from ..contract.thresholds import CONF, IOU
from ..darknet.network import Network, open_network
from ..darknet.weights import hash_weights
from ..errors import DataError, told_once
from ..files import check_output, check_outputs, put, scratch
from ..ir import Graph
from ..onnx.export import Exported, described, ending_of, to_exported
from ..onnx.operators import Emit, need_weights
from ..passes import Pass, optimize
from .options import ExportOptions


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
    max_detections: int = MOST,
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
    options = ExportOptions(
        boxes=boxes, batch=batch, half=half, threshold=threshold, iou=iou, max_detections=max_detections, int8=int8,
        names=names, letterbox=letterbox, replace=replace,
    )  # fmt: skip
    return save_as_onnx(network, path, options, external=external)


def save_as_onnx(network: Network, path: str | Path, options: ExportOptions, *, external: bool = False) -> Contract:
    """`export_onnx` of an open network."""
    sources = sources_of(network, options)
    check_output(path, replace=options.replace, sources=sources)
    exported = exported_of(network, options)
    return exported.save(path, external=external, replace=options.replace, sources=sources)


def sources_of(network: Network, options: ExportOptions) -> tuple[str | Path, ...]:
    """The files that are read for a file of a network."""
    return tuple(p for p in (network.cfg, network.weights, options.names, options.int8) if p is not None)


def exported_of(
    network: Network, options: ExportOptions, *, emitters: Mapping[str, Emit] | None = None, backend: str = DEFAULT
) -> Exported:  # fmt: skip
    """An open network as ONNX, not yet written, in 8 bits for a `backend`; `emitters` are those of `to_exported`.

    The `diagnostics` of its contract are about the names and about what float16 loses.
    """
    program, calibration = named(network, options), None
    ending_of(program, options)
    if options.int8 is not None:
        from ..analysis.quantize import quantize

        calibration, found = quantize(program, options.int8, options.say, backend)
        program = Program(program.graph, replace(program.contract, int8=found.to_dict()))
    whole = backend == DEFAULT  # others fuse what comes after a product
    exported = to_exported(program, options, calibration=calibration, whole=whole, emitters=emitters)
    exported.model.graph.name = network.cfg.stem
    told = (*notes_of(network, program.contract), *(told_of_half(program) if options.half else ()))
    return replace(exported, contract=replace(exported.contract, diagnostics=told))


def named(network: Network, options: ExportOptions) -> Program:
    """The program of a network with all that a file says of it: names of classes, and the hashes of cfg and weights."""
    program = network.program(options.names, options.letterbox)
    contract = replace(
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
        warnings.warn("\n".join(found.warnings), stacklevel=5)
    return tuple(f"warning: {w}" for w in found.warnings) or (str(found),)


def finished(network: Network, passes: Sequence[Pass], options: ExportOptions) -> Program:
    """An open network as a file has it that is written from the graph: optimized, and with a contract that says so.

    It ends in the outputs of the heads (unless `boxes` says otherwise), in boxes and scores ('decoded'), or before the
    heads ('input'). Raises `DataError` for other `boxes`, and `BackendError` for a network without its weights.
    """
    boxes = options.boxes or "raw"
    if boxes not in ("raw", "decoded", "input"):
        raise DataError(f"boxes={boxes!r}: this format has no suppression; 'raw' and 'decoded' are to be had")
    need_weights(network.graph)
    program = named(network, options).ending_in(boxes)
    graph = optimize(program.graph, passes)
    told = (*notes_of(network, program.contract), *(beyond_half(graph) if options.half else ()))
    return Program(graph, replace(described(graph, program.contract, options), diagnostics=told))


def said_of(contract: Contract) -> tuple[str, ...]:
    """What goes into a file and what comes out, in a sentence, and all else that there is to say of it."""
    size = "x".join(map(str, contract.shape))
    said = f"input {contract.input} {size}, {contract.resize}, boxes: {contract.boxes}"
    return (said, *lost_in_int8(contract), *contract.diagnostics)


def lost_in_int8(contract: Contract) -> tuple[str, ...]:
    """What the int8 form loses, in words, where that was measured."""
    if not contract.int8:
        return ()
    from ..analysis.quantize import Quantization

    return (str(Quantization.of(contract.int8)),)


def beyond_half(graph: Graph) -> tuple[str, ...]:
    """In a sentence for each, the layers with weights that float16 cuts: for files that only store them in it.

    What storing them loses is what such a file is off by when it is run.
    """
    from ..analysis.half import find_cut_weights

    return tuple(f"warning: {excess}" for excess in find_cut_weights(graph))


@contextmanager
def placing(path: Path, *beside: str) -> Iterator[Path]:
    """A path in a folder beside `path`: what is written there is put in its place when the block ends.

    `beside` are the suffixes of files that are written with it, and put first. Raises `DataError` where
    `check_outputs` does, and for a path that cannot be written.
    """
    places = [*(path.with_suffix(suffix) for suffix in beside), path]
    check_outputs(places)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch(path.parent) as folder:
            yield folder / path.name
            for place in places:
                put(folder / place.name, place)
    except OSError as e:
        raise DataError(f"cannot write {path}: {e.strerror or e}") from None
