"""Where a network and its weights lie when the user gives a name: beside each other, in `weights/`, installed, in the
zoo.

Decision: looking is a list of places made first and walked after, so the error for what is not found can show the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import Code, DataError, Say, WeightsError, did_you_mean
from ..files import cache_dir
from . import checkpoints
from . import models as zoo

# What AlexeyAB's trainer appends to the name of the cfg (detector.c train_detector).
TRAINED = ("", "_best", "_final", "_last")


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
    if path.is_file():
        return Found(path)
    if str(name) in zoo.models():
        fetched = zoo.fetch(str(name), say)
        return Found(fetched.cfg, fetched.weights, fetched.names)
    installed = {p.stem: p for p in installed_cfgs()}
    # Cut the suffix off by hand: in yolo-fastest-1.1, `.1` is none.
    stem = str(name).removesuffix(".cfg")
    if stem in installed:
        return Found(installed[stem])
    if path.exists():
        raise DataError(f"{name or path} is a {'folder' if path.is_dir() else 'device'}, and a cfg was expected")
    hint = did_you_mean(stem, {*installed, *zoo.models()}) or "a path, or a name that `darknet-py models` lists"
    raise DataError(f"no cfg {str(name)!r}: there is no such file, and no network of that name\n  hint: {hint}")


def find_cfg(name: str | Path, say: Say | None = None) -> Path:
    """The cfg called `name`, for what reads no weights: none are downloaded.

    A name that both lists have means the installed cfg here: it has the structure of the trained model.
    """
    if Path(name).is_file() or str(name) not in zoo.models():
        return find_network(name, say).cfg
    installed = {p.stem: p for p in installed_cfgs()}
    return installed.get(str(name)) or zoo.fetch_cfg(str(name), say)


def find_weights(cfg: Path, say: Say | None = None) -> Path:
    """The weights of a cfg, by its name; those of a cfg of ours for a trained network are its checkpoint.

    Raises `WeightsError` that lists every place looked at, `ZooError` if the checkpoint cannot be fetched.
    """
    places = list(_weights_places(cfg))
    for place in places:
        if place.is_file():
            return place
    if cfg.stem in checkpoints.trained_networks() and cfg in installed_cfgs():
        return checkpoints.fetch_checkpoint(cfg.stem, say)
    looked = "".join(f"\n  {p}" for p in places)
    fetched = f"`darknet-py download {cfg.stem}` fetches them"
    get = fetched if cfg.stem in zoo.models() else "give them with --weights"
    hint = f"{get}; --random-weights SEED runs without them, for timing and shape checks"
    raise WeightsError(f"no weights for {cfg}; looked at{looked}", Code.WEIGHTS_MISSING, hint)


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
    found = (sorted(folder.rglob("*.cfg")) for folder in _own("cfgs") if folder.is_dir())
    return next((cfgs for cfgs in found if cfgs), [])


def _weights_places(cfg: Path) -> Iterator[Path]:
    names = [f"{cfg.stem}{suffix}.weights" for suffix in TRAINED]
    yield from (cfg.parent / name for name in names)
    yield from (Path("weights") / name for name in names)
    yield Path("weights") / cfg.stem / names[0]
    yield from (folder / names[0] for folder in _own("weights") if folder.is_dir())
    yield cache_dir() / cfg.stem / names[0]


def _own(kind: str) -> tuple[Path, ...]:
    """Where files of this package may lie: inside it, or in its checkout."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent
    return (package / kind, checkout / kind) if (checkout / "setup.cfg").is_file() else (package / kind,)
