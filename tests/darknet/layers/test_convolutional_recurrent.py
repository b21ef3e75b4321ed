"""Each layer against a formula of its own, over three steps with random weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from goldens import run_layers
from tiny import compiled, counting, diagnosed, output

from darknet_py.darknet.weights import random_weights

Array = np.ndarray
EPSILON = 1e-5
SHAPE = (2, 3, 4)
rng = np.random.default_rng(0)
STEPS = [rng.standard_normal(SHAPE, np.float32) for _ in range(3)]


def logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.1 * x)


def convolve(x: Array, weights: Array) -> Array:
    """A convolution that keeps the size, one tap after the other."""
    k, (_, h, w) = weights.shape[-1], x.shape
    x = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    taps = (np.tensordot(weights[:, :, i, j], x[:, i : i + h, j : j + w], 1) for i in range(k) for j in range(k))
    return sum(taps, np.zeros(()))


def kernel(params: list[Array], norm: bool, groups: int = 1) -> Callable[[Array], Array]:
    """Takes the next inner convolution off the list of parameters; leaky."""
    biases = params.pop(0)
    scales, mean, variance = (params.pop(0) if norm else n for n in (np.ones(1), np.zeros(1), np.full(1, 1 - EPSILON)))
    weights = params.pop(0)

    def apply(x: Array) -> Array:
        parts = zip(np.split(x, groups), np.split(weights, groups), strict=True)
        y = np.concatenate([convolve(a, b) for a, b in parts])
        y = (y - mean[:, None, None]) / np.sqrt(variance + EPSILON)[:, None, None] * scales[:, None, None]
        return leaky(y + biases[:, None, None])

    return apply


def steps(cfg: str, dialect: str | None = None) -> tuple[list[Array], list[Array]]:
    """The outputs of a layer for `STEPS`, and its parameters in file order."""
    graph = compiled(cfg, SHAPE, dialect).check().graph
    arrays = random_weights(graph, 1).arrays
    results = [layers[0] for layers in run_layers(graph.with_data(arrays), [x[None] for x in STEPS])]
    return results, [arrays[p.value].astype(np.float64) for p in graph.params]


def assert_equal(got: list[Array], wanted: list[Array]) -> None:
    assert np.array(got) == pytest.approx(np.array(wanted), abs=1e-5)


def crnn(params: list[Array], norm: bool, groups: int, shortcut: int) -> list[Array]:
    input_, self_, output_ = (kernel(params, norm, groups) for _ in range(3))
    state, wanted = np.zeros((4, 3, 4)), []
    for x in STEPS:
        state = shortcut * state + input_(x) + self_(state)
        wanted.append(output_(state))
    return wanted


@pytest.mark.parametrize(
    ("norm", "groups", "shortcut", "size"), [(0, 1, 0, 3), (1, 1, 1, 3), (1, 2, 0, 3), (0, 1, 0, 1)]
)
def test_crnn(norm: int, groups: int, shortcut: int, size: int) -> None:
    options = f"batch_normalize={norm}\ngroups={groups}\nshortcut={shortcut}\nsize={size}\npad=1"
    got, params = steps(f"[crnn]\noutput=2\nhidden=4\nactivation=leaky\n{options}")
    assert_equal(got, crnn(params, bool(norm), groups, shortcut))


def test_pjreddies_crnn_has_other_names() -> None:
    got, params = steps("[crnn]\noutput_filters=2\nhidden_filters=4\nactivation=leaky\nshortcut=1", "pjreddie")
    assert_equal(got, crnn(params, False, 1, 1))


@pytest.mark.parametrize(
    ("norm", "groups", "peephole", "limit"), [(0, 1, 0, 32), (1, 1, 1, 32), (0, 2, 1, 0), (0, 1, 0, 1)]
)
def test_conv_lstm(norm: int, groups: int, peephole: int, limit: int) -> None:
    options = f"batch_normalize={norm}\ngroups={groups}\npeephole={peephole}\nstate_constrain={limit}\npad=1"
    got, params = steps(f"[conv_lstm]\noutput=4\nactivation=leaky\n{options}")
    v = {gate: kernel(params, bool(norm), groups) for gate in ("fio" if peephole else "")}
    w = {gate: kernel(params, bool(norm), groups) for gate in "figo"}
    u = {gate: kernel(params, bool(norm), groups) for gate in "figo"}
    hidden = cell = np.zeros((4, 3, 4))
    wanted = []
    for x in STEPS:
        f, i, g, o = (w[gate](hidden) + u[gate](x) for gate in "figo")
        if peephole:
            f, i = f + v["f"](cell), i + v["i"](cell)
        cell = logistic(f) * cell + logistic(i) * np.tanh(g)
        o = o + v["o"](cell) if peephole else o
        hidden = logistic(o) * np.tanh(cell)
        cell = np.clip(cell, -limit, limit) if limit else cell
        wanted.append(hidden)
    assert_equal(got, wanted)


def test_the_cell_is_kept_within_32_by_default() -> None:
    graph = compiled("[conv_lstm]\npad=1", SHAPE).check().graph
    (clip,) = [op for op in graph.ops if op.kind == "clip"]
    assert clip.attrs == {"low": -32.0, "high": 32.0}


def test_lstm_activation_and_time_normalizer_are_for_the_gpu_and_for_training() -> None:
    options = "lstm_activation=relu\ntime_normalizer=0.5\nshortcut=1"
    assert not compiled(f"[conv_lstm]\npad=1\n{options}", SHAPE).diagnostics


@pytest.mark.parametrize("section", ["crnn", "conv_lstm"])
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("", "DK305"),  # a 3x3 kernel without padding
        ("pad=1\nstride=2", "DK305"),
        ("pad=1\nsize=4", "DK305"),
        ("pad=1\ngroups=3", "DK305"),
        ("pad=1\nxnor=1", "DK309"),
    ],
)
def test_a_state_that_cannot_be_kept_is_an_error(section: str, options: str, code: str) -> None:
    assert diagnosed(f"[{section}]\noutput=2\n{options}", SHAPE).code == code


def test_a_bottleneck_is_an_error() -> None:
    assert diagnosed("[conv_lstm]\npad=1\nbottleneck=1", SHAPE).code == "DK309"


def test_history_leaves_room_that_stays_empty() -> None:
    x = counting(1, 1, 2)
    assert output("[history]\nhistory_size=3", x).tolist() == [[[0, 1]], [[0, 0]], [[0, 0]]]
    assert compiled("[history]", SHAPE).graph.layer_output(0).shape == (8, 3, 4)
    assert output("[history]\nhistory_size=1", x).tolist() == x.tolist()
