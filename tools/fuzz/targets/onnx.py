"""Exported ONNX files: bytes, metadata or structure changed; they are opened and run on a picture, or refused.

What is computed of other weights is other, so numbers are not compared.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import onnx

from darknet_py.backends.backend import backends
from darknet_py.contract.form import Form
from darknet_py.contract.program import Program
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.program import program_of
from darknet_py.darknet.weights import random_weights
from darknet_py.errors import DarknetError
from darknet_py.model.opening import load
from darknet_py.onnx.export import to_exported
from darknet_py.onnx.metadata import PREFIX

from ..mutate import NUMBERS, WORDS, apply_edits, edits, split_edits
from ..target import Case, Mismatch, Target
from .cache import CFGS as SMALL
from .weights import NET

CFGS = {
    **SMALL,
    "gaussian": f"{NET}[convolutional]\nfilters=11\n[Gaussian_yolo]\nclasses=2\nnum=1\nanchors=4,4\n",
    "region": f"{NET}[convolutional]\nfilters=14\n[region]\nclasses=2\nnum=2\nanchors=1,1,2,2\nsoftmax=1\n",
    "detection": f"{NET}[connected]\noutput=28\n[detection]\nclasses=2\nside=2\nnum=1\ncoords=4\n",
}
BOXES = ("raw", "raw", "decoded", "nms")
VALUES = (
    "null", "true", "[]", "{}", "0", "-1", "1e400", "NaN", "Infinity", '""', '"x"', "[null]", "[[1]]", "[1,2]", "[3,8]",
    "[0,0,0]", "[-3,8,8]", "[3,100000,100000]", "1000000000000", '{"kind":"yolo"}', '[{"kind":"os.system"}]',
    "[" * 3000, "9" * 400, '"\\ud800"', '"__import__"', "[3,8,8.5]", '["3",8,8]', "[true,8,8]", '{"__class__":"x"}',
    "no json",
)  # fmt: skip
DECODERS = (
    "classes", "anchors", "stretch", "nms", "nms_kind", "kind", "point", "side", "boxes", "beta", "tree", "softmax",
)  # fmt: skip


def make(rng: Random) -> Case:
    """Which file, and what is changed in it."""
    name = rng.choice([*CFGS])
    boxes = rng.choice(BOXES) if name not in ("classifier", "recurrent") else "raw"
    kind = rng.random()
    if kind < 0.4:
        lines = edits(rng, len(_file(name, boxes)))
    else:
        lines = [_change(rng, name, boxes) for _ in range(rng.choice((1, 1, 2, 4)))]
    backend = rng.choice(("onnxruntime", "onnxruntime", "opencv", "onnx.reference", "openvino"))
    return {"edits.txt": "\n".join([f"{name} {boxes} {backend}", *lines]).encode()}


def _change(rng: Random, name: str, boxes: str) -> str:
    """A line that says what is changed in metadata or structure."""
    model = onnx.load_from_string(_file(name, boxes))
    key = rng.choice(model.metadata_props).key
    value = rng.choice((*VALUES, *VALUES, *NUMBERS, *(json.dumps(w) for w in WORDS))).encode("utf-8", "replace").hex()
    place, width = rng.randrange(99), rng.choice((0, 1, 2, 1 << 20, 1 << 40))
    return rng.choice((
        f"meta {key} {value}", f"meta {key} {value}", f"item {key} {rng.randrange(9)} {value}",
        f"field {rng.choice(DECODERS)} {value}", f"field {rng.choice(DECODERS)} {value}", f"drop {key}", f"twice {key}",
        f"shape {rng.randrange(9)} {rng.randrange(4)} {rng.choice((0, 1, 2, 3, 5, 1000, 1 << 40, -1))}",
        f"node {place} {rng.choice(('Relu', 'Conv', 'MatMul', 'Nonsense', 'Reshape', 'Loop', 'Concat'))}",
        f"wire {place} {rng.randrange(3)} {rng.choice(('images', 'nowhere', ''))}",
        f"attribute {place} {rng.randrange(4)} {rng.choice((0, -1, 2, 7, 1000, 1 << 31))}",
        f"without {place}", f"opset {rng.choice((0, 1, 5, 99))}", f"tensor {place} {width}",
        f"type {place} {rng.choice((0, 2, 7, 10, 11, 99))}",
    ))  # fmt: skip


@cache
def _file(name: str, boxes: str) -> bytes:
    compiled = compile_cfg(CFGS[name]).check()
    graph = compiled.graph.with_data(random_weights(compiled.graph, 0).arrays)
    contract = program_of(compiled, graph).contract
    contract = replace(contract, names=tuple(f"class {i}" for i in range(contract.classes)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.onnx")
        to_exported(Program(graph, contract), Form(boxes=boxes)).save(path)
        return path.read_bytes()


def build(case: Case, folder: Path) -> None:
    """The file, and which back end is to open it."""
    first, lines = split_edits(case["edits.txt"])
    name, boxes, backend = first.split()
    data = _file(name, boxes)
    for line in lines:
        word, *rest = line.split()
        data = _changed(data, word, rest) if word in CHANGES else apply_edits(data, [line])
    (folder / "net.onnx").write_bytes(data)
    known = backends().get(backend)
    (folder / "backend.txt").write_text(backend if known and known.installed else "onnxruntime")


def _changed(data: bytes, word: str, rest: list[str]) -> bytes:
    """The model with its protocol buffer changed; as it is where it cannot be read any more, or has no such thing."""
    try:
        model = onnx.load_from_string(data)
        CHANGES[word](model, *rest)
        return model.SerializeToString()
    except Exception:  # protobuf's own, which is no public name, and what has no such place
        return data


def _text(value: str) -> str:
    return bytes.fromhex(value).decode("utf-8", "replace")


def _prop(model: onnx.ModelProto, key: str) -> onnx.StringStringEntryProto:
    return next(p for p in model.metadata_props if p.key == key)


def _meta(model: onnx.ModelProto, key: str, value: str = "") -> None:
    _prop(model, key).value = _text(value)


def _item(model: onnx.ModelProto, key: str, at: str, value: str = "") -> None:
    prop = _prop(model, key)
    items = json.loads(prop.value)
    items[int(at) % len(items)] = json.loads(_text(value))
    prop.value = json.dumps(items)


def _field(model: onnx.ModelProto, field: str, value: str = "") -> None:
    """A field of the first decoder."""
    prop = _prop(model, f"{PREFIX}decoders")
    decoders = json.loads(prop.value)
    decoders[0][field] = json.loads(_text(value))
    prop.value = json.dumps(decoders)


def _drop(model: onnx.ModelProto, key: str) -> None:
    model.metadata_props.remove(_prop(model, key))


def _twice(model: onnx.ModelProto, key: str) -> None:
    model.metadata_props.append(_prop(model, key))


def _shape(model: onnx.ModelProto, at: str, axis: str, size: str) -> None:
    values = [*model.graph.input, *model.graph.output]
    dims = values[int(at) % len(values)].type.tensor_type.shape.dim
    dims[int(axis) % len(dims)].dim_value = int(size)


def _node(model: onnx.ModelProto, at: str, kind: str) -> None:
    model.graph.node[int(at) % len(model.graph.node)].op_type = kind


def _wire(model: onnx.ModelProto, at: str, place: str, name: str = "") -> None:
    inputs = model.graph.node[int(at) % len(model.graph.node)].input
    inputs[int(place) % len(inputs)] = name


def _without(model: onnx.ModelProto, at: str) -> None:
    del model.graph.node[int(at) % len(model.graph.node)]


def _attribute(model: onnx.ModelProto, at: str, place: str, number: str) -> None:
    nodes = [n for n in model.graph.node if n.attribute]
    attributes = nodes[int(at) % len(nodes)].attribute
    attribute = attributes[int(place) % len(attributes)]
    if attribute.ints:
        attribute.ints[0] = int(number)
    else:
        attribute.i = int(number)


def _tensor(model: onnx.ModelProto, at: str, size: str) -> None:
    tensor = model.graph.initializer[int(at) % len(model.graph.initializer)]
    if tensor.dims:
        tensor.dims[0] = int(size)


def _type(model: onnx.ModelProto, at: str, number: str) -> None:
    model.graph.initializer[int(at) % len(model.graph.initializer)].data_type = int(number)


def _opset(model: onnx.ModelProto, number: str) -> None:
    model.opset_import[0].version = int(number)


CHANGES: dict[str, Callable[..., None]] = {
    "meta": _meta, "item": _item, "field": _field, "drop": _drop, "twice": _twice, "shape": _shape, "node": _node,
    "wire": _wire, "without": _without, "attribute": _attribute, "tensor": _tensor, "type": _type, "opset": _opset,
}  # fmt: skip


def check(folder: Path) -> str:
    """Open the file, run it on a picture, and look at the results."""
    backend = (folder / "backend.txt").read_text()
    model = load(folder / "net.onnx", backend=backend)
    try:
        (results,) = model(np.full((9, 12, 3), 100, np.uint8), 0.1)
    except DarknetError:
        return "opened"
    if not repr(results) or not json.dumps(results.to_dict()):
        raise Mismatch("results that cannot be said", repr(results))
    return "ran"


TARGET = Target("onnx", __doc__, make, check, "edits.txt", build, chunk=50)
