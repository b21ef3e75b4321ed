"""`python -m tools.train.codes.anchors`: nine anchors for the boxes of drawn pictures at 416x416."""

from __future__ import annotations

import numpy as np

from darknet_py.analysis.anchors import fit_anchors

from .scene import draw_picture

SEED, COUNT, DRAWN, SIDE, ANCHORS = 1, 4000, 224, 416, 9


def main() -> None:
    """Print them, and how well they fit."""
    rows = np.concatenate([draw_picture(SEED, number, DRAWN).rows for number in range(COUNT)])
    fit = fit_anchors(rows[:, 3:].astype(np.float64) * SIDE, ANCHORS)
    print(", ".join(f"{w:g}, {h:g}" for w, h in fit.anchors))
    print(f"{len(rows)} boxes of {COUNT} pictures; by class {np.bincount(rows[:, 0].astype(int)).tolist()}")


if __name__ == "__main__":
    main()
