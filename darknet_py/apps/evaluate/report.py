"""An evaluation for people: the table, Darknet's own lines, CSV, charts and the pictures with the most mistakes."""

from __future__ import annotations

import csv
import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...analysis.chart import check_chart, save_chart
from ...analysis.evaluate.coco import has_coco
from ...analysis.evaluate.confusion import confusion_matrix
from ...analysis.evaluate.differences import differences
from ...analysis.evaluate.matching import overlaps
from ...analysis.evaluate.record import RECORDED, Detected
from ...analysis.evaluate.score import COUNTED
from ...errors import counted
from ...files import check_output, write_whole
from ...vision.draw import draw_boxes, write_picture
from ...vision.labels import Labels
from ...vision.sources import expand, pictures
from .run import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ...vision.datasets import Dataset

COLUMNS = ("class_id", "name", "objects", "tp", "fp", "fn", "precision", "recall", "f1", "ap", "best_conf", "best_f1")
PLOTS = ("PR_curve.png", "F1_curve.png", "confusion_matrix.png")
SHOWN_CURVES = 12  # beyond that, lines of single classes cannot be told apart: the mean only
NAMED_CELLS = 30  # classes whose names fit beside a confusion matrix
GREEN, RED, ORANGE = (80, 200, 80), (60, 60, 230), (0, 165, 255)  # BGR: right, wrong, missed


def format_evaluation(evaluation: Evaluation) -> str:
    """A line for each class that has objects or detections, sums, and what the numbers are.

    Counts are at the threshold and by falling score.
    """
    d = evaluation.to_dict()["darknet"]
    rows = [c for c in d["classes"] if c["objects"] or c["tp"] or c["fp"]]
    width = max([len("class"), *(len(c["name"]) for c in rows)])
    head = f"{'class':{width}}  objects     TP     FP     FN  precision  recall     F1      AP  best at"
    lines = [head, *(_row(c, width) for c in rows)]
    coco = evaluation.coco
    lines += [
        "",
        f"{evaluation.dataset.describe()}; {counted(d['objects'], 'object')}, "
        f"{counted(d['detections'], 'detection')} above 0.005",
        f"mAP@{d['iou_thresh']:.2f} = {d['map']:.4f} over all {len(d['classes'])} classes, as Darknet counts"
        f"; {d['map_present']:.4f} over those with objects",
        f"above {d['conf_thresh']:g}: TP {d['tp']}, FP {d['fp']} by falling score"
        f"; Darknet's order of visiting gives TP {d['tp_as_darknet']}, FP {d['fp_as_darknet']}",
    ]
    if coco:
        lines.append(_coco_line(coco))
    elif not has_coco():
        lines.append("COCO's numbers: install faster-coco-eval (the extra [eval])")
    lines.append(f"{1000 * evaluation.seconds:.1f} ms a picture (median)")
    if evaluation.dataset.missing:
        lines.append(
            f"{counted(evaluation.dataset.missing, 'picture')} without labels: all that is found there is false"
        )
    if evaluation.faults:
        lines.append(f"{counted(len(evaluation.faults), 'faulty label')}, the first: {evaluation.faults[0]}")
    return "\n".join(lines)


def _row(c: dict[str, object], width: int) -> str:
    return (
        f"{c['name']:{width}}  {c['objects']:7}  {c['tp']:5}  {c['fp']:5}  {c['fn']:5}  {c['precision']:9.3f}"
        f"  {c['recall']:6.3f}  {c['f1']:5.3f}  {c['ap']:6.4f}  {c['best_conf']:7.2f}"
    )


def _coco_line(coco: dict[str, float | None]) -> str:
    shown = "  ".join(f"{name} {'-' if coco[name] is None else format(coco[name], '.4f')}" for name in list(coco)[:6])
    return f"COCO: {shown}"


def explanation(evaluation: Evaluation) -> str:
    """Why COCO's numbers differ from Darknet's on these very detections: each rule, and how much it matters here."""
    d = evaluation.darknet
    seen = differences([one.above(COUNTED) for one in evaluation.found], evaluation.labels, d)
    classes, present = len(d.ap), len(d.ap) - seen.empty
    ap50 = (evaluation.coco or {}).get("AP50")
    beside = f" ({ap50:.4f})" if ap50 is not None else ""
    return "\n".join([
        f"Why COCO's AP50{beside} differs from Darknet's mAP@{d.iou_thresh:.2f} ({d.map:.4f}) on these pictures:",
        f"- {seen.empty} of {classes} classes have no object. Darknet counts them as 0, COCO leaves them out: over the "
        f"other {present} Darknet's mean is {d.map_present:.4f}.",
        f"- COCO reads precision at 101 points; so read, that mean would be {seen.at_points:.4f}.",
        f"- {seen.second} detections find their object taken and overlap another one that is free: COCO lets them have "
        "it, for Darknet they are false.",
        f"- {seen.exact} detections overlap by exactly {d.iou_thresh:g}: enough for COCO, too little for Darknet.",
        f"- COCO looks at scores above {RECORDED}, Darknet above {COUNTED}; and COCO's AP is a mean over ten overlaps, "
        "0.50 to 0.95.",
    ])  # fmt: skip


