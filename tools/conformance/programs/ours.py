"""darknet-py in the kit's protocol: `ours.py BACKEND infer …`, or `ours.py torch train …`.

`BACKEND` is a back end, or `onnx:NAME`, the exported file in that runtime: only its outputs are known then.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from darknet_py.backends.session import open_file, open_session
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.network import Network, open_network
from darknet_py.errors import DarknetError
from darknet_py.ir import Graph
from darknet_py.model.export import export_onnx
from tools.conformance.programs.answering import answer


def infer(backend: str, cfg: Path, weights: Path, given: Path, out: Path) -> None:
    """Every layer of the network, or its outputs, step by step."""
    dialect = cfg.with_name("dialect").read_text("utf-8")
    network = open_network(cfg, weights if weights.is_file() else None, dialect=dialect, as_darknet=True)
    if backend.startswith("onnx:"):
        _exported(network, backend.removeprefix("onnx:"), np.load(given), out)
        return
    graph = network.graph
    wanted = list(dict.fromkeys(info.output for info in graph.layers))
    session = open_session(graph.with_outputs(wanted), backend)
    rows = []
    states = [np.zeros((1, *s.input.shape), np.float32) for s in graph.states]
    for step in _steps(np.load(given), graph):
        results = session.run([step[None], *states])
        states = results[len(wanted) :]
        rows.append(results[: len(wanted)])
    for info in graph.layers:
        place = wanted.index(info.output)
        _write(out, info.index, [row[place][0] for row in rows])


def _exported(network: Network, runtime: str, given: np.ndarray, out: Path) -> None:
    graph = network.graph
    with TemporaryDirectory() as folder:
        export_onnx(network, Path(folder, "net.onnx"))
        session = open_file(Path(folder, "net.onnx"), runtime)
        states = [np.zeros((1, *s.input.shape), np.float32) for s in graph.states]
        rows = []
        for step in _steps(given, graph):
            results = session.run([step[None], *states])
            states = results[len(graph.outputs) :]
            rows.append(results)
    for place, value in enumerate(graph.outputs):
        layer = max(info.index for info in graph.layers if info.output is value)
        _write(out, layer, [row[place][0] for row in rows])


def _steps(given: np.ndarray, graph: Graph) -> np.ndarray:
    return given if given.ndim > len(graph.image.shape) else given[None]


def _write(out: Path, layer: int, steps: list[np.ndarray]) -> None:
    np.save(out / f"layer_{layer}.npy", steps[0] if len(steps) == 1 else np.stack(steps))


def train(cfg: Path, iterations: int, out: Path) -> None:
    """The weights after some iterations of our trainer's module, losses and optimizer."""
    from darknet_py.darknet.weights import Header, Weights, write_weights
    from tools.train.bugs import Bugs
    from tools.train.cases_step import Case, Run

    case = Case(cfg.parent, {"subdivisions": compile_file(cfg).check().net.subdivisions})
    run = Run(case, Bugs())
    for _ in range(iterations):
        run.iterate(None)
    graph = case.compilation.graph
    arrays = {p.value: run.module.array_of(run.places[p.layer, p.role]) for p in graph.params}
    write_weights(out / "after.weights", graph, Weights(Header(), arrays))


def call(words: list[str]) -> str:
    """Answer one call; why not, if it is refused."""
    backend, action, *rest = words
    try:
        if action == "infer":
            cfg, weights, given, out = map(Path, rest)
            infer(backend, cfg, weights, given, out)
        else:
            train(Path(rest[0]), int(rest[4]), Path(rest[5]))
    except DarknetError as e:
        return str(e).splitlines()[0]
    except ModuleNotFoundError as e:
        return f"needs {e.name}"
    return ""


if __name__ == "__main__":
    sys.exit(answer(call, before=1))
