"""`readNetFromDarknet`, which OpenCV 5 removed: a Darknet cfg and weights as a `cv2.dnn.Net`.

Decision: the net is our ONNX, read from memory by the OpenCV that is installed, with outputs as OpenCV 4's importer
gives them. Each [yolo] or [region] is a matrix with a row for each box: centre x, centre y, width, height relative to
the input, objectness, then the class scores times objectness, 0 where that is not above the layer's `thresh` (0.2 in
[yolo] unless the cfg says otherwise). Boxes are not suppressed: use `NMSBoxes`, or `DetectionModel` below. The input
has the cfg's size until `setInput` gets another one: then the network is compiled again, as OpenCV 4 does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .contract.decoders import Decoder
from .darknet.compile import Compilation, compile_cfg, compile_file
from .darknet.weights import parse_weights, random_weights, read_weights
from .errors import BackendError
from .ir import Graph, LayerInfo, Value
from .ir.builder import Builder
from .onnx.operators import to_onnx
from .passes import optimize
from .zoo.find import find_network

YOLO_THRESHOLD, REGION_THRESHOLD = 0.2, 0.001  # OpenCV 4 darknet_io.cpp, where a section has no `thresh`

SETTINGS = frozenset(("setPreferableBackend", "setPreferableTarget", "enableFusion", "enableWinograd"))

Buffer = bytes | bytearray | memoryview | np.ndarray


def readNetFromDarknet(
    cfgFile: str | Path | Buffer,
    darknetModel: str | Path | Buffer = "",
    *,
    thresh: float | None = None,
    size: tuple[int, int] | None = None,
    batch: int = 1,
) -> DarknetNet:
    """What a `cv2.dnn.Net` is, of a cfg and its weights, both as paths or as buffers.

    As OpenCV 4 does, weights that are not given are random. `thresh` replaces the thresholds of the heads (0 keeps
    every score); `size` is the (height, width) of the input, `batch` the number of pictures, until `setInput` gets a
    blob of others. Raises `CfgError`, `WeightsError`, or `BackendError` if OpenCV refuses the network.
    """
    return DarknetNet(_Recipe(cfgFile, darknetModel, thresh), size, batch)


class InputError(BackendError, cv2.error):
    """An input that the network cannot take; what catches OpenCV's own errors catches it too."""


class _Number(int):
    """A number that is also a list of one, as OpenCV before 4.5.4 gave numbers of layers."""

    def __getitem__(self, index: int) -> int:
        return [int(self)][index]


class _Numbers(np.ndarray):
    """Numbers of layers, (n,) int32, for `i - 1`, for `i[0] - 1` and for `flatten()`, as code of all years has it."""

    def __iter__(self) -> Iterator[Any]:
        return map(_Number, self.tolist())


class _Recipe:
    """How to make a net for any size of input: the cfg, the parameters as they were first read, the thresholds."""

    def __init__(self, cfg: str | Path | Buffer, model: str | Path | Buffer, thresh: float | None) -> None:
        self._cfg, self._model, self._thresh = cfg, model, thresh
        self._arrays: list[np.ndarray] | None = None

    def graph(self, size: tuple[int, int] | None) -> tuple[Graph, Compilation]:
        """The network for a (height, width), the cfg's without one."""
        compilation = _compile(self._cfg, size).check()
        graph = compilation.graph
        if graph.states:
            raise BackendError(
                "the network is recurrent: a cv2.dnn.Net has no place for its state; use darknet_py.load"
            )
        if self._arrays is None:
            # the file is read for the cfg's own size: that of another one does not make it a wrong file
            own = _compile(self._cfg, None) if size else compilation
            first = graph if own.errors else own.graph
            known = _arrays(self._model, first)
            self._arrays = [known[p.value] for p in first.params]
        if [p.value.shape for p in graph.params] != [a.shape for a in self._arrays]:
            raise InputError(f"the network has layers whose weights do not fit an input of {graph.image.shape}")
        return graph.with_data({p.value: a for p, a in zip(graph.params, self._arrays, strict=True)}), compilation

    def net(self, size: tuple[int, int] | None, batch: int) -> tuple[cv2.dnn.Net, tuple[int, ...], list[str]]:
        """The net, the shape of its input and the names of its outputs."""
        graph, names = _with_rows(*self.graph(size), self._thresh)
        model = _flat(to_onnx(optimize(graph), batch=batch, names=names), batch)
        return _read(model), (batch, *graph.image.shape), names


