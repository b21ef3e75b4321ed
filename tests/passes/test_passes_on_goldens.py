"""Every pass on every network that Darknet ran: the NumPy reference computes the same before and after."""

from __future__ import annotations

import numpy as np
import pytest
from goldens import TOLERANCE, Golden, error, goldens

from darknet_py.backends.session import open_session
from darknet_py.passes import (
    PASSES,
    Pass,
    cascade_pools,
    maxout_of_slices,
    optimize,
    spread_channels,
    widen_groups,
)

CASES = [c for c in (*goldens("golden").values(), *goldens("golden_pj").values()) if c.ran]
SENSITIVE = {"lrn_strong": 1e-3}  # a negative power of what is nearly 0
EXACT: tuple[Pass, ...] = (widen_groups(8), maxout_of_slices, cascade_pools, spread_channels)


def test_there_are_goldens() -> None:
    assert len(CASES) > 260


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_all_passes_together_change_nothing(case: Golden) -> None:
    graph = case.graph(as_darknet=True)
    x = case.steps()[0]
    states = [np.zeros((1, *s.input.shape), np.float32) for s in graph.states]
    wanted = open_session(graph, "numpy").run([x, *states])
    got = open_session(optimize(graph, (*PASSES, *EXACT)), "numpy").run([x, *states])
    tolerance = SENSITIVE.get(case.name, TOLERANCE)
    assert all(error(a, b) < tolerance for a, b in zip(got, wanted, strict=True))
