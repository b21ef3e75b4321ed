"""The claims of the abstract."""

from __future__ import annotations

from collections.abc import Iterator

from . import computed as c
from .claim import UNKNOWN, Claim, duplicates, in_small, percent
from .results import Results
from .statistics import HOLDS, PARTLY, together


def abstract(found: Results) -> Iterator[Claim]:
    """Its five sentences."""
    outcomes, said = duplicates(found, ("P1", "P2", "P4", "P5"))
    yield Claim(
        "abstract", "20 % less computation",
        f"BFLOPs saved: CSPResNeXt-50 {percent(c.less('csresnext50', 'resnext50'))}, CSPPeleeNet "
        f"{percent(c.less('csppelee', 'pelee'))}, CSPDarknet-53 {percent(c.less('csdarknet53', 'darknet53'))}, "
        f"CSPResNet-50 {percent(c.less('csresnet50', 'resnet50'))}, CSPMobileNet-v2 "
        f"{percent(c.less('csmobilenet-v2', 'mobilenet-v2'))}. Of these only CSPResNeXt-50 and CSPDarknet-53 reach "
        "20 %.",
        PARTLY,
    )  # fmt: skip
    yield Claim(
        "abstract",
        "with equal or better accuracy on ImageNet",
        "Needs ImageNet and weeks of a GPU; no trained network of the authors could be had. In small: see P6 to P9.",
        UNKNOWN,
    )
    yield Claim("abstract", "far better AP50 on COCO than the state of the art of 2019",
                "Needs COCO and the others' networks.", UNKNOWN)  # fmt: skip
    yield Claim(
        "abstract", "CSP lessens duplicate gradient information, which is the cause of heavy computation",
        f"That gradients are less alike with CSP, as P1, P2, P4 and P5 below: {said}. P3 follows from the wiring "
        "alone. No comparison shows that this is a cause of anything.", in_small(together(outcomes)),
    )  # fmt: skip
    yield Claim(
        "abstract", "easy to apply to ResNet, ResNeXt and DenseNet",
        "Cfgs of all three are here and compile; those of the authors' repository have the same graph as ours.", HOLDS,
    )  # fmt: skip
