"""A compiled cfg as a program: what its [net], its heads and its dialect say about what goes in and comes out."""

from __future__ import annotations

import math

from ..contract.contract import Contract, StateSpec, resized
from ..contract.program import Program
from ..errors import told_once
from ..ir import Graph
from .compile import Compilation

LETTERBOXING = ("pjreddie", "pytorch")  # dialects whose programs letterbox whatever the cfg says


def program_of(compilation: Compilation, graph: Graph | None = None) -> Program:
    """The program of a compiled cfg, with the graph that has its parameters, if there is one; without class names."""
    graph = compilation.graph if graph is None else graph
    decoders, net = compilation.decoders, compilation.net
    classes = max((d.classes for d in decoders), default=math.prod(graph.outputs[-1].shape))
    # classifier.c never looks at letter_box
    asked = bool(decoders and net.letter_box) or compilation.dialect.name in LETTERBOXING
    kind, beta = decoders[-1].suppression if decoders else ("default", 0.6)  # detector.c test_detector: of the last
    return Program(
        graph,
        Contract(
            graph.image.shape, classes, resized(asked, bool(decoders)), decoders=decoders,
            shorter_edge=net.shorter_edge, interpolation=net.interpolation, class_names=net.class_names,
            states=tuple(StateSpec(s.input.name, f"{s.input.name}.next", s.input.shape) for s in graph.states),
            colour="RGBA" if graph.image.shape[0] == 4 else "RGB", nms_kind=kind, nms_beta=beta,
            dialect=compilation.dialect.name,
            diagnostics=tuple(map(str, told_once(compilation.diagnostics))),
        ),
    )  # fmt: skip