def darknet_lines(evaluation: Evaluation) -> str:
    """What `darknet detector map` prints, line for line, with Darknet's own counts."""
    m = evaluation.darknet
    counts, truths = m.as_darknet, int(m.objects.sum())
    tp, fp = int(counts.tp.sum()), int(counts.fp.sum())
    fn = truths - tp
    precision, recall = tp / (tp + fp) if tp + fp else 0.0, tp / truths if truths else 0.0
    f1 = 2 * precision * recall / (precision + recall) if tp else 0.0
    shared = 100 * float(counts.iou.sum()) / (tp + fp) if tp + fp else 0.0
    above = f" for conf_thresh = {m.conf:1.2f}"
    points = f"{m.points} Recall Points" if m.points else "Area-Under-Curve for each unique Recall"
    lines = [
        f" detections_count = {m.detections}, unique_truth_count = {truths}  ",
        *(
            f"class_id = {c}, name = {name}, ap = {100 * ap:2.2f}%   \t (TP = {counts.tp[c]}, FP = {counts.fp[c]}) "
            for c, (name, ap) in enumerate(zip(evaluation.names, m.ap, strict=True))
        ),
        "",
        f"{above}, precision = {precision:1.2f}, recall = {recall:1.2f}, F1-score = {f1:1.2f} ",
        f"{above}, TP = {tp}, FP = {fp}, FN = {fn}, average IoU = {shared:2.2f} % ",
        "",
        f" IoU threshold = {100 * m.iou_thresh:2.0f} %, used {points} ",
        f" mean average precision (mAP@{m.iou_thresh:0.2f}) = {m.map:f}, or {100 * m.map:2.2f} % ",
    ]
    return "\n".join(lines)


def write_csv(evaluation: Evaluation, path: Path, *, replace: bool = False) -> Path:
    """A row for each class, with the columns of `COLUMNS`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(evaluation.to_dict()["darknet"]["classes"])
    return write_whole(path, text.getvalue().encode(), replace=replace)


def write_plots(evaluation: Evaluation, folder: Path, *, replace: bool = False) -> list[Path]:
    """The `PLOTS` in a folder. Needs matplotlib."""
    drawn = (_precision_recall, _f1, _confusion)
    return [
        save_chart(folder / name, partial(draw, evaluation=evaluation), replace=replace)
        for name, draw in zip(PLOTS, drawn, strict=True)
    ]


def check_plots(folder: Path, *, replace: bool = False) -> None:
    """Raise what `write_plots` would, but for the disk's errors."""
    for name in PLOTS:
        check_chart(folder / name, replace=replace)


def _present(evaluation: Evaluation) -> list[int]:
    return [int(c) for c in np.flatnonzero(evaluation.darknet.objects)]


def _precision_recall(axes: Axes, evaluation: Evaluation) -> None:
    present = _present(evaluation)
    grid = np.linspace(0, 1, 101)
    curves = []
    for c in present:
        curve = evaluation.darknet.curves[c]
        envelope = np.maximum.accumulate(curve.precision[::-1])[::-1]
        at = np.searchsorted(curve.recall, grid)
        curves.append(np.where(at < len(envelope), np.append(envelope, 0)[np.minimum(at, len(envelope))], 0))
        if len(present) <= SHOWN_CURVES:
            axes.plot(grid, curves[-1], lw=1, label=f"{evaluation.names[c]} {evaluation.darknet.ap[c]:.3f}")
    if curves:
        axes.plot(grid, np.mean(curves, axis=0), color="black", lw=2,
                  label=f"mean of {len(present)} classes {evaluation.darknet.map_present:.3f}")  # fmt: skip
        axes.legend(fontsize=8)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02),
             title=f"Precision and recall, overlap > {evaluation.darknet.iou_thresh:g}")  # fmt: skip


def _f1(axes: Axes, evaluation: Evaluation) -> None:
    present = _present(evaluation)
    grid = np.linspace(0, 1, 501)
    curves = []
    for c in present:
        curve = evaluation.darknet.curves[c]
        at = np.searchsorted(-curve.conf, -grid, side="right")  # detections from this score on
        curves.append(np.concatenate([[0], curve.f1])[at])
        if len(present) <= SHOWN_CURVES:
            axes.plot(grid, curves[-1], lw=1, label=evaluation.names[c])
    if curves:
        mean = np.mean(curves, axis=0)
        best = int(mean.argmax())
        axes.plot(grid, mean, color="black", lw=2, label=f"mean, {mean[best]:.2f} at {grid[best]:.2f}")
        axes.legend(fontsize=8)
    axes.set(xlabel="confidence", ylabel="F1", xlim=(0, 1), ylim=(0, 1.02), title="F1 by confidence")


