"""What this machine is: its processor, how much of it may be used, and how long engines keep it busy after a run.

Decision: nothing but the standard library, so that a process without this package's dependencies can ask.
"""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

REST = 0.06  # seconds: so long the threads of some engines keep the processor after a run


def cpu() -> str:
    """What the machine calls its processor."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", info.read_text()) if info.is_file() else None
    return named[1] if named else platform.processor() or platform.machine()


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_environment(threads: int) -> dict[str, str]:
    """The environment of a process in which every library uses this many threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads))}


def lives(pid: int) -> bool:
    """Whether there is a process of this number; True where one cannot ask.

    >>> lives(os.getpid())
    True
    """
    if os.name != "posix":
        return True  # to signal 0 would be Ctrl-C there
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
