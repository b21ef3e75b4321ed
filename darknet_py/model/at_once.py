"""A network that computes several runs at once, each on some of the cores: opened anew from what a model was loaded of.

Decision: how that is done is the back end's to say (`Backend.at_once`): a session that takes as many runs as come, one
that is opened with so many streams, or as many sessions as runs. Whoever uses it sees one session that is safe to
share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from ..backends.backend import Backend, find_backend
from ..backends.precision import F32
from ..errors import DarknetError
from ..machine import cores

if TYPE_CHECKING:
    from ..backends.session import Session
    from ..contract.contract import Contract
    from .model import Model

CLOSE = 1e-5  # of the largest answer: what another number of threads may change
COARSE = 0.02  # the same with fewer bits than float32

# A session for so many runs at once, each on so many threads; None where it gives other answers than the model's own.
Opener = Callable[[int, int], "Session | None"]


class Several:
    """Sessions of one network as one: a run is computed by one that is free, or waits until one is."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._free: SimpleQueue[Session] = SimpleQueue()
        for session in sessions:
            self._free.put(session)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One step of the network."""
        session = self._free.get()
        try:
            return session.run(inputs)
        finally:
            self._free.put(session)


def opener_of(model: Model) -> Opener | None:
    """How to open a model's network for several runs; None where somebody said how many threads, or nobody can."""
    if model.again is None or cores() == 1 or model.contract.states:
        return None
    given = model.again.keywords
    if given.get("threads") or given.get("device", "cpu") != "cpu":
        return None
    backend = find_backend(given["backend"])
    if backend.threads != "session":
        return None
    close = CLOSE if given["precision"] == F32 else COARSE
    return partial(_open, backend, model.session, model.contract, partial(model.again, quiet=True), close)


def _open(
    backend: Backend, own: Session, contract: Contract, again: Callable[..., Model], close: float, runs: int,
    threads: int,
) -> Session | None:  # fmt: skip
    """A session for so many runs, unless its answers are others: files may be gone or changed since they were read.

    A training writes its last weights every few minutes, for one.
    """
    if (runs, threads) == (1, cores()):
        return Several([own])
    try:
        if backend.at_once == "runs" and threads == 1:  # its threads would be shared by all runs
            sessions = [again(threads=1).session]
        elif backend.at_once == "streams" and runs > 1:
            sessions = [again(threads=threads, streams=runs).session]
        else:
            sessions = [again(threads=threads).session for _ in range(runs)]
        return None if any(_differs(session, own, contract, close) for session in sessions) else _as_one(sessions)
    except DarknetError:
        return None


def _as_one(sessions: list[Session]) -> Session:
    return sessions[0] if len(sessions) == 1 else Several(sessions)


def _differs(session: Session, own: Session, contract: Contract, close: float) -> bool:
    noise = np.random.default_rng(0).random((contract.batch or 1, *contract.shape), np.float32)
    answers, wanted = session.run([noise]), own.run([noise])
    pairs = zip(answers, wanted, strict=False)
    return len(answers) != len(wanted) or not all(_is_close(*pair, close) for pair in pairs)


def _is_close(answer: np.ndarray, wanted: np.ndarray, close: float) -> bool:
    return answer.shape == wanted.shape and bool(np.allclose(answer, wanted, rtol=0, atol=close * np.abs(wanted).max()))
