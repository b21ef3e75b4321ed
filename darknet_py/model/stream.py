"""Pictures on their way through a model: decoded and prepared, computed, decoded into boxes, in order.

Decision: a `Steps` has the three steps of a group of pictures, and each way through them (one step after the other, in
workers, as a film, by a team) is a function that sends groups through. What is found out about the quickest way is kept
in the model's `Findings`, so the next call begins with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..contract.selection import ALL, Selection
from ..contract.thresholds import CONF, IOU
from ..errors import DataError
from ..machine import cores
from ..vision.inference import prepare, results_of
from ..vision.picture import Picture
from ..vision.results import Results
from ..vision.sources import Loader, loaders

if TYPE_CHECKING:
    from ..backends.session import Session
    from .beside import Sharing
    from .model import Model
    from .throughput import Team

Skip = Callable[[DataError], None]
Workers = int | Literal["auto"]

FEW = 32  # pictures that go through before it is found out how many go quickest
FILM = 8  # frames of a file that wait for the network, and as many for the one who takes the results


@dataclass(eq=False)
class Findings:
    """What was found out on the way: what computes beside a video, and who computes many pictures, if anybody else."""

    sharing: Sharing | None = None
    team: Team | None = None
    has_looked: bool = False  # for a team
    lock: Lock = field(default_factory=Lock)  # of the team


@dataclass(frozen=True, eq=False)
class Group:
    """Pictures that are computed together: `arrays` are first the inputs, then the outputs."""

    pictures: list[Picture]
    arrays: list[np.ndarray]
    seconds: float


@dataclass(frozen=True)
class Steps:
    """The steps of a model's pictures: thresholds, whether they are padded, and who is told of what is no picture."""

    model: Model
    conf: float
    iou: float
    is_padded: bool
    selection: Selection = ALL
    skip: Skip | None = None

    def together(self, batch: int) -> int:
        """How many pictures are computed at a time where `batch` were asked for."""
        contract = self.model.contract
        return 1 if contract.states else contract.batch or batch

    def read(self, group: list[Loader]) -> Group:
        """The pictures of a group, decoded, and the input of the network that they make."""
        start = time.perf_counter()
        contract = self.model.contract
        pictures: list[Picture] = []
        inputs = np.empty((contract.batch or len(group), *contract.shape), np.float32)
        for load in group:
            try:
                picture = load()
                prepare(picture, contract, self.is_padded, inputs[len(pictures)])
            except DataError as e:
                if self.skip is None:
                    raise
                self.skip(e)
                continue
            pictures.append(picture)
        if contract.batch:
            inputs[len(pictures) :] = 0
        else:
            inputs = inputs[: len(pictures)]
        return Group(pictures, [inputs], time.perf_counter() - start)

    def infer(self, group: Group, session: Session | None = None) -> Group:
        """What the network gives for the pictures there are, in another session than the model's own if given."""
        start = time.perf_counter()
        outputs: list[np.ndarray] = []
        if group.pictures:
            outputs = session.run(group.arrays) if session else self.model.run(group.arrays[0])
        return Group(group.pictures, outputs, group.seconds + time.perf_counter() - start)

    def finish(self, group: Group) -> list[Results]:
        """What is on each picture."""
        start = time.perf_counter()
        contract, names = self.model.contract, self.model.names
        given: dict[str, Any] = dict(
            threshold=self.conf, iou=self.iou, letterbox=self.is_padded, selection=self.selection,
            say=self.model.tell_once,
        )  # fmt: skip
        found = [
            results_of(contract.sample(group.arrays, i), picture, contract, names, **given)
            for i, picture in enumerate(group.pictures)
        ]
        seconds = (group.seconds + time.perf_counter() - start) / max(1, len(found))
        return [replace(results, seconds=seconds) for results in found]

    def whole(self, group: list[Loader], session: Session | None = None) -> list[Results]:
        """All steps of a group, one after the other."""
        return self.finish(self.infer(self.read(group), session))


