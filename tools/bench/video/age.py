"""The age of frames: a source at 20 frames a second draws its clock into each, a reader takes 5 a second.

The source is MJPEG over HTTP in a process of its own, and hangs up after every 100 frames.
"""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np

from darknet_py.vision.video.frames import frames
from darknet_py.vision.video.video import Video

BITS, CELL = 32, 8
RATE, READ, HANG_UP = 20.0, 5.0, 100

SOURCE = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import cv2, numpy
rate, hang_up, bits, cell = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        print("connected", file=sys.stderr, flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
        self.end_headers()
        for _ in range(hang_up):
            now = int(time.monotonic() * 1000) & 0x7FFFFFFF
            row = numpy.array([now >> i & 1 for i in range(bits)], numpy.uint8).repeat(cell) * 255
            picture = numpy.zeros((240, bits * cell, 3), numpy.uint8)
            picture[:32] = row[None, :, None]
            data = cv2.imencode(".jpg", picture)[1].tobytes()
            head = b"--x\\r\\nContent-Type: image/jpeg\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(data)
            self.wfile.write(head + data + b"\\r\\n")
            time.sleep(1 / rate)
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def measure_age(seconds: float) -> None:
    """Print the mean, the 95th percentile and the maximum of the age at which frames are handed over."""
    arguments = [str(v) for v in (RATE, HANG_UP, BITS, CELL)]
    source = subprocess.Popen(
        [sys.executable, "-c", SOURCE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert source.stdout is not None
        port = int(source.stdout.readline())
        ages, last = _ages(Video(f"http://127.0.0.1:{port}/", live=True, duration=seconds))
    finally:
        source.terminate()
        assert source.stderr is not None
        connections = source.stderr.read().count("connected")
        source.wait()
    mean, late, most = np.mean(ages), np.percentile(ages, 95), np.max(ages)
    print(f"{len(ages)} frames of {last + 1} in {seconds:g} s, {connections} connections")
    print(f"age: mean {mean:.0f} ms, 95 % below {late:.0f} ms, at most {most:.0f} ms (bar: mean below 100 ms)")


def _ages(video: Video) -> tuple[list[float], int]:
    ages: list[float] = []
    last = 0
    for picture in frames(video, 1 << 24):
        row = picture.pixels[8].mean(-1).reshape(BITS, CELL)[:, 2:6].mean(1)
        sent = sum(int(v > 127) << i for i, v in enumerate(row))
        ages.append((int(time.monotonic() * 1000) & 0x7FFFFFFF) - sent)
        last = picture.frame or 0
        time.sleep(1 / READ)
    return ages, last
