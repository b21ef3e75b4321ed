"""How long a work would take: some pictures are measured stage by stage, and the rest is arithmetic.

Decision: every stage is timed alone, one picture at a time in one process, as each of the processes will do it; cores
that share memory and disks do a little worse, so the answer is the least that it takes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from ...contract.selection import select
from ...errors import DataError, to_nobody
from ...files import scratch
from ...vision.headers import pixel_limit
from ...vision.inference import prepare, results_of
from ...vision.opening import Wanted
from .fetch import fetches
from .formats import row_format
from .listing import Item, Reach, list_items
from .output import OutputFolder
from .rows import Row, row_of

if TYPE_CHECKING:
    from ...model.model import Model
    from .job import Job

MEASURED = 64  # pictures
WALKED = 10_000  # pictures that are listed where it is said how many there will be
LONG = 0.5  # seconds in which a walk over the sources is repeated
TABLE = {
    "reading": "bytes from the disk or the store", "decoding": "pixels", "input": "resized as Darknet does it",
    "network": "computed", "rows": "boxes, suppression, rows", "writing": "encoded, on the disk",
}  # fmt: skip


@dataclass(frozen=True)
class BatchPlan:
    """What a work of so many pictures would take on so many cores; times are in seconds, of one picture on one core.

    `start` is what each process takes before its first picture, `listing` the time for one picture in the walk over the
    sources, which one process does while the others work; `input_bytes` and `output_bytes` are those of one picture.
    """

    pictures: int
    cores: int
    measured: int
    broken: int
    start: float
    listing: float
    stages: dict[str, float] = field(hash=False)
    input_bytes: float
    output_bytes: float

    @property
    def each(self) -> float:
        """Seconds of a core for one picture."""
        return sum(self.stages.values())

    @property
    def seconds(self) -> float:
        """Seconds in all: what takes longer, the work on the cores or the listing beside it."""
        return self.start + max(self.pictures * self.each / self.cores, self.pictures * self.listing)

    @property
    def bottleneck(self) -> str:
        """The stage that takes most; the listing where the cores wait for it."""
        if self.listing > self.each / self.cores:
            return "listing"
        return max(self.stages, key=lambda name: self.stages[name])

    def __str__(self) -> str:
        lines = [f"measured {self.measured} pictures, {self.broken} of them broken, in one process:"]
        lines += [f"  {'listing':9}{self.listing * 1e3:9.3f} ms   found, beside the work"]
        lines += [
            f"  {name:9}{seconds * 1e3:9.3f} ms {seconds / self.each:6.1%}   {TABLE[name]}"
            for name, seconds in self.stages.items()
        ]
        size = self.pictures * self.output_bytes / 1e9
        lines += [
            f"{self.pictures:,} pictures on {self.cores} cores: {_duration(self.seconds)} "
            f"({self.pictures / self.seconds:,.0f} pictures/s), most of it {self.bottleneck}",
            f"read {self.pictures * self.input_bytes / 1e9:,.2f} GB, write {size:,.2f} GB",
        ]
        return "\n".join(lines)


def plan_batch(job: Job, sources: Iterable[str], pictures: int | None, cores: int) -> BatchPlan:
    """Measure some pictures of the sources; `pictures` is how many there will be, None: as many as there are.

    Raises `DataError`, also where none of those that were tried can be read.
    """
    begin = time.perf_counter()
    model = job.load()
    start = time.perf_counter() - begin
    most = None if pictures is None else max(MEASURED, min(pictures, WALKED))
    count, sample, listing = _walked(sources, job, most)
    stages = _Stages(model, job)
    measured = [found for item in sample if (found := stages.measure(item))]
    if not measured:
        raise DataError(f"none of {len(sample)} pictures can be read: `darknet-py run` on one of them says why")
    written = stages.write([row for row, _ in measured])
    each = {name: stages.seconds[name] / len(measured) for name in TABLE}
    each["reading"] /= max(1, job.workers)
    return BatchPlan(
        count if pictures is None else pictures, cores, len(sample), len(sample) - len(measured), start, listing, each,
        sum(size for _, size in measured) / len(measured), written / len(measured),
    )  # fmt: skip


def _walked(sources: Iterable[str], job: Job, most: int | None) -> tuple[int, list[Item], float]:
    """How many pictures were found, some of them, each as likely as the others, and seconds for one.

    A short walk is repeated, and the shortest counts: the first one imports and reads what others find.
    """
    best, end = float("inf"), time.perf_counter() + LONG
    while best == float("inf") or time.perf_counter() < end:
        begin = time.perf_counter()
        chance, sample, count = random.Random(1), list[Item](), 0
        for count, item in enumerate(islice(list_items(sources, Reach(job.options.column)), most), 1):
            if count <= MEASURED:
                sample.append(item)
            elif (place := chance.randrange(count)) < MEASURED:
                sample[place] = item
        best = min(best, time.perf_counter() - begin)
    return count, sorted(sample), best / count


class _Stages:
    """The stages of `batch_rows` one after another, and the seconds that each has taken."""

    def __init__(self, model: Model, job: Job) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(TABLE, 0.0)
        self._model, self._job = model, job.asking(model)
        options = self._job.options
        self._threshold, self._selection = select(
            model.contract.names, model.contract.classes, conf=options.conf,
            default=model.contract.threshold, classes=options.classes, max_det=options.max_det,
            agnostic=options.agnostic,
        )  # fmt: skip
        self._input = np.zeros((model.contract.batch or 1, *model.contract.shape), np.float32)
        model.run(self._input)  # the first run prepares what the others find

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - start

    def measure(self, item: Item) -> tuple[Row, int] | None:
        """The row of a picture, and the number of its bytes; None if it is broken."""
        contract, options = self._model.contract, self._job.options
        try:
            with self._timed("reading"):
                data = next(iter(fetches([item], options.column)))()
            with self._timed("decoding"):
                wanted = Wanted(contract.shape[0], pixel_limit(options.max_pixels), say=to_nobody)
                picture = wanted.decoded(data, item.path)
            with self._timed("input"):
                prepare(picture, contract, contract.letterbox, self._input[0])
        except DataError:
            return None
        with self._timed("network"):
            outputs = self._model.run(self._input)
        with self._timed("rows"):
            results = results_of(
                contract.sample(outputs, 0), picture, contract, self._model.names, threshold=self._threshold,
                iou=options.iou, selection=self._selection,
            )  # fmt: skip
            row = row_of(item.path, results)
        return {"position": item.position, **row}, len(data)

    def write(self, rows: list[Row]) -> int:
        """Write a file of results; the number of its bytes."""
        form = row_format(self._job.form)
        form.encode(rows)  # the first one imports
        with scratch() as folder, self._timed("writing"):
            data = form.encode(rows)
            OutputFolder(folder).write(f"part{form.suffix}", data)
        return len(data)


def _duration(seconds: float) -> str:
    """For people.

    >>> _duration(90), _duration(7300), _duration(200_000)
    ('90 s', '122 min', '55.6 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3 * 3600 else f"{seconds / 3600:.1f} h"