class DarknetNet:
    """What a `cv2.dnn.Net` does, for inputs of any size: all is asked of `net`, one for the shape of the last input.

    It is no subclass, which OpenCV dies of; give `net` itself to functions of OpenCV that want one. Numbers and names
    of layers go together as in OpenCV 4: number i is `getLayerNames()[i - 1]`.
    """

    def __init__(self, recipe: _Recipe, size: tuple[int, int] | None, batch: int) -> None:
        self._recipe = recipe
        self._settings: dict[str, tuple[Any, ...]] = {}
        self.net, self._shape, self._names = recipe.net(size, batch)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "net":
            raise AttributeError(name)
        method = getattr(self.net, name)
        if name not in SETTINGS:
            return method

        def setting(*args: Any) -> None:
            self._settings[name] = args  # and again when the net is made anew
            method(*args)

        return setting

    def setInput(self, blob: Any, *args: Any, **kwargs: Any) -> None:
        """Take an input (n, channels, height, width); of another size or number it compiles the network again."""
        self._fit(np.shape(blob.get() if isinstance(blob, cv2.UMat) else blob))
        self.net.setInput(blob, *args, **kwargs)

    def setInputShape(self, inputName: str, shape: Sequence[int]) -> None:
        """Prepare for inputs of this shape."""
        self._fit(tuple(shape))

    def _fit(self, shape: tuple[int, ...]) -> None:
        if shape == self._shape:
            return
        wanted = f"(n, {', '.join(map(str, self._shape[1:]))})"
        if len(shape) != len(self._shape) or not all(shape) or len(shape) not in (2, 4):
            raise InputError(f"the network takes blobs of {wanted}, not of {shape}: make one with blobFromImage")
        if shape[1] != self._shape[1]:
            raise InputError(f"the network takes {self._shape[1]} channels, not the {shape[1]} of a blob of {shape}")
        size = (shape[2], shape[3]) if len(shape) == 4 else None
        self.net, self._shape, self._names = self._recipe.net(size, shape[0])
        for name, args in self._settings.items():
            getattr(self.net, name)(*args)

    def getUnconnectedOutLayersNames(self) -> tuple[str, ...]:
        """The names of the heads, or of the last layer, in the order of the cfg."""
        return tuple(self._names)

    def getUnconnectedOutLayers(self) -> np.ndarray:
        """Their numbers, (n,) int32; each can be indexed as well (`i[0]`), as in code for OpenCV before 4.5.4."""
        return np.array([self.getLayerId(n) for n in self._names], np.int32).view(_Numbers)

    def getLayerNames(self) -> tuple[str, ...]:
        """The names of all layers; outputs that OpenCV 5 lists under other names come last."""
        names = self.net.getLayerNames()
        return (*names, *(n for n in self._names if n not in names))

    def getLayerId(self, layer: str) -> int:
        """The number of a layer; -1 where there is none of that name."""
        names = self.getLayerNames()
        return names.index(layer) + 1 if layer in names else -1

    def getLayer(self, layerId: Any) -> Any:
        """A layer by its name or number."""
        return self.net.getLayer(self.getLayerNames()[layerId - 1] if isinstance(layerId, int) else layerId)


def _compile(cfg: str | Path | Buffer, size: tuple[int, int] | None) -> Compilation:
    if isinstance(cfg, str | Path):
        return compile_file(find_network(cfg).cfg, size=size)
    return compile_cfg(bytes(cfg), size=size)


def _arrays(model: str | Path | Buffer, graph: Graph) -> Any:
    if isinstance(model, str | Path):
        return read_weights(model, graph).arrays if str(model) else random_weights(graph, 0).arrays
    if len(model) == 0:
        return random_weights(graph, 0).arrays
    return parse_weights(bytes(model), graph).arrays


def _with_rows(graph: Graph, compilation: Compilation, thresh: float | None) -> tuple[Graph, list[str]]:
    """The graph that gives rows instead of what the heads give, and the names of its outputs."""
    if not graph.heads:
        info = next(i for i in graph.layers if i.output is graph.outputs[0])
        return graph, [info.name]
    b = Builder()
    rows, names = [], []
    for index, decoder in zip(graph.heads, compilation.decoders, strict=True):
        info = graph.layer(index)
        b.enter(index, "rows")
        limit = _threshold(compilation, info, decoder) if thresh is None else thresh
        rows.append(_rows(b, info.output, decoder, graph.image.shape, limit))
        names.append(f"{info.section.lower()}_{index}")
    extended = replace(graph, ops=graph.ops + tuple(b.ops), data={**graph.data, **b.data})
    return extended.with_outputs(rows), names


def _threshold(compilation: Compilation, info: LayerInfo, decoder: Decoder) -> float:
    """The `thresh` of a head's section, which Darknet does not use for inference and OpenCV does."""
    option = compilation.cfg.sections[info.index + 1].find("thresh")
    default = REGION_THRESHOLD if decoder.kind == "region" else YOLO_THRESHOLD
    try:
        return float(option.value) if option and option.value else default
    except ValueError:
        return default


