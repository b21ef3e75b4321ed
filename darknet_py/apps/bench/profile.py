"""Seconds of each node of an engine: OpenCV's and other sessions that can tell, and onnxruntime's trace.

Decision: onnxruntime is profiled from outside, by giving every session that is opened a trace. So what is profiled is
exactly what the back end runs, and the back end need not know.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...files import scratch
from ...model.model import Model

RUNS = 8  # the first of which warms up; the shortest time of a node counts
KERNEL = "_kernel_time"  # what onnxruntime appends to the name of a node


@contextmanager
def traced_onnxruntime(folder: Path) -> Iterator[list[Any]]:
    """Inside the block, sessions of onnxruntime write traces into `folder`; the list holds them as they are opened."""
    import onnxruntime

    options, session = onnxruntime.SessionOptions, onnxruntime.InferenceSession
    opened: list[Any] = []

    def traced_options() -> Any:
        made = options()
        made.enable_profiling = True
        made.profile_file_prefix = str(folder / "trace")
        return made

    def recorded(*args: Any, **keywords: Any) -> Any:
        opened.append(session(*args, **keywords))
        return opened[-1]

    onnxruntime.SessionOptions, onnxruntime.InferenceSession = traced_options, recorded
    try:
        yield opened
    finally:
        onnxruntime.SessionOptions, onnxruntime.InferenceSession = options, session


def profile(backend: str, opened: Callable[[], Model], run: Callable[[Model], object]) -> dict[str, float]:
    """Open a model, `run` it several times: the seconds of each node; empty where the engine cannot tell."""
    if backend != "onnxruntime":
        model = opened()
        tell = getattr(model.session, "profile", None)
        return _shortest([tell() for _ in range(RUNS) if run(model)]) if tell else {}
    with scratch() as folder:
        with traced_onnxruntime(folder) as traces:
            model = opened()
        for _ in range(RUNS):
            run(model)
        return nodes_of(json.loads(Path(traces[-1].end_profiling()).read_text("utf-8")))


def nodes_of(trace: list[dict[str, Any]]) -> dict[str, float]:
    """The shortest time of each node in a trace of several runs of onnxruntime, in seconds."""
    taken: dict[str, list[float]] = defaultdict(list)
    for event in trace:
        if event.get("cat") == "Node" and event["name"].endswith(KERNEL):
            taken[event["name"].removesuffix(KERNEL)].append(event["dur"] / 1e6)
    return {name: min(times) for name, times in taken.items()}


def _shortest(profiles: list[dict[str, float]]) -> dict[str, float]:
    return {name: min(p.get(name, seconds) for p in profiles) for name, seconds in profiles[0].items()}
