"""The tables of `CONTESTANTS.md` and the JSON beside them, from what the contestants found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from darknet_py.analysis.evaluate.record import Detected
from darknet_py.vision.labels import Labels
from tools.markdown import table

from .arithmetic import CENTRE, SHOWN, Scored, interval, mean_average_precision, score_photos
from .contestants import ZXING, Contestant, Run
from .photos import CLASSES, Photo

EVERY = tuple(range(len(CLASSES)))
FEW = 20  # objects, below which a class has no figures of its own
MENDED = """Boxes of this set were made from corners that a decoder gave. Of {photos} photos they were mended by hand
(`tools/train/codes/score/mended.toml` says each, and why): boxes of bars that reach far over other things, a code that
is labelled twice, codes that are not labelled. By the labels as they are, who finds exactly what is there finds
{most}, and has no more than that as AP50 either. By the mended ones, right class, an overlap of half:"""


@dataclass(frozen=True)
class Value:
    """A number between 0 and 1, and between what it lies in 95 of 100 draws of the photos."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "–"
        return f"{100 * self.value:.1f} ({100 * self.low:.0f}–{100 * self.high:.0f})"

    def to_dict(self) -> dict[str, float | None]:
        """Plain data; None where there is nothing to be measured."""
        fine = {k: None if math.isnan(v) else round(v, 5) for k, v in vars(self).items()}
        return dict(fine)


@dataclass(frozen=True, eq=False)
class Row:
    """A contestant on one set: what it found, with one thread, and its milliseconds on some photos with all threads."""

    contestant: Contestant
    run: Run
    at_once: float


def measured(scored: Scored, value: Callable[[Scored], float]) -> Value:
    """A number of what was found, with its interval."""
    count = len(scored.weight)
    return Value(value(scored), *interval(count, lambda weight: value(scored.drawn(weight))))


def recall(scored: Scored) -> float:
    """For `measured`."""
    return scored.recall


def precision(scored: Scored) -> float:
    """For `measured`."""
    return scored.precision


def finding(rows: Sequence[Row], photos: Sequence[Photo]) -> dict[str, dict[str, Any]]:
    """Of each contestant: recall and precision by each rule, by class, and false boxes on photos without codes."""
    return {row.contestant.name: _finding(row, photos) for row in rows if row.contestant.finds}


def _finding(row: Row, photos: Sequence[Photo]) -> dict[str, Any]:
    labels = [photo.labels for photo in photos]
    shown = [found.above(SHOWN) for found in row.run.found]
    classes = len(CLASSES)
    right, centre = (score_photos(shown, labels, classes, rule) for rule in (0.5, CENTRE))
    free = score_photos(shown, labels, classes, 0.5, any_class=True)
    free_centre = score_photos(shown, labels, classes, CENTRE, any_class=True)
    empty = [found for found, photo in zip(shown, photos, strict=True) if not len(photo.labels)]
    whole: dict[str, Any] = {
        name: {"recall": measured(scored, recall), "precision": measured(scored, precision)}
        for name, scored in (
            ("right class, IoU .5", right), ("any class, IoU .5", free), ("right class, centre", centre),
            ("any class, centre", free_centre),
        )
    }  # fmt: skip
    by_class = {
        CLASSES[c]: {"IoU .5": measured(right.of([c]), recall), "centre": measured(centre.of([c]), recall)}
        for c in row.contestant.kinds
        if right.objects[:, c].sum()
    }
    return {
        **whole, "by class": by_class,
        "false boxes": sum(len(one.cls) for one in empty), "photos without codes": len(empty),
        "milliseconds": row.at_once, "milliseconds of one thread": row.run.milliseconds,
        "version": row.run.version,
    }  # fmt: skip


def most(exact: Sequence[Photo], photos: Sequence[Photo]) -> dict[str, float]:
    """The recall of each class that somebody has who finds the labels of `exact`, by the labels of `photos`."""
    scored = score_photos(
        [_exactly(photo.labels) for photo in exact], [photo.labels for photo in photos], len(CLASSES), 0.5
    )
    return {name: scored.of([c]).recall for c, name in enumerate(CLASSES) if scored.objects[:, c].sum()}


