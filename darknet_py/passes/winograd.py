"""3x3 convolutions with fewer multiplications, by Winograd's method (Lavin and Gray, arXiv:1509.09308).

A tile of m x m results needs (m + 2)² products of a transformed image and a transformed kernel instead of 9 m². What a
layer gains by that, and loses by the transformations, is estimated from counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from ..ir.rewrite import rewrite
from .definition import BLOCKED, OPENCV_5, Line, Pass

TILING = "tile_convolutions"  # the name of the pass: the one that can be switched off

SIZE, PAD = 3, 1  # of the kernels, and around the image

# Times as fast, by what is counted, is the least that is worth it: much less time goes into arithmetic then, more into
# memory, and where two cores do not share a cache, what one writes and the other reads costs twice as much.
WORTH = 1.25


@dataclass(frozen=True)
class TileCosts:
    """What a number costs a runtime that keeps `block` channels together, in multiplications of its direct convolution.

    `point`: of a transformed image; `product`; `result`; `weight`: of the transformed kernel, to read it.
    """

    block: int
    point: int
    product: int
    result: int
    weight: int


@dataclass(frozen=True, eq=False)
class Tile:
    """So many results of a convolution from so many points, in each of both directions.

    `taps`: for each point the first pixel of the tile that it reads, the step to the next one, and their factors.
    `kernel` (points, 3): what becomes of the kernel. `results` (results, points): what becomes of the products.
    """

    taps: tuple[tuple[int, int, tuple[float, ...]], ...]
    kernel: np.ndarray
    results: np.ndarray

    @property
    def length(self) -> int:
        """Results in one direction."""
        return len(self.results)

    @property
    def points(self) -> int:
        """Points in both directions."""
        return len(self.taps) ** 2

    @property
    def square(self) -> np.ndarray:
        """`results` for both directions, columns first."""
        return np.kron(self.results, self.results).astype(np.float32)

    def count(self, size: int) -> int:
        """Tiles along so many results."""
        return -(-size // self.length)

    def weights(self, weights: np.ndarray) -> np.ndarray:
        """Weights (n, c, 3, 3) for each point, columns first, of a grouped convolution: (points n, c, 1, 1)."""
        n, c = weights.shape[:2]
        across, down = np.repeat(self.kernel, len(self.taps), 0), np.tile(self.kernel, (len(self.taps), 1))
        square = (down[:, :, None] * across[:, None, :]).reshape(self.points, SIZE**2)
        return (square.astype(np.float32) @ weights.reshape(n * c, SIZE**2).T).reshape(self.points * n, c, 1, 1)

    def bias(self, bias: np.ndarray) -> np.ndarray:
        """Biases (n,) spread over the points, so that each result gets its own once: (points n,)."""
        parts = np.linalg.lstsq(self.square, np.ones(self.length**2), rcond=None)[0]
        return np.outer(parts, bias).ravel().astype(np.float32)

    def windows(self, shape: tuple[int, ...], axis: int) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        """For each point along one axis of an image (c, h, w): a depthwise kernel (c, 1, kh, kw), and where it goes."""
        channels, size = shape[0], shape[1 + axis]
        for first, step, factors in self.taps:
            pads, strides, dilations = [0, 0, 0, 0], [1, 1], [1, 1]
            pads[axis], strides[axis], dilations[axis] = PAD - first, self.length, step
            last = self.length * (self.count(size) - 1) + step * (len(factors) - 1) - pads[axis]  # that is read
            pads[2 + axis] = max(0, last - (size - 1))
            kernel = np.expand_dims(factors, 1 - axis)
            window = {"pads": tuple(pads), "strides": tuple(strides), "dilations": tuple(dilations)}
            yield np.broadcast_to(kernel, (channels, 1, *kernel.shape)), window

    def cost(self, filters: int, channels: int, h: int, w: int, costs: TileCosts) -> float:
        """The multiplications of a direct convolution that would take as long; h x w results."""
        tiles = self.count(h) * self.count(w)
        outside = costs.product * self.points + costs.result * self.length**2
        numbers = costs.point * self.points * channels + outside * filters
        return self.points * filters * channels * (tiles + costs.weight) + numbers * tiles


def _transforms(roots: Sequence[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices for the image, the kernel and the results, from polynomials at these points and at infinity.

    This is Toom and Cook's algorithm, transposed: one result less than there are roots.
    """
    others = [[b for b in roots if b != a] for a in roots]
    # The coefficients, lowest first, of the product of (x - p) over all points but one.
    image = [np.append(np.poly(o)[::-1], 0.0) for o in others] + [np.poly(roots)[::-1]]
    kernel = [[a**j / np.prod([a - b for b in o]) for j in range(SIZE)] for a, o in zip(roots, others, strict=True)]
    length = len(roots) - 1
    results = [[a**i for a in roots] + [float(i == length - 1)] for i in range(length)]
    return np.array(image), np.array([*kernel, [0.0, 0.0, 1.0]]), np.array(results)


