"""A picture on the screen: in the notebook that runs this, or in a window of OpenCV.

Decision: the window belongs to a process of its own, because OpenCV's toolkits end the process that cannot reach its
display, and nobody can catch that.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import DataError

if TYPE_CHECKING:
    import numpy as np

SAVE = "save it instead: results.save('found.jpg')"
WINDOW = """
import sys, cv2, numpy
title = sys.argv[1]
cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE)
cv2.imshow(title, cv2.imdecode(numpy.frombuffer(sys.stdin.buffer.read(), numpy.uint8), cv2.IMREAD_COLOR))
while cv2.waitKey(50) < 0 and cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1:
    pass
"""

# A length of 8 bytes and a picture, again and again; the window is asked for its keys while nothing comes.
FRAMES = """
import os, sys, threading, cv2, numpy
title, newest = sys.argv[1], []
def read():
    while len(head := sys.stdin.buffer.read(8)) == 8:
        newest[:] = [sys.stdin.buffer.read(int.from_bytes(head, "little"))]
    os._exit(0)
threading.Thread(target=read, daemon=True).start()
cv2.namedWindow(title, cv2.WINDOW_NORMAL)
seen = False
while cv2.waitKey(10) not in (27, ord("q")):
    if newest:
        picture = cv2.imdecode(numpy.frombuffer(newest.pop(), numpy.uint8), cv2.IMREAD_COLOR)
        if not seen:
            cv2.resizeWindow(title, picture.shape[1], picture.shape[0])
        cv2.imshow(title, picture)
        seen = True
    elif seen and cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1:
        break
"""


def in_notebook() -> bool:
    """Whether a notebook (Jupyter, Colab) shows what is displayed."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def has_display() -> bool:
    """Whether there is a screen that a window could be opened on."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def check_display(remedy: str = SAVE) -> None:
    """Raise `DataError` where there is no screen, with what to do instead."""
    if not has_display():
        raise DataError(f"there is no display to show a picture on (DISPLAY is not set): {remedy}")


def show_window(png: bytes, title: str) -> None:
    """A window with a picture, until it is closed or a key is pressed. Raises `DataError` if it cannot be opened."""
    import subprocess

    check_display()
    done = subprocess.run([sys.executable, "-c", WINDOW, title], input=png, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = next((line for line in reversed(lines) if "error" in line.lower()), "no window could be opened")
        raise DataError(f"cannot show the picture ({reason.strip()[:200]}): {SAVE}")


class FrameWindow:
    """A window for one picture after another, until it is closed or q or Escape is pressed.

    Pictures that come faster than they are shown are left out. Raises `DataError` where there is no display.
    """

    def __init__(self, title: str) -> None:
        check_display()
        self._title = title

    def __enter__(self) -> FrameWindow:
        import subprocess
        from threading import Condition, Thread

        self._process = subprocess.Popen(
            [sys.executable, "-c", FRAMES, self._title], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._waiting: np.ndarray | None = None
        self._over = False
        self._condition = Condition()
        self._thread = Thread(target=self._send, daemon=True)
        self._thread.start()
        return self

    @property
    def is_closed(self) -> bool:
        """Whether nobody looks any more."""
        return self._process.poll() is not None

    def show(self, pixels: np.ndarray) -> None:
        """Show a picture, (h, w, 3) BGR uint8, in place of the one before."""
        with self._condition:
            self._waiting = pixels
            self._condition.notify()

    def _send(self) -> None:
        import cv2

        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._over or self._waiting is not None)
                pixels, self._waiting = self._waiting, None
            if pixels is None:
                return
            data = cv2.imencode(".bmp", pixels)[1].tobytes()
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(len(data).to_bytes(8, "little") + data)
                self._process.stdin.flush()
            except OSError:
                return

    def __exit__(self, *_: object) -> None:
        with self._condition:
            self._over = True
            self._condition.notify()
        self._thread.join(1)
        self._process.terminate()
        self._process.wait()
        if self._process.stdin:
            with suppress(OSError):  # what nobody read
                self._process.stdin.close()
