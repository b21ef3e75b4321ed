"""`load(precision=…)`: int8 calibrated on pictures, or the fastest precision that loses little, found by measuring.

Decision: what pictures say of a network is kept, filed under the network with its weights, the pictures, the back end
and its version; so the second start reads a small file. Pictures that a loss is measured on are never those of the
calibration. What was measured is told each time, for a network in fewer bits is another network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..backends import auto
from ..backends.backend import AUTO, DEFAULT, Backend, find_backend
from ..backends.precision import F32, INT8, KINDS, SIMILAR, Precision
from ..backends.session import Session, open_session
from ..contract.program import Program
from ..contract.told import to_text
from ..errors import BackendError, DataError, Say, counted, to_nobody
from ..files import read_at_most, write_cached
from ..holding.private import make_private

if TYPE_CHECKING:
    from ..analysis.evaluate.loss import PrecisionLoss
    from ..ir.int8 import Calibration
    from ..vision.datasets import Dataset, Example

T = TypeVar("T")

MAX_LOSS = 0.005  # of mAP
MORE = "a larger --max-loss, more pictures, or --precision auto"  # where int8 loses too much
SCORED = 5000  # pictures at most
MOST = 1 << 26  # bytes of what is kept


@dataclass(frozen=True)
class Chosen:
    """What a network computes with: a back end, a precision, and what was found about it, in words."""

    backend: str
    precision: Precision
    told: tuple[str, ...] = ()

    @property
    def again(self) -> dict[str, Any]:
        """What to say to `load` in the place of 'auto'; only int8 needs the pictures again."""
        named: dict[str, Any] = {"backend": self.backend, "precision": self.precision.kind}
        return named if self.precision.kind == INT8 else {**named, "data": None, "max_loss": None}


def find_precision(
    program: Program, backend: str, precision: str, data: str | Path | None, max_loss: float | None, say: Say | None,
    options: Mapping[str, object],
) -> Chosen:  # fmt: skip
    """The back end and the precision that were asked for, or with 'auto' those that were found by measuring.

    `data` are pictures to calibrate on and to measure the loss with: a .data file, a list, a folder. `say` is told what
    came of it. Raises `BackendError` for a precision that is not to be had, `DataError` for data that lacks.
    """
    if precision not in (INT8, AUTO.name):
        if data is not None or max_loss is not None:
            raise DataError(f"data and max_loss are for precision int8 and auto: {precision} is not calibrated")
        return Chosen(backend, Precision.of(precision))
    if data is None:
        Precision.of(F32 if precision == AUTO.name else precision).check(find_backend(backend))
        raise DataError("precision auto measures the loss on pictures\n  hint: --data PICTURES; of `load`: data=…")
    if options.get("device") not in (None, "cpu"):
        raise BackendError(f"precision {precision} is measured on the processor: leave out the device")
    search = Search(program, _Pictures.of(Path(data)), say or to_nobody, dict(options))
    if precision == INT8:
        return search.small(backend, max_loss)
    return search.fastest(backend, MAX_LOSS if max_loss is None else max_loss)


@dataclass(frozen=True)
class _Pictures:
    """Pictures to calibrate on and others to measure with; `labelled` says whether these have labels."""

    path: Path
    calibration: tuple[Path, ...]
    scored: tuple[Example, ...]
    labelled: bool

    @classmethod
    def of(cls, path: Path) -> _Pictures:
        """A .data file's train and valid; of anything else every second picture for either."""
        from ..analysis.quantize import CALIBRATED, evenly

        dataset = _dataset(path, "valid")
        examples, labelled = dataset.examples, dataset.missing < len(dataset)
        others = _train(path, examples)
        if others:
            return cls(path, evenly(others, CALIBRATED), evenly(examples, SCORED), labelled)
        if len(examples) < 2:
            raise DataError(
                f"{path} has one picture: one is needed to calibrate with, and one to measure the loss with"
            )
        first = tuple(e.picture for e in examples[::2])
        return cls(path, evenly(first, CALIBRATED), evenly(examples[1::2], SCORED), labelled)

    @property
    def stamp(self) -> str:
        """What tells these pictures, and their labels, from others."""
        files = [*self.calibration, *(e.picture for e in self.scored)]
        files += [file for e in self.scored for file in (e.labels, e.difficult) if isinstance(file, Path)]
        files += [self.path] if self.path.is_file() else []  # a COCO file has the labels in it
        states = ((file, file.stat()) for file in files)
        return "\n".join(f"{file.absolute()} {state.st_size} {state.st_mtime_ns}" for file, state in states)