def _confusion(axes: Axes, evaluation: Evaluation) -> None:
    counts = confusion_matrix(evaluation.found, evaluation.labels, len(evaluation.names))
    shown = [*np.flatnonzero(counts[:-1, :].sum(1) + counts[:, :-1].sum(0)), len(evaluation.names)]
    part = counts[np.ix_(shown, shown)].astype(float)
    axes.imshow(part / np.maximum(part.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    names = [(*evaluation.names, "nothing")[i] for i in shown]
    if len(names) <= NAMED_CELLS:
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set(xlabel="found", ylabel="label", title="Confusion, rows sum to 1")


def mistakes(evaluation: Evaluation) -> list[tuple[int, int]]:
    """(mistakes, number) of every picture, most first: false detections above the threshold, and objects not found."""
    wrong = []
    for i, (found, labels) in enumerate(zip(evaluation.found, evaluation.labels, strict=True)):
        right, _ = _judge(evaluation, found, labels)
        shown = found.above(evaluation.darknet.conf)
        wrong.append((len(shown.cls) - int(right.sum()) + int((~labels.difficult).sum()) - int(right.sum()), i))
    return sorted(wrong, key=lambda pair: (-pair[0], pair[1]))


def _judge(evaluation: Evaluation, found: Detected, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Which detections above the threshold are right, and which objects are found."""
    shown = found.above(evaluation.darknet.conf)
    shared = np.where(shown.cls[:, None] == labels.cls[None], overlaps(shown.boxes, labels.boxes), 0)
    right, seen = np.zeros(len(shown.cls), bool), np.zeros(len(labels), bool)
    for i in range(len(shown.cls)):  # best first
        j = int(shared[i].argmax()) if len(labels) else -1
        if j >= 0 and shared[i, j] > evaluation.darknet.iou_thresh and not seen[j]:
            right[i] = seen[j] = True
    return right, seen


def write_worst(evaluation: Evaluation, folder: Path, count: int, *, replace: bool = False) -> list[Path]:
    """The `count` pictures with the most mistakes, drawn: found and right green, false red, missed orange."""
    written = []
    for rank, (wrong, i) in enumerate(mistakes(evaluation)[:count], 1):
        if not wrong:
            break
        picture = next(iter(pictures(expand(evaluation.dataset.examples[i].picture, videos=False))))
        path = folder / _worst_name(rank, Path(picture.path).stem)
        written.append(write_picture(path, _draw(evaluation, picture.pixels, i), replace=replace))
    return written


def check_worst(dataset: Dataset, folder: Path, count: int, *, replace: bool = False) -> None:
    """Raise `DataError` for a file in the folder that `write_worst` might come upon, and would not replace."""
    stems = dict.fromkeys(example.picture.stem for example in dataset.examples)
    check_output(folder / _worst_name(1, next(iter(stems))), replace=replace)  # whether there can be files at all
    for path in sorted(folder.glob("[0-9][0-9][0-9]*_*.jpg")):
        rank, _, stem = path.stem.partition("_")
        is_rank = rank.isdecimal() and 1 <= int(rank) <= count
        if is_rank and stem in stems and path.name == _worst_name(int(rank), stem):
            check_output(path, replace=replace)


def _worst_name(rank: int, stem: str) -> str:
    return f"{rank:03d}_{stem}.jpg"


def _draw(evaluation: Evaluation, pixels: np.ndarray, i: int) -> np.ndarray:
    labels, found = evaluation.labels[i], evaluation.found[i]
    shown = found.above(evaluation.darknet.conf)
    right, seen = _judge(evaluation, found, labels)
    missed = ~seen & ~labels.difficult
    height, width = pixels.shape[:2]
    scale = np.array([width, height] * 2, np.float32)
    objects = labels.boxes[missed]
    corners = np.concatenate([objects[:, :2] - objects[:, 2:] / 2, objects[:, :2] + objects[:, 2:] / 2], 1) * scale
    boxes = np.concatenate([corners, shown.corners().astype(np.float32)])
    colours = [ORANGE] * int(missed.sum()) + [GREEN if fine else RED for fine in right]
    names = evaluation.names
    texts = [f"missed: {names[c]}" for c in labels.cls[missed]]
    texts += [f"{names[c]} {p:.0%}" for c, p in zip(shown.cls, shown.conf, strict=True)]
    return draw_boxes(pixels, boxes, np.concatenate([labels.cls[missed], shown.cls]), texts, colours=colours)
