"""A claim of the paper, and how figures become sentences of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import computed
from .predictions import counted, gradient_predictions
from .results import Figure, Results
from .statistics import FAILS, HOLDS, PARTLY, UNSETTLED

UNKNOWN = "cannot be shown here"


@dataclass(frozen=True)
class Claim:
    """A claim in our words, where it stands, what was measured, and what became of it."""

    where: str
    said: str
    measured: str
    verdict: str


def percent(value: float) -> str:
    """A part of a whole.

    >>> percent(0.208)
    '21 %'
    """
    return f"{value:.0%}".replace("%", " %")


def cio(name: str) -> str:
    """The CIO of a network, in millions."""
    return f"{computed.total(name).cio / 1e6:.1f}"


def shown(found: Figure, digits: int = 1, factor: float = 1.0) -> str:
    """A figure as text, or why there is none."""
    return found if isinstance(found, str) else found.text(digits, factor)


def points(difference: Figure) -> str:
    """A difference of accuracies."""
    return difference if isinstance(difference, str) else f"{shown(difference, 1, 100)} points"


def in_small(outcome: str) -> str:
    """A verdict about small networks and pictures; what is none is left as it is.

    >>> in_small(HOLDS), in_small("not yet run")
    ('in small: holds', 'not yet run')
    """
    return outcome if outcome not in (HOLDS, FAILS, UNSETTLED, PARTLY) else f"in small: {outcome}"


def duplicates(found: Results, names: Sequence[str]) -> tuple[list[str], str]:
    """What became of some predictions about gradients at the end of training, and how many of them did what."""
    rows = [row for row in gradient_predictions(found, trained=True) if row.name in names]
    outcomes = [row.outcome for row in rows]
    if missing := [o for o in outcomes if o not in (HOLDS, FAILS, UNSETTLED)]:
        return outcomes, missing[0]
    beyond = counted([row.outcome_beyond for row in rows])
    return outcomes, f"of {len(rows)} comparisons {counted(outcomes)}; beyond what is shape, {beyond}"
