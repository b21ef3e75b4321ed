"""A process that computes shards, as others have it: it may die of a picture, and then the picture is found.

Decision: the process that decodes and computes is never the one that decides. Dies it, it is started again; dies it
twice at the same shard, the shard is halved, and its halves, until single pictures are left that kill it each time.
They become rows with `error`, and the rest is computed. A process that somebody else kills costs a shard's time.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from ...errors import DarknetError, DataError
from ...machine import thread_environment
from .job import Job
from .listing import Item
from .shards import Shard
from .work import Done

COMMAND = (sys.executable, "-m", "darknet_py.apps.batch.child")
CHANCE = 2  # deaths at a shard before one of its pictures is suspected: memory runs short, people kill
SURE = 3  # deaths at a picture alone that convict it
PATIENCE = 12  # deaths at a shard without a picture that is guilty, after which it is left
AFTERWARDS = 5.0  # seconds in which the words of a dead process arrive
LAST_WORDS = 5  # lines of a dead process that are repeated


class Died(Exception):
    """The process is gone; the message says how."""


class Worker:
    """A process that computes shards, started when it is needed, and again when it has died."""

    def __init__(self, job: Job, out: str, threads: int = 1) -> None:
        self._job, self._out, self._threads = job, out, threads
        self._process: subprocess.Popen[str] | None = None
        self._words: deque[str] = deque(maxlen=LAST_WORDS)
        self._listener: threading.Thread | None = None
        self._stopped = False

    def compute(self, shard: Shard) -> Done:
        """Compute a shard, whatever its pictures do; what cannot be helped is the `failure` of the answer."""
        try:
            errors = self._computed(shard)
        except DarknetError as e:
            return Done(shard.name, len(shard.items), "failed", failure=str(e))
        return Done(shard.name, len(shard.items), errors=errors)

    def try_items(self, items: Sequence[Item], batch: int) -> None:
        """Compute pictures, so many at a time, and write nothing. Raises `Died`, and `DarknetError` for a failure."""
        self._ask("", items, {}, batch)

    def _computed(self, shard: Shard) -> int:
        poison: dict[int, str] = {}
        for death in range(1, PATIENCE + 1):
            try:
                return self._ask(shard.name, shard.items, poison)
            except Died as e:
                how = str(e)
            if death >= CHANCE:
                poison |= self._poisonous([item for item in shard.items if item.position not in poison])
        raise DataError(
            f"{shard.name}: the process that computes it died {PATIENCE} times ({how}), and no picture kills it alone\n"
            "  hint: is there enough memory? fewer --processes, a smaller --batch"
        )

    def _poisonous(self, items: list[Item]) -> dict[int, str]:
        """Those of the pictures that kill a process alone, each time."""
        if len(items) == 1:
            deaths = [how for _ in range(SURE) if (how := self._death(items))]
            if len(deaths) < SURE:
                return {}
            return {items[0].position: f"it kills the process that reads it ({deaths[-1]}); passed by"}
        found: dict[int, str] = {}
        middle = len(items) // 2
        for half in (items[:middle], items[middle:]):
            if self._death(half):
                found |= self._poisonous(half)
        return found

    def _death(self, items: list[Item]) -> str:
        """How the process dies of these pictures; empty if it does not."""
        try:
            self._ask("", items, {})
        except Died as e:
            return str(e)
        return ""

    def _ask(self, name: str, items: Sequence[Item], poison: dict[int, str], batch: int | None = None) -> int:
        if self._process is None:
            self._start()
        reply = self._exchange(name=name, items=items, poison=poison, batch=batch or self._job.batch)
        return int(reply["errors"])

    def _start(self) -> None:
        """Start the process, until it has opened the network: somebody may kill it then, too."""
        for _ in range(PATIENCE):
            if self._stopped:
                raise DataError("stopped")
            self._process = subprocess.Popen(
                COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                encoding="utf-8", errors="replace", env=thread_environment(self._threads),
            )  # fmt: skip
            self._words.clear()
            self._listener = threading.Thread(target=self._listen, args=[self._process], daemon=True)
            self._listener.start()
            try:
                self._exchange(job=self._job.to_json(), out=self._out)
                return
            except Died as e:
                how = str(e)
        words = "".join(f"\n  {line.rstrip()}" for line in self._words)
        raise DataError(f"the process that computes dies while it opens the network ({how}){words}")

    def _exchange(self, **request: Any) -> dict[str, Any]:
        """A request and its answer. Raises `Died`, and `DataError` for what the process says it cannot do."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (OSError, ValueError):  # ValueError: it was closed meanwhile
            line = ""
        if not line.endswith("\n"):
            raise Died(self._end())
        reply = dict(json.loads(line))
        if "failure" in reply:
            raise DataError(reply["failure"])
        return reply

    def _listen(self, process: subprocess.Popen[str]) -> None:
        """Keep the last lines that a process says, so that it never waits for who reads them."""
        assert process.stderr is not None
        with process.stderr as words:
            self._words.extend(words)

    def _end(self) -> str:
        """How the process ended."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        status = process.wait()
        assert self._listener is not None
        self._listener.join(AFTERWARDS)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:  # what was not sent
                continue
        return _signal(-status) if status < 0 else f"exit status {status}"

    def stop(self) -> None:
        """End the process while another thread may be waiting for it; it is not started again."""
        self._stopped = True
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._end()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
