"""The paper's CPU experiment (Table 5): `python -m tools.bench.table5 [--write]`.

Every detector with seeded random weights in OpenCV's DNN module, the paper's engine, and in onnxruntime, one image at a
time. All engines give the same outputs before any is timed.

Decision: the paper's machine is not ours, so what is compared are ratios to YOLOv3-tiny. Why they differ is said in
numbers: how fast each kind of convolution is (OpenCV's own profile), and how a time splits into arithmetic, memory
traffic and decoding (a fit, of the paper's times too).
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np

from darknet_py.analysis.cost import cost
from darknet_py.apps.bench.interleave import Spread, Timing, interleave
from darknet_py.apps.bench.process import Side, SideError
from darknet_py.darknet.layers.layer import layer_of
from darknet_py.ir import Graph
from darknet_py.machine import cpu

from ..environments import DARKNET_PY, OPENCV_4, Environment, NotInstalled, make, variables
from .report import markdown
from .worker import Job, open_graph

HERE = Path(__file__).parent
TOLERANCE = 1e-4  # of the largest number of an output
ENGINES = (("opencv", DARKNET_PY), ("opencv", OPENCV_4), ("onnxruntime", DARKNET_PY))
PROFILES = 9  # runs whose layers are measured, on the wall; the shortest time of a layer counts
_LAYER = re.compile(r"(?:^|!)(\d+)_")  # OpenCV's names of layers begin with Darknet's number


@dataclass(frozen=True)
class Entry:
    """A row of Table 5: our cfg, and frames per second on an i9-9900K with OpenCV, where the paper has it."""

    title: str
    job: Job
    paper: float | None


TABLE_5 = (
    Entry("YOLOv3-tiny", Job("yolov3-tiny", 416), 54),
    Entry("YOLOv3-tiny-PRN", Job("yolov3-tiny-prn", 416), 71),
    Entry("CSPPeleeNet Ref.-EFM (SAM)", Job("yolov3-csppelee-ref-efm", 320), None),
    Entry("CSPDenseNet Ref.-EFM (SAM)", Job("yolov3-cspdensenet-ref-efm", 320), None),
    Entry("CSPPeleeNet Ref.-PRN (3l)", Job("yolov3-csppelee-ref-prn-3l", 320), 52),
    Entry("CSPPeleeNet Ref.-PRN", Job("yolov3-csppelee-ref-prn", 320), 75),
    Entry("CSPDenseNet Ref.-PRN", Job("yolov3-cspdensenet-ref-prn", 320), 95),
    Entry("CSPDenseNetb Ref.-PRN", Job("yolov3-cspdensenetb-ref-prn", 320), 102),
)
BASE = TABLE_5[0]


CAUSES = ("bflops", "cio", "decoded")  # of a network's time: `explain`


@dataclass(frozen=True)
class Kind:
    """The convolutions of one size, or everything else: their part of the work and of OpenCV's time."""

    layers: int
    bflops: float
    seconds: float


@dataclass
class Engine:
    """A process with every network open, and what they gave."""

    side: Side
    version: str
    outputs: dict[str, list[np.ndarray]]

    def seconds(self, cfg: str) -> float:
        """Of a run."""
        return float(self.side.ask("time", cfg=cfg)["seconds"])


def run(rounds: int, threads: int) -> dict[str, Any]:
    """All engines, all networks: what was measured and where, as plain data."""
    graphs = {e.job.cfg: open_graph(e.job) for e in TABLE_5}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        found = [_open(*e, threads, Path(folder, str(n)), stack) for n, e in enumerate(ENGINES)]
        engines = {e.version: e for e in found}
        differences = compare(engines)
        before = os.getloadavg()[0]
        timings = interleave({(e, cfg): partial(w.seconds, cfg) for cfg in graphs for e, w in engines.items()}, rounds)
        after = os.getloadavg()[0]
        kinds = {
            (e, cfg): kinds_of(graph, shortest_profile(w.side, cfg))
            for e, w in engines.items() if e.startswith("OpenCV") for cfg, graph in graphs.items()
        }  # fmt: skip
    rows = [_row(e, graphs[e.job.cfg], list(engines), timings, kinds) for e in TABLE_5]
    return {
        "machine": {"cpu": cpu(), "cores": os.cpu_count(), "load before": before, "load after": after},
        "engines": list(engines), "rounds": rounds, "threads": threads, "differences": differences,
        "rows": rows, "causes": {"paper": explain(rows, "paper"), **{e: explain(rows, e) for e in engines}},
    }  # fmt: skip