def stream(steps: Steps, loads: Iterator[Loader], batch: int, workers: Workers, *, film: bool) -> Iterator[Results]:
    """The results of pictures in their order, `batch` computed at a time.

    `film` is for the frames of a video file, "auto" for many pictures; the others are those of `Model`. Raises
    `DataError` for a network that takes no pictures, and for what is none where nobody is told of it.
    """
    shape = steps.model.contract.shape
    if len(shape) != 3:
        raise DataError(
            f"the network takes {shape[0]} numbers, not pictures: `forward` and `step` of `Model` take these"
        )
    if workers == "auto":
        yield from _many(steps, loads, batch)
        return
    count = steps.together(batch)
    groups = _grouped(loads, count)
    if film:
        yield from _film(steps, groups, max(2, FILM // count))
    elif workers:
        yield from _in_steps(steps, groups, workers)
    else:
        for group in groups:
            yield from steps.whole(group)


def _in_steps(steps: Steps, groups: Iterator[list[Loader]], workers: int) -> Iterator[Results]:
    """So many threads read and finish, and one is at the network."""
    from concurrent.futures import ThreadPoolExecutor

    from .pipeline import ordered

    with ThreadPoolExecutor(workers) as pool, ThreadPoolExecutor(1) as one:
        inputs = ordered(pool, steps.read, groups, workers)
        outputs = ordered(one, steps.infer, inputs, 2)
        for results in ordered(pool, steps.finish, outputs, workers):
            yield from results


def _film(steps: Steps, groups: Iterator[list[Loader]], waiting: int) -> Iterator[Results]:
    """A thread decodes, another is at the network, and who takes the results draws and encodes."""
    from .beside import Sharing, computed, single_opener
    from .pipeline import overlapped

    findings = steps.model.findings
    sharing = findings.sharing or Sharing(single_opener(steps.model))
    then = partial(computed, run=steps.infer, sharing=sharing)
    try:
        for results in map(steps.finish, overlapped(groups, steps.read, then, waiting)):
            yield from results
    finally:
        if sharing.is_settled:  # until then each video finds out for itself, in a thread of its own
            findings.sharing = sharing


def _many(steps: Steps, loads: Iterator[Loader], batch: int) -> Iterator[Results]:
    """The first pictures in steps, the others by a team if there is one: to find it takes as long as some pictures."""
    count = steps.together(batch)
    if not steps.model.findings.has_looked:
        yield from _in_steps(steps, _grouped(islice(loads, FEW), count), cores())
    more = next(loads, None)
    if more is None:
        return
    loads = chain((more,), loads)
    team = _team_of(steps.model)
    if team is None:
        yield from _in_steps(steps, _grouped(loads, count), cores())
    else:
        size = steps.together(team.way.batch if batch == 1 else batch)
        yield from _by(team, steps, _grouped(loads, size))


def _team_of(model: Model) -> Team | None:
    """Who computes many pictures, found out and opened once; None where nobody else can."""
    from .throughput import PHOTO, made_up_file, team_of

    findings, contract = model.findings, model.contract

    def send(team: Team, count: int) -> None:
        steps = Steps(model, CONF, IOU, contract.letterbox)
        loads = loaders([file] * count, contract.shape[0], PHOTO[0] * PHOTO[1])
        for _ in _by(team, steps, _grouped(loads, steps.together(team.way.batch))):
            pass

    with findings.lock:
        if not findings.has_looked:
            file = made_up_file()
            findings.team = team_of(model, send, model.tell)
            findings.has_looked = True
        return findings.team


def _by(team: Team, steps: Steps, groups: Iterator[list[Loader]]) -> Iterator[Results]:
    """A group goes from its files to its boxes in one thread; as many threads are at it as the team has hands."""
    from concurrent.futures import ThreadPoolExecutor

    from .pipeline import ordered

    one = partial(steps.whole, session=team.session)
    with ThreadPoolExecutor(team.hands, "darknet-py-picture") as pool:
        for results in ordered(pool, one, groups, ahead=team.hands + 1):  # one waits
            yield from results


def _grouped(items: Iterator[Loader], count: int) -> Iterator[list[Loader]]:
    while group := list(islice(items, count)):
        yield group
