"""A network with everything around it: `load` a cfg (or an exported ONNX file), call it on pictures, get results.

Decision: a `Model` is a session, the description of what goes in and what comes out (`Contract`), and nothing else; a
cfg, a cfg that was compiled before, and an ONNX file only differ in how these two are made.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ..backends.backend import AUTO, DEFAULT, find_backend
from ..backends.session import Session, open_file, open_session
from ..contract.contract import Contract
from ..contract.selection import ClassName, Conf, Selection, select
from ..contract.thresholds import CONF, IOU
from ..errors import DataError
from ..machine import cores
from ..vision.inference import prepare, results_of
from ..vision.picture import Picture
from ..vision.results import Results
from ..vision.sources import Loader, is_live, is_stream, loaders, recognized
from ..vision.video.video import Video
from ..zoo.names import ByNumber

if TYPE_CHECKING:
    from ..darknet.network import Network
    from ..darknet.reading import Reading
    from ..errors import Say
    from ..zoo.find import Found
    from .beside import Sharing
    from .kept import Recipe

Skip = Callable[[DataError], None]

FILM = 8  # frames of a file that wait for the network, and as many for the one who takes the results


def _to_nobody(_: str) -> None:
    """Nobody is told."""


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)


@dataclass(frozen=True, eq=False)
class _Group:
    """Pictures that are computed together, on their way through a model."""

    pictures: list[Picture]
    arrays: list[np.ndarray]  # first the inputs, then the outputs
    seconds: float


class Model:
    """A network that takes pictures and gives `Results`.

    Recurrent networks see pictures one after another and remember, across calls too, until `reset`.
    """

    def __init__(
        self, session: Session, contract: Contract, network: Network | Callable[[], Network] | None = None
    ) -> None:
        self.session, self.contract, self._network = session, contract, network
        self.names: dict[int, str] = ByNumber(contract.names)
        self._tails = lru_cache(1)(self._open_tails)
        self._lock = Lock()  # of what recurrent layers remember
        self._recipe: dict[str, Any] | None = None  # the arguments of `load`
        self._sharing: Sharing | None = None  # which session computes beside a video, once one was seen
        self._say: Say = _to_stderr
        self._said: set[str] = set()
        self.reset()

    def __repr__(self) -> str:
        kind = "detector" if self.contract.decoders else "network"
        shape = "x".join(map(str, self.contract.shape))
        return f"<Model {self.contract.origin}: {kind}, input {shape}, {self.contract.classes} classes>"

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[dict[str, Any]]]:
        """A model travels to another process as what was said to `load`, and is opened there again.

        What recurrent layers remember stays behind.
        """
        if self._recipe is None:
            raise DataError("this model was not made by load, and cannot be opened elsewhere: open it in each process")
        return _load_again, (self._recipe,)

    @property
    def network(self) -> Network | None:
        """The compiled cfg with its weights; None for an ONNX file. Opened now where a finished one was at hand."""
        if callable(self._network):
            self._network = self._network()
        return self._network

    def reset(self) -> None:
        """Forget what recurrent layers remember."""
        self._states: list[np.ndarray] = []

    def export(
        self,
        path: str | Path,
        format: str | None = None,  # noqa: A002 - its name
        *,
        replace: bool = False,
        **options: Any,
    ) -> None:
        """Write the network for other programs, as the suffix of `path` or `format` says.

        `options` are those of the format; for ONNX those of `export_onnx`. `replace` allows a file at `path` to go that
        this package did not write. Raises `DataError` for such a file, for a format or an option that does not exist,
        or a model that comes from an ONNX file.
        """
        from .formats import find_format

        if self.network is None:
            raise DataError("this model comes from an ONNX file: copy that")
        find_format(Path(path), format).write(self.network, Path(path), replace=replace, **options)

    def forward(self, inputs: np.ndarray) -> list[np.ndarray]:
        """The network alone: a batch of inputs (n, c, h, w) float32 to its outputs, with the batch axis in front.

        Raises `DataError` if the shape does not fit.
        """
        return self.heads(self.run(inputs))

    def heads(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        """What `run` gave with the last, elementwise functions of heads applied, which `run` leaves out."""
        if self.contract.boxes != "input":
            return outputs
        pairs = zip(self._tails(), outputs, strict=True)
        return [session.run([output])[0] if session else output for session, output in pairs]

    def _open_tails(self) -> list[Session | None]:
        """The heads themselves, in NumPy: from what the session gives to the outputs of their layers."""
        assert self.network is not None, "only a compiled cfg ends before its heads"
        return [open_session(tail, "numpy") if tail else None for tail in self.network.program().tails()]

    def run(self, inputs: np.ndarray) -> list[np.ndarray]:
        """`forward` as far as `contract.decode` needs it: without the last, elementwise functions of heads."""
        return self._run(self.session, inputs)

    def _run(self, session: Session, inputs: np.ndarray) -> list[np.ndarray]:
        if not self.contract.states:
            return self._step(session, inputs, ())[0]
        with self._lock:
            outputs, self._states = self._step(session, inputs, self._states)
        return outputs

    def step(self, inputs: np.ndarray, states: Sequence[np.ndarray] = ()) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """`run` with what recurrent layers remember as a value: the outputs, and the states for the next step.

        Without `states`, or with those of another number of samples, the memories are zeros. The model itself
        remembers nothing of it, so any thread may step through a sequence of its own.
        """
        return self._step(self.session, inputs, states)

    def _step(
        self, session: Session, inputs: np.ndarray, states: Sequence[np.ndarray]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        if inputs.shape[1:] != self.contract.shape:
            raise DataError(f"the network wants inputs of (n, *{self.contract.shape}), not {inputs.shape}")
        if not states or len(states[0]) != len(inputs):
            states = [np.zeros((len(inputs), *s.shape), np.float32) for s in self.contract.states]
        results = session.run([inputs, *states])
        count = len(results) - len(self.contract.states)
        return results[:count], results[count:]

    def _tell(self, text: str) -> None:
        """Say what holds for every picture, once."""
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    @overload
    def __call__(
        self, source: Iterator[Any] | Video | int, conf: Conf = CONF, iou: float = IOU, *, batch: int = 1,
        workers: int = 0, letterbox: bool | None = None, skip: Skip | None = None, max_pixels: int | None = None,
        classes: ClassName | Iterable[ClassName] | None = None, max_det: int | None = None, agnostic: bool = False,
    ) -> Iterator[Results]: ...  # fmt: skip

    @overload
    def __call__(
        self, source: Any, conf: Conf = CONF, iou: float = IOU, *, batch: int = 1, workers: int = 0,
        letterbox: bool | None = None, skip: Skip | None = None, max_pixels: int | None = None,
        classes: ClassName | Iterable[ClassName] | None = None, max_det: int | None = None, agnostic: bool = False,
    ) -> list[Results]: ...  # fmt: skip

    def __call__(
        self,
        source: Any,
        conf: Conf = CONF,
        iou: float = IOU,
        *,
        batch: int = 1,
        workers: int = 0,
        letterbox: bool | None = None,
        skip: Skip | None = None,
        max_pixels: int | None = None,
        classes: ClassName | Iterable[ClassName] | None = None,
        max_det: int | None = None,
        agnostic: bool = False,
    ) -> list[Results] | Iterator[Results]:
        """Results for every picture of `source`: a list, or a generator if `source` is a generator or a video.

        `source` is a path, folder, glob, list file, `http://` address, '-' (stdin), bytes, open file, array (BGR), PIL
        image, or a list or generator of these, as in `sources.pictures`; or a video file, an address of one (`rtsp://`,
        `http://`), the number of a camera, a `Video` or a `cv2.VideoCapture`. A camera or a stream gives its newest
        frame each time, for which `batch` is 1 and `workers` 0. `conf` is the lowest probability that counts and `iou`
        the overlap that suppresses, with Darknet's defaults. `batch` pictures are computed at a time (recurrent
        networks: always one). `workers` threads read and prepare pictures and decode boxes while the network runs, in
        order, at most `batch` x (2 `workers` + 2) pictures at a time (of a video file, with one worker, some 20 frames
        or 6 x `batch`); 0 does one thing after the other. `letterbox` pads pictures to the shape of the network;
        without it they are stretched, or for classifiers scaled and cut; None does what the cfg says. `skip` is told of
        what is no picture, which is left out; without it that raises `DataError`. A picture of more than `max_pixels`
        is not decoded, and counts as none (None: as many as the variable DARKNET_PY_MAX_PIXELS says, or 178,956,970).

        `conf` may be one for each of some classes ({'person': 0.5, 'car': 0.3}; the others keep the default, or what
        the key None says), `classes` are the names or numbers of those that are wanted, `max_det` is the most objects
        of a picture, the surest first, and `agnostic` lets boxes suppress those of other classes. Classes and
        thresholds count before suppression, as in Darknet, and the number after it.
        """
        threshold, selection = self._select(conf, classes, max_det, agnostic)
        if not 0 <= iou <= 1:
            raise DataError(f"iou is between 0 and 1, not {iou}")
        if batch < 1:
            raise DataError(f"batch is at least 1, not {batch}")
        if workers < 0:
            raise DataError(f"workers is at least 0, not {workers}")
        # The defaults are nobody's wish: a file with limits of its own keeps them then.
        least = min((threshold, *(own for _, own in selection.thresholds)))
        asked = least if least != CONF else self.contract.threshold, iou if iou != IOU else self.contract.iou
        if beyond := self.contract.beyond(*asked, agnostic):
            warnings.warn("\n".join(beyond), stacklevel=2)
        source = recognized(source)
        if is_live(source):
            batch = 1  # what is read ahead is old when its turn comes
            workers = 0
        film = workers == 1 and isinstance(source, Video) and not source.is_live
        loads = loaders(source, self.contract.shape[0], max_pixels, ahead=not film)
        results = self._stream(loads, threshold, iou, batch, workers, letterbox, skip, selection, film)
        return results if is_stream(source) else list(results)

    def _select(
        self, conf: Conf, classes: ClassName | Iterable[ClassName] | None, max_det: int | None, agnostic: bool
    ) -> tuple[float, Selection]:
        chosen = classes is not None or max_det or agnostic or isinstance(conf, Mapping)
        if chosen and not self.contract.decoders:
            raise DataError(
                "the network is a classifier: it finds no boxes of which some could be chosen; leave out the choice of "
                "classes, thresholds for each, max_det and agnostic"
            )
        return select(
            self.contract.names, self.contract.classes, conf=conf, classes=classes, max_det=max_det, agnostic=agnostic
        )

    def _stream(
        self, loads: Iterator[Loader], conf: float, iou: float, batch: int, workers: int, letterbox: bool | None,
        skip: Skip | None, selection: Selection, film: bool,
    ) -> Iterator[Results]:  # fmt: skip
        shape = self.contract.shape
        if len(shape) != 3:
            raise DataError(f"the network takes {shape[0]} numbers, not pictures: use forward")
        padded = self.contract.letterbox if letterbox is None else letterbox
        count = 1 if self.contract.states else self.contract.batch or batch
        groups = _grouped(loads, count)
        first = partial(self._read, padded=padded, skip=skip)
        last = partial(self._results, conf=conf, iou=iou, padded=padded, selection=selection)
        if not workers:
            for group in groups:
                yield from last(self._infer(first(group)))
            return
        if film:
            from .beside import computed
            from .pipeline import overlapped

            then = partial(computed, run=self._infer, sharing=self._beside())
            for results in map(last, overlapped(groups, first, then, max(2, FILM // count))):
                yield from results
            return
        from concurrent.futures import ThreadPoolExecutor

        from .pipeline import ordered

        with ThreadPoolExecutor(workers) as pool, ThreadPoolExecutor(1) as one:
            inputs = ordered(pool, first, groups, workers)
            outputs = ordered(one, self._infer, inputs, 2)
            for results in ordered(pool, last, outputs, workers):
                yield from results

    def _read(self, group: list[Loader], padded: bool, skip: Skip | None) -> _Group:
        """The pictures of a group, decoded, and the input of the network that they make."""
        start = time.perf_counter()
        pictures: list[Picture] = []
        inputs = np.empty((self.contract.batch or len(group), *self.contract.shape), np.float32)
        for load in group:
            try:
                picture = load()
                prepare(picture, self.contract, padded, inputs[len(pictures)])
            except DataError as e:
                if skip is None:
                    raise
                skip(e)
                continue
            pictures.append(picture)
        if self.contract.batch:
            inputs[len(pictures) :] = 0
        else:
            inputs = inputs[: len(pictures)]
        return _Group(pictures, [inputs], time.perf_counter() - start)

    def _beside(self) -> Sharing:
        """What computes the frames of a video, while other threads decode, draw and encode."""
        if self._sharing is None:
            from .beside import Sharing

            self._sharing = Sharing(self.session, cores(), self._single())
        return self._sharing

    def _single(self) -> Callable[[], Session] | None:
        """How to open the session with one thread; None where somebody said how many, or where that is not known."""
        recipe = self._recipe
        if recipe is None or cores() == 1 or self.contract.states:
            return None
        if recipe.get("threads") or recipe.get("device", "cpu") != "cpu" or recipe["backend"] == AUTO.name:
            return None
        if find_backend(recipe["backend"]).threads != "session":
            return None
        return lambda: load(**{**recipe, "threads": 1, "quiet": True}).session

    def _infer(self, group: _Group, session: Session | None = None) -> _Group:
        start = time.perf_counter()
        outputs: list[np.ndarray] = []
        if group.pictures:
            outputs = self._run(session, group.arrays[0]) if session else self.run(group.arrays[0])
        return _Group(group.pictures, outputs, group.seconds + time.perf_counter() - start)

    def _results(self, group: _Group, conf: float, iou: float, padded: bool, selection: Selection) -> list[Results]:
        start = time.perf_counter()
        contract, names = self.contract, self.names
        given: dict[str, Any] = dict(threshold=conf, iou=iou, letterbox=padded, selection=selection, say=self._tell)
        found = [
            results_of(contract.sample(group.arrays, i), picture, contract, names, **given)
            for i, picture in enumerate(group.pictures)
        ]
        seconds = (group.seconds + time.perf_counter() - start) / max(1, len(found))
        return [replace(results, seconds=seconds) for results in found]


def _grouped(items: Iterator[Loader], count: int) -> Iterator[list[Loader]]:
    while group := list(islice(items, count)):
        yield group


def load(
    cfg: str | Path,
    weights: str | Path | None = None,
    backend: str = DEFAULT,
    *,
    names: str | Path | None = None,
    dialect: str | None = None,
    size: tuple[int, int] | None = None,
    random_weights: int | None = None,
    letterbox: bool | None = None,
    strict: bool = False,
    as_darknet: bool = False,
    allow_partial: bool = False,
    cache: bool = True,
    say: Say | None = None,
    quiet: bool = False,
    **options: object,
) -> Model:
    r"""Open a network: a cfg file, a model of the zoo ('yolov4-tiny'), or an ONNX file that `export_onnx` wrote.

    Weights are looked for by the name of the cfg unless given, names beside it (`names`: a .names or .data file).
    `backend` is one of `available_backends`, as 'opencv' or 'numpy', or 'auto' (the fastest here, measured the first
    time), and `options` are its own: `threads`, and `device`, where it computes ('cpu', 'cuda:0', 'openvino:GPU').
    `dialect`, `size`, `strict` and `as_darknet` are those of `Reading`;
    `size` is (height, width), as arrays are, and 608x352, width first, is the command line's word for (352, 608).
    `random_weights` is a seed for random numbers instead of weights; `allow_partial` takes a weights file of the first
    layers (a trained backbone) and leaves the others random. What is done unasked (a download, a measurement, random
    parameters) is a line on stderr, or told to `say`; with `quiet` nobody is told. Raises `CfgError`, `WeightsError`,
    `DataError`, `BackendError` or `ZooError`, which are all `DarknetError`.

    >>> import tempfile, pathlib
    >>> cfg = pathlib.Path(tempfile.mkdtemp(), "tiny.cfg")
    >>> _ = cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n")
    >>> load(cfg, backend="numpy")(np.zeros((8, 8, 3), np.uint8))[0].pred_score.__round__(3)
    0.333
    """
    given: dict[str, Any] = dict(
        names=names, dialect=dialect, size=size, random_weights=random_weights, letterbox=letterbox, strict=strict,
        as_darknet=as_darknet, allow_partial=allow_partial, cache=cache,
    )  # fmt: skip
    tell = say or (_to_nobody if quiet else _to_stderr)
    model = _load(cfg, weights, backend, **given, say=tell, options=options)
    model._say = tell
    told = {"say", "explain"}  # functions, which do not travel
    model._recipe = {
        "cfg": _absolute(cfg), "weights": _absolute(weights), "backend": backend, **given, "names": _absolute(names),
        "quiet": quiet,
        **{k: v for k, v in options.items() if k not in told},
    }  # fmt: skip
    return model


def _load_again(recipe: dict[str, Any]) -> Model:
    return load(**recipe)


def _absolute(path: str | Path | None) -> str | Path | None:
    """A file's whole path: another process may stand elsewhere. What is the name of a network stays as it is."""
    return Path(path).absolute() if path is not None and Path(path).exists() else path


