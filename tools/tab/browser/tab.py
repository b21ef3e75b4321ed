"""What the page asks of the compiler: everything that can be said of a cfg, and its network as ONNX.

Decision: plain data in and out, as JSON; the page knows no Python. Files lie in the memory of the page, where the
compiler reads them as it reads any others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import messages, shapes
from .shapes import MissingError


def prepare(with_numpy: bool) -> None:
    """Put stand-ins in the place of the packages that are missing; before anything else is imported."""
    sys.modules.update(messages.as_modules())
    if not with_numpy:
        sys.modules.update(shapes.as_modules())


def examine(cfg: str) -> str:
    """Diagnostics, layers, totals and a drawing of the cfg at a path; what cannot be told for its errors is missing."""
    from darknet_py.analysis.cost import cost
    from darknet_py.analysis.drawing.drawing import draw
    from darknet_py.analysis.drawing.svg import to_svg
    from darknet_py.analysis.summary import summarize
    from darknet_py.darknet.compile import compile_file
    from darknet_py.errors import told_once

    path = Path(cfg)
    compilation = compile_file(path)
    told = [{"severity": str(d.severity), "text": str(d)} for d in told_once(compilation.diagnostics)]
    found: dict[str, Any] = {"diagnostics": told, "dialect": compilation.dialect.name}
    if compilation.graph.layers:
        found |= {"layers": summarize(compilation).to_json()["layers"]}
    if not compilation.errors:
        with suppress(MissingError):  # what a cell sees through a map that was put in another shape
            found |= {"totals": cost(compilation.graph).text(), "svg": to_svg(draw(compilation.graph, path.stem))}
    return json.dumps(found, default=str)


def export(cfg: str, weights: str | None, names: str | None, output: str) -> str:
    """Write the network with decoded boxes (a classifier: as it is) to `output`, and its contract as JSON."""
    from onnx import helper

    from darknet_py.contract.form import Form
    from darknet_py.darknet.network import open_network
    from darknet_py.onnx.export import to_exported
    from darknet_py.onnx.metadata import to_metadata
    from darknet_py.onnx.stream import write_model

    network = open_network(cfg, weights)
    program = network.program(names)
    exported = to_exported(program, Form(boxes="decoded" if program.contract.decoders else "raw"))
    contract = replace(exported.contract, cfg_sha256=network.cfg_sha256)
    helper.set_model_props(exported.model, to_metadata(contract))
    exported.model.graph.name = network.cfg.stem
    with Path(output).open("wb") as file:
        write_model(file, exported.model, exported.arrays)
    notes = [str(d) for d in network.compilation.diagnostics if d.span is None]
    return json.dumps({"contract": contract.to_dict(), "notes": notes})


FUNCTIONS: dict[str, Callable[..., str]] = {"examine": examine, "export": export}


def answer(function: str, *arguments: Any) -> str:
    """What a function of this module gives, or {"error": ...} with what is wrong in words for people."""
    from darknet_py.errors import DarknetError

    try:
        return FUNCTIONS[function](*arguments)
    except DarknetError as e:
        return json.dumps({"error": str(e)})
    except MemoryError:
        return json.dumps({"error": "the network does not fit into the memory that the browser gives a page"})
    except (ImportError, MissingError):
        return json.dumps({"error": "this needs NumPy, which could not be loaded: the rest goes without it"})


def version() -> str:
    """Which compiler this is."""
    from darknet_py.version import VERSION

    return VERSION
