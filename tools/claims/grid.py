"""What is trained: networks, budgets, and the cfgs that they make of the family's own.

Decision: a cfg is the family's with another [net], classes, anchors and a single size, and nothing else, so that what
is compared is what the family page describes. A budget is data: `FULL` is a night of two cores, `QUICK` minutes to test
the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.networks import NETWORKS
from tools.networks.codes import NAMES

from .glyphs import CLASSES, SCENE, SIDE

CLASSIFIERS = {
    "pelee": 70.7, "spelee": 69.6, "peleenext": 68.9, "csppelee-fusion-first-g75": 68.4, "csppelee-fusion-first": 69.2,
    "csppelee-fusion-first-g25": 70.0, "csppelee-fusion-last-g75": 69.2, "csppelee-fusion-last": 70.6,
    "csppelee-fusion-last-g25": 70.8, "csppelee-g75": 70.4, "csppelee": 70.9, "csppelee-g25": 71.5,
}  # fmt: skip
"""The rows of Table 1, and their top-1 there."""
RESIDUAL = {"resnet10": 63.5, "csresnet10": 65.3}
"""Trained for their gradients (Table 3)."""
DETECTORS = {
    "yolov3-csppelee-prn": (23.1, 44.5), "yolov3-csppelee-fpn": None, "yolov3-csppelee-cem": (23.8, 45.4),
    "yolov3-csppelee-gfm": (24.3, 46.2), "yolov3-csppelee-efm-plain": (26.4, 48.6), "yolov3-csppelee-efm": (26.8, 49.0),
    "yolov3-csppelee-efm-spp": (26.2, 48.5), "yolov3-csppelee-efm-plain+giou": (27.1, 45.9),
}  # fmt: skip
"""The rows of Table 2, and their AP and AP50 there; `+giou` is a loss."""
GIOU = "+giou"
ORDER = (
    ("pelee", "csppelee-fusion-first", "csppelee-fusion-last", "csppelee"),  # P1, P2, P7
    ("csppelee-g25", "csppelee-g75"),  # P3, P4, P6
    ("resnet10", "csresnet10"),  # P5
    ("peleenext", "spelee"),  # P8
    ("csppelee-fusion-first-g25", "csppelee-fusion-first-g75", "csppelee-fusion-last-g25", "csppelee-fusion-last-g75"),
    ("yolov3-csppelee-efm-plain", "yolov3-csppelee-gfm"),  # P10
    ("yolov3-csppelee-efm-plain+giou",),  # P11
    ("yolov3-csppelee-efm", "yolov3-csppelee-efm-spp"),  # P12
    ("yolov3-csppelee-cem", "yolov3-csppelee-prn"),  # P13
    ("yolov3-csppelee-fpn",),
)
"""The networks in the order in which they are trained, all seeds of a row before the next: each settles predictions."""
PILOT, PILOT_SEED = "pelee", 100  # what the level of the pictures is chosen with
BACKBONE, BACKBONE_LAYERS = "csppelee", 160  # what every detector begins with, of the classifier of its seed

_NET = re.compile(r"\[net\]\n.*?\n\n(?=\[|#)", re.DOTALL)
_ANCHORS = re.compile(r"^anchors=(.+)$", re.MULTILINE)
COCO_SIZE = 416  # pixels that the anchors are meant for
SNAPSHOTS = 4  # of a training, its end among them, at which gradients are probed, beside its beginning
NET = """\
[net]
width={side}
height={side}
channels=3
batch={batch}
subdivisions=1
momentum=0.9
decay=0.0005
flip=0
{own}
hue=.05
saturation=1.2
exposure=1.2
learning_rate={rate}
burn_in={burn_in}
max_batches={iterations}
{policy}

