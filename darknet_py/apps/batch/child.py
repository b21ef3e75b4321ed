"""A process that computes shards: it is told one in a line of JSON, writes its results, and answers with a line.

Run as `python -m darknet_py.apps.batch.child`; `worker.Worker` is the other end. When that is gone, however it ended,
this process ends at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TextIO

from ...errors import DarknetError
from .fetch import fetches
from .formats import row_format
from .job import Job
from .listing import Item
from .output import Output, output_of
from .rows import batch_rows, broken_row

if TYPE_CHECKING:
    from ...model.model import Model


def compute(
    model: Model, job: Job, place: Output, name: str, items: list[Item], poison: dict[int, str], batch: int
) -> int:  # fmt: skip
    """The one function: a shard of pictures in, `batch` at a time, one file of results out; how many are errors.

    `poison` are the positions of pictures that are passed by, with what is written of them. Without a `name` nothing is
    written.
    """
    sound = [item for item in items if item.position not in poison]
    pairs = zip((item.path for item in sound), fetches(sound, job.options.column), strict=True)
    found = batch_rows(model, pairs, workers=job.workers, batch=batch, **job.options.calling())
    rows = [{"position": item.position, **row} for item, row in zip(sound, found, strict=True)]
    passed = [(item, poison[item.position]) for item in items if item.position in poison]
    rows += [{"position": item.position, **broken_row(item.path, f"{item.path}: {why}")} for item, why in passed]
    if name:
        rows.sort(key=lambda row: row["position"])
        place.write(name, row_format(job.form).encode(rows))
    return sum(row["error"] is not None for row in rows)


def answer_requests(lines: TextIO, answers: TextIO) -> None:
    """Answer until there are no more requests."""
    queue = _requests(lines)
    first = json.loads(queue.get())
    answer = partial(_answer, answers)
    try:
        job = Job.from_json(first["job"])
        os.chdir(job.folder)
        model, place = job.load(), output_of(first["out"])
    except (DarknetError, OSError) as e:
        answer(failure=str(e))
        return
    answer(ready=True)
    while True:
        request = json.loads(queue.get())
        items = [Item(*item) for item in request["items"]]
        poison = {int(position): why for position, why in request["poison"].items()}
        try:
            answer(errors=compute(model, job, place, request["name"], items, poison, request["batch"]))
        except (DarknetError, OSError, MemoryError) as e:
            answer(failure=str(e) or type(e).__name__)


def _answer(file: TextIO, **answer: Any) -> None:
    file.write(json.dumps(answer) + "\n")
    file.flush()


def _requests(lines: TextIO) -> SimpleQueue[str]:
    """What is asked, read by a thread: where the other end is gone, this process has nobody to work for."""
    queue: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in lines:
            queue.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return queue


def run_child() -> None:
    """Serve the pipes of this process; what libraries print goes to the messages."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other end's, which then closes the pipe
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answer_requests(sys.stdin, answers)


if __name__ == "__main__":
    run_child()
