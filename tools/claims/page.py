"""`cfgs/CLAIMS.md`: every claim, and the tables of what was measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from textwrap import wrap

from darknet_py.apps.bench.interleave import spread
from tools.markdown import table

from . import computed
from .claim import shown
from .claims import claims
from .detectors import ALIKE, EFM, PAPER_FPS, SPP, slower, times
from .glyphs import CLASSES
from .grid import CLASSIFIERS, DETECTORS, FULL, GIOU, QUICK, RESIDUAL
from .place import LAST
from .predictions import Prediction, accuracy_predictions, gradient_predictions, order_by_loss, order_prediction
from .results import NOT_RUN, Results, Values, estimated
from .statistics import FAILED, FAILS, HOLDS

INTRODUCTION = """\
# The paper's claims, measured

Written by `make claims` (`python -m tools.claims`); do not edit. Each claim of the abstract and of sections 3 and 4 of
[CSPNet](https://arxiv.org/abs/1911.11929) has a row: what was measured here, and whether it holds. What was expected
stands in [PREDICTIONS.md](../tools/claims/PREDICTIONS.md) since before anything was trained. Nothing is left out.

"In small" is: drawn glyphs of 64x64 pixels for the classifiers, drawn codes of five kinds of 160x160 for the detectors,
{classifier:,} and {detector:,} iterations, three seeds, everything on two processor cores. A detector begins with the
backbone of the classifier `csppelee` of its seed, as detectors of Darknet do. Figures are means with a 95 % interval
of Student's t, of seeds that are judged on the same pictures; "holds" in small means that the interval of
the difference, seed by seed, lies on the paper's side of 0, and says nothing of its size; a claim of several
comparisons holds in part if at least one of them holds. Budgets are equal and short: what an accuracy in small says is
how far a network comes in them, not what it would reach. If nothing differed, about {chance:.0f} of the {comparisons}
comparisons of P1 to P13 after training would still have an interval without 0, by chance. Nothing is judged before all
three seeds are there, or where one of them failed.

`make claims` computes what can be computed, trains what is missing, and writes this page; it goes on where it was
stopped, and `make claims HOURS=1` begins no training after an hour. "{not_run}" and "1 of 3 seeds" stand where
trainings are missing, "{failed}" where one ended in infinite numbers or none. `python -m tools.claims --out FOLDER`
measures everything again, into a page of its own. BFLOPs (of convolutions and max pools, as the paper counts), CIO,
memory access and fields of view need no training: [`darknet-py summary NETWORK`](../tools/docs/look.md) prints each
of them. The trainings take
{cost}

{verdicts}
"""
TRIAL = """**A page of `--quick`, which tests the program: trainings of a few iterations, whose figures mean nothing.**

"""
TITLES = {"cosine": "cosine", "cka": "CKA", "rank": "rank", "shared": "shared energy"}
SECONDS = {"classifier": 0.24, "detector": 0.75}  # for an iteration, measured with one thread
AFTER = 40  # seconds of a training that are no iterations: to start, and to measure what it came to; about
CORES = 2
WIDTH = 120  # of a line


def page(found: Results) -> str:
    """The whole page."""
    rows = [*gradient_predictions(found, trained=True), *accuracy_predictions(found), order_prediction(found)]
    compared = len({(row.measure, row.larger, row.smaller) for row in rows})  # one is part of two predictions
    head = INTRODUCTION.format(
        classifier=FULL.classifier.iterations, detector=FULL.detector.iterations, cost=night(), not_run=NOT_RUN,
        failed=FAILED, comparisons=compared, chance=compared / 20, verdicts=_verdicts(found),
    )  # fmt: skip
    trial = TRIAL if found.budget == QUICK else ""
    return "\n\n".join([trial + head.rstrip(), _claims(found), *(s.rstrip() for s in _sections(found))]) + "\n"


def night() -> str:
    """How long the trainings take, as a sum.

    >>> night()[:41]
    '42 classifiers x (1,200 iterations x 0.24'
    """
    hours = 0.0
    said = []
    for kind, names in (("classifier", FULL.classifiers), ("detector", FULL.detectors)):
        runs, iterations, seconds = len(names) * len(FULL.seeds), FULL.part(kind).iterations, SECONDS[kind]
        hours += runs * (iterations * seconds + AFTER) / 3600
        said.append(f"{runs} {kind}s x ({iterations:,} iterations x {seconds:g} s + {AFTER} s)")
    return f"{' + '.join(said)}\nof a core = {hours:.1f} hours of one, {hours / CORES:.1f} of two."


def _verdicts(found: Results) -> str:
    """How many claims have which verdict, the most frequent first."""
    counts = Counter(claim.verdict for claim in claims(found))
    said = ", ".join(f"{verdict} {count}" for verdict, count in counts.most_common())
    return "\n".join(wrap(f"The verdicts of all {counts.total()} claims: {said}.", WIDTH))


def _claims(found: Results) -> str:
    rows = ((c.where, c.said, " ".join(c.measured.split()), f"**{c.verdict}**") for c in claims(found))
    return table(("where", "claim", "measured here", ""), rows, words=4)


def _sections(found: Results) -> Iterator[str]:
    yield "## Duplicate gradients\n\n" + _GRADIENTS
    yield _gradient_table(found, trained=True)
    yield _gradient_table(found, trained=False)
    yield f"Along the training (pictures of level {_level(found)}, at iteration 0 too):"
    yield from (_course(found, measure) for measure in TITLES)
    yield _predictions(found)
    yield "## Table 1 in small\n\n" + _learned(found) + _table1(found)
    yield "## Table 2 in small\n\n" + _OURS + _table2(found)
    yield "## What the paper predicts of accuracy\n\n" + _accuracy(found)
    yield "## Table 2's speeds\n\n" + _speeds(found)
    yield "## What cannot be repeated here\n\n" + _not_here()
    yield "## Fields of view and memory access\n\n" + _computed()
    if failures := found.failures():
        yield "## Runs that failed\n\n" + "".join(f"- {key}: {why.splitlines()[0]}\n" for key, why in failures)


_GRADIENTS = """\
What is compared, and how, stands in [gradients.py](../tools/claims/gradients.py) and in PREDICTIONS.md. Cosine and CKA
of weight gradients that read the same channels, the effective rank of all gradients that a map's readers get (each of
random numbers of the same shapes too, drawn once), and the part of the gradient energy that comes back through more
than one layer; each from 0 to 1. Random gradients are the less alike the more channels they share, and so networks
whose blocks are wider are closer to 0 whatever they learn: of a difference between two networks, what those of random
numbers differ by is shape, not duplication.
"""
_LEVEL = """\
Difficulty of the pictures: level {level} of 1 to 4. Top-1 in percent, of pictures that were not learned; the loss is
that of training, of the last {last} iterations (who guesses has {guess:.2f}). It tells which networks the budget
stopped on their way: over the networks of Table 1 Kendall's τ of top-1 and loss is {tau}. `csppelee-fusion-first` and
`csresnet10` are ours.