"""
CROP = SIDE * 9 // 8
CLASSIFIER_OWN, CLASSIFIER_POLICY = f"angle=5\naspect=1.1\nmin_crop={SIDE}\nmax_crop={CROP}", "policy=poly\npower=2"
DETECTOR_OWN, DETECTOR_POLICY = "adam=1", "policy=steps\nsteps={steps}\nscales=.2,.2"


@dataclass(frozen=True)
class Part:
    """A budget of one kind of network: pictures, a batch, iterations, and the rate."""

    learned: int
    unseen: int
    batch: int
    iterations: int
    rate: float

    @property
    def each(self) -> int:
        """Iterations from one snapshot to the next."""
        return max(1, self.iterations // SNAPSHOTS)

    @property
    def snapshots(self) -> tuple[int, ...]:
        """The iterations after which gradients are probed.

        >>> FULL.classifier.snapshots
        (0, 300, 600, 900, 1200)
        """
        return (*range(0, self.iterations, self.each), self.iterations)


@dataclass(frozen=True)
class Budget:
    """What may be spent: on classifiers and on detectors, with which seeds, and pictures of a probe of gradients.

    `classifiers` and `detectors` are the networks that take part.
    """

    name: str
    classifier: Part
    detector: Part
    seeds: tuple[int, ...]
    probe: int
    classifiers: tuple[str, ...]
    detectors: tuple[str, ...]

    def runs(self) -> Iterator[Run]:
        """All trainings, in the order of `ORDER`."""
        for names, seed in ((names, seed) for names in ORDER for seed in self.seeds):
            yield from (Run("classifier", name, seed) for name in names if name in self.classifiers)
            yield from (Run("detector", name, seed) for name in names if name in self.detectors)

    def part(self, kind: str) -> Part:
        """The budget of a kind of network."""
        return self.classifier if kind == "classifier" else self.detector


@dataclass(frozen=True)
class Run:
    """One training: the kind of network, its name in the tables above, and the seed; `pilot` is a level to try."""

    kind: str
    name: str
    seed: int
    pilot: int | None = None

    @property
    def key(self) -> str:
        """What its files are called."""
        return f"{self.name}-s{self.seed}" + ("" if self.pilot is None else f"-level{self.pilot + 1}")

    @property
    def backbone(self) -> Run | None:
        """The training that a detector begins with, as Darknet's begin with a classifier (`darknet53.conv.74`).

        >>> Run("detector", "yolov3-csppelee-prn", 2).backbone.key
        'csppelee-s2'
        """
        return Run("classifier", BACKBONE, self.seed) if self.kind == "detector" else None


FULL = Budget(
    "full", Part(12_000, 3_000, 32, 1_200, 0.05), Part(4_000, 500, 16, 700, 0.001), (0, 1, 2), 64,
    (*CLASSIFIERS, *RESIDUAL), tuple(DETECTORS),
)  # fmt: skip
QUICK = Budget(
    "quick", Part(72, 36, 8, 2, 0.01), Part(12, 6, 4, 2, 0.001), (0,), 8,
    ("csppelee", "csresnet10"), ("yolov3-csppelee-efm-plain+giou",),
)  # fmt: skip


def cfg_of(run: Run, part: Part) -> str:
    r"""The cfg of a training.

    >>> text = cfg_of(Run("classifier", "pelee", 0), FULL.classifier)
    >>> "max_batches=1200" in text, "filters=36\n" in text, "filters=1000" in text
    (True, True, False)
    """
    text = NETWORKS[run.name.removesuffix(GIOU)].text()
    options = {"batch": part.batch, "rate": f"{part.rate:g}", "iterations": part.iterations}
    options["burn_in"] = max(1, part.iterations // 20)
    if run.kind == "classifier":
        net = NET.format(side=SIDE, own=CLASSIFIER_OWN, policy=CLASSIFIER_POLICY, **options)
        return _swapped(_swapped(text, _NET, net), r"filters=1000\n", f"filters={len(CLASSES)}\n")
    steps = f"{part.iterations * 7 // 10},{part.iterations * 9 // 10}"
    policy = DETECTOR_POLICY.format(steps=steps)
    text = _swapped(text, _NET, NET.format(side=SCENE, own=DETECTOR_OWN, policy=policy, **options))
    count = len(text.split("[yolo]")) - 1
    text = _swapped(text, r"filters=255\n", f"filters={3 * (5 + len(NAMES))}\n", count)
    text = _swapped(text, r"classes=80\n", f"classes={len(NAMES)}\n", count)
    text = _swapped(text, r"random=1\n", "random=0\n", count)
    text = _ANCHORS.sub(_scaled, text)
    if run.name.endswith(GIOU):
        text = text.replace("[yolo]\n", "[yolo]\niou_loss=giou\niou_normalizer=0.5\n")
    return text


def _swapped(text: str, pattern: str | re.Pattern[str], new: str, count: int = 1) -> str:
    text, done = re.subn(pattern, lambda _: new, text)
    assert done == count, f"{pattern}: {done} places"
    return text


def _scaled(match: re.Match[str]) -> str:
    numbers = (max(1.0, float(n) * SCENE / COCO_SIZE) for n in match[1].split(","))
    return f"anchors={','.join(f'{n:.1f}' for n in numbers)}"
