"""3x3 convolutions with fewer multiplications: Winograd's method (Lavin and Gray, arXiv:1509.09308), here the numbers.

A tile of m x m results needs (m + 2)² products of a transformed image and a transformed kernel instead of 9 m². What a
layer gains by that, and loses by the transformations, is estimated from counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIZE, PAD = 3, 1  # of the kernels, and around the image

# What a number costs, in multiplications of a direct convolution, fitted to measurements (tools/bench/PASSES.md).
POINT, PRODUCT, RESULT, WEIGHT = 93, 27, 68, 13
WORTH = 1.15  # times as fast by this count is the least that is worth it


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

    def cost(self, filters: int, channels: int, h: int, w: int) -> float:
        """The multiplications of a direct convolution that would take as long; h x w results."""
        tiles = self.count(h) * self.count(w)
        numbers = POINT * self.points * channels + (PRODUCT * self.points + RESULT * self.length**2) * filters
        return self.points * filters * channels * (tiles + WEIGHT) + numbers * tiles


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


def best_tile(filters: int, channels: int, h: int, w: int) -> Tile | None:
    """How to compute a 3x3 convolution that has h x w results; None: directly."""
    direct = SIZE**2 * filters * channels * (h * w + WEIGHT)
    best = min(TILES, key=lambda t: t.cost(filters, channels, h, w))
    return best if best.cost(filters, channels, h, w) * WORTH < direct else None
