"""What is to be computed, as plain data: it travels to other processes and machines, and is kept beside the results.

Decision: two values. `Job` is what a process needs in order to work; `Record` is what decides the results, and is
compared before a work is gone on with, field by field. Its hash is in the name of each file of results.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ...contract.selection import ClassName, Conf
from ...contract.thresholds import RANDOM_CONF
from ...errors import DataError, shorten
from ...version import VERSION

if TYPE_CHECKING:
    from ...contract.contract import Contract
    from ...model.model import Model

SCHEMA = "darknet-py.batch/2"  # of job.json, of manifest.json, and of the rows
JOB = "job.json"
PART = re.compile(r"part-\d{12,}-[0-9a-f]{16}\.(?:jsonl|parquet)")  # names of results; nothing else is ever removed
PLACES = ("cfg", "folder")  # of a record: the same network and pictures may lie elsewhere later


@dataclass(frozen=True)
class RowOptions:
    """What decides rows besides the network: see `Model.__call__`; `column` is the one of Parquet files with bytes."""

    conf: Conf | None = None
    iou: float | None = None
    classes: tuple[ClassName, ...] | None = None
    max_det: int | None = None
    agnostic: bool = False
    max_pixels: int | None = None
    column: str | None = None

    def of(self, contract: Contract, least: float) -> Self:
        """The same, with what a network says of itself where nothing is asked, and `least` as the threshold."""
        conf = (
            {None: least, **self.conf} if isinstance(self.conf, Mapping) else least if self.conf is None else self.conf
        )
        return replace(self, conf=conf, iou=contract.iou if self.iou is None else self.iou)

    def calling(self) -> dict[str, Any]:
        """The arguments for a model."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "column"}

    def to_dict(self) -> dict[str, Any]:
        """Plain data; thresholds of classes as pairs, for None is no key of JSON's."""
        conf = [[k, v] for k, v in self.conf.items()] if isinstance(self.conf, Mapping) else self.conf
        return {**asdict(self), "conf": conf, "classes": list(self.classes) if self.classes is not None else None}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The options that `to_dict` gave."""
        conf = dict(data["conf"]) if isinstance(data["conf"], list) else data["conf"]
        classes = tuple(data["classes"]) if data["classes"] is not None else None
        return cls(**{**data, "conf": conf, "classes": classes})


@dataclass(frozen=True)
class Job:
    """What a process works by: the arguments of `load`, the options, and how results are written.

    `workers` threads read pictures, `batch` of them are computed at a time, `folder` is where relative paths begin, and
    `expected` is the hash of the network that the work began with (empty: not known yet): on another machine, or
    later, its files may be others.
    """

    network: dict[str, Any]
    options: RowOptions
    form: str
    workers: int
    folder: str
    expected: str = ""
    batch: int = 1

    def to_json(self) -> str:
        """As text."""
        plain = {k: str(v) if isinstance(v, Path) else v for k, v in self.network.items()}
        return json.dumps({**{f.name: getattr(self, f.name) for f in fields(self)}, "network": plain,
                           "options": self.options.to_dict()})  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The job that `to_json` gave."""
        data = json.loads(text)
        size = data["network"].get("size")
        network = {**data["network"], "size": tuple(size) if size else None}
        return cls(**{**data, "network": network, "options": RowOptions.from_dict(data["options"])})

    def load(self) -> Model:
        """Open the network, saying nothing. Raises `DataError` where it is not the expected one."""
        from ...model.opening import load

        model = load(**self.network, quiet=True)
        if self.expected and network_hash(model, self) != self.expected:
            raise DataError(
                f"{self.network['cfg']}: the network here is another than the one that the work began with\n"
                "  hint: the cfg, the weights and darknet-py have to be the same on each machine until all is done"
            )
        return model

    def asking(self, model: Model) -> Self:
        """The same with all that is asked of its model, which is open; where parameters are random it is less."""
        is_random = self.network.get("random_weights") is not None
        if self.network.get("allow_partial"):  # and no network is opened only to be asked
            is_random = model.network is not None and model.network.partial
        least = RANDOM_CONF if is_random else model.contract.threshold
        return replace(self, options=self.options.of(model.contract, least))


class OtherSchema(DataError):
    """Of batch work, and of a version of this package that wrote its results in another form."""


