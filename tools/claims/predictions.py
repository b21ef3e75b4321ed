"""The predictions of PREDICTIONS.md as comparisons of two networks, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .detectors import CEM, EFM, GFM, PLAIN, PRN, SPP
from .grid import CLASSIFIERS, DETECTORS, GIOU
from .results import Figure, Results, Values, by_seed, estimated, paired
from .statistics import FAILS, HOLDS, UNSETTLED, kendall, verdict


@dataclass(frozen=True)
class Prediction:
    """A measure of two networks, of which the first should have the larger.

    `points` is by how much, where the paper has numbers. `random` is the difference of random gradients of the same
    shapes, and `beyond` what is left of the difference without it, where that has a meaning.
    """

    name: str
    measure: str
    larger: str
    smaller: str
    difference: Figure
    points: float | None = None
    random: Figure | None = None
    beyond: Figure | None = None

    @property
    def outcome(self) -> str:
        """What became of it."""
        return outcome(self.difference)

    @property
    def outcome_beyond(self) -> str:
        """The same of what is not shape."""
        return "" if self.beyond is None else outcome(self.beyond)


def outcome(difference: Figure, expected: float = 1) -> str:
    """The verdict about a difference, or why there is none."""
    return difference if isinstance(difference, str) else verdict(difference, expected)


_CHAIN = ("pelee", "csppelee-fusion-first", "csppelee-fusion-last", "csppelee")
_GAMMAS = ("csppelee-g25", "csppelee", "csppelee-g75")
_WITH_RANDOM = ("cosine", "cka", "rank")


def gradient_predictions(found: Results, *, trained: bool) -> list[Prediction]:
    """P1 to P5, at the end of training or before it."""
    rows: list[tuple[str, str, str, str]] = []
    for measure in ("cosine", "cka"):
        rows += [("P1", measure, a, b) for a, b in pairwise(_CHAIN)]
    rows += [("P2", "rank", b, a) for a, b in pairwise(_CHAIN)]
    rows += [("P3", "shared", "pelee", "csppelee")]
    rows += [("P3", "shared", a, b) for a, b in pairwise(_GAMMAS)]
    for measure in ("cosine", "cka"):
        rows += [("P4", measure, a, b) for a, b in pairwise(_GAMMAS)]
        rows += [("P5", measure, "resnet10", "csresnet10")]
    end = found.budget.classifier.iterations if trained else None
    return [_of_gradients(found, row, end) for row in sorted(rows, key=lambda row: row[0])]


def _of_gradients(found: Results, row: tuple[str, str, str, str], iteration: int | None) -> Prediction:
    name, measure, larger, smaller = row
    a, b = (found.gradients(n, measure, iteration) for n in (larger, smaller))
    if measure not in _WITH_RANDOM:
        return Prediction(name, measure, larger, smaller, paired(a, b))
    by_shape = [found.gradients(n, f"random_{measure}", iteration) for n in (larger, smaller)]
    beyond = estimated(by_seed(lambda a, b, x, y: (a - x) - (b - y), a, b, *by_shape))
    return Prediction(name, measure, larger, smaller, paired(a, b), random=paired(*by_shape), beyond=beyond)


_OF_ACCURACY = (
    ("P6", "top1", "csppelee-g25", "csppelee"), ("P6", "top1", "csppelee", "pelee"),
    ("P6", "top1", "pelee", "csppelee-g75"), ("P7", "top1", "pelee", "csppelee-fusion-last"),
    ("P7", "top1", "pelee", "csppelee-fusion-first"), ("P8", "top1", "csppelee-fusion-first", "peleenext"),
    ("P8", "top1", "spelee", "csppelee-fusion-first"), ("P10", "AP", PLAIN, GFM), ("P10", "AP50", PLAIN, GFM),
    ("P11", "AP", PLAIN + GIOU, PLAIN), ("P11", "AP50", PLAIN, PLAIN + GIOU), ("P12", "AP", EFM, PLAIN),
    ("P12", "AP", PLAIN, SPP), ("P13", "AP", PLAIN, GFM), ("P13", "AP", GFM, CEM), ("P13", "AP", CEM, PRN),
)  # fmt: skip


def accuracy_predictions(found: Results) -> list[Prediction]:
    """P6 to P13, with the points of the paper; P9 is about an order, and `order_prediction`."""
    return [
        Prediction(
            name, measure, a, b, found.difference(a, b, measure), _published(a, measure) - _published(b, measure)
        )
        for name, measure, a, b in _OF_ACCURACY
    ]


def order_prediction(found: Results) -> Prediction:
    """P9: that our order of the twelve rows has something of the paper's."""
    return Prediction("P9", "Kendall's τ", "our order, the paper's", "0", order_of_table1(found))