"""
_OURS = """\
FPN, CEM and GFM on CSPPeleeNet are ours: the paper names them, and nothing public determines their layers. AP in small
says how far a detector comes in its iterations, for which all but the backbone begins from random numbers.

"""
_TX2 = (
    ("YOLOv3-tiny", 416, 37), ("YOLOv3-tiny-PRN", 416, 49), ("CSPPeleeNet Ref.-EFM (SAM)", 320, 41),
    ("CSPDenseNet Ref.-EFM (SAM)", 320, 49), ("CSPPeleeNet Ref.-PRN (3l)", 320, 38), ("CSPPeleeNet Ref.-PRN", 320, 52),
    ("CSPDenseNet Ref.-PRN", 320, 64), ("CSPDenseNetb Ref.-PRN", 320, 73),
)  # fmt: skip
_OTHERS = (
    ("fps on a GTX 1080 Ti (Tables 2, 4, 5)", "no such machine"),
    ("fps on an i9-9900K with OpenCV of 2019 (Table 5)", "no such machine; ratios on another: tools/bench/table5"),
    ("top-1 and top-5 on ImageNet (Tables 1, 3)", "weeks of a GPU; and the links to the authors' networks are dead"),
    ("AP on COCO test-dev (Tables 2, 4)", "weeks of a GPU, and a server that judges"),
    ("figures of the networks of others (Tables 3, 4, 5)", "quoted from their papers there"),
)


def _not_here() -> str:
    tx2 = ((name, size, fps, "not repeatable: no such machine") for name, size, fps in _TX2)
    return "\n\n".join((
        "What Table 5 has of the mobile GPU, a Jetson TX2:",
        table(("detector", "size", "paper, fps", "here"), tx2), table(("figure of the paper", "why not"), _OTHERS, 2),
    ))  # fmt: skip


def _cell(values: Values, measure: str) -> str:
    found = estimated(values)
    return f"{found.mean:.3f}" if not isinstance(found, str) and measure.startswith("random") else shown(found, 3)


def _gradient_table(found: Results, *, trained: bool) -> str:
    iteration = found.budget.classifier.iterations if trained else None
    title = "At the end of training" if trained else "Before training (random weights, pictures of level 1)"
    columns = ("cosine", "random_cosine", "cka", "random_cka", "rank", "random_rank", "shared")
    rows = ((n, *(_cell(found.gradients(n, m, iteration), m) for m in columns)) for n in (*CLASSIFIERS, *RESIDUAL))
    head = ("network", "cosine", "random", "CKA", "random", "rank", "random", "shared energy")
    return f"{title}:\n\n{table(head, rows)}"


def _course(found: Results, measure: str) -> str:
    """A measure from the beginning of the trainings to their end."""
    at = found.budget.classifier.snapshots
    rows = ((n, *(_cell(found.gradients(n, measure, i), measure) for i in at)) for n in (*CLASSIFIERS, *RESIDUAL))
    return table((f"{TITLES[measure]} after iteration", *(f"{i:,}" for i in at)), rows)


def _predictions(found: Results) -> str:
    head = ("", "measure", "larger", "smaller", "of random", "before training", "", "beyond shape", "trained", "",
            "beyond shape")  # fmt: skip
    before, after = (gradient_predictions(found, trained=trained) for trained in (False, True))
    return (
        "What the paper predicts, as the first network's measure less the second's; what random gradients of the same "
        "shapes\ndiffer by; and whether the prediction holds also with that taken off:\n\n"
        + table(head, map(_prediction, before, after), words=len(head))
    )


def _prediction(before: Prediction, after: Prediction) -> list[str]:
    by_shape = "" if before.random is None or isinstance(before.random, str) else f"{before.random.mean:.3f}"
    cells = [before.name, before.measure, before.larger, before.smaller, by_shape]
    for one in (before, after):
        cells += [shown(one.difference, 3), one.outcome, one.outcome_beyond]
    return cells


def _accuracy(found: Results) -> str:
    """P6 to P13, in the order of their numbers."""
    rows = sorted([*accuracy_predictions(found), order_prediction(found)], key=lambda row: int(row.name[1:]))
    head = ("", "measure", "larger", "smaller", "paper", "in small", "")
    return (
        "As the first network's figure less the second's, in points:\n\n"
        + table(head, map(_accuracy_row, rows), words=len(head))
    )  # fmt: skip


def _accuracy_row(row: Prediction) -> tuple[str, ...]:
    paper = "" if row.points is None else f"{row.points:.1f}"
    ours = shown(row.difference, 2) if row.points is None else shown(row.difference, 1, 100)
    return row.name, row.measure, row.larger, row.smaller, paper, ours, row.outcome


def _level(found: Results) -> str:
    return NOT_RUN if found.level is None else str(found.level + 1)


def _learned(found: Results) -> str:
    tau = shown(order_by_loss(found), 2)
    return _LEVEL.format(level=_level(found), last=LAST, guess=math.log(len(CLASSES)), tau=tau)


def _table1(found: Results) -> str:
    rows = (
        (
            name, f"{computed.total(name).bflops_paper:.3f}", paper, shown(found.mean(name, "top1"), 1, 100),
            shown(found.mean(name, "loss"), 2),
        )
        for name, paper in {**CLASSIFIERS, **RESIDUAL}.items()
    )  # fmt: skip
    return table(("network", "BFLOPs at 224 or 256", "paper, ImageNet", "in small", "loss"), rows)


def _table2(found: Results) -> str:
    rows = []
    for name, paper in DETECTORS.items():
        bflops = computed.total(name.removesuffix(GIOU), computed.COCO).bflops_paper
        ours = (shown(found.mean(name, m), 1, 100) for m in ("AP", "AP50"))
        rows.append((name, f"{bflops:.3f}", *(paper or ("not in the table", "")), *ours))
    return table(("detector", "BFLOPs at 416", "paper AP", "AP50", "in small AP", "AP50"), rows)


def _speeds(found: Results) -> str:
    said = (
        f"Measured with {found.speeds['threads']} threads on {found.speeds['cpu']} (load {found.speeds['load']:.1f}), "
        "onnxruntime, all in every round: median and\nquartiles. Where the claims compare two, the interval is one of "
        "95 % of the median of their\nratios, round by round." if found.speeds
        else "The times are missing: `python -m tools.claims --only speed` takes them, on a quiet machine."
    )  # fmt: skip
    head = (
        "detector",
        "paper, fps",
        "ms here",
        "head: GFLOP",
        "MB moved",
        "operations a byte",
        "head: ms",
        "bound, ms",
    )
    rows = []
    for name, paper in PAPER_FPS.items():
        roof, whole, of_head = computed.roof(name), NOT_RUN, [NOT_RUN, NOT_RUN]
        if found.speeds:
            quartiles, row = spread(tuple(times(found, name))), found.speeds["rows"][name]
            whole = f"{quartiles.median:.1f} ({quartiles.low:.1f} to {quartiles.high:.1f})"
            of_head = [f"{row[key]:.1f}" for key in ("head_ms", "bound_ms")]
        rows.append((
            name, paper, whole, f"{roof.gflops:.2f}", f"{roof.megabytes:.1f}", f"{roof.intensity:.0f}", *of_head,
        ))  # fmt: skip
    return f"{said}\n\n{table(head, rows)}\n" + _SAM.format(outcome=_OUTCOMES[slower(found, EFM, SPP)])


_OUTCOMES = {
    HOLDS: "SAM is slower than SPP here", FAILS: "SAM is faster than SPP here",
    ALIKE: "SAM is too near to SPP to tell them apart here", NOT_RUN: "Whether SAM is faster than SPP was not measured",
}  # fmt: skip
_SAM = """
The bound is a sum over layers, as `darknet-py bench --layers` has it: the operations at the speed of the machine's own
matrix product, or the bytes at that of a copy, whichever takes longer. Winograd's method needs fewer operations than
are counted, so a head can be quicker than its bound.

