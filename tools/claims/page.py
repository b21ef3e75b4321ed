"""`cfgs/CLAIMS.md`: every claim, and the tables of what was measured."""

from __future__ import annotations

from collections.abc import Iterator

from . import computed
from .claims import (
    ALIKE,
    EFM,
    GFM,
    ONCE,
    PLAIN,
    PRN,
    SPP,
    Prediction,
    accuracy_predictions,
    claims,
    gradient_predictions,
    order_prediction,
    shown,
    slower,
)  # fmt: skip
from .grid import CLASSIFIERS, DETECTORS, FULL, GIOU, QUICK, RESIDUAL
from .results import FAILED, NOT_RUN, Results, Values, estimated
from .statistics import FAILS, HOLDS

INTRODUCTION = """\
# The paper's claims, measured

Written by `make claims` (`python -m tools.claims`); do not edit. Each claim of the abstract and of sections 3 and 4 of
[CSPNet](https://arxiv.org/abs/1911.11929) has a row: what was measured here, and whether it holds. What was expected
stands in [PREDICTIONS.md](../tools/claims/PREDICTIONS.md) since before anything was trained. Nothing is left out.

"In small" is: drawn glyphs of 64x64 pixels for the classifiers, drawn digits of 160x160 for the detectors,
{classifier:,} and {detector:,} iterations, three seeds, everything on two processor cores. Figures are means with a
95 % interval of Student's t; "holds" in small means that the interval of the difference, seed by seed, lies on the
paper's side of 0. If nothing differed, one or two of the {comparisons} comparisons would still not hold 0, by chance.

`make claims` computes what can be computed, trains what is missing, and writes this page; it goes on where it was
stopped. A figure that was not measured says "{not_run}", and "{failed}" where a training came to numbers that are
none. `python -m tools.claims --out FOLDER` measures everything again, into a page of its own. The trainings take
{cost}
"""
TRIAL = """**A page of `--quick`, which tests the program: trainings of a few iterations, whose figures mean nothing.**

"""
TABLE = """
| where | claim | measured here | |
| --- | --- | --- | --- |
"""
PAPER_FPS = {PRN: 169, GFM: 134, PLAIN: 132, EFM: 129, SPP: 128}
TITLES = {"cosine": "cosine", "cka": "CKA", "rank": "rank", "shared": "shared energy"}
# Seconds of one core for an iteration, measured with one thread on the machine that RESULTS speak of.
SECONDS = {"classifier": 0.24, "detector": 1.9}
CORES = 2


def page(found: Results) -> str:
    """The whole page."""
    head = INTRODUCTION.format(
        classifier=FULL.classifier.iterations, detector=FULL.detector.iterations, cost=night(), not_run=NOT_RUN,
        failed=FAILED, comparisons=len(gradient_predictions(found, trained=True)) + len(accuracy_predictions(found)),
    )  # fmt: skip
    trial = TRIAL if found.budget == QUICK else ""
    return "\n".join(["".join([trial, head, TABLE, *_claims(found)]), *_sections(found)])


def night() -> str:
    """How long the trainings take, as a sum.

    >>> night()[:39]
    '42 classifiers x 1,200 iterations x 0.2'
    """
    hours = 0.0
    said = []
    for kind, names in (("classifier", FULL.classifiers), ("detector", FULL.detectors)):
        runs, part = len(names) * len(FULL.seeds), FULL.part(kind)
        seconds = SECONDS[kind]
        hours += runs * part.iterations * seconds / 3600
        said.append(f"{runs} {kind}s x {part.iterations:,} iterations x {seconds:g} s")
    return f"{' + '.join(said)} of a core = {hours:.1f} hours of one, {hours / CORES:.1f} of two."


def _claims(found: Results) -> Iterator[str]:
    for claim in claims(found):
        yield f"| {claim.where} | {claim.said} | {' '.join(claim.measured.split())} | **{claim.verdict}** |\n"


def _sections(found: Results) -> Iterator[str]:
    yield "## Duplicate gradients\n\n" + _GRADIENTS
    yield _gradient_table(found, trained=True)
    yield _gradient_table(found, trained=False)
    yield "Along the training:\n\n" + "\n".join(_course(found, measure) for measure in TITLES)
    yield _predictions(found)
    yield "## Table 1 in small\n\n" + _LEVEL.format(level=_level(found)) + _table1(found)
    yield "## Table 2 in small\n\n" + _table2(found)
    yield "## What the paper predicts of accuracy\n\n" + _accuracy(found)
    yield "## Table 2's speeds\n\n" + _speeds(found)
    yield "## What cannot be repeated here\n\n" + _JETSON
    yield "## Fields of view and memory access\n\n" + _computed()
    if failures := found.failures():
        yield "## Runs that failed\n\n" + "".join(f"- {key}: {why.splitlines()[0]}\n" for key, why in failures)


