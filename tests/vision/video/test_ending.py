"""A program that ends while threads decode or encode ends as it was asked to: no abort, and a written file is whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from darknet_py.vision.video.writer import writing

PROGRAM = """
import sys
from darknet_py import Video, load
kind, clip, cfg, workers = sys.argv[1:]
results = load(cfg, quiet=True)(Video(clip), workers=int(workers))
for number, result in enumerate(results):
    if number == 20:
        if kind == "raise":
            raise ValueError("mine")
        if kind == "exit":
            sys.exit(3)
        break
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.webm"
    with writing(path, 25) as file:
        for i in range(100):
            file.write(np.full((480, 640, 3), 2 * i, np.uint8))
    return path


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize(("kind", "status"), [("leave", 0), ("exit", 3), ("raise", 1)])
def test_a_program_that_leaves_a_video_ends_as_it_says(
    clip: Path, tmp_path: Path, kind: str, status: int, workers: int
) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n")
    command = [sys.executable, "-c", PROGRAM, kind, str(clip), str(cfg), str(workers)]
    for _ in range(2):  # it is a matter of where the threads are just then
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, done.stderr
        assert "terminate" not in done.stderr


RECORDED = """
import sys
import numpy as np
from darknet_py import Video, load
from darknet_py.vision.video.recorder import recording
clip, cfg, out = sys.argv[1:]
block = recording(out, Video(clip))
add = block.__enter__()
for results in load(cfg, quiet=True)(Video(clip), workers=1):
    add(results)
    if results.frame == 20:
        break
sys.stdout.flush()
"""


def test_a_video_that_nobody_closed_is_whole_when_the_program_ends(clip: Path, tmp_path: Path) -> None:
    import cv2

    cfg, out = tmp_path / "net.cfg", tmp_path / "out.webm"
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n")
    command = [sys.executable, "-c", RECORDED, str(clip), str(cfg), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    capture, count = cv2.VideoCapture(str(out)), 0
    while capture.grab():
        count += 1
    assert count == 21
