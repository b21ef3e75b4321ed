"""The names of classes: from a .names file, from the .data file that points to one, or COCO's or ImageNet's.

Decision: names are never invented silently. `find_names` says where they came from, and numbers stand in for names that
nobody gives.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..contract.trust import MAX_NUMBERED
from ..errors import MAX_MESSAGE, DataError, counted, shorten
from ..files import is_file, kind_of, read_whole
from .shipped import own_folders

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

# Before the others of the same beginning: the mark of UTF-32 begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"), (b"\x84\x31\x95\x33", "gb18030"),
)  # fmt: skip
UNMARKED = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")  # what a text with NUL bytes may be in
LINE_END = re.compile(r"\r*\n|\r")  # what programs write that take CR LF for a line with a CR ends in CR CR LF

# The lists that lie here: of ImageNet in Darknet's order with one word each, and in the order of WordNet's numbers,
# which PyTorch's programs have, with all words of each class.
CLASS_LISTS = ("coco", "imagenet", "imagenet-synsets")

NAMES_KEYS = ("names", "labels")  # of a .data file: detector.c reads names, classifier.c falls back to labels


class ByNumber(dict[int, str]):
    """The name of each class by its number; one without a name is called by its number.

    >>> ByNumber(("cat", "dog"))[1], ByNumber(())[7]
    ('dog', '7')
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(enumerate(names))

    def __missing__(self, number: int) -> str:
        return str(number)

    def __reduce__(self) -> tuple[type[ByNumber], tuple[tuple[str, ...]]]:
        return ByNumber, (tuple(self.values()),)


@dataclass(frozen=True)
class Names:
    """The name of each class, in words where the names came from, and what is odd about them, a sentence each."""

    names: tuple[str, ...]
    origin: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _List:
    """What a file says: names, the number of classes that a .data file gives, and what is odd, a sentence each."""

    names: tuple[str, ...]
    path: Path
    notes: tuple[str, ...] = ()
    classes: int | None = None
    data: Path | None = None

    def compared(self, classes: int) -> tuple[str, ...]:
        """`notes` and what does not go together with a network of so many classes."""
        own = f"the network has {counted(classes, 'class', 'es')}"
        told = [*self.notes]
        if len(self.names) > classes:
            held = counted(len(self.names), "name")
            told.append(f"{self.path} holds {held}, and {own}: are these the names of another network?")
        if self.classes is not None and self.classes != classes:
            told.append(f"{self.data} says classes={self.classes}, and {own}: is it for another cfg?")
        return tuple(told)


def read_names(path: str | Path) -> tuple[str, ...]:
    """The names in a file: one a line, or the file that `names=` in a .data file points to. Raises `DataError`.

    A .data file writes paths as Darknet opens them, relative to the working directory; they are looked for beside the
    .data file too. Text is UTF-8, or UTF-16 or UTF-32 with or without a byte-order mark, and Latin-1 if nothing else.
    """
    return _read_list(Path(path)).names


def _read_list(path: Path, depth: int = 0) -> _List:
    text, odd = _read(path)
    if path.suffix != ".data":
        names = tuple(line.strip() for line in LINE_END.split(text.rstrip()))
        return _List(names, path, (*odd, *_repeated(names, path)))
    if depth:  # which may point to the first one again
        hint = "names= of a .data file is the path of a list, a name on each line"
        raise DataError(f"{path} is a .data file, and is named in another one\n  hint: {hint}")
    options = _options(text)
    written = next((options[k] for k in NAMES_KEYS if options.get(k)), None)
    if written is None:
        raise DataError(f"{path} has no line names=")
    inner = _read_list(find_written(written, path), depth + 1)
    said = options.get("classes", "")
    classes = int(said) if said.isascii() and said.isdigit() else None
    return _List(inner.names, inner.path, (*odd, *inner.notes), classes, path)


