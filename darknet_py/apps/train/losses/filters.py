"""The loss filters of [net]: deltas that are too large to be true, or too small to matter, count as 0.

Decision: their state is one explicit value that all heads of a network share, because Darknet keeps it in the network;
it is part of a checkpoint. Their thresholds are plain numbers, so that a GPU is waited for, but only while they act.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from ....darknet.layers.net import Net

KEEP, TAKE = 0.99, 0.01  # of the rolling numbers, yolo_layer.c forward_yolo_layer
STEP = 0.01  # by which the threshold of badlabels_rejection_percentage moves


@dataclass
class LossFilters:
    """The rolling numbers of `equidistant_point`, `badlabels_rejection_percentage` and `num_sigmas_reject_badlabels`.

    Darknet applies them in [yolo] only, per mini batch and head, over all deltas that are not 0 (yolo_layer.c).
    """

    rolling_max: float = 0.0
    rolling_mean: float = 0.0
    rolling_deviation: float = 0.0
    threshold: float = 0.0

    def state_dict(self) -> dict[str, float]:
        """The state, for a checkpoint."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take over a state of `state_dict`."""
        for name in asdict(self):
            setattr(self, name, float(state[name]))

    def apply(self, delta: Tensor, net: Net, iteration: int, entries: int) -> Tensor:
        """The delta of a head after the filters that act after `iteration` updates; `entries` are numbers of a box."""
        start = net.max_batches * 3 // 4  # where the two filters of large deltas begin
        late = start < iteration
        few = bool(net.equidistant_point) and net.equidistant_point < iteration
        if not few and not (late and (net.badlabels_rejection_percentage or net.num_sigmas_reject_badlabels)):
            return delta
        mean_before = self.rolling_mean
        self._roll(delta.abs())
        span = net.max_batches - net.equidistant_point
        progress = (iteration - net.equidistant_point) / span if span else 0.0
        least = mean_before * progress * 1.4
        if late and net.num_sigmas_reject_badlabels:
            limit, least = self._sigma_limits(
                delta, net.num_sigmas_reject_badlabels, (iteration - start) / max(start, 1)
            )
            least *= progress
            delta = torch.where(delta.abs() > limit, 0.0, delta)
        if late and net.badlabels_rejection_percentage:
            delta = self._reject_share(delta, net.badlabels_rejection_percentage, entries)
        return torch.where(delta.abs() < least, 0.0, delta) if few else delta

    def _roll(self, sizes: Tensor) -> None:
        count = int((sizes != 0).sum())
        largest = float(sizes.max())
        mean = float(sizes.sum()) / count if count else 0.0
        self.rolling_max = (self.rolling_max or largest) * KEEP + largest * TAKE
        self.rolling_mean = self.rolling_mean * KEEP + mean * TAKE

    def _sigma_limits(self, delta: Tensor, sigmas: float, progress: float) -> tuple[float, float]:
        """The size above which deltas are rejected, and that below which equidistant_point does, before progress."""
        there = delta[delta != 0]
        deviation = float(((there - self.rolling_mean) ** 2).mean().sqrt()) if len(there) else 0.0
        before = self.rolling_deviation
        self.rolling_deviation = before * KEEP + deviation * TAKE
        final = self.rolling_mean + before * sigmas
        limit = self.rolling_max - progress * abs(self.rolling_max - final)
        return max(final, limit), min(final, self.rolling_mean)

    def _reject_share(self, delta: Tensor, percentage: float, entries: int) -> Tensor:
        self.threshold = self.threshold or self.rolling_max
        count = int((delta != 0).sum())
        wrong = delta.abs() > self.threshold
        percent = 100 * int(wrong.sum()) * entries / count if count else 0.0
        delta = torch.where(wrong, 0.0, delta)
        if percent > percentage:
            self.threshold += STEP
        elif self.threshold > STEP:
            self.threshold -= STEP
        return delta
