"""Tensors of checkpoints: where their numbers lie in the file, read only when they are wanted.

Invariant: a tensor that exists fits into its storage, and its storage into the file: what a file says of sizes is
checked when the tensor is made, before anything is allocated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ...errors import DataError

MAX_AXES = 8

# Storage classes of torch, and what NumPy calls their numbers; of bfloat16 the upper halves of float32.
STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?",
}  # fmt: skip
BFLOAT16 = "bfloat16"


def item_bytes(dtype: str) -> int:
    """Bytes of one number."""
    return 2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize


@dataclass(frozen=True, eq=False)
class Storage:
    """`count` numbers in a file, and how to get their bytes."""

    dtype: str
    count: int
    read: Callable[[], bytes]


@dataclass(frozen=True, eq=False)
class Tensor:
    """A view of a storage: `strides` and `offset` count numbers, as torch has them."""

    storage: Storage
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    def array(self) -> np.ndarray:
        """The numbers as float32 in the order of `shape`. Raises `DataError` where the file is damaged."""
        data, dtype = self.storage.read(), self.storage.dtype
        if len(data) < self.storage.count * item_bytes(dtype):
            raise DataError(f"a tensor of {self.shape} is cut short")
        flat = np.frombuffer(data, "<u2" if dtype == BFLOAT16 else dtype, self.storage.count)
        if dtype == BFLOAT16:
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        steps = tuple(s * flat.itemsize for s in self.strides)
        view = np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, steps, writeable=False)
        with np.errstate(over="ignore"):  # a float64 that is too large becomes infinite, and is reported as such
            return np.ascontiguousarray(view, np.float32)


def tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Tensor:
    """A tensor as a pickle describes it; `DataError` where it does not lie in its storage."""
    numbers = (offset, *shape, *strides) if isinstance(shape, tuple) and isinstance(strides, tuple) else (None,)
    if not isinstance(storage, Storage) or any(type(n) is not int or n < 0 for n in numbers):
        raise DataError("the checkpoint describes a tensor that is none")
    if len(shape) != len(strides) or len(shape) > MAX_AXES:
        raise DataError(f"a tensor of {len(shape)} axes with {len(strides)} strides")
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if prod(shape) else 0
    # Strides of 0 repeat numbers: a few bytes would claim to be gigabytes.
    if prod(shape) > storage.count or last >= max(storage.count, 1):
        raise DataError(f"a tensor of {shape} does not fit into its {storage.count:,} numbers")
    return Tensor(storage, shape, strides, offset)


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor that lies in the order of its shape.

    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))
