"""`backend="auto"`: the back end that runs this network fastest on this machine, measured once and remembered.

Decision: a measurement is filed under everything that speed depends on: the network's operations and shapes (not its
weights), the processor and how many cores may be used, and the versions of all contenders. Change one, and it is
measured anew; nothing else has to be thrown away.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import numpy as np

from ..errors import BackendError, DataError, Say, counted, to_nobody
from ..files import cache_dir, read_at_most, write_cached
from ..holding.hashes import sha256_of
from ..holding.private import make_private
from ..ir.graph import Graph
from ..machine import REST, cores, cpu
from ..onnx.metadata import read_contract
from ..version import VERSION
from .backend import Backend, backends
from .precision import WHOLE, Precision
from .session import Session
from .session import open_file as open_in
from .session import open_session as open_graph_in

LEAD = 1.03  # the first contender, the default, wins unless another is faster by more than this
HOPELESS = 2.0  # who takes this many times as long as the fastest at first is not timed further
ROUNDS = (3, 15)  # at least, at most
SECONDS = 2.0  # no further round begins after so long
MOST = 1 << 16  # bytes of what was written down
SAME = WHOLE.tolerance  # a back end whose outputs differ by more of their scale computes something else

Opener = Callable[[], Session]


@dataclass(frozen=True)
class Choice:
    """What was measured: the winner, the median seconds of each back end, and why others were left out."""

    backend: str
    seconds: Mapping[str, float]
    left_out: Mapping[str, str]

    def __str__(self) -> str:
        times = sorted(self.seconds.items(), key=lambda item: (item[0] != self.backend, item[1]))
        told = [f"{name} {s * 1000:.1f} ms" for name, s in times]
        told += [f"{name} left out: {why}" for name, why in self.left_out.items()]
        return f"back end {self.backend}: {', '.join(told)}"


def open_session(
    graph: Graph, *, threads: int | None = None, explain: Say | None = None, remember: bool = True,
    say: Say | None = None, taken: Say | None = None, precision: Precision = WHOLE,
) -> Session:  # fmt: skip
    """The fastest back end on a graph with its parameters loaded.

    `threads` are those of every back end, and leave out who sets them for the whole process; `explain` is told what was
    chosen and why, `say` only that something is to be measured, before it is, and `taken` the name of the back end;
    without `remember` it is measured whatever is known, and not written down. Raises `BackendError` if no back end
    takes the network.
    """
    able = contenders(threads, precision)
    check_contenders(able, threads, precision)
    openers = {b.name: partial(open_graph_in, graph, b.name, threads=threads, precision=precision) for b in able}
    shapes = [v.shape for v in graph.inputs]
    network = "\n".join([*map(repr, graph.inputs), *map(repr, graph.ops), repr(graph.outputs)])
    own = "" if precision.is_whole else f"\n{precision}{precision.calibration}"
    key, same = f"{network}\n{threads}{own}", precision.tolerance
    return fastest(openers, shapes, key, explain, remember, say=say, same=same, taken=taken)


def open_file(
    path: Path, *, threads: int | None = None, explain: Say | None = None, remember: bool = True,
    say: Say | None = None, taken: Say | None = None, precision: Precision = WHOLE,
) -> Session:  # fmt: skip
    """The fastest back end that reads an exported ONNX file; the options are those of `open_session`.

    Who takes one sample at a time is left out, unless the file does so too.
    """
    contract = read_contract(path)
    able = [
        b for b in contenders(threads, precision) if ".onnx" in b.reads and (b.any_batch or contract.batch is not None)
    ]
    check_contenders(able, threads, precision, f"of those that read {path}")
    openers = {b.name: partial(open_in, path, b.name, threads=threads, precision=precision) for b in able}
    shapes = [contract.shape, *(s.shape for s in contract.states)]
    own = "" if precision.is_whole else f"\n{precision}"
    network = f"{sha256_of(path)}\n{threads}{own}"
    batch, same = contract.batch or 1, precision.tolerance
    return fastest(openers, shapes, network, explain, remember, batch, say, same, taken)


def contenders(threads: int | None, precision: Precision = WHOLE) -> list[Backend]:
    """The fast back ends that are installed, the default first, and can be timed with so many threads.

    To time somebody else must not change what the whole process does, and would not be undone when he loses.
    """
    able = [b for b in backends().values() if b.fast and b.installed and precision.find_lack(b) is None]
    return [b for b in able if threads is None or b.threads == "session"]


def check_contenders(
    able: Sequence[Backend], threads: int | None, precision: Precision, among: str = "here"
) -> None:  # fmt: skip
    """Raise `BackendError` where no back end is left, with what each that is installed lacks."""
    if able:
        return
    own = "" if threads is None else f", on {counted(threads, 'thread')} of its own"
    lacks = (precision.find_lack(b) for b in backends().values() if b.fast and b.installed)
    told = "; ".join(dict.fromkeys(filter(None, lacks)))
    raise BackendError(f"no back end {among} computes in {precision.kind}{own}" + f": {told}" * bool(told))


def fastest(
    openers: Mapping[str, Opener],
    shapes: Sequence[tuple[int, ...]],
    network: str,
    explain: Say | None = None,
    remember: bool = True,
    batch: int = 1,
    say: Say | None = None,
    same: float = SAME,
    taken: Say | None = None,
) -> Session:
    """The session of the fastest of some back ends: the one remembered for `network`, else the one that is measured.

    `shapes` are those of the inputs without the batch axis.
    """
    tell, note = explain or to_nobody, taken or to_nobody
    path = _place(network, batch, openers)
    known = _recall(path) if remember else None
    if known and known.backend in openers:
        with suppress(BackendError):
            session = openers[known.backend]()
            tell(f"{known} (measured before: {path})")
            note(known.backend)
            return session
    if say and len(openers) > 1:
        kept = f"; remembered in {path}" if remember else ""
        say(f"timing {', '.join(openers)} on this network, to take the fastest{kept}")
    choice, session = measure(openers, shapes, batch, same)
    tell(str(choice))
    if remember:
        try:
            write_measurement(path, json.dumps(vars(choice), indent=2))
        except OSError as e:
            tell(f"cannot remember that in {path}: {e.strerror or e}")
    note(choice.backend)
    return session


def measure(
    openers: Mapping[str, Opener], shapes: Sequence[tuple[int, ...]], batch: int = 1, same: float = SAME
) -> tuple[Choice, Session]:
    """Time back ends in turn on the same random input; the choice, and the winner's session.

    Raises `BackendError` if none can run.
    """
    rng = np.random.default_rng(0)
    feed = [rng.random((batch, *shape), np.float32) for shape in shapes]
    left_out: dict[str, str] = {}
    sessions = _opened(openers, feed, left_out, same)
    if not sessions:
        raise BackendError("; ".join(f"{name}: {why}" for name, why in left_out.items()))
    times = {name: [timed(session, feed)] for name, session in sessions.items()}
    best = min(t[0] for t in times.values())
    racing = [name for name in times if times[name][0] < HOPELESS * best]
    end = time.perf_counter() + SECONDS
    for done in range(ROUNDS[1] if len(racing) > 1 else 0):
        if done >= ROUNDS[0] and time.perf_counter() > end:
            break
        for name in racing:
            times[name].append(timed(sessions[name], feed))
    seconds = {name: median(t[1:] or t) for name, t in times.items()}
    first = next(iter(sessions))
    winner = min(racing, key=seconds.__getitem__)
    if first in racing and seconds[first] < LEAD * seconds[winner]:
        winner = first
    return Choice(winner, seconds, left_out), sessions[winner]


def _opened(
    openers: Mapping[str, Opener], feed: list[np.ndarray], left_out: dict[str, str], same: float
) -> dict[str, Session]:
    """The sessions that run and agree with the first of them."""
    from ..ir.compare import difference

    sessions: dict[str, Session] = {}
    expected: list[np.ndarray] = []
    for name, opener in openers.items():
        try:
            session = opener()
            found = session.run(feed)
        except BackendError as e:
            left_out[name] = str(e)
            continue
        off = max((difference(a, b) for a, b in zip(found, expected, strict=False)), default=0.0)
        if off > same:
            left_out[name] = f"its outputs differ from those of {next(iter(sessions))} by {off:.1e} of their scale"
            continue
        expected = expected or found
        sessions[name] = session
    return sessions


def timed(session: Session, feed: list[np.ndarray]) -> float:
    """The seconds of a run, when the threads of the last back end sleep and a run before has woken its own."""
    time.sleep(REST)
    session.run(feed)
    start = time.perf_counter()
    session.run(feed)
    return time.perf_counter() - start


def measurements() -> Path:
    """The folder of what was measured."""
    return cache_dir() / "backends"


def _place(network: str, batch: int, openers: Mapping[str, Opener]) -> Path:
    """The file for a network on this machine with these versions."""
    return place_of(*openers, str(batch), network)


def place_of(*parts: str) -> Path:
    """The file for what was measured of something on this machine with these versions."""
    distributions = dict.fromkeys(d for b in backends().values() for d in b.distributions)
    versions = [f"{name} {v}" for name in distributions if (v := _version(name))]
    machine = [cpu(), str(cores())]
    text = "\n".join([VERSION, *versions, *machine, *parts])
    return measurements() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def write_measurement(path: Path, text: str) -> None:
    """Write down what was measured."""
    make_private(path.parent)
    write_cached(path, text.encode())


def read_measurement(path: Path) -> bytes:
    """What was written down. Raises `OSError` or `DataError` if there is nothing."""
    return read_at_most(path, MOST)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _recall(path: Path) -> Choice | None:
    """What is written there; None if there is nothing, or nothing of use."""
    try:
        found = Choice(**json.loads(read_measurement(path)))
        str(found)
    except (OSError, DataError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return found if isinstance(found.backend, str) else None