def find_written(written: str, data: Path) -> Path:
    """The file or folder that a .data file writes as `written`. Raises `DataError` if it is nowhere."""
    places = _places(written, data.parent)
    found = next((p for p in places if kind_of(p) in ("a file", "a folder")), None)
    if found is None:
        looked = shorten(", ".join(map(str, places)), 2 * MAX_MESSAGE)
        raise DataError(
            f"{data} names {shorten(written, MAX_MESSAGE)}, which is no file at {looked}{_blanks_taken(written, data)}"
        )
    return found


def _blanks_taken(written: str, data: Path) -> str:
    """A hint where a path is written with blanks, which Darknet takes out of each line of a .data file."""
    lines = LINE_END.split(_read(data)[0]) if data.suffix == ".data" else ()
    values = (line.partition("=")[2].strip() for line in lines)
    if not any("".join(value.split()) == written != value for value in values):
        return ""
    return "\n  hint: Darknet takes blanks out of the lines of a .data file: give it a path without any (a link, say)"


def read_options(path: str | Path) -> dict[str, str]:
    """The lines `key = value` of a .data file, without blanks, as Darknet reads them. Raises `DataError`."""
    return _options(_read(Path(path))[0])


def _repeated(names: tuple[str, ...], path: Path) -> Iterator[str]:
    """What is said of names that two classes have, and of lines without one."""
    if len(set(names)) == len(names) and "" not in names:
        return
    places: dict[str, list[int]] = {}
    for line, name in enumerate(names, 1):
        places.setdefault(name, []).append(line)
    empty = places.pop("", [])
    if empty and len(names) > 1:
        yield f"{path}: line {empty[0]} is empty, so class {empty[0] - 1} has no name"
    twice = [(name, lines) for name, lines in places.items() if len(lines) > 1]
    if twice:
        name, lines = twice[0]
        more = f" (and {counted(len(twice) - 1, 'more name')})" if len(twice) > 1 else ""
        yield f"{path}: {name!r} is the name of classes {lines[0] - 1} and {lines[1] - 1}{more}"


def known_names(name: str) -> tuple[str, ...]:
    """The list called `name`: 'coco', or one that lies here as NAME.names. Raises `DataError` if there is none.

    >>> known_names("coco")[16], known_names("imagenet")[14]
    ('dog', 'malamute')
    """
    if name == "coco":
        return COCO
    if not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII):  # it may come from a stranger's file, and becomes a path
        raise DataError(f"there is no list of names called {name[:60]!r}")
    return read_names(Path(__file__).with_name(f"{name}.names"))


def imagenet_names() -> tuple[str, ...]:
    """The 1000 classes of ImageNet in the order of Darknet's networks (the first of data/imagenet.shortnames.list).

    >>> imagenet_names()[14], imagenet_names().index("tench")
    ('malamute', 448)
    """
    return known_names("imagenet")


def find_names(
    classes: int,
    cfg: Path | None = None,
    given: str | Path | None = None,
    *,
    classifier: bool = False,
    known: str = "",
) -> Names:
    """The names of `classes` classes: from `given`, or from files beside the cfg, or those that everybody means.

    A copy of a cfg that comes with this package, with nothing beside it that fits, has the names that come with it. 80
    are COCO's, 1000 of a classifier ImageNet's; else numbers, which are not listed beyond `MAX_NUMBERED`. `known` is
    the list that the cfg itself names (see `known_names`): it counts before files that are not called as the cfg is.

    Raises `DataError` if the given file cannot be read or holds fewer names than there are classes.
    """
    if given is not None:
        found = _read_list(Path(given))
        if len(found.names) < classes:
            held, wanted = counted(len(found.names), "name"), counted(classes, "class", "es")
            raise DataError(f"{given} holds {held}, and the network has {wanted}")
        return Names(found.names[:classes], str(given), found.compared(classes))
    unfit: list[str] = []
    for path in _own_names(cfg) if cfg else ():
        try:
            found = _read_list(path)
        except DataError:
            continue
        if len(found.names) == classes:
            return Names(found.names, str(path), found.compared(classes))
        # meant for this cfg, where others may be for others
        held = f"{counted(len(found.names), 'name')}, and the network has {counted(classes, 'class', 'es')}"
        unfit.append(f"{path} holds {held}: it is not used")
    notes = tuple(dict.fromkeys(unfit))
    if known and len(known_names(known)) == classes:
        return Names(known_names(known), f"the list {known}, as the cfg says", notes)
    for path in (*_neighbours(cfg), *_installed(cfg)) if cfg else ():
        try:
            found = _read_list(path)
        except DataError:
            continue
        if len(found.names) == classes:
            return Names(found.names, str(path), found.compared(classes))
    if classes == len(COCO):
        return Names(COCO, "the 80 classes of COCO (no .names or .data file beside the cfg)", notes)
    if classifier and classes == IMAGENET:
        return Names(imagenet_names(), "the 1000 classes of ImageNet (no .names or .data file beside the cfg)", notes)
    listed = classes if classes <= MAX_NUMBERED else 0
    return Names(tuple(map(str, range(listed))), "numbers (no .names or .data file beside the cfg fits)", notes)


