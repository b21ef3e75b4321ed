"""What will go wrong before a day of training: labels, classes, pictures and boxes of a data set against its cfg.

Decision: everything is told at once, each fault with its file and line and what to do, the gravest first. Nothing is
changed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...analysis.anchors import OWN_ALL_ANCHORS, Assignment, mean_iou
from ...darknet.compile import compile_file
from ...errors import DataError, counted
from ...vision.datasets import Dataset, open_dataset
from ...vision.labels import Labels
from ...vision.sources import expand, pictures
from ...zoo.names import read_options
from .anchors import AnchorSection, anchor_sections

SCHEMA = "darknet-py/check/1"
SPLITS = ("train", "valid")
TINY = 3  # pixels of the input: smaller boxes vanish in the first strides
FEW = 20  # objects of a class that are too few to learn it
SHOWN = 5  # places of one kind that the text shows
POOR_FIT = 0.5  # mean IoU below which anchors are worth fitting anew


@dataclass(frozen=True)
class Finding:
    """Something that is wrong ('error') or doubtful ('warning'): what, where (all places), and what to do."""

    severity: str
    kind: str
    what: str
    remedy: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class DataCheck:
    """The findings of a data set, gravest first; `pictures` and `objects` of each split, `sizes` (n, 2) in pixels."""

    path: Path
    findings: tuple[Finding, ...]
    pictures: dict[str, int]
    objects: dict[str, int]
    counters: tuple[int, ...]
    names: tuple[str, ...]
    sizes: np.ndarray
    anchors: np.ndarray

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(f.severity == "error" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with `schema`."""
        return {
            "schema": SCHEMA, "data": str(self.path), "pictures": self.pictures, "objects": self.objects,
            "counters_per_class": list(self.counters), "findings": [asdict(f) for f in self.findings],
        }  # fmt: skip

    def __str__(self) -> str:
        parts = [
            f"{split}: {counted(n, 'picture')}, {counted(self.objects[split], 'object')}"
            for split, n in self.pictures.items()
        ]
        lines = [f"{self.path}: {'; '.join(parts)}"]
        for f in self.findings:
            lines.append(f"{f.severity}: {f.what}")
            lines += [f"    {place}" for place in f.places[:SHOWN]]
            lines += [f"    … and {len(f.places) - SHOWN} more"] if len(f.places) > SHOWN else []
            lines += [f"  hint: {f.remedy}"]
        return "\n".join(lines if self.findings else [*lines, "nothing wrong found"])


