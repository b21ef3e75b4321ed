"""A page for browsers: a folder for any static host, with the network, what it is, and the runtime that computes it.

Decision: the network ends in decoded boxes, and what Darknet does around it (resizing, suppression) the page does as
the contract says, so it finds what the other back ends find. The runtime is 14 MB that everybody gets from npm: it is
copied from there, and never part of this package.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ... import page
from ...errors import DataError
from ...files import check_output, read_whole, write_whole
from ..options import SAID, ExportOptions
from . import Format
from .onnx import FORMAT as ONNX

if TYPE_CHECKING:
    from ...contract.contract import Contract
    from ...darknet.network import Network

PACKAGE = "onnxruntime-web"
# The script, its loader and what they run: of one release, in one folder.
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
PAGE = ("index.html", "page.js")
MODEL, CONTRACT = "model.onnx", "contract.json"
MAX_RUNTIME = 1 << 27  # bytes of one file of it
CHANNELS = (1, 3)  # of what a canvas gives


def _write(
    network: Network, path: Path, options: ExportOptions, *, runtime: str | Path | None = None
) -> tuple[str, ...]:
    """The page of a network into the folder `path`; how it is looked at.

    `runtime` is the folder of the npm package onnxruntime-web, or one that npm has put it into; without it that is
    looked for in `node_modules` here and in the folders above.
    """
    contract = network.program(options.names, options.letterbox).contract
    _check(contract)
    files = runtime_files(runtime)
    for name in (*page.LOOK, *page.NETWORK, *PAGE, CONTRACT, *(file.name for file in files)):
        check_output(path / name)
    boxes = "decoded" if contract.decoders else "raw"
    first, *told = ONNX.writer(network, _inside(path, MODEL), replace(options, boxes=boxes))
    contract = written_contract(path / MODEL)
    parts = {name: page.part(name) for name in (*page.LOOK, *page.NETWORK)}
    parts |= {name: page.complete(page.part(f"web/{name}")) for name in PAGE}
    parts[CONTRACT] = json.dumps(contract.to_dict(), ensure_ascii=False, indent=1).encode()
    for name, data in {
        **parts,
        **{file.name: read_whole(file, MAX_RUNTIME, f"file of {PACKAGE}") for file in files},
    }.items():
        write_whole(path / name, data)
    return (f"{path / MODEL}: {first}", *told, f"look at it: python -m http.server --directory {path}")


def written_contract(model: Path) -> Contract:
    """What an exported file says of itself, without what is of no use to a page."""
    from ...onnx.metadata import contract_of, read_onnx

    return replace(contract_of(read_onnx(model, note=False)), origin="", names_origin="", diagnostics=())


def runtime_files(folder: str | Path | None = None) -> tuple[Path, ...]:
    """The files of onnxruntime-web that a page needs, in a folder that is named or found; `DataError` without them."""
    if folder is not None:
        named = Path(folder)
        places = [named, named / PACKAGE, named / "node_modules" / PACKAGE]
    else:
        here = Path.cwd()
        places = [above / "node_modules" / PACKAGE for above in (here, *here.parents)]
    for place in places:
        for inside in (place / "dist", place):
            if all((inside / name).is_file() for name in RUNTIME):
                return tuple(inside / name for name in RUNTIME)
    told = f"{folder} has no" if folder is not None else "no node_modules here or above has"
    raise DataError(
        f"{told} {PACKAGE} (its {', '.join(RUNTIME)})\n"
        f"  hint: npm install {PACKAGE}, here or elsewhere, and name the folder with --runtime"
    )


def _inside(folder: Path, name: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise DataError(f"cannot write {folder}: {e.strerror or e}") from None
    return folder / name


def _check(contract: Contract) -> None:
    """Raise `DataError` for a network that the page cannot feed."""
    if len(contract.shape) != 3 or contract.shape[0] not in CHANNELS:
        raise DataError(f"an input of {contract.shape} is no picture of a browser, which has 1 or 3 channels")
    if contract.states:
        raise DataError("a recurrent network remembers from picture to picture, which the page does not")
    if contract.interpolation != "darknet":
        raise DataError(
            f"pictures for this network are resized as Pillow does ({contract.interpolation}), not the page"
        )


def _entry(folder: Path, name: str | None) -> Path | None:
    """The network in a page; it has one."""
    return folder / MODEL if (folder / CONTRACT).is_file() and (folder / MODEL).is_file() else None


OPTIONS = (*SAID, "half", "int8", "runtime")
FORMAT = Format(
    "web", "", "a page for browsers", _write, OPTIONS, default="web", home="a browser runs it", entry=_entry
)  # fmt: skip
