"""Triton: a folder of models as that server reads it, `NAME/config.pbtxt` and `NAME/VERSION/model.onnx`.

Decision: the suppression is in the model and its answer has a batch axis, so there is one model and no ensemble; who
batches it need not know that it is a detector.
"""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import DataError
from ...files import check_output, is_file, reading, write_whole
from ..options import SAID, ExportOptions
from . import Format

if TYPE_CHECKING:
    import onnx

    from ...contract.contract import Contract
    from ...darknet.network import Network

FILE = "model.onnx"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}", re.ASCII)
CONFIG = "config.pbtxt"
KINDS = {1: "TYPE_FP32", 6: "TYPE_INT32"}  # of onnx.TensorProto


def _write(
    network: Network, path: Path, options: ExportOptions, *, max_batch: int = 8, version: int = 1
) -> tuple[str, ...]:
    """The network into the folder of models `path`, under the name of its cfg; what its input and outputs are."""
    from ..export import exported_of, said_of, sources_of

    name = network.cfg.stem
    detects = bool(network.program().contract.decoders)
    boxes = options.boxes or (FORMAT.boxes if detects else "raw")
    if not NAME.fullmatch(name):
        raise DataError(f"{name!r} is no name for a model of Triton's: letters, digits and . _ + -; rename the cfg")
    if boxes == "nms":
        raise DataError("boxes=nms has no batch axis, which Triton wants: padded has one")
    if network.graph.states:
        raise DataError("a recurrent network wants its states back, which Triton's sequence batcher is not set up for")
    file, config = path / name / str(version) / FILE, path / name / CONFIG
    options = replace(options, boxes=boxes)
    for place in (file, config):
        check_output(place, replace=options.replace, sources=sources_of(network, options))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are among the sentences
        exported = exported_of(network, options)
    text = config_of(name, exported.model, exported.contract, max_batch).encode()
    if not options.replace:
        _check_versions(config, text, version)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise DataError(f"cannot write {file}: {e.strerror or e}") from None
    contract = exported.save(file, replace=options.replace, sources=sources_of(network, options))
    write_whole(config, text)
    first, *told = said_of(contract)
    return (f"{file}: {first}", *told)


def _check_versions(config: Path, text: bytes, version: int) -> None:
    """Raise `DataError` where another version is there that the configuration of this one does not fit."""
    if not is_file(config):
        return
    versions = (p for p in config.parent.iterdir() if p.name.isdigit() and (p / FILE).is_file())
    others = [p.name for p in versions if p.name != str(version)]
    with reading(config, note=False) as file:
        before = file.read(len(text) + 1)
    if others and before != text:
        raise DataError(
            f"{config} is of version {', '.join(sorted(others))} too, and this version has other inputs or outputs\n"
            "  hint: a model of another name, or --replace"
        )


def config_of(name: str, model: onnx.ModelProto, contract: Contract, max_batch: int) -> str:
    """Triton's configuration of an exported model, in the text form of protocol buffers."""
    lines = [f"name: {_quoted(name)}", 'backend: "onnxruntime"', f"max_batch_size: {max_batch}"]
    stored = {i.name for i in model.graph.initializer}
    for kind, ports in (
        ("input", [i for i in model.graph.input if i.name not in stored]),
        ("output", model.graph.output),
    ):
        for port in ports:
            tensor = port.type.tensor_type
            dims = ", ".join(str(d.dim_value) for d in tensor.shape.dim[1:])
            told = f"name: {_quoted(port.name)} data_type: {KINDS[tensor.elem_type]} dims: [{dims}]"
            lines.append(f"{kind} {{ {told} }}")
    lines.append("dynamic_batching { max_queue_delay_microseconds: 2000 }")
    if contract.names:
        value = _quoted(json.dumps(contract.names))
        lines.append(f'parameters {{ key: "names" value {{ string_value: {value} }} }}')
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    r"""A text as protocol buffers write it: what is not plain ASCII as octal numbers.

    >>> _quoted('a"\\ü')
    '"a\\"\\\\\\303\\274"'
    """
    plain = {ord('"'): '\\"', ord("\\"): "\\\\"}
    return '"' + "".join(plain.get(b) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in text.encode()) + '"'


def _entry(path: Path, name: str | None) -> Path | None:
    """The newest version of a model: of the one called `name`, of the only one, or of that whose folder this is."""
    found = [p for pattern in (f"*/{FILE}", f"*/*/{FILE}") for p in path.glob(pattern) if p.parent.name.isdecimal()]
    own = [p for p in found if name in (None, p.parent.parent.name)]
    if len({p.parent.parent for p in own}) != 1:
        return None
    return max(own, key=lambda p: int(p.parent.name))


OPTIONS = (*SAID, "boxes", "half", "int8", "max_detections", "max_batch", "version")
FORMAT = Format(
    "triton", "", "a folder of models for Triton", _write, OPTIONS, default="models", entry=_entry, boxes="padded"
)
