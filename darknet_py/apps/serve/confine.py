"""What a server's process gives up when its models are open: what it does not need cannot be taken from it.

Decision: each right is given up by itself, where the system has it, and what could be is told; a server on a system
that has none of them still runs. Files can be read afterwards (Python imports lazily), but none written, made, removed,
or run as a program.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from contextlib import suppress

from ...errors import DataError

# From linux/prctl.h and linux/landlock.h.
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446
LANDLOCK_VERSION = 1  # the flag that asks for it
EXECUTE, WRITE = 1 << 0, 1 << 1
CHANGES = sum(1 << bit for bit in range(4, 13))  # remove and make whatever kind of file
REFER, TRUNCATE = 1 << 13, 1 << 14  # since the second and the third version


def confine(user: str | None = None) -> tuple[str, ...]:
    """Give up what can be given up; what that was, in words.

    `user` is whom the process becomes, where it is root's. It is to be called before threads are started that work for
    clients: what it does to files holds for those that come after. Raises `DataError` for a user that is not known.
    """
    done = []
    if user is not None:
        _become(user)
        done.append(f"runs as {user}")
    if sys.platform != "linux":
        return tuple(done)
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        done.append("gains no rights")
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        library.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        done.append("leaves no image of its memory")
    if _forbid_changes(library):
        done.append("writes and runs no files")
    return tuple(done)


def _become(user: str) -> None:
    try:
        import pwd

        entry = pwd.getpwnam(user)
    except (ImportError, KeyError):
        raise DataError(f"there is no user {user!r} on this machine") from None
    if os.geteuid() == entry.pw_uid:
        return
    try:
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    except OSError as e:
        raise DataError(f"cannot become {user}: {e.strerror}; only root can become somebody else") from None


def _forbid_changes(library: ctypes.CDLL) -> bool:
    """Take the right to change files from this thread and those that it starts, by Landlock; whether that is done."""
    version = library.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION)
    if version < 1:
        return False
    rights = EXECUTE | WRITE | CHANGES | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    rules = ctypes.create_string_buffer(struct.pack("Q", rights), 8)
    ruleset = library.syscall(LANDLOCK_CREATE_RULESET, rules, ctypes.c_size_t(8), 0)
    if ruleset < 0:
        return False
    try:
        return bool(library.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)
