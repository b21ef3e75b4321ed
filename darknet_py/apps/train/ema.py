"""Running means: Darknet's of weights (`ema_alpha`, in the second half), and one of all that is learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

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


class Mean:
    """A running mean of the parameters and statistics of a module, from the first iteration on; not Darknet's.

    It keeps the share `alpha` of itself in each update; in the first ones less, so that the random beginning is soon
    forgotten: (1 + n) / (10 + n) after n updates.
    """

    def __init__(self, module: torch.nn.Module, alpha: float) -> None:
        self.alpha, self.count = alpha, 0
        tensors = [*module.named_parameters(), *module.named_buffers()]
        self._tensors = {name: t.detach() for name, t in tensors if t.is_floating_point()}
        self._values = {name: t.clone() for name, t in self._tensors.items()}

    def update(self) -> None:
        """What comes after each iteration."""
        share = min(self.alpha, (1 + self.count) / (10 + self.count))
        self.count += 1
        with torch.no_grad():
            torch._foreach_lerp_([*self._values.values()], [*self._tensors.values()], 1 - share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """A block in which the module has the means in the place of what it learns."""
        with torch.no_grad():
            raw = {name: t.clone() for name, t in self._tensors.items()}
            self._put(self._values)
            try:
                yield
            finally:
                self._put(raw)

    def _put(self, values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in self._tensors.items():
                tensor.copy_(values[name])

    def state_dict(self) -> dict[str, object]:
        """All that the next update needs."""
        return {"count": self.count, "values": dict(self._values)}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on where `state_dict` was taken."""
        values = state["values"]
        assert isinstance(values, dict)
        assert isinstance(state["count"], int)
        self.count = state["count"]
        with torch.no_grad():
            for name, value in self._values.items():
                value.copy_(values[name])
