"""A long file: whether memory stays flat, and the time of the whole against that of its stages.

The bar is the larger of two times that no order of work can beat: that of the slowest stage alone, and the processor
seconds of all stages divided by the number of cores. A stage alone is one thread that does this and nothing else, on
frames that are in memory; what other programs took of its time does not count, so on a busy machine the whole is held
to more than it can do. Stages and whole are timed in turn, each on as many frames, in one process.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from darknet_py import Model, Video, load
from darknet_py.contract.thresholds import CONF, IOU
from darknet_py.model.stream import Group, Steps
from darknet_py.vision.headers import pixel_limit
from darknet_py.vision.picture import Picture
from darknet_py.vision.video.frames import in_order
from darknet_py.vision.video.recorder import recording
from darknet_py.vision.video.writer import writing

RATE = 25.0  # frames a second
SAMPLE = 50  # frames that the stages work on, to and fro, so that they move as those of the video do
BATCH, WORKERS = 1, 1  # as `darknet-py run` has them
QUARTERS = 4

SMALL = """
[net]
width=32
height=32
channels=3
[maxpool]
size=8
stride=8
padding=0
[convolutional]
filters=7
size=1
activation=linear
[yolo]
classes=2
num=1
mask=0
anchors=16,16
"""


@dataclass(frozen=True)
class Cost:
    """Seconds of the clock and of the processor; how often threads waited, and how often one was interrupted."""

    wall: float
    cpu: float
    waits: int
    interrupts: int

    @property
    def undisturbed(self) -> float:
        """Seconds of the clock without those that other programs had the processor: a thread is busy all the time."""
        return min(self.wall, self.cpu)


def measure_frames(
    cfg: str, count: int, size: tuple[int, int], rounds: int, recorded: bool, threads: int | None
) -> None:
    """Print for each round what the stages and the whole cost on `count` frames, and the memory; then the ratio.

    `recorded`: the whole draws and writes a video too; otherwise lines of JSON are all that it makes. `cfg` 'small' is
    a network that costs next to nothing; `threads` are those of the network (None: as many as there are cores).
    """
    with TemporaryDirectory() as place:
        folder = Path(place)
        model = _model(cfg, folder, threads)
        clip = folder / "clip.webm"
        _write(clip, count, size)
        cores = len(os.sched_getaffinity(0))
        print(f"{count} frames of {size[0]}x{size[1]}, {cores} cores; load before: {os.getloadavg()[0]:.1f}")
        ratios = []
        for _ in range(rounds):
            stages = _stages(model, clip, folder, count, recorded)
            sizes: list[int] = []
            whole = _cost(lambda: _whole(model, clip, folder, count, recorded, sizes))  # noqa: B023 - called at once
            slowest, shared = max(c.undisturbed for c in stages.values()), sum(c.cpu for c in stages.values()) / cores
            ratios.append(whole.wall / max(slowest, shared))
            told = ", ".join(f"{name} {cost.wall:.2f} s ({cost.cpu:.2f} s cpu)" for name, cost in stages.items())
            print(f"  alone: {told}; slowest {slowest:.2f} s, cpu / cores {shared:.2f} s")
            print(
                f"  whole: {whole.wall:.2f} s ({whole.cpu:.2f} s cpu, {whole.waits} waits, {whole.interrupts} "
                f"interruptions), {ratios[-1]:.2f} x; MB at quarters: {' '.join(f'{s / 1e6:.0f}' for s in sizes)}",
                flush=True,
            )
        print(
            f"wall time: {median(ratios):.2f} x max(slowest stage, cpu of all / cores), median of {rounds} (bar 1.15)"
        )


def _model(cfg: str, folder: Path, threads: int | None) -> Model:
    if cfg != "small":
        return load(cfg, quiet=True, threads=threads)
    path = folder / "small.cfg"
    path.write_text(SMALL)
    return load(path, random_weights=1, quiet=True, threads=threads)


def _stages(model: Model, clip: Path, folder: Path, count: int, recorded: bool) -> dict[str, Cost]:
    limit = pixel_limit(None)
    sample = list(islice(in_order(Video(clip), limit), SAMPLE))
    pictures = [*sample, *sample[-2:0:-1]]
    steps = Steps(model, CONF, IOU, model.contract.letterbox)

    def read_one(picture: Picture) -> Group:
        return steps.read([lambda: picture])

    read = [*map(read_one, pictures)]
    computed = [*map(steps.infer, read)]
    results = [steps.finish(group)[0] for group in computed]

    def each(work: Callable[..., object], items: list[Any]) -> Callable[[], None]:
        def run() -> None:
            for item in islice(cycle(items), count):
                work(item)

        return run

    def decode() -> None:
        for _ in in_order(Video(clip), limit):
            pass

    def record() -> None:
        with writing(folder / "stage.webm", RATE, replace=True) as file:
            each(lambda one: file.write(one.plot()), results)()

    works: dict[str, Callable[[], None]] = {
        "decoding": decode,
        "input": each(read_one, pictures),
        "network": each(steps.infer, read),
        "boxes": each(steps.finish, computed),
    }
    if recorded:
        works["drawing and encoding"] = record
    else:
        works["lines"] = each(lambda one: json.dumps(one.to_dict()), results)
    return {name: _cost(work) for name, work in works.items()}


def _whole(model: Model, clip: Path, folder: Path, count: int, recorded: bool, sizes: list[int]) -> None:
    found = model(Video(clip), batch=BATCH, workers=WORKERS)
    done = 0
    if recorded:
        with recording(folder / "whole.webm", Video(clip), replace=True) as add:
            for results in found:
                add(results)
                done += 1
                _note(done, count, sizes)
    else:
        with Path(os.devnull).open("w") as nowhere:
            for results in found:
                print(json.dumps(results.to_dict()), file=nowhere, flush=True)
                done += 1
                _note(done, count, sizes)
    assert done == count, f"{done} frames of {count}"


def _note(done: int, count: int, sizes: list[int]) -> None:
    if done % max(1, count // QUARTERS) == 0:
        sizes.append(_resident())


def _cost(work: Callable[[], object]) -> Cost:
    gc.collect()
    before, cpu, wall = resource.getrusage(resource.RUSAGE_SELF), time.process_time(), time.perf_counter()
    work()
    wall, cpu, after = time.perf_counter() - wall, time.process_time() - cpu, resource.getrusage(resource.RUSAGE_SELF)
    return Cost(wall, cpu, after.ru_nvcsw - before.ru_nvcsw, after.ru_nivcsw - before.ru_nivcsw)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _write(path: Path, count: int, size: tuple[int, int]) -> None:
    """A scene with noise and moving shapes, so that decoding and encoding have something to do."""
    random = np.random.default_rng(0)
    width, height = size
    ground = cv2.resize(random.integers(0, 256, (height // 8, width // 8, 3), np.uint8), size)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), RATE, size)
    for i in range(count):
        frame = ground.copy()
        x, y = (i * 3) % width, (i * 2) % height
        cv2.circle(frame, (x, y), height // 6, (0, 0, 255), -1)
        cv2.rectangle(frame, (width - x, height - y), (width - x + 40, height - y + 60), (255, 200, 0), -1)
        writer.write(frame)
    writer.release()
