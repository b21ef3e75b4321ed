"""The loss of [softmax]: cross-entropy, whose delta knows no temperature (softmax_layer.c)."""

from __future__ import annotations

import torch
from torch import Tensor

from ....contract.tree import Tree
from ....darknet.layers.heads.tree import read_tree
from ....darknet.layers.softmax import Softmax
from .head import HeadLoss, HeadPlace
from .result import LossResult, result, said

LEAST = torch.finfo(torch.float32).tiny  # of a probability: the delta of one that is 0 is right, its cost infinite in C


def softmax_of_tree(x: Tensor, tree: Tree, axis: int) -> Tensor:
    """A softmax for each group of siblings of a class tree, along an axis."""
    return torch.cat([part.softmax(axis) for part in x.split(tree.groups, axis)], axis)


class SoftmaxLoss(HeadLoss):
    """The delta is truth minus probability; each label that is not 0 costs -log of its probability, whatever it is

    (blas.c softmax_x_ent_cpu). The truth is (B, numbers of x): one-hot, or soft where labels are smoothed or mixed.
    With `noloss` cost and delta are 0; Darknet still counts the layer in its mean of costs.
    """

    def __init__(self, place: HeadPlace, layer: Softmax) -> None:
        super().__init__(place)
        self.layer = layer
        self.tree = read_tree(place.side_file(layer.tree)) if layer.tree else None

    def output(self, x: Tensor) -> Tensor:
        """The probabilities (B, n) of x (B, …)."""
        if self.tree is not None:
            return softmax_of_tree(x.flatten(1) / self.layer.temperature, self.tree, 1)
        if self.layer.spatial:
            return x.softmax(1).flatten(1)
        parts = x.reshape(len(x), self.layer.groups, -1) / self.layer.temperature
        return parts.softmax(2).flatten(1)

    def __call__(self, x: Tensor, truth: Tensor, *, seen: int = 0, iteration: int = 0) -> LossResult:
        with torch.no_grad():
            output = self.output(x.detach().float())
            wanted = output if self.layer.noloss else truth.to(output.device, torch.float32).reshape(output.shape)
            labels = (wanted != 0) & (not self.layer.noloss)
            losses = torch.where(labels, -output.clamp_min(LEAST).log(), 0.0).sum(1)
        return result(x, losses.sum(), wanted - output, output.reshape(x.shape), losses, said(""))
