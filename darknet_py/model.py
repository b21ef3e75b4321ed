"""A network with everything around it: `load` a cfg (or an exported ONNX file), call it on pictures, get results.

Decision: a `Model` is a session, the description of what goes in and what comes out (`Contract`), and nothing else; a
cfg and an ONNX file only differ in how these two are made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from .backends.session import Session, open_session
from .detect.boxes import Size
from .detect.detections import Detections, find_detections
from .detect.preprocess import to_input
from .errors import DataError
from .layers.head import Head
from .names import Names, find_names
from .network import Network, open_network
from .results import Boxes, Results
from .sources import Picture, is_stream, pictures
from .zoo import Say

LETTERBOXING = ("pjreddie", "pytorch")  # dialects whose programs letterbox whatever the cfg says

# (outputs of one sample, (height, width) of the picture, conf, iou, letterbox) → detections
Decode = Callable[[Sequence[np.ndarray], Size, float, float, bool], Detections]
Sample = Callable[[list[np.ndarray], int], list[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Contract:
    """What goes into a network and what comes out of it.

    `shape` is one input without batch axis; `decode` is None for classifiers and other networks without boxes;
    `states` are the shapes of the memories of recurrent layers; `batch` is the only number of samples that the session
    takes, if there is one; `sample` takes one sample out of the outputs.
    """

    shape: tuple[int, ...]
    names: Names
    letterbox: bool
    decode: Decode | None
    states: tuple[tuple[int, ...], ...] = ()
    batch: int | None = None
    sample: Sample = lambda outputs, index: [o[index] for o in outputs]


class Model:
    """A network that takes pictures and gives `Results`.

    Recurrent networks see pictures one after another and remember, across calls too, until `reset`.
    """

    def __init__(self, session: Session, contract: Contract, network: Network | None = None) -> None:
        self.session, self.contract, self.network = session, contract, network
        self.names = dict(enumerate(contract.names.names))
        self.reset()

    def __repr__(self) -> str:
        kind = "detector" if self.contract.decode else "network"
        where = self.network.cfg if self.network else "ONNX"
        return f"<Model {where}: {kind}, input {'x'.join(map(str, self.contract.shape))}, {len(self.names)} classes>"

    def reset(self) -> None:
        """Forget what recurrent layers remember."""
        self._states: list[np.ndarray] = []

    def export(self, path: str | Path, **options: Any) -> None:
        """Write the network as an ONNX file; `options` are those of `export_onnx`."""
        from .export import export_onnx

        if self.network is None:
            raise DataError("this model comes from an ONNX file: copy that")
        export_onnx(self.network, path, **options)

    def forward(self, inputs: np.ndarray) -> list[np.ndarray]:
        """The network alone: a batch of inputs (n, c, h, w) float32 to its outputs, with the batch axis in front.

        Raises `DataError` if the shape does not fit.
        """
        if inputs.shape[1:] != self.contract.shape:
            raise DataError(f"the network wants inputs of (n, *{self.contract.shape}), not {inputs.shape}")
        if not self._states or len(self._states[0]) != len(inputs):
            self._states = [np.zeros((len(inputs), *s), np.float32) for s in self.contract.states]
        results = self.session.run([inputs, *self._states])
        count = len(results) - len(self.contract.states)
        self._states = results[count:]
        return results[:count]

    def __call__(
        self, source: Any, conf: float = 0.25, iou: float = 0.45, *, batch: int = 1, letterbox: bool | None = None
    ) -> Any:
        """Results for every picture of `source`: a list, or a generator if `source` is a generator.

        `source` is a path, folder, glob, bytes, array (BGR), PIL image, or a list or generator of these, as in
        `sources.pictures`. `conf` is the lowest probability that counts and `iou` the overlap that suppresses, with
        Darknet's defaults. `batch` pictures are computed at a time (recurrent networks: always one). `letterbox` pads
        pictures to the shape of the network; without it they are stretched, or for classifiers scaled and cut; None
        does what the cfg says. Raises `DataError` for what is no picture.
        """
        if not 0 <= conf <= 1 or not 0 <= iou <= 1:
            raise DataError(f"conf and iou are between 0 and 1, not {conf} and {iou}")
        if batch < 1:
            raise DataError(f"batch is at least 1, not {batch}")
        results = self._stream(source, conf, iou, batch, letterbox)
        return results if is_stream(source) else list(results)

    def _stream(self, source: Any, conf: float, iou: float, batch: int, letterbox: bool | None) -> Iterator[Results]:
        shape = self.contract.shape
        if len(shape) != 3:
            raise DataError(f"the network takes {shape[0]} numbers, not pictures: use forward")
        stream = pictures(source, shape[0])
        count = 1 if self.contract.states else self.contract.batch or batch
        while group := list(islice(stream, count)):
            yield from self._results(group, conf, iou, letterbox)

    def _results(self, group: list[Picture], conf: float, iou: float, letterbox: bool | None) -> Iterator[Results]:
        start = time.perf_counter()
        padded = self.contract.letterbox if letterbox is None else letterbox
        inputs = np.stack([self._prepare(p.pixels, padded) for p in group])
        if self.contract.batch and len(inputs) < self.contract.batch:
            inputs = np.concatenate(
                [inputs, np.zeros((self.contract.batch - len(inputs), *inputs.shape[1:]), np.float32)]
            )
        outputs = self.forward(inputs)
        sample = self.contract.sample
        found = [self._decode(sample(outputs, i), p, conf, iou, padded) for i, p in enumerate(group)]
        seconds = (time.perf_counter() - start) / len(group)
        for p, (boxes, scores) in zip(group, found, strict=True):
            yield Results(p.pixels, p.path, self.names, boxes, scores, seconds)

    def _prepare(self, pixels: np.ndarray, letterbox: bool) -> np.ndarray:
        """A picture as the input of the network, in Darknet's order of colours."""
        image = pixels[:, :, ::-1] if pixels.ndim == 3 and pixels.shape[2] == 3 else pixels
        if pixels.ndim == 3 and pixels.shape[2] == 4 and self.contract.shape[0] == 3:
            image = pixels[:, :, 2::-1]
        if self.contract.decode is None and not letterbox:
            return _center(image, self.contract.shape)
        return to_input(image, self.contract.shape, letterbox)

    def _decode(
        self, outputs: list[np.ndarray], picture: Picture, conf: float, iou: float, letterbox: bool
    ) -> tuple[Boxes, np.ndarray | None]:
        size = (picture.pixels.shape[0], picture.pixels.shape[1])
        if self.contract.decode is not None:
            found = self.contract.decode(outputs, size, conf, iou, letterbox)
            return Boxes(found.xyxy, found.confidence, found.class_id, size), None
        scores = outputs[-1]
        if scores.size != max(scores.shape):
            raise DataError(
                f"the network gives an array of {scores.shape}, neither boxes nor class scores: use forward"
            )
        return Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), size), scores.ravel()


