"""What compiling a cfg uses of NumPy, for where that cannot be had: arrays that have a shape and no contents.

Decision: the front end makes constants, of which checking, counting and drawing a network see only the shape; so these
go on without NumPy. What needs numbers (weights, an ONNX file) ends in `MissingError`, which says what is missing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any


class MissingError(Exception):
    """Something needs NumPy, which is not there."""


class Array:
    """An array of which only the shape is known."""

    def __init__(self, shape: Sequence[int] = ()) -> None:
        self.shape = tuple(int(n) for n in shape)

    @property
    def size(self) -> int:
        """How many numbers it would hold."""
        total = 1
        for length in self.shape:
            total *= length
        return total

    def __len__(self) -> int:
        return self.shape[0]

    def __setitem__(self, place: Any, values: Any) -> None:
        """Nothing: there are no contents."""

    def __getattr__(self, name: str) -> Any:
        raise _missing(name)


def _missing(name: str) -> Exception:
    # What looks for an attribute that may not be there must be told so by Python's own error.
    return AttributeError(name) if name.startswith("__") else MissingError(name)


def _shape_of(values: Any) -> tuple[int, ...]:
    if isinstance(values, Array):
        return values.shape
    if isinstance(values, Sequence) and not isinstance(values, str):
        return (len(values), *(_shape_of(values[0]) if values else ()))
    return ()


def asarray(values: Any, dtype: Any = None) -> Array:
    """Numbers, in lists or not, as an array."""
    return Array(_shape_of(values))


def broadcast_to(values: Any, shape: Sequence[int]) -> Array:
    """The same in a larger shape."""
    return Array(shape)


def full(shape: Sequence[int], value: float, dtype: Any = None) -> Array:
    """A number everywhere."""
    return Array(shape)


def zeros(shape: Sequence[int], dtype: Any = None) -> Array:
    """Zero everywhere."""
    return Array(shape)


class Number(Array):
    """A type of numbers: what it is called with becomes an array."""

    def __new__(cls, value: Any = 0) -> Any:
        """An array of the shape of the value."""
        return Array(_shape_of(value))


class Finfo:
    """The limits of a type."""

    def __init__(self, kind: Any) -> None:
        self.min = self.max = Array()


def errstate(**_: str) -> contextlib.ContextDecorator:
    """Nothing: no arithmetic goes wrong where there is none."""
    return _Nothing()


class _Nothing(contextlib.ContextDecorator):
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


class Package(ModuleType):
    """A module that says what is missing when something else is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise _missing(name)


def as_modules() -> dict[str, ModuleType]:
    """The modules of the package, by name."""
    package, typing = Package("numpy"), Package("numpy.typing")
    vars(typing)["ArrayLike"] = Any
    vars(package).update(
        ndarray=Array, float32=Number, asarray=asarray, broadcast_to=broadcast_to, full=full, zeros=zeros,
        errstate=errstate, finfo=Finfo, typing=typing,
    )  # fmt: skip
    return {"numpy": package, "numpy.typing": typing}
