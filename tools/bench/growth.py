"""How cost grows: time with pixels and with batch, and memory over thousands of frames, on a network of three layers.

Run as `python -m tools.bench.growth`; prints a table, and nothing is judged here.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from darknet_py import Model, load

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
CONF = 0.9
REPORTS = 10  # of memory


def open_model(folder: Path, size: int, backend: str) -> Model:
    """The network at an input size, with random weights."""
    cfg = folder / f"{size}.cfg"
    cfg.write_text(CFG.format(size=size))
    return load(cfg, backend=backend, random_weights=0, cache=False)


def seconds(model: Model, batch: int, rounds: int = 9) -> float:
    """The median time of a batch, from pixels of its own size to boxes."""
    rng = np.random.default_rng(0)
    frames = list(rng.integers(0, 256, (batch, *model.contract.shape[1:], 3), np.uint8))
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        model(frames, conf=CONF, batch=batch)
        times.append(time.perf_counter() - start)
    return median(times[1:])


def memory() -> int:
    """The bytes that this process has in memory now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def frames(count: int, size: int) -> Iterator[np.ndarray]:
    """Different random frames of one size."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.integers(0, 256, (size, size, 3), np.uint8)


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("pixels, ms, ns a pixel")
        for size in SIZES:
            taken = seconds(open_model(folder, size, options.backend), 1)
            print(f"{size * size:8} {taken * 1e3:8.2f} {taken * 1e9 / size**2:8.2f}")
        print("batch, ms, ms a picture")
        model = open_model(folder, 256, options.backend)
        for batch in BATCHES:
            taken = seconds(model, batch)
            print(f"{batch:8} {taken * 1e3:8.2f} {taken * 1e3 / batch:8.2f}")
        print(f"frames, MB ({options.workers} workers)")
        model = open_model(folder, 64, options.backend)
        results = model(frames(options.frames, 96), conf=CONF, batch=4, workers=options.workers)
        step = max(1, options.frames // REPORTS)
        for i, _ in enumerate(results, 1):
            if i % step == 0:
                print(f"{i:8} {memory() / 1e6:8.1f}")


if __name__ == "__main__":
    main()
