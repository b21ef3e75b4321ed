"""Videos that are written: whole whatever ends them, never empty, of even sizes, and with the sound of their source."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import coded, decoded, frames_of, write_clip
from networks import write_detector

from darknet_py import load
from darknet_py.errors import DataError
from darknet_py.vision.video import writer
from darknet_py.vision.video.recorder import recording
from darknet_py.vision.video.video import Video
from darknet_py.vision.video.writer import writing

needs_av = "needs PyAV: pip install 'darknet-compiler[video]'"


@pytest.fixture(params=["webm", "mp4 by OpenCV", "mp4 by PyAV"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a video is written, by each encoder."""
    suffix, _, by = request.param.partition(" by ")
    if by == "PyAV":
        pytest.importorskip("av", reason=needs_av)
    else:
        monkeypatch.setattr(writer, "has_av", lambda: False)
    return tmp_path / "new" / f"a.{suffix}"


def test_a_file_has_every_frame_in_order(place: Path) -> None:
    with writing(place, 10) as file:
        for i in range(25):
            file.write(coded(i))
    found = frames_of(place)
    assert [decoded(p) for p in found] == list(range(25))
    assert cv2.VideoCapture(str(place)).get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    assert sorted(p.name for p in place.parent.iterdir()) == [".darknet-py.jsonl", place.name]


def test_odd_sizes_lose_nothing(place: Path) -> None:
    pixels = np.full((33, 65, 3), 40, np.uint8)
    pixels[-1], pixels[:, -1] = 200, 200
    with writing(place, 10) as file:
        for _ in range(3):
            file.write(pixels)
    (first, *_) = frames_of(place)
    assert first.shape == (34, 66, 3)
    assert first[32, 20:40].mean() > 130
    assert first[10:20, 64].mean() > 130


def test_a_camera_that_changes_its_size_stays_in_one_file(place: Path) -> None:
    with writing(place, 10) as file:
        for height in (32, 64, 32):
            file.write(coded(7, height))
    assert [p.shape for p in frames_of(place)] == [(32, 256, 3)] * 3


def test_live_frames_are_seen_at_their_times_and_long_gaps_are_cut(place: Path) -> None:
    with writing(place, 10, live=True) as file:
        for i, time in enumerate((5.0, 5.1, 6.0, 100.0, 100.5)):
            file.write(coded(i), time)
    capture = cv2.VideoCapture(str(place))
    times: dict[int, float] = {}
    while True:
        fine, pixels = capture.read()
        if not fine:
            break
        times.setdefault(decoded(pixels), capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    assert list(times) == [0, 1, 2, 3, 4]
    expected = [0, 0.1, 1.0, 1.0 + writer.LONGEST_GAP, 1.5 + writer.LONGEST_GAP]
    assert list(times.values()) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("error", [KeyboardInterrupt, DataError("lost"), SystemExit])
def test_the_file_is_whole_whatever_ends_it(place: Path, error: BaseException) -> None:
    with suppress(KeyboardInterrupt, SystemExit, DataError), writing(place, 10) as file:
        for i in range(12):
            file.write(coded(i))
        raise error
    assert [decoded(p) for p in frames_of(place)] == list(range(12))


def test_no_frame_is_no_file(place: Path) -> None:
    with writing(place, 10):
        pass
    assert not place.exists()


def test_a_file_of_the_users_stays(place: Path) -> None:
    place.parent.mkdir()
    place.write_bytes(b"mine")
    with pytest.raises(DataError, match="--replace"), writing(place, 10) as file:
        file.write(coded(0))
    assert place.read_bytes() == b"mine"
    with writing(place, 10, replace=True) as file:
        file.write(coded(0))
    with writing(place, 10) as file:  # what was written here may be written again
        file.write(coded(1))
    assert decoded(frames_of(place)[0]) == 1


@pytest.mark.parametrize("name", ["a.avi", "a", "a.mkv", "a.jpg"])
def test_what_no_browser_plays_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"\.webm or \.mp4"), writing(tmp_path / name, 10):
        pass


