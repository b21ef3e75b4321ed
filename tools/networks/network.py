"""What the catalogue says of one network, and how it becomes the text of a cfg."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .builder import Builder

WIDTH = 100  # of the comments at the top of a cfg

# The training of the published cfgs (CrossStagePartialNetworks, cfg/csresnext50.cfg and cfg/csresnext50-panet-spp.cfg).
CLASSIFIER = """\
# to train: batch=128, subdivisions=4
batch=1
subdivisions=1
width={size}
height={size}
channels=3
momentum=0.9
decay=0.0005
min_crop=128
max_crop=448
angle=7
hue=.1
saturation=.75
exposure=.75
aspect=.75
learning_rate=0.1
burn_in=1000
max_batches=800000
policy=poly
power=4
"""
DETECTOR = """\
# to train: batch=64, subdivisions=16
batch=1
subdivisions=1
width={size}
height={size}
channels=3
momentum=0.9
decay=0.0005
angle=0
hue=.1
saturation=1.5
exposure=1.5
learning_rate=0.001
burn_in=1000
max_batches=500500
policy=steps
steps=400000,450000
scales=.1,.1
"""
# Of networks that are not trained here: the weights come from another program, which prepared pictures so.
TRAINED = """\
batch=1
subdivisions=1
width={size}
height={size}
channels=3
shorter_edge={edge}
interpolation={interpolation}
class_names=imagenet-synsets
"""


@dataclass(frozen=True)
class Pictures:
    """How the program that trained a network prepares pictures: the shorter side before the cut, and the resize."""

    edge: int
    interpolation: str


# What AlexeyAB's Darknet, which trains these cfgs, does not know: said in the headers of those that have it.
FOREIGN = {
    "[maxout]": "Darknet has no [maxout]; there it is [maxpool] with maxpool_depth=1, out_channels as here, size=1 and "
    "stride=1 (cfgs/FAMILY.md has the command).",
    "shorter_edge=": "Darknet does not know shorter_edge, interpolation and class_names: it resizes pictures in its "
    "own way. Nor can it train a network that begins with [batchnorm].",
    "activation=hard_sigmoid": "Darknet has no hard_sigmoid: it cannot train this one.",
}


class Evidence(StrEnum):
    """How sure the structure of a network is."""

    PUBLISHED = "published structure"
    PINNED = "pinned by numbers"
    RECONSTRUCTED = "reconstructed"
    OURS = "ours"


@dataclass(frozen=True)
class Network:
    """One cfg: its name, what it is, its input size, how sure its structure is and why, and the program that builds it.

    `note` says what is published and what is not; `source` names the module of the program.
    """

    name: str
    title: str
    size: int
    evidence: Evidence
    note: str
    build: Callable[[Builder], object]
    detector: bool = False
    activation: str = "leaky"
    pictures: Pictures | None = None  # of a network whose weights come from another program
    net: str = ""  # options of [net] of its own
    names: tuple[str, ...] = ()  # of its classes, where they are no list that everybody has

    def text(self, numbers: str = "") -> str:
        """The cfg; `numbers` is a sentence about its size and the published one."""
        b = Builder(self.activation)
        self.build(b)
        body = f"[net]\n{self._net()}\n" + "\n".join(b.sections)
        foreign = [said for word, said in FOREIGN.items() if word in body]
        return f"{self._header(numbers, *foreign)}\n{body}"

    def _net(self) -> str:
        if self.pictures:
            edge, interpolation = self.pictures.edge, self.pictures.interpolation
            return TRAINED.format(size=self.size, edge=edge, interpolation=interpolation)
        return (self.net or (DETECTOR if self.detector else CLASSIFIER)).format(size=self.size)

    def _header(self, *more: str) -> str:
        head = f"{self.title}, for {self.size}x{self.size} images."
        made = f"Written by `python -m tools.networks` from {self._module()}: edit that."
        kind = f"Structure: {self.evidence}. {self.note}"
        paragraphs = [p for p in (made, head, kind, *more) if p]
        return "".join(textwrap.indent(textwrap.fill(p, WIDTH - 2), "# ") + "\n" for p in paragraphs)

    def _module(self) -> str:
        module = getattr(self.build, "func", self.build).__module__
        return module.replace(".", "/") + ".py"
