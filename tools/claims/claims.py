"""The claims of the paper's abstract and of its sections 3 and 4, each with what was measured and what became of it.

Decision: a claim is a function of the results, so that no sentence can outlive its number; what was not run says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from . import computed as c
from .grid import CLASSIFIERS, DETECTORS, GIOU
from .results import Figure, Results, Values, estimated, paired
from .statistics import FAILS, HOLDS, UNSETTLED, kendall, verdict

PARTLY = "holds in part"
UNKNOWN, ALIKE = "cannot be shown here", "too near to tell"
TABLE5 = Path(__file__).parents[1] / "bench" / "table5" / "results.json"
IMAGENET = "Needs ImageNet and weeks of a GPU; no trained network of the authors could be had. In small: "
SPEED_NOTE = "1080 Ti, Jetson TX2 and i9-9900K are not here"
EFM, PLAIN, SPP, GFM, CEM, PRN = (
    f"yolov3-csppelee-{head}" for head in ("efm", "efm-plain", "efm-spp", "gfm", "cem", "prn")
)
ONCE = {PRN: 42.3, GFM: 50.1, PLAIN: 50.6, EFM: 57.1, SPP: 55.0}
"""Milliseconds measured once before there was this program: onnxruntime, two threads."""
UNSURE = 0.03  # of one of these, whose spread nobody wrote down


@dataclass(frozen=True)
class Claim:
    """A claim in our words, where it stands, what was measured, and what became of it."""

    where: str
    said: str
    measured: str
    verdict: str


def claims(found: Results) -> list[Claim]:
    """All of them, in the order of the paper."""
    parts = (_abstract, _dense, _fusion, _residual, _efm, _ablation, _imagenet, _coco, _analysis)
    return [claim for part in parts for claim in part(found)]


def _percent(value: float) -> str:
    return f"{value:.0%}".replace("%", " %")


def _abstract(found: Results) -> Iterator[Claim]:
    yield Claim(
        "abstract", "20 % less computation",
        f"BFLOPs saved: CSPResNeXt-50 {_percent(c.less('csresnext50', 'resnext50'))}, CSPPeleeNet "
        f"{_percent(c.less('csppelee', 'pelee'))}, CSPDarknet-53 {_percent(c.less('csdarknet53', 'darknet53'))}, "
        f"CSPResNet-50 {_percent(c.less('csresnet50', 'resnet50'))}, CSPMobileNet-v2 "
        f"{_percent(c.less('csmobilenet-v2', 'mobilenet-v2'))}. 20 % is of ResNeXt-50 and of the largest ones.",
        PARTLY,
    )  # fmt: skip
    yield Claim("abstract", "with equal or better accuracy on ImageNet", IMAGENET + "see P6 to P9.", UNKNOWN)
    yield Claim("abstract", "far better AP50 on COCO than the state of the art of 2019",
                "Needs COCO and the others' networks.", UNKNOWN)  # fmt: skip
    yield Claim(
        "abstract", "the cause is duplicate gradient information",
        "Measured below as P1 to P5. What is said here is of P1, P2, P4 and P5, the similarity of weight gradients and "
        "their rank, as P3 follows from the wiring alone.", _gradients(found, ("P1", "P2", "P4", "P5")),
    )  # fmt: skip
    yield Claim(
        "abstract", "easy to apply to ResNet, ResNeXt and DenseNet",
        "Cfgs of all three are here and compile; those of the authors' repository have the same graph as ours.", HOLDS,
    )  # fmt: skip


def _dense(found: Results) -> Iterator[Claim]:
    yield Claim(
        "3.1", "in a dense block each gradient g_i is used for the weights of all later layers (Eq. 2)",
        "Read off the graph: x_i has as many readers as there are layers after it, and the transition. It is the same "
        "wiring that gives a later layer its input: the weights of two layers get products of the same g with "
        "different inputs, not copies.", HOLDS,
    )  # fmt: skip
    yield Claim(
        "3.1", "the two parts of a partial block share no gradient (Eq. 4)",
        "Read off the graph: x_0' and x_T have one reader, x_U. But in the published cfgs, and so here, both parts are "
        "1x1 convolutions that read *all* of x, not halves of it: the weights before the split get gradients of both.",
        PARTLY,
    )  # fmt: skip
    dense, partial = c.cio_of_blocks(256, 8, 32)
    yield Claim(
        "3.1", "a partial block saves at most half of the memory traffic: CIO ((c m) + (m² + m) d) / 2",
        "Counted on built blocks, equal to the formula; with c, m, d = 256, 8, 32 it is "
        f"{_percent(1 - partial / dense)} "
        f"less. Whole networks: PeleeNet {_cio('pelee')} to {_cio('csppelee')} M; but the CIO of Darknet-53 *grows* "
        f"from {_cio('darknet53')} to {_cio('csdarknet53')} M, as its CSP version adds 1x1 convolutions.", PARTLY,
    )  # fmt: skip
    yield Claim("3.1", "the number of gradient paths doubles", "A count of wiring, true by construction; what it does "
                "to gradients is P3.", HOLDS)  # fmt: skip
    yield Claim(
        "3.1", "the computational bottleneck of a dense block is nearly halved",
        f"The costliest layer of PeleeNet at 224: {c.bottleneck('pelee'):.4f} BFLOPs, of CSPPeleeNet "
        f"{c.bottleneck('csppelee'):.4f}: {_percent(1 - c.bottleneck('csppelee') / c.bottleneck('pelee'))} less.",
        HOLDS,
    )  # fmt: skip


def _cio(name: str) -> str:
    return f"{c.total(name).cio / 1e6:.1f}"


def _fusion(found: Results) -> Iterator[Claim]:
    last, first = (found.difference(f"csppelee-fusion-{name}", "pelee", "top1") for name in ("last", "first"))
    tau = _tau_of_gradients(found)
    yield Claim("3.1", "fusion first reuses much gradient information, fusion last none",
                _order(found, ("pelee", "csppelee-fusion-first", "csppelee-fusion-last", "csppelee")),
                _gradients(found, ("P1", "P2")))  # fmt: skip
    yield Claim(
        "3.1, Fig. 4", "fusion last loses 0.1 points of top-1 for 21 % of the computation",
        f"{_percent(c.less('csppelee-fusion-last', 'pelee'))} of the BFLOPs, computed. Top-1 in small: "
        f"{_points(last)}.", _in_small(last, -0.1),
    )  # fmt: skip
    yield Claim(
        "3.1, Fig. 4", "fusion first loses 1.5 points for 26 %",
        f"Our reconstruction saves {_percent(c.less('csppelee-fusion-first', 'pelee'))}: no regular network that is a "
        "fusion first by the paper's definition costs what Table 1 says. Top-1 in small: "
        f"{_points(first)}.", _in_small(first, -1.5),
    )  # fmt: skip
    yield Claim("3.1", "less repeated gradient means better learning",
                "Kendall's τ of CKA at the end of training and top-1 over the networks of Table 1, below 0 if those "
                f"that repeat less learn better: {shown(tau, 2)}. It shows no cause.",
                tau if isinstance(tau, str) else UNKNOWN)  # fmt: skip


def _residual(found: Results) -> Iterator[Claim]:
    def narrow(name: str) -> str:
        few, all_ = c.bottlenecked(name)
        return f"{few} of {all_}"

    ratios = {n: c.blocks_access(n) for n in ("resnext50", "csresnext50", "resnet50", "csresnet50")}
    text = ", ".join(f"{n} {a.moved / 1e6:.1f} M ({a.moved / a.least:.3f} times the bound)" for n, a in ratios.items())
    yield Claim(
        "3.1", "no bottleneck layers are needed, so memory access reaches its lower bound",
        f"3x3 convolutions that read less than their sum: resnext50 {narrow('resnext50')}, csresnext50 "
        f"{narrow('csresnext50')}, csresnet50 {narrow('csresnet50')}. Memory access with weights: {text}. Nearer to the"
        " bound, but not at it; and the published csresnet50 keeps its bottlenecks.", PARTLY,
    )  # fmt: skip


def _efm(found: Results) -> Iterator[Claim]:
    seen = ", ".join(f"{f.width}x{f.height}" for f in c.fields(PLAIN))
    global_ = ", ".join(str(f) for f in c.fields(GFM))
    yield Claim(
        "3.2", "EFM gives each anchor a field of view that fits it",
        f"Computed: a cell of the heads at 1/8, 1/16 and 1/32 sees {seen} pixels of a 416x416 picture, three times its "
        f"side; anchors are 10x13 to 373x326. No field is bounded by the next scale's. (GFM: {global_}.) What a cell "
        "*can* see is not what it weighs, and the paper defines no other field of view.", FAILS,
    )  # fmt: skip
    p = c.pyramid()
    yield Claim(
        "1, 3.2", "max-outs cut the memory for feature pyramids by 75 %",
        f"True of what the backbone keeps for the pyramid: {p.read:,} numbers become {p.written:,}, by definition of a "
        f"max-out that keeps a quarter. The head's outputs: {p.with_them.activations:.1f} instead of "
        f"{p.without.activations:.1f} MiB; most alive at once {p.with_them.peak:.1f} instead of {p.without.peak:.1f}, "
        f"or {p.early.peak:.1f} with max-outs run as soon as possible; CIO {p.with_them.cio:.1f} instead of "
        f"{p.without.cio:.1f} M, which is more.", PARTLY,
    )  # fmt: skip


def _ablation(found: Results) -> Iterator[Claim]:
    rows = (
        ("csppelee", "pelee", "CSPPeleeNet: 13 % less computation, +0.2 points", 0.2),
        ("csppelee-g25", "pelee", "γ = .25: 3 % less, +0.8 points", 0.8),
        ("csppelee-fusion-last-g25", "pelee", "fusion last, γ = .25: 11 % less, +0.1 points", 0.1),
        ("csppelee-fusion-first", "peleenext", "fusion first (γ = .5) is better than PeleeNeXt", 0.3),
        ("csppelee-fusion-first", "spelee", "fusion first is better than SPeleeNet (Table 1 says 69.2 to 69.6)", 0.1),
    )
    for name, other, said, points in rows:
        difference = found.difference(name, other, "top1")
        yield Claim("4.2, Table 1", said, f"BFLOPs {_percent(c.less(name, other))} less than {other}, computed. "
                    f"Top-1 in small: {_points(difference)}.", _in_small(difference, points))  # fmt: skip
    tau = _tau_of_table1(found)
    yield Claim("4.2, Table 1", "the order of the twelve rows",
                f"In small, Kendall's τ of our order and the paper's (1: the same, 0: no relation): {shown(tau, 2)}.",
                _in_small(tau, 1))  # fmt: skip
    pairs = (
        (PLAIN, GFM, "AP", "EFM over GFM: +2.1 AP", 2.1), (PLAIN, GFM, "AP50", "EFM over GFM: +2.4 AP50", 2.4),
        (PLAIN + GIOU, PLAIN, "AP", "GIoU: +0.7 AP", 0.7), (PLAIN + GIOU, PLAIN, "AP50", "GIoU: -2.7 AP50", -2.7),
        (EFM, SPP, "AP", "SAM has a higher AP than SPP (26.8, 26.2)", 0.6),
    )  # fmt: skip
    for name, other, measure, said, points in pairs:
        difference = found.difference(name, other, measure)
        yield Claim("4.2, Table 2", said, f"In small, {measure}: {_points(difference)}.", _in_small(difference, points))
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
        "; ".join(f"{a} {_percent(c.less(a, b))}" for a, b in at_least)
        + f"; DenseNet-201-Elastic {_percent(c.less('csdensenet201-elastic', 'densenet201-elastic'))} (ours). Not in "
        f"Table 3: csresnet50 saves {_percent(c.less('csresnet50', 'resnet50'))} of ResNet-50.", PARTLY,
    )  # fmt: skip
    difference = found.difference("csresnet10", "resnet10", "top1")
    yield Claim("4.3", "CSPResNet-10: +1.8 points over ResNet-10 (ours is a reconstruction)",
                f"Top-1 in small: {_points(difference)}.", _in_small(difference, 1.8))  # fmt: skip
    yield Claim("4.3", "CSPDenseNet-201-Elastic: 19 % less at the same accuracy",
                f"{_percent(c.less('csdensenet201-elastic', 'densenet201-elastic'))} less in our reconstruction.",
                UNKNOWN)  # fmt: skip
    yield Claim("4.3", "CSPResNeXt-50: 22 % less and 77.9 top-1",
                f"{_percent(c.less('csresnext50', 'resnext50'))} less, computed; the accuracy was not.",
                UNKNOWN)  # fmt: skip
    yield Claim("4.3", "SECSPPeleeNet-swish: 3 % less than EfficientNet-B0 and +1.1 points",
                f"{_percent(c.less('secsppelee-swish', 'enetb0'))} less, computed; the accuracy was not.",
                UNKNOWN)  # fmt: skip
    yield Claim("4.3", "EfficientNet-B0 reaches 70.0 with one GPU; swish and SE are slow on mobile GPUs",
                "Neither is here.", UNKNOWN)  # fmt: skip
    yield Claim("4.3", "CSPResNeXt-50 beats ResNet-152, DenseNet-264, HarDNet-138s and Res2Net-50",
                "Quoted from the papers of others there.", UNKNOWN)  # fmt: skip


def _coco(found: Results) -> Iterator[Claim]:
    yield Claim("4.4, Table 4", "PANet (SPP) on CSPResNeXt-50: 38.4 AP, the best at 30 to 100 fps", SPEED_NOTE + ".",
                UNKNOWN)  # fmt: skip
    yield Claim("4.4, Table 4", "EFM (SAM) gains 12.1 AP50 on Pelee at its speed, 4.1 on CenterNet", SPEED_NOTE + ".",
                UNKNOWN)  # fmt: skip
    yield Claim("4.4, Table 4", "CSPDenseNetb Ref.-PRN: 400 fps on a 1080 Ti, 133 more than ThunderNet-SNet49",
                SPEED_NOTE + ", nor is ThunderNet.", UNKNOWN)  # fmt: skip
    yield Claim("4.4, Table 4", "CSPPeleeNet Ref.-PRN (3l) is 19 fps faster than ThunderNet-SNet146",
                SPEED_NOTE + ", nor is ThunderNet.", UNKNOWN)  # fmt: skip


def _analysis(found: Results) -> Iterator[Claim]:
    yolo, prn, efm = (c.bottleneck(n) for n in ("yolov3-pelee", "yolov3-pelee-prn", PLAIN))
    yield Claim(
        "1, 4.5, Fig. 7", "the bottleneck falls by 44 % of PeleeNet's backbone and 80 % of PeleeNet-YOLO",
        f"Costliest layers: {prn:.4f}, {yolo:.4f} and {efm:.4f} BFLOPs: {_percent(1 - efm / prn)} and "
        f"{_percent(1 - efm / yolo)}.", HOLDS,
    )  # fmt: skip
    yield Claim("4.5", "and so hardware is used better",
                "Of a CPU: the roofline of each layer (`darknet-py bench --layers`). Of ASICs: not here.",
                UNKNOWN)  # fmt: skip
    yield Claim("4.5, Fig. 8", "CIO of 32.6 M against 34.4 M",
                f"{_cio('csresnext50')} and {_cio('resnext50')} M.", HOLDS)  # fmt: skip
    ratios = _table5()
    yield Claim(
        "4.5, Table 5", "on a CPU CSPDenseNetb Ref.-PRN outruns YOLOv3-tiny (102, 54 fps) and -tiny-PRN (71)",
        f"{ratios['yolov3-cspdensenetb-ref-prn']:.2f} and {ratios['yolov3-tiny-prn']:.2f} times YOLOv3-tiny here, 1.89 "
        "and 1.31 there (onnxruntime, two threads).", HOLDS,
    )  # fmt: skip
    yield Claim(
        "4.5, Table 5", "on a CPU PRN (3l) runs at 52 fps, YOLOv3-tiny at 54",
        f"{ratios['yolov3-csppelee-ref-prn-3l']:.2f} times YOLOv3-tiny here: faster, where the paper has it slower.",
        FAILS,
    )  # fmt: skip
    for said in (
        "on a CPU PRN (3l) is 20 fps faster than ThunderNet-SNet146, CSPDenseNetb Ref.-PRN 55 faster than SNet49",
        "40 % AP50 at 52 fps on an i9-9900K; 50 % at 109 fps on a 1080 Ti",
        "on a Jetson TX2: EFM (SAM) 41 and 49 fps, PRN (3l) 38, PRN 52, 64 and 73, YOLOv3-tiny 37, -tiny-PRN 49",
        "on a Jetson TX2 EFM (SAM) is 3 fps faster than PRN (3l), which is 62 fps faster on a 1080 Ti",
    ):
        yield Claim("1, 4.5, Table 5", said, "Not repeatable: neither the machine nor ThunderNet is here.", UNKNOWN)


# -- what trainings say ------------------------------------------------------------------------------------------


def shown(found: Figure, digits: int = 1, factor: float = 1.0) -> str:
    """A figure as text, or why there is none."""
    return found if isinstance(found, str) else found.text(digits, factor)


def _points(difference: Figure) -> str:
    return difference if isinstance(difference, str) else f"{shown(difference, 1, 100)} points"


def _in_small(difference: Figure, expected: float) -> str:
    return difference if isinstance(difference, str) else f"in small: {verdict(difference, expected)}"


@dataclass(frozen=True)
class Prediction:
    """One of the comparisons of PREDICTIONS.md: a measure of two networks, of which the first should have the larger.

    `points` is by how much, where the paper has numbers.
    """

    name: str
    measure: str
    larger: str
    smaller: str
    difference: Figure
    points: float | None = None

    @property
    def outcome(self) -> str:
        """What became of it."""
        return self.difference if isinstance(self.difference, str) else verdict(self.difference, 1)


_CHAIN = ("pelee", "csppelee-fusion-first", "csppelee-fusion-last", "csppelee")
_GAMMAS = ("csppelee-g25", "csppelee", "csppelee-g75")


def gradient_predictions(found: Results, *, trained: bool) -> list[Prediction]:
    """P1 to P5 as comparisons of two networks each, at the end of training or before it."""
    rows: list[tuple[str, str, str, str]] = []
    for measure in ("cosine", "cka"):
        rows += [("P1", measure, a, b) for a, b in pairwise(_CHAIN)]
    rows += [("P2", "rank", b, a) for a, b in pairwise(_CHAIN)]
    rows += [("P3", "shared", "pelee", "csppelee")]
    rows += [("P3", "shared", a, b) for a, b in pairwise(_GAMMAS)]
    for measure in ("cosine", "cka"):
        rows += [("P4", measure, a, b) for a, b in pairwise(_GAMMAS)]
        rows += [("P5", measure, "resnet10", "csresnet10")]
    end = found.budget.classifier.iterations if trained else None
    return [
        Prediction(name, measure, a, b, paired(*(found.gradients(n, measure, end) for n in (a, b))))
        for name, measure, a, b in sorted(rows, key=lambda row: row[0])
    ]


_OF_ACCURACY = (
    ("P6", "top1", "csppelee-g25", "csppelee"), ("P6", "top1", "csppelee", "pelee"),
    ("P6", "top1", "pelee", "csppelee-g75"), ("P7", "top1", "pelee", "csppelee-fusion-last"),
    ("P7", "top1", "pelee", "csppelee-fusion-first"), ("P8", "top1", "csppelee-fusion-first", "peleenext"),
    ("P8", "top1", "spelee", "csppelee-fusion-first"), ("P10", "AP", PLAIN, GFM), ("P10", "AP50", PLAIN, GFM),
    ("P11", "AP", PLAIN + GIOU, PLAIN), ("P11", "AP50", PLAIN, PLAIN + GIOU), ("P12", "AP", EFM, PLAIN),
    ("P12", "AP", PLAIN, SPP), ("P13", "AP", PLAIN, GFM), ("P13", "AP", GFM, CEM), ("P13", "AP", CEM, PRN),
)  # fmt: skip


def accuracy_predictions(found: Results) -> list[Prediction]:
    """P6 to P13 in the same form, with the points of the paper; P9 is about an order, and `order_prediction`."""
    return [
        Prediction(
            name, measure, a, b, found.difference(a, b, measure), _published(a, measure) - _published(b, measure)
        )
        for name, measure, a, b in _OF_ACCURACY
    ]


def order_prediction(found: Results) -> Prediction:
    """P9: that our order of the twelve rows has something of the paper's."""
    return Prediction("P9", "Kendall's τ", "our order, the paper's", "0", _tau_of_table1(found))