def load(
    cfg: str | Path,
    weights: str | Path | None = None,
    backend: str = "onnxruntime",
    *,
    names: str | Path | None = None,
    dialect: str | None = None,
    size: tuple[int, int] | None = None,
    random_weights: int | None = None,
    letterbox: bool | None = None,
    strict: bool = False,
    as_darknet: bool = False,
    allow_partial: bool = False,
    say: Say | None = None,
    **options: object,
) -> Model:
    r"""Open a network: a cfg file, a model of the zoo ('yolov4-tiny'), or an ONNX file that `export_onnx` wrote.

    Weights are looked for by the name of the cfg unless given, names beside it (`names`: a .names or .data file).
    `backend` is 'onnxruntime', 'opencv', 'numpy' or 'onnx.reference', and `options` are its own. `size` overrides the
    (height, width) of the network's input; `random_weights` is a seed for random numbers instead of weights;
    `allow_partial` takes a weights file of the first layers (a trained backbone) and leaves the others random; `say`
    is told what is downloaded or left out. Raises `CfgError`, `WeightsError`, `DataError`, `BackendError` or
    `ZooError`, which are all `DarknetError`.

    >>> import tempfile, pathlib
    >>> cfg = pathlib.Path(tempfile.mkdtemp(), "tiny.cfg")
    >>> _ = cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n")
    >>> load(cfg, backend="numpy")(np.zeros((8, 8, 3), np.uint8))[0].pred_score.__round__(3)
    0.333
    """
    if Path(cfg).suffix == ".onnx":
        cfg_only = dict(
            weights=weights, dialect=dialect, size=size, random_weights=random_weights,
            allow_partial=allow_partial or None,
        )  # fmt: skip
        if wrong := [k for k, v in cfg_only.items() if v is not None]:
            raise DataError(f"{cfg} is a finished network: {', '.join(wrong)} cannot be changed; export it again")
        return _load_onnx(cfg, backend, names, letterbox, options)
    network = open_network(
        cfg, weights, dialect=dialect, size=size, random=random_weights, strict=strict, as_darknet=as_darknet,
        allow_partial=allow_partial, say=say,
    )  # fmt: skip
    return from_network(network, backend, names=names, letterbox=letterbox, **options)