def _own_names(cfg: Path) -> Iterator[Path]:
    """The files that are called as the cfg is."""
    return (p for p in (cfg.with_suffix(".names"), cfg.with_suffix(".data")) if is_file(p))


def _neighbours(cfg: Path) -> Iterator[Path]:
    yield from sorted(cfg.parent.glob("*.names"))
    yield from sorted(cfg.parent.glob("*.names.list"))
    yield from sorted(cfg.parent.glob("*.data"))


def _installed(cfg: Path) -> Iterator[Path]:
    """The names that come with a cfg of ours, for one that is called so: its weights are found in this way too."""
    return (p for folder in own_folders("cfgs") if is_file(p := folder / f"{cfg.stem}.names"))


def _places(written: str, folder: Path) -> list[Path]:
    """Where a path of a .data file may lie; `data/coco.names` is also looked for as `../data/coco.names`."""
    path = Path(written).expanduser()
    if path.is_absolute():
        return [path, folder / path.name]
    return [*dict.fromkeys((path, folder / path, folder.parent / path, folder / path.name))]


def _options(text: str) -> dict[str, str]:
    lines = ("".join(line.split()).partition("=") for line in LINE_END.split(text))
    pairs = [(key, value) for key, equals, value in lines if equals and not key.startswith(("#", ";"))]
    return dict(reversed(pairs))  # option_list.c option_find: the first of two counts


def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and what there is to say about its encoding. Raises `DataError` for what is no text."""
    what = ".data file" if path.suffix == ".data" else "list of names"
    data = read_whole(path, MAX_BYTES, what)
    text, encoding = decoded(data)
    if text is None:
        raise DataError(f"{path} has NUL bytes and is neither UTF-16 nor UTF-32: this is no {what}")
    if encoding == "latin-1":
        return text, (f"{path} is not UTF-8 and was read as Latin-1: save it as UTF-8 if names look wrong",)
    if encoding in ("utf-8", "utf-8-sig"):
        return text, ()
    return text, (f"{path} is {encoding.upper()}, which Darknet cannot read",)


def decoded(data: bytes) -> tuple[str | None, str]:
    r"""A text and its encoding; None where bytes are no text.

    >>> decoded("car".encode("utf-16-be")), decoded(b"caf\xe9")
    (('car', 'utf-16-be'), ('café', 'latin-1'))
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            text = data.decode(encoding, errors="replace")
            return (None if "\0" in text else text), encoding
    if b"\0" in data:
        # The bytes of one order are often letters of other scripts in the other: most ASCII tells, at line ends anyhow.
        tried = ((_try(data, e), e) for e in UNMARKED)
        found = [(t, e) for t, e in tried if t is not None and _is_text(t)]
        return max(found, key=lambda pair: sum(map(str.isascii, pair[0]))) if found else (None, "")
    utf8 = _try(data, "utf-8")
    return (utf8, "utf-8") if utf8 is not None else (data.decode("latin-1"), "latin-1")


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_text(text: str) -> bool:
    return all(c.isprintable() or c in "\t\r\n" for c in text)
