"""The files that all contestants of a network share: cfg, weights, input, photo, reference outputs, plain ONNX.

Decision: the reference is the NumPy executor, which is held against Darknet's own outputs by the tests. Random weights
are a network's first answer to a photo as training leaves it: few boxes, or suppression would be all that is timed.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from darknet_py.backends.session import open_session
from darknet_py.contract.thresholds import CONF, IOU
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.layers.heads.yolo import Yolo
from darknet_py.darknet.weights import Header, Weights, random_weights, read_weights, write_weights
from darknet_py.ir import Graph, Value
from darknet_py.onnx.emitter import Emitter, output_names
from darknet_py.onnx.operators import to_onnx
from darknet_py.vision.preprocess import to_input

SEED = 0
BOXES = 30  # that random weights see, in all, before suppression
# Standard deviations over the cells of places and sizes, objectness, and class scores; and how far the classes other
# than the first, which is as likely as not, are below 0.
PLACES, OBJECTNESS, CLASSES, UNLIKELY = 0.4, 2.0, 1.2, 4.0
MOST_GAIN = 300.0  # beyond this, rounding would be all that is seen
SURE = 16.0  # logits beyond this are 0 or 1 in float32
HEAD = 5  # numbers of a box before its class scores
PHOTO = (576, 768)  # height and width of the photo that is made up where none is given


@dataclass(frozen=True)
class Prepared:
    """A network on disk.

    `job` is what contestants read; `wanted` are the outputs, `before` what goes into the heads; `real` are weights that
    somebody trained.
    """

    folder: Path
    graph: Graph
    job: dict[str, Any]
    wanted: list[np.ndarray]
    before: list[np.ndarray]
    real: bool

    def text(self) -> str:
        """The job as JSON."""
        return json.dumps(self.job, indent=1)


def prepare(
    cfg: Path, weights: Path | None, size: int | None, folder: Path, photo: np.ndarray, threads: int
) -> Prepared:
    """Write everything into `folder`. Raises `DarknetError` where the network cannot be compiled."""
    folder.mkdir(parents=True)
    own = folder / "net.cfg"
    own.write_bytes(resized(cfg.read_bytes(), size))
    graph = compile_file(own).check().graph
    image = to_input(photo[:, :, ::-1], graph.image.shape)[None]
    if weights:
        shutil.copyfile(weights, folder / "net.weights")
        graph = graph.with_data(read_weights(folder / "net.weights", graph).arrays)
    else:
        graph = sparing(graph.with_data(random_weights(graph, SEED).arrays), image)
        write_weights(
            folder / "net.weights", graph, Weights(Header(), {p.value: graph.data[p.value] for p in graph.params})
        )
    np.save(folder / "input.npy", image)
    np.save(folder / "photo.npy", photo)
    outputs = _reference(graph, image)
    onnx.save(plain_onnx(graph), folder / "net.onnx")
    count = len(graph.outputs)
    job = _job(graph, folder, threads)
    return Prepared(folder, graph, job, outputs[:count], outputs[count:], weights is not None)


def resized(cfg: bytes, size: int | None) -> bytes:
    r"""A cfg with other width and height in [net].

    >>> resized(b"[net]\nwidth = 608\nheight=608\n[yolo]\nwidth=1", 416)
    b'[net]\nwidth=416\nheight=416\n[yolo]\nwidth=1'
    """
    if size is None:
        return cfg
    start = cfg.find(b"[", cfg.find(b"[net") + 1)
    head, rest = (cfg[:start], cfg[start:]) if start > 0 else (cfg, b"")
    return re.sub(rb"(?m)^[ \t]*(width|height)[ \t]*=[ \t]*\d+", lambda m: m[1] + b"=%d" % size, head) + rest


def made_up_photo() -> np.ndarray:
    """Coloured blobs (h, w, 3) uint8, for where there is no photo."""
    small = np.random.default_rng(SEED).integers(0, 256, (PHOTO[0] // 32, PHOTO[1] // 32, 3), np.uint8)
    return np.ascontiguousarray(small.repeat(32, 0).repeat(32, 1))


def sparing(graph: Graph, image: np.ndarray) -> Graph:
    """The graph with convolutions before its [yolo] heads that see `BOXES` objects in `image`, before suppression.

    Every channel gets the mean and spread over the cells that training leaves it, by scaling its weights.
    """
    heads = [info for info in map(graph.layer, graph.heads) if isinstance(info.layer, Yolo)]
    if not heads:
        return graph
    outputs = open_session(graph.with_outputs(h.output for h in heads), "onnxruntime").run([image])
    found = [_logits(o[0], h.layer) for o, h in zip(outputs, heads, strict=True)]
    scales = [_rescaling(numbers) for numbers in found]
    limits = [_limits(n * gain[..., None] + offset[..., None]) for n, (gain, offset) in zip(found, scales, strict=True)]
    every = np.sort(np.concatenate(limits))
    changed: dict[Value, np.ndarray] = {}
    for head, (gain, offset) in zip(heads, scales, strict=True):
        offset[:, 4] -= every[-min(BOXES, len(every))]
        own = {p.role: p.value for p in graph.params if p.layer == head.inputs[0]}
        biases, weights = (graph.data[own[role]] for role in ("biases", "weights"))
        changed[own["biases"]] = (biases * gain.ravel() + offset.ravel()).astype(np.float32)
        changed[own["weights"]] = (weights * gain.reshape(-1, 1, 1, 1)).astype(np.float32)
    return graph.with_data(changed)


def _rescaling(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A factor and an offset for each channel (anchors, entries) from logits (anchors, entries, cells)."""
    spread = np.full(numbers.shape[:2], CLASSES)
    spread[:, :4], spread[:, 4] = PLACES, OBJECTNESS
    gain = np.minimum(spread / np.maximum(numbers.std(2), 1e-9), MOST_GAIN)
    offset = -gain * numbers.mean(2)
    others = offset[:, HEAD + 1 :]
    others -= np.random.default_rng(SEED).uniform(UNLIKELY, 3 * UNLIKELY, others.shape)
    return gain, offset


