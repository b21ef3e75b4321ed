"""`make train-demo`: draws a data set, trains a detector on it, measures it on unseen pictures, and runs it anywhere.

Decision: it is what a user does with the public functions, `darknet_py.train` and `load`, and it holds itself to two
bars: the mAP on pictures of another seed, and boxes that are the same on every back end that is installed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darknet_py import Results, evaluate, files, load, train
from darknet_py.apps.train.events import Event, Finished, Step, Validated
from darknet_py.backends.backend import available_backends
from darknet_py.errors import DarknetError, Say

from .shapes import NAMES, draw_pictures

CFG = Path(__file__).with_name("shapes.cfg")
OUT = Path("predictions/train-demo")
LEARNED, UNSEEN = 400, 100  # pictures
SEEDS = 1, 2  # of those that are learned, and of those that are not
BAR = 0.9  # of mAP@0.5
COMPARED = 20  # pictures on which back ends are compared
THRESHOLD = 0.25  # of the scores of boxes that are compared
TRAINED = "torch"  # the back end that measures
TRUTH = "numpy"  # the back end that the others are compared with
PIXELS, SCORE = 0.1, 1e-3  # by which boxes and their scores may differ
SAID_EACH = 50  # iterations


@dataclass(frozen=True)
class Outcome:
    """What became of it: mAP@0.5 on unseen pictures, seconds of training, the final weights and the pictures."""

    map: float
    seconds: float
    weights: Path
    data: Path
    unseen: Path


def draw_data(folder: Path, learned: int = LEARNED, unseen: int = UNSEEN) -> tuple[Path, Path]:
    """Draw the pictures; the .data file, and the list of the unseen ones."""
    train_list = draw_pictures(folder / "train", learned, SEEDS[0])
    valid_list = draw_pictures(folder / "unseen", unseen, SEEDS[1])
    names = files.write_whole(folder / "shapes.names", "".join(f"{name}\n" for name in NAMES).encode())
    options = {"classes": len(NAMES), "train": train_list, "valid": valid_list, "names": names.resolve(),
               "backup": (folder / "backup").resolve()}  # fmt: skip
    lines = "".join(f"{key}={value}\n" for key, value in options.items())
    return files.write_whole(folder / "shapes.data", lines.encode()), valid_list


def learn(folder: Path, say: Say, *, learned: int = LEARNED, unseen: int = UNSEEN, **settings: Any) -> Outcome:
    """Draw, train and measure. Raises `DarknetError`."""
    data, listed = draw_data(folder, learned, unseen)
    start, path = time.perf_counter(), Path()
    for event in train(CFG, data, say=say, fresh=True, **settings):
        tell(event, say)
        path = event.path if isinstance(event, Finished) else path
    seconds = time.perf_counter() - start
    return Outcome(measured(path, data), seconds, path, data, listed)


def measured(weights: Path, data: Path) -> float:
    """The mAP@0.5 of weights on the unseen pictures, as `darknet-py eval` computes it."""
    model = load(CFG, weights, TRAINED, names=data, quiet=True)
    return float(evaluate(model, data, coco=False).darknet.map)


def tell(event: Event, say: Say) -> None:
    """What is worth a line."""
    if isinstance(event, Step) and event.iteration % SAID_EACH == 0:
        say(f"iteration {event.iteration}: average loss {event.average:.3f}, {event.left:.0f} s left")
    if isinstance(event, Validated):
        say(f"iteration {event.iteration}: {event.kind} {event.value:.4f}")


def boxes_of(outcome: Outcome, count: int = COMPARED, threshold: float = THRESHOLD) -> Mapping[str, list[Results]]:
    """What every back end that is installed finds on some unseen pictures."""
    pictures = outcome.unseen.read_text().splitlines()[:count]
    found = {}
    for name in available_backends():
        model = load(CFG, outcome.weights, name, names=outcome.data, quiet=True)
        found[name] = [*model(pictures, threshold)]
    return found


def difference(
    found: Sequence[Results], truth: Sequence[Results], threshold: float = THRESHOLD
) -> tuple[float, float]:  # fmt: skip
    """The largest differences of sides (pixels) and scores of what two back ends found; infinite for other boxes.

    A box that one of them has just above the threshold and the other just below it is the same box.
    """
    pixels = score = 0.0
    for a, b in zip(found, truth, strict=True):
        if not _all_there(a, b, threshold) or not _all_there(b, a, threshold):
            return float("inf"), float("inf")
        for i, j in _pairs(a, b):
            pixels = max(pixels, float(np.abs(a.boxes.xyxy[i] - b.boxes.xyxy[j]).max()))
            score = max(score, abs(float(a.boxes.conf[i]) - float(b.boxes.conf[j])))
    return pixels, score


def _pairs(a: Results, b: Results) -> list[tuple[int, int]]:
    """The boxes of two results that are nearest to each other, of the same class."""
    pairs = []
    for i in range(len(a)):
        same = np.flatnonzero(b.boxes.cls == a.boxes.cls[i])
        if len(same):
            distances = np.abs(b.boxes.xyxy[same] - a.boxes.xyxy[i]).max(1)
            if distances.min() <= 1 + PIXELS:
                pairs.append((i, int(same[distances.argmin()])))
    return pairs


def _all_there(a: Results, b: Results, threshold: float) -> bool:
    """Whether each clear box of `a` is in `b`."""
    paired = {i for i, _ in _pairs(a, b)}
    return all(i in paired for i in range(len(a)) if a.boxes.conf[i] > threshold + SCORE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it all, print the figures, and say by the exit status whether both bars were met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args(arguments)
    shutil.rmtree(given.out, ignore_errors=True)
    outcome = learn(given.out, print, seed=given.seed, threads=given.threads)
    print(f"{UNSEEN} unseen pictures: mAP@0.5 {outcome.map:.4f} after {outcome.seconds:.0f} s (bar {BAR})")
    found = boxes_of(outcome)
    boxes = sum(map(len, found[TRUTH]))
    same = True
    for name, results in found.items():
        pixels, score = difference(results, found[TRUTH])
        same &= pixels <= PIXELS and score <= SCORE
        print(f"{name:12} {sum(map(len, results))} boxes; off by {pixels:.4f} pixels and {score:.1e} of a score")
    print(f"{boxes} boxes on {COMPARED} pictures: {'the same' if same else 'NOT the same'} on {len(found)} back ends")
    print(f"weights: {outcome.weights}\na picture: {found[TRUTH][0].save(given.out / 'predictions.png', replace=True)}")
    return int(outcome.map < BAR or not same)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DarknetError as e:
        sys.exit(f"error: {e}")