def _load(
    cfg: str | Path,
    weights: str | Path | None,
    backend: str,
    *,
    names: str | Path | None,
    dialect: str | None,
    size: tuple[int, int] | None,
    random_weights: int | None,
    letterbox: bool | None,
    strict: bool,
    as_darknet: bool,
    allow_partial: bool,
    cache: bool,
    say: Say | None,
    options: dict[str, Any],
) -> Model:
    if backend == AUTO.name:
        options = {**options, "say": say}
    if Path(cfg).suffix.lower() == ".onnx":
        cfg_only = dict(
            weights=weights, dialect=dialect, size=size, random_weights=random_weights,
            allow_partial=allow_partial or None,
        )  # fmt: skip
        if wrong := [k for k, v in cfg_only.items() if v is not None]:
            raise DataError(f"{cfg} is a finished network: {', '.join(wrong)} cannot be changed; export it again")
        return _load_onnx(cfg, backend, names, letterbox, options)
    from ..darknet.reading import Reading
    from ..zoo.find import find_network

    files = find_network(cfg, say, trained=random_weights is None)
    reading = Reading(dialect, size, strict, as_darknet)

    def compiled() -> Network:
        from ..darknet.network import open_files

        return open_files(files, weights, reading, random=random_weights, allow_partial=allow_partial, say=say)

    if options.get("device") == "cpu":
        options = {key: value for key, value in options.items() if key != "device"}
    # Of all back ends only onnxruntime writes down what it made of a network; see `kept`.
    if cache and backend == "onnxruntime" and not allow_partial and options.keys() <= {"threads"}:
        recipe = _recipe(files, weights, random_weights, reading, say)
        return _load_compiled(recipe, compiled, names or files.names, letterbox, options, say)
    return from_network(compiled(), backend, names=names, letterbox=letterbox, **options)


