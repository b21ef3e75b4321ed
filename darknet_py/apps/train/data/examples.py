"""The pictures and labels of a data set, or of a source of pictures that are made, as a training draws them.

Decision: a picture that cannot be read is told once, by name, and another one is drawn in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from ....analysis.evaluate.classify import Classified
from ....errors import DataError, Say
from ....files import is_file
from ....vision.datasets import Dataset
from ....vision.labels import LEAVES
from .chance import PARTS, chances
from .geometry import Size
from .pictures import KEEP, Pictures
from .source import PictureSource
from .truth import ROW, rows_of

TRIES = 16  # pictures that are drawn in place of ones that cannot be read
TOLD = 20  # faults of files that are said; more are only counted
NO_ROWS = np.zeros((0, ROW), np.float32)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture for a part of a sample: its number in the data set, its pixels and objects (n, 6), what it is called,
    and the chances of that part.
    """

    index: int
    pixels: np.ndarray
    rows: np.ndarray
    path: str
    chance: np.random.Generator

    def shuffled(self) -> np.ndarray:
        """Its objects in an order by chance: only the first ones may find a place."""
        return self.rows[np.argsort(self.chance.random(len(self.rows)), kind="stable")]


class Examples:
    """Pictures with their objects, by chance or all in turn; may be read from any thread.

    `names` are those of the `classes` that labels are of. `say` is told of files that are at fault, each once, up to
    `TOLD` of them; `faults` has them all. `keep` bytes of decoded pictures stay in memory. Raises `DataError` where
    there are none.
    """

    def __init__(
        self,
        dataset: Dataset | Classified | PictureSource,
        names: tuple[str, ...],
        classes: int,
        channels: int,
        *,
        seed: int = 0,
        say: Say | None = None,
        keep: int = KEEP,
    ) -> None:
        self.dataset, self.classes = dataset, classes
        self.faults: dict[str, str] = {}
        self._names, self._channels, self._seed = names, channels, seed
        self._say, self._lock = say, Lock()
        self._rows: dict[int, np.ndarray] = {}
        self._pictures = Pictures(_files(dataset), channels, keep)
        if not len(dataset):
            raise DataError(f"{_called(dataset)}: no pictures in it")

    def look_over(self) -> np.ndarray:
        """Read all labels now, and see whether each picture is there: how many objects, or pictures, each class has.

        What is at fault is told and in `faults` as always; nothing is decoded (that is what `check` is for). Of a
        source nothing is known before it is made: none of each class. Raises `DataError` if there is nothing to learn.
        """
        if isinstance(self.dataset, PictureSource):
            return np.zeros(self.classes, np.int64)
        for i, path in enumerate(self._pictures.paths):
            if not is_file(path):
                self._tell(str(path), f"{path}: no such file: left out")
            if isinstance(self.dataset, Dataset):
                self._rows_of(i)
        if isinstance(self.dataset, Classified):
            return np.bincount(self.dataset.classes, minlength=len(self.dataset.names))
        numbers = np.concatenate([rows[:, 4] for rows in self._rows.values()]).astype(np.int64)
        known = numbers[(numbers >= 0) & (numbers < self.classes)]
        if not len(known):
            raise DataError(f"{self.dataset.path}: no object of the cfg's {self.classes} classes in it")
        return np.bincount(known, minlength=self.classes)

    def told(self) -> Iterator[tuple[Path, np.ndarray]]:
        """Each picture with its objects (n, 6), or the number of its class."""
        for i, path in enumerate(self._pictures.paths):
            yield path, self.dataset.classes[i] if isinstance(self.dataset, Classified) else self._rows_of(i)

    def _rows_of(self, index: int) -> np.ndarray:
        """The objects of a picture, read once."""
        if index not in self._rows:
            self._rows[index] = self._read_rows(index)
        return self._rows[index]

    def drawn(self, number: int, part: int, net: Size) -> Drawn:
        """A picture for a part of a sample of a network of a size."""
        fault = ""
        for attempt in range(TRIES):
            chance = chances(self._seed, PARTS, number, part, attempt)
            index = int(chance.random() * len(self.dataset))
            try:
                return self._made(index, net, chance)
            except DataError as e:
                fault = str(e)
                self._tell(self._path(index), f"{fault}: left out")
        raise DataError(f"{TRIES} pictures in turn cannot be read, the last one: {fault}")

    def _made(self, index: int, net: Size, chance: np.random.Generator) -> Drawn:
        if isinstance(self.dataset, PictureSource):
            pixels, labels = self.dataset.picture(index, net)
            rows = rows_of(labels, self._path(index))
        else:
            pixels = self._pictures.read(index)
            rows = self._rows_of(index) if isinstance(self.dataset, Dataset) else NO_ROWS
        self._check_channels(pixels, index)
        return Drawn(index, pixels, rows, self._path(index), chance)

    def _path(self, index: int) -> str:
        """What a picture is called."""
        return (
            f"{self.dataset} {index}" if isinstance(self.dataset, PictureSource) else str(self._pictures.paths[index])
        )

    def _check_channels(self, pixels: np.ndarray, index: int) -> None:
        have = 1 if pixels.ndim == 2 else pixels.shape[2]
        if have != self._channels:
            path = self._path(index)
            raise DataError(f"{path}: the picture has {have} channels, and the network wants {self._channels}")

    def _read_rows(self, index: int) -> np.ndarray:
        assert isinstance(self.dataset, Dataset)
        example = self.dataset.examples[index]
        try:
            labels, faults = example.read(self._names)
        except DataError as e:
            self._tell(str(example.picture), f"{e}: its objects count as none")
            return NO_ROWS
        for fault in faults:
            if LEAVES not in fault.what:  # such a box is cut: Darknet takes it, and so do we
                self._tell(f"{fault.path}:{fault.line}", str(fault))
        return rows_of(labels, str(example.picture))

    def _tell(self, place: str, what: str) -> None:
        with self._lock:
            if place in self.faults:
                return
            self.faults[place] = what
            count = len(self.faults)
        if self._say and count <= TOLD:
            self._say(what if count < TOLD else f"{what} (more such faults are not told)")


def _files(dataset: Dataset | Classified | PictureSource) -> Sequence[Path]:
    """The files of the pictures; a source has none."""
    if isinstance(dataset, Dataset):
        return [example.picture for example in dataset.examples]
    return dataset.pictures if isinstance(dataset, Classified) else ()


def _called(dataset: Dataset | Classified | PictureSource) -> object:
    """What messages call a data set."""
    return dataset if isinstance(dataset, PictureSource) else dataset.path
