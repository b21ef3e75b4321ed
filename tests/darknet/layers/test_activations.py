"""Each activation against its formula as Darknet's activations.h and GPU kernels have it, in double precision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tiny import output

from darknet_py.darknet.layers.activations import ACTIVATIONS

X = np.concatenate([np.linspace(-9, 9, 145), [-50, -1e-3, 0, 1e-3, 50]])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def stair(x: np.ndarray) -> np.ndarray:
    n = np.floor(x)
    return np.where(n % 2 == 0, np.floor(x / 2), (x - n) + np.floor(x / 2))


FORMULAS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "elu": lambda x: np.where(x >= 0, x, np.expm1(x)),
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(0.797885 * x + 0.035677 * x**3)),
    "hard_mish": lambda x: np.where(x > 0, x, np.where(x > -2, x * x / 2 + x, 0)),
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hardtan": lambda x: np.where(x < -1, -1, np.where(x > 1, 1, x)),
    "leaky": lambda x: np.where(x > 0, x, 0.1 * x),
    "lhtan": lambda x: np.where(x < 0, 0.001 * x, np.where(x > 1, 0.001 * (x - 1) + 1, x)),
    "linear": lambda x: x,
    "loggy": lambda x: 2 / (1 + np.exp(-x)) - 1,
    "logistic": sigmoid,
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "plse": lambda x: np.where(x < -4, 0.01 * (x + 4), np.where(x > 4, 0.01 * (x - 4) + 1, 0.125 * x + 0.5)),
    "ramp": lambda x: x * (x > 0) + 0.1 * x,
    "relie": lambda x: np.where(x > 0, x, 0.01 * x),
    "relu": lambda x: x * (x > 0),
    "relu6": lambda x: np.minimum(np.maximum(x, 0), 6),
    "revleaky": lambda x: np.where(x > 0, x, 0.1 * x),
    "selu": lambda x: np.where(x >= 0, 1.0507 * x, 1.0507 * 1.6732 * np.expm1(x)),
    "silu": lambda x: x * sigmoid(x),
    "stair": stair,
    "swish": lambda x: x * sigmoid(x),
    "tanh": np.tanh,
}

# These look at all channels of a pixel; axis 0 is the channel.
ACROSS_CHANNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "normalize_channels": lambda x: np.where(x > 0, x / (np.sum(x * (x > 0), 0) + 1e-4), 0),
    "normalize_channels_softmax": lambda x: np.exp(x) / (np.sum(np.exp(x), 0) + 1e-4),
    "normalize_channels_softmax_maxval": lambda x: np.exp(x - x.max(0)) / (np.sum(np.exp(x - x.max(0)), 0) + 1e-4),
}


def test_every_activation_has_a_formula_here() -> None:
    assert sorted(ACTIVATIONS) == sorted([*FORMULAS, *ACROSS_CHANNELS])


@pytest.mark.parametrize("name", FORMULAS)
def test_each_activation_is_its_formula(name: str) -> None:
    got = output(f"[activation]\nactivation={name}", X.reshape(1, 1, -1))
    assert got.ravel() == pytest.approx(FORMULAS[name](X.astype(np.float32).astype(float)), rel=2e-6, abs=1e-6)


@pytest.mark.parametrize("name", ACROSS_CHANNELS)
def test_channel_activations_divide_by_the_sum_at_each_pixel(name: str) -> None:
    x = X.reshape(3, 5, 10) / 10
    got = output(f"[activation]\nactivation={name}", x)
    assert got == pytest.approx(ACROSS_CHANNELS[name](x), rel=2e-6, abs=1e-6)
