"""Networks that were compiled before: onnxruntime's optimized model and what a `Model` must know, kept between runs.

Decision: the second start reads neither cfg grammar nor weights. An entry is found by everything that decides what is
computed (the bytes of all files, options, versions, processor), so it is never out of date, only unused. It is data:
what it says is looked up in `decoders.DECODERS` and checked, nothing is imported or called by a name that it gives.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.contract import Contract
from ..errors import BackendError, DataError
from ..files import read_whole
from ..holding.hashes import sha256_of
from . import cache

if TYPE_CHECKING:
    from ..backends.session import Session
    from ..darknet.network import Network
    from ..darknet.reading import Reading
    from ..errors import Say

FILE = "network.json"
MAX_CFG = 1 << 24  # bytes; what is longer the parser refuses
MOST_CLASSES = 1 << 20  # ImageNet has 21 841
_TOLD: set[str] = set()  # what has been said in this process


@dataclass(frozen=True)
class Recipe:
    """All that decides what is computed. `weights` is None for random ones, or where there are no parameters."""

    cfg: Path
    weights: Path | None
    random: int | None
    reading: Reading

    def key(self) -> str | None:
        """The name of its entry; None where a file beside the cfg (a class tree) decides too, or one cannot be read."""
        import onnxruntime

        from ..machine import cpu

        try:
            text = read_whole(self.cfg, MAX_CFG, "cfg")
            if self.weights and self.weights.stat().st_size > cache.LIMIT:
                return None  # seconds to hash what is hardly weights, and no entry would be so large
            weights = sha256_of(self.weights) if self.weights else self.random
        except (OSError, DataError, ValueError):  # ValueError: a NUL in a path
            return None
        if _names_tree(text):
            return None
        return cache.key(self.cfg, text, weights, self.reading, onnxruntime.__version__, cpu())


def is_open_to_others(key: str, say: Say | None) -> bool:
    """Whether others could have written an entry, so that there is no start cache; which is said once."""
    doubt = cache.find_doubt_about(key)
    if doubt is None:
        return False
    if doubt not in _TOLD:
        _TOLD.add(doubt)
        text = (
            f"warning: the start cache is not used: {doubt}"
            "\n  hint: `darknet-py cache --clear` removes what others may have left, `chmod go-w` closes the folder"
        )
        _warn(text, say)
    return True


def _warn(text: str, say: Say | None) -> None:
    if say:
        say(text)
        return
    import warnings

    warnings.warn(text.removeprefix("warning: "), RuntimeWarning, stacklevel=2)


def recall(key: str, threads: int | None) -> tuple[Session, Contract] | None:
    """The session and the contract of an entry; None if there is none, or none that works, which is then dropped."""
    from ..backends.onnxruntime.file import OPTIMIZED, FileSession

    folder = cache.find(key)
    if folder is None:
        return None
    try:
        contract = Contract.of(json.loads((folder / FILE).read_text("utf-8")))
        if type(contract.classes) is not int or not 0 <= contract.classes <= MOST_CLASSES:
            raise ValueError(f"{contract.classes} classes")
        return FileSession(folder / OPTIMIZED, threads=threads, optimized=True), contract
    except Exception:  # whatever is wrong with an entry, the network is compiled anew
        cache.drop(key)
        return None


def open_and_keep(key: str, network: Network, threads: int | None) -> Session:
    """The session of a network, ending before its heads, whose optimized model becomes an entry on the way."""
    from ..backends.onnxruntime.session import open_session

    program = network.program().before_heads()
    # The names of classes are found anew at each start: files beside the cfg may come and go.
    # So is what there is to say about them.
    told = tuple(map(str, network.compilation.diagnostics))
    contract = replace(program.contract, names=(), names_origin="", diagnostics=told)
    opened: list[Session] = []

    def fill(folder: Path) -> None:
        opened.append(open_session(program.graph, threads=threads, save=folder))
        (folder / FILE).write_text(json.dumps(contract.to_dict()), "utf-8")

    with suppress(OSError, BackendError):  # a full disk is told by onnxruntime in its own words
        cache.make(key, fill)
    return opened[0] if opened else open_session(program.graph, threads=threads)


def _names_tree(text: bytes) -> bool:
    """Whether a cfg names a file beside it; Darknet drops white space wherever it stands in a line."""
    return any(line.translate(None, b" \t\v\f").startswith(b"tree=") for line in text.splitlines())