def check_schema(found: str, where: str) -> None:
    """Raise `OtherSchema` for a schema of another version, and `ValueError` for one of something else."""
    if found == SCHEMA:
        return
    text = f"{where} is of the schema {found!r}, and this version knows {SCHEMA!r}"
    if not str(found).startswith(SCHEMA.rstrip("0123456789")):
        raise ValueError(text)
    raise OtherSchema(
        f"{text}\n  hint: --no-resume removes the results and computes all again; or write to another folder, or go on "
        "with the version that began it"
    )


@dataclass(frozen=True)
class Record:
    """What decides the results, and where they come from: `job.json`."""

    sources: list[str]
    shard_size: int
    format: str
    cfg: str
    network: str  # a hash of the cfg, the weights, and what goes in and comes out
    backend: str
    names: list[str]
    options: dict[str, Any]
    folder: str  # where relative paths begin; the same pictures may lie elsewhere later
    version: str = VERSION
    schema: str = SCHEMA

    @property
    def identity(self) -> str:
        """The hash of what decides a row; the sources are in the list of each shard."""
        decisive = {k: v for k, v in asdict(self).items() if k not in ("sources", "shard_size", *PLACES)}
        return _digest(decisive)

    def to_bytes(self) -> bytes:
        """The file."""
        return json.dumps(asdict(self), indent=2).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Self:
        """The record in a file. Raises `DataError` for any other file."""
        try:
            found = json.loads(data)
            check_schema(found["schema"], where)
            record = cls(**found)
            if record.version == VERSION:  # another version may have other options, and is told by `differences`
                RowOptions.from_dict(record.options)
            if not (all(isinstance(s, str) for s in (*record.sources, record.folder)) and record.shard_size >= 1):
                raise ValueError("its sources are no names, or its shards have no size")
            return record
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            raise DataError(f"{where} is no record of batch work: {e}") from None

    def differences(self, before: Record) -> Iterable[str]:
        """What is another than before, in words."""
        now, then = _flat(asdict(self)), _flat(asdict(before))
        for key in dict.fromkeys((*now, *then)):
            if key not in PLACES and now.get(key) != then.get(key):
                yield f"{key} is {_short(now.get(key))}, and was {_short(then.get(key))}"


def record_of(model: Model, job: Job, sources: Iterable[str], shard_size: int) -> Record:
    """What decides the results of a job. Raises `DataError` for a network that batch work cannot run."""
    check_contract(model.contract)
    return Record(
        [os.fspath(source) for source in sources], shard_size, job.form, str(job.network["cfg"]),
        network_hash(model, job), str(job.network["backend"]),
        [model.names[i] for i in range(model.contract.classes)], job.options.to_dict(), job.folder,
    )  # fmt: skip


def check_contract(contract: Contract) -> None:
    """Raise `DataError` for a network that batch work cannot run."""
    if len(contract.shape) != 3:
        raise DataError(f"the network takes {contract.shape[0]} numbers, not pictures")
    if contract.states:
        raise DataError(
            "the network is recurrent: what it finds in a picture depends on those before it, and in batch work "
            "there is no before\n  hint: `darknet-py run` shows it pictures one after another"
        )


def network_hash(model: Model, job: Job) -> str:
    """A hash of the files of a network, and of what goes in and comes out."""
    said = {k: v for k, v in model.contract.to_dict().items() if k not in ("origin", "names_origin", "diagnostics")}
    extra = {k: v for k, v in job.network.items() if k in ("device", "random_weights", "precision")}
    return _digest([said, _files_of(job), extra])


def _files_of(job: Job) -> list[str]:
    """The hashes of the files that the network is made of."""
    from ...errors import WeightsError
    from ...holding.hashes import sha256_of
    from ...model.formats import find_exported
    from ...zoo.find import find_network, find_weights

    cfg, weights = job.network["cfg"], job.network.get("weights")
    if written := find_exported(Path(cfg)):
        kind, path = written
        return [sha256_of(p) for p in kind.files(path)]
    trained = job.network.get("random_weights") is None
    files = find_network(cfg, trained=trained)
    found = [sha256_of(files.cfg)]
    if not trained:
        return found
    with suppress(WeightsError):  # a network without parameters has none
        found.append(sha256_of(Path(weights) if weights else files.weights or find_weights(files.cfg)))
    return found


def _flat(data: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in data.items() if k != "options"}, **data["options"]}


def _short(value: Any) -> str:
    return shorten(value if isinstance(value, str) else json.dumps(value), 60)


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
