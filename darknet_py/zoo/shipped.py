"""The networks of ours that come trained: their weights are files of this package, in `weights/`.

Decision: what such a file must be is its length and sha256 (`shipped.toml`), looked at whenever it is used: a copy that
broke off or was written over is not to find other things quietly. A file that lacks is no error before it is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ZooError
from ..files import is_file
from ..holding.hashes import sha256_of

LICENCE = "MIT, as this package"


@dataclass(frozen=True)
class ShippedNetwork:
    """A network of ours; `size` (bytes) and `sha256` of its weights are None before these are trained."""

    name: str
    size: int | None = None
    sha256: str | None = None

    @property
    def file(self) -> str:
        """The name of its weights file."""
        return f"{self.name}.weights"

    @property
    def weights(self) -> Path | None:
        """Its weights file where it is here, whatever is in it."""
        return next((folder / self.file for folder in own_folders("weights") if is_file(folder / self.file)), None)

    @property
    def absence(self) -> str:
        """In words, that the file is not here."""
        if self.sha256 is None:
            return "they are not trained yet"
        return f"weights/{self.file}, which comes with darknet-py, is missing"

    @property
    def remedy(self) -> str:
        """In words, how the weights come, or come back."""
        if self.sha256 is None:
            return "`make weights` in a checkout trains them"
        return f"`git checkout weights/{self.file}` brings it back in a checkout, elsewhere install darknet-py again"

    def damage(self, path: Path) -> str | None:
        """In words, why a file is not the weights of this network; None if it is. Raises `OSError`.

        >>> ShippedNetwork("tiny", 12).damage(Path(__file__)).endswith("not 12")
        True
        """
        if self.size is not None and (found := path.stat().st_size) != self.size:
            return f"it has {found:,} bytes, not {self.size:,}"
        if self.sha256 is not None and (digest := sha256_of(path)) != self.sha256:
            return f"its sha256 is {digest}, not {self.sha256}"
        return None


@cache
def shipped_networks() -> dict[str, ShippedNetwork]:
    """Every one of them, by name, whether its weights are here or not.

    >>> list(shipped_networks())
    ['yolov3-csppelee-efm-codes']
    """
    import tomllib

    entries: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("shipped.toml").read_text("utf-8"))
    return {name: ShippedNetwork(name, entry.get("bytes"), entry.get("sha256")) for name, entry in entries.items()}


def ready_networks() -> list[str]:
    """The names of those whose weights are here."""
    return [name for name, network in shipped_networks().items() if network.weights]


def check_shipped(path: Path) -> Path:
    """`path`; `ZooError` if it is a weights file of this package and does not hold what came with it.

    A file of the same name at another place is its owner's.
    """
    network = shipped_networks().get(path.stem)
    if network is None or network.weights is None or network.weights.resolve() != path.resolve():
        return path
    try:
        damage = network.damage(path)
    except OSError:
        return path  # who reads it says why it cannot be read
    if damage is None:
        return path
    raise ZooError(
        f"{path} is not the file that comes with darknet-py: {damage}"
        f"\n  hint: {network.remedy}; `--weights {path}` takes it as it is"
    )


def own_folders(kind: str) -> tuple[Path, ...]:
    """Where files of this package of a kind, `cfgs` or `weights`, may lie: inside it, or in its checkout."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent
    return (package / kind, checkout / kind) if (checkout / "setup.cfg").is_file() else (package / kind,)
