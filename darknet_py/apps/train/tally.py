"""How far a training is: what is counted and averaged from its first iteration on.

Decision: this, the parameters and what the optimizer and the loss filters remember are all that one iteration hands to
the next, and all that is saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...errors import DataError
from .chart import Curves
from .losses import Said
from .plan import Plan
from .snapshot import Snapshot

SMOOTH = 0.9  # of the average loss


@dataclass
class Tally:
    """After `iteration` updates with `seen` pictures: the running mean of the loss, what is charted, and two counts.

    `average` is None before the first iteration. `boxes` are objects that were learned, `rewritten` those of them that
    took the place of another.
    """

    iteration: int = 0
    seen: int = 0
    average: float | None = None
    boxes: int = 0
    rewritten: int = 0
    curves: Curves = field(default_factory=Curves)

    @classmethod
    def at_start(cls, plan: Plan, seen: int) -> Tally:
        """That of a training which begins with weights that have `seen` so many pictures.

        Raises `DataError` where that is the end already.
        """
        seen = 0 if plan.settings.clear else seen
        iteration = seen // plan.net.batch  # network.c get_current_batch
        if iteration >= plan.net.max_batches:
            raise DataError(
                f"{plan.weights} has seen {seen:,} pictures, which is all of {plan.net.max_batches} iterations\n"
                "  hint: --clear counts from 0, to train on other pictures; a larger max_batches goes on"
            )
        return cls(iteration, seen)

    @classmethod
    def of(cls, state: Snapshot) -> Tally:
        """That of a training which was stopped."""
        curves = Curves([tuple(p) for p in state.curves["loss"]], [tuple(p) for p in state.curves["score"]])
        return cls(state.iteration, state.seen, state.average, *state.boxes, curves)

    def count(self, pictures: int, loss: float) -> float:
        """Count an iteration; the average loss after it (detector.c train_detector)."""
        self.iteration += 1
        self.seen += pictures
        self.average = loss if self.average is None else self.average * SMOOTH + loss * (1 - SMOOTH)
        return self.average

    def count_boxes(self, said: Sequence[Said]) -> None:
        """Count the objects that the heads of some mini-batches have learned."""
        for numbers in (one.values for one in said):
            self.boxes += int(numbers.get("boxes", 0))
            self.rewritten += int(numbers.get("rewritten", 0))

    def lines(self) -> tuple[str, ...]:
        """Darknet's line about objects, since the beginning, that fell on an anchor that was taken; () without any."""
        if not self.boxes:
            return ()
        return (f" total_bbox = {self.boxes}, rewritten_bbox = {100 * self.rewritten / self.boxes:f} %",)