def _published(name: str, measure: str) -> float:
    """Points of a network in Table 1 or 2."""
    if measure == "top1":
        return CLASSIFIERS[name]
    row = DETECTORS[name]
    assert row is not None, name
    return row[measure == "AP50"]


def _gradients(found: Results, names: Sequence[str]) -> str:
    """What became of some predictions together: those about gradients at the end of training."""
    rows = [row for row in gradient_predictions(found, trained=True) if row.name in names]
    if missing := [row.difference for row in rows if isinstance(row.difference, str)]:
        return missing[0]
    outcomes = {row.outcome for row in rows}
    if outcomes == {HOLDS}:
        return HOLDS
    return PARTLY if HOLDS in outcomes else FAILS if outcomes == {FAILS} else UNSETTLED


def _order(found: Results, names: Sequence[str]) -> str:
    ckas = {name: estimated(_cka(found, name)) for name in names}
    if missing := [cka for cka in ckas.values() if isinstance(cka, str)]:
        return f"CKA of shared weight gradients at the end of training: {missing[0]}. Before it: see the table below."
    return "CKA at the end of training: " + ", ".join(f"{n} {shown(cka, 3)}" for n, cka in ckas.items()) + "."


def _cka(found: Results, name: str) -> Values:
    return found.gradients(name, "cka", found.budget.classifier.iterations)