def _open(backend: str, environment: Environment, threads: int, folder: Path, stack: ExitStack) -> Engine:
    """Start an engine. Raises `click.ClickException` if it cannot be installed or does not take a network."""
    folder.mkdir()
    try:
        command = [str(make(environment).python), "-m", "tools.bench.table5.worker"]
        side = Side(command, variables(threads), folder / "log")
        stack.callback(side.close)
        for job in (e.job for e in TABLE_5):
            version = side.ask("open", **asdict(job), backend=backend, threads=threads, folder=str(folder))["version"]
    except (NotInstalled, SideError) as e:
        raise click.ClickException(f"{backend} in the environment {environment.name}: {e}") from None
    outputs = {}
    for path in folder.glob("*.npz"):
        with np.load(path) as arrays:
            outputs[path.stem] = [arrays[k] for k in arrays.files]
    return Engine(side, version, outputs)


def compare(engines: Mapping[str, Engine]) -> dict[str, float]:
    """How far the outputs of neighbours in the list differ at most, as a part of the largest number; else an error."""
    found = {}
    for (a, first), (b, second) in pairwise(engines.items()):
        worst = max(_difference(first.outputs[cfg], second.outputs[cfg]) for cfg in first.outputs)
        if not worst < TOLERANCE:
            raise click.ClickException(f"{a} and {b} differ by {worst:.1e}: what they compute must agree to be timed")
        found[f"{a} / {b}"] = worst
    return found


def _difference(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)


def shortest_profile(side: Side, cfg: str) -> dict[str, float]:
    """Seconds of each of the engine's layers, the shortest of some runs."""
    profiles = [side.ask("profile", cfg=cfg)["seconds"] for _ in range(PROFILES)]
    return {name: min(p[name] for p in profiles) for name in profiles[0]}


def kinds_of(graph: Graph, profile: Mapping[str, float]) -> dict[str, Kind]:
    """BFLOPs and seconds of 3x3 convolutions, of 1x1 convolutions, and of the rest."""
    seconds: dict[int, float] = defaultdict(float)
    for name, taken in profile.items():
        found = _LAYER.search(name)
        seconds[int(found[1]) if found else -1] += taken
    kinds = {"3x3": Kind(0, 0, 0), "1x1": Kind(0, 0, 0), "rest": Kind(0, 0, seconds[-1])}
    for info, paid in zip(graph.layers, cost(graph).layers, strict=True):
        layer = layer_of(info)
        size = layer.columns().size if layer.family == "convolution" else None
        key = f"{size}x{size}" if f"{size}x{size}" in kinds else "rest"
        k = kinds[key]
        kinds[key] = Kind(k.layers + 1, k.bflops + paid.bflops_paper, k.seconds + seconds[info.index])
    return kinds


def _row(
    entry: Entry,
    graph: Graph,
    engines: list[str],
    timings: Mapping[tuple[str, str], Timing],
    kinds: Mapping[tuple[str, str], Mapping[str, Kind]],
) -> dict[str, Any]:
    cfg, total = entry.job.cfg, cost(graph)
    measured = {}
    for e in engines:
        own, base = timings[e, cfg], timings[e, BASE.job.cfg]
        profile = {k: asdict(v) for k, v in kinds.get((e, cfg), {}).items()}
        measured[e] = {"fps": _plain(own.rate), "ratio": _plain(own.ratio(base)), "kinds": profile}
    return {
        "title": entry.title, "cfg": cfg, "size": entry.job.size, "bflops": total.bflops_paper,
        "params": total.params_conv, "cio": total.cio, "layers": len(graph.layers),
        "decoded": sum(math.prod(i.output.shape) for i in graph.layers if i.section == "yolo"),
        "paper fps": entry.paper, "paper ratio": entry.paper and entry.paper / (BASE.paper or 1), "engines": measured,
    }  # fmt: skip


def explain(rows: list[dict[str, Any]], who: str) -> dict[str, float]:
    """Seconds for each BFLOP, each element of CIO and each number that [yolo] decodes, which explain the times best.

    Least squares of relative errors over the networks that `who` ('paper' or an engine) has times of; `worst` is the
    largest relative error.
    """
    pairs = [(r["paper fps"] if who == "paper" else r["engines"][who]["fps"]["median"], r) for r in rows]
    timed = [(fps, r) for fps, r in pairs if fps]
    causes = np.array([[fps * r[c] for c in CAUSES] for fps, r in timed])  # parts of the measured time
    scale = causes.max(0)
    found = np.linalg.lstsq(causes / scale, np.ones(len(timed)), rcond=None)[0] / scale
    return {**dict(zip(CAUSES, found.tolist(), strict=True)), "worst": float(np.abs(causes @ found - 1).max())}


def _plain(s: Spread) -> dict[str, float]:
    return {"low": s.low, "median": s.median, "high": s.high}


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=25, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True)
@click.option("--write", is_flag=True, help="Write RESULTS.md and results.json beside this program.")
def main(rounds: int, threads: int, write: bool) -> None:
    """Time the CPU detectors of the paper's Table 5."""
    result = run(rounds, threads)
    text = markdown(result)
    click.echo(text)
    if write:
        (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        (HERE / "RESULTS.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
