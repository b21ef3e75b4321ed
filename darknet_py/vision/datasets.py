"""Labelled pictures: what a `.data` file names, a list, a folder, PASCAL VOC's XML or COCO's JSON, as one value.

Decision: a `Dataset` is the list of its pictures and where each one's labels are, nothing more; pictures and labels are
read when they are asked for. Which layout was found, and how many labels are missing, are part of it, because a wrong
guess there is the commonest cause of wrong numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import DataError, counted
from ..files import is_file, read_whole
from ..zoo.names import NAMES_KEYS, decoded, find_written, read_names, read_options
from .labels import Fault, Labels, read_coco, read_labels, read_voc
from .picture import SUFFIXES

MAX_LIST = 1 << 30  # bytes: a list of ten million paths
MAX_LABELS = 1 << 24  # bytes of a classifier's list of labels

BESIDE, REPLACED, VOC, COCO, MISSING = (
    "beside the pictures", "in labels/ instead of images/", "in Annotations/ (VOC)", "in a COCO file", "missing",
)  # fmt: skip


@dataclass(frozen=True)
class Example:
    """A picture and where its labels are: a file, or already read, or nowhere.

    `difficult` is a second file, of objects that count for nothing, whether found or not.
    """

    picture: Path
    labels: Path | Labels | None
    layout: str
    difficult: Path | None = None

    def read(self, names: tuple[str, ...]) -> tuple[Labels, tuple[Fault, ...]]:
        """Its objects, and the faults of its labels. Raises `DataError` if the file cannot be read."""
        found, faults = self._own(names)
        if self.difficult is None:
            return found, faults
        hard, more = read_labels(self.difficult, len(names) or None)
        return found.and_difficult(hard), (*faults, *more)

    def _own(self, names: tuple[str, ...]) -> tuple[Labels, tuple[Fault, ...]]:
        if isinstance(self.labels, Labels):
            return self.labels, ()
        if self.labels is None:
            return Labels.of([]), ()
        if self.labels.suffix == ".xml":
            return read_voc(self.labels, names)
        return read_labels(self.labels, len(names) or None)


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures in order. `names` are the classes' as the data set has them, or nobody's: ()."""

    path: Path
    examples: tuple[Example, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def missing(self) -> int:
        """How many pictures have no labels: their objects count as none."""
        return sum(e.labels is None for e in self.examples)

    def describe(self) -> str:
        """In words, where the labels are.

        >>> Dataset(Path("a"), (Example(Path("a.jpg"), Path("a.txt"), BESIDE),), ()).describe()
        '1 picture, labels beside the pictures'
        """
        count = Counter(e.layout for e in self.examples)
        places = [place for place, _ in count.most_common() if place != MISSING]
        text = f"{counted(len(self), 'picture')}, labels {' and '.join(places) or MISSING}"
        return f"{text}, {count[MISSING]} without" if count[MISSING] and places else text


def open_dataset(path: str | Path, split: str = "valid", *, pictures: str | Path | None = None) -> Dataset:
    """A data set: a `.data` file (its `split`, valid or train), a list of pictures, a folder, or a COCO file.

    Labels lie beside each picture, or in labels/ where the picture is in images/, or in Annotations/ where it is in
    JPEGImages/. `pictures` is the folder of a COCO file's pictures (default: searched beside it). Raises `DataError` if
    there are no pictures, or none with labels, and for `pictures` of anything else.
    """
    path = Path(path)
    found = _open(path, split, Path(pictures) if pictures else None)
    if not found.examples:
        raise _nothing_in(path, split)
    if found.missing == len(found):
        first = found.examples[0].picture
        places = ", ".join(str(p) for p, _ in _label_places(first))
        raise DataError(
            f"{path}: none of its {counted(len(found), 'picture')} has labels; for the first they were looked for at "
            f"{places}"
        )
    return found


def check_pictures(paths: Sequence[Path], data: Path) -> None:
    """Raise `DataError` where some of the pictures of a data set are not there: it has to be whole to be measured."""
    gone = [path for path in paths if not is_file(path)]
    if gone:
        count = f"{len(gone):,} of its {counted(len(paths), 'picture')} are" if len(gone) > 1 else "a picture of it is"
        raise DataError(f"{data}: {count} not there: {gone[0]}{', …' * (len(gone) > 1)}")


def list_pictures(path: Path, split: str = "valid") -> list[Path]:
    """The pictures of a .data file's list, a list or a folder, whatever their labels are. Raises `DataError`."""
    pictures = _pictures(path, split)
    if not pictures:
        raise _nothing_in(path, split)
    return pictures


def _nothing_in(path: Path, split: str) -> DataError:
    """The error for a data set without pictures; of a .data file it names the list that is empty."""
    if path.suffix != ".data" or path.is_dir():
        return DataError(f"{path}: no pictures in it")
    options = read_options(path)
    key = split if options.get(split) else "train"
    return DataError(f"{path}: no pictures in {find_written(options[key], path)}, which {key}= names")


def read_class_labels(path: Path) -> tuple[str, ...]:
    """The labels of a classifier's .data file, one a line of the file that `labels=` names; () where it names none."""
    written = read_options(path).get("labels") if path.suffix == ".data" and not path.is_dir() else None
    if not written:
        return ()
    text = read_whole(find_written(written, path), MAX_LABELS, "list of labels").decode("utf-8", "replace")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _pictures(path: Path, split: str) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
    if path.suffix.lower() in (".yaml", ".yml"):
        raise DataError(f"{path} is another program's: give a .data file (classes, valid, names), a list, or a folder")
    if path.suffix != ".data":
        return list(_list(path, path.parent))
    options = read_options(path)
    written = options.get(split) or options.get("train")  # detector.c: valid is the train list by default
    if not written:
        raise DataError(f"{path} has no line {split}=")
    listed = find_written(written, path)
    return _pictures(listed, split) if listed.is_dir() else list(_list(listed, path.parent))


def _open(path: Path, split: str, pictures: Path | None) -> Dataset:
    if path.suffix == ".json" and not path.is_dir():
        return _open_coco(path, pictures)
    if path.suffix == ".data" and not path.is_dir() and (listed := _listed_coco(path, split)):
        return replace(_open_coco(listed, pictures), path=path)
    if pictures:
        raise DataError(f"{path} is no COCO file, whose pictures could be in another folder ({pictures}): leave it out")
    found = Dataset(path, tuple(map(labelled, _pictures(path, split))), ())
    return _named(found, split) if path.suffix == ".data" and not path.is_dir() else found


def _listed_coco(path: Path, split: str) -> Path | None:
    """The COCO file that a .data file names for a split, if it is one."""
    options = read_options(path)
    written = options.get(split) or options.get("train") or ""
    return find_written(written, path) if written.endswith(".json") else None


def _named(dataset: Dataset, split: str) -> Dataset:
    """The pictures of a .data file with its names, and the objects of its second list, which goes with `valid`."""
    path, examples = dataset.path, dataset.examples
    options = read_options(path)
    named = any(options.get(key) for key in NAMES_KEYS)
    if options.get("difficult") and split == "valid":
        examples = _with_difficult(examples, list(_list(find_written(options["difficult"], path), path.parent)), path)
    return replace(dataset, examples=examples, names=read_names(path) if named else ())


def _with_difficult(examples: tuple[Example, ...], pictures: list[Path], data: Path) -> tuple[Example, ...]:
    """The examples with the labels of a second list, picture by picture (detector.c validate_detector_map)."""
    if len(pictures) != len(examples):
        raise DataError(f"{data}: {len(pictures)} pictures in the list difficult=, and {len(examples)} in the first")
    files = [next((p for p, _ in _label_places(picture) if is_file(p)), None) for picture in pictures]
    return tuple(replace(e, difficult=file) for e, file in zip(examples, files, strict=True))


def _open_coco(path: Path, pictures: Path | None) -> Dataset:
    read = read_coco(path)
    above, name = path.parent.parent, path.stem.removeprefix("instances_")
    guesses = [path.parent, path.parent / "images", above / "images", above / name, above / "images" / name]
    folders = [pictures] if pictures else guesses
    first = read.pictures[0][0] if read.pictures else ""
    folder = next((f for f in folders if (f / first).is_file()), None)
    if folder is None:
        raise DataError(f"{path}: its pictures ({first}, …) are not in {', '.join(map(str, folders))}")
    return Dataset(path, tuple(Example(folder / name, labels, COCO) for name, labels in read.pictures), read.names)


def _list(path: Path, folder: Path) -> Iterator[Path]:
    """The paths in a list, as Darknet opens them, from the working directory, or else from `folder` or the list's."""
    try:
        data = read_whole(path, MAX_LIST, "list of pictures")
    except DataError as e:
        raise DataError(f"{e} (a .data file names it)" if path.parent != folder else str(e)) from None
    lines = _text_of_list(data, path).splitlines()
    bases = (Path(), folder, path.parent)
    for line in filter(None, map(str.strip, lines)):
        yield next((p for p in (base / line for base in bases) if is_file(p)), Path(line))


def _text_of_list(data: bytes, path: Path) -> str:
    """The text of a list in any of Unicode's encodings (PowerShell writes UTF-16), or else the bytes of paths."""
    text, encoding = decoded(data)
    if text is None:
        raise DataError(f"{path} has NUL bytes and is neither UTF-16 nor UTF-32: this is no list of pictures")
    return data.decode("utf-8", "surrogateescape") if encoding == "latin-1" else text


def labelled(picture: Path) -> Example:
    """A picture with the labels that lie where `open_dataset` looks for them, if there are some."""
    for labels, layout in _label_places(picture):
        if is_file(labels):
            return Example(picture, labels, layout)
    return Example(picture, None, MISSING)


def _label_places(picture: Path) -> Iterator[tuple[Path, str]]:
    """Where the labels of a picture may be: beside it first, as AlexeyAB's Darknet has it; the others' places then."""
    yield picture.with_suffix(".txt"), BESIDE
    parts = (
        picture.absolute().parts
        if "images" not in picture.parts and "JPEGImages" not in picture.parts
        else picture.parts
    )
    for i in reversed([i for i, part in enumerate(parts[:-1]) if part in ("images", "JPEGImages")]):
        yield Path(*parts[:i], "labels", *parts[i + 1 :]).with_suffix(".txt"), REPLACED
        if parts[i] == "JPEGImages":
            yield Path(*parts[:i], "Annotations", *parts[i + 1 :]).with_suffix(".xml"), VOC
