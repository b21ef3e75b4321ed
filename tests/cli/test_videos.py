"""`darknet-py run` on videos and cameras: what is printed, what is written, and what ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest
from clips import camera, coded, decoded, frames_of, served, write_clip

from darknet_py.cli.videos import FrameProgress, progress_line
from darknet_py.vision import window
from darknet_py.vision.video.writer import has_av
from darknet_py.vision.window import FrameWindow

from .conftest import Run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """12 frames, 10 a second."""
    return write_clip(tmp_path / "clip.webm", 12)


def test_a_video_is_drawn_into_one_file(run: Run, cfg: Path, clip: Path) -> None:
    result = run("run", cfg, clip)
    assert result.exit_code == 0
    assert f"{clip} frame 0, 0.000 s: 256x32, " in result.stdout
    assert f"{clip} frame 11, 1.100 s: 256x32, " in result.stdout
    assert f"drawn: {Path('predictions/clip.webm')}\n" in result.stderr
    assert len(frames_of(Path("predictions/clip.webm"))) == 12
    assert run("run", cfg, clip).exit_code == 0  # what was written here may be written again


def test_json_is_an_array_of_frames(run: Run, cfg: Path, clip: Path) -> None:
    result = run("run", cfg, clip, "--json", "--no-save", "--every", 2, "--start", "0.4", "--duration", "0.5")
    found = json.loads(result.stdout)
    assert [(f["frame"], f["time"], f["filename"]) for f in found] == [(i, i / 10, str(clip)) for i in (4, 6, 8)]
    assert not Path("predictions").exists()


def test_the_file_is_named_by_save_and_its_suffix_is_the_format(run: Run, cfg: Path, clip: Path) -> None:
    result = run("run", cfg, clip, "--save", "out/seen.mp4")
    assert result.exit_code == 0
    assert ("[video]" in result.stderr) == (not has_av())
    assert len(frames_of(Path("out/seen.mp4"))) == 12
    assert not Path("predictions").exists()


def test_videos_and_pictures_of_one_name_get_different_files(run: Run, cfg: Path, clip: Path, photos: Path) -> None:
    (photos / "more").mkdir()
    other = write_clip(photos / "more" / "clip.mp4", 3, codec="mp4v")
    result = run("run", cfg, clip, photos / "a.png", other, "--save-txt")
    assert result.exit_code == 0
    assert {p.name for p in Path("predictions").glob("*.*") if not p.name.startswith(".")} == {
        "a.png", "clip.webm", "clip-2.webm",
    }  # fmt: skip
    labels = {p.name for p in Path("predictions/labels").glob("*.txt")}
    assert labels == {"a.txt", *(f"clip_{i:08}.txt" for i in range(12)), *(f"clip-2_{i:08}.txt" for i in range(3))}


def test_frames_are_written_as_pictures_if_asked_for(run: Run, cfg: Path, clip: Path) -> None:
    assert run("run", cfg, clip, "--save-frames", "--every", 4, "--conf", 1).exit_code == 0
    files = sorted(Path("predictions").glob("*.jpg"))
    assert [p.name for p in files] == [f"clip_{i:08}.jpg" for i in (0, 4, 8)]
    assert decoded(cv2.imread(str(files[2]))) == 8
    assert not list(Path("predictions").glob("*.webm"))


def test_a_camera_is_written_only_if_asked_for(run: Run, cfg: Path) -> None:
    with camera(rate=30) as cam:
        result = run("run", cfg, cam.url, "--duration", 1)
        assert result.exit_code == 0
        assert f"{cam.url} frame " in result.stdout
        assert not Path("predictions").exists()
        assert run("run", cfg, cam.url, "--duration", 1, "--save", "seen.webm").exit_code == 0
    seconds = len(frames_of(Path("seen.webm"))) / cv2.VideoCapture("seen.webm").get(cv2.CAP_PROP_FPS)
    assert 0 < seconds < 3


def test_a_video_at_an_address_is_read_whole_and_a_picture_stays_one(run: Run, cfg: Path, clip: Path) -> None:
    with served(clip.read_bytes(), "video/webm") as film:
        assert run("run", cfg, film).exit_code == 0
    assert len(frames_of(Path("predictions/film.webm"))) == 12
    with served(cv2.imencode(".png", coded(1))[1].tobytes(), "image/png") as photo:
        assert f"{photo}: 256x32" in run("run", cfg, photo).stdout
    assert Path("predictions/film.jpg").exists()


def test_a_lost_camera_is_an_error_and_its_file_is_whole(run: Run, cfg: Path) -> None:
    with camera(rate=30, silent_after=10) as cam:
        result = run("run", cfg, cam.url, "--timeout", 1, "--save", "seen.webm", "--json", "--all")
    assert result.exit_code == 1
    assert f"error: {cam.url}: no frame for 1 seconds" in result.stderr
    assert len(json.loads(result.stdout)) == 10
    assert frames_of(Path("seen.webm"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--save a.avi", r".webm or .mp4"), ("--save a.webm --no-save", "exclude each other"),
        ("--save a.webm --save-frames", "exclude each other"), ("--every 0", "--every"), ("--show", "no display"),
        ("--start 60", "no frames after 60 seconds"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(
    run: Run, cfg: Path, clip: Path, options: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if options == "--show" and window.has_display():
        pytest.skip("needs a system that can be without a display, as Linux")
    result = run("run", cfg, clip, *options.split())
    assert result.exit_code != 0
    assert message in result.stderr
    assert not Path("predictions").exists()


def test_save_needs_a_video(run: Run, cfg: Path, photos: Path) -> None:
    assert "no source is one" in run("run", cfg, photos / "a.png", "--save", "a.webm").stderr


def test_a_file_of_the_users_is_not_replaced(run: Run, cfg: Path, clip: Path) -> None:
    Path("predictions").mkdir()
    Path("predictions/clip.webm").write_bytes(b"mine")
    assert "--replace" in run("run", cfg, clip).stderr
    assert Path("predictions/clip.webm").read_bytes() == b"mine"
    assert "was read in this run" in run("run", cfg, clip, "--save", clip, "--replace").stderr
    assert run("run", cfg, clip, "--replace").exit_code == 0


def test_a_broken_video_is_told_and_the_others_run(run: Run, cfg: Path, clip: Path) -> None:
    Path("a.mp4").write_bytes(b"no video")
    result = run("run", cfg, "a.mp4", clip)
    assert result.exit_code == 1
    assert "error: a.mp4: not a video" in result.stderr
    assert len(frames_of(Path("predictions/clip.webm"))) == 12
    assert not Path("predictions/a.webm").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_a_signal_ends_is_whole(cfg: Path, tmp_path: Path, number: signal.Signals) -> None:
    with camera(rate=30) as cam:
        process = subprocess.Popen(
            [sys.executable, "-m", "darknet_py", "run", str(cfg), cam.url, "--save", "a.webm", "--json"],
            cwd=tmp_path, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
        )  # fmt: skip
        assert process.stdout
        first = process.stdout.readline() + process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(60) == 128 + number
        process.stdout.close()
    assert json.loads(first + rest)
    assert frames_of(tmp_path / "a.webm")
    assert not list(tmp_path.glob(".darknet-py.*.*.*"))


def test_progress_says_fps_and_age_on_a_terminal_only(capfd: pytest.CaptureFixture[str]) -> None:
    frame: Any = SimpleNamespace(path="cam", frame=40, time=2.0, taken=9.875)  # all that is looked at
    assert progress_line(frame, [9.0, 9.5, 10.0], 10.0) == "cam: frame 40, 2.0 s, 2.0 fps, age 125 ms"
    FrameProgress().tell(frame)
    assert capfd.readouterr().err == ""


def test_a_window_gets_frames_and_tells_when_it_is_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = """
import sys
data = sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(8), "little"))
open(sys.argv[1], "wb").write(data)
"""
    monkeypatch.setattr(window, "has_display", lambda: True)
    monkeypatch.setattr(window, "FRAMES", script)
    with FrameWindow(str(tmp_path / "seen.bmp")) as shown:
        shown.show(coded(5))
        end = time.monotonic() + 20
        while not shown.is_closed and time.monotonic() < end:
            time.sleep(0.01)
        assert shown.is_closed
    assert decoded(cv2.imread(str(tmp_path / "seen.bmp"))) == 5


@pytest.mark.parametrize(
    ("source", "option", "said"),
    [
        ("a.png", "--every 2", "--every: for videos, and no source is one"),
        ("a.png", "--start 1 --duration 2", "--start, --duration: for videos"),
        ("clip", "--timeout 3", "--timeout: for cameras and streams, and no source is one"),
        ("clip", "--all", "--latest and --all: for cameras and streams"),
    ],
)
def test_options_that_no_source_reads_are_refused_before_the_network_is_opened(
    run: Run, cfg: Path, photos: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, source: str, option: str, said: str
) -> None:
    monkeypatch.setattr("darknet_py.model.opening.load", lambda *_, **__: pytest.fail("opened"))
    result = run("run", cfg, clip if source == "clip" else photos / source, *option.split())
    assert result.exit_code == 1
    assert said in result.stderr


def test_the_video_that_an_option_is_for_may_be_the_source_that_cannot_be_read(
    run: Run, cfg: Path, photos: Path
) -> None:
    result = run("run", cfg, photos / "a.png", "gone.mp4", "--every", "2", "--no-save")
    assert result.exit_code == 1
    assert "gone.mp4" in result.stderr
    assert "no source is one" not in result.stderr
    assert "a.png: " in result.stdout