def _limits(numbers: np.ndarray) -> np.ndarray:
    """How much the logit of objectness may sink until a box has no class above `CONF`."""
    likely = 1 / (1 + np.exp(-numbers[:, HEAD:].max(1)))
    objectness, needed = numbers[:, 4][likely > CONF], CONF / likely[likely > CONF]
    return objectness - np.log(needed / (1 - needed))


def _logits(output: np.ndarray, layer: object) -> np.ndarray:
    """The numbers of a head (anchors, entries, cells) before the logistic function, where it was applied."""
    assert isinstance(layer, Yolo)
    found = output.reshape(len(layer.masks), layer.entries, -1).astype(np.float64)
    found[:, :2] = (found[:, :2] - 0.5) / layer.decoder.stretch + 0.5
    logistic = np.full(layer.entries, True)
    logistic[2:4] = layer.decoder.squared
    tiny = 1 / (1 + np.exp(SURE))
    scores = np.clip(found[:, logistic], tiny, 1 - tiny)
    found[:, logistic] = np.log(scores / (1 - scores))
    return found


def _reference(graph: Graph, image: np.ndarray) -> list[np.ndarray]:
    """The outputs, then what goes into the heads."""
    before = [graph.layer_inputs(graph.layer(i))[0] for i in graph.heads]
    return open_session(graph.with_outputs([*graph.outputs, *before]), "numpy").run([image])


def plain_onnx(graph: Graph) -> onnx.ModelProto:
    """What an ordinary converter writes: layer by layer, batch normalization by itself, mish from its definition."""
    return to_onnx(graph, batch=1, emitters={"mish": _mish, "swish": _swish})


def _mish(e: Emitter) -> None:
    x = e.x()
    e.node("Mul", [x, e.node("Tanh", [e.node("Softplus", [x], "softplus")], "tanh")])


def _swish(e: Emitter) -> None:
    x = e.x()
    e.node("Mul", [x, e.node("Sigmoid", [x], "sigmoid")])


def _job(graph: Graph, folder: Path, threads: int) -> dict[str, Any]:
    heads = [(graph.layer(i), graph.layer(i).layer) for i in graph.heads]
    return {
        "folder": str(folder), "cfg": str(folder / "net.cfg"), "weights": str(folder / "net.weights"),
        "onnx": str(folder / "net.onnx"), "threads": threads, "size": graph.image.shape[1:], "conf": CONF, "iou": IOU,
        "outputs": output_names(graph), "output shape": graph.outputs[-1].shape,
        "before heads": [info.inputs[0] for info, _ in heads],
        "heads": [
            {"anchors": layer.decoder.sizes.tolist(), "squared": layer.decoder.squared, "shape": info.output.shape}
            for info, layer in heads if isinstance(layer, Yolo)
        ],
    }  # fmt: skip


def layer_shares(graph: Graph) -> float:
    """The part of the multiplications that 3x3 convolutions in one group do."""
    convs = [op for op in graph.ops if op.kind == "conv"]
    total = sum(op.macs for op in convs) or 1
    return sum(op.macs for op in convs if _is_full_3x3(op.inputs[1].shape, op.attrs["groups"])) / total


def _is_full_3x3(shape: Sequence[int], groups: int) -> bool:
    return tuple(shape[2:]) == (3, 3) and groups == 1
