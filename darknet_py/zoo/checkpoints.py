"""Trained networks whose weights are checkpoints of other programs: names to a cfg of ours and a checkpoint.

Decision: what is fetched is the author's own file, told by the digits of its sha256 that its name ends with; what
becomes of it is no matter of this room. Several files may be of one network (timm's, and mmpretrain's that was made of
it): whichever is at hand is taken, and what is at hand comes before what must be fetched.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import Say, ZooError
from ..files import cache_dir, write_cached
from ..holding.hashes import sha256_of
from ..holding.private import make_private

LIMIT = 1 << 30  # bytes of a checkpoint; these have 83 to 167 million
_DIGITS = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint: its name, and its official address."""

    name: str
    url: str

    @property
    def digits(self) -> str:
        """What its sha256 begins with, as its name says.

        >>> CheckpointFile("cspresnet50_ra-d3e8d487.pth", "").digits
        'd3e8d487'
        """
        found = _DIGITS.search(self.name)
        assert found is not None, f"{self.name} does not say its sha256"
        return found[1]


@dataclass(frozen=True)
class Published:
    """What the source says of a network: millions of parameters, GFLOPs, and top-1 and top-5 accuracy in percent."""

    params: float
    flops: float
    top1: float
    top5: float


@dataclass(frozen=True)
class TrainedNetwork:
    """A cfg of ours by its name, and the checkpoints that have its weights, the first choice first."""

    name: str
    title: str
    licence: str
    source: str
    files: tuple[CheckpointFile, ...]
    published: Published | None = None

    @property
    def folder(self) -> Path:
        """Where its checkpoint is kept, or may be put by hand."""
        return cache_dir() / self.name


@cache
def trained_networks() -> dict[str, TrainedNetwork]:
    """Every one of them, by name.

    >>> trained_networks()["cspresnet50_3rdparty_8xb32_in1k"].published
    Published(params=21.62, flops=3.48, top1=79.55, top5=94.68)
    """
    import tomllib

    entries = tomllib.loads(Path(__file__).with_name("checkpoints.toml").read_text("utf-8"))
    return {name: _network(name, entry) for name, entry in entries.items()}


def _network(name: str, entry: dict[str, Any]) -> TrainedNetwork:
    files = tuple(CheckpointFile(url.rpartition("/")[2], url) for url in entry["urls"])
    published = Published(**entry["published"]) if "published" in entry else None
    return TrainedNetwork(name, entry["title"], entry["licence"], entry["source"], files, published)


def find_checkpoint(name: str) -> Path | None:
    """The checkpoint of a network that is in the cache and is what its name says; None if there is none."""
    network = trained_networks()[name]
    return next((network.folder / f.name for f in network.files if _is_that(network.folder / f.name, f)), None)


def fetch_checkpoint(name: str, say: Say | None = None) -> Path:
    """The checkpoint of a network: from the cache, the folder `DARKNET_PY_MIRROR`, or its official address.

    `say` is told what is fetched. Raises `ZooError`, which lists what was tried and names the file to place by hand.
    """
    network = trained_networks()[name]
    if found := find_checkpoint(name):
        return found
    failures = [
        f"{network.folder / f.name}: {_refusal(network.folder / f.name, f)}"
        for f in network.files
        if (network.folder / f.name).exists()
    ]
    try:
        make_private(network.folder)
        for file in network.files:
            if copied := _from_mirror(network, file, failures):
                return copied
        for file in network.files:
            if fetched := _from_address(network, file, failures, say):
                return fetched
    except OSError as e:
        raise ZooError(f"cannot keep {name} in {network.folder}: {e.strerror or e}") from None
    tried = "".join(f"\n  {f}" for f in failures)
    first, *others = network.files
    also = f"; {' and '.join(f.name for f in others)} will do as well" if others else ""
    raise ZooError(
        f"cannot get the weights of {name}{tried}"
        f"\n  hint: put the file at {network.folder / first.name}, or name it as the weights, or set DARKNET_PY_MIRROR "
        f"to a folder that has it{also}"
    )


def _is_that(path: Path, file: CheckpointFile) -> bool:
    try:
        return sha256_of(path).startswith(file.digits)
    except (OSError, ValueError):
        return False


def _refusal(path: Path, file: CheckpointFile) -> str:
    with suppress(OSError, ValueError):
        found = sha256_of(path)
        return f"not the file that was asked for: its sha256 begins with {found[:8]}, not {file.digits}"
    return "cannot be read"


def _from_mirror(network: TrainedNetwork, file: CheckpointFile, failures: list[str]) -> Path | None:
    """The file in the mirror's folder, which stays there."""
    folder = os.environ.get("DARKNET_PY_MIRROR")
    if not folder:
        return None
    places = (Path(folder) / network.name / file.name, Path(folder) / file.name)
    place = next((p for p in places if p.is_file()), None)
    if place is None:
        failures.append(f"{places[1]}: no such file")
        return None
    if _is_that(place, file):
        return place
    failures.append(f"{place}: {_refusal(place, file)}")
    return None


def _from_address(network: TrainedNetwork, file: CheckpointFile, failures: list[str], say: Say | None) -> Path | None:
    from .transfer import download

    place = network.folder / file.name
    part = place.with_name(f".{file.name}.{os.getpid()}")
    if say:
        say(f"fetching {file.name} from {file.url}")
    try:
        data = download(file.url, LIMIT, part, least=1)
    except (OSError, ZooError) as e:  # urllib's errors are OSErrors
        failures.append(f"{file.url}: {e}")
        return None
    finally:
        with suppress(OSError):
            part.unlink()
    import hashlib

    found = hashlib.sha256(data).hexdigest()
    if found.startswith(file.digits):
        write_cached(place, data)
        return place
    failures.append(
        f"{file.url}: not the file that was asked for: its sha256 begins with {found[:8]}, not {file.digits}"
    )
    return None
