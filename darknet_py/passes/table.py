"""The one table of who takes which passes, in which order, at which prices.

A new pass is a file of its own and a line here. Prices and gains, and what was tried in vain: tools/bench/PASSES.md.
"""

from __future__ import annotations

from collections.abc import Callable

from .cascade_pools import cascade_pools
from .definition import Pass
from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants
from .im2col import TapCosts, unfold_convolutions
from .pad_narrow import pad_narrow
from .spread_channels import spread_channels
from .widen_groups import widen_groups
from .winograd import TILING, TileCosts, tile_convolutions

# Who runs a graph: a back end, and what of it matters here. "file" is an exported one, for any runtime.
UNTOUCHED = ("numpy", "onnx.reference")  # they say what is right: each operation as it was lowered
ONNXRUNTIME, BLOCKED = "onnxruntime", "onnxruntime, blocked"  # on a GPU; on a CPU, in blocks of channels
OPENCV_4, OPENCV_5 = "opencv 4", "opencv 5"
FOLDING = ("file", "numpy, exact", "openvino", "ncnn", ONNXRUNTIME, BLOCKED, OPENCV_4, OPENCV_5)
TAKERS = (*UNTOUCHED, *FOLDING)

# The passes in the order in which they run, some of them made for a runtime that keeps so many channels together, and
# who takes each. OpenCV 5 multiplies ten pixels at once: in a convolution with strides it computes their addresses for
# every block, and each by itself where they leave a row.
TABLE: tuple[tuple[Pass | Callable[[int], Pass], tuple[str, ...]], ...] = (
    (fold_constants, FOLDING),
    (fold_batch_norm, FOLDING),
    (pad_narrow, (OPENCV_4,)),
    (cascade_pools, ("ncnn", BLOCKED, OPENCV_4, OPENCV_5)),
    (widen_groups, (BLOCKED, OPENCV_5)),
    (spread_channels, (OPENCV_5,)),
    (lambda block: unfold_convolutions(TapCosts(block, tap=60, strided=1.35, edge=12)), (OPENCV_5,)),
    (lambda block: tile_convolutions(TileCosts(block, point=93, product=27, result=68, weight=13)), (BLOCKED,)),
    (lambda block: tile_convolutions(TileCosts(block, point=56, product=0, result=270, weight=20)), (OPENCV_5,)),
)


def passes_for(taker: str, block: int = 8, *, winograd: bool = True) -> tuple[Pass, ...]:
    """The passes of one of `TAKERS` in their order; `block` is how many channels it keeps together, if it does.

    >>> [step.name for step in passes_for("ncnn")]
    ['fold_constants', 'fold_batch_norm', 'cascade_pools']
    """
    if taker not in TAKERS:
        raise ValueError(f"no passes are known for {taker!r}; known are {', '.join(TAKERS)}")
    lines = (line for line, takers in TABLE if taker in takers)
    steps = (line if isinstance(line, Pass) else line(block) for line in lines)
    return tuple(step for step in steps if winograd or step.name != TILING)