def check_data(
    data: str | Path, cfg: str | Path, *, size: tuple[int, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DataCheck:  # fmt: skip
    """What is wrong with a data set, alone and for the cfg that will be trained on it.

    `data` is a .data file (its train and valid lists), or any data set that `open_dataset` takes; `size` the (height,
    width) of the input instead of the cfg's. Every picture is decoded; `progress` is told of those done and all. Raises
    `DarknetError` only for what cannot be read at all.
    """
    path = Path(data)
    compilation = compile_file(cfg, size=size).check()
    heads = anchor_sections(compilation)
    classes = max([d.classes for d in compilation.decoders], default=0)
    if not classes:
        raise DataError(f"{cfg} finds no boxes: its data have no labels to check")
    _, height, width = compilation.graph.image.shape
    splits, findings = _splits(path)
    seen = _Seen((height, width), classes, Assignment.of(compilation))
    count = sum(map(len, splits.values()))
    for split, dataset in splits.items():
        for example in dataset.examples:
            seen.look(split, example.picture, *example.read(dataset.names))
            if progress:
                progress(seen.count, count)
    names = next((d.names for d in splits.values() if d.names), ())
    findings += [*_of_classes(path, names, classes, str(cfg)), *_of_labels(splits), *seen.findings()]
    counters = np.bincount(seen.classes("train" if "train" in splits else "valid"), minlength=classes)
    findings += _of_counters(counters, names)
    sizes, anchors = seen.sizes(), _anchors(heads)
    findings += _of_anchors(sizes, anchors)
    findings.sort(key=lambda f: f.severity)
    return DataCheck(
        path, tuple(findings), {s: len(d) for s, d in splits.items()}, {s: len(seen.classes(s)) for s in splits},
        tuple(counters.tolist()), names, sizes, anchors,
    )  # fmt: skip


def _splits(path: Path) -> tuple[dict[str, Dataset], list[Finding]]:
    if path.suffix != ".data":
        return {"train": open_dataset(path, "train")}, []
    options = read_options(path)
    found: dict[str, Dataset] = {}
    findings: list[Finding] = []
    for split in SPLITS:
        if not options.get(split):
            findings.append(Finding("warning", "lists", f"{path} has no line {split}=", f"add {split}=LIST"))
            continue
        found[split] = open_dataset(path, split)
    if not found:
        raise DataError(f"{path} names no list of pictures: write train=LIST and valid=LIST")
    return found, findings


class _Seen:
    """What was seen of the pictures so far."""

    def __init__(self, size: tuple[int, int], classes: int, assignment: Assignment) -> None:
        self.size, self.known, self.assignment = size, classes, assignment
        self.count = 0
        self.objects: dict[str, list[np.ndarray]] = {}
        self.boxes: list[np.ndarray] = []
        self.digests: dict[str, dict[str, list[str]]] = {}
        self.places: dict[str, dict[str, None]] = {}  # by kind; a picture may be on several lists

    def look(self, split: str, picture: Path, labels: Labels, faults: tuple[Any, ...]) -> None:
        """Take note of one picture and its labels."""
        self.count += 1
        for fault in faults:
            self._note("outside" if "leaves" in fault.what else "label", str(fault))
        known = labels.cls < self.known
        if not known.all():
            beyond = np.unique(labels.cls[~known]).tolist()
            self._note("class", f"{picture}: class{'es' * (len(beyond) > 1)} {', '.join(map(str, beyond))}")
        self.objects.setdefault(split, []).append(labels.cls[known])
        self.boxes.append(labels.boxes)
        rows, times = np.unique(np.column_stack([labels.cls, labels.boxes]), axis=0, return_counts=True)
        if (times > 1).any():
            self._note("twice", f"{picture}: {counted(len(labels) - len(rows), 'box', 'es')} given twice")
        sizes = labels.boxes[:, 2:].astype(np.float64) * self.size[::-1]
        for kind, found in (("tiny", (sizes < TINY).any(1)), ("lost", self.assignment.lost(sizes))):
            if found.any():
                self._note(kind, f"{picture}: {int(found.sum())} of {len(labels)} boxes")
        try:
            pixels = next(pictures(expand(picture, videos=False), say=partial(self._note, "cut"))).pixels
        except DataError as e:
            self._note("picture", str(e))
            return
        digest = hashlib.blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=16).hexdigest()
        self.digests.setdefault(digest, {}).setdefault(split, []).append(str(picture))

    def _note(self, kind: str, place: str) -> None:
        self.places.setdefault(kind, {})[place] = None

    def classes(self, split: str) -> np.ndarray:
        """The classes of all objects of a split, (n,)."""
        return np.concatenate([np.zeros(0, np.int64), *self.objects.get(split, [])])

    def sizes(self) -> np.ndarray:
        """Width and height of all boxes in pixels of the input, (n, 2)."""
        boxes = np.concatenate([np.zeros((0, 4), np.float32), *self.boxes])
        return boxes[:, 2:].astype(np.float64) * self.size[::-1]

    def findings(self) -> Iterator[Finding]:
        """What the pictures themselves have wrong."""
        height, width = self.size
        told = {
            "picture": ("error", "picture", " that cannot be read", "replace them or take them off the list"),
            "cut": ("warning", "cut picture", "", "fetch or copy them again: boxes may lie where only grey is left"),
            "label": (
                "error", "faulty line", " of labels", "each line is `class cx cy w h`, relative to the picture"
            ),
            "class": ("error", "picture", f" of classes beyond the cfg's {self.known}", "mend labels, or classes="),
            "outside": ("warning", "label", " of boxes that leave their picture", "cut them at its border"),
            "twice": ("warning", "picture", " with a box that is given twice", "delete the second line"),
            "tiny": (
                "warning", "picture", f" with boxes under {TINY} pixels at {width}x{height}", "take a larger input"
            ),
        }  # fmt: skip
        for kind, (severity, noun, rest, remedy) in told.items():
            places = tuple(self.places.get(kind, ()))
            if places:
                yield Finding(severity, kind, counted(len(places), noun) + rest, remedy, places)
        if doubt := self.assignment.doubt(self.sizes()):
            yield Finding("warning", "lost", doubt, OWN_ALL_ANCHORS, tuple(self.places["lost"]))
        both = [" = ".join(p for ps in d.values() for p in ps) for d in self.digests.values() if len(d) > 1]
        if both:
            what = f"{counted(len(both), 'picture')} in both train and valid: what valid says is too good"
            yield Finding("error", "overlap", what, "take them off one of the lists", tuple(both))
        same = [" = ".join(ps) for d in self.digests.values() for ps in d.values() if len(ps) > 1]
        if same:
            yield Finding(
                "warning", "duplicates", f"{counted(len(same), 'picture')} more than once", "keep one", tuple(same)
            )


def _of_classes(path: Path, names: tuple[str, ...], classes: int, cfg: str) -> Iterator[Finding]:
    written = read_options(path).get("classes") if path.suffix == ".data" else None
    if written is not None and written != str(classes):
        what = f"{path} says classes={written}, and {cfg} has {classes}"
        yield Finding("error", "classes", what, "change classes= in [yolo], and filters= of the layer before it")
    if names and len(names) != classes:
        what = f"{len(names)} names, and {cfg} has {classes} classes"
        yield Finding("error", "names", what, "one line of the names file is one class")
    if twice := sorted(n for n, k in Counter(names).items() if k > 1):
        yield Finding("warning", "names", f"names are given twice: {', '.join(twice)}", "give each class its own")


def _of_labels(splits: dict[str, Dataset]) -> Iterator[Finding]:
    for split, dataset in splits.items():
        without = tuple(str(e.picture) for e in dataset.examples if e.labels is None)
        if without:
            what = f"{counted(len(without), 'picture')} of {split} without labels, which teach that nothing is there"
            yield Finding("warning", "missing", what, "an empty file says that it is meant", without)


def _of_counters(counters: np.ndarray, names: tuple[str, ...]) -> Iterator[Finding]:
    def name(c: int) -> str:
        return names[c] if c < len(names) else f"class {c}"

    none = [name(int(c)) for c in np.flatnonzero(counters == 0)]
    few = [f"{name(int(c))}: {counters[c]}" for c in np.flatnonzero((counters > 0) & (counters < FEW))]
    if none:
        yield Finding(
            "warning",
            "counters",
            f"{counted(len(none), 'class', 'es')} without an object",
            "label some, or take them out",
            tuple(none),
        )
    if few:
        yield Finding(
            "warning",
            "counters",
            f"{counted(len(few), 'class', 'es')} with under {FEW} objects",
            "label more",
            tuple(few),
        )


def _anchors(heads: tuple[AnchorSection, ...]) -> np.ndarray:
    return np.array(list(dict.fromkeys(a for h in heads for a in h.anchors)), np.float64).reshape(-1, 2)


def _of_anchors(sizes: np.ndarray, anchors: np.ndarray) -> Iterator[Finding]:
    sizes = sizes[(sizes > 0).all(1)]
    if not len(anchors) or not len(sizes):
        return
    iou = mean_iou(sizes, anchors)
    if iou < POOR_FIT:
        what = f"the cfg's anchors fit these boxes badly: mean IoU {iou:.2f}"
        yield Finding("warning", "anchors", what, "darknet-py anchors fits others")


def plot_sizes(check: DataCheck, path: Path, *, replace: bool = False) -> Path:
    """A chart of the boxes' sizes with the anchors over them; needs matplotlib."""
    from ...analysis.chart import save_chart

    def draw(axes: Any) -> None:
        axes.scatter(*check.sizes.T, s=4, alpha=0.3, label=f"{len(check.sizes)} boxes")
        if len(check.anchors):
            axes.scatter(*check.anchors.T, s=60, marker="x", color="#d55e00", label=f"{len(check.anchors)} anchors")
        axes.set(xlabel="width (pixels of the input)", ylabel="height", title="Sizes of boxes, and anchors")
        axes.legend()

    return save_chart(path, draw, replace=replace)