def _exactly(labels: Labels) -> Detected:
    real = ~labels.difficult
    return Detected((1, 1), labels.cls[real], np.ones(real.sum(), np.float32), labels.boxes[real])


def precisions(row: Row, photos: Sequence[Photo]) -> dict[str, Value]:
    """AP50 of each class, of any code, and AP 0.5:0.95 of any code, from all finds however unsure."""
    labels = [photo.labels for photo in photos]
    right = score_photos(row.run.found, labels, len(CLASSES), 0.5)
    per_class = {
        f"AP50 {name}": measured(right.of([c]), lambda s: s.average_precision)
        for c, name in enumerate(CLASSES)
        if right.objects[:, c].sum()
    }
    ten = mean_average_precision(row.run.found, labels, 1, any_class=True)

    def mean(weight: np.ndarray) -> float:
        return float(np.mean([scored.drawn(weight).average_precision for scored in ten]))

    return {
        **per_class,
        "AP50 any code": measured(ten[0], lambda s: s.average_precision),
        "AP any code": Value(mean(ten[0].weight), *interval(len(photos), mean)),
    }


def at_precision(ours: Row, rows: Sequence[Row], photos: Sequence[Photo]) -> dict[str, dict[str, Any]]:
    """Our recall at the precision of each decoder, and how much more that is, by both rules, right class.

    Only the kinds that the decoder can find count, for both. A draw of photos is the same for both.
    """
    labels = [photo.labels for photo in photos]
    told: dict[str, dict[str, Any]] = {}
    for row in rows:
        told[row.contestant.name] = {}
        for name, rule in (("IoU .5", 0.5), ("centre", CENTRE)):
            kinds = row.contestant.kinds
            theirs, own = (score_photos(one.run.found, labels, len(CLASSES), rule).of(kinds) for one in (row, ours))
            told[row.contestant.name][name] = {
                "precision": theirs.precision, "their recall": theirs.recall,
                "our recall": own.recall_at(theirs.precision), "more": _more(own, theirs),
            }  # fmt: skip
    return told


def _more(own: Scored, theirs: Scored) -> Value:
    def more(weight: np.ndarray) -> float:
        other = theirs.drawn(weight)
        return own.drawn(weight).recall_at(other.precision) - other.recall

    return Value(more(own.weight), *interval(len(own.weight), more))


def reading(rows: Sequence[Row], photos: Sequence[Photo]) -> dict[str, dict[str, Any]]:
    """Of what codes say: how many labelled codes each reads, and how many texts are not those of zxing-cpp alone."""
    texts = {row.contestant.name: said(row.run, photos) for row in rows if row.contestant.reads}
    counts = np.array([(~photo.labels.difficult).sum() for photo in photos])
    first = texts.get(ZXING.name) or [{} for _ in photos]
    told = {}
    for row in rows:
        if not row.contestant.reads:
            continue
        mine = texts[row.contestant.name]
        read = np.array([len(one) for one in mine])

        def share(weight: np.ndarray, read: np.ndarray = read) -> float:
            return float(weight @ read / (weight @ counts))

        both = [(a[k], b[k]) for a, b in zip(first, mine, strict=True) for k in a.keys() & b.keys()]
        told[row.contestant.name] = {
            "read": int(read.sum()), "share": Value(share(np.ones(len(photos))), *interval(len(photos), share)),
            "by both": len(both), "other text": sum(a != b for a, b in both),
            "milliseconds of one thread": row.run.milliseconds,
        }  # fmt: skip
    return told


def said(run: Run, photos: Sequence[Photo]) -> list[dict[int, str]]:
    """What the labelled codes of each photo say, by the number of the label: class and place must be right."""
    return [_said(f, t, photo) for f, t, photo in zip(run.found, run.texts, photos, strict=True)]


