"""The models of a server by name and version: those it was started with, and those that may be loaded later.

Decision: a name from a client is looked up among names that are known, and never made into a path. A folder of models
is read as Triton reads it, `NAME/VERSION/model.onnx`; what a link in it leads out of the folder to is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import DarknetError, DataError, shorten
from ...model.formats.triton import FILE, NAME
from ...spelling import did_you_mean
from .limits import Refusal
from .served import Served

VERSION = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)

Open = Callable[[str, str, Path], Served]  # a name, a version and a file


@dataclass
class Repository:
    """What is served: `models[name][version]`, and where others may be loaded from.

    `open_file` opens a version, warm; `may_load` is whether clients may ask for that.
    """

    models: dict[str, dict[str, Served]] = field(default_factory=dict)
    folder: Path | None = None
    open_file: Open | None = None
    may_load: bool = False

    def add(self, served: Served) -> None:
        """Serve one more."""
        self.models.setdefault(served.name, {})[served.version] = served

    def __iter__(self) -> Iterator[Served]:
        return (served for versions in list(self.models.values()) for served in list(versions.values()))

    def find(self, name: str, version: str | None = None) -> Served:
        """A model, in its highest version unless another is asked for. Raises `Refusal` (404) if it is not served."""
        versions = self.models.get(name)
        if not versions:
            hint = did_you_mean(name, self.models) or f"there are {', '.join(self.models) or 'none'}"
            raise Refusal(404, f"no model {shorten(repr(name), 60)}; {hint}")
        if version is None:
            return versions[max(versions, key=int)]
        if version not in versions:
            raise Refusal(404, f"{name} has no version {shorten(repr(version), 40)}; there are {', '.join(versions)}")
        return versions[version]

    def index(self, *, ready: bool = False) -> list[dict[str, str]]:
        """Each version of each model as Triton's index has it: served, or, unless `ready`, in the folder."""
        found = {(s.name, s.version): ("READY", "") for s in self}
        for name, versions in (models_in(self.folder) if self.folder and not ready else {}).items():
            for version in versions:
                found.setdefault((name, version), ("UNAVAILABLE", "unloaded"))
        return [
            {"name": name, "version": version, "state": state, "reason": reason}
            for (name, version), (state, reason) in sorted(found.items())
        ]

    def opened(self, name: str) -> list[Served]:
        """Every version of a model of the folder, opened and warm. Raises `Refusal` if that is not to be had."""
        self._check_permission()
        versions = models_in(self.folder).get(name) if self.folder else None
        if not versions or self.open_file is None:
            raise Refusal(404, f"no model {shorten(repr(name), 60)} lies in the folder of models")
        try:
            return [self.open_file(name, version, path) for version, path in versions.items()]
        except DarknetError as e:
            raise Refusal(400, f"{name} cannot be loaded: {e}") from None

    def replace(self, name: str, versions: list[Served]) -> list[Served]:
        """Serve these versions of a model and no others; those that were served."""
        before = list(self.models.pop(name, {}).values())
        if versions:
            self.models[name] = {s.version: s for s in versions}
        return before

    def removed(self, name: str) -> list[Served]:
        """Serve a model no longer; its versions. Raises `Refusal` if that is not permitted, or there is none."""
        self._check_permission()
        self.find(name)
        return self.replace(name, [])

    def _check_permission(self) -> None:
        if not self.may_load:
            raise Refusal(
                403, "models are neither loaded nor unloaded here: the server was started without --allow-load"
            )


def models_in(folder: Path) -> Mapping[str, dict[str, Path]]:
    """The files of a folder of models by name and version. Raises `DataError` if there is no such folder."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of models")
    whole = folder.resolve()
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.glob(f"*/*/{FILE}")):
        name, version = path.parts[-3:-1]
        inside = path.resolve().is_relative_to(whole)
        if inside and path.is_file() and NAME.fullmatch(name) and VERSION.fullmatch(version):
            found.setdefault(name, {})[version] = path
    return {name: dict(sorted(versions.items(), key=lambda v: int(v[0]))) for name, versions in found.items()}


def check_name(name: str) -> str:
    """The name of a model; `DataError` for one that no path of an address can have."""
    if not NAME.fullmatch(name):
        raise DataError(
            f"{name!r} is no name for a model: letters, digits and . _ + - after one of them; choose one with --name"
        )
    return name