def _recipe(files: Found, weights: str | Path | None, random: int | None, reading: Reading, say: Say | None) -> Recipe:
    from ..errors import WeightsError
    from ..zoo.find import find_weights
    from .kept import Recipe

    path = Path(weights) if weights is not None else files.weights
    if path is None and random is None:
        with suppress(WeightsError):  # a network without parameters has none
            path = find_weights(files.cfg, say)
    return Recipe(files.cfg, None if random is not None else path, random, reading)


def _load_compiled(
    recipe: Recipe,
    compile_: Callable[[], Network],
    names: str | Path | None,
    letterbox: bool | None,
    options: dict[str, Any],
    say: Say | None,
) -> Model:
    """The model of a recipe: as it was kept by an earlier run, else compiled, and kept."""
    from .kept import is_open_to_others, open_and_keep, recall

    key, threads = recipe.key(), options.get("threads")
    if key is None or is_open_to_others(key, say):
        return from_network(compile_(), names=names, letterbox=letterbox, threads=threads)
    kept = recall(key, threads)
    if kept:
        return _from_kept(*kept, recipe.cfg, partial(_compile_same, recipe, key, compile_), names, letterbox)
    network = compile_()
    if recipe.key() != key:  # somebody wrote to a file between
        return from_network(network, names=names, letterbox=letterbox, threads=threads)
    session = open_and_keep(key, network, threads)
    return Model(session, network.program(names, letterbox).before_heads().contract, network)


