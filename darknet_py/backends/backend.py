"""What is known of a back end without importing it, and the table of all of them.

Decision: each back end states its own `BACKEND` in a module of this folder that imports no runtime, not even NumPy; a
long one is a package whose sessions are in a module of their own. Every list of back ends is read off the folder, so a
new one is a new file, and nobody else's business.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Literal

from ..errors import BackendError
from ..spelling import did_you_mean

DEFAULT = "onnxruntime"  # first in every list: the fastest on most machines, and installed with this package
NOT_BACK_ENDS = frozenset(("auto", "backend", "device", "precision", "session"))  # what else is in this folder


@dataclass(frozen=True)
class Backend:
    """A back end.

    `module` has `open_session(graph, **options)`, and `open_file(path, **options)` for files with the suffixes that it
    `reads`; `package` is what it imports, one of `distributions` brings that, and `extra` is the one of this project
    that does, None if it is installed with it.

    `threads` says what the option of that name sets: one 'session', the whole 'process', or 'none' where there is no
    such option. `at_once` says who computes several runs at a time: 'sessions', one each; one with so many 'streams',
    an option; or one for as many 'runs' as come, where each is on the thread that asks for it. One that is not `fast`
    is there for something else, such as to say what is right: it is timed when asked for, and never chosen for its
    speed. Without `any_batch`, files whose batch axis is free are run one sample at a time. `devices` are the kinds of
    devices besides the processor that it computes on, each with the distribution that can; its functions take such a
    `device` then.
    """

    name: str
    title: str
    module: str
    package: str
    distributions: tuple[str, ...]
    extra: str | None = None
    reads: tuple[str, ...] = ()
    threads: Literal["session", "process", "none"] = "session"
    at_once: Literal["sessions", "streams", "runs"] = "sessions"
    fast: bool = True
    any_batch: bool = True
    devices: Mapping[str, str] = field(default_factory=dict, hash=False)
    precisions: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict, hash=False)

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return find_spec(self.package) is not None

    @property
    def install(self) -> str:
        """How to get its package: what to give to `pip install`."""
        from ..version import requirement

        return requirement(self.extra) if self.extra else self.distributions[0]


# The fastest of those that are installed, measured by `auto.py`: opened as they are, and in none of the lists.
AUTO = Backend("auto", "the fastest", f"{__package__}.auto", "numpy", ("numpy",), reads=(".onnx",))


@cache
def backends() -> Mapping[str, Backend]:
    """All back ends by name: the default, the other fast ones, then the references; extras after what is there anyway.

    >>> next(iter(backends()))
    'onnxruntime'
    """
    room = import_module(__package__)
    names = [m.name for m in pkgutil.iter_modules(room.__path__) if m.name not in NOT_BACK_ENDS]
    found: list[Backend] = [import_module(f"{__package__}.{name}").BACKEND for name in names]
    found.sort(key=lambda b: (b.name != DEFAULT, not b.fast, b.extra is not None, b.name))
    return MappingProxyType({b.name: b for b in found})


def find_backend(name: str) -> Backend:
    """The back end of that name, which may be "auto". Raises `BackendError` if there is none."""
    known = {AUTO.name: AUTO, **backends()}
    if name not in known:
        hint = did_you_mean(name, known) or f"one of {', '.join(known)}"
        raise BackendError(f"no back end {name!r}; {hint}")
    return known[name]


def readers_of(suffix: str) -> tuple[Backend, ...]:
    """The back ends that run files with that suffix, in the order of `backends`.

    >>> readers_of(".onnx")[0].name
    'onnxruntime'
    """
    return tuple(b for b in backends().values() if suffix in b.reads)


def available_backends() -> tuple[str, ...]:
    """The names of the back ends whose packages are installed."""
    return tuple(b.name for b in backends().values() if b.installed)
