"""A long file: whether memory stays flat, and the time of the whole against that of its stages.

The bar is the larger of two times that no order of work can beat: that of the slowest stage alone, and the processor
seconds of all stages divided by the number of cores. Stages and whole are timed in turn, each on the same frames.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from darknet_py import Model, Results, Video, load
from darknet_py.vision.sources import pictures
from darknet_py.vision.video.recorder import recording

PART = 300  # frames of a timed round
BATCH, WORKERS = 1, 1  # as `darknet-py run` has them
STEPS = 10  # measurements of memory

Cost = tuple[float, float]  # seconds of the clock, of the processor


def measure_frames(cfg: str, count: int, size: tuple[int, int], rounds: int) -> None:
    """Print the cost of each stage and of the whole in each round, and the memory over `count` frames."""
    model = load(cfg, quiet=True)
    with TemporaryDirectory() as folder:
        clip = Path(folder, "clip.webm")
        _write(clip, count, size)
        cores = len(os.sched_getaffinity(0))
        ratios = []
        for _ in range(rounds):
            stages, whole = _timed_round(model, clip, Path(folder))
            bound = max(*(wall for wall, _ in stages.values()), sum(cpu for _, cpu in stages.values()) / cores)
            ratios.append(whole[0] / bound)
            told = ", ".join(f"{name} {wall:.2f} s ({cpu:.2f} s cpu)" for name, (wall, cpu) in stages.items())
            print(f"{PART} frames: {told}; whole {whole[0]:.2f} s ({whole[1]:.2f} s cpu), {ratios[-1]:.2f} x bound")
        if ratios:
            print(f"wall time: {median(ratios):.2f} x max(slowest stage, cpu of all / {cores} cores) (bar: 1.15)")
        _memory(model, clip, Path(folder), count)


def _timed_round(model: Model, clip: Path, folder: Path) -> tuple[dict[str, Cost], Cost]:
    video = Video(clip)
    part = Video(clip, duration=PART / 25)
    few = [picture for picture, _ in zip(pictures(video), range(25), strict=False)]
    found = list(model([p.pixels for p in few]))
    results = [_framed(found[i % len(found)], i) for i in range(PART)]
    return {
        "decoding": _cost(lambda: sum(1 for _ in pictures(part))),
        "network": _cost(lambda: sum(1 for _ in model(iter(_repeated([p.pixels for p in few]))))),
        "drawing and encoding": _cost(lambda: _record(iter(results), part, folder / "stage.webm")),
    }, _cost(lambda: _record(model(part, batch=BATCH, workers=WORKERS), part, folder / "whole.webm"))


def _framed(results: Results, number: int) -> Results:
    from dataclasses import replace

    return replace(results, frame=number, time=number / 25, rate=25.0)


def _repeated(pixels: list[np.ndarray]) -> Iterator[np.ndarray]:
    for i in range(PART):
        yield pixels[i % len(pixels)]


def _record(results: Iterator[Results], video: Video, path: Path) -> None:
    with recording(path, video, replace=True) as add:
        for one in results:
            add(one)


def _cost(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _memory(model: Model, clip: Path, folder: Path, count: int) -> None:
    sizes: list[int] = []
    start = time.perf_counter()
    with recording(folder / "long.webm", Video(clip), replace=True) as add:
        for i, results in enumerate(model(Video(clip), batch=BATCH, workers=WORKERS)):
            add(results)
            if (i + 1) % (count // STEPS) == 0:
                sizes.append(_resident())
    megabytes = " ".join(f"{size / 1e6:.0f}" for size in sizes)
    print(f"{i + 1} frames in {time.perf_counter() - start:.0f} s; resident megabytes after each tenth: {megabytes}")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _write(path: Path, count: int, size: tuple[int, int]) -> None:
    """A scene with noise and moving shapes, so that decoding and encoding have something to do."""
    random = np.random.default_rng(0)
    width, height = size
    ground = cv2.resize(random.integers(0, 256, (height // 8, width // 8, 3), np.uint8), size)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), 25.0, size)
    for i in range(count):
        frame = ground.copy()
        x, y = (i * 3) % width, (i * 2) % height
        cv2.circle(frame, (x, y), height // 6, (0, 0, 255), -1)
        cv2.rectangle(frame, (width - x, height - y), (width - x + 40, height - y + 60), (255, 200, 0), -1)
        writer.write(frame)
    writer.release()
