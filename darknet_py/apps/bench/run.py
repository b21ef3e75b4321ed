"""`bench`: one network in the back ends that are installed here, timed side by side."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...analysis.cost import cost
from ...backends.backend import AUTO
from ...backends.backend import backends as known_backends
from ...backends.precision import F32, INT8, SIMILAR, WHOLE, Precision
from ...backends.session import reader
from ...contract.contract import Contract
from ...darknet.network import Network, open_network
from ...errors import DataError
from ...files import scratch
from ...machine import cpu, thread_environment
from ...model.formats import read_exported
from ...vision.preprocess import to_input
from .interleave import Spread, spread
from .peaks import sgemm
from .process import Side, SideError
from .race import agree, race
from .roofline import LayerSpeed, layer_speeds

PHOTO = (576, 768)  # height and width of the random picture that is detected on


@dataclass(frozen=True)
class BackendSpeed:
    """One back end: seconds of the network alone and of a photo with everything around it, and what it took."""

    backend: str
    version: str
    network: Spread
    detect: Spread | None
    ratio: Spread
    fraction: Spread | None
    memory: int
    layers: tuple[LayerSpeed, ...] = ()


@dataclass(frozen=True)
class BenchResult:
    """All back ends, the fastest first; `failures` says why some are missing, `peaks` what the machine can do."""

    title: str
    machine: Mapping[str, Any]
    gflops: float
    rounds: int
    rows: tuple[BackendSpeed, ...]
    peaks: Mapping[str, float]
    failures: Mapping[str, str] = field(default_factory=dict)


def installed(precision: Precision = WHOLE) -> list[str]:
    """The back ends whose packages are installed and that have a precision here, without the slow references."""
    return [b.name for b in known_backends().values() if b.fast and b.installed and not precision.find_lack(b)]


def bench(
    cfg: str | Path,
    weights: str | Path | None = None,
    *,
    backends: Sequence[str] = (),
    files: Sequence[Path] = (),
    rounds: int | None = None,
    threads: int | None = None,
    layers: bool = False,
    size: tuple[int, int] | None = None,
    dialect: str | None = None,
    random_weights: int | None = None,
    precision: str = F32,
    data: str | Path | None = None,
    max_loss: float | None = None,
) -> BenchResult:
    """Time a network in `backends` (default: all fast ones installed), each in a process of its own.

    Before anything is timed, outputs are compared with those of the first back end. `rounds` is chosen by the cost of a
    run unless given; `files` are exported ones, which are timed beside them; `threads` is the number of cores unless
    given; `layers` times every layer where the back end can. `precision`, `data` and `max_loss` are those of `load`;
    default back ends are those that have the precision here. Raises as `load` does for a network that cannot be opened;
    a back end that fails is in `failures`.
    """
    if precision == AUTO.name:
        raise DataError("bench times one precision in all back ends: name it")
    if precision != INT8 and (data is not None or max_loss is not None):
        raise DataError(f"data and max_loss are for precision int8: {precision} is not calibrated")
    if precision == INT8 and data is None:
        raise DataError("precision int8 is calibrated on pictures\n  hint: --data PICTURES")
    network = open_network(cfg, weights, size=size, dialect=dialect, random=random_weights)
    count = threads or os.cpu_count() or 1
    options: dict[str, Any] = {"cfg": str(network.cfg), "weights": str(network.weights) if network.weights else None}
    options |= {"size": size, "dialect": dialect, "random_weights": random_weights}
    wanted = Precision.of(precision)
    names = list(backends) or installed(wanted)
    if not names:
        raise DataError(f"no back end that is installed here has the precision {precision}")
    if not wanted.is_whole:
        options |= {"precision": precision, "data": str(data) if data else None, "max_loss": max_loss}
    with scratch() as folder, ExitStack() as stack:
        _write_inputs(network, folder)
        environment = {**thread_environment(count), "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
        failures: dict[str, str] = {}
        written = {path.name: read_exported(path) for path in files}
        own = {name: reader(file).name for name, (file, _) in written.items()}
        names += own
        sides = {b: _side(stack, folder, b, environment) for b in [*names, "peak"]}
        peak = sides.pop("peak")
        given = {b: {"backend": b, **options} for b in sides}
        given |= {name: _of_file(written[name][0], backend, options) for name, backend in own.items()}
        tolerances = dict.fromkeys(sides, wanted.tolerance)
        tolerances |= {name: _tolerance_of(contract) for name, (_, contract) in written.items()}
        versions = _open(sides, folder, count, given, failures, tolerances)
        detects = bool(network.graph.heads) and len(network.graph.image.shape) == 3
        measures = dict.fromkeys(sides, ("network", "detect") if detects else ("network",))
        done = race(sides, measures, rounds=rounds, threads=count, peak=peak)
        failures |= {b: why for (b, _), why in done.dropped.items()}
        memory = {b: int(side.ask("memory")["bytes"]) for b, side in sides.items() if b not in failures}
        traced = {b: _side(stack, folder, f"layers of {b}", environment) for b in memory if layers}
        nodes = {b: s.ask("layers", threads=count, folder=f"{folder}/x", **given[b]) for b, s in traced.items()}
    peaks = done.peaks()
    speeds = {b: layer_speeds(network.graph, n["seconds"], sgemm(peaks), peaks["copy"]) for b, n in nodes.items()}
    flops = 2.0 * cost(network.graph).macs
    rows = [
        BackendSpeed(
            b, versions[b], spread(done.timings[b, "network"].seconds),
            spread(done.timings[b, "detect"].seconds) if detects else None,
            done.timings[b, "network"].ratio(done.timings[next(iter(memory)), "network"]),
            done.fraction((b, "network"), flops), memory[b], speeds.get(b, ()),
        )
        for b in memory
    ]  # fmt: skip
    machine = {"cpu": cpu(), "cores": os.cpu_count(), "threads": count, "load": os.getloadavg()[0]}
    shape = "x".join(map(str, network.graph.image.shape))
    rows.sort(key=lambda r: r.network.median)
    computed = "" if wanted.is_whole else f" in {precision}"
    return BenchResult(
        f"{network.cfg.stem}, input {shape}{computed}", machine, flops / 1e9, done.rounds, tuple(rows), peaks, failures
    )


def _of_file(path: Path, backend: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for an exported file: all that options of a cfg say is in it."""
    return {**dict.fromkeys(options), "cfg": str(path.absolute()), "backend": backend}


