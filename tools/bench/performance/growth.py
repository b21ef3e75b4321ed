"""How cost grows, in a process of its own: time with pixels and with batch, memory over thousands of frames."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from darknet_py import Model, load
from darknet_py.apps.bench.interleave import interleave, spread

# Three layers, so that what is around the network counts as well.
CFG = """
[net]
width={size}
height={size}
channels=3
[convolutional]
filters=16
size=3
stride=1
pad=1
activation=leaky
[convolutional]
filters=18
size=1
stride=1
activation=linear
[yolo]
classes=1
num=3
mask=0,1,2
anchors=10,14, 23,27, 37,58
"""
SIZES, BATCHES = (128, 256, 512, 1024), (1, 2, 4, 8, 16)
ROUNDS = 25
CONF = 0.9
FRAMES, FRAME, REPORTS = 10_000, 96, 10  # how many of which side, and how often memory is looked at
PAGE = 4096


def open_model(folder: Path, size: int, threads: int) -> Model:
    """The network at an input size, with random weights."""
    cfg = folder / f"{size}.cfg"
    cfg.write_text(CFG.format(size=size))
    return load(cfg, random_weights=0, cache=False, threads=threads)


def seconds(jobs: Mapping[int, tuple[Model, int]]) -> dict[int, float]:
    """The median time of each (model, batch), in turn, from pixels of the model's own size to boxes."""
    rng = np.random.default_rng(0)
    runs = {
        name: partial(_seconds, model, list(rng.integers(0, 256, (batch, *model.contract.shape[1:], 3), np.uint8)))
        for name, (model, batch) in jobs.items()
    }
    return {name: spread(timing.seconds).median for name, timing in interleave(runs, ROUNDS).items()}


def _seconds(model: Model, pictures: list[np.ndarray]) -> float:
    model(pictures, conf=CONF, batch=len(pictures))  # the one before has had the caches
    start = time.perf_counter()
    model(pictures, conf=CONF, batch=len(pictures))
    return time.perf_counter() - start


def memory() -> int:
    """The bytes that this process has in memory now; 0 where there is no /proc."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * PAGE if statm.is_file() else 0


def frames(count: int) -> Iterator[np.ndarray]:
    """Different random frames of one size."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.integers(0, 256, (FRAME, FRAME, 3), np.uint8)


def memory_over_frames(model: Model, count: int, workers: int) -> dict[int, int]:
    """The bytes in memory after so many frames."""
    step = max(1, count // REPORTS)
    results = model(frames(count), conf=CONF, batch=4, workers=workers)
    return {i: memory() for i, _ in enumerate(results, 1) if i % step == 0}


def main(threads: int) -> None:
    """Print all three as JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # First, before anything large was in memory.
        memories = memory_over_frames(open_model(folder, 64, threads), FRAMES, workers=2)
        pixels = seconds({size * size: (open_model(folder, size, threads), 1) for size in SIZES})
        model = open_model(folder, 256, threads)
        batch = seconds({count: (model, count) for count in BATCHES})
    print(json.dumps({"pixels": pixels, "batch": batch, "frames": memories}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
