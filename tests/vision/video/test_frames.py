"""The frames of files: every one, in order, with number and time; and those of whatever else gives frames."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import coded, decoded, write_clip
from networks import write_detector

from darknet_py import load
from darknet_py.errors import DataError
from darknet_py.vision.picture import Picture
from darknet_py.vision.sources import pictures
from darknet_py.vision.video.frames import frames
from darknet_py.vision.video.video import Video

LIMIT = 1 << 20


@pytest.fixture(params=["VP80 webm", "mp4v mp4", "MJPG avi"])
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """30 numbered frames, 10 a second."""
    codec, suffix = request.param.split()
    return write_clip(tmp_path / f"clip.{suffix}", 30, codec=codec)


def told(found: list[Picture]) -> list[tuple[int | None, int, float]]:
    return [(p.frame, decoded(p.pixels), round(p.time or 0, 3)) for p in found]


def test_every_frame_comes_in_order(clip: Path) -> None:
    found = list(frames(Video(clip), LIMIT))
    assert told(found) == [(i, i, i / 10) for i in range(30)]
    assert {p.path for p in found} == {str(clip)}
    assert {p.rate for p in found} == {10.0}


def test_a_part_of_a_file_and_each_nth_frame(clip: Path) -> None:
    found = list(frames(Video(clip, every=3, start=1.0, duration=1.0), LIMIT))
    assert told(found) == [(i, i, i / 10) for i in (10, 13, 16, 19)]


def test_a_file_that_says_no_length_is_read_up_to_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from darknet_py.vision.video import frames as module

    monkeypatch.setattr(module, "_seek", lambda *_: -1)
    clip = write_clip(tmp_path / "clip.webm", 12)
    assert told(list(frames(Video(clip, start=1.0), LIMIT))) == [(10, 10, 1.0), (11, 11, 1.1)]


def test_no_frames_are_an_error(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.webm", 3)
    with pytest.raises(DataError, match="no frames after 5 seconds"):
        list(frames(Video(clip, start=5), LIMIT))
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"a\.mp4: not a video"):
        list(frames(Video(tmp_path / "a.mp4"), LIMIT))
    with pytest.raises(DataError, match="more than 100 pixels"):
        list(frames(Video(clip), 100))


def test_a_file_that_was_cut_gives_its_frames_and_an_error(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.webm", 100)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    found: list[Picture] = []

    def read() -> None:
        for picture in frames(Video(clip), LIMIT):
            found.append(picture)

    with pytest.raises(DataError, match=r"ends after 4\.. of 10\.0 seconds"):
        read()
    assert 30 < len(found) < 70
    assert len(list(frames(Video(clip, duration=2), LIMIT))) == 20  # nobody asked for what is missing


def test_a_pattern_of_opencv_is_no_file(tmp_path: Path) -> None:
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"a{i}.png"), coded(i))
    with pytest.raises(DataError, match="No such file"):
        list(frames(Video(tmp_path / "a%d.png"), LIMIT))


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(Path("clip.webm"), 2).rename("a:b.webm")
    assert len(list(frames(Video(Path("a:b.webm")), LIMIT))) == 2


def test_a_model_gives_a_generator_for_a_video(tmp_path: Path) -> None:
    model = load(write_detector(tmp_path))
    clip = write_clip(tmp_path / "clip.webm", 5)
    for workers, batch in ((0, 1), (1, 1), (2, 3)):
        results = model(str(clip), workers=workers, batch=batch)
        assert not isinstance(results, list)
        assert [r.frame for r in results] == [0, 1, 2, 3, 4]
    assert [r.path for r in model([clip, np.zeros((32, 32, 3), np.uint8)])] == [str(clip)] * 5 + ["image5"]


def test_a_capture_is_read_from_where_it_is_and_stays_open(tmp_path: Path) -> None:
    capture = cv2.VideoCapture(str(write_clip(tmp_path / "clip.webm", 5)))
    capture.read()
    found = pictures(capture)
    assert [(p.frame, decoded(p.pixels)) for p in (next(found), next(found))] == [(1, 1), (2, 2)]
    assert capture.isOpened()
    results = load(write_detector(tmp_path))(capture)
    assert [r.frame for r in results] == [3, 4]
    with pytest.raises(DataError, match="not open"):
        list(pictures(cv2.VideoCapture()))


def test_an_iterator_of_arrays_is_a_stream_of_pictures(tmp_path: Path) -> None:
    results = list(load(write_detector(tmp_path))(coded(i) for i in range(3)))
    assert [(r.path, r.frame) for r in results] == [("image0", None), ("image1", None), ("image2", None)]


def test_only_frames_say_so_in_json(tmp_path: Path) -> None:
    model = load(write_detector(tmp_path))
    frame = next(model(Video(write_clip(tmp_path / "clip.webm", 2))))
    assert list(frame.to_dict())[:6] == ["filename", "width", "height", "source", "frame", "time"]
    assert list(model(coded(0))[0].to_dict()) == ["filename", "width", "height", "objects"]
    assert frame.file_name == "clip_00000000.jpg"
    assert str(frame).startswith(f"{tmp_path}/clip.webm frame 0 256x32: ")


def test_a_video_that_is_left_is_closed(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.webm", 200)
    before = threading.active_count()
    found = frames(Video(clip), LIMIT)
    next(found)
    del found
    gc.collect()
    end = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() == before
