"""[net]: the size of the input; its options for training have a class of their own."""

from __future__ import annotations

from dataclasses import dataclass

from ...contract.contract import INTERPOLATIONS
from ...errors import Code, Diagnostics
from ...zoo.names import CLASS_LISTS
from ..cfg import Section
from ..cfg.options import opt
from ..cfg.values import atoi
from .training import NetTraining

NET_SECTIONS = ("net", "network")


@dataclass(frozen=True)
class Net(NetTraining):
    """The network's own options."""

    width: int = opt(0, "input width in pixels", low=0, high=65536)
    height: int = opt(0, "input height in pixels", low=0, high=65536)
    channels: int = opt(0, "input channels", low=0, high=65536)
    inputs: int = opt(0, "length of an input that is no image; default: height * width * channels", low=0)
    letter_box: int = opt(0, "1: keep the aspect ratio of images and pad, instead of stretching them")
    shorter_edge: int = opt(
        0, "classifiers: pixels of the shorter side of a picture before its middle is cut out; 0: the input's width "
        "(of this package; Darknet ignores it)", low=0, high=65536,
    )  # fmt: skip
    interpolation: str = opt(
        "darknet", "classifiers: how pictures are resized; all but 'darknet' as Pillow does "
        "(of this package; Darknet ignores it)", choices=INTERPOLATIONS,
    )  # fmt: skip
    class_names: str = opt(
        "", "the list of class names where none lies beside the cfg (of this package; Darknet ignores it)",
        choices=CLASS_LISTS,
    )  # fmt: skip
    time_steps: int = opt(1, "frames that Darknet unrolls in training; here a step is a call")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the input: (channels, height, width), or a vector, or () where the cfg does not say."""
        if self.width and self.height and self.channels:
            return (self.channels, self.height, self.width)
        return (self.inputs,) if self.inputs else ()


def lint_training(section: Section, found: Diagnostics) -> None:
    """Warn about training options on which Darknet stops or crashes although it is not training."""
    _lint_batch(section, found)
    policy, steps = section.find("policy"), section.find("steps")
    if policy is None or policy.value not in ("steps", "sgdr"):
        return
    lists = [o for key in ("scales", "seq_scales") if (o := section.find(key))]
    if policy.value == "steps" and (steps is None or section.find("scales") is None):
        message = "policy=steps without steps and scales: Darknet refuses the file"  # parser.c parse_net_options
        found.warning(Code.MISSING_OPTION, message, policy.span)
    elif steps is not None:
        for short in lists:
            if (short.value or "").count(",") < (steps.value or "").partition("#")[0].count(","):
                message = f"{short.key!r} has fewer items than 'steps' on line {steps.span.line}: Darknet crashes on it"
                found.warning(Code.SUSPICIOUS, message, short.span)


def _lint_batch(section: Section, found: Diagnostics) -> None:
    subdivisions, contrastive = section.find("subdivisions"), section.find("contrastive")
    parts = atoi(subdivisions, 1)
    if subdivisions and not parts:
        found.warning(Code.OUT_OF_RANGE, "a batch in 0 subdivisions: Darknet divides by zero", subdivisions.span)
    elif contrastive and atoi(contrastive, 0) and int(atoi(section.find("batch"), 1) / parts) < 2:
        message = "contrastive=1 with less than 2 images in a subdivision of the batch: Darknet refuses the file"
        found.warning(Code.OUT_OF_RANGE, message, contrastive.span)