def _taps(row: np.ndarray) -> tuple[int, int, tuple[float, ...]]:
    """A row of factors without the zeros around and between them."""
    (used,) = np.nonzero(row)
    step = int(np.gcd.reduce(np.diff(used)))
    return int(used[0]), step, tuple(row[used[0] : used[-1] + 1 : step].tolist())


def _tile(*roots: float) -> Tile:
    image, kernel, results = _transforms(roots)
    return Tile(tuple(_taps(row) for row in image), kernel, results)


# Their rounding is 1.2 and 3.7 times that of a direct sum; with 0, 1, -1, 2, -2 the second would have 7.6.
TILES = (_tile(0, 1, -1), _tile(0, 0.75, -0.75, 1.5, -1.5))


def best_tile(filters: int, channels: int, h: int, w: int, costs: TileCosts) -> Tile | None:
    """How to compute a 3x3 convolution that has h x w results; None: directly."""
    if filters % costs.block or channels % costs.block:
        return None
    direct = SIZE**2 * filters * channels * (h * w + costs.weight)
    best = min(TILES, key=lambda t: t.cost(filters, channels, h, w, costs))
    return best if best.cost(filters, channels, h, w, costs) * WORTH < direct else None


def tile_convolutions(costs: TileCosts) -> Pass:
    """The pass for a runtime.

    >>> b = Builder()
    >>> x = b.input("x", (128, 26, 26))
    >>> y = b.op("conv", x, b.const(np.zeros((128, 128, 3, 3))), pads=(1, 1, 1, 1))
    >>> after = tile_convolutions(TileCosts(8, point=56, product=0, result=270, weight=20))(b.graph(x, y))
    >>> [op.kind for op in after.ops][-3:], after.ops[-2].attrs["groups"]
    (['concat', 'conv', 'untile'], 36)
    """
    return Pass(TILING, "1.2 or 3.7 times the rounding of a direct sum", _tile_convolutions, (costs,))


def _line(taker: str, **prices: int) -> Line:
    return Line(80, lambda block: tile_convolutions(TileCosts(block, **prices)), (taker,))


LINES = (
    _line(BLOCKED, point=93, product=27, result=68, weight=13),
    _line(OPENCV_5, point=56, product=0, result=270, weight=20),
)


def _tile_convolutions(graph: Graph, costs: TileCosts) -> Graph:
    def rule(b: Builder, op: Op) -> Value | None:
        constant = op.kind == "conv" and all(v in graph.data for v in op.inputs[1:])
        tile = _tile_for(op, costs) if constant else None
        return None if tile is None else _tiled(b, op, tile, *(graph.data[v] for v in op.inputs[1:]))

    return rewrite(graph, "tile", rule)


PLAIN = {"strides": (1, 1), "pads": (PAD,) * 4, "dilations": (1, 1), "groups": 1}


def _tile_for(conv: Op, costs: TileCosts) -> Tile | None:
    (filters, channels, *size), (_, h, w) = conv.inputs[1].shape, conv.output.shape
    if size != [SIZE, SIZE] or conv.attrs != PLAIN:
        return None
    return best_tile(filters, channels, h, w, costs)


def _tiled(b: Builder, conv: Op, tile: Tile, weights: np.ndarray, *bias: np.ndarray) -> Value:
    """A convolution by tiles.

    Depthwise convolutions transform the image, one for each point along each axis; then one grouped convolution
    multiplies, which is where the time goes.
    """
    x = conv.inputs[0]
    for axis in (0, 1):
        windows = tile.windows(x.shape, axis)
        x = b.concat([b.op("conv", x, b.const(kernel), groups=x.shape[0], **window) for kernel, window in windows])
    parameters = [b.const(tile.weights(weights)), *(b.const(tile.bias(numbers)) for numbers in bias)]
    products = b.op("conv", x, *parameters, groups=tile.points)
    return b.compute(conv.output, "untile", products, b.const(tile.square), size=conv.output.shape[1:])
