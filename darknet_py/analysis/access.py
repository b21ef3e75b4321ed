"""Memory access cost: the numbers that convolutions move, weights and all, beside the fewest for as much arithmetic.

Decision: the definition is that of Ma et al. (ShuffleNet V2, 2018, guidelines G1 and G2), which is of a 1x1 convolution
and of one in groups, carried to any kernel and stride. CIO (Chao et al., HarDNet, 2019), with which the CSPNet paper
measures memory traffic, is the same count without weights, and of pools too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..ir.graph import Op

COUNTED = frozenset({"conv", "conv_transpose", "linear"})  # what has an input, weights, and an output


@dataclass(frozen=True)
class Access:
    """Numbers that are moved for one image, and the fewest that could be: `moved >= least`."""

    moved: int = 0
    least: int = 0

    def __add__(self, other: Access) -> Access:
        return Access(self.moved + other.moved, self.least + other.least)


def memory_access(op: Op) -> Access:
    r"""What an operation with weights moves; nothing for any other.

    Input, weights and output are each moved once: of a convolution of c1 channels on h1 x w1 to c2 channels on h2 x w2
    with k x k kernels in g groups, h1 w1 c1 + h2 w2 c2 + k k c1 c2 / g. A bias is not counted, as in the paper.

    With kernel, groups, sizes and multiply-accumulates B given, only c1 and c2 can change, and their product cannot:
    the weights stay B / (h2 w2), and the sum of input and output is least where both are equal. So the bound is
    2 sqrt(h1 w1 c1 * h2 w2 c2) + B / (h2 w2), which for 1x1 kernels is Ma et al.'s 2 sqrt(h w B) + B / (h w). It is
    rounded up, because numbers are whole. [connected] is a 1x1 convolution of one pixel.

    >>> from darknet_py.darknet.compile import compile_cfg
    >>> def access(channels, filters):
    ...     net = f"[net]\nwidth=8\nheight=8\nchannels={channels}\n[convolutional]\nfilters={filters}\nsize=1"
    ...     return memory_access(compile_cfg(net).graph.ops[0])
    >>> access(16, 16), access(4, 64)  # as much arithmetic
    (Access(moved=2304, least=2304), Access(moved=4608, least=2304))
    """
    if op.kind not in COUNTED:
        return Access()
    x, weights = (math.prod(v.shape) for v in op.inputs[:2])
    y = math.prod(op.output.shape)
    return Access(x + y + weights, _rounded_up_root(4 * x * y) + weights)


def _rounded_up_root(n: int) -> int:
    """The smallest whole number whose square is not below `n`, which is positive."""
    return math.isqrt(n - 1) + 1
