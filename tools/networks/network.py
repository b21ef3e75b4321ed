"""What the catalogue says of one network, and how it becomes the text of a cfg."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .builder import Builder
from .training import CLASSIFIER, DETECTOR, ELSEWHERE, Training, net_lines

WIDTH = 100  # of the comments at the top of a cfg

# Of networks that are not trained here: the weights come from another program, which prepared pictures so.
TRAINED = """\
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

    `note` says what is published and what is not; `module` is what has to be edited.
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
    names: tuple[str, ...] = ()  # of its classes, where they are no list that everybody has
    keys: Training | None = None  # for training, where they are not those of its kind
    module: str = ""  # that describes it, where `build` is another one's

    def text(self, numbers: str = "") -> str:
        """The cfg; `numbers` is a sentence about its size and the published one."""
        b = Builder(self.activation)
        self.build(b)
        body = f"[net]\n{self._net()}\n" + "\n".join(b.sections)
        foreign = [said for word, said in FOREIGN.items() if word in body]
        why = ELSEWHERE if self.pictures else self.training.why
        return f"{self._header(numbers, why, *foreign)}\n{body}"

    @property
    def training(self) -> Training:
        """How it is trained."""
        return self.keys or (DETECTOR if self.detector else CLASSIFIER)

    def _net(self) -> str:
        if self.pictures:
            edge, interpolation = self.pictures.edge, self.pictures.interpolation
            return net_lines(self.size, TRAINED.format(edge=edge, interpolation=interpolation))
        return self.training.lines(self.size)

    def _header(self, *more: str) -> str:
        head = f"{self.title}, for {self.size}x{self.size} images."
        module = self.module or getattr(self.build, "func", self.build).__module__
        made = f"Written by `python -m tools.networks` from {module.replace('.', '/')}.py: edit that."
        kind = f"Structure: {self.evidence}. {self.note}"
        paragraphs = [p for p in (made, head, kind, *more) if p]
        return "".join(textwrap.indent(textwrap.fill(p, WIDTH - 2), "# ") + "\n" for p in paragraphs)