def _tolerance_of(contract: Contract) -> float:
    """By how much of their scale the outputs of an exported file may differ: it says itself if it has fewer bits."""
    return SIMILAR if contract.half or contract.int8 is not None else WHOLE.tolerance


def _write_inputs(network: Network, folder: Path) -> None:
    rng = np.random.default_rng(0)
    shape = network.graph.image.shape
    photo = rng.integers(0, 256, (*PHOTO, 3), np.uint8)
    image = to_input(photo, shape) if len(shape) == 3 and shape[0] in (1, 3) else rng.random(shape, np.float32)
    np.save(folder / "photo.npy", photo)
    np.save(folder / "input.npy", image[None])


def _side(stack: ExitStack, folder: Path, name: str, environment: Mapping[str, str]) -> Side:
    (folder / name).mkdir()
    side = Side([sys.executable, "-m", "darknet_py.apps.bench.worker"], environment, folder / name / "log")
    stack.callback(side.close)
    return side


def _open(
    sides: dict[str, Side], folder: Path, threads: int, given: dict[str, dict[str, Any]], failures: dict[str, str],
    tolerances: Mapping[str, float],
) -> dict[str, str]:  # fmt: skip
    """Open the network everywhere; who fails or disagrees with the first moves to `failures`. Versions."""
    versions: dict[str, str] = {}
    first: list[np.ndarray] = []
    for backend in list(sides):
        try:
            own = folder / backend
            versions[backend] = sides[backend].ask("open", threads=threads, folder=str(own), **given[backend])[
                "version"
            ]
            if not first:
                with np.load(own / "outputs.npz") as arrays:
                    first = [arrays[name] for name in arrays.files]
            agree(own, first, tolerances[backend])
        except SideError as e:
            failures[backend] = str(e)
            del sides[backend]
    return versions
