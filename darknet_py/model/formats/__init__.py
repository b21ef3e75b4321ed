"""What a network can be written as: each format a file of this folder that states itself.

Decision: the table is read off the folder, so a new format is one new file; the command line, `load`, `Model.export`
and the errors ask here. A file that is asked for by its suffix is never written as something else, and what was written
is run before anybody is told that it is done.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...errors import BackendError, DataError, Say, to_nobody
from ...files import check_file, check_output, kind_of, permitting
from ...spelling import did_you_mean
from ..options import SHARED, ExportOptions

if TYPE_CHECKING:
    from ...contract.contract import Contract
    from ...darknet.network import Network


@dataclass(frozen=True)
class Format:
    """A format: its name, the suffix of its files, a title, and the function that writes one.

    Without a suffix it is a folder, which nobody gets unasked; `default` is where it goes if nobody says. A `package`
    is a folder with one.

    `writer(network, path, options, **own)` writes an open network and returns sentences about what it wrote. `options`
    are the names of those that it has: fields of `ExportOptions`, and the keywords that are this format's own. Where a
    back end writes such files itself, `written_by` is its name. `boxes` is what a detector ends in if nobody says.

    `contract(path)` is what a file says of itself; None where such files are not run here, and `home` says then where
    they are. `entry(path, name)` is the file in a folder of this format that is run, None if there is none: that of
    the network called `name`, where that is known. `beside` are the suffixes of files that belong to one, and `also`
    other names of the format. `any_suffix` allows others. `agreement` says of a network and the file written of it,
    in a sentence, how the two agree, where the file is a network itself.
    """

    name: str
    suffix: str
    title: str
    writer: Callable[..., tuple[str, ...]]
    options: tuple[str, ...]
    default: str = ""
    contract: Callable[[Path], Contract] | None = None
    home: str = ""
    entry: Callable[[Path, str | None], Path | None] | None = None
    beside: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    any_suffix: bool = False
    package: bool = False
    agreement: Callable[[Network, Path], str] | None = None
    written_by: str = ""
    boxes: str = "raw"

    def place(self, stem: str) -> Path:
        """Where the network of a cfg is written if nobody says."""
        return Path(self.default or f"{stem}{self.suffix}")

    def files(self, path: Path) -> tuple[Path, ...]:
        """A file of this format and those that belong to it."""
        return (path, *(p for suffix in self.beside if (p := path.with_suffix(suffix)).is_file()))

    def write(
        self,
        network: Network,
        path: Path,
        *,
        replace: bool = False,
        check: bool = True,
        say: Say = to_nobody,
        **given: Any,
    ) -> tuple[str, ...]:
        """Write the network, and run what was written beside NumPy; what there is to say about it.

        `given` are the options. `replace` allows files to go that this package did not write; without `check` nothing
        is run; `say` is told what takes long. Raises `DataError` for options that the format lacks, and where there is
        such a file, and `BackendError` where what was written computes something else.
        """
        self.check_options(given)
        options = ExportOptions(replace=replace, say=say, **{k: v for k, v in given.items() if k in SHARED})
        self.check_place(network, path, replace=replace)
        with permitting(*((path, *map(path.with_suffix, self.beside)) if replace else ())):
            told = self.writer(network, path, options, **{k: v for k, v in given.items() if k not in SHARED})
        return (*told, self._checked(network, path)) if check else told

    def check_options(self, given: Iterable[str], words: Mapping[str, str] | None = None) -> None:
        """Raise `DataError` for options that the format lacks, each in the word that it was given by."""
        lacking = [name for name in given if name not in self.options]
        if not lacking:
            return
        told = ", ".join((words or {}).get(name, f"option {name}") for name in lacking)
        able = [f.name for f in formats().values() if {*lacking} <= {*f.options}]
        hint = f"\n  hint: that is for --format {', '.join(able)}" if able else ""
        raise DataError(f"{self.title} has no {told}{hint}")

    def check_place(self, network: Network, path: Path, *, replace: bool = False) -> None:
        """Raise for a path that the network is not to be written to, before anything that takes long is done for it.

        `DataError` for what was read, a suffix of another format, and what is there and may be the user's, unless
        `replace` says that it may go; `BackendError` where what writes such files is not there.
        """
        read = [p for p in (network.cfg, network.weights) if p is not None]
        places = [path, *map(path.with_suffix, self.beside)]
        if (self.package or not self.suffix) and kind_of(path) == "a folder":
            places.remove(path)  # the files in it are the writer's to look at
        else:
            check_output(path, replace=True, sources=read)  # that it was read is said before its suffix
        self._check_suffix(path)
        self._check_neighbours(path)
        self._check_installed()
        for place in places:
            check_output(place, replace=replace)

    def _check_installed(self) -> None:
        """Raise `BackendError` where what writes such files is not there."""
        if not self.written_by:
            return
        from ...backends.backend import find_backend

        writer = find_backend(self.written_by)
        if not writer.installed:
            told = f"{writer.title} writes its files itself, and is not installed: pip install {writer.install}"
            raise BackendError(told)

    def _check_suffix(self, path: Path) -> None:
        """Raise `DataError` for a suffix by which the file would be taken for another format, or not be known."""
        suffix = path.suffix.lower()
        if suffix == self.suffix:
            return
        other = next((f for f in formats().values() if f.suffix and f.suffix == suffix), None)
        if other is not None:
            raise DataError(f"{path} has the suffix of another format: {other.title}, not {self.title}")
        if self.suffix and not self.any_suffix:
            raise DataError(f"{path}: a file of {self.title} ends in {self.suffix}")

    def _check_neighbours(self, path: Path) -> None:
        """Raise `DataError` where a file beside `path` would be that of another format, which has the same name."""
        for other in formats().values():
            taken = path.with_suffix(other.suffix) if other.suffix and other.suffix != self.suffix else None
            shared = {*other.beside} & {*self.beside}
            if taken is not None and shared and taken.is_file():
                beside = path.with_suffix(shared.pop())
                raise DataError(f"{beside} belongs to {taken}\n  hint: write to another name or folder")

    def _checked(self, network: Network, path: Path) -> str:
        """In a sentence, how what was written agrees with NumPy, or why it was not run."""
        if self.entry is not None:
            inside = self.entry(path, network.cfg.stem)
            return find_format(inside)._checked(network, inside) if inside else f"not checked: {self.home}"
        if self.agreement is not None:
            return self.agreement(network, path)
        if self.contract is None:
            return f"not checked: {self.home}"
        from ..agreement import check_exported

        return check_exported(network, path, self.contract(path))


@cache
def formats() -> Mapping[str, Format]:
    """All formats by name.

    >>> formats()["onnx"].suffix
    '.onnx'
    """
    names = sorted(m.name for m in pkgutil.iter_modules(import_module(__name__).__path__))
    found = [import_module(f"{__name__}.{name}").FORMAT for name in names]
    return MappingProxyType({f.name: f for f in found})


def find_exported(path: Path) -> tuple[Format, Path] | None:
    """The format of a network that was written for other programs, and the file of it that is run.

    None for a cfg, and for what is no such file or folder.

    >>> find_exported(Path("net.onnx")) is None
    True
    """
    suffix = path.suffix.lower()
    if suffix == ".cfg" or not path.exists():
        return None
    known = formats().values()
    if own := next((f for f in known if f.suffix and f.suffix == suffix), None):
        return own, path
    if not path.is_dir():
        return None
    inside = (entry for f in known if f.entry and (entry := f.entry(path, None)))
    return next(filter(None, map(find_exported, inside)), None)


def read_exported(path: Path) -> tuple[Path, Contract]:
    """The file that is run of what was written for other programs, and what it says of itself.

    Raises `DataError` for what is no such file, or folder, that runs here.
    """
    if kind_of(path) != "a folder":
        check_file(path, "exported file")
    found = find_exported(path)
    if found is None or found[0].contract is None:
        raise DataError(f"{path} is no file that `darknet-py export` wrote and that runs here")
    return found[1], found[0].contract(found[1])


def find_format(path: Path, name: str | None = None) -> Format:
    """The format called `name`, or that of the suffix of `path`. Raises `DataError` if there is none.

    >>> find_format(Path("net.onnx")).title
    'ONNX'
    """
    known = formats()
    name = next((f.name for f in known.values() if name in f.also), name)
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
