"""A network as ncnn stores it: a list of layers in its text format, and the arrays that they read in that order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

MAGIC = "7767517"  # the first line of the text format
RAW = bytes(4)  # in front of weights: float32, not compressed
HALF = (0x01306B47).to_bytes(4, "little")  # or float16, filled up to a multiple of 4 bytes
MOST_AXES = 4  # of a blob
HALF_MAX = 65504.0  # the largest float16
FLOAT_MAX = float(np.finfo(np.float32).max)


class LayerList:
    """Layers that are written one after another, and the arrays of those that have some."""

    def __init__(self) -> None:
        self.arrays: list[bytes | memoryview] = []
        self._layers: list[str] = []
        self._blobs = 0

    def text(self, names: Mapping[str, str] | None = None) -> str:
        """The network in ncnn's text format; `names` replace those of some blobs."""
        lines = self._layers
        if names:
            lines = [" ".join(names.get(word, word) for word in line.split(" ")) for line in lines]
        return "\n".join([MAGIC, f"{len(lines)} {self._blobs}", *lines, ""])

    def layer(self, kind: str, inputs: Sequence[str], results: int = 1, /, **parameters: object) -> list[str]:
        """Write a layer, and name its results. Parameters are called `p` and ncnn's number for them."""
        names = [f"b{self._blobs + i}" for i in range(results)]
        self._blobs += results
        told = [_parameter(int(key[1:]), value) for key, value in parameters.items()]
        counts = f"{kind} l{len(self._layers)} {len(inputs)} {results}"
        self._layers.append(" ".join([counts, *inputs, *names, *told]))
        return names


def _parameter(key: int, value: object) -> str:
    if isinstance(value, tuple):
        return f"{-23300 - key}={','.join(map(_number, (len(value), *value)))}"
    return f"{key}={_number(value)}"


def _number(value: object) -> str:
    """A number as ncnn reads it, which knows no infinity."""
    return f"{min(max(value, -FLOAT_MAX), FLOAT_MAX):.9e}" if isinstance(value, float) else str(value)


def stored(weights: np.ndarray, *, half: bool) -> tuple[bytes | memoryview, ...]:
    """Weights, and before them how they are stored."""
    if not half:
        return RAW, flat(weights)
    data = np.clip(weights, -HALF_MAX, HALF_MAX).astype("<f2").tobytes()
    return HALF, data, bytes(-len(data) % 4)


def flat(array: np.ndarray) -> memoryview:
    """The numbers of an array as float32, one after another."""
    return np.ascontiguousarray(array, np.float32).data


def extents(shape: tuple[int, ...]) -> dict[str, object]:
    """The extents of a blob as parameters, the innermost first: width, height, depth if it has four, channels."""
    keys = ("p0", "p1", "p11", "p2") if len(shape) == MOST_AXES else ("p0", "p1", "p2")
    return dict(zip(keys, reversed(shape), strict=False))
