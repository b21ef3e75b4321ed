"""The files of a training, and when each is written: weights, the state to go on with, the log, the chart.

Decision: after Darknet's calendar (detector.c train_detector), and at the end of every run whatever the number of the
iteration. The state is written last: what it says of the log and of the weights beside it is true. So the one that says
that a training is done comes after the final weights; who is killed between them computes the last iterations again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ... import files
from ...torch import write_weights
from .broken import REMEDIES, NoNumberError, broken_parameter
from .chart import png_chart, svg_chart
from .events import Event, Finished, Resumed, Saved, Step, Validated, as_record
from .folder import Folder
from .learning import Learning
from .snapshot import Snapshot
from .validation import Validation

CHART_EACH = 100  # iterations
LEAST_MAP_EACH = 100  # iterations between two measurements


class Written:
    """What becomes of a network that learns, in a folder, and how it is measured on the way, if it is.

    `state` is what it goes on from, None where it begins.
    """

    def __init__(
        self, folder: Folder, learning: Learning, validation: Validation | None, state: Snapshot | None
    ) -> None:
        self.folder, self.plan, self.validation, self.state = folder, folder.plan, validation, state
        self._log = state.log if state else 0  # bytes of the log that are of this training
        self.network, self.tally, self.loader = learning.network, learning.tally, learning.loader
        self._saved, self._saved_at = time.monotonic(), -1  # when the state was written, and after which iteration

    def logged(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same events, each of them in the log before it is given; what is trained is written down first.

        Raises `DataError` where another training is writing to this log.
        """
        self.folder.make()
        with files.continuing(self.plan.path("log", "jsonl"), self._log, replace=True) as log:
            self.folder.describe()
            for event in events:
                log.write(json.dumps(as_record(event)).encode() + b"\n")
                if not isinstance(event, Step):
                    log.flush()
                self._log = log.tell()
                yield event

    def begin(self) -> Iterator[Event]:
        """Say where it goes on, if it does."""
        if self.state:
            yield Resumed(self.state.iteration, self.folder.state)

    def after(self, step: Step) -> Iterator[Event]:
        """Measure and write what is due after an iteration."""
        plan, iteration = self.plan, step.iteration
        self.tally.curves.add_loss(iteration, step.average)
        if self.validation and self._is_to_be_measured(iteration):
            yield from self._measure(self.validation)
        if iteration % plan.save_each == 0:
            yield self._save(iteration)
        due = iteration % plan.save_last == 0 or time.monotonic() - self._saved > plan.settings.save_seconds
        if due and iteration < plan.net.max_batches:
            yield from self._save_last()
        if iteration % CHART_EACH == 0:
            self._draw()

    def finish(self, last: int) -> Iterator[Event]:
        """Write what there is at the end, which was to be after iteration `last`."""
        iteration = self.tally.iteration
        reason, kind = "stopped" if iteration < last else "iterations", "last"
        if iteration >= self.plan.net.max_batches:
            reason, kind = "done", "final"
            yield self._save_settled("final")
        if self._saved_at < iteration:
            yield from self._save_last()
        self._draw()
        yield Finished(iteration, reason, self.plan.path(kind))

    # -- how -----------------------------------------------------------------------------------------------------

    def _is_to_be_measured(self, iteration: int) -> bool:
        net, settings = self.plan.net, self.plan.settings
        each = settings.map_each or max(
            LEAST_MAP_EACH, settings.map_epochs * len(self.loader.dataset) // net.batch
        )  # fmt: skip
        return iteration == net.max_batches or (iteration >= net.burn_in and iteration % each == 0)

    def _measure(self, validation: Validation) -> Iterator[Event]:
        iteration, curves = self.tally.iteration, self.tally.curves
        with self.network.settled():
            value, classes = validation.measure(self.network.model())
        curves.score.append((iteration, value))
        yield Validated(iteration, validation.kind, value, curves.best, classes)
        if value == curves.best:
            yield self._save_settled("best")

    def _save_settled(self, kind: str) -> Saved:
        """Save the running mean, if there is one: what was measured, and what the training is for."""
        with self.network.settled():
            return self._save(kind)

    def _save(self, kind: object) -> Saved:
        path, tally = self.plan.path(kind), self.tally
        if name := broken_parameter(self.network.module):
            raise NoNumberError(
                f"parameters of {name} are no numbers after iteration {tally.iteration}; nothing is saved\n"
                f"  hint: {REMEDIES}"
            )
        write_weights(self.network.module, path, seen=tally.seen, replace=True)
        return Saved(tally.iteration, str(kind), path)

    def _save_last(self) -> Iterator[Event]:
        yield self._save("last")
        iteration, ema = self.tally.iteration, self.network.optimizer.ema
        if ema is not None and ema.mean:
            path = self.plan.path("ema")
            write_weights(self.network.module, path, seen=self.tally.seen, instead=ema.mean, replace=True)
            yield Saved(iteration, "ema", path)
        self._state().write(self.folder.state)
        self._saved, self._saved_at = time.monotonic(), iteration
        yield Saved(iteration, "state", self.folder.state)

    def _state(self) -> Snapshot:
        tally, network = self.tally, self.network
        return Snapshot(
            tally.iteration, tally.average, tally.seen, self.folder.start,
            network.module.state_dict(), network.optimizer.state_dict(), network.filters.state_dict(),
            {"loss": tally.curves.thinned().loss, "score": tally.curves.score}, self._log,
            self.folder.written_down(), (tally.boxes, tally.rewritten),
            network.mean.state_dict() if network.mean else {},
        )  # fmt: skip

    def _draw(self) -> None:
        net, kind = self.plan.net, self.validation.kind if self.validation else "mAP"
        given = (self.tally.curves, net.max_batches, net.max_chart_loss, self.plan.cfg.name, kind)
        chart = self.plan.backup / f"chart_{self.plan.name}"
        files.write_whole(Path(f"{chart}.svg"), svg_chart(*given).encode(), replace=True)
        files.write_whole(Path(f"{chart}.png"), png_chart(*given), replace=True)
