"""A classifier's accuracy: top-1 and top-5 as `darknet classifier valid` counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Accuracy:
    """Shares of pictures, 0 to 1, whose class is the best, and among the `k` best, of those whose class is known."""

    top1: float
    topk: float
    k: int
    pictures: int
    unknown: int


def class_of(path: str, labels: Sequence[str]) -> int | None:
    """The class of a picture: the first label that its path contains (data.c fill_truth); None if there is none.

    >>> class_of("mnist/7/0001.png", ("6/", "7/"))
    1
    """
    return next((i for i, label in enumerate(labels) if label and label in path), None)


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
