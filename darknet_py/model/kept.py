"""Networks that were compiled before: onnxruntime's optimized model and what a `Model` must know, kept between runs.

Decision: the second start reads neither cfg grammar nor weights. An entry is found by everything that decides what is
computed (files, options, versions, processor), so it is never out of date, only unused.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract.decode import raw_outputs
from ..darknet.layers.heads.head import Head
from ..errors import BackendError
from ..onnx.metadata import HeadRecord
from . import cache

if TYPE_CHECKING:
    from ..backends.session import Session
    from ..darknet.network import Network

FILE = "network.json"


@dataclass(frozen=True)
class Recipe:
    """All that decides what is computed. `weights` is None for random ones, or where there are no parameters."""

    cfg: Path
    weights: Path | None
    dialect: str | None
    size: tuple[int, int] | None
    random: int | None
    strict: bool
    as_darknet: bool

    def key(self) -> str | None:
        """The name of its entry; None where a file beside the cfg (a class tree) decides too, or one cannot be read."""
        import onnxruntime

        from ..machine import cpu

        try:
            text = self.cfg.read_bytes()
            weights = cache.fingerprint(self.weights) if self.weights else self.random
        except OSError:
            return None
        options = (self.dialect, self.size, self.strict, self.as_darknet, onnxruntime.__version__, cpu())
        return None if b"tree" in text else cache.key(self.cfg, text, weights, *options)


@dataclass(frozen=True)
class Record:
    """What a `Model` must know of a network: shapes without batch axis, heads, and what its cfg made us say."""

    shape: tuple[int, ...]
    states: tuple[tuple[int, ...], ...]
    classes: int
    letterbox: bool
    heads: tuple[tuple[str, str, HeadRecord], ...]  # module, class, options
    diagnostics: tuple[str, ...]

    def restored(self) -> tuple[Head, ...]:
        """The heads, ready to decode; only their own modules are imported."""
        return tuple(record.build(getattr(import_module(module), kind)) for module, kind, record in self.heads)

    @classmethod
    def of(cls, network: Network, classes: int, letterbox: bool) -> Record:
        """The record of an open network."""
        graph = network.graph
        infos = [graph.layers[i] for i in graph.heads]
        heads = [(i, i.layer) for i in infos if isinstance(i.layer, Head)]
        records = tuple((type(h).__module__, type(h).__name__, HeadRecord.of("", i.section, h)) for i, h in heads)
        told = tuple(map(str, network.compilation.diagnostics))
        return cls(graph.image.shape, tuple(s.input.shape for s in graph.states), classes, letterbox, records, told)

    def to_json(self) -> str:
        """The record as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The record that `to_json` wrote; `ValueError`, `TypeError` or `KeyError` for anything else."""
        data: dict[str, Any] = json.loads(text)
        heads = tuple((module, kind, HeadRecord(**record)) for module, kind, record in data.pop("heads"))
        shape, states = tuple(data.pop("shape")), tuple(map(tuple, data.pop("states")))
        return cls(shape=shape, states=states, heads=heads, diagnostics=tuple(data.pop("diagnostics")), **data)


def recall(key: str, threads: int | None) -> tuple[Session, Record] | None:
    """The session and the record of an entry; None if there is none, or none that works."""
    from ..backends.onnxruntime.file import OPTIMIZED, FileSession

    folder = cache.find(key)
    if folder is None:
        return None
    try:
        session = FileSession(folder / OPTIMIZED, threads=threads, optimized=True)
        return session, Record.from_json((folder / FILE).read_text("utf-8"))
    except (OSError, ValueError, TypeError, KeyError, BackendError):
        cache.drop(key)
        return None


def open_and_keep(key: str, network: Network, record: Record, threads: int | None) -> Session:
    """The session of a network, whose optimized model becomes an entry on the way."""
    from ..backends.onnxruntime.session import open_session

    graph = network.graph.with_outputs(raw_outputs(network.graph) or network.graph.outputs)
    opened: list[Session] = []

    def fill(folder: Path) -> None:
        opened.append(open_session(graph, threads=threads, save=folder))
        (folder / FILE).write_text(record.to_json(), "utf-8")

    with suppress(OSError, BackendError):  # a full disk is told by onnxruntime in its own words
        cache.make(key, fill)
    return opened[0] if opened else open_session(graph, threads=threads)