def _compile_same(recipe: Recipe, key: str, compile_: Callable[[], Network]) -> Network:
    """The network of a model that was opened as it was kept; `DataError` if its files have changed since."""
    network = compile_()
    if recipe.key() != key:
        raise DataError(f"{recipe.cfg} or its weights have changed since the model was loaded: load it again")
    return network


def _from_kept(
    session: Session,
    contract: Contract,
    cfg: Path,
    compile_: Callable[[], Network],
    names: str | Path | None,
    letterbox: bool | None,
) -> Model:
    from ..contract.contract import resized
    from ..zoo.names import find_names

    detects = bool(contract.decoders)
    known = find_names(contract.classes, cfg, names, classifier=not detects, known=contract.class_names)
    resize = contract.resize if letterbox is None else resized(letterbox, detects)
    told = (*contract.diagnostics, *(f"warning: {note}" for note in known.notes))
    contract = replace(
        contract, names=known.names, names_origin=known.origin, origin=str(cfg), resize=resize, diagnostics=told
    )
    return Model(session, contract, lru_cache(1)(compile_))


def from_network(
    network: Network,
    backend: str = DEFAULT,
    *,
    names: str | Path | None = None,
    letterbox: bool | None = None,
    **options: object,
) -> Model:
    """A model of a network that is already open."""
    program = network.program(names, letterbox).before_heads()
    return Model(open_session(program.graph, backend, **options), program.contract, network)


def _load_onnx(
    path: str | Path, backend: str, names: str | Path | None, letterbox: bool | None, options: dict[str, object]
) -> Model:
    from ..contract.contract import resized
    from ..onnx.metadata import read_contract
    from ..zoo.names import find_names

    contract = replace(read_contract(path), origin="ONNX", names_origin=str(path))
    if names is not None:
        known = find_names(contract.classes, given=names)
        told = tuple(f"warning: {note}" for note in known.notes)
        contract = replace(contract, names=known.names, names_origin=known.origin, diagnostics=told)
    if letterbox is not None:
        contract = replace(contract, resize=resized(letterbox, bool(contract.decoders)))
    if contract.batch is None and not find_backend(backend).any_batch:
        contract = replace(contract, batch=1)
    return Model(open_file(path, backend, **options), contract)
