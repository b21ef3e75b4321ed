"""The loop of a training: mini-batches, an update, and what is measured and saved (detector.c train_detector).

Decision: all that an iteration depends on is a function of the seed and of its number: pictures, sizes, dropout. What
is carried from one to the next is the `Snapshot`, which is saved whole. So a training that was killed goes on as if
nothing had happened, bit by bit.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ... import files
from ...errors import DataError, Say
from ...torch import DarknetModule, write_weights
from ...vision.datasets import Dataset
from .broken import broken_parameter, first_broken
from .chart import Curves, png_chart, svg_chart
from .data.classifier import Classified
from .data.loader import Loader, MiniBatch
from .data.opening import open_loader
from .data.options import doubts
from .data.sizes import NetSize, Sizes
from .events import Event, Finished, Resumed, Saved, Step, Validated, as_record
from .fingerprint import fingerprint
from .folder import Folder, refuse_files_of_others
from .losses import LossResult, Said, doubtful_losses
from .network import Trained, open_trained
from .plan import Plan
from .processes import Processes, chosen_device, started
from .snapshot import Snapshot
from .validation import Validation

CHART_EACH = 100  # iterations
LEAST_MAP_EACH = 100  # iterations between two measurements
SMOOTH = 0.9  # of the average loss
PACE = 20  # iterations that the estimate of the end looks back at


class Trainer:
    """A training that is about to begin or to go on; to iterate over it is to train, and gives `Event`s.

    `say` is told what is done unasked. Raises `DarknetError` for what cannot be trained, and in the loop for a loss
    that is no number: then the last good state is what lies in the backup folder.
    """

    def __init__(self, plan: Plan, say: Say | None = None) -> None:
        self.plan, self._say = plan, say or _to_nobody
        self._run: Loop | None = None

    def stop(self) -> None:
        """End after the iteration that is being computed, with everything saved."""
        self._stopping = True
        if self._run:
            self._run.stopping = True

    def __iter__(self) -> Iterator[Event]:
        settings = self.plan.settings
        device = chosen_device(settings.device)
        with started(device) as processes:
            self._run = Loop(self.plan, device, processes, self._say if processes.first else _to_nobody)
            self._run.stopping = self._stopping
            try:
                yield from self._run.events()
            except OSError as e:
                raise DataError(self._run.what_was_not_written(e)) from e


def _to_nobody(_: str) -> None:
    """Nobody is told."""


class Loop:
    """A training at work in one process; with `resume` it goes on where the one in the backup folder was stopped."""

    def __init__(
        self, plan: Plan, device: torch.device, processes: Processes, say: Say, *, resume: bool = True
    ) -> None:
        settings = plan.settings
        if resume and processes.first:
            refuse_files_of_others(plan)
        if settings.threads:
            torch.set_num_threads(settings.threads)
        if device.type == "cuda":
            torch.backends.cudnn.deterministic = True  # a training that goes on has to be the one that was stopped
        self.plan, self.processes, self.device, self.say = plan, processes, device, say
        self.stopping = False
        self.net = plan.net
        self.parts = processes.parts(self.net.subdivisions)
        self.loader = loader_of(plan, self.say)
        self.loader.look_over()
        self.folder = Folder.of(plan, fingerprint(self.loader))
        state = self.folder.found() if resume else None
        self.resumed = state is not None
        self.network: Trained = open_trained(plan, device, _to_nobody if state else self.say)
        self.sizes = Sizes.of(self.net, plan.head, seed=settings.seed, batch=plan.mini_batch)
        self.validation = Validation.of(plan, self.say) if processes.first else None
        self.seen = 0 if settings.clear else self.network.module.header.seen
        self.iteration = self.seen // self.net.batch  # network.c get_current_batch
        if not state and self.iteration >= self.net.max_batches:
            raise DataError(
                f"{plan.weights} has seen {self.seen:,} pictures, which is all of {self.net.max_batches} iterations\n"
                "  hint: --clear counts from 0, to train on other pictures; a larger max_batches goes on"
            )
        self.average = -1.0
        self.curves = Curves()
        self.log = 0
        self.boxes = self.rewritten = 0  # objects that were positives, and those that took the place of another
        self.saved = time.monotonic()
        self._paces: deque[float] = deque(maxlen=PACE)
        if state:
            self._take_over(state)

    # -- the loop ------------------------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        """The training, event by event, each of them in the log."""
        plan, first = self.plan, self.processes.first
        if first:
            self.folder.prepare()
        if not first:
            for _ in self._iterations():
                pass
            return
        with files.continuing(plan.path("log", "jsonl"), self.log, replace=True) as log:
            if self.resumed:
                yield Resumed(self.iteration, self.folder.state)
            for event in self._iterations():
                log.write(json.dumps(as_record(event)).encode() + b"\n")
                if not isinstance(event, Step):
                    log.flush()
                self.log = log.tell()
                yield event

    def _iterations(self) -> Iterator[Event]:
        end = self.net.max_batches
        last = min(end, self.plan.settings.iterations or end)
        for step in self.steps(last):
            yield step
            yield from self._after_step(self.iteration == last)
            if self.stopping:
                break
        yield from self._finish(end)

    def steps(self, last: int) -> Iterator[Step]:
        """The iterations up to number `last`, without anything that is measured, saved or said."""
        share = self.processes.rank, self.processes.count
        batches = self.loader.from_sample(self.seen, self._plan(last), share=share)
        try:
            while self.iteration < last:
                yield self._step(batches)
        finally:
            batches.close()

    def _plan(self, last: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """How many pictures of which size every mini-batch has, of all processes."""
        for iteration in range(self.iteration, last):
            at = self.sizes.at(iteration)
            yield from [(at.batch, at.size)] * self.net.subdivisions

    def _step(self, batches: Iterator[MiniBatch]) -> Step:
        begin, waited, loss = time.perf_counter(), 0.0, 0.0
        at = self.sizes.at(self.iteration)
        module = self.network.at(at.size)
        module.train()
        module.iteration = self.iteration
        heads: Sequence[LossResult] = ()
        said: list[Said] = []
        costs: list[tuple[str, float]] = []
        for part in self.parts:
            before = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - before
            cost, heads = self._mini_batch(module, batch, part, at)
            loss += cost
            said += (head.said for head in heads)
            if self.plan.settings.per_sample:
                costs += zip(batch.paths, _per_sample(heads), strict=True)
        self._count_boxes(said)  # after the last backward pass: each number that is looked at waits for the device
        self.iteration += 1
        self.seen += at.batch * self.net.subdivisions
        self.processes.add_up(module)
        rate = self.network.optimizer.step(self.iteration, at.batch * self.net.subdivisions)
        self.processes.copy_statistics(module)
        loss, asked = self.processes.sums_of(loss, float(self.stopping))
        self.stopping = asked > 0  # one of several processes is asked, and all end
        loss /= self.net.subdivisions * at.batch
        self.average = loss if self.average < 0 else self.average * SMOOTH + loss * (1 - SMOOTH)
        seconds = time.perf_counter() - begin
        self._paces.append(seconds)
        left = (self.net.max_batches - self.iteration) * sum(self._paces) / len(self._paces)
        lines = (*(line for head in heads if (line := head.said.line)), *self._rewritten())
        return Step(
            self.iteration, loss, self.average, rate, seconds, waited, self.seen, at.size, left, lines, tuple(costs)
        )  # fmt: skip

    def _count_boxes(self, said: Sequence[Said]) -> None:
        for numbers in (one.values for one in said):
            self.boxes += int(numbers.get("boxes", 0))
            self.rewritten += int(numbers.get("rewritten", 0))

    def _rewritten(self) -> tuple[str, ...]:
        """Darknet's line about the objects, since the beginning, that fell on an anchor that was taken."""
        if not self.boxes:
            return ()
        return (f" total_bbox = {self.boxes}, rewritten_bbox = {100 * self.rewritten / self.boxes:f} %",)

    def _mini_batch(
        self, module: DarknetModule, batch: MiniBatch, part: int, at: NetSize
    ) -> tuple[float, Sequence[Any]]:
        """Forward and backward of a mini-batch: the mean of the costs of its heads, and what they say."""
        seen = self.seen + (part + 1) * at.batch
        images = torch.from_numpy(batch.images).to(self.device, non_blocking=True)
        truth = torch.from_numpy(batch.truth)  # where it is: what reads it needs it on the processor, or moves it
        losses = self.network.losses(at.size)
        with self._chance(part), self._precision():
            reads = module.values([images], [loss.source for loss in losses])
        found = [
            loss(x.float(), truth, seen=seen, iteration=self.iteration) for loss, x in zip(losses, reads, strict=True)
        ]
        total = torch.stack([one.cost for one in found]).sum()
        cost = float(total.detach()) / len(found)
        if not math.isfinite(cost):
            raise DataError(self._what_broke(module, images, batch))
        if total.requires_grad:  # nothing is learned before iteration N of stopbackward=N in the last layers
            total.backward()
        return cost, found

    @contextmanager
    def _chance(self, part: int) -> Iterator[None]:
        """A block with random numbers of its own, for dropout; those of whoever trains are left as they are.

        On the processor by hand: torch.manual_seed looks at every other kind of device, which takes as long as a layer.
        """
        seed = _seed(self.plan.settings.seed, self.iteration, part)
        if self.device.type != "cpu":
            with torch.random.fork_rng([self.device]):
                torch.manual_seed(seed)
                yield
            return
        before = torch.get_rng_state()
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_rng_state(before)

    def _precision(self) -> Any:
        if self.plan.settings.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    # -- what goes wrong -----------------------------------------------------------------------------------------

    def _what_broke(self, module: DarknetModule, images: torch.Tensor, batch: MiniBatch) -> str:
        """What to say of a loss that is no number."""
        return (
            f"the loss is no number in iteration {self.iteration + 1}: {first_broken(module, images, batch.paths)}\n"
            f"  hint: {self.folder.kept()}; a lower learning rate, or a longer burn_in, usually helps; check the "
            "labels (darknet-py check)"
        )

    def what_was_not_written(self, error: OSError) -> str:
        """What to say of a file that could not be written, such as on a full disk."""
        place = f"{error.filename}: " if error.filename else ""
        remedy = "make room, and the same command goes on" if error.errno in files.FULL else "the same command goes on"
        return (
            f"{place}{error.strerror or error}: training ends after iteration {self.iteration}\n"
            f"  hint: {self.folder.kept()}; {remedy}"
        )

    # -- what is measured and saved --------------------------------------------------------------------------------

    def _after_step(self, last: bool) -> Iterator[Event]:
        if not self.processes.first:
            return
        iteration, plan = self.iteration, self.plan
        self.curves.add_loss(iteration, self.average)
        if self.validation and (self._is_due() or iteration == self.net.max_batches):
            yield self._validate()
            if self.curves.best == self.curves.score[-1][1]:
                yield self._save("best")
        if iteration % plan.save_each == 0:
            yield self._save(iteration)
        overdue = time.monotonic() - self.saved > plan.settings.save_seconds
        if iteration % plan.save_last == 0 or overdue or last or self.stopping:
            yield from self._save_last()
        if iteration % CHART_EACH == 0 or last:
            self._draw()

    def _is_due(self) -> bool:
        settings = self.plan.settings
        each = max(LEAST_MAP_EACH, settings.map_epochs * len(self.loader.dataset) // self.net.batch)
        return self.iteration >= self.net.burn_in and self.iteration % each == 0

    def _validate(self) -> Validated:
        assert self.validation is not None, "asked for"
        value = self.validation.measure(self.network.model())
        self.curves.score.append((self.iteration, value))
        return Validated(self.iteration, self.validation.kind, value, self.curves.best)

    def _save(self, kind: object) -> Saved:
        path = self.plan.path(kind)
        if name := broken_parameter(self.network.module):
            raise DataError(
                f"parameters of {name} are no numbers after iteration {self.iteration}; nothing is saved\n"
                "  hint: train from the last file that was saved with a lower learning rate"
            )
        write_weights(self.network.module, path, seen=self.seen, replace=True)
        return Saved(self.iteration, str(kind), path)

    def _save_last(self) -> Iterator[Event]:
        yield self._save("last")
        ema = self.network.optimizer.ema
        if ema is not None and ema.mean:
            path = self.plan.path("ema")
            write_weights(self.network.module, path, seen=self.seen, instead=ema.mean, replace=True)
            yield Saved(self.iteration, "ema", path)
        self._state().write(self.folder.state)
        self.saved = time.monotonic()
        yield Saved(self.iteration, "state", self.folder.state)

    def _finish(self, end: int) -> Iterator[Event]:
        if not self.processes.first:
            return
        path = self.plan.path("last")
        if self.iteration >= end:
            saved = self._save("final")
            yield saved
            yield Finished(self.iteration, "done", saved.path)
            return
        reason = "stopped" if self.stopping else "iterations"
        yield Finished(self.iteration, reason, path)

    def _draw(self) -> None:
        kind = self.validation.kind if self.validation else "mAP"
        given = (self.curves, self.net.max_batches, self.net.max_chart_loss, self.plan.cfg.name, kind)
        chart = self.plan.backup / f"chart_{self.plan.name}"
        files.write_whole(Path(f"{chart}.svg"), svg_chart(*given).encode(), replace=True)
        files.write_whole(Path(f"{chart}.png"), png_chart(*given), replace=True)

    # -- to go on ------------------------------------------------------------------------------------------------

    def _state(self) -> Snapshot:
        return Snapshot(
            self.iteration, self.average, self.seen, self.folder.start,
            self.network.module.state_dict(), self.network.optimizer.state_dict(), self.network.filters.state_dict(),
            {"loss": self.curves.thinned().loss, "score": self.curves.score}, self.log, self.folder.written_down(),
            (self.boxes, self.rewritten),
        )  # fmt: skip

    def _take_over(self, state: Snapshot) -> None:
        for change in self.folder.changes(state):
            self.say(change)
        try:
            self.network.module.load_state_dict(state.module)
            self.network.optimizer.load_state_dict(state.optimizer)
        except (RuntimeError, KeyError, ValueError, DataError) as e:
            first = str(e).partition("\n")[0]
            raise DataError(
                f"{self.folder.state} is of another network, or of another version: {first}\n"
                "  hint: --fresh begins anew, from WEIGHTS if given (a copy of _last.weights); or name another --backup"
            ) from None
        self.network.filters.load_state_dict(state.filters)
        self.iteration, self.average, self.seen = state.iteration, state.average, state.seen
        self.folder = replace(self.folder, start=state.start)  # of what it began with, whatever it is called with now
        self.log = state.log
        self.boxes, self.rewritten = state.boxes
        self.curves = Curves([tuple(p) for p in state.curves["loss"]], [tuple(p) for p in state.curves["score"]])


def loader_of(plan: Plan, say: Say = _to_nobody) -> Loader:
    """The pictures that a plan learns from, as its network will see them. Raises `DataError`."""
    settings = plan.settings
    loader = open_loader(
        plan.data, replace(plan.compilation, net=plan.net), names=plan.names, batch=plan.mini_batch,
        seed=settings.seed, workers=settings.workers, say=say,
    )  # fmt: skip
    say(_described(loader.dataset))
    for doubt in (*doubts(plan.net, plan.head), *doubtful_losses(plan.compilation)):
        say(doubt)
    return loader


def _described(data: Dataset | Classified) -> str:
    if isinstance(data, Dataset):
        return data.describe()
    left = f", {len(data.unknown)} left out whose paths tell no class" if data.unknown else ""
    return f"{len(data)} pictures of {len(data.names)} classes{left}"


def _per_sample(heads: Sequence[LossResult]) -> list[float]:
    """The mean of the costs of the heads that each picture alone would have."""
    mean: list[float] = torch.stack([one.per_sample.detach().double() for one in heads]).mean(0).tolist()
    return mean


def _seed(*parts: int) -> int:
    """A seed of its own for each tuple of numbers."""
    found = 0
    for part in parts:
        found = (found * 1_000_003 + part + 1) % (1 << 63)
    return found
