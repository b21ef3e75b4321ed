"""Each layer against a formula of its own, over three steps with random weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from goldens import run_layers
from tiny import compiled

from darknet_py.darknet.weights import random_weights

Array = np.ndarray
EPSILON = 1e-5
SHAPE = (2, 1, 2)
rng = np.random.default_rng(0)
STEPS = [rng.standard_normal((1, *SHAPE), np.float32) for _ in range(3)]


def logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def steps(cfg: str, dialect: str | None = None) -> tuple[list[Array], list[Array]]:
    """The outputs of a layer for `STEPS` as vectors, and its parameters in file order."""
    graph = compiled(cfg, SHAPE, dialect).check().graph
    arrays = random_weights(graph, 1).arrays
    results = [layers[0].ravel() for layers in run_layers(graph.with_data(arrays), STEPS)]
    return results, [arrays[p.value].astype(np.float64) for p in graph.params]


def dense(params: list[Array], batch_normalize: bool = False) -> Callable[[Array], Array]:
    """Takes the next inner layer off the list of parameters."""
    biases, weights = params.pop(0), params.pop(0)
    if not batch_normalize:
        return lambda x: weights @ x + biases
    scales, mean, variance = (params.pop(0) for _ in range(3))
    return lambda x: (weights @ x - mean) / np.sqrt(variance + EPSILON) * scales + biases


def assert_equal(got: list[Array], wanted: list[Array]) -> None:
    assert np.array(got) == pytest.approx(np.array(wanted), abs=1e-5)


@pytest.mark.parametrize("norm", [0, 1])
@pytest.mark.parametrize("shortcut", [0, 1])
@pytest.mark.parametrize(
    ("option", "remember"),
    [(0, np.tanh), (1, logistic), (2, lambda x: 2 * logistic(x) - 1)],
    ids=["tanh", "logistic", "loggy"],
)
def test_rnn(norm: int, shortcut: int, option: int, remember: Callable[[Array], Array]) -> None:
    options = f"activation=tanh\nlogistic={option}\nshortcut={shortcut}\nbatch_normalize={norm}"
    got, params = steps(f"[rnn]\noutput=3\nhidden=4\n{options}")
    input_, self_, output = (dense(params, bool(norm)) for _ in range(3))
    state, wanted = np.zeros(4), []
    for x in STEPS:
        state = shortcut * state + np.tanh(input_(x.ravel())) + remember(self_(state))
        wanted.append(np.tanh(output(state)))
    assert_equal(got, wanted)


def test_pjreddies_rnn_remembers_as_much_as_it_gives() -> None:
    graph = compiled("[rnn]\noutput=3\nhidden=9", SHAPE, "pjreddie").check().graph
    assert [s.input.shape for s in graph.states] == [(3,)]


def gru(z: list[Callable[[Array], Array]], r: list[Callable[[Array], Array]], h: list[Callable[[Array], Array]],
        candidate: Callable[[Array], Array]) -> list[Array]:  # fmt: skip
    """Pairs of (input, state) layers for each gate."""
    state, outputs = np.zeros(3), []
    for step in STEPS:
        x = step.ravel()
        keep = logistic(z[0](x) + z[1](state))
        reset = logistic(r[0](x) + r[1](state))
        state = keep * state + (1 - keep) * candidate(h[0](x) + h[1](state * reset))
        outputs.append(state)
    return outputs


@pytest.mark.parametrize("norm", [0, 1])
def test_gru_has_a_logistic_candidate(norm: int) -> None:
    got, params = steps(f"[gru]\noutput=3\nbatch_normalize={norm}")
    input_z, input_r, input_h, state_z, state_r, state_h = (dense(params, bool(norm)) for _ in range(6))
    assert_equal(got, gru([input_z, state_z], [input_r, state_r], [input_h, state_h], logistic))


@pytest.mark.parametrize(("option", "candidate"), [(0, logistic), (1, np.tanh)], ids=["logistic", "tanh"])
def test_pjreddies_gru_stores_the_layers_on_the_state_first(option: int, candidate: Callable[[Array], Array]) -> None:
    got, params = steps(f"[gru]\noutput=3\ntanh={option}", "pjreddie")
    state_z, state_r, state_h, input_z, input_r, input_h = (dense(params) for _ in range(6))
    assert_equal(got, gru([input_z, state_z], [input_r, state_r], [input_h, state_h], candidate))


@pytest.mark.parametrize(("dialect", "order"), [("alexeyab", "figo"), ("pjreddie", "ifog")])
def test_lstm(dialect: str, order: str) -> None:
    got, params = steps("[lstm]\noutput=3", dialect)
    w = {gate: dense(params) for gate in order}
    u = {gate: dense(params) for gate in order}
    hidden, cell, wanted = np.zeros(3), np.zeros(3), []
    for x in STEPS:
        f, i, g, o = (w[gate](hidden) + u[gate](x.ravel()) for gate in "figo")
        cell = logistic(f) * cell + logistic(i) * np.tanh(g)
        hidden = logistic(o) * np.tanh(cell)
        wanted.append(hidden)
    assert_equal(got, wanted)


def test_shapes_are_those_of_darknet() -> None:
    sections = {"rnn": (3, 1, 1), "gru": (3,), "lstm": (3, 1, 1)}
    for section, shape in sections.items():
        assert compiled(f"[{section}]\noutput=3", SHAPE).graph.layer_output(0).shape == shape


def test_a_network_remembers_from_zeros() -> None:
    graph = compiled("[lstm]\noutput=3", SHAPE).graph
    assert graph.inputs[1:] == tuple(s.input for s in graph.states)
    assert [s.input.shape for s in graph.states] == [(3,), (3,)]


@pytest.mark.parametrize("section", ["rnn", "gru", "lstm"])
def test_matrices_may_be_stored_transposed(section: str) -> None:
    params = compiled(f"[{section}]\noutput=3", SHAPE).graph.params
    assert all(p.layout == ("either" if p.role.endswith("weights") else "rows") for p in params)
