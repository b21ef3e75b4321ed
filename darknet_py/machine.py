"""What this machine is: its processor, how much of it may be used, and how long engines keep it busy after a run.

Decision: nothing but the standard library, so that a process without this package's dependencies can ask.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from functools import cache
from pathlib import Path

REST = 0.06  # seconds: so long the threads of some engines keep the processor after a run


def cpu() -> str:
    """What the machine calls its processor."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", info.read_text()) if info.is_file() else None
    return named[1] if named else platform.processor() or platform.machine()


@cache
def features() -> frozenset[str] | None:
    """What the processor has, as Linux calls it ('avx512_bf16', 'asimdhp'); None where that is not known."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"^(?:flags|Features)\s*: (.+)", info.read_text(), re.MULTILINE) if info.is_file() else None
    return frozenset(named[1].split()) if named else None


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_environment(threads: int) -> dict[str, str]:
    """The environment of a process in which every library uses this many threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads))}


@cache
def host() -> str:
    """Eight digits that tell this machine from another, and a container from the next: where a process number holds."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - a path of the system's
    except OSError:
        space = 0
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def is_alive(process: int) -> bool:
    """Whether a process of this machine is running, by its number.

    >>> is_alive(os.getpid())
    True
    """
    if sys.platform == "win32":  # where `kill` with the signal 0 ends it
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, process)  # PROCESS_QUERY_LIMITED_INFORMATION
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return not _is_zombie(process)


def _is_zombie(process: int) -> bool:
    """Whether it has ended, and nobody has asked how: it keeps its number, and will never do anything more."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):  # another system, or it has gone meanwhile
        return False
