"""`make weights` (`python -m tools.train.codes.train`): trains the detector of codes from random numbers.

Decision: it is `darknet_py`'s trainer with a source of pictures that are drawn on the way. How long it is, is a number
of iterations, never of seconds, so that everybody's training is the same. Each process computes with one thread: two
processes with one thread each learn faster than one with two.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from darknet_py import files
from darknet_py.apps.train.lines import duration
from darknet_py.apps.train.plan import Plan, Settings, read_plan
from darknet_py.apps.train.run import need_torch
from darknet_py.errors import DarknetError

from .source import MEASURED, Drawn, write_pictures

CFG = Path(__file__).parents[3] / "cfgs" / "yolov3-csppelee-efm-codes.cfg"
HOURS = 7.6  # of one core, about, of all ITERATIONS
ITERATIONS = 9_000
BATCH, PARTS = 32, 2  # pictures of an update, and mini-batches that they are computed in, at most one a process
STAGES = ((0.0, 160), (0.333, 224), (0.75, 416))  # the share of the training that a size begins at
# Pictures in a second of one core that has bfloat16 (AMD EPYC of 2022), their drawing included.
PACE = {160: 30.0, 224: 14.5, 416: 4.5}
EMA = 0.998  # of 500 iterations: longer, and the statistics of a smaller size stay in it
SEED = 1
MEASURE_EACH = 1000  # iterations
SAY_EACH = 20
PATIENCE = 30  # seconds that another process has to end


def folder() -> Path:
    """Where the state of the training lies, outside the work tree."""
    return files.cache_dir() / "training" / "codes"


def settings_of(given: argparse.Namespace) -> Settings:
    """The options of the training."""
    total = max(10, round(ITERATIONS * given.hours / HOURS))
    return Settings(
        seed=SEED, threads=1, workers=given.workers, batch=BATCH, subdivisions=PARTS, max_batches=total,
        iterations=given.iterations, fresh=given.fresh, map_=True, map_each=MEASURE_EACH, save_seconds=180,
        precision=given.precision, sizes=tuple((round(share * total), side) for share, side in STAGES), ema=EMA,
        schedule="cosine", optimizer=given.optimizer, clip_norm=given.clip_norm,
    )  # fmt: skip


def plan_of(given: argparse.Namespace) -> Plan:
    """The whole training. Raises `DarknetError`."""
    measured = given.backup / "measured"
    if "RANK" not in os.environ and not (measured / "pictures.list").is_file():
        print(f"drawing the {MEASURED} pictures that it is measured on")
        write_pictures(measured, MEASURED, 416)
    return read_plan(
        given.cfg, Drawn(SEED), backup=given.backup, valid=measured / "pictures.list", settings=settings_of(given),
        say=print,
    )  # fmt: skip


def say_what_it_takes(plan: Plan, processes: int) -> None:
    """Print what all of it will take, by what one core did where it was measured."""
    total, seconds = plan.net.max_batches, 0.0
    ends = [first for first, _ in plan.settings.sizes[1:]] + [total]
    for (first, side), end in zip(plan.settings.sizes, ends, strict=True):
        print(f"{end - first:,} iterations of {BATCH} pictures of {side}x{side}")
        seconds += (end - first) * BATCH / PACE[side]
    print(
        f"about {seconds / 3600:.1f} core-hours on a server of 2023: {duration(seconds / processes)} with {processes} "
        f"processes of one thread\nit is kept in {plan.backup}, and the same command goes on where it was stopped"
    )


@contextmanager
def helpers(count: int, command: Sequence[str]) -> Iterator[None]:
    """The other processes of a training, which end with it: each one waits for the sums of all.

    They run the same command, and know by the variables of `torchrun` who they are, as this one does in here.
    """
    if count == 1 or "RANK" in os.environ:
        yield
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ours, *others = ({**common, "RANK": str(rank)} for rank in range(count))
    quiet = subprocess.DEVNULL
    started = [
        subprocess.Popen(command, env={**os.environ, **own}, stdout=quiet, stderr=quiet, start_new_session=True)
        for own in others
    ]
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]
        for one in started:
            _end(one)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, or go on; the exit status, 130 where it was stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=HOURS, help="core-hours, about (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="with one thread each: 1 or 2 (default: %(default)s)")
    parser.add_argument("--iterations", type=int, help="stop after this iteration; the same command goes on")
    parser.add_argument("--backup", type=Path, default=folder(), help="where it is kept (default: %(default)s)")
    parser.add_argument("--cfg", type=Path, default=CFG)
    parser.add_argument("--fresh", action="store_true", help="begin anew")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="bf16")
    parser.add_argument("--optimizer", choices=("darknet", "adamw"), default="adamw")
    parser.add_argument("--clip-norm", type=float)
    parser.add_argument("--workers", type=int, default=0, help="threads that draw beside each process")
    words = sys.argv[1:] if arguments is None else arguments
    given = parser.parse_args(words)
    need_torch()
    from darknet_py.cli.train import follow

    plan = plan_of(given)
    begins = given.fresh or not plan.path("last", "state").is_file()
    if "RANK" not in os.environ and begins:
        say_what_it_takes(plan, given.processes)
    with helpers(given.processes, [sys.executable, "-m", "tools.train.codes.train", *words]):
        return follow(plan, "table", SAY_EACH)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DarknetError as e:
        sys.exit(f"error: {e}")
