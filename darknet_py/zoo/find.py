"""Where a network and its weights lie when the user gives a name: beside each other, in `weights/`, installed, in the
zoo.

Decision: looking is a list of places made first and walked after, so the error for what is not found can show the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import MAX_MESSAGE, Code, DataError, Say, WeightsMissing, shorten
from ..files import cache_dir, is_file, kind_of
from ..spelling import did_you_mean
from . import checkpoints, shipped
from . import models as zoo
from .names import read_names

# What AlexeyAB's trainer appends to the name of the cfg (detector.c train_detector).
TRAINED = ("", "_best", "_final", "_last")

STAND_IN = "yolov4-tiny"  # of the trained models the one for whoever only wants to see a detector work

# What other programs call their networks, by suffix: said where there is no such file, so that nobody looks for a typo.
_OTHERS = {
    ".pt": "a checkpoint of PyTorch", ".pth": "a checkpoint of PyTorch", ".h5": "a file of Keras",
    ".keras": "a file of Keras", ".pb": "a network of TensorFlow",
    ".caffemodel": "a network of Caffe", ".prototxt": "a network of Caffe", ".safetensors": "a file of safetensors",
    ".engine": "an engine of TensorRT",
    ".yaml": "a description of another program", ".yml": "a description of another program",
    ".weights": "a weights file: the cfg comes before it", ".data": "a .data file: the cfg comes before it",
    ".names": "a list of names: the cfg comes before it", ".jpg": "a picture: the cfg comes before it",
    ".jpeg": "a picture: the cfg comes before it", ".png": "a picture: the cfg comes before it",
    ".mp4": "a video: the cfg comes before it",
}  # fmt: skip

_TELLING = 3  # letters of a part of a name that say which is meant

# What `darknet-py export` writes and runs, each a finished network: a test holds these to `model.formats`.
EXPORTED = {
    ".onnx": "an ONNX file", ".xml": "a network of OpenVINO", ".param": "a network of ncnn",
    ".tflite": "a network of TensorFlow Lite", ".torchscript": "a TorchScript",
    ".pt2": "an exported program of PyTorch",
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """The files of a network; `weights` and `names` are None where only the cfg is known so far."""

    cfg: Path
    weights: Path | None = None
    names: Path | None = None


def find_network(name: str | Path, say: Say | None = None, *, trained: bool = True) -> Found:
    """The cfg called `name`: a path, a model of the zoo (downloaded if need be), or a cfg installed with this package.

    Without `trained` no weights are wanted, and none are downloaded: the cfg is that of `find_cfg`. Raises `DataError`
    if there is none, `ZooError` if the download fails.
    """
    if not trained:
        return Found(find_cfg(name, say))
    path = Path(name)
    if is_file(path):
        if path.suffix.lower() in EXPORTED:
            raise DataError(_finished(path))
        return Found(path)
    if str(name) in zoo.models():
        fetched = zoo.fetch(str(name), say)
        return Found(fetched.cfg, fetched.weights, fetched.names)
    installed = {p.stem: p for p in installed_cfgs()}
    # Cut the suffix off by hand: in yolo-fastest-1.1, `.1` is none.
    stem = str(name).removesuffix(".cfg")
    if stem in installed:
        return Found(installed[stem])
    if stem in zoo.models():
        return find_network(stem, say)
    if (kind := kind_of(path)) != "nothing":
        hint = "name a file; `darknet-py lint` alone reads open pipes" if kind == "a named pipe" else "name a file"
        hint = _cfgs_in(path) or hint if kind == "a folder" else hint
        raise DataError(f"{name or path} is {kind}, and a cfg was expected\n  hint: {hint}")
    told = shorten(str(name), MAX_MESSAGE)
    if "://" in str(name):
        raise DataError(f"{told} is an address, and a cfg was expected\n  hint: download it first: curl -LO {told}")
    suffix = path.suffix.lower()
    other = _OTHERS.get(suffix)
    meant = suggest(path.stem if other else stem)
    hint = meant or "a path, or a name that `darknet-py models` lists"
    if other:
        hint = f"by its suffix it would be {other}; {meant or f'a cfg is {hint}'}"
    elif finished := EXPORTED.get(suffix):
        hint = f"by its suffix it would be {finished}, which `darknet-py export` writes"
    raise DataError(f"no cfg {told!r}: there is no such file, and no network of that name\n  hint: {hint}")


def suggest(word: str) -> str | None:
    """A hint for a word that is the name of no network: the closest name, or how to list those that have it in them.

    >>> suggest("efm-codes")
    "did you mean 'yolov3-csppelee-efm-codes'?"
    >>> suggest("efm")
    "`darknet-py models '*efm*'` lists the networks with that in their names"
    """
    names = list_models()
    if close := did_you_mean(word, names):
        return close
    having = [name for name in names if word.lower() in name.lower()] if len(word) >= _TELLING else []
    if len(having) == 1:
        return f"did you mean {having[0]!r}?"
    return f"`darknet-py models '*{word}*'` lists the networks with that in their names" if having else None


def _finished(path: Path) -> str:
    hint = (
        "`darknet-py run`, `eval`, `serve`, `batch`, `summary` and `load` take files that `darknet-py export` wrote; "
        "`verify` and `bench` take them beside the cfg, with --exported"
    )
    return f"{path} is {EXPORTED[path.suffix.lower()]}, and a cfg was expected\n  hint: {hint}"


def _cfgs_in(folder: Path) -> str:
    """Which cfg of a folder may be meant, in words."""
    cfgs = sorted(str(p) for p in folder.glob("*.cfg"))
    shown = f"{', '.join(cfgs[:3])}{' …' if len(cfgs) > 3 else ''}"
    return f"{shown} {'is' if len(cfgs) == 1 else 'are'} in it" if cfgs else ""


def find_cfg(name: str | Path, say: Say | None = None) -> Path:
    """The cfg called `name`, for what reads no weights: none are downloaded.

    A name that both lists have means the installed cfg here: it has the structure of the trained model.
    """
    stem = str(name).removesuffix(".cfg")
    if is_file(name) or stem not in zoo.models():
        return find_network(name, say).cfg
    installed = {p.stem: p for p in installed_cfgs()}
    return installed.get(stem) or zoo.fetch_cfg(stem, say)


def find_weights(cfg: Path, say: Say | None = None) -> Path:
    """The weights of a cfg, by its name; those of a cfg of ours may come with it, or be a checkpoint.

    A network that comes trained means those weights, wherever one stands: a folder `weights/` there may be another
    version's. A cfg elsewhere, if only a copy, is its owner's, and so are the weights beside it.

    Raises `WeightsMissing`, which has every place looked at, `ZooError` if those that come with it are damaged or the
    checkpoint cannot be fetched.
    """
    own = shipped.shipped_networks().get(cfg.stem) if cfg in installed_cfgs() else None
    if own and own.weights:
        return shipped.check_shipped(own.weights)
    places = list(_weights_places(cfg))
    for place in places:
        if is_file(place):
            return shipped.check_shipped(place)
    if cfg.stem in checkpoints.trained_networks() and cfg in installed_cfgs():
        return checkpoints.fetch_checkpoint(cfg.stem, say)
    random = "`run --random-weights SEED` needs none, for timing and shape checks"
    if cfg in installed_cfgs() and cfg.stem not in zoo.models():
        message = f"no weights for {cfg.stem}: {own.absence if own else 'none are published for this network'}"
        hint = f"{own.remedy if own else _instead(cfg)}; your own go in with --weights FILE; {random}"
    else:
        *first, last = (f"{cfg.stem}{suffix}.weights" for suffix in TRAINED)
        message = f"no weights for {cfg}; looked at {', '.join(first)} and {last} beside it, in weights/ and the cache"
        fetched = f"`darknet-py download {cfg.stem}` fetches them"
        hint = f"{fetched if cfg.stem in zoo.models() else 'give them with --weights'}; {random}"
    raise WeightsMissing(message, Code.WEIGHTS_MISSING, hint, tuple(map(str, places)))


def _instead(cfg: Path) -> str:
    """What to do with a cfg that nobody published weights for: the trained network that does the same task.

    >>> _instead(find_cfg("cspresnext50"))
    '`darknet-py run cspresnext50_3rdparty_8xb32_in1k PICTURE` runs the one that another program trained'
    """
    twins = [name for name in checkpoints.trained_networks() if name.startswith((f"{cfg.stem}.", f"{cfg.stem}_"))]
    if twins:
        return f"`darknet-py run {twins[0]} PICTURE` runs the one that another program trained"
    if "[yolo]" not in cfg.read_text("utf-8"):
        return "`darknet-py models` lists networks with published weights"
    stand_in = f"`darknet-py run {STAND_IN} PICTURE` runs a trained detector, and fetches it"
    siblings = [name for name in shipped.ready_networks() if name.startswith(f"{cfg.stem}-")]
    return "; ".join([*(_sibling(cfg.with_name(f"{name}.cfg")) for name in siblings), stand_in])


def _sibling(cfg: Path) -> str:
    """In words, what a network of ours with weights finds."""
    names = ", ".join(read_names(cfg.with_suffix(".names")))
    return f"`darknet-py run {cfg.stem} PICTURE` runs this network as it is trained here, to find {names}"


def list_models(pattern: str = "*") -> list[str]:
    """The names that `load` knows without a path: trained models of the zoo, and the cfgs that come with this package.

    A name that both have (yolov3-tiny) means the trained model, and with `.cfg` after it the cfg.

    >>> list_models("csppelee-g*")
    ['csppelee-g25', 'csppelee-g75']
    >>> "yolov4-tiny" in list_models()
    True
    """
    names = {*zoo.models(), *(p.stem for p in installed_cfgs())}
    return sorted(n for n in names if fnmatchcase(n.lower(), pattern.lower().removesuffix(".cfg")))


def installed_cfgs() -> list[Path]:
    """The cfgs that come with this package, or lie in `cfgs/` of its checkout; the first place that has any counts."""
    found = (sorted(folder.rglob("*.cfg")) for folder in shipped.own_folders("cfgs") if folder.is_dir())
    return next((cfgs for cfgs in found if cfgs), [])


def _weights_places(cfg: Path) -> Iterator[Path]:
    names = [f"{cfg.stem}{suffix}.weights" for suffix in TRAINED]
    yield from (cfg.parent / name for name in names)
    yield from (Path("weights") / name for name in names)
    yield Path("weights") / cfg.stem / names[0]
    yield from (folder / names[0] for folder in shipped.own_folders("weights") if folder.is_dir())
    yield cache_dir() / cfg.stem / names[0]
