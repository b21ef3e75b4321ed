"""The parts of the performance benchmark, each measured in processes of its own and given as plain data.

Decision: nothing stops a run. A contestant that cannot be installed, crashes, hangs or computes something else is a row
that says so.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from darknet_py.analysis.cost import cost
from darknet_py.apps.bench.interleave import Spread, interleave, spread
from darknet_py.apps.bench.peaks import sgemm
from darknet_py.apps.bench.process import Side, SideError
from darknet_py.apps.bench.race import Race, agree, compare, race
from darknet_py.apps.bench.roofline import format_layers, layer_speeds
from darknet_py.backends.precision import F32

from ..environments import DARKNET_PY, OPENCV_4, OPENVINO, ROOT, Environment, NotInstalled, make, variables
from .bars import IMPORTER, PLAIN
from .networks import OURS, Entry, find_cfg, find_weights
from .prepare import Prepared, layer_shares, prepare
from .sides import CONTESTANTS, close
from .throughput import folder_of_pictures, throughput

CACHE = "DARKNET_PY_CACHE"
PROCESS_ROUNDS, EXPORT_ROUNDS = 5, 3
DECODINGS = 15
WORST_LAYERS = 8


@contextmanager
def peaks(folder: Path, threads: int) -> Iterator[Side]:
    """The process that measures what the machine itself can do, round by round."""
    try:
        python = str(make(DARKNET_PY).python)
    except NotInstalled as e:
        raise click.ClickException(f"the environment of darknet-py itself cannot be made: {e}") from None
    side = Side([python, "-m", "darknet_py.apps.bench.worker"], variables(threads), folder / "peaks.log")
    try:
        yield side
    finally:
        side.close()


def prepared(
    entry: Entry, cfgs: Sequence[Path], weights: Sequence[Path], folder: Path, photo: np.ndarray, threads: int
) -> Prepared:
    """The files of a network that contestants read. Raises `ValueError` where there is no cfg of its name."""
    cfg = find_cfg(entry.name, [p for p in [*weights, *cfgs] if p.is_dir()])
    if cfg is None:
        raise ValueError(f"no cfg of that name in {', '.join(map(str, cfgs))}; --cfgs names another folder")
    real = find_weights(cfg, entry.name, weights)
    return prepare(cfg, real, entry.size, folder, photo, threads)


def network(
    entry: Entry, files: Prepared, peak: Side, threads: int, budget: float, allowed: Sequence[str]
) -> dict[str, Any]:
    """One network: every contestant opened, compared, timed."""
    rows: dict[str, dict[str, Any]] = {}
    sides: dict[str, Side] = {}
    contestants = {c.name: c for c in CONTESTANTS if c.takes(entry.name, allowed)}
    for name, contestant in contestants.items():
        rows[name] = {}
        try:
            sides[name] = contestant.start(files, files.folder / f"side{len(rows)}", threads)
        except SideError as e:
            rows[name]["why"] = str(e)
    opened = dict(sides)
    try:
        for name, side in opened.items():
            try:
                answer = side.answer()
                rows[name] |= {"version": answer["version"], "precision": answer.get("precision", F32)}
                own = files.folder / f"side{list(rows).index(name) + 1}"
                judge = agree if rows[name]["precision"] == F32 else compare  # of others it is only told
                rows[name]["difference"] = judge(own, contestants[name].wanted(files))
            except SideError as e:
                rows[name]["why"] = str(e)
                del sides[name]
        measures = {name: contestants[name].measures for name in sides}
        done = race(sides, measures, budget=budget, threads=threads, peak=peak)
        flops = 2.0 * cost(files.graph).macs
        for name in sides:
            _fill(rows[name], name, sides[name], done, flops, contestants[name].measures)
    finally:
        close(opened)
    layers = _layers(files, done, threads) if OURS in sides else ""
    shape = files.graph.image.shape
    return {
        "title": files_title(entry, files), "size": shape[1:], "gflops": flops / 1e9,
        "share of 3x3": layer_shares(files.graph),
        "weights": "real" if files.real else "random", "rounds": done.rounds, "peaks": done.peaks(), "sides": rows,
        "layers": layers,
    }  # fmt: skip


def _fill(row: dict[str, Any], name: str, side: Side, done: Race, flops: float, measures: Sequence[str]) -> None:
    for measure in measures:
        if (name, measure) in done.dropped:
            row["why"] = done.dropped[name, measure]
            continue
        seconds = done.timings[name, measure].seconds
        row[measure] = {**_plain(spread(seconds)), "seconds": seconds}
    try:
        fraction = done.fraction((name, "network"), flops)
        row["fraction"] = _plain(fraction) if fraction else None
        if "detect" in row:
            row["found"] = side.ask("detect")["found"]
        if name.startswith("darknet-py") and "detect" in row:
            row["decode"] = median(side.ask("decode")["seconds"] for _ in range(DECODINGS))
        row["memory"] = side.ask("memory")["bytes"]
    except SideError as e:
        row["why"] = str(e)


def _layers(files: Prepared, done: Race, threads: int) -> str:
    """Where our default back end loses time; a process of its own, because a trace slows an engine down."""
    command = [str(make(DARKNET_PY).python), "-m", "darknet_py.apps.bench.worker"]
    side = Side(command, variables(threads), files.folder / "layers.log")
    network = {"cfg": files.job["cfg"], "weights": files.job["weights"], "backend": "onnxruntime", "threads": threads}
    try:
        nodes = side.ask("layers", folder=str(files.folder / "x"), **network)["seconds"]
    except SideError as e:
        return str(e)
    finally:
        side.close()
    peaks = done.peaks()
    return format_layers(layer_speeds(files.graph, nodes, sgemm(peaks), peaks["copy"]), WORST_LAYERS)


def processes(entry: Entry, files: Prepared, photo: Path, threads: int) -> dict[str, Any]:
    """From the shell to the result: our command, and the scripts of the others."""
    job = next(iter(sorted(files.folder.glob("side*/job.json"))), None)
    ours = ["-m", "darknet_py", "run", files.job["cfg"], str(photo), "-w", files.job["weights"], "--no-save", "--json"]
    script = ["-m", "tools.bench.performance.foreign"]
    commands = {OURS: (DARKNET_PY, ours)}
    if job:
        commands[IMPORTER] = (OPENCV_4, [*script, "opencv-darknet", str(job), str(photo)])
        commands[PLAIN] = (DARKNET_PY, [*script, "onnxruntime", str(job), str(photo)])
    own = {**variables(threads), CACHE: str(files.folder / "fresh")}
    runs = {name: partial(_process, [str(e.python), *rest], own) for name, (e, rest) in commands.items()}
    dropped: dict[str, str] = {}
    first = interleave(runs, 1, dropped)
    timings = interleave({name: run for name, run in runs.items() if name in first}, PROCESS_ROUNDS, dropped)
    return {
        "title": files_title(entry, files), "failed": dropped,
        "first": {name: t.seconds[0] for name, t in first.items()},
        "seconds": {name: _plain(spread(t.seconds)) for name, t in timings.items()},
        "ratios": {
            name: _plain(timings[OURS].ratio(t)) for name, t in timings.items() if name != OURS and OURS in timings
        },
    }  # fmt: skip


def files_title(entry: Entry, files: Prepared) -> str:
    """The name of a network with its size."""
    return f"{entry.name} ({files.graph.image.shape[1]})"


def _process(command: Sequence[str], environment: Mapping[str, str]) -> float:
    start = time.perf_counter()
    _output(command, environment)
    return time.perf_counter() - start


def _output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SideError(f"ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    return done.stdout


def sending(
    entry: Entry, files: Prepared, photos: Path | None, folder: Path, count: int, threads: int
) -> dict[str, Any]:
    """Many pictures through a network, from files to boxes."""
    found = sorted(photos.glob("*.jpg")) if photos else []
    pictures = sorted(map(str, folder.iterdir())) if folder.is_dir() else folder_of_pictures(found, folder, count)
    return {"title": files_title(entry, files), **throughput(files, pictures, threads)}


def export(entry: Entry, files: Prepared, threads: int) -> dict[str, Any]:
    """Seconds and memory of an export; or why there are none."""
    title, paths = files_title(entry, files), (files.job["cfg"], files.job["weights"], str(files.folder))
    found = [program_of(DARKNET_PY, "exporting", *paths, threads=threads) for _ in range(EXPORT_ROUNDS)]
    if lack := next((f for f in found if "why" in f), None):
        return {"title": title, **lack}
    medians = {key: median(f[key] for f in found) for key in found[0]}
    return {"title": title, "weights": Path(files.job["weights"]).stat().st_size, **medians}


def eight(name: str, folders: Sequence[Path], photos: Path | None) -> dict[str, Any]:
    """What int8 gains and costs in each back end that has it; or why that was not measured."""
    click.echo(f"{name} in int8 …", err=True)
    nothing: dict[str, Any] = {"name": name, "AP50": [], "backends": {}}
    cfg = find_cfg(name, [p for p in folders if p.is_dir()])
    weights = find_weights(cfg, name, folders) if cfg else None
    if not (cfg and weights and photos):
        lack = "is no cfg of that name" if not cfg else "are no photos" if weights else "are no weights of training"
        return {**nothing, "why": f"there {lack}"}
    own = ["tools.bench.precision", str(cfg), "--weights", str(weights), "--data", str(photos), "--json"]
    try:
        command = [str(make(OPENVINO).python), "-m", *own]  # which has onnxruntime too
        whole, *rows = json.loads(_output(command, variables(1)))
    except (SideError, NotInstalled) as e:
        return {**nothing, "why": str(e)}
    return {**nothing, "AP50": whole["AP50"], "backends": {row["backend"]: row for row in rows}}


def program_of(environment: Environment, name: str, *arguments: str, threads: int) -> dict[str, Any]:
    """What a program of this folder prints in an environment; or why it prints nothing."""
    try:
        command = [str(make(environment).python), "-m", f"tools.bench.performance.{name}", *arguments]
        return dict(json.loads(_output(command, variables(threads))))
    except (SideError, NotInstalled) as e:
        return {"why": str(e)}


def _plain(s: Spread) -> dict[str, float]:
    return {"low": s.low, "median": s.median, "high": s.high}
