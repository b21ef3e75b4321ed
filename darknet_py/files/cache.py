"""The cache folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """Where this package keeps what it can get or make again: `DARKNET_PY_CACHE`, or the platform's own folder."""
    if chosen := os.environ.get("DARKNET_PY_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "darknet-py" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/darknet-py"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "darknet-py"
