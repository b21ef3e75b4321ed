"""What goes into a network and what comes out of it, as a `Model` needs it.

Decision: sessions end before the heads: decoding looks at what the heads get, and only squashes what it keeps. Whoever
wants the outputs of the layers themselves gets them from NumPy, from there on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..backends.session import Session, open_session
from ..darknet.layers.heads.head import Head
from ..zoo.names import Names, find_names
from .boxes import Size
from .decode import Detections, decode_heads, raw_outputs

if TYPE_CHECKING:
    from ..darknet.network import Network
    from ..ir.graph import Graph, Value

LETTERBOXING = ("pjreddie", "pytorch")  # dialects whose programs letterbox whatever the cfg says

# (outputs of one sample, (height, width) of the picture, conf, iou, letterbox) → detections
Decode = Callable[[Sequence[np.ndarray], Size, float, float, bool], Detections]
Sample = Callable[[list[np.ndarray], int], list[np.ndarray]]
Finish = Callable[[list[np.ndarray]], list[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Contract:
    """What goes into a network and what comes out of it.

    `shape` is one input without batch axis; `decode` is None for classifiers and other networks without boxes;
    `states` are the shapes of the memories of recurrent layers; `batch` is the only number of samples that the session
    takes, if there is one; `sample` takes one sample out of the outputs. `finish` makes the outputs of the network's
    last layers out of those of the session, which ends before its heads; None where that is the same. `origin` names
    the network, and `diagnostics` are the messages about its cfg.
    """

    shape: tuple[int, ...]
    names: Names
    letterbox: bool
    decode: Decode | None
    states: tuple[tuple[int, ...], ...] = ()
    batch: int | None = None
    sample: Sample = lambda outputs, index: [o[index] for o in outputs]
    finish: Finish | None = None
    origin: str = "ONNX"
    diagnostics: tuple[str, ...] = ()


def contract_of(network: Network, names: str | Path | None = None, letterbox: bool | None = None) -> Contract:
    """What a network takes and gives, from its cfg and the files around it, if its session gives `raw_outputs`."""
    graph = network.graph
    heads = [layer for i in graph.heads if isinstance(layer := graph.layers[i].layer, Head)]
    found = find_names(classes(graph), network.cfg, names or network.files.names, classifier=not heads)
    return Contract(
        graph.image.shape, found, is_letterboxed(network) if letterbox is None else letterbox,
        decoder(heads, graph.image.shape) if heads else None, tuple(s.input.shape for s in graph.states),
        finish=finisher(lambda: graph) if heads else None, origin=str(network.cfg),
        diagnostics=tuple(map(str, network.compilation.diagnostics)),
    )  # fmt: skip


def classes(graph: Graph) -> int:
    """How many classes a network tells apart."""
    heads = (layer for i in graph.heads if isinstance(layer := graph.layers[i].layer, Head))
    return max((h.classes for h in heads), default=int(np.prod(graph.outputs[-1].shape)))


def is_letterboxed(network: Network) -> bool:
    """Whether pictures for it are padded unless somebody says otherwise."""
    # classifier.c never looks at letter_box
    asked = bool(network.graph.heads and network.compilation.net.letter_box)
    return asked or network.compilation.dialect.name in LETTERBOXING


def decoder(heads: Sequence[Head], shape: tuple[int, ...]) -> Decode:
    """Decoding by heads for a network with an input of (channels, height, width)."""
    net_size = (shape[1], shape[2])

    def decode(outputs: Sequence[np.ndarray], size: Size, conf: float, iou: float, padded: bool) -> Detections:
        return decode_heads(heads, outputs, net_size, size, conf, iou, padded)

    return decode


def finisher(graph: Callable[[], Graph]) -> Finish:
    """The heads themselves, in NumPy: from `raw_outputs` to the outputs of their layers."""

    @lru_cache(1)
    def tails() -> list[Session | None]:
        whole = graph()
        return [_tail(whole, *pair) for pair in zip(whole.heads, raw_outputs(whole), strict=True)]

    def finish(outputs: list[np.ndarray]) -> list[np.ndarray]:
        pairs = zip(tails(), outputs, strict=True)
        return [session.run([output])[0] if session else output for session, output in pairs]

    return finish


def _tail(graph: Graph, index: int, source: Value) -> Session | None:
    """The operations of one layer behind `source`; None if that is its output."""
    output = graph.layer_output(index)
    if source is output:
        return None
    ops = tuple(op for op in graph.ops if op.layer == index)
    data = {v: graph.data[v] for op in ops for v in op.inputs if v in graph.data}
    return open_session(
        replace(graph, image=source, ops=ops, params=(), states=(), outputs=(output,), data=data), "numpy"
    )
