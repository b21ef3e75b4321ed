"""`make batch-scale`: how the engines of batch work scale: processes, Ray Data, and memory by the number of pictures.

Decision: rates are of the time between the first result and the last, so what processes and clusters take to start is
told apart; runs that are compared take turns. Each run is a process of its own, which says what memory it had.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from darknet_py import files
from darknet_py.apps.batch.listing import list_items
from darknet_py.apps.batch.shards import cut_shards

from .kill import differences
from .report import write_section
from .scene import CFG, Scene, prepared

COUNT, TURNS, SHARD = 2000, 3, 25
SMALL, SIDE = 100_000, 32  # pictures of which only the number counts, and their side, which is the network's too
SMALL_SHARD, LOOKS = 500, 10  # pictures of a shard, and moments at which memory is looked at
LISTED = (20_000, 200_000)  # files, and lines or rows

RUN = """
import json, sys, time
from darknet_py import batch
given = json.loads(sys.argv[1])
start, marks = time.perf_counter(), []
batch(**given, progress=lambda n: marks.append((time.perf_counter() - start, n)))
marks = [mark for mark in marks if mark[1]]
print(json.dumps({"first": marks[0], "last": marks[-1]}))
"""
LOOK = """
import json, sys, time
from pathlib import Path
from darknet_py import batch
given, step = json.loads(sys.argv[1]), int(sys.argv[2])
start, due = time.perf_counter(), step


def now_and_most(process):
    said = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return [int(said[key].split()[0]) for key in ("VmRSS", "VmHWM")]


def look(pictures):
    global due
    if pictures < due:
        return
    due += step
    children = [child for p in Path("/proc/self/task").glob("*/children") for child in p.read_text().split()]
    print(json.dumps([pictures, time.perf_counter() - start, *map(now_and_most, ("self", *children))]), flush=True)


