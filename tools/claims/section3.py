"""The claims of section 3: partial dense blocks, transitions, residual stages, and the exact fusion model."""

from __future__ import annotations

from collections.abc import Iterator

from . import computed as c
from .claim import Claim, cio, duplicates, in_small, percent, points, shown
from .detectors import GFM, PLAIN
from .predictions import cka, falling, order_by_gradients, outcome
from .results import Results, estimated
from .statistics import FAILS, HOLDS, PARTLY, together

FUSIONS = ("csppelee-fusion-first", "csppelee-fusion-last")


def section3(found: Results) -> Iterator[Claim]:
    """In the order of the paper."""
    for part in (_dense(), _fusion(found), _residual(), _efm()):
        yield from part


def _dense() -> Iterator[Claim]:
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
        f"{percent(1 - partial / dense)} "
        f"less. Whole networks: PeleeNet {cio('pelee')} to {cio('csppelee')} M; but the CIO of Darknet-53 *grows* "
        f"from {cio('darknet53')} to {cio('csdarknet53')} M, as its CSP version adds 1x1 convolutions.", PARTLY,
    )  # fmt: skip
    yield Claim(
        "3.1", "the number of gradient paths doubles",
        "From the input of a block of m dense layers to its transition there are 2^m paths, as each layer "
        "reads all before it; the partial block has these and one more, which bypasses it: 257 instead of 256 for "
        "eight layers. It is twice as many only if all that goes through the block is one path. What that does to "
        "gradients is P3.", PARTLY,
    )  # fmt: skip
    yield Claim("3.1", "a partial block keeps the feature reuse of a dense one",
                "Read off the graph: its dense layers read x_0'' and all maps before them.", HOLDS)  # fmt: skip
    yield Claim(
        "3.1", "the computational bottleneck of a dense block is nearly halved",
        f"The costliest layer of PeleeNet at 224: {c.bottleneck('pelee'):.4f} BFLOPs, of CSPPeleeNet "
        f"{c.bottleneck('csppelee'):.4f}: {percent(1 - c.bottleneck('csppelee') / c.bottleneck('pelee'))} less.",
        HOLDS,
    )  # fmt: skip


def _fusion(found: Results) -> Iterator[Claim]:
    first, last = (found.difference(name, "pelee", "top1") for name in FUSIONS)
    outcomes, said = duplicates(found, ("P1", "P2"))
    ckas = ((n, estimated(cka(found, n))) for n in ("pelee", *FUSIONS, "csppelee"))
    yield Claim("3.1", "fusion first reuses much gradient information, fusion last none",
                f"P1 and P2 below: {said}. CKA of shared weight gradients at the end of training: "
                + ", ".join(f"{n} {shown(one, 3)}" for n, one in ckas) + ".", in_small(together(outcomes)))  # fmt: skip
    yield Claim(
        "3.1, Fig. 4", "fusion last loses 0.1 points of top-1 for 21 % of the computation",
        f"{percent(c.less('csppelee-fusion-last', 'pelee'))} of the BFLOPs, computed. Top-1 in small: "
        f"{points(last)}.", in_small(outcome(last, -0.1)),
    )  # fmt: skip
    yield Claim(
        "3.1, Fig. 4", "fusion first loses 1.5 points for 26 %",
        f"Ours saves {percent(c.less('csppelee-fusion-first', 'pelee'))}: no regular network that is a "
        "fusion first by the paper's definition costs what Table 1 says. Top-1 in small: "
        f"{points(first)}.", in_small(outcome(first, -1.5)),
    )  # fmt: skip
    tau, beyond = (order_by_gradients(found, beyond=beyond) for beyond in (False, True))
    begin = found.budget.classifier.each
    yield Claim("3.1", "less repeated gradient means better learning",
                "Kendall's τ of CKA at the end of training and top-1 over the networks of Table 1, below 0 if those "
                f"that repeat less learn better: {shown(tau, 2)}; of CKA less that of random gradients of the same "
                f"shapes: {shown(beyond, 2)}. It shows no cause: CKA falls in the course of a training (of "
                f"{falling(found, begin)} networks it is smaller at the end than after {begin} iterations), and "
                "networks that come less far in the budget have more of it for that alone. Not a prediction of "
                "PREDICTIONS.md.", in_small(outcome(tau, -1)))  # fmt: skip


def _residual() -> Iterator[Claim]:
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


def _efm() -> Iterator[Claim]:
    seen = ", ".join(f"{f.width}x{f.height}" for f in c.fields(PLAIN))
    global_ = ", ".join(str(f) for f in c.fields(GFM))
    yield Claim(
        "3.2", "EFM gives each anchor a field of view that fits it",
        f"Computed: a cell of the heads at 1/8, 1/16 and 1/32 sees {seen} pixels of a 416x416 picture, more than three "
        f"times its side; anchors are 10x13 to 373x326. No field is bounded by the next scale's. (GFM, which has "
        f"a global average pool: {global_}.) What a cell *can* see is not what it weighs, "
        "and the paper defines no other field of view.", FAILS,
    )  # fmt: skip
    p = c.pyramid()
    yield Claim(
        "1, 3.2", "max-outs cut the memory for feature pyramids by 75 %",
        f"True of what the backbone keeps for the pyramid: {p.read:,} numbers become {p.written:,}, by definition of a "
        "max-out that keeps a quarter. Of the head of `yolov3-csppelee-efm-plain` "
        "([a table](FAMILY.md#the-claims-computed)) less is saved: all outputs are "
        f"{p.with_them.activations:.1f} instead of {p.without.activations:.1f} MiB; most alive at once "
        f"{p.with_them.peak:.1f} instead of {p.without.peak:.1f}, or {p.early.peak:.1f} with max-outs run as soon as "
        f"possible; BFLOPs {p.with_them.bflops:.2f} instead of "
        f"{p.without.bflops:.2f}; CIO {p.with_them.cio:.1f} instead of "
        f"{p.without.cio:.1f} M, which is more.", PARTLY,
    )  # fmt: skip
