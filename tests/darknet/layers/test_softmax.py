"""[softmax]: one group, equal groups, those of a tree, over channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from goldens import run_layers
from tiny import compiled, diagnosed, output

from darknet_py.darknet.compile import compile_cfg

LOG = np.log([[[1.0, 3.0]], [[2.0, 2.0]], [[5.0, 0.5]]])  # (3, 1, 2): channels 1 3, 2 2, 5 0.5


def test_everything_is_one_group_by_default() -> None:
    assert output("[softmax]", LOG).tolist() == pytest.approx(np.array([1, 3, 2, 2, 5, 0.5]) / 13.5)


def test_groups_are_equal_parts() -> None:
    wanted = [0.25, 0.75, 0.5, 0.5, 10 / 11, 1 / 11]
    assert output("[soft]\ngroups=3", LOG).tolist() == pytest.approx(wanted)


def test_groups_must_divide_the_input() -> None:
    assert diagnosed("[softmax]\ngroups=4", (3, 1, 2)).code == "DK305"


def test_temperature_divides_the_input() -> None:
    got = output("[softmax]\ntemperature=2", np.log([[[1.0, 9.0]]]))
    assert got.tolist() == pytest.approx([0.25, 0.75])
    assert diagnosed("[softmax]\ntemperature=0").code == "DK204"


def test_spatial_is_over_channels_although_the_cpu_code_ignores_it() -> None:
    got = output("[softmax]\nspatial=1", LOG)
    assert got.tolist() == pytest.approx([1 / 8, 3 / 5.5, 2 / 8, 2 / 5.5, 5 / 8, 0.5 / 5.5])


def test_siblings_of_a_tree_are_groups(tmp_path: Path) -> None:
    (tmp_path / "a.tree").write_text("a -1\nb -1\nc 0\nd 0\n")
    cfg = "[net]\nwidth=1\nheight=1\nchannels=4\n[softmax]\ntree=a.tree"
    graph = compile_cfg(cfg, folder=str(tmp_path)).check().graph
    (layers,) = run_layers(graph, [np.log(np.array([1, 3, 4, 1], np.float32)).reshape(1, 4, 1, 1)])
    assert layers[0].tolist() == pytest.approx([0.25, 0.75, 0.8, 0.2])


def test_without_its_tree_file_the_shapes_are_known(tmp_path: Path) -> None:
    cfg = "[net]\nwidth=2\nheight=2\nchannels=1\n[softmax]\ntree=a.tree\n[dropout]"
    compilation = compile_cfg(cfg, folder=str(tmp_path))
    assert [d.code for d in compilation.diagnostics] == ["DK501"]
    assert [i.output.shape for i in compilation.graph.layers] == [(4,), (4,)]


def test_a_softmax_is_a_vector() -> None:
    assert compiled("[softmax]", (3, 4, 5)).graph.layer_output(0).shape == (60,)
