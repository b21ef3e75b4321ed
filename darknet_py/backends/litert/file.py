"""A graph as the bytes of a .tflite file, which need no runtime to be written."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.graph import Graph
from ...onnx.operators import need_weights
from .eight_rules import EIGHT
from .rules import RULES
from .writer import Eight, LiteRTWriter

DESCRIPTION = "written by darknet-py"


def to_tflite(
    graph: Graph, names: Sequence[str], *, half: bool = False, eight: Eight | None = None
) -> tuple[memoryview, frozenset[str]]:  # fmt: skip
    """The file of a graph with its parameters loaded, whose outputs, then states, are called `names`.

    `half` stores weights in float16; `eight` says what is computed in 8 bits. Also which kinds of operations were to be
    in 8 bits and are in float, because there is no rule for them. Raises `BackendError` for what LiteRT cannot express.
    """
    need_weights(graph)
    written = LiteRTWriter(graph, names, RULES, half=half, eight=eight, eight_rules=EIGHT)
    return written.file.to_buffer(DESCRIPTION), frozenset(written.left)
