"""What is a video, a camera or a picture: by the first bytes, by the suffix, by the address and by what it answers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import camera, write_clip

from darknet_py.errors import DataError
from darknet_py.vision.sources import PictureFile, PictureUrl, expand, look_up, recognized
from darknet_py.vision.video.video import Video


def test_a_file_is_what_its_first_bytes_say(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.webm", 2).rename(tmp_path / "clip.data")
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((4, 4, 3), np.uint8))
    photo = (tmp_path / "a.jpg").rename(tmp_path / "photo.mp4")
    assert expand(clip) == [Video(clip)]
    assert expand(photo) == [PictureFile(photo)]


def test_a_number_is_a_camera_and_a_file_of_that_name_has_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("a.png", np.zeros((4, 4, 3), np.uint8))
    Path("a.png").rename("0")
    assert expand("0") == [Video(0)]
    assert expand("./0") == [PictureFile(Path("0"))]
    assert recognized(0) == Video(0)


def test_folders_patterns_and_lists_have_videos_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(Path("b.mp4"), 2, codec="mp4v")
    cv2.imwrite("a.png", np.zeros((4, 4, 3), np.uint8))
    Path("all.txt").write_text("a.png\nb.mp4\nrtsp://cam/1\n")
    both = [PictureFile(Path("a.png")), Video(Path("b.mp4"))]
    assert expand(".") == expand("*.*[g4]") == both
    assert expand("all.txt") == [*both, Video("rtsp://cam/1", live=True)]
    assert expand(".", videos=False) == both[:1]


def test_an_address_that_does_not_say_what_it_is_is_asked() -> None:
    with camera() as cam:
        assert look_up([cam.url]) == ([Video(cam.url, live=True)], [])
    assert look_up([cam.url])[0] == [PictureUrl(cam.url)]  # nobody answers: whoever reads it tells


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"every": 0}, "every is at least 1"), ({"start": -1}, "start"), ({"duration": 0}, "duration"),
        ({"timeout": 0}, "timeout"), ({"source": "rtsp://me:pw@cam/1", "start": 3}, r"rtsp://cam/1 is live"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_an_error(given: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Video(**{"source": "a.mp4", **given})  # type: ignore[arg-type]  # on purpose


def test_a_password_is_shown_to_nobody() -> None:
    video = Video("rtsp://me:secret@camera.lan/1")
    assert "secret" not in video.path + video.name
    with pytest.raises(DataError) as caught:
        expand("ftp://me:secret@a/b.jpg")
    assert "secret" not in str(caught.value)


def test_a_video_that_is_not_there_is_known_before_anything_runs() -> None:
    _, errors = look_up(["gone.mp4"])
    assert str(errors[0]) == "cannot read the video gone.mp4: No such file or directory"