def from_network(
    network: Network,
    backend: str = "onnxruntime",
    *,
    names: str | Path | None = None,
    letterbox: bool | None = None,
    **options: object,
) -> Model:
    """A model of a network that is already open."""
    contract = contract_of(network, names, letterbox)
    return Model(open_session(network.graph, backend, **options), contract, network)


def _load_onnx(
    path: str | Path, backend: str, names: str | Path | None, letterbox: bool | None, options: dict[str, object]
) -> Model:
    from .onnx_file import OnnxFile

    file = OnnxFile(path)
    own = file.contract
    known = Names(own.names, str(path)) if names is None else find_names(len(own.names), given=names)
    padded = own.resize == "letterbox" if letterbox is None else letterbox
    decode = file.decode if own.heads else None
    states = tuple(s.shape for s in own.states)
    contract = Contract(own.shape, known, padded, decode, states, file.batch, file.sample)
    if backend == "opencv" and file.batch is None:
        contract = replace(contract, batch=1)
    return Model(file.open_session(backend, **options), contract)


def contract_of(network: Network, names: str | Path | None = None, letterbox: bool | None = None) -> Contract:
    """What a network takes and gives, from its cfg and the files around it."""
    graph, net = network.graph, network.compilation.net
    heads = [layer for i in graph.heads if isinstance(layer := graph.layers[i].layer, Head)]
    classes = max((h.classes for h in heads), default=int(np.prod(graph.outputs[-1].shape)))

    def decode(outputs: Sequence[np.ndarray], size: Size, conf: float, iou: float, padded: bool) -> Detections:
        return find_detections(graph, net, outputs, size, threshold=conf, iou=iou, letterbox=padded)

    if letterbox is None:  # classifier.c never looks at letter_box
        letterbox = bool(heads and net.letter_box) or network.compilation.dialect.name in LETTERBOXING
    found = find_names(classes, network.cfg, names or network.files.names, classifier=not heads)
    states = tuple(s.input.shape for s in graph.states)
    return Contract(graph.image.shape, found, letterbox, decode if heads else None, states)


def _center(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The middle of a picture whose shorter side has the network's width (classifier.c predict_classifier)."""
    image = image[..., None] if image.ndim == 2 else image
    channels, net_h, net_w = shape
    h, w = image.shape[:2]
    # image.c resize_min, in whole numbers
    new_h, new_w = (h * net_w // w, net_w) if w < h else (net_w, w * net_w // h)
    scaled = to_input(image, (channels, max(1, new_h), max(1, new_w)))
    rows, columns = ((_middle(n, m)) for n, m in ((scaled.shape[1], net_h), (scaled.shape[2], net_w)))
    return np.ascontiguousarray(scaled[:, rows][:, :, columns])


def _middle(have: int, want: int) -> np.ndarray:
    """The indices of the `want` middle ones of `have`; the border is repeated where there are too few (crop_image)."""
    start = int((have - want) / 2)  # C cuts towards zero
    return np.clip(np.arange(start, start + want), 0, have - 1)