{outcome}; that it is faster was the paper's reason for its final choice. Its head has more to compute and
more to move: three 1x1 convolutions of 128 and 256 channels, three gates and three products, against a 1x1 convolution
less, two max-outs and three pools on 13x13 cells.
"""


_WHOLE = (
    'Pixels that a cell sees through its windows; "and whole" is the rest of the picture, by a global average pool.'
)
_ACCESS = """\
Of the convolutions of each network, at the size of its cfg (224 or 256 pixels), in numbers; CIO counts pools too, and
no weights:"""


def _computed() -> str:
    seen = []
    for name in (n for n in DETECTORS if not n.endswith(GIOU)):
        fields = computed.fields(name)
        largest = max((a for f in fields for a in f.anchors), key=lambda a: a[0] * a[1])
        each = "; ".join(f"{f.cells[1]}x{f.cells[0]}: {f}" for f in fields)
        seen.append((name, each, f"up to {largest[0]:g}x{largest[1]:g}"))
    moved = []
    for name in (*CLASSIFIERS, "resnet10", "csresnet10", "resnet50", "csresnet50", "resnext50", "csresnext50",
                 "darknet53", "csdarknet53", "densenet201-elastic", "csdensenet201-elastic"):  # fmt: skip
        access = computed.blocks_access(name)
        numbers = (computed.total(name).cio, access.moved, access.least)
        moved.append((name, *(f"{n / 1e6:.1f}" for n in numbers), f"{access.moved / access.least:.3f}"))
    head = ("network", "CIO, M", "memory access with weights, M", "its bound, M", "times the bound")
    return "\n\n".join((_WHOLE, table(("detector at 416", "a cell of each head sees", "anchors"), seen, 3),
                        _ACCESS, table(head, moved)))  # fmt: skip
