"""The learning rate of an iteration: Darknet's policies, and cosine, which Darknet does not have.

Decision: a rate is a function of the options of [net] and of the number of the iteration alone, so that a run that is
resumed needs nothing of what came before. What is raised to a power is rounded to a float first as Darknet's is, or the
two would drift apart: 0.97 ** 150 by 4e-6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import takewhile
from random import Random

import numpy as np

from ...darknet.layers.training import NetTraining
from ...errors import DataError


def rate(net: NetTraining, iteration: int, seed: int = 0) -> float:
    """The learning rate of the update that ends `iteration`, the first of which is 1 (network.c get_current_rate).

    `seed` is of policy random only, which draws one number for each iteration. Raises `DataError` for options with
    which Darknet divides by zero or never comes back.

    >>> from darknet_py.darknet.layers.net import Net
    >>> net = Net(learning_rate=0.1, burn_in=10, policy="steps", steps=(20,), scales=(0.5,))
    >>> rate(net, 5), rate(net, 10), rate(net, 20)
    (0.00625, 0.1, 0.05)
    """
    if iteration < net.burn_in:
        return _burning_in(net, iteration)
    return _POLICIES[net.policy](net, iteration, seed)


def cosine(net: NetTraining, iteration: int) -> float:
    """As `rate`, but one half wave of a cosine after burn_in whatever the policy; this is not Darknet's.

    It goes from `learning_rate` at iteration `burn_in` down to `learning_rate_min` at `max_batches`, and stays there.

    >>> from darknet_py.darknet.layers.net import Net
    >>> net = Net(learning_rate=0.1, learning_rate_min=0.0, max_batches=100)
    >>> [round(cosine(net, n), 3) for n in (0, 50, 100, 120)]
    [0.1, 0.05, 0.0, 0.0]
    """
    if iteration < net.burn_in:
        return _burning_in(net, iteration)
    length = net.max_batches - net.burn_in
    share = min((iteration - net.burn_in) / length, 1.0) if length > 0 else 1.0
    return _half_wave(net, share)


def _burning_in(net: NetTraining, iteration: int) -> float:
    return net.learning_rate * _power(_single(iteration / net.burn_in), net.power)


def _constant(net: NetTraining, iteration: int, seed: int) -> float:
    return net.learning_rate


def _step(net: NetTraining, iteration: int, seed: int) -> float:
    if net.step == 0:
        raise DataError("policy=step with step=0: Darknet divides by zero")
    return net.learning_rate * _power(_single(net.scale), iteration // net.step)


def _steps(net: NetTraining, iteration: int, seed: int) -> float:
    passed = len([*takewhile(lambda step: step <= iteration, net.steps)])
    return net.learning_rate * math.prod(net.scales[:passed])


def _exp(net: NetTraining, iteration: int, seed: int) -> float:
    return net.learning_rate * _power(_single(net.gamma), iteration)


def _poly(net: NetTraining, iteration: int, seed: int) -> float:
    """Past max_batches the base is negative: whole powers go on as in C, of others C makes NaN, and this 0."""
    if net.max_batches == 0:
        raise DataError("policy=poly without max_batches: Darknet divides by zero")
    base = _single(1 - _single(iteration / net.max_batches))
    if base < 0 and not net.power.is_integer():
        return 0.0
    return net.learning_rate * _power(base, net.power)


def _sigmoid(net: NetTraining, iteration: int, seed: int) -> float:
    slope = _single(net.gamma) * (iteration - net.step)
    return net.learning_rate * 0.5 * (1 - math.tanh(slope / 2))  # 1 / (1 + exp(slope)), which cannot overflow


def _random(net: NetTraining, iteration: int, seed: int) -> float:
    return net.learning_rate * _power(Random(f"{seed} {iteration}").random(), net.power)


def _sgdr(net: NetTraining, iteration: int, seed: int) -> float:
    """A cycle still holds the iteration at which the next begins: there the rate is the least."""
    start, size = 0, net.max_batches if net.sgdr_cycle is None else net.sgdr_cycle
    if size <= 0 or net.sgdr_mult < 1:
        raise DataError(f"policy=sgdr with sgdr_cycle={size} and sgdr_mult={net.sgdr_mult}: Darknet never comes back")
    if net.sgdr_mult == 1:
        start = (iteration - 1) // size * size if iteration > size else 0
        return _half_wave(net, (iteration - start) / size)
    while start + size < iteration:
        start, size = start + size, size * net.sgdr_mult
    return _half_wave(net, (iteration - start) / size)


def _half_wave(net: NetTraining, share: float) -> float:
    least = net.learning_rate_min
    return least + 0.5 * (net.learning_rate - least) * (1 + math.cos(share * math.pi))


def _power(base: float, exponent: float) -> float:
    """As C's pow: infinite where Python raises; the training then says that the loss is no number."""
    with np.errstate(all="ignore"):
        return float(np.float64(base) ** np.float64(exponent))


def _single(x: float) -> float:
    return float(np.float32(x))


_POLICIES: dict[str, Callable[[NetTraining, int, int], float]] = {
    "constant": _constant, "step": _step, "steps": _steps, "exp": _exp, "poly": _poly, "sigmoid": _sigmoid,
    "random": _random, "sgdr": _sgdr,
}  # fmt: skip
