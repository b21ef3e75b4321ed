"""The claims of the paper's abstract and of its sections 3 and 4, each with what was measured and what became of it.

Decision: a claim is a function of the results, so that no sentence about a training can outlive its number; what was
not run says so. A verdict that no training can change is written beside the figures that are computed from the cfgs.
"""

from __future__ import annotations

from .abstract import abstract
from .claim import Claim
from .results import Results
from .section3 import section3
from .section4 import section4


def claims(found: Results) -> list[Claim]:
    """All of them, in the order of the paper."""
    return [*abstract(found), *section3(found), *section4(found)]
