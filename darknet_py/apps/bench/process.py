"""A contestant in a process of its own, which does what it is told and answers: a line of JSON in, a line of JSON out.

Decision: nothing but the standard library, so that an environment without this package's dependencies can be a
contestant. Whatever goes wrong in a process (an exception, a crash, silence) is a `SideError` here, and the run goes
on.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import IO, Any

from ...machine import REST

PATIENCE = 300.0  # seconds without an answer after which a contestant counts as hanging
LAST_WORDS = 300  # characters of a dead process's messages that are repeated
SETTLE = 0.04  # seconds of runs before the timing, and of runs that are timed; at least one of both

Handler = Callable[..., Mapping[str, Any]]


class SideError(Exception):
    """What a contestant could not do, and why."""


class Side:
    """The parent's end. `post` and `answer` are the halves of `ask`: several contestants can get ready at once."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as messages:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=messages, env=dict(environment)
            )

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """Do something; the answer. Raises `SideError` if it cannot be done or the process is gone."""
        self.post(what, **arguments)
        return self.answer()

    def post(self, what: str, **arguments: Any) -> None:
        """Say what to do, without waiting."""
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None

    def answer(self) -> dict[str, Any]:
        """The answer to what was posted."""
        pipe = self._process.stdout
        assert pipe
        if not select.select([pipe], [], [], PATIENCE)[0]:
            self._process.kill()
            raise SideError(f"no answer for {PATIENCE:.0f} seconds")
        line = pipe.readline()
        if not line:
            raise self._died()
        reply = dict(json.loads(line))
        if "error" in reply:
            raise SideError(str(reply["error"]))
        return reply

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            try:
                pipe.close()
            except OSError:
                continue
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _died(self) -> SideError:
        status = self._process.wait()
        words = self._log.read_text("utf-8", "replace").strip()[-LAST_WORDS:].replace("\n", " ")
        return SideError(f"the process ended with {status}" + (f": {words}" if words else ""))


def serve(handlers: Mapping[str, Handler], stdin: IO[str], stdout: IO[str]) -> None:
    """The child's end: answer until the input ends."""
    for line in stdin:
        request = json.loads(line)
        try:
            reply = handlers[request.pop("do")](**request)
        except Exception as e:  # whatever it is, the parent decides
            reply = {"error": f"{type(e).__name__}: {e}"[:LAST_WORDS]}
        print(json.dumps(reply), file=stdout, flush=True)


def serve_pipes(handlers: Mapping[str, Handler]) -> None:
    """`serve` on the pipes of this process; what libraries print goes to the messages."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(handlers, sys.stdin, answers)


def seconds(function: Callable[[], object]) -> float:
    """How long a call takes on the wall in a warm process, whose caches and threads others have had: a median."""
    time.sleep(REST)
    _repeat(function)
    return median(_repeat(function))


def _repeat(function: Callable[[], object]) -> list[float]:
    end, taken = time.perf_counter() + SETTLE, [_once(function)]
    while time.perf_counter() < end:
        taken.append(_once(function))
    return taken


def _once(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peak_memory() -> int:
    """The most memory that this process ever had, in bytes; 0 where there is no /proc.

    Not from `getrusage`, which begins with what the parent had.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0
    line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024
