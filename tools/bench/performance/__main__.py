"""The performance benchmark: `python -m tools.bench.performance [NETWORK...] [--write]`.

Every network in darknet-py's back ends and in what a user would pick instead, each contestant in its own process and
environment: outputs are compared, then all are timed in interleaved rounds with the machine's own peaks.

Decision: nothing stops a run. A contestant that cannot be installed, crashes, hangs or computes something else is a row
that says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
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
from darknet_py.errors import DarknetError
from darknet_py.machine import cpu, features

from ..environments import DARKNET_PY, OPENCV_4, OPENVINO, ROOT, NotInstalled, make, variables
from .bars import IMPORTER, PLAIN, bars
from .machines import TELLING, results_in, side_by_side, slug
from .networks import EIGHT, NETWORKS, OURS, Entry, find_cfg, find_weights
from .plot import draw
from .prepare import Prepared, layer_shares, made_up_photo, prepare
from .report import markdown
from .sides import CONTESTANTS, close
from .throughput import PICTURES, folder_of_pictures, throughput

HERE = Path(__file__).parent
SHARED = ROOT.parent / "shared"
BUDGET, QUICK = 40.0, 5.0  # seconds of rounds for a network
MANY = ("yolo-fastest-1.1", "yolov4-tiny")  # networks that many pictures are sent through
FIRST = "yolo-fastest-1.1"  # the network whose first picture's imports are counted
AROUND = ("yolov4-tiny", "yolo-fastest-1.1", "yolov4")  # networks whose whole process and export are timed
PROCESS_ROUNDS, EXPORT_ROUNDS = 5, 3
CACHE = "DARKNET_PY_CACHE"
DECODINGS = 15
WORST_LAYERS = 8


def run(
    entries: Sequence[Entry], cfgs: Sequence[Path], weights: Sequence[Path], photo: Path | None, threads: int,
    budget: float, sides: Sequence[str] = (), around: bool = True, photos: Path | None = None,
    pictures: int = PICTURES, eight: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """All networks: what was measured, and what could not be, as plain data."""
    started, load = time.time(), os.getloadavg()[0]
    result: dict[str, Any] = {
        "networks": [], "processes": [], "exports": [], "growth": {}, "throughput": [], "int8": [], "around": {},
        "missing": {},
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ[CACHE] = str(Path(folder, "cache"))  # of compiled networks, for all processes from here on
        pixels, file = _photo(photo, Path(folder))
        with _peaks(Path(folder), threads) as peak:
            for number, entry in enumerate(entries):
                click.echo(f"{entry.title} …", err=True)
                try:
                    files = _prepare(entry, cfgs, weights, Path(folder, str(number)), pixels, threads)
                except (DarknetError, OSError, ValueError) as e:
                    result["missing"][entry.title] = str(e)
                    continue
                result["networks"].append(_network(entry, files, peak, threads, budget, [*sides, *entry.sides]))
                if around and entry.name in AROUND and not entry.sides:
                    result["processes"].append(_processes(entry, files, file, threads))
                    result["exports"].append(_export(entry, files, threads))
                if around and entry.name in MANY and not entry.sides:
                    result["throughput"].append(
                        _throughput(entry, files, photos, Path(folder, "many"), pictures, threads)
                    )
                if around and entry.name == FIRST:
                    job = files.job
                    result["around"] = _program("around", job["cfg"], job["weights"], str(file), threads=threads)
        result["int8"] = [_eight(name, [*weights, *cfgs], photos) for name in eight]
        if around:
            result["growth"] = _growth(threads)
    has = features()
    known = None if has is None else sorted(has.intersection(TELLING))
    machine = {"cpu": cpu(), "features": known, "cores": os.cpu_count(), "threads": threads, "load before": load}
    result["machine"] = {**machine, "load after": os.getloadavg()[0], "seconds": round(time.time() - started)}
    result["bars"] = bars(result)
    return result


def _photo(path: Path | None, folder: Path) -> tuple[np.ndarray, Path]:
    """The pixels (BGR) and a file of them."""
    import cv2

    pixels = cv2.imread(str(path)) if path else made_up_photo()
    if pixels is None:
        raise click.ClickException(f"{path} is no picture")
    file = folder / "photo.jpg"
    cv2.imwrite(str(file), pixels)
    return pixels, file


@contextmanager
def _peaks(folder: Path, threads: int) -> Iterator[Side]:
    try:
        python = str(make(DARKNET_PY).python)
    except NotInstalled as e:
        raise click.ClickException(f"the environment of darknet-py itself cannot be made: {e}") from None
    side = Side([python, "-m", "darknet_py.apps.bench.worker"], variables(threads), folder / "peaks.log")
    try:
        yield side
    finally:
        side.close()


def _prepare(
    entry: Entry, cfgs: Sequence[Path], weights: Sequence[Path], folder: Path, photo: np.ndarray, threads: int
) -> Prepared:
    cfg = find_cfg(entry.name, [p for p in [*weights, *cfgs] if p.is_dir()])
    if cfg is None:
        raise ValueError(f"no cfg of that name in {', '.join(map(str, cfgs))}; --cfgs names another folder")
    real = find_weights(cfg, entry.name, weights)
    return prepare(cfg, real, entry.size, folder, photo, threads)


def _network(
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


def _processes(entry: Entry, files: Prepared, photo: Path, threads: int) -> dict[str, Any]:
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


def _throughput(
    entry: Entry, files: Prepared, photos: Path | None, folder: Path, count: int, threads: int
) -> dict[str, Any]:
    found = sorted(photos.glob("*.jpg")) if photos else []
    pictures = sorted(map(str, folder.iterdir())) if folder.is_dir() else folder_of_pictures(found, folder, count)
    return {"title": files_title(entry, files), **throughput(files, pictures, threads)}


def _export(entry: Entry, files: Prepared, threads: int) -> dict[str, Any]:
    title, paths = files_title(entry, files), (files.job["cfg"], files.job["weights"], str(files.folder))
    try:
        found = [_program("exporting", *paths, threads=threads) for _ in range(EXPORT_ROUNDS)]
    except SideError as e:
        return {"title": title, "why": str(e)}
    medians = {key: median(f[key] for f in found) for key in found[0]}
    return {"title": title, "weights": Path(files.job["weights"]).stat().st_size, **medians}


def _eight(name: str, folders: Sequence[Path], photos: Path | None) -> dict[str, Any]:
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


def _growth(threads: int) -> dict[str, Any]:
    try:
        return _program("growth", str(threads), threads=threads)
    except SideError as e:
        return {"why": str(e)}


def _program(name: str, *arguments: str, threads: int) -> dict[str, Any]:
    """What a program of this folder prints."""
    command = [str(make(DARKNET_PY).python), "-m", f"tools.bench.performance.{name}", *arguments]
    return dict(json.loads(_output(command, variables(threads))))


def _plain(s: Spread) -> dict[str, float]:
    return {"low": s.low, "median": s.median, "high": s.high}


@click.command()
@click.argument("names", nargs=-1, metavar="[NETWORK]...")
@click.option(
    "--cfgs", multiple=True, type=click.Path(path_type=Path), help="A folder with cfgs (default: ../shared/cfgs)."
)
@click.option("--weights", multiple=True, type=click.Path(path_type=Path), help="A folder with weights.")
@click.option(
    "--photo", type=click.Path(path_type=Path, exists=True), help="The photo (default: one of ../shared, or made up)."
)
@click.option("--size", type=click.IntRange(32), help="Another input size, for all networks.")
@click.option("--threads", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True)
@click.option("--side", "sides", multiple=True, help="Only contestants with this in their name.")
@click.option("--quick", is_flag=True, help="A few small networks and few rounds.")
@click.option("--budget", type=click.FloatRange(0), help="Seconds of rounds for each network.")
@click.option(
    "--photos",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder of JPEGs that are sent through many times (default: ../shared/images/coco64/images, or made up).",
)
@click.option("--pictures", type=click.IntRange(1), default=PICTURES, show_default=True, help="How many are sent.")
@click.option("--write", is_flag=True, help="Write the results of this machine into results/, and RESULTS.md of all.")
def main(
    names: tuple[str, ...], cfgs: tuple[Path, ...], weights: tuple[Path, ...], photo: Path | None, size: int | None,
    threads: int, sides: tuple[str, ...], quick: bool, budget: float | None, photos: Path | None, pictures: int,
    write: bool,
) -> None:  # fmt: skip
    """Time networks in darknet-py and in what a user would pick instead."""
    unknown = [n for n in names if n not in {e.name for e in NETWORKS}]
    entries = [e for e in NETWORKS if (e.name in names if names else e.quick or not quick)]
    entries += [Entry(n) for n in unknown]
    if size:
        entries = [Entry(e.name, size, e.quick, e.sides) for e in entries if not e.sides]
    dog, coco = SHARED / "images" / "dog.jpg", SHARED / "images" / "coco64" / "images"
    result = run(
        entries, cfgs or (SHARED / "cfgs",), weights or (SHARED / "weights", ROOT / "weights"),
        photo or (dog if dog.is_file() else None), threads, budget or (QUICK if quick else BUDGET), sides, not quick,
        photos or (coco if coco.is_dir() else None), pictures,
        [n for n in EIGHT if not quick and (not names or n in names)],
    )  # fmt: skip
    text = markdown(result)
    click.echo(text)
    if write:
        own = HERE / "results" / slug(result["machine"])
        own.parent.mkdir(exist_ok=True)
        own.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        own.with_suffix(".md").write_text(text, "utf-8")
        draw(result, own.with_suffix(".svg"))
        (HERE / "RESULTS.md").write_text(side_by_side(results_in(own.parent), own.parent.name), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
