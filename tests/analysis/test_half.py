"""Float16: what it cannot hold is named, layer by layer, and the loss is what the outputs show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darknet_py.analysis.half import find_half_loss
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.weights import random_weights, write_weights
from darknet_py.ir import Graph
from darknet_py.model.export import export_onnx

CONV = "[convolutional]\nfilters={}\nsize=3\npad=1\nactivation={}\n"
CFG = "[net]\nwidth=8\nheight=8\nchannels=3\n" + CONV.format(8, "leaky") * 2 + CONV.format(6, "linear")


def scaled(*factors: float) -> Graph:
    """The network with the weights of each layer times a factor."""
    graph = compile_cfg(CFG).check().graph
    arrays = random_weights(graph, 0).arrays
    return graph.with_data({
        p.value: arrays[p.value] * np.float32(factors[p.layer] if p.role == "weights" else 1) for p in graph.params
    })  # fmt: skip


@pytest.mark.fault("half-out-of-range")
def test_weights_beyond_float16_are_counted_in_their_layer() -> None:
    graph = scaled(1e6, 1e-6, 1)
    found = find_half_loss(graph)
    weights = next(graph.data[p.value] for p in graph.params if p.role == "weights")
    assert [(w.layer, w.count, w.size) for w in found.weights] == [(0, int((abs(weights) > 65504).sum()), 216)]
    assert f"{found.weights[0].count} of 216 weights of layer 0 [convolutional] are beyond 65504" in found.warnings[0]
    assert not found.sound


@pytest.mark.fault("half-out-of-range")
def test_values_beyond_float16_name_the_first_layer() -> None:
    found = find_half_loss(scaled(300, 300, 1e-5))
    assert not found.weights
    assert [v.layer for v in found.values] == [1]
    assert "values of layer 1 [convolutional] are beyond 65504" in found.warnings[0]


def test_a_network_within_the_range_loses_little_and_is_not_warned_of() -> None:
    found = find_half_loss(scaled(1, 1, 1))
    assert found.sound
    assert found.warnings == ()
    assert 0 < found.difference < 0.01


@pytest.mark.fault("half-out-of-range")
def test_an_export_warns_of_what_it_cuts(tmp_path: Path) -> None:
    graph = scaled(1e6, 1e-6, 1)
    cfg = tmp_path / "net.cfg"
    cfg.write_text(CFG)
    weights = random_weights(graph, 0)
    write_weights(cfg.with_suffix(".weights"), graph, replace(weights, arrays=graph.data))
    with pytest.warns(UserWarning, match="weights of layer 0"):
        contract = export_onnx(cfg, tmp_path / "half.onnx", half=True)
    assert any("beyond 65504" in told for told in contract.diagnostics)