def test_an_opencv_that_cannot_write_says_what_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "has_av", lambda: False)
    monkeypatch.setattr(writer, "CODECS", {".mp4": "none"})
    with pytest.raises(DataError, match=r"(?s)no \.mp4 that browsers play.*write \.webm.*\[video\]"):  # noqa: SIM117
        with writing(tmp_path / "a.mp4", 10) as file:
            file.write(coded(0))
    assert not (tmp_path / "a.mp4").exists()


def test_nothing_is_printed_while_a_file_is_opened(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with writing(tmp_path / "a.webm", 10) as file:
        file.write(coded(0))
    print("still here", file=sys.stderr)
    assert capfd.readouterr().err == "still here\n"


def test_a_recording_draws_what_was_found_and_each_nth_frame_keeps_the_pace(tmp_path: Path) -> None:
    model = load(write_detector(tmp_path))
    video = Video(write_clip(tmp_path / "clip.webm", 9), every=3)
    with recording(tmp_path / "out.webm", video) as add:
        for results in model(video, conf=1):
            add(results)
    assert [decoded(p) for p in frames_of(tmp_path / "out.webm")] == [0, 3, 6]
    assert cv2.VideoCapture(str(tmp_path / "out.webm")).get(cv2.CAP_PROP_FPS) == pytest.approx(10 / 3, abs=0.01)


def test_what_goes_wrong_while_drawing_is_raised(tmp_path: Path) -> None:
    model = load(write_detector(tmp_path))
    video = Video(write_clip(tmp_path / "clip.webm", 3))
    (tmp_path / "out.webm").write_bytes(b"mine")

    def record() -> None:
        with recording(tmp_path / "out.webm", video) as add:
            for results in model(video):
                add(results)

    with pytest.raises(DataError, match="--replace"):
        record()


# -- sound --------------------------------------------------------------------------------------------------------


def write_sound(path: Path, codec: str, seconds: float) -> None:
    """A video of 10 frames a second with a tone in it."""
    import av

    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264" if path.suffix == ".mp4" else "libvpx", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 256, 32, "yuv420p"
        tone = container.add_stream(codec, rate=48000)
        for i in range(int(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(coded(i), format="bgr24")
            container.mux(pictures.encode(frame))
        wave = np.sin(np.arange(int(48000 * seconds)) * 0.06).astype(np.float32)
        for i in range(0, len(wave) - 959, 960):
            sound = av.AudioFrame.from_ndarray(wave[None, i : i + 960], format="fltp", layout="mono")
            sound.sample_rate, sound.pts = 48000, i
            container.mux(tone.encode(sound))
        container.mux(pictures.encode(None))
        container.mux(tone.encode(None))


def heard(path: Path) -> tuple[str, float, float]:
    """The codec of the sound of a file, when it begins, and for how long it is heard."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = [f for f in container.decode(stream) if np.abs(f.to_ndarray()).max() > 0.1]
        return stream.codec_context.name, frames[0].time or 0.0, sum(f.samples for f in frames) / stream.rate


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("webm", "libopus")])
def test_sound_is_taken_along(tmp_path: Path, suffix: str, codec: str) -> None:
    pytest.importorskip("av", reason=needs_av)
    clip = tmp_path / f"clip.{suffix}"
    write_sound(clip, codec, 4.0)
    for start, length in ((0.0, 4.0), (1.0, 2.0)):
        out = tmp_path / "out.mp4"
        with writing(out, 10, sound=clip, start=start) as file:
            for i in range(int(length * 10)):
                file.write(coded(i))
        name, begin, lasted = heard(out)
        assert name == "aac"
        assert begin == pytest.approx(0, abs=0.1)
        assert lasted == pytest.approx(length, abs=0.15)


def test_a_video_without_sound_stays_without(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason=needs_av)
    clip = write_clip(tmp_path / "clip.webm", 5)
    with writing(tmp_path / "out.mp4", 10, sound=clip) as file:
        file.write(coded(0))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
