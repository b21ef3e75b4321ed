"""The running mean of weights that Darknet keeps with `ema_alpha` in the second half of training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...darknet.layers.net import Net

RAW_AT_THE_END = 1000  # iterations: network_kernels.cu train_network_datum_gpu


class Ema:
    """A running mean of tensors, by name; `mean` is empty before max_batches / 2, where it begins as a copy.

    At `max_batches - 1000` the mean is put in the place of the weights, and ends. Rolling statistics are not its
    business: Darknet keeps those of the raw weights.
    """

    def __init__(self, net: Net, tensors: Mapping[str, Tensor]) -> None:
        self.alpha = net.ema_alpha
        self.start, self.end = net.max_batches // 2, net.max_batches - RAW_AT_THE_END
        self.mean: dict[str, Tensor] = {}
        self._tensors = dict(tensors)

    def update(self, iteration: int) -> None:
        """What comes after the update of the weights that ends `iteration`."""
        if not self.start <= iteration <= self.end:
            return
        with torch.no_grad():
            if not self.mean:
                self.mean = {name: t.detach().clone() for name, t in self._tensors.items()}
            if iteration < self.end:
                self._blend()
            else:
                self._put()

    def _blend(self) -> None:
        for name, mean in self.mean.items():
            mean.mul_(self.alpha).add_(self._tensors[name], alpha=1 - self.alpha)

    def _put(self) -> None:
        for name, mean in self.mean.items():
            self._tensors[name].copy_(mean)
