"""An iteration: mini-batches forward and back, gradients added up, an update (network.c train_network_datum).

Decision: all that an iteration depends on is a function of the seed and of its number: pictures, sizes, dropout.
Nothing here is measured, saved or printed.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...analysis.anchors import OWN_ALL_ANCHORS, Assignment
from ...analysis.evaluate.classify import Classified
from ...errors import DataError, Say, to_nobody
from ...torch import DarknetModule
from .broken import REMEDIES, NoNumberError, first_broken
from .data.loader import Loader, MiniBatch
from .data.opening import open_loader
from .data.options import doubts
from .data.sizes import NetSize, Sizes
from .events import Step
from .losses import LossResult, Said, doubtful_losses
from .network import open_trained
from .plan import Plan
from .processes import Processes
from .snapshot import REMEDY, Snapshot
from .tally import Tally

PACE = 20  # iterations that the estimate of the end looks back at


class Learning:
    """The network of a plan as it learns from a loader, in one of the `processes`; `tally` says how far it is.

    It goes on from a `state`, or begins as the plan says, which `say` is told. Raises `DarknetError` for what cannot be
    trained, and while it learns `NoNumberError`.
    """

    def __init__(
        self, plan: Plan, loader: Loader, device: torch.device, processes: Processes, say: Say,
        state: Snapshot | None = None,
    ) -> None:  # fmt: skip
        settings = plan.settings
        if settings.threads:
            torch.set_num_threads(settings.threads)
        if device.type == "cuda":
            torch.backends.cudnn.deterministic = True  # a training that goes on has to be the one that was stopped
        self.plan, self.loader, self.device, self.processes = plan, loader, device, processes
        self.parts = processes.parts(plan.net.subdivisions)
        self.network = open_trained(plan, device, to_nobody if state else say)
        self.sizes = Sizes.of(
            plan.net, plan.head, seed=settings.seed, batch=plan.mini_batch, grows=settings.sizes
        )  # fmt: skip
        self.tally = Tally.of(state) if state else Tally.at_start(plan, self.network.module.header.seen)
        self._paces: deque[float] = deque(maxlen=PACE)
        if state:
            self._load(state)

    def _load(self, state: Snapshot) -> None:
        try:
            self.network.module.load_state_dict(state.module)
            self.network.optimizer.load_state_dict(state.optimizer)
            if self.network.mean and state.mean:
                self.network.mean.load_state_dict(state.mean)
        except (RuntimeError, KeyError, ValueError, DataError) as e:
            first = str(e).strip().rpartition("\n")[2].strip()  # PyTorch's first line says only that there are some
            raise DataError(
                f"{self.plan.path('last', 'state')} is of another network, or of another version: {first}{REMEDY}"
            ) from None
        self.network.filters.load_state_dict(state.filters)

    def steps(self, last: int, is_asked: Callable[[], bool] = lambda: False) -> Iterator[Step]:
        """The iterations up to number `last`; they end before it where `is_asked` to stop in any of the processes."""
        tally, share = self.tally, (self.processes.rank, self.processes.count)
        batches = self.loader.from_sample(tally.seen, self._mini_batches(last), share=share)
        try:
            while tally.iteration < last and not self.processes.any_of(is_asked()):
                yield self._step(batches)
        finally:
            batches.close()

    def _mini_batches(self, last: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """How many pictures of which size every mini-batch has, of all processes."""
        for iteration in range(self.tally.iteration, last):
            at = self.sizes.at(iteration)
            yield from [(at.batch, at.size)] * self.plan.net.subdivisions

    def _step(self, batches: Iterator[MiniBatch]) -> Step:
        begin, waited, loss = time.perf_counter(), 0.0, 0.0
        tally, net = self.tally, self.plan.net
        at = self.sizes.at(tally.iteration)
        pictures = at.batch * net.subdivisions
        module = self.network.at(at.size)
        module.train()
        module.iteration = tally.iteration
        heads: Sequence[LossResult] = ()
        said: list[Said] = []
        costs: list[tuple[str, float]] = []
        for part in self.parts:
            before = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - before
            cost, heads = self._learn(module, batch, part, at)
            loss += cost
            said += (head.said for head in heads)
            if self.plan.settings.per_sample:
                costs += zip(batch.paths, _per_sample(heads), strict=True)
        tally.count_boxes(said)  # after the last backward pass: each number that is looked at waits for the device
        self.processes.add_up(module)
        rate = self.network.optimizer.step(tally.iteration + 1, pictures)
        self.processes.copy_statistics(module)
        if self.network.mean:
            self.network.mean.update()
        loss = self.processes.sum_of(loss) / pictures
        average = tally.count(pictures, loss)
        seconds = time.perf_counter() - begin
        self._paces.append(seconds)
        left = (net.max_batches - tally.iteration) * sum(self._paces) / len(self._paces)
        lines = (*(line for head in heads if (line := head.said.line)), *tally.lines())
        return Step(
            tally.iteration, loss, average, rate, seconds, waited, tally.seen, at.size, left, lines, tuple(costs)
        )  # fmt: skip

    def _learn(
        self, module: DarknetModule, batch: MiniBatch, part: int, at: NetSize
    ) -> tuple[float, Sequence[LossResult]]:
        """Forward and backward of a mini-batch: the mean of the costs of its heads, and what they say."""
        iteration, seen = self.tally.iteration, self.tally.seen + (part + 1) * at.batch
        images = torch.from_numpy(batch.images).to(self.device, non_blocking=True)
        truth = torch.from_numpy(batch.truth)  # where it is: what reads it needs it on the processor, or moves it
        losses = self.network.losses(at.size)
        with self._chance(part), self._precision():
            reads = module.values([images], [loss.source for loss in losses])
        found = [loss(x.float(), truth, seen=seen, iteration=iteration) for loss, x in zip(losses, reads, strict=True)]
        total = torch.stack([one.cost for one in found]).sum()
        cost = float(total.detach()) / len(found)
        if not math.isfinite(cost):
            where = first_broken(module, images, batch.paths)
            raise NoNumberError(f"the loss is no number in iteration {iteration + 1}: {where}\n  hint: {REMEDIES}")
        if total.requires_grad:  # nothing is learned before iteration N of stopbackward=N in the last layers
            total.backward()
        return cost, found

    @contextmanager
    def _chance(self, part: int) -> Iterator[None]:
        """A block with random numbers of its own, for dropout; those of whoever trains are left as they are.

        On the processor by hand: torch.manual_seed looks at every other kind of device, which takes as long as a layer.
        """
        seed = _seed(self.plan.settings.seed, self.tally.iteration, part)
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


def loader_of(plan: Plan, say: Say) -> Loader:
    """The pictures that a plan learns from, as its network will see them. Raises `DataError`."""
    settings = plan.settings
    loader = open_loader(
        plan.data, replace(plan.compilation, net=plan.net), names=plan.names, batch=plan.mini_batch,
        seed=settings.seed, workers=settings.workers, say=say,
    )  # fmt: skip
    say(loader.dataset.describe())
    for doubt in (*doubts(plan.net, plan.head), *doubtful_losses(plan.compilation)):
        say(doubt)
    return loader


def doubt_of_anchors(plan: Plan, loader: Loader) -> str | None:
    """What to say of objects that no head learns, by the size that they have at the cfg's input; None: all are learned.

    The loader has looked them over, unless they are made on the way.
    """
    told = [] if isinstance(loader.dataset, Classified) else [rows for _, rows in loader.examples.told()]
    if not told:
        return None
    rows = np.concatenate(told)
    known = rows[(rows[:, 4] >= 0) & (rows[:, 4] < loader.options.classes)]
    sizes = known[:, 2:4].astype(np.float64) * (plan.net.width, plan.net.height)
    doubt = Assignment.of(plan.compilation).doubt(sizes)
    return doubt and f"{doubt}\n  hint: {OWN_ALL_ANCHORS}"


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
