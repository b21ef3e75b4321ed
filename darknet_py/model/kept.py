"""Networks that were compiled before: onnxruntime's optimized model and what a `Model` must know, kept between runs.

Decision: the second start reads neither cfg grammar nor weights. An entry is found by everything that decides what is
computed (files, options, versions, processor), so it is never out of date, only unused.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.contract import Contract
from ..errors import BackendError, DataError
from ..files import read_whole
from . import cache

if TYPE_CHECKING:
    from ..backends.session import Session
    from ..darknet.network import Network
    from ..darknet.reading import Reading

FILE = "network.json"
MAX_CFG = 1 << 24  # bytes; what is longer the parser refuses
# An option that names a file beside the cfg; Darknet drops white space wherever it stands in a line.
NAMES_TREE = re.compile(rb"(?:^|[\r\n])\s*t\s*r\s*e\s*e\s*=")


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
            weights = cache.fingerprint(self.weights) if self.weights else self.random
        except (OSError, DataError):
            return None
        if NAMES_TREE.search(text):
            return None
        return cache.key(self.cfg, text, weights, self.reading, onnxruntime.__version__, cpu())


def recall(key: str, threads: int | None) -> tuple[Session, Contract] | None:
    """The session and the contract of an entry; None if there is none, or none that works."""
    from ..backends.onnxruntime.file import OPTIMIZED, FileSession

    folder = cache.find(key)
    if folder is None:
        return None
    try:
        session = FileSession(folder / OPTIMIZED, threads=threads, optimized=True)
        return session, Contract.of(json.loads((folder / FILE).read_text("utf-8")))
    except (OSError, AttributeError, ValueError, TypeError, KeyError, BackendError):
        cache.drop(key)
        return None


def open_and_keep(key: str, network: Network, threads: int | None) -> Session:
    """The session of a network, ending before its heads, whose optimized model becomes an entry on the way."""
    from ..backends.onnxruntime.session import open_session

    program = network.program().before_heads()
    # The names of classes are found anew at each start: files beside the cfg may come and go.
    contract = replace(program.contract, names=(), names_origin="")
    opened: list[Session] = []

    def fill(folder: Path) -> None:
        opened.append(open_session(program.graph, threads=threads, save=folder))
        (folder / FILE).write_text(json.dumps(contract.to_dict()), "utf-8")

    with suppress(OSError, BackendError):  # a full disk is told by onnxruntime in its own words
        cache.make(key, fill)
    return opened[0] if opened else open_session(program.graph, threads=threads)
