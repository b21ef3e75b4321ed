"""A training: iterations, and what is measured and written between them (detector.c train_detector).

Decision: what one iteration hands to the next is saved whole (`Snapshot`), and all else is a function of the seed. So a
training that was killed goes on as if nothing had happened, bit by bit.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import torch

from ... import files
from ...errors import DataError, Say, to_nobody
from .broken import NoNumberError
from .events import Event, Step
from .fingerprint import fingerprint
from .folder import Folder, refuse_files_of_others
from .learning import Learning, doubt_of_anchors, loader_of
from .plan import Plan
from .processes import Processes, chosen_device, started
from .snapshot import Snapshot
from .validation import Validation
from .written import Written


class Trainer:
    """A training that is about to begin or to go on; to iterate over it is to train, and gives `Event`s.

    `say` is told what is done unasked. Raises `DarknetError` for what cannot be trained, and in the loop for a loss
    that is no number: then the last good state is what lies in the backup folder.
    """

    def __init__(self, plan: Plan, say: Say | None = None) -> None:
        self.plan, self._say = plan, say or to_nobody
        self._is_asked = False

    def stop(self) -> None:
        """End after the iteration that is being computed, with everything saved."""
        self._is_asked = True

    def __iter__(self) -> Iterator[Event]:
        device = chosen_device(self.plan.settings.device)
        with started(device) as processes:
            say = self._say if processes.first else to_nobody
            learning, folder, state = _begun(self.plan, device, processes, say)
            steps = learning.steps(self.plan.last, lambda: self._is_asked)
            if not processes.first:
                deque(steps, maxlen=0)  # its share of every batch, and nothing else
                return
            written = Written(folder, learning, Validation.of(self.plan, say), state)
            try:
                yield from written.logged(self._events(steps, written))
            except NoNumberError as e:
                raise DataError(f"{e}; {folder.kept()}") from e
            except OSError as e:
                raise DataError(_what_was_not_written(e, learning.tally.iteration, folder)) from e

    def _events(self, steps: Iterator[Step], written: Written) -> Iterator[Event]:
        """The loop."""
        yield from written.begin()
        for step in steps:
            yield step
            yield from written.after(step)
        yield from written.finish(self.plan.last)


def _begun(
    plan: Plan, device: torch.device, processes: Processes, say: Say
) -> tuple[Learning, Folder, Snapshot | None]:
    """What learns, as the plan says or as it was when it was stopped: then what was saved of it, else None."""
    if processes.first:
        refuse_files_of_others(plan)
    loader = loader_of(plan, say)
    loader.examples.look_over()
    if doubt := doubt_of_anchors(plan, loader):
        say(doubt)
    folder = Folder.of(plan, fingerprint(loader))
    state = folder.found()
    learning = Learning(plan, loader, device, processes, say, state)
    if state is None:
        return learning, folder, None
    for change in folder.changes(state):
        say(change)
    return learning, replace(folder, start=state.start), state  # what it began with, whatever it is called with now


_FORBIDDEN = "name a folder that can be written to (--backup)"
_REMEDIES = {
    **dict.fromkeys(files.FULL, "make room, and the same command goes on"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), _FORBIDDEN),
}


def _what_was_not_written(error: OSError, iteration: int, folder: Folder) -> str:
    """What to say of a file that could not be written, such as on a full disk."""
    place = f"{error.filename}: " if error.filename else ""
    remedy = _REMEDIES.get(error.errno or 0, "the same command goes on")
    return (
        f"{place}{error.strerror or error}: training ends after iteration {iteration}\n"
        f"  hint: {folder.kept()}; {remedy}"
    )
