"""Every network that Darknet ran, in every runtime: each layer as the NumPy reference computes it, step by step.

The reference itself is held to Darknet's numbers in test_conformance.py; here two samples go through at once.
"""

from __future__ import annotations

import numpy as np
import pytest
from agree import OPTIONS, RUNTIMES, TOLERANCE, compare
from goldens import SENSITIVE, Golden, goldens

from darknet_py.backends.session import Session, open_session
from darknet_py.ir import Graph

CASES = [c for c in (*goldens("golden").values(), *goldens("golden_pj").values()) if c.ran]


def test_there_are_goldens() -> None:
    assert len(CASES) > 260


def run(session: Session, graph: Graph, steps: list[np.ndarray]) -> list[list[np.ndarray]]:
    """The outputs of each step, with the states carried over."""
    states = [np.zeros((len(steps[0]), *s.input.shape), np.float32) for s in graph.states]
    results = []
    for step in steps:
        results.append(session.run([step, *states]))
        states = results[-1][len(graph.outputs) :]
    return results


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_runtime_computes_what_numpy_does(case: Golden, runtime: str) -> None:
    graph = case.graph(as_darknet=True)
    graph = graph.with_outputs(dict.fromkeys(info.output for info in graph.layers))
    steps = [np.concatenate([x, x[..., ::-1] * 0.5]) for x in case.steps()]
    wanted = run(open_session(graph, "numpy"), graph, steps)
    got = run(open_session(graph, runtime, **OPTIONS.get(runtime, {})), graph, steps)
    for a, b in zip(got, wanted, strict=True):
        compare(graph, a, b, runtime, SENSITIVE.get(case.name, TOLERANCE))
