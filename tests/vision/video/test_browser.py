"""A browser plays what is written, to the end: Chromium, without a window, and a page that tells our server."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from clips import coded

from darknet_py.vision.video import writer
from darknet_py.vision.video.writer import writing

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120  # seconds, for a machine that is busy
PAGE = b"""<!doctype html><video muted></video><script>
const video = document.querySelector("video")
const tell = (what) => fetch(`/told?what=${what}&time=${video.currentTime}&width=${video.videoWidth}`)
video.onended = () => tell("ended")
video.onerror = () => tell("error " + video.error.message)
video.src = "/video"
video.play().catch((e) => tell("error " + e))
</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium")


def told_by_browser(path: Path, profile: Path) -> dict[str, str]:
    """What the page says when it is done with the video at `path`."""
    told: Queue[dict[str, str]] = Queue()
    kinds = {".mp4": "video/mp4", ".webm": "video/webm"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/told":
                told.put({name: values[0] for name, values in parse_qs(parts.query).items()})
            answers = {"/": (PAGE, "text/html"), "/video": (path.read_bytes(), kinds[path.suffix])}
            data, kind = answers.get(parts.path, (b"", "text/plain"))
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        assert CHROMIUM
        process = subprocess.Popen(
            [
                CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
                "--autoplay-policy=no-user-gesture-required", "--no-first-run", f"--user-data-dir={profile}",
                "--remote-debugging-port=0", f"http://127.0.0.1:{server.server_port}/",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            return told.get(timeout=PATIENCE)
        except Empty:
            return {"what": f"nothing for {PATIENCE} seconds"}
        finally:
            process.terminate()
            process.wait(20)
            server.shutdown()


@pytest.fixture(params=["webm", "mp4 by OpenCV", "mp4 by PyAV"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a video is written, by each encoder."""
    suffix, _, by = request.param.partition(" by ")
    if by == "PyAV":
        pytest.importorskip("av", reason="needs PyAV: pip install 'darknet-compiler[video]'")
    else:
        monkeypatch.setattr(writer, "has_av", lambda: False)
    return tmp_path / f"a.{suffix}"


def test_what_is_written_plays_to_the_end(place: Path, tmp_path: Path) -> None:
    with writing(place, 20) as file:
        for i in range(30):
            file.write(coded(i, 33))
    told = told_by_browser(place, tmp_path / "profile")
    assert told["what"] == "ended", told
    assert float(told["time"]) == pytest.approx(1.5, abs=0.1)
    assert told["width"] == "256"


def test_what_ctrl_c_ended_plays_to_its_end(place: Path, tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), writing(place, 20, live=True) as file:
        for i in range(10):
            file.write(coded(i), i / 10)
        raise KeyboardInterrupt
    told = told_by_browser(place, tmp_path / "profile")
    assert told["what"] == "ended", told
    assert float(told["time"]) == pytest.approx(0.95, abs=0.1)


def test_what_no_browser_plays_is_known_to_be_refused(tmp_path: Path) -> None:
    from clips import write_clip

    told = told_by_browser(write_clip(tmp_path / "a.mp4", 5, codec="mp4v"), tmp_path / "profile")
    assert told["what"].startswith("error"), told
