"""The names of classes: from a .names file, from the .data file that points to one, or COCO's or ImageNet's.

Decision: names are never invented silently. `find_names` says where they came from, and numbers stand in for names that
nobody gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError
from ..files import read_whole

MAX_BYTES = 1 << 24

# The 80 classes of COCO's detection task in the order of Darknet's networks (data/coco.names).
_COCO = """
    person, bicycle, car, motorbike, aeroplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign,
    parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella,
    handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
    surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
    broccoli, carrot, hot dog, pizza, donut, cake, chair, sofa, pottedplant, bed, diningtable, toilet, tvmonitor,
    laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase,
    scissors, teddy bear, hair drier, toothbrush
"""
COCO: tuple[str, ...] = tuple(name.strip() for name in _COCO.split(","))

# COCO's own numbers of these 80 classes: 91 were planned, 11 of them never used (cocodataset.org).
COCO_IDS: tuple[int, ...] = tuple(i for i in range(1, 91) if i not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83))

IMAGENET = 1000

NAMES_KEYS = ("names", "labels")  # of a .data file: detector.c reads names, classifier.c falls back to labels


@dataclass(frozen=True)
class Names:
    """The name of each class, and in words where the names came from."""

    names: tuple[str, ...]
    origin: str


def read_names(path: str | Path) -> tuple[str, ...]:
    """The names in a file: one a line, or the file that `names=` in a .data file points to. Raises `DataError`.

    A .data file writes paths as Darknet opens them, relative to the working directory; they are looked for beside the
    .data file too.
    """
    path = Path(path)
    text = _read(path)
    if path.suffix != ".data":
        return tuple(line.strip() for line in text.rstrip().splitlines())
    options = _options(text)
    written = next((options[k] for k in NAMES_KEYS if options.get(k)), None)
    if written is None:
        raise DataError(f"{path} has no line names=")
    return read_names(find_written(written, path))


def find_written(written: str, data: Path) -> Path:
    """The file or folder that a .data file writes as `written`. Raises `DataError` if it is nowhere."""
    places = _places(written, data.parent)
    found = next((p for p in places if p.exists()), None)
    if found is None:
        raise DataError(f"{data} names {written}, which is not at {', '.join(map(str, places))}")
    return found


def read_options(path: str | Path) -> dict[str, str]:
    """The lines `key = value` of a .data file, without blanks, as Darknet reads them. Raises `DataError`."""
    return _options(_read(Path(path)))


def known_names(name: str) -> tuple[str, ...]:
    """The list called `name`: 'coco', or one that lies here as NAME.names. Raises `DataError` if there is none.

    >>> known_names("coco")[16], known_names("imagenet")[14]
    ('dog', 'malamute')
    """
    return COCO if name == "coco" else read_names(Path(__file__).with_name(f"{name}.names"))


def imagenet_names() -> tuple[str, ...]:
    """The 1000 classes of ImageNet in the order of Darknet's networks (the first of data/imagenet.shortnames.list).

    >>> imagenet_names()[14], imagenet_names().index("tench")
    ('malamute', 448)
    """
    return known_names("imagenet")


def find_names(
    classes: int, cfg: Path | None = None, given: str | Path | None = None, *, classifier: bool = False
) -> Names:
    """The names of `classes` classes: from `given`, or from files beside the cfg, or those that everybody means.

    80 are COCO's, 1000 of a classifier ImageNet's; else numbers.

    Raises `DataError` if the given file cannot be read or holds fewer names than there are classes.
    """
    if given is not None:
        names = read_names(given)
        if len(names) < classes:
            raise DataError(f"{given} holds {len(names)} names, and the network has {classes} classes")
        return Names(names[:classes], str(given))
    for path in _candidates(cfg) if cfg else ():
        names = _try(path)
        if len(names) == classes:
            return Names(names, str(path))
    if classes == len(COCO):
        return Names(COCO, "the 80 classes of COCO (no .names or .data file beside the cfg)")
    if classifier and classes == IMAGENET:
        return Names(imagenet_names(), "the 1000 classes of ImageNet (no .names or .data file beside the cfg)")
    return Names(tuple(map(str, range(classes))), "numbers (no .names or .data file beside the cfg fits)")


def _candidates(cfg: Path) -> Iterator[Path]:
    yield from (p for p in (cfg.with_suffix(".names"), cfg.with_suffix(".data")) if p.is_file())
    yield from sorted(cfg.parent.glob("*.names"))
    yield from sorted(cfg.parent.glob("*.names.list"))
    yield from sorted(cfg.parent.glob("*.data"))


def _try(path: Path) -> tuple[str, ...]:
    try:
        return read_names(path)
    except DataError:
        return ()


def _places(written: str, folder: Path) -> list[Path]:
    """Where a path of a .data file may lie; `data/coco.names` is also looked for as `../data/coco.names`."""
    path = Path(written).expanduser()
    if path.is_absolute():
        return [path, folder / path.name]
    return [path, folder / path, folder.parent / path, folder / path.name]


def _options(text: str) -> dict[str, str]:
    lines = ("".join(line.split()).partition("=") for line in text.splitlines())
    pairs = [(key, value) for key, equals, value in lines if equals and not key.startswith(("#", ";"))]
    return dict(reversed(pairs))  # option_list.c option_find: the first of two counts


def _read(path: Path) -> str:
    data = read_whole(path, MAX_BYTES, "list of names")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
