"""`make batch-kill`: a work whose processes are killed at random ends with the rows of one that was left alone.

Decision: signal 9, at moments from a seed, at any process of the tree: the driver, its workers, and Ray's own (its
server, its agents, its actors). A driver that is killed is started again with the same command, after everything that
it had started is gone; any other process is not replaced by this tool. Compared are the files of results, byte by byte.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from darknet_py.machine import is_alive

from .report import write_section
from .scene import Scene, prepared

KILLS, EACH, PICTURES, SHARD, SEED = 50, 10, 1000, 20, 1
HANGING = 240.0  # seconds without a new result, after which a work counts as hanging
GONE = 60.0  # seconds in which what a killed driver has started has to end
EARLY, START, WORK = 0.25, 15.0, 3.0  # of the kills fall into the seconds after one before, others after a new result
DRIVER = 0.3  # of the kills


@dataclass
class Toll:
    """What was killed, and what it came to."""

    killed: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    hung: int = 0
    left: int = 0  # processes that outlived their driver
    wrong: list[str] = field(default_factory=list)


def tree(process: int) -> list[int]:
    """All processes that one has started, and those that these have."""
    found = [int(n) for p in Path(f"/proc/{process}/task").glob("*/children") for n in _text(p).split()]
    return found + [deeper for child in found for deeper in tree(child)]


def name_of(process: int) -> str:
    """What a process is, in a word."""
    words = _text(Path(f"/proc/{process}/cmdline")).replace("\0", " ")
    known = {
        "batch.child": "worker", "raylet/raylet": "Ray: raylet", "gcs_server": "Ray: gcs_server",
        "ray::": "Ray: actor or task",
        "reaper": "", "monitor": "Ray: monitor", "gent": "Ray: agent", "default_worker": "Ray: actor or task",
    }  # fmt: skip
    return next((title for word, title in known.items() if word in words), "")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended
        return ""


def command(scene: Scene, out: Path, engine: str) -> list[str]:
    """The command line of a work."""
    return [
        sys.executable, "-m", "darknet_py", "batch", *scene.network, str(scene.pictures), "-o", str(out),
        "--shard-size", str(SHARD), "--processes", "2", "--engine", engine,
    ]  # fmt: skip


def disturbed(scene: Scene, out: Path, engine: str, kills: int, chance: random.Random, toll: Toll) -> None:
    """A work of which so many processes are killed, to its end."""
    left, process = kills, start(scene, out, engine, toll)
    due, news, results = soon(chance), time.monotonic(), -1
    while process.poll() is None or process.returncode:
        if process.poll() is not None:  # it gave up, as it may when Ray breaks down
            print(f"   ended with {process.returncode}: {last_words(process)}", flush=True)
            process = start(scene, out, engine, toll)
        time.sleep(0.01)
        now = time.monotonic()
        if (count := len(list(out.glob("part-*")))) != results:
            if due == math.inf and count > results >= 0:
                due = now + chance.uniform(0, WORK)
            news, results = now, count
        if now - news > HANGING:
            toll.hung += 1
            print("   it hangs", flush=True)
            process = killed(process, scene, out, engine, toll)
            news = time.monotonic()
        if left and now > due:
            victim = chosen(process.pid, chance)
            toll.killed[victim[1]] += 1
            left -= 1
            print(f"{kills - left:3} of {kills}: {victim[1]}, {results} shards are done", flush=True)
            if victim[0] == process.pid:
                process = killed(process, scene, out, engine, toll)
            else:
                subprocess.run(["kill", "-9", str(victim[0])], check=False, stderr=subprocess.DEVNULL)
            due = soon(chance)
    process.communicate()


def soon(chance: random.Random) -> float:
    """When the next kill is due; infinity: some time after the next result."""
    return time.monotonic() + chance.uniform(0, START) if chance.random() < EARLY else math.inf


def chosen(driver: int, chance: random.Random) -> tuple[int, str]:
    """The next victim: the driver, or any process of its tree."""
    others = [(p, name) for p in tree(driver) if (name := name_of(p))]
    if not others or chance.random() < DRIVER:
        return driver, "driver"
    kind = chance.choice(sorted({name for _, name in others}))
    return chance.choice([pair for pair in others if pair[1] == kind])


def start(scene: Scene, out: Path, engine: str, toll: Toll) -> subprocess.Popen[str]:
    """The work, as a process."""
    toll.starts += 1
    return subprocess.Popen(
        command(scene, out, engine), text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )  # fmt: skip


def killed(process: subprocess.Popen[str], scene: Scene, out: Path, engine: str, toll: Toll) -> subprocess.Popen[str]:
    """Kill the driver, wait for what it had started to end, and start it again."""
    others = tree(process.pid)
    process.kill()
    process.wait()
    end = time.monotonic() + GONE
    while (running := [p for p in others if is_alive(p)]) and time.monotonic() < end:
        time.sleep(0.02)
    toll.left += len(running)
    for p in running:
        print(f"   outlived its driver: {_text(Path(f'/proc/{p}/cmdline'))[:100]}", flush=True)
        subprocess.run(["kill", "-9", str(p)], check=False)
    if process.stderr:
        process.stderr.close()
    return start(scene, out, engine, toll)


def last_words(process: subprocess.Popen[str]) -> str:
    """The last line that a process said."""
    said = process.communicate()[1].strip().splitlines()
    return next((line for line in reversed(said) if line.startswith("error")), said[-1] if said else "")


def differences(whole: Path, out: Path) -> list[str]:
    """What is not as in the undisturbed work: files, rows, positions."""
    one, other = ({p.name: p.read_bytes() for p in folder.glob("part-*")} for folder in (whole, out))
    wrong = [name for name in {*one, *other} if one.get(name) != other.get(name)]
    files = [shard["file"] for shard in json.loads((out / "manifest.json").read_text())["shards"]]
    positions = [json.loads(line)["position"] for name in files for line in other[name].splitlines()]
    if positions != list(range(len(positions))):
        wrong.append("positions")
    strays = [p.name for p in out.iterdir() if p.name.startswith(".darknet-py.") and p.name != ".darknet-py.jsonl"]
    return wrong + strays


def tried(engine: str, kills: int, scene: Scene, folder: Path, seed: int) -> tuple[Toll, str]:
    """Works of which some processes are killed each, compared with the one that was left alone."""
    chance, toll, began = random.Random(seed), Toll(), time.monotonic()
    rounds = 0
    while (left := kills - sum(toll.killed.values())) > 0:
        out = folder / f"{engine}-{rounds}"
        disturbed(scene, out, engine, min(EACH, left), chance, toll)
        toll.wrong += differences(folder / "whole", out)
        rounds += 1
        print(f"{engine}, work {rounds}: {left} kills were left; {len(toll.wrong)} differences", flush=True)
    what = ", ".join(f"{count} {name}" for name, count in sorted(toll.killed.items()))
    line = (
        f"| {engine} | {sum(toll.killed.values())} | {what} | {rounds} | {toll.starts} | {toll.hung} | {toll.left} | "
        f"{len(toll.wrong)} | {(time.monotonic() - began) / 60:.0f} min |"
    )
    return toll, line


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill on both engines, write the section of BATCH.md, and say by the exit status whether nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help="on this machine's engine")
    parser.add_argument("--ray", type=int, default=0, metavar="KILLS", help="and so many on Ray's")
    parser.add_argument("--count", type=int, default=PICTURES)
    parser.add_argument("--cfg", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = prepared(folder, given.count, given.cfg, given.pictures)
        subprocess.run(command(scene, folder / "whole", "here"), check=True)
        engines = [(engine, kills) for engine, kills in (("here", given.kills), ("ray", given.ray)) if kills]
        found = {engine: tried(engine, kills, scene, folder, given.seed) for engine, kills in engines}
    for engine, (_, line) in found.items():
        write_section(f"Killed at random: {engine}", [
            f"{given.count} pictures, {Path(scene.network[0]).stem}, shards of {SHARD}, 2 processes; kill -9; seed "
            f"{given.seed}. Each work is finished by starting the same command again, and its files are compared byte "
            "by byte with those of a work that was left alone; every position once, no half-written file left.", "",
            "| engine | kills | of | works | starts | hung | processes that outlived their driver | differences | "
            "took |", "|---|--:|---|--:|--:|--:|--:|--:|--:|", line,
        ])  # fmt: skip
    return int(any(toll.wrong or toll.hung or toll.left for toll, _ in found.values()))


if __name__ == "__main__":
    sys.exit(main())
