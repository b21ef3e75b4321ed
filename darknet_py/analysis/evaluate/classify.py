"""Pictures of a classifier with the classes that their paths tell, and its accuracy on them: top-1 and top-k.

Decision: a picture has exactly one class (see `class_of`), and one whose path tells none is left out and counted.
Darknet marks every label that is a part of the path: "cat" and "caterpillar" for the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...vision.datasets import list_pictures, read_class_labels
from ...vision.results import Results

DIVISIONS = frozenset("train training valid validation val test testing images".split())  # folders that are no classes


@dataclass(frozen=True)
class Accuracy:
    """Shares of pictures, 0 to 1, whose class is the best, and among the `k` best, of those whose class is known."""

    top1: float
    topk: float
    k: int
    pictures: int
    unknown: int


@dataclass(frozen=True, eq=False)
class Classified:
    """Pictures with a class each: `classes` (n,) int64 are places in `names`. `unknown` were left out."""

    path: Path
    pictures: tuple[Path, ...]
    classes: np.ndarray
    names: tuple[str, ...]
    unknown: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.pictures)

    def describe(self) -> str:
        """In words, how many pictures and classes there are."""
        left = f", {len(self.unknown)} left out whose paths tell no class" if self.unknown else ""
        return f"{len(self)} pictures of {len(self.names)} classes{left}"

    def judge(self, results: Iterable[Results], k: int = 5) -> Accuracy:
        """How often a network is right, by its results for `pictures` in any order; those without one do not count."""
        scores = {one.path: one.scores for one in results if one.scores is not None}
        known = [(scores[str(p)], int(c)) for p, c in zip(self.pictures, self.classes, strict=True) if str(p) in scores]
        return replace(accuracy([s for s, _ in known], [c for _, c in known], k), unknown=len(self.unknown))


def open_classified(
    data: str | Path, split: str = "valid", *, names: Sequence[str] = (), classes: int | None = None
) -> Classified:
    """The pictures of a .data file (its `split`), a list or a folder, with the classes that their paths tell.

    Labels are the lines of the file that `labels=` names, else `names`. Raises `DataError` if there are not `classes`
    of them, where that is said, or no path tells a class.
    """
    path = Path(data)
    labels = read_class_labels(path) or tuple(names)
    if classes is not None and len(labels) != classes:
        raise DataError(
            f"{path}: {len(labels)} labels, and the network has {classes} classes\n  hint: labels= of the .data file "
            "names a list with one line for each class"
        )
    pictures = list_pictures(path, split)
    found = [(picture, class_of(str(picture), labels)) for picture in pictures]
    known = [(picture, number) for picture, number in found if number is not None]
    if not known:
        raise DataError(f"{path}: no path holds the name of its class, such as {labels[0]!r} in {pictures[0]}")
    return Classified(
        path, tuple(p for p, _ in known), np.array([c for _, c in known], np.int64), labels,
        tuple(p for p, c in found if c is None),
    )  # fmt: skip


def class_of(path: str, labels: Sequence[str]) -> int | None:
    """The class of a picture, told by its path; None if no label is in it.

    A folder of the label's name around the picture counts first, unless it is one that divides data sets (`train/`),
    then a label among the words of the file's name, then any folder, then a label anywhere in the name of the file, and
    last in the path: the one that ends last there, and of these the longest. Darknet takes every label that is a part
    of the path (data.c fill_truth), so that "cat" is also found in "caterpillar" and "1" in "10".

    >>> class_of("mnist/7/0001.png", ("6/", "7/")), class_of("mnist/7/0001.png", ("1", "7"))
    (1, 1)
    >>> labels = ("cat", "caterpillar", "frog")
    >>> class_of("caterpillar/cats/3.jpg", labels), class_of("cifar/train/12_frog.png", labels)
    (1, 2)
    """
    places = _places(tuple(labels))
    *folders, name = path.replace("\\", "/").split("/")
    if folders and folders[-1] not in DIVISIONS and folders[-1] in places:
        return places[folders[-1]]
    stem = name.rpartition(".")[0] or name
    if (word := _best(stem, labels, whole=True)) is not None:
        return word
    for folder in reversed(folders):
        if folder in places:
            return places[folder]
    inside = _best(stem, labels)
    return inside if inside is not None else _best(path, labels)


@lru_cache(8)
def _places(labels: tuple[str, ...]) -> dict[str, int]:
    return {label: i for i, label in reversed(list(enumerate(labels))) if label}


def _best(text: str, labels: Sequence[str], *, whole: bool = False) -> int | None:
    """The label that ends last in a text, and of these the longest; `whole` ones only have no letters around them."""
    best, found = (-1, 0), None
    for i, label in enumerate(labels):
        start = text.rfind(label) if label else -1
        while whole and start >= 0 and not _is_word(text, start, start + len(label)):
            start = text.rfind(label, 0, start + len(label) - 1)
        if start >= 0 and (start + len(label), len(label)) > best:
            best, found = (start + len(label), len(label)), i
    return found


def _is_word(text: str, start: int, end: int) -> bool:
    return not text[max(0, start - 1) : start].isalnum() and not text[end : end + 1].isalnum()


def accuracy(scores: Sequence[np.ndarray], truth: Sequence[int | None], k: int = 5) -> Accuracy:
    """How often the class is right, given each picture's scores (classes,) and its class.

    >>> accuracy([np.array([0.1, 0.9]), np.array([0.6, 0.4])], [1, 1], k=2)
    Accuracy(top1=0.5, topk=1.0, k=2, pictures=2, unknown=0)
    """
    known = [(s, c) for s, c in zip(scores, truth, strict=True) if c is not None]
    ranks = np.array([int((np.argsort(-s, kind="stable") == c).argmax()) for s, c in known])
    count = max(1, len(known))
    return Accuracy(
        float((ranks < 1).sum() / count), float((ranks < k).sum() / count), k, len(known), len(scores) - len(known)
    )