def _dataset(path: Path, split: str) -> Dataset:
    """A data set, also one without any labels."""
    from ..vision.datasets import MISSING, Dataset, Example, list_pictures, open_dataset

    try:
        return open_dataset(path, split)
    except DataError:
        pictures = list_pictures(path, split)
        return Dataset(path, tuple(Example(p, None, MISSING) for p in pictures), ())


def _train(path: Path, examples: Sequence[Example]) -> tuple[Path, ...]:
    """The pictures of a .data file's train list that are not in the other; none where there is no such list."""
    if path.suffix != ".data" or path.is_dir():
        return ()
    from ..vision.datasets import list_pictures

    try:
        own = list_pictures(path, "train")
    except DataError:
        return ()
    scored = {e.picture for e in examples}
    return tuple(p for p in own if p not in scored)


class Search:
    """What can be found of one network and some pictures, each thing computed once."""

    def __init__(self, program: Program, pictures: _Pictures, say: Say, options: dict[str, Any]) -> None:
        self._program, self._pictures, self._say, self._options = program, pictures, say, options

    def small(self, backend: str, max_loss: float | None) -> Chosen:
        """int8 in a back end; `DataError` if it loses more than `max_loss`."""
        able = self._able(backend, INT8)
        if backend == AUTO.name:
            return self._first(self._timed([(b.name, INT8) for b in able]), max_loss)
        return self._first([(backend, INT8, 0.0)], max_loss)

    def fastest(self, backend: str, max_loss: float) -> Chosen:
        """The fastest of all precisions that loses at most `max_loss`."""
        pairs = [(b.name, kind) for kind in KINDS for b in self._able(backend, kind, optional=True)]
        return self._first(self._timed(pairs), max_loss)

    def _able(self, backend: str, kind: str, optional: bool = False) -> list[Backend]:
        wanted, threads = Precision(kind), self._options.get("threads")
        if backend == AUTO.name:
            able = auto.contenders(threads, wanted)
            if not optional:
                auto.check_contenders(able, threads, wanted)
            return able
        known = find_backend(backend)
        if not optional:
            wanted.check_had(known)
        return [known] if wanted.find_lack(known) is None else []

    def _first(self, candidates: Sequence[tuple[str, str, float]], max_loss: float | None) -> Chosen:
        """The first that loses at most `max_loss`; float32 loses nothing."""
        told: list[str] = []
        for backend, kind, seconds in candidates:
            time = f" {seconds * 1e3:.1f} ms" if seconds else ""
            if kind == F32:
                return self._chosen(backend, Precision(), [*told, f"f32 in {backend}{time}: taken"])
            precision = self._precision(backend, kind)
            loss = self._loss(backend, precision)
            text = f"{kind} in {backend}{time}: {loss}"
            if max_loss is None or loss.lost <= max_loss:
                return self._chosen(backend, precision, [*told, text if max_loss is None else f"{text}: taken"])
            told.append(f"{text}: more than {max_loss:g} is lost")
        raise DataError("\n".join([*told, f"  hint: {MORE}"]))

    def _chosen(self, backend: str, precision: Precision, told: list[str]) -> Chosen:
        for line in told:
            self._say(f"precision: {line}")
        return Chosen(backend, precision, tuple(told))

    def _timed(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str, float]]:
        """Pairs of a back end and a precision by their seconds, the fastest first; as measured before, if they were."""
        if len(pairs) == 1:
            return [(*pairs[0], 0.0)]
        names = [f"{backend} {kind}" for backend, kind in pairs]
        key = "\n".join([*names, str(self._options.get("threads"))])
        seconds = self._kept("speeds", key, partial(self._measured, pairs), dict, _seconds)
        by_name = dict(zip(names, pairs, strict=True))
        return sorted(((*by_name[n], s) for n, s in seconds.items()), key=lambda t: t[2])

    def _measured(self, pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
        self._say(
            f"timing {counted(len(pairs), 'way')} to compute this network, to take the fastest that is good enough"
        )
        openers = {f"{b} {k}": partial(self._open, b, k) for b, k in pairs}
        choice, _ = auto.measure(openers, [v.shape for v in self._program.graph.inputs], same=SIMILAR)
        return dict(choice.seconds)

    def _open(self, backend: str, kind: str) -> Session:
        precision = self._precision(backend, kind)
        return open_session(self._program.graph, backend, precision=precision, **self._options)

    def _precision(self, backend: str, kind: str) -> Precision:
        """A precision with what it needs: int8 with its calibration, kept from before or computed now."""
        if kind != INT8:
            return Precision(kind)
        from ..ir.int8 import Calibration

        compute = partial(self._calibrated, backend)
        return Precision(INT8, self._kept("calibration", backend, compute, Calibration.to_dict, Calibration.of))

    def _calibrated(self, backend: str) -> Calibration:
        from ..analysis.calibrate import calibrate
        from ..analysis.quantize import calibrating
        from ..vision.sources import PictureFile

        files = [PictureFile(path) for path in self._pictures.calibration]
        self._say(calibrating(backend, len(files), self._pictures.path))
        return calibrate(self._program, files, backend, tell=self._say)

    def _loss(self, backend: str, precision: Precision) -> PrecisionLoss:
        from ..analysis.evaluate.loss import PrecisionLoss

        calibration = precision.calibration.to_dict() if precision.calibration else None
        own = f"{backend} {precision.kind} {json.dumps(calibration, sort_keys=True)}"
        compute = partial(self._compared, backend, precision)
        return self._kept("loss", own, compute, asdict, lambda data: PrecisionLoss(**data))

    def _compared(self, backend: str, precision: Precision) -> PrecisionLoss:
        from ..analysis.quantize import precision_loss

        session = open_session(self._program.graph, backend, precision=precision, **self._options)
        got = list(self._results(session))
        contract = self._program.contract
        is_map = self._pictures.labelled and contract.decoders
        labels = [e.read(contract.names)[0] for e in self._pictures.scored] if is_map else None
        return precision_loss(self._wanted, got, labels, contract.classes)

    @cached_property
    def _wanted(self) -> list[Any]:
        """What float32 finds in the pictures that the loss is measured on."""
        return list(self._results(open_session(self._program.graph, DEFAULT)))

    def _results(self, session: Session) -> Iterator[Any]:
        from ..analysis.evaluate.record import RECORDED
        from ..analysis.quantize import without_picture
        from .model import Model

        paths = (str(example.picture) for example in self._pictures.scored)
        labelled = self._pictures.labelled and self._program.contract.decoders
        threshold = RECORDED if labelled else self._program.contract.threshold
        contract = self._program.contract
        yield from map(without_picture, Model(session, contract)(paths, threshold, classes=contract.every_class))

    @cached_property
    def _network(self) -> str:
        """What tells this network, what is made of its outputs, and these pictures from others."""
        digest = hashlib.blake2b(self._pictures.stamp.encode("utf-8", "surrogateescape"))
        digest.update(to_text(self._program.contract).encode())  # anchors, names, suppression, sizes
        graph = self._program.graph
        for op in graph.ops:
            digest.update(repr(op).encode())
            for v in op.inputs:
                if v in graph.data:
                    digest.update(graph.data[v].tobytes())
        return digest.hexdigest()

    def _kept(
        self, what: str, of: str, compute: Callable[[], T], to_json: Callable[[T], Any], read: Callable[[Any], T]
    ) -> T:
        """What was computed before of this network and these pictures, else now; where it cannot be kept it is told."""
        path = auto.place_of(f"precision {what}", of, self._network)
        try:
            return read(json.loads(read_at_most(path, MOST)))
        except (OSError, DataError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            found = compute()
        try:
            make_private(path.parent)
            write_cached(path, json.dumps(to_json(found)).encode())
        except OSError as e:
            self._say(f"cannot remember that in {path}: {e.strerror or e}")
        return found


def _seconds(data: Any) -> dict[str, float]:
    return {str(name): float(seconds) for name, seconds in data.items()}
