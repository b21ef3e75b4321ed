"""Live sources: the newest frame, a lost connection that is made again, and a silence that ends."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import numpy as np
import pytest
from clips import Camera, camera, decoded, milliseconds
from networks import write_detector

from darknet_py import load
from darknet_py.errors import DataError
from darknet_py.vision.picture import Picture
from darknet_py.vision.video.frames import frames
from darknet_py.vision.video.live import live_frames
from darknet_py.vision.video.video import Streams, Video

LIMIT = 1 << 20


def video(cam: Camera, **given: object) -> Video:
    return Video(cam.url, live=True, **given)  # type: ignore[arg-type]  # as each test wants it


def test_a_slow_reader_gets_the_newest_frame() -> None:
    ages = []
    with camera(rate=20) as cam:
        for picture in frames(video(cam, duration=3), LIMIT):
            ages.append(milliseconds() - decoded(picture.pixels))
            assert picture.taken is not None
            time.sleep(0.2)
    assert len(ages) >= 5
    assert np.median(ages) < 1000  # it would be seconds late otherwise, and more so every second
    assert picture.frame is not None
    assert picture.frame > len(ages)  # the number counts those that were left out


def test_all_frames_come_if_all_are_wanted() -> None:
    with camera(rate=50) as cam:
        found = []
        for picture in frames(video(cam, latest=False, duration=1), LIMIT):
            found.append(picture.frame)
            time.sleep(0.03)
    assert found == list(range(len(found)))
    assert len(found) > 5


def test_a_camera_that_hangs_up_is_called_again() -> None:
    with camera(rate=50, hang_up=5) as cam:
        found = frames(video(cam), LIMIT)
        seen = 0
        while cam.connections < 3:
            picture = next(found)
            assert isinstance(picture, Picture)
            seen += 1
        assert seen >= 2


def test_a_camera_that_says_nothing_more_ends_after_its_time() -> None:
    with camera(rate=50, silent_after=3) as cam:
        start = time.monotonic()
        with pytest.raises(DataError, match="no frame for 1 seconds"):
            list(frames(video(cam, timeout=1), LIMIT))
        assert time.monotonic() - start < 20


def test_a_camera_that_never_says_anything_ends_after_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        for scheme in ("http", "rtsp"):
            url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/video"
            start = time.monotonic()
            with pytest.raises(DataError, match=r"no frame for 1 seconds|nobody answers with a video within 1 seconds"):
                list(frames(Video(url, live=True, timeout=1), LIMIT))
            assert time.monotonic() - start < 20


def test_a_camera_that_is_not_there_is_an_error_at_once() -> None:
    with pytest.raises(DataError, match=r"cannot open rtsp://127\.0\.0\.1:1/x"):
        list(frames(Video("rtsp://me:pw@127.0.0.1:1/x"), LIMIT))
    with pytest.raises(DataError, match=r"(?s)the camera 99.*\./99"):
        list(frames(Video(99), LIMIT))


def test_several_cameras_are_looked_at_in_turn_and_one_may_fail() -> None:
    with camera(rate=50) as one, camera(rate=50) as two:
        gone = Video("rtsp://127.0.0.1:1/x")
        found = list(live_frames((video(one, duration=1), gone, video(two, duration=1)), LIMIT))
    errors = [item for item in found if isinstance(item, DataError)]
    counts = {url: sum(item.path == url for item in found if isinstance(item, Picture)) for url in (one.url, two.url)}
    assert len(errors) == 1
    assert all(count > 5 for count in counts.values()), counts


def test_a_model_reads_nothing_ahead_of_a_live_source(tmp_path: Path) -> None:
    model = load(write_detector(tmp_path))
    with camera(rate=20) as cam:
        found = model(cam.url, batch=4, workers=2)  # the address is asked what it is
        assert not isinstance(found, list)
        ages = []
        for _, results in zip(range(6), found, strict=False):
            ages.append(milliseconds() - decoded(results.orig_img))
            time.sleep(0.2)
        assert np.median(ages) < 1000
        skipped: list[DataError] = []
        streams = Streams((video(cam, duration=1), Video("rtsp://127.0.0.1:1/x")))
        assert {r.path for r in model(streams, skip=skipped.append)} == {cam.url}
        assert len(skipped) == 1
