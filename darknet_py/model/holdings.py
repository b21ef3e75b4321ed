"""What the cache folder holds, kind by kind, and how to empty it.

Decision: only what this package has put there counts, by name: the folder may be one of the user's, and what else lies
in it is his.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..analysis.evaluate.record import evaluations
from ..backends import auto
from ..darknet.foreign.converted import imported
from ..errors import DataError
from ..files import cache_dir
from ..holding.hashes import notes
from ..spelling import did_you_mean
from ..zoo.checkpoints import trained_networks
from ..zoo.models import ZooModel, is_cached, models
from . import cache

KINDS = ("networks", "models", "checkpoints", "imported", "measurements", "evaluations", "hashes")
TITLES = {
    "networks": "compiled networks",
    "models": "fetched models",
    "checkpoints": "fetched checkpoints of other programs",
    "imported": "weights made of checkpoints",
    "measurements": "measurements of --backend auto, --workers auto and --precision",
    "evaluations": "evaluations that were stopped",
    "hashes": "checksums of files",
}
_ENTRY = re.compile(r"[0-9a-f]{40}|\.darknet-py\..+")
_EVALUATION = re.compile(r"[0-9a-f]{32}\.npy")
_MEASUREMENT = re.compile(r"[0-9a-f]{32}\.json|\.darknet-py\..+")


@dataclass(frozen=True)
class Holding:
    """What is kept of a kind, one of `KINDS`: its folder, how many, and how many bytes they take."""

    kind: str
    folder: Path
    entries: int
    bytes: int

    @property
    def title(self) -> str:
        """The kind in words."""
        return TITLES[self.kind]


def list_holdings(kinds: Sequence[str] = KINDS) -> tuple[Holding, ...]:
    """What the cache folder holds. Raises `DataError` for a kind that does not exist.

    >>> [holding.kind for holding in list_holdings()]
    ['networks', 'models', 'checkpoints', 'imported', 'measurements', 'evaluations', 'hashes']
    """
    return tuple(_holding(kind) for kind in _known(kinds))


def clear_holdings(kinds: Sequence[str] = KINDS) -> tuple[Holding, ...]:
    """Remove what the cache folder holds of these kinds, and say what that was.

    What a running process is making goes too; it then keeps nothing. Raises `DataError` for a kind that does not exist,
    or if something is left.
    """
    removed = []
    for kind in _known(kinds):
        before = _holding(kind)
        for path in _parts(kind):
            _remove(path)
        for folder in _folders(kind):
            with suppress(OSError):  # it is not there, or holds something else
                folder.rmdir()
        after = _holding(kind)
        if after.entries:
            raise DataError(f"{after.entries} {after.title} in {after.folder} cannot be removed: whose are they?")
        removed.append(before)
    return tuple(removed)


def _known(kinds: Sequence[str]) -> Sequence[str]:
    for kind in kinds:
        if kind not in KINDS:
            hint = did_you_mean(kind, KINDS) or f"there are {', '.join(KINDS)}"
            raise DataError(f"the cache holds no {kind!r}\n  hint: {hint}")
    return kinds


def _holding(kind: str) -> Holding:
    parts = list(_parts(kind))
    # A model is one, however many files it has.
    count = len({path.parent for path in parts}) if kind in ("models", "checkpoints") else len(parts)
    return Holding(kind, _place(kind), count, sum(map(_size, parts)))


def _place(kind: str) -> Path:
    places = {
        "networks": cache.root(), "measurements": auto.measurements(), "hashes": notes(), "imported": imported(),
        "evaluations": evaluations(),
    }  # fmt: skip
    return places.get(kind) or cache_dir()


def _folders(kind: str) -> list[Path]:
    if kind == "models":
        return [model.folder for model in models().values()]
    if kind == "checkpoints":
        return [network.folder for network in trained_networks().values()]
    return [_place(kind)]


def _parts(kind: str) -> Iterator[Path]:
    """The files and folders that a kind is made of."""
    if kind == "models":
        for model in models().values():
            yield from _fetched_files(model)
        return
    if kind == "checkpoints":
        for network in trained_networks().values():
            names = "|".join(re.escape(file.name) for file in network.files)
            yield from _listed(network.folder, re.compile(rf"({names})|\.({names})\.\d+"))
        return
    pattern = {
        "networks": _ENTRY,
        "imported": _ENTRY,
        "measurements": _MEASUREMENT,
        "evaluations": _EVALUATION,
        "hashes": re.compile(r"notes|\.darknet-py\..+"),
    }[kind]
    yield from _listed(_place(kind), pattern)


def _fetched_files(model: ZooModel) -> Iterator[Path]:
    """The files of a model that were fetched or made here; another network's of the same name is the user's."""
    known = {file.name: file for file in (model.cfg, model.weights, model.photo) if file}
    for path in _listed(model.folder, re.compile(rf"\.?{re.escape(model.name)}\..+")):
        if path.name not in known or is_cached(model, known[path.name]):
            yield path


def _listed(folder: Path, names: re.Pattern[str]) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if names.fullmatch(path.name))
    except OSError:
        return []


def _size(path: Path) -> int:
    try:
        return cache.size_of(path)
    except OSError:  # somebody removes it
        return 0


def _remove(path: Path) -> None:
    import shutil

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()
