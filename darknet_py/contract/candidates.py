"""What a head proposes: boxes with objectness and class probabilities, before suppression.

Decision: one structure of arrays for all heads, in Darknet's order, so everything after `Head.decode` knows no layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Candidates:
    """n boxes as `boxes` (n, 4) float32: centre x, centre y, width, height, relative to the image.

    `objectness` is (n,), `probabilities` (n, classes): objectness times class score, 0 where that is not above the
    threshold. `sigmas` (n, 4) are the standard deviations of a [Gaussian_yolo], else None.
    """

    boxes: np.ndarray
    objectness: np.ndarray
    probabilities: np.ndarray
    sigmas: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def likely(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the boxes and of the classes of all probabilities that are not 0, box by box."""
        found = np.flatnonzero(self.probabilities != 0)  # in a quarter of the time of `nonzero` on numbers
        row, label = np.divmod(found, max(1, self.probabilities.shape[1]))
        return row, label

    def with_boxes(self, boxes: np.ndarray) -> Candidates:
        """The same candidates in other places."""
        return replace(self, boxes=boxes)

    def only(self, classes: np.ndarray) -> Candidates:
        """The same candidates without the probabilities of other classes; `classes` is a mask (classes,)."""
        return replace(self, probabilities=np.where(classes[: self.probabilities.shape[1]], self.probabilities, 0))

    def finite(self) -> Candidates:
        """Those whose numbers are all finite."""
        sound = np.isfinite(self.boxes).all(axis=1) & np.isfinite(self.probabilities).all(axis=1)
        if sound.all():
            return self
        sigmas = None if self.sigmas is None else self.sigmas[sound]
        return Candidates(self.boxes[sound], self.objectness[sound], self.probabilities[sound], sigmas)


def class_probabilities(objectness: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Objectness (n,) times scores (n, classes), zeroed unless above the threshold."""
    probabilities = objectness[:, None] * scores
    probabilities[~(probabilities > threshold)] = 0
    return probabilities


def join(parts: Sequence[Candidates]) -> Candidates:
    """Candidates of several heads, one after another; a head with fewer classes gives 0 for those it lacks.

    `sigmas` survive where every head has them.
    """
    if len(parts) == 1:
        return parts[0]
    classes = max(p.probabilities.shape[1] for p in parts)
    sigmas = [p.sigmas for p in parts if p.sigmas is not None]
    return Candidates(
        np.concatenate([p.boxes for p in parts]),
        np.concatenate([p.objectness for p in parts]),
        np.concatenate([_widened(p.probabilities, classes) for p in parts]),
        np.concatenate(sigmas) if len(sigmas) == len(parts) else None,
    )


def _widened(probabilities: np.ndarray, classes: int) -> np.ndarray:
    missing = classes - probabilities.shape[1]
    return np.pad(probabilities, ((0, 0), (0, missing))) if missing else probabilities
