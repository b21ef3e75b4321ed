"""`load`: a model from a cfg, from one that was compiled before, from a model of the zoo, or from an exported file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends.backend import AUTO, DEFAULT
from ..backends.precision import F32, Precision
from ..backends.session import Session, open_file, open_session, reader
from ..contract.contract import Contract
from ..errors import DataError, to_nobody
from .formats import find_exported
from .model import Model, to_stderr

if TYPE_CHECKING:
    from ..darknet.network import Network
    from ..darknet.reading import Reading
    from ..errors import Say
    from ..zoo.find import Found
    from .formats import Format
    from .kept import Recipe


OF_SEARCH = ("say", "explain", "remember", "taken")  # options of the search for the fastest back end alone


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
    precision: str = F32,
    data: str | Path | None = None,
    max_loss: float | None = None,
    say: Say | None = None,
    quiet: bool = False,
    **options: object,
) -> Model:
    r"""Open a network: a cfg file, a model of the zoo ('yolov4-tiny'), or a file or folder that `Model.export` wrote.

    Weights are looked for by the name of the cfg unless given, names beside it (`names`: a .names or .data file).
    `backend` is one of `available_backends`, as 'opencv' or 'numpy', or 'auto' (the fastest here, measured the first
    time), and `options` are its own: `threads`, and `device`, where it computes ('cpu', 'cuda:0', 'openvino:GPU').
    `dialect`, `size`, `strict` and `as_darknet` are those of `Reading`;
    `size` is (height, width), as arrays are, and 608x352, width first, is the command line's word for (352, 608).
    `random_weights` is a seed for random numbers instead of weights; `allow_partial` takes a weights file of the first
    layers (a trained backbone) and leaves the others random. `precision` is 'f32', 'bf16', 'f16' or 'int8', or 'auto':
    the fastest here whose mAP is at most `max_loss` (0.005) lower on the pictures `data` (a .data file, a list, a
    folder), of which int8 takes some to be calibrated on; what it costs is said each time. What is done unasked (a
    download, a measurement, random parameters) is a line on stderr, or told to `say`; with `quiet` nobody is told.
    Raises `CfgError`, `WeightsError`, `DataError`, `BackendError` or `ZooError`, which are all `DarknetError`.

    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> cfg = pathlib.Path(tempfile.mkdtemp(), "tiny.cfg")
    >>> _ = cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n")
    >>> load(cfg, backend="numpy")(np.zeros((8, 8, 3), np.uint8))[0].pred_score.__round__(3)
    0.333
    """
    given: dict[str, Any] = dict(
        names=names, dialect=dialect, size=size, random_weights=random_weights, letterbox=letterbox, strict=strict,
        as_darknet=as_darknet, allow_partial=allow_partial, cache=cache, precision=precision, data=_absolute(data),
        max_loss=max_loss,
    )  # fmt: skip
    tell = say or (to_nobody if quiet else to_stderr)
    model = _load(cfg, weights, backend, **given, say=tell, options=options)
    model.tell = tell
    given["names"] = _absolute(names)
    kept: dict[str, Any] = {key: value for key, value in options.items() if key not in OF_SEARCH}
    paths: dict[str, Any] = dict(cfg=_absolute(cfg), weights=_absolute(weights))
    found = model.chosen.again if model.chosen else {}  # nobody looks for it twice, or finds something else
    model.again = partial(load, **paths, **{"backend": backend, **given, **found}, quiet=quiet, **kept)
    return model


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
    precision: str,
    data: str | Path | None,
    max_loss: float | None,
    say: Say | None,
    options: dict[str, Any],
) -> Model:
    if written := find_exported(Path(cfg)):
        cfg_only = dict(
            weights=weights, dialect=dialect, size=size, random_weights=random_weights,
            allow_partial=allow_partial or None,
        )  # fmt: skip
        if wrong := [k for k, v in cfg_only.items() if v is not None]:
            raise DataError(f"{cfg} is a finished network: {', '.join(wrong)} cannot be changed; export it again")
        if data is not None or max_loss is not None or precision == AUTO.name:
            raise DataError(f"{cfg} is a finished network: its precision can be named, not found: leave out data, auto")
        return _load_written(*written, backend, names, letterbox, precision, say, options)
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
    plain = precision == F32 and data is None and max_loss is None
    if plain and cache and backend == "onnxruntime" and not allow_partial and options.keys() <= {"threads"}:
        recipe = _recipe(files, weights, random_weights, reading, say)
        return _load_compiled(recipe, compiled, names or files.names, letterbox, options, say)
    return from_network(
        compiled(), backend, names=names, letterbox=letterbox, precision=precision, data=data, max_loss=max_loss,
        say=say, **options,
    )  # fmt: skip


def _searching(backend: str, say: Say | None, taken: list[str], options: Mapping[str, object]) -> dict[str, Any]:
    """The options of the search for the fastest back end: who is told that it measures, and where its name is put."""
    is_search = backend == AUTO.name and options.get("device") in (None, "cpu")  # each device has a back end
    return {"say": say, "taken": taken.append} if is_search else {}


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
    precision: str = F32,
    data: str | Path | None = None,
    max_loss: float | None = None,
    say: Say | None = None,
    **options: object,
) -> Model:
    """A model of a network that is already open; the options are those of `load`."""
    program, taken = network.program(names, letterbox).before_heads(), list[str]()
    if precision == F32 and data is None and max_loss is None:
        session = open_session(program.graph, backend, **_searching(backend, say, taken, options), **options)
        return _chosen(Model(session, program.contract, network), taken, F32)
    from .precision import find_precision

    own = {key: value for key, value in options.items() if key not in OF_SEARCH}
    chosen = find_precision(program, backend, precision, data, max_loss, say, own)
    asked = options if chosen.backend == AUTO.name else own
    asked = {**_searching(chosen.backend, say, taken, options), **asked}
    session = open_session(program.graph, chosen.backend, precision=chosen.precision, **asked)
    model = Model(session, program.contract, network)
    model.chosen = replace(chosen, backend=taken[-1]) if taken else chosen
    return model


def _chosen(model: Model, taken: list[str], precision: str) -> Model:
    """A model that knows which back end was found to be the fastest, if that was looked for."""
    if taken:
        from .precision import Chosen

        model.chosen = Chosen(taken[-1], Precision.of(precision))
    return model


def _load_written(
    written: Format,
    path: Path,
    backend: str,
    names: str | Path | None,
    letterbox: bool | None,
    precision: str,
    say: Say | None,
    options: dict[str, object],
) -> Model:
    from ..contract.contract import resized
    from ..zoo.names import find_names

    if written.contract is None:
        raise DataError(f"{path} is {written.title}, which is not run here: {written.home}")
    contract = replace(written.contract(path), origin=written.title, names_origin=str(path))
    if names is not None:
        known = find_names(contract.classes, given=names)
        told = tuple(f"warning: {note}" for note in known.notes)
        contract = replace(contract, names=known.names, names_origin=known.origin, diagnostics=told)
    if letterbox is not None:
        contract = replace(contract, resize=resized(letterbox, bool(contract.decoders)))
    if contract.batch is None and not reader(path, backend).any_batch:
        contract = replace(contract, batch=1)
    taken: list[str] = []
    asked = {**_searching(backend, say, taken, options), **options, "precision": precision}
    return _chosen(Model(open_file(path, backend, **asked), contract), taken, precision)
