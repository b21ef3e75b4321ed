"""The process in which inputs are checked: it measures each, and says what became of them.

Decision: limits that nothing can catch are the system's own. A timer of processor time ends the process in a hang, even
inside a C library, another one where it waits for something; the parent sees the death, and a number in shared memory
says at which seed. Growth is what the peak of resident memory rises above what was resident before an input.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import suppress
from ctypes import c_longlong
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from .target import Case, Mismatch, Target, load_target

MB = 1 << 20
PAGE = resource.getpagesize()
MAXRSS = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss
NONE = -1  # no seed
MEMORY = Path("/dev/shm")  # a folder on a disk costs more than to compile a small cfg


@dataclass(frozen=True)
class Limits:
    """What an input may cost. Beyond `seconds` and `megabytes` it is a finding; at the others the process is ended."""

    seconds: float = 2.0  # of processor time
    megabytes: float = 150.0
    most_seconds: float = 20.0  # of processor time
    longest_wait: float = 600.0  # on a clock on the wall: a machine that is shared may be slow
    address_space: float = 6144.0  # megabytes beyond what the worker has when it begins
    tired: float = 60.0  # megabytes: a worker whose peak lies this far above its memory sees no smaller growth


@dataclass(frozen=True)
class Finding:
    """What is wrong with an input; `signature` is the same for the same fault."""

    kind: str
    signature: str
    message: str


@dataclass
class Report:
    """What became of the seeds from `start` to before `stop`: how often which word, and findings by seed."""

    start: int
    stop: int
    words: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    seconds: float = 0.0  # of processor time, with the making of inputs
    slowest: tuple[float, int] = (0.0, NONE)  # seconds and seed
    largest: tuple[float, int] = (0.0, NONE)  # megabytes and seed
    tired: bool = False


@dataclass(frozen=True)
class Seeds:
    """A job: the seeds from `start` to before `stop`."""

    start: int
    stop: int


@dataclass(frozen=True)
class Give:
    """A job: only make the input of a seed."""

    seed: int


@dataclass(frozen=True)
class Files:
    """A job: check an input that is at hand."""

    case: Case


@dataclass(frozen=True)
class Outcome:
    """What became of one input."""

    word: str
    finding: Finding | None
    seconds: float
    megabytes: float


def serve(module: str, pipe: Connection, board: c_longlong, limits: Limits, log: str) -> None:
    """Do jobs until the pipe closes: `Seeds` → `Report`, `Give` → `Case`, `Files` → `Outcome`."""
    warnings.simplefilter("ignore")
    _quiet(log)
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY if MEMORY.is_dir() else None))
    os.environ["DARKNET_PY_CACHE"] = str(scratch / "cache")
    target = load_target(module)
    _limit_address_space(limits)
    started = 0
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            job = pipe.recv()
            if isinstance(job, Seeds):
                if not started:
                    board.value = job.start
                    attempt(target, target.case(job.start), limits, scratch)  # what is loaded on first use is no growth
                    started = resident()
                pipe.send(_run(target, job, board, limits, scratch, started))
            elif isinstance(job, Give):
                pipe.send(target.case(job.seed))
            else:
                pipe.send(attempt(target, job.case, limits, scratch))
    shutil.rmtree(scratch, ignore_errors=True)


def _run(target: Target, job: Seeds, board: c_longlong, limits: Limits, scratch: Path, started: int) -> Report:
    report = Report(job.start, job.stop)
    begin = time.process_time()
    for seed in range(job.start, job.stop):
        board.value = seed
        found = attempt(target, target.case(seed), limits, scratch)
        report.words[found.word] += 1
        if found.finding:
            report.findings.append((seed, found.finding))
        report.slowest = max(report.slowest, (found.seconds, seed))
        report.largest = max(report.largest, (found.megabytes, seed))
        now = resident()
        if peak() - now > limits.tired * MB or now - started > 4 * limits.tired * MB:
            report.stop, report.tired = seed + 1, True
            break
    board.value = NONE
    report.seconds = time.process_time() - begin
    return report


def attempt(target: Target, case: Case, limits: Limits, scratch: Path) -> Outcome:
    """Check one input under limits."""
    folder = scratch / "input"
    _empty(folder)
    target.build(case, folder)
    memory, highest = resident(), peak()
    signal.setitimer(signal.ITIMER_PROF, limits.most_seconds)
    signal.setitimer(signal.ITIMER_REAL, limits.longest_wait)
    begin = time.process_time()
    word, finding = _checked(target, folder)
    seconds = time.process_time() - begin
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    grown = (peak() - memory) / MB if peak() > highest else 0.0
    if finding is None and grown > limits.megabytes:  # first: it does not depend on how busy the machine is
        finding = Finding("memory", "memory", f"{grown:.0f} MB more memory")
    if finding is None and seconds > limits.seconds:
        finding = Finding("slow", "slow", f"{seconds:.1f} s of processor time")
    return Outcome(finding.kind if finding else word, finding, seconds, grown)


def _checked(target: Target, folder: Path) -> tuple[str, Finding | None]:
    from darknet_py.errors import DarknetError

    try:
        return target.check(folder), None
    except DarknetError:
        return "refused", None
    except Mismatch as e:
        return "", Finding("mismatch", e.kind, str(e))
    except BaseException as e:  # whatever it is, it is what is looked for
        signature = f"{type(e).__name__} in {_place(e)}"
        text = "".join(traceback.format_exception(e))
        del e
        gc.collect()
        return "", Finding("exception", signature, text[-4000:])


def _place(e: BaseException) -> str:
    """The innermost function of the project in a traceback, without line numbers, which change."""
    frames = traceback.extract_tb(e.__traceback__)
    own = [f for f in frames if "darknet_py" in f.filename] or frames
    return f"{'/'.join(Path(own[-1].filename).parts[-2:])} {own[-1].name}"


def _empty(folder: Path) -> None:
    """An empty folder; the same one again, which is quicker."""
    folder.mkdir(exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()


def resident() -> int:
    """Bytes of memory that are resident now."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except OSError:
        return peak()


def peak() -> int:
    """The most bytes of memory that were ever resident.

    What `getrusage` says begins with the peak of the process that started this one; Linux knows better.
    """
    with suppress(OSError):
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS


def _limit_address_space(limits: Limits) -> None:
    with suppress(OSError, ValueError):  # not every system knows it
        now = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
        resource.setrlimit(resource.RLIMIT_AS, (now + int(limits.address_space * MB),) * 2)


def _quiet(log: str) -> None:
    """What libraries print, and the stack in which the process dies, go to a file."""
    file = os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT, 0o600), "w")  # open as long as the process lives
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    faulthandler.enable(file)
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
        faulthandler.register(number, file, all_threads=False, chain=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
