"""`make train-kill`: a training that is killed at random moments ends with the weights of one that was left alone.

Decision: processes of the command line are killed with signal 9, at delays from a seed that fall into starting up,
computing and the writing of checkpoints (savelast=2: much of the time of so small a network goes into files). Compared
are the files at the end, byte for byte. Two endings more: SIGTERM, and a disk that is full.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from darknet_py import files
from darknet_py.apps.train.snapshot import read_snapshot

from .shapes import NAMES, draw_pictures

CFG = Path(__file__).with_name("tiny.cfg")
KILLS, ITERATIONS, SEED = 20, 400, 1
PICTURES = 12
STARTING, WRITING = 0.2, 0.4  # of the kills come before the training has begun, and while a file is half written
START, WORK = 2.5, 0.5  # seconds after the start, or after the first checkpoint, in which a kill falls
ENOUGH = 120.0  # seconds in which a process that starts writes a checkpoint, or something is wrong
STOPPED = 130  # exit status of a training that was asked to stop
RESULTS = ("tiny_last.weights", "tiny_final.weights", "tiny_50.weights")


@dataclass(frozen=True)
class Place:
    """A folder with the data of a training, which has one backup folder for each way that it goes."""

    folder: Path
    iterations: int

    @classmethod
    def prepared(cls, folder: Path, iterations: int) -> Place:
        """A few pictures to learn, and the .data file."""
        listed = draw_pictures(folder / "pictures", PICTURES, SEED)
        names = files.write_whole(folder / "my.names", "".join(f"{name}\n" for name in NAMES).encode())
        lines = ("classes=4", f"train={listed}", f"valid={listed}", f"names={names}", "savelast=2", "saveweights=50")
        files.write_whole(folder / "my.data", "".join(f"{line}\n" for line in lines).encode())
        return cls(folder, iterations)

    def start(self, backup: str, *more: str, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
        """The training with a backup folder, as a process."""
        given = (
            str(self.folder / "my.data"), str(CFG), "--backup", str(self.folder / backup), "--max-batches",
            str(self.iterations), "--threads", "1", "--each", "50", *more,
        )  # fmt: skip
        command = [sys.executable, "-m", "darknet_py", "train", *given]
        return subprocess.Popen(
            command, text=True, preexec_fn=before, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def finish(self, backup: str, *more: str) -> None:
        """The training to its end; the process must succeed."""
        process = self.start(backup, *more)
        _, said = process.communicate()
        if process.returncode:
            raise SystemExit(f"{backup}: exit status {process.returncode}\n{said}")

    def state(self, backup: str) -> Path:
        """The file that a training goes on with."""
        return self.folder / backup / "tiny_last.state"

    def iteration(self, backup: str) -> int:
        """The iteration of that file, which must be whole; 0 where there is none yet."""
        path = self.state(backup)
        return read_snapshot(path).iteration if path.exists() else 0

    def half_written(self, backup: str) -> list[str]:
        """The files that are being written, or were when a process was killed."""
        folder = self.folder / backup
        names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - quicker, and it is done all the time
        return [name for name in names if name.startswith(".") and name != files.LIST]

    def differences(self, backup: str) -> list[str]:
        """The results that are not those of the undisturbed training."""
        pairs = ((self.folder / "whole" / name, self.folder / backup / name) for name in RESULTS)
        return [str(b) for a, b in pairs if not b.exists() or a.read_bytes() != b.read_bytes()]


def killed(place: Place, kills: int, seed: int) -> list[str]:
    """Kill a training so many times, finish it, and say what came of it, one line each."""
    chance, lines = random.Random(seed), []
    for number in range(1, kills + 1):
        kind = chance.random()
        early, writing = kind < STARTING, kind > 1 - WRITING
        delay = chance.uniform(0, START if early else WORK)
        before, old = place.iteration("killed"), {*place.half_written("killed")}
        process = place.start("killed")
        if not early:
            wait_for_checkpoint(place, "killed", process)
        time.sleep(delay)
        if writing:
            wait_for_writing(place, "killed", process)
        over = process.poll() is not None
        process.kill()
        process.communicate()
        left = {*place.half_written("killed")} - old
        after = place.iteration("killed")
        moment = f"{delay:.2f} s after {'the start' if early else 'its first checkpoint'}"
        note = "it was over" if over else f"{len(left)} file{'s' * (len(left) != 1)} half written" if left else ""
        lines.append(f"{number:2} {moment}: iteration {before} to {after} {note}".rstrip())
        print(lines[-1], flush=True)
        if over:
            raise SystemExit(f"the training ended before it was killed {kills} times: give more --iterations")
    place.finish("killed")
    return lines


def wait_for_checkpoint(place: Place, backup: str, process: subprocess.Popen[str]) -> None:
    """Until a process that was just started has written its first state."""
    path, end = place.state(backup), time.monotonic() + ENOUGH
    first = path.stat().st_mtime_ns if path.exists() else 0
    while process.poll() is None and time.monotonic() < end:
        if path.exists() and path.stat().st_mtime_ns != first:
            return
        time.sleep(0.002)
    raise SystemExit(f"no checkpoint: {process.communicate()[1] if process.poll() is not None else 'it waits'}")


def wait_for_writing(place: Place, backup: str, process: subprocess.Popen[str]) -> None:
    """Until a file is being written; the next ones of a process that was killed are of another process."""
    before = {*place.half_written(backup)}
    while process.poll() is None and before.issuperset(place.half_written(backup)):
        pass


def terminated(place: Place) -> str:
    """Ask a training to stop with SIGTERM, and finish it."""
    process = place.start("terminated")
    wait_for_checkpoint(place, "terminated", process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=ENOUGH)
    if process.returncode != STOPPED:
        raise SystemExit(f"SIGTERM: exit status {process.returncode}, not {STOPPED}\n{said}")
    stopped = place.iteration("terminated")
    place.finish("terminated")
    return f"SIGTERM: exit status {STOPPED} after iteration {stopped}"


def filled(place: Place) -> str:
    """Train on until no file may grow to the size of a state, as on a full disk; then finish it with room again."""
    place.finish("filled", "--iterations", "20")
    state = place.state("filled")
    good, room = state.read_bytes(), len(state.read_bytes()) // 2
    process = place.start("filled", before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))
    _, said = process.communicate(timeout=ENOUGH)
    last = said.strip().partition("error: ")[2].replace("\n", " ")
    if process.returncode != 1 or "Traceback" in said or str(state) not in said:
        raise SystemExit(f"full disk: exit status {process.returncode}, and it says:\n{said}")
    if state.read_bytes() != good:
        raise SystemExit("full disk: the last good state is gone")
    place.finish("filled")
    return f"full disk: exit status 1, the state of iteration 20 kept: {last}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do all three, print what happened, and say by the exit status whether everything was as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        place = Place.prepared(Path(folder), given.iterations)
        start = time.perf_counter()
        place.finish("whole")
        print(f"undisturbed: {given.iterations} iterations in {time.perf_counter() - start:.0f} s", flush=True)
        killed(place, given.kills, given.seed)
        print(terminated(place), flush=True)
        print(filled(place), flush=True)
        wrong = [line for backup in ("killed", "terminated", "filled") for line in place.differences(backup)]
    print(f"not the undisturbed run's: {', '.join(wrong)}" if wrong else f"{', '.join(RESULTS)}: the same, bit for bit")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
