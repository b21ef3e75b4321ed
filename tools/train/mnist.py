"""LeNet on MNIST: `python -m tools.train.mnist ../shared/images/mnist`; 2,000 digits that it never saw judge it.

Decision: of the 10,000 digits of the test files the first 8,000 are learned and the last 2,000 are measured on, in the
order of the files: the rule has no seed. Digits become PNGs in folders of their class, and the rest is `darknet-py
train` as anyone uses it.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from darknet_py import files, train
from darknet_py.apps.train.events import Event, Finished, Validated
from darknet_py.errors import DarknetError, DataError, Say

CFG = Path(__file__).with_name("lenet.cfg")
LEARNED, DIGITS = 8_000, 10_000  # pictures of the test files: those that are learned, and all
BAR = 0.97  # of the others are to be told right
PICTURES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
PICTURES_MAGIC, LABELS_MAGIC = 0x803, 0x801  # yann.lecun.com/exdb/mnist: bytes in 3 dimensions and in 1
MAX_FILE = 1 << 24  # bytes
OUT = Path("predictions/mnist")


@dataclass(frozen=True)
class Outcome:
    """What became of a training: top-1 accuracy from 0 to 1, seconds, and the weights file."""

    top1: float
    seconds: float
    weights: Path


def read_digits(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The pictures (10000, 28, 28) uint8 and the digits (10000,) of the files of MNIST. Raises `DataError`."""
    pictures, labels = _read(folder / PICTURES, PICTURES_MAGIC, 16), _read(folder / LABELS, LABELS_MAGIC, 8)
    if len(labels) != DIGITS or len(pictures) != DIGITS * 28 * 28:
        raise DataError(f"{folder}: {len(labels)} labels and {len(pictures)} pixels are not {DIGITS} digits of 28x28")
    return pictures.reshape(DIGITS, 28, 28), labels


def _read(path: Path, magic: int, header: int) -> np.ndarray:
    try:
        data = gzip.decompress(files.read_whole(path, MAX_FILE, "file of MNIST"))
    except (OSError, EOFError) as e:
        raise DataError(f"{path} is no file of MNIST: {e}") from None
    if int.from_bytes(data[:4], "big") != magic:
        raise DataError(f"{path} is no file of MNIST: it begins with {data[:4].hex()}")
    return np.frombuffer(data, np.uint8, offset=header)


def write_data(folder: Path, pictures: np.ndarray, labels: np.ndarray, learned: int = LEARNED) -> Path:
    """Digits as PNGs and a .data file, of which the first `learned` are its train list; the path of that file."""
    paths = []
    for digit in range(10):
        (folder / "digits" / str(digit)).mkdir(parents=True, exist_ok=True)
    for i, (pixels, digit) in enumerate(zip(pictures, labels, strict=True)):
        path = (folder / "digits" / str(digit) / f"{i:05}.png").resolve()
        cv2.imwrite(str(path), pixels)
        paths.append(f"{path}\n")
    for name, part in (("train", paths[:learned]), ("test", paths[learned:])):
        files.write_whole(folder / f"{name}.list", "".join(part).encode())
    files.write_whole(folder / "digits.names", "".join(f"{digit}\n" for digit in range(10)).encode())
    lines = ("classes=10", *(f"{key}={(folder / name).resolve()}" for key, name in (
        ("train", "train.list"), ("valid", "test.list"), ("labels", "digits.names"), ("backup", "backup"),
    )))  # fmt: skip
    return files.write_whole(folder / "mnist.data", "".join(f"{line}\n" for line in lines).encode())


def learn(data: Path, say: Say, **settings: Any) -> Outcome:
    """Train, saying what is measured on the way. Raises `DarknetError`."""
    start, top1, last = time.perf_counter(), 0.0, Path()
    for event in train(CFG, data, map_=True, fresh=True, say=say, **settings):
        top1, last = _heard(event, say, top1, last)
    return Outcome(top1, time.perf_counter() - start, last)


def _heard(event: Event, say: Say, top1: float, last: Path) -> tuple[float, Path]:
    if isinstance(event, Validated):
        say(f"iteration {event.iteration}: {event.kind} {event.value:.4f}")
        return event.value, last
    return top1, event.path if isinstance(event, Finished) else last


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, print the accuracy, and say by the exit status whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mnist", type=Path, help="folder of the files t10k-*.gz")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    data = write_data(given.out, *read_digits(given.mnist))
    found = learn(data, print, seed=given.seed)
    print(f"{DIGITS - LEARNED:,} unseen digits: {found.top1:.2%} right after {found.seconds:.0f} s (bar {BAR:.0%})")
    print(f"weights: {found.weights}")
    return int(found.top1 < BAR)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DarknetError as e:
        sys.exit(f"error: {e}")
