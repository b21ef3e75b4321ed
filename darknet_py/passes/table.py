"""The one table of who takes which passes, in which order, read off the files of this folder.

Prices and gains, and what was tried in vain: tools/bench/PASSES.md.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

from .definition import TAKERS, Line, Pass
from .winograd import TILING

_FILES = sorted({m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)])} - {"definition", "table"})
_LINES: list[Line] = [line for name in _FILES for line in import_module(f"{__package__}.{name}").LINES]
TABLE = tuple(sorted(_LINES, key=lambda line: line.place))


def passes_for(taker: str, block: int = 8, *, winograd: bool = True) -> tuple[Pass, ...]:
    """The passes of one of `TAKERS` in their order; `block` is how many channels it keeps together, if it does.

    >>> [step.name for step in passes_for("ncnn")]
    ['fold_constants', 'fold_batch_norm', 'cascade_pools']
    """
    if taker not in TAKERS:
        raise ValueError(f"no passes are known for {taker!r}; known are {', '.join(TAKERS)}")
    steps = (line.made(block) for line in TABLE if taker in line.takers)
    return tuple(step for step in steps if winograd or step.name != TILING)
