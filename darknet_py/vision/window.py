"""A picture on the screen: in the notebook that runs this, or in a window of OpenCV.

Decision: the window belongs to a process of its own, because OpenCV's toolkits end the process that cannot reach its
display, and nobody can catch that.
"""

from __future__ import annotations

import os
import sys

from ..errors import DataError

SAVE = "save it instead: results.save('found.jpg')"
WINDOW = """
import sys, cv2, numpy
title = sys.argv[1]
cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE)
cv2.imshow(title, cv2.imdecode(numpy.frombuffer(sys.stdin.buffer.read(), numpy.uint8), cv2.IMREAD_COLOR))
while cv2.waitKey(50) < 0 and cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1:
    pass
"""


def in_notebook() -> bool:
    """Whether a notebook (Jupyter, Colab) shows what is displayed."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def has_display() -> bool:
    """Whether there is a screen that a window could be opened on."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_window(png: bytes, title: str) -> None:
    """A window with a picture, until it is closed or a key is pressed. Raises `DataError` if it cannot be opened."""
    import subprocess

    if not has_display():
        raise DataError(f"there is no display to show a picture on (DISPLAY is not set): {SAVE}")
    done = subprocess.run([sys.executable, "-c", WINDOW, title], input=png, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = next((line for line in reversed(lines) if "error" in line.lower()), "no window could be opened")
        raise DataError(f"cannot show the picture ({reason.strip()[:200]}): {SAVE}")
