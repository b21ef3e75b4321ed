"""The folder of pictures, and the turns in which contestants send it through a network: the benchmark's throughput."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from darknet_py.apps.bench.process import Side, SideError

from ..environments import DARKNET_PY, NCNN, OPENVINO, Environment, NotInstalled, make, variables
from .bars import STAGES
from .many import OURS_ON, STAGES_ON
from .prepare import Prepared, made_up_photo

PICTURES = 1000
TURNS = 5  # in each, every contestant sends a part of the pictures
WARM = 40  # pictures before the first turn: more than a model takes until it knows how


@dataclass(frozen=True)
class Many:
    """A contestant of the throughput: `sender` is one of `many.py`."""

    name: str
    environment: Environment
    sender: str


MANY = (
    Many("darknet-py on onnxruntime", DARKNET_PY, f"{OURS_ON}onnxruntime"),
    Many("darknet-py on OpenVINO", OPENVINO, f"{OURS_ON}openvino"),
    Many("darknet-py on ncnn", NCNN, f"{OURS_ON}ncnn"),
    Many("OpenVINO, AsyncInferQueue", OPENVINO, "queue"),
    Many("onnxruntime, pool of processes", DARKNET_PY, "pool"),
    Many("onnxruntime, plain loop", DARKNET_PY, "loop"),
    Many(f"{STAGES}darknet-py on onnxruntime", DARKNET_PY, f"{STAGES_ON}onnxruntime"),
    Many(f"{STAGES}darknet-py on OpenVINO", OPENVINO, f"{STAGES_ON}openvino"),
    Many(f"{STAGES}darknet-py on ncnn", NCNN, f"{STAGES_ON}ncnn"),
)


def folder_of_pictures(photos: Sequence[Path], folder: Path, count: int = PICTURES) -> list[str]:
    """So many JPEGs in a folder: the photos again and again, or one that is made up."""
    folder.mkdir()
    files = [folder / f"{i:05}.jpg" for i in range(count)]
    for i, file in enumerate(files):
        if photos:
            shutil.copyfile(photos[i % len(photos)], file)
        else:
            cv2.imwrite(str(file), made_up_photo())
    return [str(file) for file in files]


def throughput(
    files: Prepared, pictures: Sequence[str], threads: int, many: Sequence[Many] = MANY, turns: int = TURNS
) -> dict[str, Any]:
    """Seconds for a picture of each contestant in each turn, those of processors, and boxes; why some have none."""
    job = files.folder / "many.json"
    job.write_text(files.text(), "utf-8")
    found: dict[str, Any] = {"pictures": len(pictures), "threads": threads, "sides": {}, "failed": {}}
    sides: dict[str, Side] = {}
    try:
        for one in many:
            try:
                sides[one.name] = _opened(one, job, files.folder / f"many{len(sides)}.log", pictures, threads)
            except (SideError, NotInstalled) as e:
                found["failed"][one.name] = str(e)
        for turn in range(turns):
            part = pictures[turn::turns]
            for name in [*sides]:
                _turn(name, sides, part, found)
    finally:
        for side in sides.values():
            side.close()
    return found


def _opened(one: Many, job: Path, log: Path, pictures: Sequence[str], threads: int) -> Side:
    python = str(make(one.environment).python)
    environment = variables(threads)
    if not one.sender.startswith((OURS_ON, STAGES_ON)):  # theirs say themselves how many threads there are
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = "1"
    side = Side([python, "-m", "tools.bench.performance.many", one.sender, str(job)], environment, log)
    try:
        side.ask("open", files=list(pictures[:WARM]))
    except SideError:
        side.close()
        raise
    return side


def _turn(name: str, sides: dict[str, Side], part: Sequence[str], found: dict[str, Any]) -> None:
    try:
        answer = sides[name].ask("send", files=list(part))
    except SideError as e:
        found["failed"][name] = str(e)
        found["sides"].pop(name, None)
        sides.pop(name).close()
        return
    row = found["sides"].setdefault(name, {"seconds": [], "used": [], "found": 0})
    row["seconds"].append(answer["seconds"] / len(part))
    row["used"].append(answer["used"] / len(part))
    row["found"] += answer["found"]
