"""What is around the network, in a process of its own: the resize beside OpenCV's, and what the first picture imports.

Decision: processor seconds of one thread, which what a machine does beside does not change; and wall time with all of
OpenCV's threads, or it would not be seen what it takes to wake them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from darknet_py.vision.preprocess import to_input
from darknet_py.vision.stretch import AxisPart, is_remap_exact, stretch_in_numpy

SIZES = (320, 416)  # of networks
PHOTOS = {"a photo of 640x480": (480, 640), "768x576": (576, 768), "1920x1080": (1080, 1920)}
TURNS, STARTS = 60, 7
MODULES = 12  # that are told one by one
LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")


def resizes() -> dict[str, dict[str, float]]:
    """The time of the resize as a part of `blobFromImage`'s, and how far its numbers are from Darknet's, by size."""
    found = {}
    for title, (height, width) in PHOTOS.items():
        rng = np.random.default_rng(0)
        photo = cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3), np.uint8), (3, 3), 0)
        for size in SIZES:
            found[f"{title} to {size}"] = _resize(photo, size)
    return found


def _resize(photo: np.ndarray, size: int) -> dict[str, float]:
    out, exact = (np.empty((3, size, size), np.float32) for _ in range(2))
    whole = AxisPart(size, 0, size)
    stretch_in_numpy(photo, exact[::-1], whole, whole)

    def ours() -> None:
        to_input(photo, out.shape, bgr=True, out=out)

    def theirs() -> None:
        cv2.dnn.blobFromImage(photo, 1 / 255, (size, size), swapRB=True)

    cv2.setNumThreads(1)
    ratio = _ratio(ours, theirs, time.thread_time)
    cv2.setNumThreads(os.cpu_count() or 1)
    return {
        "ratio": ratio, "wall": _ratio(ours, theirs, time.perf_counter), "off": float(np.abs(out - exact).max()),
    }  # fmt: skip


def _ratio(ours: Callable[[], None], theirs: Callable[[], None], clock: Callable[[], float]) -> float:
    return median(_seconds(ours, clock) / _seconds(theirs, clock) for _ in range(TURNS))


def _seconds(call: Callable[[], None], clock: Callable[[], float]) -> float:
    start = clock()
    call()
    return clock() - start


def imports(command: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of imports in a process of ours, by package and, of ours, by module: the least of several starts."""
    least: dict[str, float] = {}
    for start in range(STARTS + 1):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=True
        )
        for line in done.stderr.splitlines() if start else ():  # the first one compiles the network, for the others
            if match := LINE.match(line):
                least[match[2]] = min(least.get(match[2], float("inf")), int(match[1]) / 1e3)
    packages: dict[str, float] = defaultdict(float)
    for name, taken in least.items():
        top = name.partition(".")[0]
        packages["the standard library" if top in sys.stdlib_module_names else top] += taken
    own = {name: ms for name, ms in least.items() if name.startswith("darknet_py")}
    return {"packages": _slowest(packages), "modules": _slowest(own), "count": len(own)}


def _slowest(taken: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(taken.items(), key=lambda item: -item[1])[:MODULES])


def main(cfg: str, weights: str, photo: str) -> None:
    """Print both as JSON."""
    command = ["-m", "darknet_py", "run", cfg, photo, "-w", weights, "--no-save", "--json"]
    print(json.dumps({"resizes": resizes(), "is exact": is_remap_exact(), "imports": imports(command)}))


if __name__ == "__main__":
    main(*(str(Path(argument)) for argument in sys.argv[1:]))
