"""The programs whose checkpoints are known: how they call their tensors, and in which order these stand in a cfg.

Decision: a family is data. A tensor's name is split into a unit (a convolution with its normalization) and a role; a
table of patterns puts the units into the order of the network, whatever the order of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Mean and deviation of the pixels of ImageNet, of 1, in RGB: what these networks were trained with (timm's
# IMAGENET_DEFAULT_MEAN and _STD; mmpretrain has the same, of 255).
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

COUNTERS = "num_batches_tracked"  # steps that a normalization has seen in training: nothing is computed from it

_NORM = {"weight": "scales", "bias": "biases", "running_mean": "mean", "running_var": "variance"}
_CONV = {"weight": "weights", "bias": "biases", "implicit": "weights", "w": "weights"}

OWN_UNIT = r"(\d{1,4})_[A-Za-z]\w*"  # as a Graph names its layers

Position = tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """How one program names the layers of a network.

    `units` are patterns of the names of units with the position that each has; the groups of a pattern are numbers and
    take the place of None in it. `epsilon` is that of the program's normalization,
    None: that of the cfg. `by_layer`: a position is the number
    of a section of the cfg, and not a rank among the layers with parameters. `normalized`: pictures are normalized
    before the network. `spelling` is a pattern in the names of its tensors, where they are else those of another
    program. `cfgs` are the networks that come with this package, by the names of their cfgs.
    """

    name: str
    title: str
    units: tuple[tuple[str, tuple[int | None, ...]], ...]
    epsilon: float | None
    by_layer: bool = False
    normalized: bool = False
    spelling: str = ""
    cfgs: tuple[str, ...] = ()

    def position(self, unit: str) -> Position | None:
        """Where a unit stands; None if the program has none of that name."""
        for pattern, position in self.units:
            if match := re.fullmatch(pattern, unit):
                numbers = iter(map(int, match.groups()))
                return tuple(next(numbers) if p is None else p for p in position)
        return None

    def knows(self, names: Iterable[str]) -> int:
        """How many of these tensors the program would call so."""
        spelt = (name for name in names if re.search(self.spelling, name))
        return sum(self.position(split(name)[0]) is not None for name in spelt)


TIMM = Family(
    "timm", "timm", (
        (r"stem\.conv1", (0,)),
        (r"stages\.(\d{1,3})\.conv_down", (1, None, 0)),
        (r"stages\.(\d{1,3})\.conv_exp", (1, None, 1)),
        (r"stages\.(\d{1,3})\.blocks\.(\d{1,3})\.conv(\d)", (1, None, 2, None, None)),
        (r"stages\.(\d{1,3})\.conv_transition_b", (1, None, 3)),
        (r"stages\.(\d{1,3})\.conv_transition", (1, None, 4)),
        (r"head\.fc", (2,)),
    ), 1e-5, normalized=True,
    cfgs=("cspdarknet53.ra_in1k", "cspresnet50.ra_in1k", "cspresnext50.ra_in1k", "darknet53.c2ns_in1k"),
)  # fmt: skip

MMPRETRAIN = Family(
    "mmpretrain", "mmpretrain", (
        (r"backbone\.stem(?:\.0)?", (0,)),
        (r"backbone\.stages\.(\d{1,3})\.downsample_conv", (1, None, 0)),
        (r"backbone\.stages\.(\d{1,3})\.expand_conv", (1, None, 1)),
        (r"backbone\.stages\.(\d{1,3})\.blocks\.(\d{1,3})\.conv(\d)", (1, None, 2, None, None)),
        (r"backbone\.stages\.(\d{1,3})\.atfer_blocks_conv", (1, None, 3)),  # its spelling
        (r"backbone\.stages\.(\d{1,3})\.final_conv", (1, None, 4)),
        (r"head\.fc", (2,)),
    ), 1e-5, normalized=True,
    cfgs=("cspdarknet50_3rdparty_8xb32_in1k", "cspresnet50_3rdparty_8xb32_in1k", "cspresnext50_3rdparty_8xb32_in1k"),
)  # fmt: skip

# Programs that build a list of modules from a cfg, one for each section. Their epsilons differ, and so do their names.
LAYER = (r"(?:module_list|models)\.(\d{1,4})(?:\.conv\d{0,4})?", (None,))

# eriklindernoren/PyTorch-YOLOv3 models.py and Tianxiaomo/pytorch-YOLOv4 tool/darknet2pytorch.py: PyTorch's own epsilon.
ERIKLINDERNOREN = Family(
    "pytorch-yolov3", "PyTorch-YOLOv3", (LAYER,), 1e-5, by_layer=True, spelling=r"\.(conv|batch_norm)_\d+\."
)
TIANXIAOMO = Family(
    "pytorch-yolov4", "pytorch-YOLOv4", (LAYER,), 1e-5, by_layer=True, spelling=r"^models\.\d+\.(conv|bn)\d+\."
)
# PyTorch_YOLOv4, yolor, ScaledYOLOv4's csp branch and ultralytics' yolov3 of that time (models.py create_modules).
DARKNET = Family("darknet", "a PyTorch program that reads Darknet's cfg", (LAYER,), 1e-4, by_layer=True)

# The state_dict of a module of darknet_py.torch: parameters under the names of the graph (`0_convolutional.weights`).
OWN = Family("darknet_py", "darknet_py.torch", ((OWN_UNIT, (None,)),), None, by_layer=True)

FAMILIES = (TIMM, MMPRETRAIN, ERIKLINDERNOREN, TIANXIAOMO, DARKNET, OWN)


def split(name: str) -> tuple[str, str]:
    """The unit that a tensor belongs to, and its role in it; an unknown role is '?' and the name.

    >>> split("stages.0.conv_down.bn.running_var"), split("blocks.0.bn2.weight")
    (('stages.0.conv_down', 'variance'), ('blocks.0.conv2', 'scales'))
    >>> split("module_list.3.Conv2d.weight"), split("head.fc.bias")
    (('module_list.3', 'weights'), ('head.fc', 'biases'))
    """
    first, _, role = name.partition(".")
    if role and re.fullmatch(OWN_UNIT, first):
        return first, role
    unit, _, tensor = name.rpartition(".")
    before, _, last = unit.rpartition(".")
    if match := re.fullmatch(r"bn(\d*)|BatchNorm2d|batch_norm_\d+", last):
        number = match.group(1)
        return (f"{before}.conv{number}" if number else before), _NORM.get(tensor, f"?{tensor}")
    if re.fullmatch(r"conv|Conv2d|conv_\d+", last):
        unit = before
    return unit, _CONV.get(tensor, f"?{tensor}")