def _published(name: str, measure: str) -> float:
    """Points of a network in Table 1 or 2."""
    if measure == "top1":
        return CLASSIFIERS[name]
    row = DETECTORS[name]
    assert row is not None, name
    return row[measure == "AP50"]


def counted(outcomes: Sequence[str]) -> str:
    """How many outcomes are what.

    >>> counted([HOLDS, FAILS, HOLDS])
    '2 hold, 1 does not'
    """
    said = ((HOLDS, "holds", "hold"), (FAILS, "does not", "do not"), (UNSETTLED, "cannot be told", "cannot be told"))
    counts = [(outcomes.count(which), one, more) for which, one, more in said]
    return ", ".join(f"{count} {one if count == 1 else more}" for count, one, more in counts if count)


# -- orders ------------------------------------------------------------------------------------------------------


def cka(found: Results, name: str) -> Values:
    """CKA of shared weight gradients at the end of training."""
    return found.gradients(name, "cka", found.budget.classifier.iterations)


def order_by_gradients(found: Results, *, beyond: bool) -> Figure:
    """Kendall's tau of CKA and top-1 over the networks of Table 1; `beyond` takes random gradients' CKA off."""
    ckas = [cka(found, n) for n in CLASSIFIERS]
    if beyond:
        end = found.budget.classifier.iterations
        by_shape = (found.gradients(n, "random_cka", end) for n in CLASSIFIERS)
        ckas = [by_seed(lambda a, x: a - x, *both) for both in zip(ckas, by_shape, strict=True)]
    return _tau(ckas, [found.values(n, "top1") for n in CLASSIFIERS])


def order_by_loss(found: Results) -> Figure:
    """Kendall's tau of top-1 and of the loss at the end of training over the networks of Table 1."""
    return _tau(*([found.values(n, measure) for n in CLASSIFIERS] for measure in ("top1", "loss")))


def falling(found: Results, first: int) -> str:
    """How many networks of Table 1 have a smaller CKA at the end of training than after iteration `first`."""
    ckas = [(estimated(found.gradients(n, "cka", first)), estimated(cka(found, n))) for n in CLASSIFIERS]
    known = [end.mean < begin.mean for begin, end in ckas if not isinstance(begin, str) and not isinstance(end, str)]
    return f"{sum(known)} of {len(known)}"


def order_of_table1(found: Results) -> Figure:
    """Kendall's tau of our top-1 and the paper's."""
    published = [Values(dict.fromkeys(found.budget.seeds, paper), len(found.budget.seeds))
                 for paper in CLASSIFIERS.values()]  # fmt: skip
    return _tau([found.values(n, "top1") for n in CLASSIFIERS], published)


def _tau(ours: Sequence[Values], theirs: Sequence[Values]) -> Figure:
    """Of two measures over networks, seed by seed: of the seeds that all networks have."""

    def one(*numbers: float) -> float:
        return kendall(numbers[: len(ours)], numbers[len(ours) :])

    return estimated(by_seed(one, *ours, *theirs))
