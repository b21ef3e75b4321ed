"""What the runner must know of a target, and the targets there are.

Decision: making an input, writing it into a folder, and checking what lies in the folder are three functions. So an
input that failed is kept as files, and checked again from them without the code that made it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random

from . import targets

Case = Mapping[str, bytes]  # an input: names of files, and what they hold


class Mismatch(AssertionError):
    """Two answers that must be the same are not. `kind` names what differs, without numbers: findings go by it."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


def write_files(case: Case, folder: Path) -> None:
    """Write an input as it is."""
    for name, data in case.items():
        (folder / name).write_bytes(data)


@dataclass(frozen=True)
class Target:
    """Something that takes inputs from outside.

    `make` gives an input, `build` writes its files into an empty folder, and `check` reads them: it returns a word for
    the figures, raises `DarknetError` where the input is refused, and `Mismatch` where answers differ. An input
    is made smaller by dropping lines of the file `lines`. `chunk` seeds are handed to a worker at a time.
    """

    name: str
    title: str
    make: Callable[[Random], Case]
    check: Callable[[Path], str]
    lines: str
    build: Callable[[Case, Path], None] = write_files
    chunk: int = 100

    def case(self, seed: int) -> Case:
        """The input of a seed."""
        return self.make(Random(f"{self.name} {seed}"))


def target_names() -> tuple[str, ...]:
    """Every target, by name."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(targets.__path__)))


def module_of(name: str) -> str:
    """The module of a target."""
    return f"{targets.__name__}.{name}"


def load_target(module: str) -> Target:
    """The target that a module states."""
    found: Target = import_module(module).TARGET
    return found