_GRADIENTS = """\
What is compared, and how, stands in [gradients.py](../tools/claims/gradients.py) and in PREDICTIONS.md. Cosine and CKA
of weight gradients that read the same channels (and of random numbers of the same shapes), the effective rank of all
gradients that a map's readers get, and the part of the gradient energy that comes back through more than one layer;
each from 0 to 1. Random gradients are the less alike the more channels they share, and so networks whose blocks are
wider are closer to 0 whatever they learn: of a difference between two networks, what the columns of random numbers
differ by is shape, not duplication.
"""
_LEVEL = "Level of the pictures: {level}. Top-1 in percent, of pictures that were not learned.\n\n"
_JETSON = """\
| figure of the paper | why not |
| --- | --- |
| fps on a Jetson TX2 (Table 5: 37, 49, 41, 49, 38, 52, 64, 73) | no such machine |
| fps on a GTX 1080 Ti (Tables 2, 4, 5) | no such machine |
| fps on an i9-9900K with OpenCV of 2019 (Table 5) | no such machine; ratios on another: tools/bench/table5 |
| top-1 and top-5 on ImageNet (Tables 1, 3) | weeks of a GPU; and the links to the authors' networks are dead |
| AP on COCO test-dev (Tables 2, 4) | weeks of a GPU, and a server that judges |
| figures of the networks of others (Tables 3, 4, 5) | quoted from their papers there |
"""


def _cell(values: Values, measure: str) -> str:
    found = estimated(values)
    return f"{found.mean:.3f}" if not isinstance(found, str) and measure.startswith("random") else shown(found, 3)


def _gradient_table(found: Results, *, trained: bool) -> str:
    iteration = found.budget.classifier.iterations if trained else None
    title = "At the end of training" if trained else "Before training (random weights, pictures of level 1)"
    head = f"{title}:\n\n| network | cosine | random | CKA | random | rank | shared energy |\n| --- {'| ---: ' * 6}|\n"
    columns = ("cosine", "random_cosine", "cka", "random_cka", "rank", "shared")
    rows = ((n, (_cell(found.gradients(n, m, iteration), m) for m in columns)) for n in (*CLASSIFIERS, *RESIDUAL))
    return head + "".join(f"| {n} | {' | '.join(cells)} |\n" for n, cells in rows)


def _course(found: Results, measure: str) -> str:
    """A measure from the beginning of the trainings to their end."""
    at = found.budget.classifier.snapshots
    head = f"| {TITLES[measure]} after iteration | {' | '.join(f'{i:,}' for i in at)} |\n| --- {'| ---: ' * len(at)}|\n"
    rows = ((n, (_cell(found.gradients(n, measure, i), measure) for i in at)) for n in (*CLASSIFIERS, *RESIDUAL))
    return head + "".join(f"| {n} | {' | '.join(cells)} |\n" for n, cells in rows)


def _predictions(found: Results) -> str:
    head = (
        "What the paper predicts, as the first network's measure less the second's:\n\n"
        "| | measure | larger | smaller | before training | | trained | |\n"
        "| --- | --- | --- | --- | ---: | --- | ---: | --- |\n"
    )
    before, after = (gradient_predictions(found, trained=trained) for trained in (False, True))
    return head + "".join(map(_prediction, before, after))


def _prediction(before: Prediction, after: Prediction) -> str:
    cells = [before.name, before.measure, before.larger, before.smaller]
    for one in (before, after):
        cells += [shown(one.difference, 3), one.outcome]
    return f"| {' | '.join(cells)} |\n"


def _accuracy(found: Results) -> str:
    """P6 to P13, in the order of their numbers."""
    head = (
        "As the first network's figure less the second's, in points:\n\n"
        "| | measure | larger | smaller | paper | in small | |\n| --- | --- | --- | --- | ---: | ---: | --- |\n"
    )
    rows = sorted([*accuracy_predictions(found), order_prediction(found)], key=lambda row: int(row.name[1:]))
    return head + "".join(map(_accuracy_row, rows))


def _accuracy_row(row: Prediction) -> str:
    paper = "" if row.points is None else f"{row.points:.1f}"
    ours = shown(row.difference, 2) if row.points is None else shown(row.difference, 1, 100)
    return f"| {row.name} | {row.measure} | {row.larger} | {row.smaller} | {paper} | {ours} | {row.outcome} |\n"


