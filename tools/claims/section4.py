"""The claims of section 4: the tables, and what the paper reads in them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from . import computed as c
from .claim import UNKNOWN, Claim, cio, in_small, percent, points, shown
from .detectors import ALIKE, EFM, GFM, PLAIN, SPP, ratio, slower, times
from .grid import GIOU
from .predictions import accuracy_predictions, order_of_table1, outcome
from .results import NOT_RUN, Results
from .statistics import FAILS, HOLDS, PARTLY, together

TABLE5 = Path(__file__).parents[1] / "bench" / "table5" / "results.json"
TABLE5_ROWS = "[onnxruntime, two threads](../tools/bench/table5/RESULTS.md)"
SPEED_NOTE = "1080 Ti, Jetson TX2 and i9-9900K are not here"
_OPPOSITE = {HOLDS: FAILS, FAILS: HOLDS, ALIKE: ALIKE, NOT_RUN: NOT_RUN}


def section4(found: Results) -> Iterator[Claim]:
    """In the order of the paper."""
    for part in (_ablation(found), _imagenet(found), _coco(), _analysis()):
        yield from part


def _ablation(found: Results) -> Iterator[Claim]:
    rows = (
        ("csppelee", "pelee", "CSPPeleeNet: 13 % less computation, +0.2 points", 0.2),
        ("csppelee-g25", "pelee", "γ = .25: 3 % less, +0.8 points", 0.8),
        ("csppelee-fusion-last-g25", "pelee", "fusion last, γ = .25: 11 % less, +0.1 points", 0.1),
        ("csppelee-fusion-first", "peleenext", "fusion first (γ = .5) is better than PeleeNeXt", 0.3),
        ("csppelee-fusion-first", "spelee", "fusion first is better than SPeleeNet (Table 1 says 69.2 to 69.6)", 0.1),
    )
    for name, other, said, expected in rows:
        difference = found.difference(name, other, "top1")
        yield Claim("4.2, Table 1", said, f"BFLOPs {percent(c.less(name, other))} less than {other}, computed. "
                    f"Top-1 in small: {points(difference)}.", in_small(outcome(difference, expected)))  # fmt: skip
    tau = order_of_table1(found)
    yield Claim("4.2, Table 1", "the order of the twelve rows",
                f"In small, Kendall's τ of our order and the paper's (1: the same, 0: no relation): {shown(tau, 2)}.",
                in_small(outcome(tau, 1)))  # fmt: skip
    pairs = (
        (PLAIN, GFM, "AP", "EFM over GFM: +2.1 AP", 2.1), (PLAIN, GFM, "AP50", "EFM over GFM: +2.4 AP50", 2.4),
        (PLAIN + GIOU, PLAIN, "AP", "GIoU: +0.7 AP", 0.7), (PLAIN + GIOU, PLAIN, "AP50", "GIoU: -2.7 AP50", -2.7),
        (EFM, SPP, "AP", "SAM has a higher AP than SPP (26.8, 26.2)", 0.6),
    )  # fmt: skip
    for name, other, measure, said, expected in pairs:
        difference = found.difference(name, other, measure)
        yield Claim("4.2, Table 2", said, f"In small, {measure}: {points(difference)}.",
                    in_small(outcome(difference, expected)))  # fmt: skip
    fusions = [row for row in accuracy_predictions(found) if row.name == "P13"]
    yield Claim("4.2, Table 2", "the order of fusions: EFM, GFM, CEM, PRN (26.4, 24.3, 23.8, 23.1 AP)",
                f"In small, AP, each less the next: {', '.join(points(row.difference) for row in fusions)}.",
                in_small(together([row.outcome for row in fusions])))  # fmt: skip
    yield Claim("4.2, Table 2", "EFM is 2 fps slower than GFM (132, 134)", _speeds(found, PLAIN, GFM),
                slower(found, PLAIN, GFM))  # fmt: skip
    sam, spp = c.roof(EFM), c.roof(SPP)
    yield Claim(
        "4.2, Table 2", "SAM is faster than SPP (129, 128 fps), the reason for the final choice",
        f"{_speeds(found, EFM, SPP)} Roofline of the heads: SAM {sam.gflops:.2f} GFLOP and {sam.megabytes:.0f} MB, SPP "
        f"{spp.gflops:.2f} and {spp.megabytes:.0f}: SAM needs more of both, and neither bound makes it the faster "
        "one.", _OPPOSITE[slower(found, EFM, SPP)],
    )  # fmt: skip
    yield Claim("4.2", "swish gives +1 AP, but wants a lookup table in hardware", "Needs COCO, and a chip.", UNKNOWN)


def _imagenet(found: Results) -> Iterator[Claim]:
    at_least = ("csresnext50", "resnext50"), ("csppelee", "pelee"), ("csresnet10", "resnet10")
    yield Claim(
        "4.3", "CSP cuts computation by at least 10 % in every family",
        "; ".join(f"{a} {percent(c.less(a, b))}" for a, b in at_least)
        + f"; DenseNet-201-Elastic {percent(c.less('csdensenet201-elastic', 'densenet201-elastic'))} (ours). Not in "
        f"Table 3: csresnet50 saves {percent(c.less('csresnet50', 'resnet50'))} of ResNet-50.", PARTLY,
    )  # fmt: skip
    yield Claim("4.3", "and the accuracy stays or rises in every family, most in light networks",
                "Needs ImageNet. In small: P6, and CSPResNet-10 in the next row.", UNKNOWN)  # fmt: skip
    difference = found.difference("csresnet10", "resnet10", "top1")
    yield Claim("4.3", "CSPResNet-10: +1.8 points over ResNet-10",
                f"Of a network of ours, as only two numbers are published. Top-1 in small: {points(difference)}.",
                in_small(outcome(difference, 1.8)))  # fmt: skip
    yield Claim("4.3", "CSPDenseNet-201-Elastic: 19 % less at the same accuracy",
                f"{percent(c.less('csdensenet201-elastic', 'densenet201-elastic'))} less in ours.",
                UNKNOWN)  # fmt: skip
    yield Claim("4.3", "CSPResNeXt-50: 22 % less and 77.9 top-1",
                f"{percent(c.less('csresnext50', 'resnext50'))} less, computed; the accuracy was not.",
                UNKNOWN)  # fmt: skip
    yield Claim("4.3", "SECSPPeleeNet-swish: 3 % less than EfficientNet-B0 and +1.1 points",
                f"{percent(c.less('secsppelee-swish', 'enetb0'))} less, computed; the accuracy was not.",
                UNKNOWN)  # fmt: skip
    yield Claim("4.3", "EfficientNet-B0 reaches 70.0 with one GPU; swish and SE are slow on mobile GPUs",
                "Neither is here.", UNKNOWN)  # fmt: skip
    yield Claim("4.3", "CSPResNeXt-50 beats ResNet-152, DenseNet-264, HarDNet-138s and Res2Net-50",
                "Quoted from the papers of others there.", UNKNOWN)  # fmt: skip


def _coco() -> Iterator[Claim]:
    yield Claim("4.4, Table 4", "PANet (SPP) on CSPResNeXt-50: 38.4 AP, the best at 30 to 100 fps", SPEED_NOTE + ".",
                UNKNOWN)  # fmt: skip
    yield Claim("4.4, Table 4", "EFM (SAM) gains 12.1 AP50 on Pelee at its speed, 4.1 on CenterNet", SPEED_NOTE + ".",
                UNKNOWN)  # fmt: skip
    yield Claim("4.4, Table 4", "CSPDenseNetb Ref.-PRN: 133 fps more than ThunderNet-SNet49 on a 1080 Ti, +0.5 AP50",
                SPEED_NOTE + ", nor is ThunderNet.", UNKNOWN)  # fmt: skip
    yield Claim("4.4, Table 4", "CSPPeleeNet Ref.-PRN (3l) is 19 fps faster than ThunderNet-SNet146",
                SPEED_NOTE + ", nor is ThunderNet.", UNKNOWN)  # fmt: skip


def _analysis() -> Iterator[Claim]:
    yolo, prn, efm = (c.bottleneck(n) for n in ("yolov3-pelee", "yolov3-pelee-prn", PLAIN))
    yield Claim(
        "1, 4.5, Fig. 7", "the bottleneck falls by 44 % of PeleeNet's backbone and 80 % of PeleeNet-YOLO",
        f"Costliest layers at 416: CSPPeleeNet-EFM {efm:.4f} BFLOPs; PeleeNet-PRN, in whose backbone it "
        f"is, {prn:.4f}: {percent(1 - efm / prn)} less; PeleeNet-YOLO {yolo:.4f}: {percent(1 - efm / yolo)} "
        "less.", HOLDS,
    )  # fmt: skip
    yield Claim("4.5", "and so hardware is used better",
                "Of a CPU: the roofline of each layer (`darknet-py bench --layers`). Of ASICs: not here.",
                UNKNOWN)  # fmt: skip
    yield Claim("4.5, Fig. 8", "CIO of 32.6 M against 34.4 M",
                f"{cio('csresnext50')} and {cio('resnext50')} M.", HOLDS)  # fmt: skip
    ratios = _table5()
    yield Claim(
        "4.5, Table 5", "on a CPU CSPDenseNetb Ref.-PRN outruns YOLOv3-tiny (102, 54 fps) and -tiny-PRN (71)",
        f"{ratios['yolov3-cspdensenetb-ref-prn']:.2f} and {ratios['yolov3-tiny-prn']:.2f} times YOLOv3-tiny here, 1.89 "
        "and 1.31 there "
        f"({TABLE5_ROWS}).",
        HOLDS if ratios["yolov3-cspdensenetb-ref-prn"] > max(1, ratios["yolov3-tiny-prn"]) else FAILS,
    )  # fmt: skip
    yield Claim(
        "4.5, Table 5", "on a CPU PRN (3l) runs at 52 fps, YOLOv3-tiny at 54",
        f"{ratios['yolov3-csppelee-ref-prn-3l']:.2f} times YOLOv3-tiny here, 0.96 in the paper ({TABLE5_ROWS}).",
        FAILS if ratios["yolov3-csppelee-ref-prn-3l"] > 1 else HOLDS,
    )  # fmt: skip
    for said in (
        "on a CPU PRN (3l) is 20 fps faster than ThunderNet-SNet146, CSPDenseNetb Ref.-PRN 55 faster than SNet49",
        "40 % AP50 at 52 fps on an i9-9900K; 50 % at 109 fps on a 1080 Ti",
        "on a Jetson TX2: EFM (SAM) 41 and 49 fps, PRN (3l) 38, PRN 52, 64 and 73, YOLOv3-tiny 37, -tiny-PRN 49",
        "on a Jetson TX2 EFM (SAM) is 3 fps faster than PRN (3l), which is 62 fps faster on a 1080 Ti",
    ):
        yield Claim("1, 4.5, Table 5", said, "Not repeatable: neither the machine nor ThunderNet is here.", UNKNOWN)


def _speeds(found: Results, name: str, other: str) -> str:
    if not found.speeds:
        return f"Milliseconds: {NOT_RUN}."
    a, b = (median(times(found, n)) for n in (name, other))
    longer = ratio(found, name, other)
    interval = f"{longer.low:.3f} to {longer.high:.3f}" if math.isfinite(longer.low) else "too few rounds to tell"
    took = f"onnxruntime, two threads: {a:.1f} and {b:.1f} ms"
    return f"{took}; round by round {longer.middle:.3f} times as long ({interval})."


def _table5() -> dict[str, float]:
    rows = json.loads(TABLE5.read_text())["rows"]
    engines = {row["cfg"]: row["engines"] for row in rows}
    return {
        cfg: next(e["ratio"]["median"] for name, e in own.items() if name.startswith("onnxruntime"))
        for cfg, own in engines.items()
    }
