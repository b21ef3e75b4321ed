"""A detector on a labelled data set: Darknet's mAP, COCO's numbers beside it, and where the mistakes are.

Decision: the network runs once, at a low threshold, and its detections are recorded; all numbers are computed from the
record. So an interrupted evaluation goes on, and no number depends on another one's threshold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...analysis.evaluate.coco import check_coco, coco_numbers
from ...analysis.evaluate.darknet import DarknetMap
from ...analysis.evaluate.matching import Matches
from ...analysis.evaluate.record import RECORDED, Detected, append, evaluations, recorded
from ...analysis.evaluate.score import check_rules, score
from ...errors import DataError, counted
from ...model.model import Model
from ...model.opening import load
from ...model.stream import Workers
from ...vision.datasets import Dataset, check_pictures, open_dataset
from ...vision.labels import Fault, Labels

SCHEMA = "darknet-py/evaluation/1"

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an evaluation found. `found` and `labels` are picture by picture, in the order of the data set."""

    dataset: Dataset
    names: tuple[str, ...]
    darknet: DarknetMap
    coco: dict[str, float | None] | None
    matches: Matches
    found: tuple[Detected, ...]
    labels: tuple[Labels, ...]
    faults: tuple[Fault, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with `schema`; shares are between 0 and 1, and `seconds` is the time of a picture."""
        return {
            "schema": SCHEMA,
            "data": str(self.dataset.path),
            "pictures": len(self.dataset),
            "labels": self.dataset.describe(),
            "label_faults": len(self.faults),
            "seconds": round(self.seconds, 6),
            "darknet": self._darknet(),
            "coco": self.coco,
        }

    def _darknet(self) -> dict[str, Any]:
        d = self.darknet
        return {
            "map": d.map, "map_present": d.map_present, "iou_thresh": d.iou_thresh, "points": d.points,
            "conf_thresh": d.conf, "detections": d.detections, "objects": int(d.objects.sum()),
            "tp": int(d.by_score.tp.sum()), "fp": int(d.by_score.fp.sum()),
            "tp_as_darknet": int(d.as_darknet.tp.sum()), "fp_as_darknet": int(d.as_darknet.fp.sum()),
            "classes": [self._class(c) for c in range(len(d.ap))],
        }  # fmt: skip

    def _class(self, c: int) -> dict[str, Any]:
        d = self.darknet
        tp, fp, objects = int(d.by_score.tp[c]), int(d.by_score.fp[c]), int(d.objects[c])
        precision, recall = tp / (tp + fp) if tp + fp else 0.0, tp / objects if objects else 0.0
        threshold, f1 = d.curves[c].best()
        return {
            "class_id": c, "name": self.names[c], "ap": float(d.ap[c]), "objects": objects,
            "tp": tp, "fp": fp, "fn": objects - tp, "precision": precision, "recall": recall,
            "f1": 2 * precision * recall / (precision + recall) if tp else 0.0,
            "tp_as_darknet": int(d.as_darknet.tp[c]), "fp_as_darknet": int(d.as_darknet.fp[c]),
            "best_conf": threshold, "best_f1": f1,
        }  # fmt: skip


def evaluate(
    network: Model | str | Path,
    data: Dataset | str | Path,
    *,
    iou_thresh: float = 0.5,
    points: int = 0,
    conf: float | None = None,
    iou: float | None = None,
    coco: bool | None = None,
    clip: bool = True,
    batch: int = 1,
    workers: Workers = 0,
    resume: bool = True,
    recipe: tuple[str | Path, dict[str, Any]] | None = None,
    progress: Callable[[int, int], None] | None = None,
    say: Say | None = None,
    **options: Any,
) -> Evaluation:
    """Evaluate a detector on labelled pictures: Darknet's `detector map`, and COCO's numbers.

    `network` is a model, or what `load` opens with `options`; `data` a data set, or what `open_dataset` opens.
    `iou_thresh`, `points` and `conf` are Darknet's -iou_thresh, -points and -thresh; `iou` is the overlap that
    suppresses; where these two are not given, an exported file's own count. `coco` False leaves COCO's numbers out,
    True demands them, None takes them if faster-coco-eval is installed; `clip` cuts boxes at the border for them,
    Darknet's stay as they are. With `resume`, detections are recorded in the cache folder until the end, and an
    evaluation of the same files that was stopped goes on: `recipe` says what an open model was opened from, without it
    only what is opened here is resumed. `progress` is told of pictures done and all. Raises `DarknetError`.
    """
    check_rules(points, iou_thresh)
    for name, given in (("conf", conf), ("iou", iou)):
        if given is not None and not 0 <= given <= 1:
            raise DataError(f"{name} is between 0 and 1, not {given}")
    if coco:
        check_coco()
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    if not isinstance(network, Model):
        recipe = (network, options)
    model = network if isinstance(network, Model) else load(network, say=say, **options)
    if not model.contract.decoders:
        raise DataError("this network finds no boxes: use evaluate_classifier for a classifier")
    conf = model.contract.threshold if conf is None else conf
    iou = model.contract.iou if iou is None else iou
    names = tuple(model.names.values())
    _compare_names(dataset, names)
    check_pictures([example.picture for example in dataset.examples], dataset.path)
    read = [example.read(names) for example in dataset.examples]  # before hours are spent: one broken file ends it
    record = _record(model, recipe, dataset, iou) if resume and recipe else None
    found = _detect(model, dataset, iou, batch, workers, record, progress, say)
    labels, faults = tuple(one for one, _ in read), tuple(fault for _, some in read for fault in some)
    matches, as_darknet = score(found, labels, len(names), iou_thresh=iou_thresh, points=points, conf=conf)
    evaluation = Evaluation(
        dataset, names, as_darknet,
        _coco(found, labels, len(names), coco, clip), matches, tuple(found), labels, faults,
        float(np.median([one.seconds for one in found])),
    )  # fmt: skip
    if record:
        record.unlink(missing_ok=True)
    return evaluation


def _compare_names(dataset: Dataset, names: tuple[str, ...]) -> None:
    if dataset.names and len(dataset.names) != len(names):
        raise DataError(
            f"{dataset.path} names {len(dataset.names)} classes, and the network has {len(names)}: "
            "the labels are of another network"
        )


def _coco(
    found: list[Detected], labels: tuple[Labels, ...], classes: int, wanted: bool | None, clip: bool
) -> dict[str, float | None] | None:
    if wanted is False:
        return None
    try:
        return coco_numbers(found, labels, classes, clip=clip)
    except DataError:
        if wanted:
            raise
        return None


def _record(model: Model, recipe: tuple[str | Path, dict[str, Any]], dataset: Dataset, iou: float) -> Path:
    """The file in which this very evaluation is recorded: the same files, options and pictures have the same."""
    network, options = recipe
    digest = hashlib.sha256()
    for path in (network, options.get("weights"), options.get("names"), *(e.picture for e in dataset.examples)):
        digest.update(f"{path} {_stamp(path)}\n".encode("utf-8", "surrogateescape"))
    digest.update(repr((iou, sorted((k, repr(v)) for k, v in options.items()), model.contract.shape)).encode())
    return evaluations() / f"{digest.hexdigest()[:32]}.npy"


def _stamp(path: object) -> tuple[int, int] | None:
    try:
        state = Path(str(path)).stat()
    except (OSError, ValueError):
        return None
    return state.st_size, state.st_mtime_ns


def _detect(
    model: Model, dataset: Dataset, iou: float, batch: int, workers: Workers, record: Path | None,
    progress: Callable[[int, int], None] | None, say: Say | None,
) -> list[Detected]:  # fmt: skip
    """The detections of every picture, from the record where it has them."""
    count = len(dataset)
    known, whole = recorded(record) if record else ({}, 0)
    known = {i: one for i, one in known.items() if 0 <= i < count}
    if known and say:
        say(f"{len(known)} of {counted(count, 'picture')} done before; going on")
    todo = [i for i in range(count) if i not in known]
    for i, one in zip(todo, _run(model, dataset, todo, iou, batch, workers, record, whole), strict=True):
        known[i] = one
        if progress:
            progress(len(known), count)
    return [known[i] for i in range(count)]


def _run(
    model: Model,
    dataset: Dataset,
    todo: list[int],
    iou: float,
    batch: int,
    workers: Workers,
    record: Path | None,
    whole: int,
) -> Iterator[Detected]:
    sources = (str(dataset.examples[i].picture) for i in todo)
    results = model(
        (s for s in sources), RECORDED, iou, batch=batch, workers=workers, classes=model.contract.every_class
    )
    if record is None:
        yield from map(Detected.of, results)
        return
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.open("ab") as file:
        file.truncate(whole)
        for i, one in zip(todo, map(Detected.of, results), strict=True):
            append(file, i, one)
            yield one
