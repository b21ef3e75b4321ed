"""Workers, watched: jobs go out, reports come back, and the death of a worker is a finding about one seed.

Decision: a worker is started anew (`spawn`), not forked: the libraries that are fuzzed have threads.
"""

from __future__ import annotations

import multiprocessing
import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from ctypes import c_longlong
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from .worker import NONE, Files, Finding, Give, Limits, Outcome, Report, Seeds, serve

MOST_STILLBORN = 5  # deaths before the first input, one after another, that are put down to the machine
FRAME = re.compile(r'File "([^"]*)", line \d+ in (\S+)')


class Worker:
    """A process that does one job at a time."""

    def __init__(self, module: str, limits: Limits) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe: Connection
        self.pipe, theirs = context.Pipe()
        self.board: Any = context.RawValue(c_longlong, NONE)
        self._log = Path(tempfile.mkdtemp(prefix="fuzz-worker-"), "stack")
        arguments = (module, theirs, self.board, limits, str(self._log))
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.job: Seeds | None = None

    def death(self) -> Finding:
        """Why it died: call it when the pipe has closed."""
        self.process.join()
        code = self.process.exitcode or 0
        number = signal.Signals(-code) if code < 0 else None
        kinds = {signal.SIGPROF: "hang", signal.SIGALRM: "wait", signal.SIGKILL: "killed"}
        kind = kinds.get(number, "crash") if number else "exit"
        stack = self._log.read_text(errors="replace") if self._log.exists() else ""
        own = [f"{'/'.join(Path(f).parts[-2:])} {name}" for f, name in FRAME.findall(stack) if "darknet_py" in f]
        place = own[0] if own else "?"
        return Finding(kind, f"{number.name if number else f'exit {code}'} in {place}", stack[-4000:] or f"exit {code}")

    def end(self) -> None:
        """End the process."""
        self.pipe.close()
        self.process.join(2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        with suppress(OSError):
            self._log.unlink(missing_ok=True)
            self._log.parent.rmdir()


class Guard:
    """One worker for single inputs, started again whenever it has died."""

    def __init__(self, module: str, limits: Limits) -> None:
        self._module, self._limits = module, limits
        self._worker: Worker | None = None

    def ask(self, job: Give | Files) -> Any:
        """The answer to a job: a `Case`, or an `Outcome`, which may be the death of the worker."""
        worker = self._worker or Worker(self._module, self._limits)
        self._worker = worker
        try:
            worker.pipe.send(job)
            return worker.pipe.recv()
        except (EOFError, OSError):
            finding = worker.death()
            self.end()
            return Outcome(finding.kind, finding, 0.0, 0.0)

    def end(self) -> None:
        """End the worker."""
        if self._worker:
            self._worker.end()
        self._worker = None


def run_all(module: str, jobs: Iterator[Seeds], workers: int, limits: Limits) -> Iterator[Report]:
    """Do all jobs with some workers at a time; what became of each piece, as it is done.

    Closing the iterator ends the workers; pieces that were begun are then not reported.
    """
    crew = Crew(module, limits)
    try:
        while True:
            crew.hand_out(jobs, workers)
            if not crew.busy:
                return
            for ready in wait([w.pipe for w in crew.busy], timeout=1.0):
                worker = next(w for w in crew.busy if w.pipe is ready)
                if report := crew.collect(worker):
                    yield report
    finally:
        crew.end()


class Crew:
    """Workers for many seeds, and what dead and tired ones left undone."""

    def __init__(self, module: str, limits: Limits) -> None:
        self._module, self._limits = module, limits
        self._left: list[Seeds] = []
        self._idle: list[Worker] = []
        self._stillborn = 0
        self.busy: list[Worker] = []

    def hand_out(self, jobs: Iterator[Seeds], workers: int) -> None:
        """Give every worker something to do, as long as there is something."""
        while len(self.busy) < workers and (job := self._left.pop() if self._left else next(jobs, None)):
            worker = self._idle.pop() if self._idle else Worker(self._module, self._limits)
            worker.job = job
            self.busy.append(worker)
            with suppress(OSError):  # it died meanwhile: told when its pipe is read
                worker.pipe.send(job)

    def collect(self, worker: Worker) -> Report | None:
        """What a worker says of its job, or what its death says; None where it died without having begun."""
        job = worker.job
        assert job is not None, "it is busy"
        self.busy.remove(worker)
        try:
            report: Report = worker.pipe.recv()
        except (EOFError, OSError):
            return self._buried(worker, job)
        self._stillborn = 0
        if report.stop < job.stop:
            self._left.append(Seeds(report.stop, job.stop))
        if report.tired:
            worker.end()
        else:
            self._idle.append(worker)
        return report

    def _buried(self, worker: Worker, job: Seeds) -> Report | None:
        finding, seed = worker.death(), worker.board.value
        worker.end()
        if seed == NONE:
            self._stillborn += 1
            if self._stillborn > MOST_STILLBORN:
                raise RuntimeError(f"workers die before their first input: {finding.message}")
            self._left.append(job)
            return None
        # The seeds before it are done again: their report died with the worker.
        self._left += [s for s in (Seeds(seed + 1, job.stop), Seeds(job.start, seed)) if s.start < s.stop]
        report = Report(seed, seed + 1, findings=[(seed, finding)])
        report.words[finding.kind] += 1
        return report

    def end(self) -> None:
        """End all workers."""
        for worker in (*self.busy, *self._idle):
            worker.process.kill()
            worker.end()
