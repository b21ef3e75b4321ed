"""Bugs of Darknet, and numbers as it draws them, put into what the product computes from outside.

Decision: nothing of the product knows them; a module that is made and run in `computing_with` has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest import mock

import numpy as np
import torch

from darknet_py.backends.torch import rules as torch_rules
from darknet_py.darknet import training
from darknet_py.ir.training import ClipGradient, Dropout, Training

from .glibc import RAND_MAX, rand


@dataclass(frozen=True)
class Bugs:
    """What of Darknet is put into a computation that the product does not do."""

    unreached_decay: bool = False
    unclipped: bool = False
    gelu_of_output: bool = False
    doubled_bias: bool = False
    never_learning: bool = False
    always_centred: bool = False


def unclipped(rules: Training) -> Training:
    """Rules of training that limit no gradient."""
    kept = {v: tuple(r for r in found if not isinstance(r, ClipGradient)) for v, found in rules.rules.items()}
    return replace(rules, rules={v: found for v, found in kept.items() if found})


@contextmanager
def computing_with(bugs: Bugs, seed: int) -> Iterator[None]:
    """Modules made and run in here have the bugs that are theirs, and draw what Darknet draws after srand(seed)."""
    with _single_thread(), _bugs_of_module(bugs), _drawn_as_darknet(seed):
        yield


@contextmanager
def _bugs_of_module(bugs: Bugs) -> Iterator[None]:
    if not bugs.gelu_of_output:
        yield
        return
    slope = "gelu at its output"
    with (
        mock.patch.dict(training.KINKED, gelu=slope),
        mock.patch.dict(torch_rules.SLOPES, {slope: lambda x, y: _gelu_slope(y)}),
    ):
        yield


def _gelu_slope(x: torch.Tensor) -> torch.Tensor:
    """The derivative of x/2 (1 + tanh(.797885 x + .035677 x^3)) (activations.c gelu_activate)."""
    t = torch.tanh(0.797885 * x + 0.035677 * x**3)
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (0.797885 + 3 * 0.035677 * x * x)


@contextmanager
def _drawn_as_darknet(seed: int) -> Iterator[None]:
    """Dropout with the numbers that rand() gives Darknet after srand(seed)."""
    numbers = rand(seed)

    def dropped(rule: Dropout, x: torch.Tensor, iteration: int) -> torch.Tensor:
        drawn = np.array([next(numbers) for _ in range(x.numel())], np.float64) / RAND_MAX
        kept = torch.from_numpy(drawn.reshape(x.shape) >= rule.probability)
        return torch.where(kept, x / (1 - rule.probability), torch.zeros_like(x))

    with mock.patch.object(torch_rules, "dropped", dropped):
        yield


@contextmanager
def _single_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
