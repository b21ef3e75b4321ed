"""The keys of [net] for training, and where each family of networks has them from: said in every header.

Decision: a published cfg counts more than the paper's text, whose author says so himself (CrossStagePartialNetworks,
issues 24 and 42: 8,000,000 iterations and a decay of .005 are typing errors for 800,000 and .0005). Where no cfg was
published, the text holds in what he did not take back: 1,600,000 iterations for networks built on DenseNet.
"""

from __future__ import annotations

from dataclasses import dataclass

# What every [net] begins with, also of networks that are not trained here.
_BEGINNING = """\
batch=1
subdivisions=1
width={size}
height={size}
channels=3
"""
_CLASSIFIER_BATCHES, _DETECTOR_BATCHES = "batch=128, subdivisions=4", "batch=64, subdivisions=16"
_CLASSIFIER = """\
momentum=0.9
decay=0.0005
min_crop=128
max_crop=448
angle=7
hue=.1
saturation=.75
exposure=.75
aspect=.75
{more}learning_rate=0.1
burn_in=1000
max_batches={iterations}
policy=poly
power=4
"""
_DETECTOR = """\
momentum={momentum}
decay=0.0005
angle=0
hue=.1
saturation=1.5
exposure=1.5
{more}learning_rate={rate}
burn_in=1000
max_batches={iterations}
policy=steps
steps=400000,450000
scales=.1,.1
"""
_EFFICIENTNET = """\
momentum=0.9
decay=0.00005
max_crop=256
angle=7
hue=.1
saturation=.75
exposure=.75
aspect=.75
learning_rate=0.256
burn_in=1000
max_batches=1600000
policy=step
step=10000
scale=0.96
"""


def net_lines(size: int, keys: str) -> str:
    """The lines of [net] of a network for inference: its input, and further keys."""
    return _BEGINNING.format(size=size) + keys


@dataclass(frozen=True)
class Training:
    """How a network is trained: in which batches, further lines of [net], and sentences on where they come from."""

    how: str
    keys: str
    why: str

    def lines(self, size: int) -> str:
        """The lines of [net] for an input of `size` pixels a side."""
        return f"# to train: {self.how}\n{net_lines(size, self.keys)}"


CLASSIFIER = Training(
    _CLASSIFIER_BATCHES,
    _CLASSIFIER.format(iterations=800000, more=""),
    "To train: 800,000 iterations and a decay of .0005, as in the authors' published cfgs. The paper's text has "
    "8,000,000 and .005, typing errors by its author's word (CrossStagePartialNetworks, issues 24 and 42).",
)
DENSENET = Training(
    _CLASSIFIER_BATCHES,
    _CLASSIFIER.format(iterations=1600000, more=""),
    "To train: 1,600,000 iterations, as the paper's text has it for networks built on DenseNet, and Darknet's own "
    "densenet201.cfg; no cfg of this one is published. The decay is .0005: .005 in the text is a typing error by its "
    "author's word (CrossStagePartialNetworks, issue 42).",
)
MISH = Training(
    _CLASSIFIER_BATCHES,
    _CLASSIFIER.format(iterations=1200000, more="label_smooth_eps=0.1\nmosaic=1\ncutmix=1\n"),
    "To train: 1,200,000 iterations with mosaic, cutmix and smoothed labels, as in the published cfg. It is younger "
    "than the paper, whose text does not have it.",
)
EFFICIENTNET = Training(
    "batch=120, subdivisions=4",
    _EFFICIENTNET,
    "To train: the keys of the published enetb0.cfg; the paper's text gives none for it.",
)
DETECTOR = Training(
    _DETECTOR_BATCHES,
    _DETECTOR.format(iterations=500500, momentum="0.9", rate="0.001", more=""),
    "To train: the keys of the authors' published detectors. The paper's text has the same rates, steps and decay, and "
    "500,000 iterations, which they round up to 500,500.",
)
TINY = Training(
    _DETECTOR_BATCHES,
    _DETECTOR.format(iterations=500200, momentum="0.9", rate="0.001", more=""),
    "To train: the keys of the published cfg. The paper's text has the same rates, steps and decay, and 500,000 "
    "iterations.",
)
OPTIMAL = Training(
    "batch=64, subdivisions=8",
    _DETECTOR.format(iterations=500500, momentum="0.949", rate="0.00261", more="mosaic=1\n"),
    "To train: the keys of the published cfg, which is younger than the paper and differs from its text.",
)
ELSEWHERE = "It has no keys for training: its weights come from another program."
