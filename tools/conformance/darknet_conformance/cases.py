"""The cases: a folder each, with what a program is given and what Darknet computed of it.

Decision: a case is files that any language reads, and `case.json` says the rest; nothing is computed here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"
KINDS = ("inference", "training", "refusal")
HUGE = 1e37  # what is beyond is Darknet's -FLT_MAX, "no cell under the window"


@dataclass(frozen=True)
class Case:
    """A case: `net.cfg`, `net.weights`, `input.npy`, for training `truth.npy`.

    `kind`: 'inference' compares outputs, 'training' weights after some iterations, and a 'refusal' is a cfg that
    Darknet stops or crashes on. `answers` are the layers that have to be right, each with those that may stand for it,
    the best first: a head may be left to its decoder. `tolerance` is relative to the largest number.
    """

    folder: Path
    kind: str
    covers: str = ""
    dialect: str = "alexeyab"
    answers: tuple[tuple[int, ...], ...] = ()
    tolerance: float = 1e-3
    iterations: tuple[int, ...] = field(default=())

    @property
    def name(self) -> str:
        """The name of the case, that of its folder."""
        return self.folder.name

    def expected(self) -> dict[int, np.ndarray]:
        """What Darknet computed: the output of each layer by its number; recurrent ones have the steps in front."""
        with np.load(self.folder / "expected.npz") as arrays:
            return {int(key): arrays[key] for key in arrays.files}

    def after(self, iterations: int) -> np.ndarray:
        """The floats of the weights file after so many iterations."""
        return read_floats(self.folder / f"after_{iterations}.weights")


def find_cases(folder: Path = DATA) -> Iterator[Case]:
    """Every case of a folder, by kind and name."""
    for kind in KINDS:
        for path in sorted((folder / kind).glob("*/case.json")):
            said = json.loads(path.read_text("utf-8"))
            answers = tuple(tuple(group) for group in said.get("answers", ()))
            yield Case(
                path.parent, kind, said.get("covers", ""), said.get("dialect", "alexeyab"), answers,
                said.get("tolerance", 1e-3), tuple(said.get("iterations", ())),
            )  # fmt: skip


def read_floats(path: Path) -> np.ndarray:
    """The numbers of a .weights file after its header of 16 or 20 bytes."""
    data = path.read_bytes()
    major, minor = np.frombuffer(data[:8], "<i4")
    start = 20 if major * 10 + minor >= 2 else 16
    return np.frombuffer(data[start : len(data) - (len(data) - start) % 4], "<f4")


def difference(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, relative to the largest number; infinite where sizes or what is not finite differ.

    As darknet-py has it, which the kit does without; the tests of darknet-py hold the two against each other.
    """
    got, wanted = got.ravel(), wanted.ravel()
    if got.shape != wanted.shape:
        return float("inf")
    plain = np.isfinite(wanted) & (np.abs(wanted) < HUGE)
    if not np.array_equal(got[~plain], wanted[~plain], equal_nan=True) or not np.isfinite(got[plain]).all():
        return float("inf")
    off = float(np.abs(got[plain].astype(np.float64) - wanted[plain]).max(initial=0))
    return off / (float(np.abs(wanted[plain]).max(initial=0)) or 1.0)