def _said(found: Detected, texts: Sequence[str | None], photo: Photo) -> dict[int, str]:
    said: dict[int, str] = {}
    labels = photo.labels
    for cls, conf, box, text in zip(found.cls, found.conf, found.boxes, texts, strict=True):
        if text is None or conf <= SHOWN:
            continue
        apart = np.abs(labels.boxes[:, :2] - box[:2]) / (labels.boxes[:, 2:] / 2)
        fits = (apart <= 1).all(axis=1) & (labels.cls == cls) & ~labels.difficult
        if fits.any():
            said.setdefault(int(np.where(fits, apart.max(axis=1), np.inf).argmin()), text)
    return said


# -- Markdown ----------------------------------------------------------------------------------------------------


def finding_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """All kinds together."""
    head = (
        "contestant", "found: right class, IoU .5", "precision", "found: any class, IoU .5", "precision",
        "found: right class, centre inside", "precision", "false boxes on photos without codes", "ms, one thread", "ms",
    )  # fmt: skip
    names = ("right class, IoU .5", "any class, IoU .5", "right class, centre")
    rows = [
        [
            name, *(one[rule][what] for rule in names for what in ("recall", "precision")),
            f"{one['false boxes']} on {one['photos without codes']}",
            f"{one['milliseconds of one thread']:.1f}", f"{one['milliseconds']:.1f}",
        ]
        for name, one in found.items()
    ]  # fmt: skip
    return table(head, rows)


def class_table(found: Mapping[str, Mapping[str, Any]], objects: Sequence[int], rule: str) -> str:
    """Recall of each kind of which there are enough."""
    shown = [c for c in EVERY if objects[c] >= FEW]
    head = ("contestant", *(f"{CLASSES[c]} ({objects[c]})" for c in shown))
    rows = []
    for name, one in found.items():
        cells = [one["by class"].get(CLASSES[c], {}).get(rule, "") for c in shown]
        rows += [[name, *cells]] if any(map(str, cells)) else []
    return table(head, rows)


def precision_table(ours: Mapping[str, Mapping[str, Value]], objects: Sequence[int]) -> str:
    """Average precisions of the contestants that have a confidence."""
    few = {f"AP50 {CLASSES[c]}" for c in EVERY if objects[c] < FEW}
    columns = [name for name in next(iter(ours.values())) if name not in few]
    return table(("contestant", *columns), [[name, *(one[c] for c in columns)] for name, one in ours.items()])


def at_precision_table(told: Mapping[str, Mapping[str, Any]]) -> str:
    """Our recall at the precision of the others."""
    head = ("at the precision of", "rule", "precision", "its recall", "our recall", "more")
    rows = [
        [name, rule, *(f"{100 * one[k]:.1f}" for k in ("precision", "their recall", "our recall")), one["more"]]
        for name, rules in told.items()
        for rule, one in rules.items()
    ]
    return table(head, rows)


def mended_tables(told: Mapping[str, Any]) -> str:
    """What is found by labels that were mended, and the most that can be found by those that were not."""
    most = ", ".join(f"{100 * share:.1f} % of class {name}" for name, share in told["most"].items() if share < 1)
    text = MENDED.format(photos=told["changed"], most=most or "all")
    classes = class_table(told["finding"], told["objects"], "IoU .5")
    precise = [precision_table(told["precision"], told["objects"])] if "precision" in told else []
    return "\n\n".join([text, classes.rstrip("\n"), *precise])


def reading_table(told: Mapping[str, Mapping[str, Any]]) -> str:
    """How many codes are read."""
    head = ("reader", "codes read", "%", "read by zxing-cpp too, of these with another text", "ms, one thread")
    rows = [
        [
            name, one["read"], one["share"], f"{one['by both']}, {one['other text']}",
            f"{one['milliseconds of one thread']:.1f}",
        ]
        for name, one in told.items()
    ]  # fmt: skip
    return table(head, rows)


def plain(value: Any) -> Any:
    """Values as numbers and NaN as null, for JSON."""
    if isinstance(value, Value):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return None
    return value
