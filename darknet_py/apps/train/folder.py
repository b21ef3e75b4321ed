"""The folder that a training writes to: whether it is this training's, and what another one left in it.

Decision: a folder holds one training. What that wrote is written again; every other file stops it before anything is
read. What a training was is compared by what it has written down.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import files
from ...errors import DataError
from ...holding.hashes import sha256_of
from .plan import SCHEMA, Plan
from .snapshot import Snapshot, read_snapshot

OF_CFG = ("batch", "subdivisions", "max_batches")  # settings that are the cfg's where they are not given
MAX_RUN = 1 << 24  # bytes
COMPARED = (("cfg_sha256", "cfg"), ("size", "size"), ("data_sha256", "data set"))


@dataclass(frozen=True)
class Folder:
    """The backup folder of a plan; `data` is the fingerprint of the pictures, `start` the sha256 of WEIGHTS."""

    plan: Plan
    data: str
    start: str

    @classmethod
    def of(cls, plan: Plan, data: str) -> Folder:
        """The folder of a plan. Raises `DataError` where WEIGHTS cannot be read."""
        try:
            return cls(plan, data, sha256_of(plan.weights) if plan.weights else "")
        except OSError as e:
            raise DataError(f"cannot read {plan.weights}: {e.strerror or e}") from None

    @property
    def state(self) -> Path:
        """The file to go on with."""
        return self.plan.path("last", "state")

    def written_down(self) -> dict[str, Any]:
        """What lies beside the weights, as plain data."""
        return {**self.plan.written_down(), "data_sha256": self.data}

    def kept(self) -> str:
        """In words, what there is to go on with."""
        return f"the last good state is {self.state}" if self.state.is_file() else "nothing was saved yet"

    def found(self) -> Snapshot | None:
        """What the same training left when it was stopped. Raises `DataError` for what another one left."""
        settings = self.plan.settings
        if settings.fresh or not self.state.is_file():
            return None
        state = read_snapshot(self.state)
        cleared = settings.clear and not state.plan["settings"].get("clear")
        if cleared or (state.start != self.start and not self._is_own_last()):
            raise DataError(
                f"{self.state} is of a training that began in another way ({_beginning(state.plan)}), and would be "
                "written over\n"
                "  hint: name another folder with --backup; or begin anew here with --fresh"
            )
        if state.iteration >= self.plan.net.max_batches:
            raise DataError(
                f"this training is done: {self.plan.path('final')}\n"
                "  hint: --fresh trains anew; a larger max_batches goes on"
            )
        return state

    def changes(self, state: Snapshot) -> Iterator[str]:
        """What is not as it was when a state was saved, a sentence each."""
        before, now = state.plan, self.written_down()
        yield from (f"going on, though the {name} changed" for key, name in COMPARED if before.get(key) != now[key])
        settings = before["settings"]
        for key, value in sorted(now["settings"].items()):
            if settings.get(key) != value:
                nothing = "the cfg's" if key in OF_CFG else "none"
                was, now_ = (nothing if v is None else v for v in (settings.get(key), value))
                yield f"going on with {key}={now_}, which was {was}"

    def make(self) -> None:
        """Make the folder, if there is none. Raises `DataError` where that cannot be."""
        try:
            self.plan.backup.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise DataError(f"cannot write into {self.plan.backup}: {e.strerror or e}") from None

    def describe(self) -> None:
        """Write down what is trained."""
        plan = self.plan
        files.write_whole(plan.path("run", "json"), json.dumps(self.written_down(), indent=1).encode(), replace=True)
        files.write_whole(plan.path("run", "cfg"), plan.text, replace=True)

    def _is_own_last(self) -> bool:
        weights = self.plan.weights
        return weights is not None and weights.resolve() == self.plan.path("last").resolve()


def _beginning(written: dict[str, Any]) -> str:
    weights = f"from {written['weights']}" if written["weights"] else "from random numbers"
    return f"{weights}, with --clear" if written["settings"].get("clear") else weights


def _is_of_a_training(run: Path) -> bool:
    """Whether a folder is a training's: `run` says so itself.

    So a folder that was copied without the list of its files, which is hidden, can be gone on with.
    """
    if files.is_own(run):
        return True
    try:
        with files.reading(run, note=False) as file:  # which this training is going to write again
            written = json.loads(file.read(MAX_RUN))
    except (DataError, ValueError):
        return False
    return isinstance(written, dict) and written.get("schema") == SCHEMA


def refuse_files_of_others(plan: Plan) -> None:
    """Raise `DataError` for a file in the backup folder that a training would write over, and that none wrote."""
    if _is_of_a_training(plan.path("run", "json")):
        return
    stem = glob.escape(plan.name)
    there = [*plan.backup.glob(f"{stem}_*"), *plan.backup.glob(f"chart_{stem}.*")]
    read = plan.weights.resolve() if plan.weights else None
    for path in sorted(there):
        if path.is_file() and path.resolve() != read and not files.is_own(path):
            raise DataError(
                f"{path} is not known to be of a training here, and would be written over\n"
                "  hint: name another folder with --backup, or move the file"
            )
