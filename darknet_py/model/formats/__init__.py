"""What a network can be written as: each format a file of this folder that states itself.

Decision: the table is read off the folder, so a new format is one new file; the command line, `Model.export` and the
errors ask here. A file that is asked for by its suffix is never written as something else.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...errors import DataError, did_you_mean
from ...files import permitting

if TYPE_CHECKING:
    from ...darknet.network import Network


@dataclass(frozen=True)
class Format:
    """A format: its name, the suffix of its files, a title, and the function that writes one.

    Without a suffix it is a folder, which nobody gets unasked; `default` is where it goes if nobody says.

    `writer(network, path, *, ...)` writes an open network and returns sentences about what it wrote; its keywords are
    the options of the format.
    """

    name: str
    suffix: str
    title: str
    writer: Callable[..., tuple[str, ...]]
    default: str = ""

    def place(self, stem: str) -> Path:
        """Where the network of a cfg is written if nobody says."""
        return Path(self.default or f"{stem}{self.suffix}")

    def write(self, network: Network, path: Path, *, replace: bool = False, **options: Any) -> tuple[str, ...]:
        """Write the network; what there is to say about it.

        `replace` allows a file to go that this package did not write. Raises `DataError` for options that the format
        lacks, and where there is such a file.
        """
        known = signature(self.writer).parameters
        if "replace" in known:  # it writes more files than this one
            options["replace"] = replace
        if unknown := [name for name in options if name not in known]:
            raise DataError(f"{self.title} has no option {', '.join(unknown)}")
        with permitting(path, replace):
            return self.writer(network, path, **options)


@cache
def formats() -> Mapping[str, Format]:
    """All formats by name.

    >>> formats()["onnx"].suffix
    '.onnx'
    """
    names = sorted(m.name for m in pkgutil.iter_modules(import_module(__name__).__path__))
    found = [import_module(f"{__name__}.{name}").FORMAT for name in names]
    return MappingProxyType({f.name: f for f in found})


def find_format(path: Path, name: str | None = None) -> Format:
    """The format called `name`, or that of the suffix of `path`. Raises `DataError` if there is none.

    >>> find_format(Path("net.onnx")).title
    'ONNX'
    """
    known = formats()
    if name is not None and name not in known:
        hint = did_you_mean(name, known) or f"one of {', '.join(known)}"
        raise DataError(f"no format {name!r}; {hint}")
    if name is not None:
        return known[name]
    for own in known.values():
        if own.suffix and path.suffix.lower() == own.suffix:
            return own
    told = ", ".join(f"{f.suffix} ({f.name})" for f in known.values() if f.suffix)
    raise DataError(f"{path} has the suffix of no format: use {told}, or name the format")
