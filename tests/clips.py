"""Small videos and a camera of our own, whose frames say in black and white cells which they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import cv2
import numpy as np

BITS, CELL = 32, 8


def coded(number: int, height: int = 32) -> np.ndarray:
    """A picture, (height, 256, 3), whose columns of 8 pixels are the bits of a number."""
    bits = np.array([number >> i & 1 for i in range(BITS)], np.uint8) * 255
    return np.ascontiguousarray(np.broadcast_to(bits.repeat(CELL)[None, :, None], (height, BITS * CELL, 3)))


def decoded(pixels: np.ndarray) -> int:
    """The number of such a picture, whatever a codec has done to it."""
    row = pixels[pixels.shape[0] // 4].mean(-1)[: BITS * CELL].reshape(BITS, CELL)[:, 2:6].mean(1)
    return sum(int(v > 127) << i for i, v in enumerate(row))


def write_clip(path: Path, count: int, rate: float = 10.0, codec: str = "VP80", height: int = 32) -> Path:
    """A video of `count` numbered frames."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), rate, (BITS * CELL, height))
    assert writer.isOpened()
    for i in range(count):
        writer.write(coded(i, height))
    writer.release()
    return path


def frames_of(path: Path) -> list[np.ndarray]:
    """All frames of a video."""
    capture = cv2.VideoCapture(str(path))
    found = []
    while True:
        fine, pixels = capture.read()
        if not fine:
            return found
        found.append(pixels)


class Camera:
    """A camera in the local network: MJPEG over HTTP, each picture with the time when it was sent, in milliseconds."""

    def __init__(self, rate: float, hang_up: int | None, silent_after: int | None) -> None:
        self.rate, self.hang_up, self.silent_after = rate, hang_up, silent_after
        self.connections = 0
        self.url = ""
        self.over = Event()

    def send(self, write: Callable[[bytes], object]) -> None:
        """Pictures until the camera hangs up."""
        self.connections += 1
        count = 0
        while not self.over.is_set() and (self.hang_up is None or count < self.hang_up):
            if self.silent_after is not None and count >= self.silent_after:
                self.over.wait()
                return
            data = cv2.imencode(".jpg", coded(milliseconds()))[1].tobytes()
            head = b"--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
            write(head + data + b"\r\n")
            count += 1
            self.over.wait(1 / self.rate)


def milliseconds() -> int:
    """The clock of the camera."""
    return int(time.monotonic() * 1000) & 0x7FFFFFFF


@contextmanager
def served(data: bytes, content_type: str) -> Iterator[str]:
    """The address, without a suffix, of something."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(OSError):  # who only asked what it is has gone
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/film"
        server.shutdown()


@contextmanager
def camera(rate: float = 20, hang_up: int | None = None, silent_after: int | None = None) -> Iterator[Camera]:
    """A camera that sends `rate` pictures a second, hangs up after so many, or says nothing more after so many."""
    it = Camera(rate, hang_up, silent_after)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
            self.end_headers()
            with suppress(OSError):  # nobody looks any more
                it.send(self.wfile.write)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        it.url = f"http://127.0.0.1:{server.server_port}/video"
        try:
            yield it
        finally:
            it.over.set()
            server.shutdown()