def _rows(b: Builder, output: Value, decoder: Decoder, shape: tuple[int, ...], thresh: float) -> Value:
    """Boxes, objectness and scores of a head as (n, 5 + classes)."""
    corners, scores = decoder.lower_boxes(b, output, (shape[1], shape[2]))
    low, high = b.slice(corners, 1, 0, 2), b.slice(corners, 1, 2, 4)
    extent = b.const(np.array([[shape[2], shape[1]]], np.float32))
    center = b.op("div", b.mul(b.add(low, high), 0.5), extent)
    # A score above the threshold times 1, another one times 0.
    keep = b.op("ceil", b.op("clip", b.sub(scores, thresh), low=0.0, high=1.0))
    parts = [center, b.op("div", b.sub(high, low), extent), decoder.objectness(b, output, scores), b.mul(scores, keep)]
    return b.concat(parts, axis=1)


def _flat(model: Any, batch: int) -> Any:
    """The model with matrices without a batch axis for one picture, as OpenCV's region layer gives them."""
    if batch != 1:
        return model
    from onnx import TensorProto, helper

    graph = model.graph
    for i, output in enumerate(list(graph.output)):
        dims = [d.dim_value for d in output.type.tensor_type.shape.dim]
        if len(dims) != 3:
            continue
        inner = f"{output.name}.batch"
        for node in graph.node:
            node.output[:] = [inner if o == output.name else o for o in node.output]
            node.input[:] = [inner if o == output.name else o for o in node.input]
        graph.initializer.append(helper.make_tensor(f"{output.name}.shape", TensorProto.INT64, [2], dims[1:]))
        graph.node.append(helper.make_node("Reshape", [inner, f"{output.name}.shape"], [output.name], name=output.name))
        graph.output[i].CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, dims[1:]))
    return model


def _read(model: Any) -> cv2.dnn.Net:
    try:
        return cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    except cv2.error as e:
        raise BackendError(f"OpenCV {cv2.__version__} refuses the network: {e.err or e}") from e


class DetectionModel:
    """What `cv2.dnn_DetectionModel` does for Darknet networks, on a net of `readNetFromDarknet`."""

    def __init__(self, net: DarknetNet | cv2.dnn.Net) -> None:
        self.net = net
        self._blob: dict[str, Any] = {}

    def setInputParams(
        self, scale: float = 1 / 255, size: tuple[int, int] = (0, 0), mean: Sequence[float] = (0, 0, 0),
        swapRB: bool = True, crop: bool = False,
    ) -> DetectionModel:  # fmt: skip
        """How a frame becomes the input; `size` is (width, height), (0, 0) the frame's own."""
        self._blob = dict(scalefactor=scale, size=tuple(size), mean=tuple(mean), swapRB=swapRB, crop=crop)
        return self

    def detect(
        self, frame: np.ndarray, confThreshold: float = 0.5, nmsThreshold: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """Class numbers (n,) int32, confidences (n,) float32, boxes (n, 4) int32: left, top, width, height in pixels.

        Suppression is class by class, and none if `nmsThreshold` is 0.
        """
        self.net.setInput(cv2.dnn.blobFromImage(frame, **self._blob))
        outputs = self.net.forward(self.net.getUnconnectedOutLayersNames())
        rows = np.concatenate([o.reshape(-1, o.shape[-1]) for o in outputs])
        classes = rows[:, 5:].argmax(1).astype(np.int32)
        scores = rows[np.arange(len(rows)), classes + 5]
        kept = scores > confThreshold
        boxes = _pixels(rows[kept, :4], frame.shape[:2])
        classes, scores = classes[kept], scores[kept]
        chosen = _suppress(boxes, scores, classes, nmsThreshold)
        return classes[chosen], scores[chosen], boxes[chosen]


def _pixels(boxes: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Relative boxes as whole pixels inside a frame (model.cpp DetectionModel::detect)."""
    h, w = size
    scaled = (boxes * np.array([w, h, w, h], np.float32)).astype(np.int32)
    extent = np.array([w, h], np.int32)
    low = np.clip(scaled[:, :2] - scaled[:, 2:] // 2, 0, extent - 1)
    sides = np.clip(scaled[:, 2:], 1, extent - low)
    return np.concatenate([low, sides], 1)


def _suppress(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, threshold: float) -> np.ndarray:
    if not threshold or not len(scores):
        return np.arange(len(scores))
    kept = [np.flatnonzero(classes == c) for c in np.unique(classes)]
    chosen = [own[np.ravel(cv2.dnn.NMSBoxes(boxes[own].tolist(), scores[own].tolist(), 0, threshold))] for own in kept]
    return np.concatenate(chosen).astype(np.intp)
