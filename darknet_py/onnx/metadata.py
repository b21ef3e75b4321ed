"""What an exported ONNX file says about itself, so that it can be run and decoded without the cfg it came from.

Decision: the contract, one entry of `metadata_props` for each of its fields, called `darknet.` and the field, its value
in JSON: people read it in any viewer. What earlier versions wrote is read too: their `darknet.heads` had the options of
the cfg instead of decoders.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..contract.contract import Contract
from ..contract.decoders import Decoder, Detection, Gaussian, Region, Yolo
from ..contract.told import UNTOLD, believed
from ..contract.tree import Tree
from ..errors import DataError
from ..files import reading

if TYPE_CHECKING:
    import onnx

PREFIX = "darknet."
UNWRITTEN = UNTOLD | {"batch"}  # how many samples a file takes is in its shapes


def read_onnx(path: str | Path, *, note: bool = True) -> onnx.ModelProto:
    """An ONNX file, without the arrays that it keeps in a second one; `DataError` if it cannot be read.

    `note` is that of `reading`.
    """
    with reading(path, note=note) as file:
        return _parsed(file, path)


def _parsed(file: BinaryIO, path: str | Path) -> onnx.ModelProto:
    import onnx

    try:
        model = onnx.load(file, load_external_data=False)
    except OSError as e:
        raise DataError(f"cannot read {path}: {e.strerror or e}") from None
    except Exception as e:  # protobuf's own, which is no public name
        raise DataError(
            f"{path} is no ONNX file, or was cut: {e}\n"
            "  hint: an .onnx file, whole, is read here; other formats are not"
        ) from None
    if not model.ByteSize():  # nothing is a message too
        raise DataError(f"{path} is no ONNX file, or was cut: it is empty")
    return model


def to_metadata(contract: Contract) -> dict[str, str]:
    """The fields of a contract as keys and JSON."""
    written = ((k, v) for k, v in contract.to_dict().items() if k not in UNWRITTEN)
    return {PREFIX + k: json.dumps(v, ensure_ascii=False) for k, v in written}


def read_contract(path: str | Path) -> Contract:
    """What an ONNX file that `export_onnx` wrote says about itself; `DataError` for any other file.

    What it says is held against the inputs and outputs of its own network.
    """
    return checked_contract(read_onnx(path), path)


def checked_contract(model: onnx.ModelProto, path: str | Path) -> Contract:
    """The same of the model that was read from there."""
    contract = contract_of(model, path)
    try:
        _compare(model.graph, contract)
    except (UnicodeDecodeError, ValueError) as e:
        raise DataError(f"{path}: the file does not go together with what it says about itself: {e}") from None
    return contract


def contract_of(model: onnx.ModelProto, where: str | Path = "this ONNX file") -> Contract:
    """The contract in the metadata of a model; `DataError`, which names the file, if it is not there or incomplete."""
    return believed(partial(_stored, model), where)


def _stored(model: onnx.ModelProto) -> Contract:
    own = [p for p in model.metadata_props if p.key.startswith(PREFIX)]
    fields = {p.key.removeprefix(PREFIX): json.loads(p.value) for p in own}
    contract = Contract.of(_modern(fields) if "heads" in fields else fields)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0]
    return replace(contract, batch=None if batch.dim_param else int(batch.dim_value))


def _compare(graph: onnx.GraphProto, contract: Contract) -> None:
    """Raise `ValueError` where the inputs or the outputs of a network are not those of a contract."""
    stored = {i.name for i in graph.initializer}
    inputs = {i.name: i for i in graph.input if i.name not in stored}
    shapes = {contract.input: contract.shape, **{s.input: s.shape for s in contract.states}}
    if list(inputs) != list(shapes):
        raise ValueError(f"its inputs are {', '.join(inputs)}, and it says {', '.join(shapes)}")
    for name, shape in shapes.items():
        found = tuple(d.dim_value for d in inputs[name].type.tensor_type.shape.dim)[1:]
        if found != shape:
            raise ValueError(f"its input {name} is of {found}, and it says {shape}")
    outputs = [o.name for o in graph.output]
    count = len(outputs) - len(contract.states)
    if count < 1 or (contract.outputs and tuple(outputs[:count]) != contract.outputs):
        raise ValueError(f"its outputs are {', '.join(outputs)}, and it says {', '.join(contract.outputs)}")


_OUTPUTS = {"decoded": ["boxes", "scores"], "nms": ["detections"]}


def _modern(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a file that an earlier version wrote."""
    heads = fields.pop("heads")
    decoders = [_decoder(h["section"], fields["dialect"], h["options"], h["tree"]) for h in heads]
    classes = max((d.classes for d in decoders), default=len(fields["names"]))
    return {
        **fields, "classes": classes, "outputs": _OUTPUTS.get(fields["boxes"], [h["output"] for h in heads]),
        "decoders": [d.to_dict() for d in decoders],
    }  # fmt: skip


def _decoder(section: str, dialect: str, o: dict[str, Any], tree: dict[str, Any] | None) -> Decoder:
    """The decoder of a head as earlier versions recorded it: the section, and the options of the cfg."""
    if section == "detection":
        return Detection(o["classes"], o["side"], o["num"], bool(o["sqrt"]))
    if section == "region":
        nodes = Tree(tuple(tree["names"]), tuple(tree["parents"])) if tree else None
        anchors = _anchors(o["anchors"], range(o["num"]))
        return Region(o["classes"], anchors, bool(o["softmax"]), o["classfix"] == -1, o["tree"], nodes)
    masks = o["mask"] or range(o["num"])
    shared = (o["classes"], _anchors(o["anchors"], masks))
    suppression = (o["nms_kind"], o["beta_nms"])
    if section == "Gaussian_yolo":
        return Gaussian(*shared, o["scale_x_y"], *suppression, o["yolo_point"])
    if section != "yolo":
        raise ValueError(f"a head [{section}], which is unknown here")
    if dialect == "pytorch":
        return Yolo(*shared, 2.0, *suppression, "all", squared=True)
    new = o["new_coords"] != 0
    return Yolo(*shared, o["scale_x_y"], *suppression, "nothing" if new else "centre and scores", new)


def _anchors(numbers: list[float] | None, masks: Any) -> tuple[tuple[float, float], ...]:
    count = 2 * (max(masks) + 1)
    table = [*(numbers or ())[:count]]
    table += [0.5] * (count - len(table))
    return tuple((table[2 * m], table[2 * m + 1]) for m in masks)
