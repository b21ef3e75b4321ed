"""Pictures a second of the loader alone: `python -m tools.bench.loader PICTURES CFG`, with 0, 1 and more workers.

Each row is a kind of augmentation, once with pictures that are decoded anew each time (as of a large data set) and once
with all of them in memory.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

from darknet_py.apps.train.data.loader import Loader
from darknet_py.apps.train.data.options import MIXUP, MOSAIC, PLAIN, Augmentation, last_head
from darknet_py.darknet.compile import compile_file
from darknet_py.vision.datasets import open_dataset
from darknet_py.zoo.names import COCO

BATCH = 8
WARM = 10  # mini batches before the clock starts
KEPT = 1 << 31  # bytes: all of a small data set
KINDS = {"plain": PLAIN, "mixup": MIXUP, "mosaic": MOSAIC}


def rate(loader: Loader, batches: int) -> tuple[float, float]:
    """Pictures a second, and milliseconds of the processor for each, after the first mini batches."""
    made = loader.from_sample(0, repeat((BATCH, loader.size), batches + WARM))
    for _ in islice(made, WARM):
        pass
    start, used = time.perf_counter(), time.process_time()
    count = sum(map(len, made))
    return count / (time.perf_counter() - start), (time.process_time() - used) / count * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("cfg", type=Path)
    parser.add_argument("--size", type=int, default=416)
    parser.add_argument("--batches", type=int, default=25)
    parser.add_argument("--workers", default="0,1,2")
    given = parser.parse_args()
    compilation = compile_file(given.cfg).check()
    head = last_head(compilation)
    usual = replace(Augmentation.of(compilation.net, head), blur=0, gaussian_noise=0)
    dataset = open_dataset(given.pictures, "train")
    print(f"{dataset.describe()}, {given.size}x{given.size}; pictures/s, and ms of the processor for a picture")
    print(f"{'':8}{'workers':>8}{'decoded anew':>18}{'in memory':>18}")
    for name, mixing in KINDS.items():
        options = replace(usual, mixing=mixing)
        for workers in map(int, given.workers.split(",")):
            rates = [
                rate(
                    Loader(
                        dataset, compilation.net, head, size=(given.size, given.size), batch=BATCH, workers=workers,
                        options=options, names=COCO, keep=keep,
                    ),
                    given.batches,
                )
                for keep in (0, KEPT)
            ]  # fmt: skip
            print(f"{name:8}{workers:8}" + "".join(f"{speed:10.0f} {cost:5.1f} ms" for speed, cost in rates))


if __name__ == "__main__":
    main()