def _level(found: Results) -> str:
    return NOT_RUN if found.level is None else str(found.level + 1)


def _table1(found: Results) -> str:
    head = "| network | BFLOPs at 224 or 256 | paper, ImageNet | in small |\n| --- | ---: | ---: | ---: |\n"
    rows = []
    for name, paper in {**CLASSIFIERS, **RESIDUAL}.items():
        bflops = computed.total(name).bflops_paper
        rows.append(f"| {name} | {bflops:.3f} | {paper} | {shown(found.mean(name, 'top1'), 1, 100)} |\n")
    return head + "".join(rows)


def _table2(found: Results) -> str:
    head = f"| detector | BFLOPs at 416 | paper AP | AP50 | in small AP | AP50 |\n| --- {'| ---: ' * 5}|\n"
    rows = []
    for name, paper in DETECTORS.items():
        bflops = computed.total(name.removesuffix(GIOU), computed.COCO).bflops_paper
        theirs = "not in the table | " if paper is None else f"{paper[0]} | {paper[1]}"
        ours = " | ".join(shown(found.mean(name, m), 1, 100) for m in ("AP", "AP50"))
        rows.append(f"| {name} | {bflops:.3f} | {theirs} | {ours} |\n")
    return head + "".join(rows)


def _speeds(found: Results) -> str:
    said = (
        f"Measured with {found.speeds['threads']} threads on {found.speeds['cpu']} (load {found.speeds['load']:.1f}), "
        "onnxruntime, all in every round: median and\nquartiles." if found.speeds
        else "Measured once, onnxruntime, two threads; `python -m tools.claims --only speed` measures again,\nwith the "
        "time of each layer beside its roofline."
    )  # fmt: skip
    head = (
        "\n\n| detector | paper, fps | ms here | head: GFLOP | MB moved | operations a byte | head: ms | bound, ms |\n"
        f"| --- {'| ---: ' * 7}|\n"
    )
    rows = []
    for name in ONCE:
        roof, row = computed.roof(name), found.speeds["rows"][name] if found.speeds else {"ms": ONCE[name]}
        head_ms, bound = (f"{row[k]:.1f}" if k in row else NOT_RUN for k in ("head_ms", "bound_ms"))
        spread = f" ({row['low']:.1f} to {row['high']:.1f})" if "low" in row else ""
        rows.append(
            f"| {name} | {PAPER_FPS[name]} | {row['ms']:.1f}{spread} | {roof.gflops:.2f} | {roof.megabytes:.1f} "
            f"| {roof.intensity:.0f} | {head_ms} | {bound} |\n"
        )
    return said + head + "".join(rows) + _SAM.format(outcome=_OUTCOMES[slower(found, EFM, SPP)])


_OUTCOMES = {HOLDS: "slower than SPP", FAILS: "faster than SPP", ALIKE: "too near to SPP to tell them apart"}
_SAM = """
SAM is {outcome} here; that it is faster was the paper's reason for its final choice. Its head has more to compute and
more to move: three 1x1 convolutions of 128 and 256 channels, three gates and three products, against a 1x1 convolution
less, two max-outs and three pools on 13x13 cells.
"""


def _computed() -> str:
    head = "| detector at 416 | a cell of each head sees | anchors |\n| --- | --- | --- |\n"
    rows = []
    for name in (n for n in DETECTORS if not n.endswith(GIOU)):
        fields = computed.fields(name)
        seen = "; ".join(f"{f.cells[1]}x{f.cells[0]}: {f}" for f in fields)
        largest = max((a for f in fields for a in f.anchors), key=lambda a: a[0] * a[1])
        rows.append(f"| {name} | {seen} | up to {largest[0]:g}x{largest[1]:g} |\n")
    more = "\n| network | CIO, M | memory access with weights, M | its bound, M | times the bound |\n"
    more += f"| --- {'| ---: ' * 4}|\n"
    for name in (*CLASSIFIERS, "resnet10", "csresnet10", "resnet50", "csresnet50", "resnext50", "csresnext50",
                 "darknet53", "csdarknet53", "densenet201-elastic", "csdensenet201-elastic"):  # fmt: skip
        access = computed.blocks_access(name)
        more += (
            f"| {name} | {computed.total(name).cio / 1e6:.1f} | {access.moved / 1e6:.1f} | {access.least / 1e6:.1f} "
            f"| {access.moved / access.least:.3f} |\n"
        )
    return head + "".join(rows) + more
