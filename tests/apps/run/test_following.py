"""Each video is followed and counted on its own, and its frames are written under their numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darknet_py.apps.run.following import Following
from darknet_py.apps.run.places import Places
from darknet_py.apps.run.sinks import DRAWN, SINKS, TEXT, Console, Given, open_sinks
from darknet_py.contract.contract import Contract
from darknet_py.contract.detections import Boxes
from darknet_py.vision.results import Results

CONTRACT = Contract((3, 32, 32), 2, names=("person", "dog"))
LINE = (0, 0.5, 1, 0.5)


def frame(source: str, number: int, y: float, conf: float = 0.9) -> Results:
    """A frame with one person at a height."""
    boxes = Boxes(np.float32([[10, y, 50, y + 40]]), np.float32([conf]), np.array([0]), (100, 100))
    return Results(
        np.zeros((100, 100, 3), np.uint8), source, {0: "person", 1: "dog"}, boxes,
        source=source, frame=number, time=number / 25,
    )  # fmt: skip


def test_videos_have_trackers_and_counters_of_their_own() -> None:
    following = Following(CONTRACT, 0.25, None, False, [LINE], [])
    for k, y in enumerate((20, 35)):  # the centre crosses 50 in the first video only
        (first,) = [following.update(frame("a.mp4", k, y))]
        (second,) = [following.update(frame("b.mp4", k, 0))]
        assert first.boxes.track_ids == second.boxes.track_ids == [1]
    assert following.summary() == [
        "a.mp4: line 0,0.5,1,0.5: 1 forward, 0 backward", "b.mp4: line 0,0.5,1,0.5: 0 forward, 0 backward"
    ]  # fmt: skip


def test_pictures_are_one_sequence() -> None:
    following = Following(CONTRACT, 0.25, None, False, [LINE], [])
    for k, y in enumerate((20, 35)):
        picture = replace(frame("", k, y), path=f"{k}.png", frame=None, time=None)
        assert following.update(picture).boxes.track_ids == [1]
    assert following.summary() == ["line 0,0.5,1,0.5: 1 forward, 0 backward"]


def test_the_model_is_called_with_a_low_threshold_and_classes_keep_theirs() -> None:
    following = Following(CONTRACT, {"person": 0.6}, None, False, [], [])
    assert following.low == 0.1
    assert len(following.update(frame("a", 0, 0, conf=0.5)).boxes) == 0
    assert following.update(frame("a", 1, 0, conf=0.7)).boxes.track_ids == [1]
    assert following.update(frame("a", 2, 0, conf=0.3)).boxes.track_ids == [1]
    assert Following(CONTRACT, 0.05, None, False, [], []).low == 0.05
    suppressed = replace(CONTRACT, boxes="nms", threshold=0.3)
    assert Following(suppressed, 0.5, None, False, [], []).low == 0.3  # the file holds nothing below


def written(results: Results, folder: Path, *options: str) -> str:
    """What sinks print for one result."""
    printed: list[str] = []

    @contextmanager
    def array() -> Iterator[Callable[[Any], None]]:
        yield lambda item: printed.append(json.dumps(item) + "\n")

    console = Console(printed.append, lambda item: printed.append(json.dumps(item) + "\n"), array)
    sinks = [sink for sink in (*SINKS, DRAWN, TEXT) if sink.option in options]
    assert len(sinks) == len(options)
    with open_sinks(sinks, Given(console)) as add:
        add(results, Places(folder, stems=False).of(results))
    return "".join(printed)


def test_frames_are_written_only_where_they_are_asked_for(tmp_path: Path) -> None:
    written(frame("v/cars.mp4", 7, 0), tmp_path, "save")
    assert not list(tmp_path.iterdir())
    written(frame("v/cars.mp4", 7, 0), tmp_path, "save-frames", "save-txt", "save-crop")
    names = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.suffix in (".jpg", ".txt")}
    assert names == {"cars_00000007.jpg", "labels/cars_00000007.txt", "crops/person/cars_00000007-1.jpg"}


def test_lines_about_frames_say_which(tmp_path: Path) -> None:
    seen = frame("v/cars.mp4", 7, 0)
    data = json.loads(written(seen, tmp_path, "jsonl"))
    assert (data["source"], data["frame"], data["time"]) == ("v/cars.mp4", 7, 0.28)
    assert written(seen, tmp_path, "csv").splitlines()[1].startswith("v/cars.mp4,7,0.28,,0,person,0.9,10.0,")
    assert json.loads(written(seen, tmp_path, "coco"))["image_id"] == "cars_00000007"


@pytest.mark.parametrize("sink", SINKS, ids=lambda s: s.option)
def test_every_sink_takes_a_picture_in_which_nothing_was_found(sink: Any, tmp_path: Path) -> None:
    seen = frame("a.mp4", 1, 0)
    written(replace(seen, boxes=seen.boxes[:0]), tmp_path, sink.option)


def test_an_object_beside_the_picture_has_no_crop(tmp_path: Path) -> None:
    seen = frame("a.mp4", 1, 0)
    outside = replace(seen, boxes=replace(seen.boxes, xyxy=seen.boxes.xyxy + 500))
    written(outside, tmp_path, "save-crop")
    assert not list(tmp_path.rglob("*.jpg"))
