"""Many pictures in as little time as they take: which way does that is measured once for a network and a machine.

Decision: a picture goes from its file to its boxes in one thread, and as many threads are at it as keep all cores busy;
so nobody waits for another's step. How many runs of the network go at once, on how many threads each, and with how many
pictures, is found by sending pictures through all of it, because decoding and resizing want the cores as well.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from ..backends.auto import place_of, read_measurement, write_measurement
from ..backends.backend import find_backend
from ..errors import DataError
from ..holding.hashes import sha256_of
from ..machine import cores
from .at_once import opener_of

if TYPE_CHECKING:
    from ..backends.session import Session
    from ..errors import Say
    from .model import Model

S = TypeVar("S")

BATCHES = (1, 4)  # pictures of a run that are tried
SECONDS = 0.3  # of pictures in one turn
ROUNDS = 3  # turns of each way that is not far behind
HOPELESS = 1.3  # who takes this many times as long as the best in its first turn has no second one
LEAD = 1.03  # a way before another, which needs less memory, stays unless the other is faster by more than this
PHOTO = (480, 640)  # height and width of the picture that is sent through
QUALITY = 90  # of its JPEG


class Way(NamedTuple):
    """So many runs of the network at once, each on `threads` cores and of `batch` pictures."""

    runs: int
    threads: int
    batch: int

    def __str__(self) -> str:
        return f"{self.runs} x {self.threads} threads x batch {self.batch}"


@dataclass(frozen=True)
class Measured:
    """The way that was found, and pictures a second of each that was tried."""

    way: Way
    rates: Mapping[str, float]

    def __str__(self) -> str:
        told = sorted(self.rates.items(), key=lambda item: -item[1])
        return f"pictures a second: {', '.join(f'{name}: {rate:.0f}' for name, rate in told)}; taken: {self.way}"


class Team(NamedTuple):
    """A way, the session that does it, and the threads that have a picture each."""

    way: Way
    session: Session
    hands: int


def ways_of(count: int, is_any_batch: bool) -> tuple[Way, ...]:
    """What is tried on so many cores: those that need less memory first.

    >>> [str(way) for way in ways_of(2, False)]
    ['1 x 2 threads x batch 1', '2 x 1 threads x batch 1']
    """
    runs = [1]
    while runs[-1] * 2 <= count:
        runs.append(runs[-1] * 2)
    if runs[-1] != count:
        runs.append(count)
    batches = BATCHES if is_any_batch else BATCHES[:1]
    return tuple(Way(n, count // n, batch) for batch in batches for n in runs)


def team_of(model: Model, send: Callable[[Team, int], None], say: Say) -> Team | None:
    """The team for many pictures through a model; None where there is no choice.

    `send` sends so many pictures through a team. `say` is told before something is measured. The way is remembered.
    """
    opener = opener_of(model)
    if opener is None:
        return None
    assert model.again, "there is no opener without"
    path, tried = _place(model), ways_of(cores(), is_any_batch=model.contract.batch is None)
    hands_over = find_backend(model.again.keywords["backend"]).at_once == "streams"

    def team(way: Way, session: Session) -> Team:
        # One more than runs where others compute a run: who gave it to them only waits, or cores would wait for him.
        return Team(way, session, way.runs + (hands_over or way.threads > 1))

    if path and (known := recall_way(path, tried)) and (session := opener(known.way.runs, known.way.threads)):
        return team(known.way, session)
    say(
        f"timing {len(tried)} ways of sending many pictures through this network"
        + f"; remembered in {path}" * bool(path)
    )
    found = quickest(tried, opener, lambda way, session, count: send(team(way, session), count))
    if found is None:
        return None
    measured, session = found
    if path:
        remember_way(path, measured)
    return team(measured.way, session)


def quickest(
    tried: tuple[Way, ...], opener: Callable[[int, int], S | None], send: Callable[[Way, S, int], None],
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Measured, S] | None:  # fmt: skip
    """The best of some ways, in turns, and who goes it; None where nobody can be opened.

    `opener` opens somebody for so many runs, each on so many threads; `send` sends so many pictures that way.
    """
    opened: dict[tuple[int, int], S | None] = {}
    each: dict[Way, list[float]] = {}
    counts: dict[Way, int] = {}

    def who(way: Way) -> S | None:
        key = way.runs, way.threads
        if key not in opened:
            opened[key] = opener(*key)
        return opened[key]

    def seconds(way: Way, one: S, count: int) -> float:
        start = clock()
        send(way, one, count)
        return (clock() - start) / count

    for way in tried:
        if one := who(way):
            few = 2 * (way.runs + 1) * way.batch
            send(way, one, few)  # its first runs prepare what the others find
            counts[way] = max(few, int(SECONDS / max(seconds(way, one, few), 1e-6)))
            each[way] = [seconds(way, one, counts[way])]
    if not each:
        return None
    best = min(taken[0] for taken in each.values())
    racing = [way for way, taken in each.items() if taken[0] <= HOPELESS * best]
    for _ in range(ROUNDS - 1):
        for way in racing:
            if one := who(way):
                each[way].append(seconds(way, one, counts[way]))
    medians = {way: median(each[way]) for way in racing}
    least = min(medians.values())
    chosen = next(way for way in tried if way in medians and medians[way] <= LEAD * least)
    found = who(chosen)
    assert found, "it was timed"
    return Measured(chosen, {str(way): 1 / median(taken) for way, taken in each.items()}), found


def made_up_file() -> bytes:
    """A JPEG of usual size, with what a photo has: smooth parts, edges, noise."""
    import cv2

    rng = np.random.default_rng(0)
    height, width = PHOTO
    blobs = cv2.resize(rng.integers(0, 256, (height // 32, width // 32, 3), np.uint8), (width, height))
    pixels = cv2.add(blobs, rng.integers(0, 24, (height, width, 3), np.uint8))
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return bytes(data)


def _place(model: Model) -> Path | None:
    """The file for this network on this machine; None if it has no file, or nothing is to be kept."""
    assert model.again, "there is no choice without"
    given = {key: value for key, value in model.again.keywords.items() if key not in ("weights", "names", "quiet")}
    if not given["cache"]:
        return None
    source = Path(model.contract.origin) if Path(model.contract.origin).is_file() else Path(str(given["cfg"]))
    if not source.is_file():
        return None
    given["cfg"] = sha256_of(source)
    return place_of("throughput", repr(sorted(given.items(), key=str)), repr(model.contract.shape))


def recall_way(path: Path, tried: tuple[Way, ...]) -> Measured | None:
    """What is written there; None if there is nothing, or nothing that would be tried."""
    try:
        found = json.loads(read_measurement(path))
        way = Way(*found["way"])
        return Measured(way, dict(found["rates"])) if way in tried else None
    except (OSError, DataError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def remember_way(path: Path, measured: Measured) -> None:
    """Write down what was measured; where that cannot be, it is measured the next time too."""
    with suppress(OSError):
        write_measurement(path, json.dumps({"way": measured.way, "rates": measured.rates}))
