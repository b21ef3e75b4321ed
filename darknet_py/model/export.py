"""`export_onnx`: a network of any origin, opened, written as ONNX, and quantized where that is asked for."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

from ..contract.contract import Contract
from ..contract.program import Program
from ..contract.thresholds import CONF, IOU
from ..darknet.network import Network, open_network
from ..darknet.weights import hash_weights
from ..errors import DataError, told_once
from ..files import check_output
from ..onnx.export import is_exported, to_exported


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
      together, or as many as there can be.

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
    if half and int8 is not None:
        raise DataError("half and int8 exclude each other")
    if not isinstance(network, Network):
        network = open_network(network, weights)
    elif weights is not None:
        raise DataError("an open network has its weights already")
    sources = [p for p in (network.cfg, network.weights, names, int8) if p is not None]
    check_output(path, replace=replace, sources=sources, own=is_exported)
    program = network.program(names, letterbox)
    contract = dataclasses.replace(
        program.contract, cfg_sha256=network.cfg_sha256,
        weights_sha256=hash_weights(network.compilation.graph, network.loaded) if network.loaded else None,
    )  # fmt: skip
    calibration = None
    if int8 is not None:
        from ..analysis.quantize import quantize

        calibration, found = quantize(program, int8)
        contract = dataclasses.replace(contract, int8=found.to_dict())
    exported = to_exported(
        Program(program.graph, contract), batch=batch, boxes=boxes, half=half,
        threshold=threshold, iou=iou, max_detections=max_detections, calibration=calibration,
    )  # fmt: skip
    exported.model.graph.name = network.cfg.stem
    saved = exported.save(path, external=external, replace=replace, sources=sources)
    saved = _told_of_half(saved, program) if half else saved
    compiled = {str(d) for d in told_once(network.compilation.diagnostics)}  # told where the network was opened
    of_names = tuple(d for d in contract.diagnostics if d not in compiled)
    return dataclasses.replace(saved, diagnostics=(*of_names, *saved.diagnostics))


def _told_of_half(saved: Contract, program: Program) -> Contract:
    """The contract with what float16 loses: a warning of Python too where it cannot hold the numbers."""
    from ..analysis.half import find_half_loss
    from ..passes import optimize

    found = find_half_loss(optimize(program.graph))
    if found.warnings:
        warnings.warn("\n".join(found.warnings), stacklevel=3)
    return dataclasses.replace(saved, diagnostics=tuple(f"warning: {w}" for w in found.warnings) or (str(found),))
