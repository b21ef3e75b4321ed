"""Core ML, for Apple's devices: NAME.mlpackage, one picture at a time, with the suppression that Core ML has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import DataError
from ...files import check_output, put, scratch
from ..options import SAID, ExportOptions
from . import Format

if TYPE_CHECKING:
    from ...darknet.network import Network

SUFFIX = ".mlpackage"


def _write(network: Network, path: Path, options: ExportOptions) -> tuple[str, ...]:
    """The network as a package; `boxes` is 'nms' (for networks with heads, unless said otherwise) or 'raw'."""
    from ...coreml.package import (
        CONFIDENCE,
        COORDINATES,
        as_centres,
        save,
        to_mlmodel,
        with_legal_names,
        with_suppression,
    )
    from ...onnx.metadata import to_metadata
    from ...passes import passes_for
    from ..export import finished

    remembers = bool(network.graph.states)
    boxes = options.boxes or ("nms" if network.compilation.decoders and not remembers else "raw")
    if boxes not in ("raw", "nms"):
        raise DataError(f"boxes={boxes!r}: Core ML has 'raw' and 'nms'")
    if boxes == "nms" and remembers:
        raise DataError("boxes='nms': after Core ML's suppression a network has no outputs for what it remembers")
    ending = "decoded" if boxes == "nms" else "raw"
    check_output(path / "Manifest.json")
    program = finished(network, passes_for("coreml"), replace(options, boxes=ending, batch=1))
    contract, graph = program.contract, program.graph
    if boxes == "nms":
        graph = as_centres(graph, contract.net_size)
        contract = replace(contract, outputs=(COORDINATES, CONFIDENCE), nms_kind="default")
    contract = with_legal_names(contract)
    model = to_mlmodel(graph, contract, half=options.half, flat=boxes == "nms")
    if boxes == "nms":
        model = with_suppression(model, contract)
    _put(path, lambda place: save(model, place, to_metadata(contract), f"{network.cfg.stem}, a Darknet network"))
    size = "x".join(map(str, contract.shape[1:]))
    told = "confidence and coordinates of what suppression leaves" if boxes == "nms" else ", ".join(contract.outputs)
    return (f"input {contract.input} {size}, {contract.resize}; {told}", *contract.diagnostics)


def _put(path: Path, write: Callable[[Path], None]) -> None:
    """Put the files of a package, which is a folder, into their places when all of them are written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch(path.parent) as folder:
            place = folder / f"written{SUFFIX}"
            write(place)
            mode = (place / "Manifest.json").stat().st_mode
            files = [(file, path / file.relative_to(place)) for file in sorted(place.rglob("*")) if file.is_file()]
            for _, target in files:
                check_output(target)
            for own in filter(Path.is_dir, (place, *place.rglob("*"))):  # an empty one too: the manifest names it
                (path / own.relative_to(place)).mkdir(exist_ok=True)
            for file, target in files:
                file.chmod(mode)  # one of them coremltools lets only its owner read
                put(file, target)
    except OSError as e:
        raise DataError(f"cannot write {path}: {e.strerror or e}") from None


HOME = "Core ML runs on Apple's systems: python tools/coreml.py there"
FORMAT = Format("coreml", SUFFIX, "Core ML", _write, (*SAID, "boxes", "half"), home=HOME, package=True)