print(batch(**given, progress=look), file=sys.stderr)
"""


@dataclass(frozen=True)
class Took:
    """A work: seconds to the first result, and pictures a second from then on."""

    start: float
    rate: float


def arguments_of(scene: Scene, out: Path, **options: object) -> str:
    """What `batch` is called with, as JSON."""
    network = {"cfg": scene.network[0], **({"random_weights": 1, "conf": 0.9} if len(scene.network) > 1 else {})}
    return json.dumps({"sources": str(scene.pictures), "out": str(out), "shard_size": SHARD, **network, **options})


def took(scene: Scene, out: Path, **options: object) -> Took:
    """Run a work in a process of its own."""
    command = [sys.executable, "-c", RUN, arguments_of(scene, out, **options)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(said.stdout.splitlines()[-1])
    (first, some), (last, whole) = told["first"], told["last"]
    return Took(first, (whole - some) / max(1e-9, last - first))


def turns(scene: Scene, folder: Path, kinds: dict[str, dict[str, object]], count: int) -> dict[str, list[Took]]:
    """Each kind of work so many times, in turn."""
    found: dict[str, list[Took]] = {name: [] for name in kinds}
    for turn in range(count):
        for name, options in kinds.items():
            found[name].append(took(scene, folder / f"{name}-{turn}", **options))
            one = found[name][-1]
            print(f"{name}: {one.rate:.1f} pictures/s, started in {one.start:.1f} s", flush=True)
    return found


def many_small(folder: Path, count: int) -> Path:
    """A folder of small pictures, a thousand in each folder in it."""
    data = cv2.imencode(".png", np.zeros((SIDE, SIDE, 3), np.uint8))[1].tobytes()
    root = folder / f"{count} pictures"
    for i in range(count):
        place = root / f"{i // 1000:04d}"
        if i % 1000 == 0:
            first = files.write_whole(place / f"{i:07d}.png", data)
        else:
            os.link(first, place / f"{i:07d}.png")  # a file system counts the links of a file: some 65,000 at most
    return root


def engines(given: argparse.Namespace, folder: Path) -> list[str]:
    """One process, two, and Ray Data, on the same pictures."""
    scene = prepared(folder, given.count, given.cfg, given.pictures)
    kinds: dict[str, dict[str, object]] = {"one process": {"processes": 1}, "two processes": {"processes": 2}}
    if find_spec("ray"):
        kinds["Ray Data, two actors"] = {"processes": 2, "engine": "ray"}
    found = turns(scene, folder, kinds, given.turns)
    rates = {name: median(one.rate for one in some) for name, some in found.items()}
    base, here = rates["one process"], rates["two processes"]
    lines = [
        f"{given.count} pictures, {Path(scene.network[0]).stem}, one thread a process, shards of {SHARD}; the median "
        f"of {given.turns} runs in turn, at a load of {os.getloadavg()[1]:.0f} on {os.cpu_count()} cores.", "",
        "| engine | pictures/s once started | times one process | of two processes | start | runs |",
        "|---|--:|--:|--:|--:|---|",
    ]  # fmt: skip
    for name, some in found.items():
        each = ", ".join(f"{one.rate:.1f}" for one in some)
        start = median(one.start for one in some)
        share = f"{rates[name] / base:.2f} | {rates[name] / here:.2f}"
        lines.append(f"| {name} | {rates[name]:.1f} | {share} | {start:.1f} s | {each} |")
    wrong = [d for name in kinds for d in differences(folder / "one process-0", folder / f"{name}-0")]
    return [*lines, "", f"Files of results that differ between the engines: {len(wrong)}."]


def memory(given: argparse.Namespace, folder: Path) -> list[str]:
    """The memory of the driver and of its workers, by the number of pictures that are done."""
    scene = Scene((str(CFG), "random"), many_small(folder, given.small))
    asked = arguments_of(scene, folder / "small", processes=2, shard_size=SMALL_SHARD, size=[SIDE, SIDE])
    lines = [
        f"{given.small:,} pictures of {SIDE}x{SIDE}, {CFG.stem} at that size, shards of {SMALL_SHARD}, two processes; "
        "MiB now, and the most so far.", "",
        "| pictures done | after | driver | its most | workers | their most |", "|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    command = [sys.executable, "-c", LOOK, asked, str(given.small // LOOKS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for said in process.stdout:
            pictures, seconds, (now, most), *workers = json.loads(said)
            theirs = (", ".join(f"{kib / 1024:.1f}" for kib in column) for column in zip(*workers, strict=True))
            lines.append(
                f"| {pictures:,} | {seconds:.0f} s | {now / 1024:.1f} | {most / 1024:.1f} | {' | '.join(theirs)} |"
            )
            print(lines[-1], flush=True)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    rows = sum(path.read_bytes().count(b"\n") for path in (folder / "small").glob("part-*"))
    return [*lines, "", f"Rows written: {rows:,}."]


def listing(_: argparse.Namespace, folder: Path) -> list[str]:
    """How many pictures a second the sources give: found, numbered, cut into shards, and the shards hashed."""
    data = (many_small(folder, LISTED[0]) / "0000" / "0000001.png").read_bytes()
    addresses = "".join(f"s3://bucket/folder/{i // 1000:06d}/{i:012d}.jpg\n" for i in range(LISTED[1]))
    files.write_whole(folder / "list.txt", addresses.encode())
    with tarfile.open(folder / "many.tar", "w") as tar:
        for i in range(LISTED[0]):
            info = tarfile.TarInfo(f"{i:07d}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    sources = {
        "folder, 1,000 files in each": folder / f"{LISTED[0]} pictures", "list of addresses": folder / "list.txt",
        "tar": folder / "many.tar",
    }  # fmt: skip
    if find_spec("pyarrow"):
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table({"bytes": [b"1"] * LISTED[1]}), folder / "many.parquet")
        sources["Parquet"] = folder / "many.parquet"
    lines = ["Listed, numbered, cut into shards of 256 and hashed, by one process; no picture is opened.", ""]
    lines += ["| source on this disk | pictures | pictures/s | 10^9 take |", "|---|--:|--:|--:|"]
    for name, source in sources.items():
        best = min(_walk(source) for _ in range(3))
        count = LISTED[0] if name.startswith(("folder", "tar")) else LISTED[1]
        lines.append(f"| {name} | {count:,} | {count / best:,.0f} | {best / count * 1e9 / 3600:.1f} h |")
        print(lines[-1], flush=True)
    return lines


def _walk(source: Path) -> float:
    start = time.process_time()
    deque(cut_shards(list_items([str(source)]), 256, "", ".jsonl"), maxlen=0)
    return time.process_time() - start


PARTS = {"engines": engines, "memory": memory, "listing": listing}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the sections of BATCH.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*PARTS], nargs="*", default=[*PARTS])
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--small", type=int, default=SMALL, help="pictures of which only the number counts")
    parser.add_argument("--cfg", type=Path)
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    for what in given.what:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_section(what.capitalize(), PARTS[what](given, folder))
    print(f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