def _tau_of_gradients(found: Results) -> Figure:
    return _tau([_cka(found, n) for n in CLASSIFIERS], [found.values(n, "top1") for n in CLASSIFIERS])


def _tau_of_table1(found: Results) -> Figure:
    published = [[paper] * len(found.budget.seeds) for paper in CLASSIFIERS.values()]
    return _tau([found.values(n, "top1") for n in CLASSIFIERS], published)


def _tau(ours: Sequence[Values], theirs: Sequence[Values]) -> Figure:
    """Kendall's tau of two measures over networks, seed by seed; or why there is none."""
    if missing := [values for values in (*ours, *theirs) if isinstance(values, str)]:
        return missing[0]
    seeds = zip(zip(*ours, strict=True), zip(*theirs, strict=True), strict=True)
    return estimated([kendall([*map(float, a)], [*map(float, b)]) for a, b in seeds])


# -- speeds ------------------------------------------------------------------------------------------------------


_OPPOSITE = {HOLDS: FAILS, FAILS: HOLDS, ALIKE: ALIKE}


def milliseconds(found: Results, name: str) -> float:
    """Of a picture: measured by this program, or once before it."""
    return float(found.speeds["rows"][name]["ms"]) if found.speeds else ONCE[name]


def _speeds(found: Results, name: str, other: str) -> str:
    a, b = milliseconds(found, name), milliseconds(found, other)
    return f"onnxruntime, two threads: {a:.1f} and {b:.1f} ms{'' if found.speeds else ' (measured once)'}."


def slower(found: Results, name: str, other: str) -> str:
    """Whether the first is slower: its quartiles, or what a single measurement is sure of, lie above the other's."""
    (low, high), (other_low, other_high) = (_between(found, n) for n in (name, other))
    if low > other_high:
        return HOLDS
    return FAILS if high < other_low else ALIKE


def _between(found: Results, name: str) -> tuple[float, float]:
    if found.speeds:
        row = found.speeds["rows"][name]
        return float(row["low"]), float(row["high"])
    return ONCE[name] * (1 - UNSURE / 2), ONCE[name] * (1 + UNSURE / 2)


def _table5() -> dict[str, float]:
    rows = json.loads(TABLE5.read_text())["rows"]
    engines = {row["cfg"]: row["engines"] for row in rows}
    return {
        cfg: next(e["ratio"]["median"] for name, e in own.items() if name.startswith("onnxruntime"))
        for cfg, own in engines.items()
    }
