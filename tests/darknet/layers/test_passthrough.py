"""Sections that change nothing or little when a network is used: [dropout], [cost], [crop], [activation] and others."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import COPY, compiled, counting, diagnosed, output

YOLO = "[convolutional]\nfilters=18\nactivation=linear\n[yolo]\nmask=0,1,2\nanchors=1,1,2,2,3,3\nclasses=1\nnum=3\n"


@pytest.mark.parametrize("section", ["dropout", "empty", "silence"])
def test_training_layers_are_the_layer_before(section: str) -> None:
    graph = compiled(f"{COPY}[{section}]", (2, 3, 3)).graph
    assert graph.layer_output(1) is graph.layer_output(0)


def test_dropout_knows_its_training_options() -> None:
    options = "probability=.5\ndropblock=1\ndropblock_size_rel=.1\ndropblock_size_abs=7\n"
    assert not compiled(f"{COPY}[dropout]\n{options}", (2, 3, 3)).diagnostics


@pytest.mark.parametrize("section", ["dropout", "empty"])
def test_nothing_lies_before_the_first_layer(section: str) -> None:
    assert diagnosed(f"[{section}]").code == "DK309"


def test_a_cost_is_zeros_and_the_network_gives_the_layer_before() -> None:
    assert output(f"{COPY}[cost]\ntype=sse", counting(2, 1, 2)).tolist() == [0, 0, 0, 0]
    graph = compiled(f"{COPY}[cost]", (2, 1, 2)).graph
    assert graph.outputs == (graph.layer_output(0),)


def test_a_contrastive_loss_is_zeros() -> None:
    graph = compiled(YOLO + "[route]\nlayers=-2\n[contrastive]\nyolo_layer=-2\nclasses=1", (3, 2, 2)).check().graph
    assert graph.layer_output(3).shape == (18 * 2 * 2,)


@pytest.mark.parametrize("reference", ["", "yolo_layer=-1", "yolo_layer=2", "yolo_layer=-9"])
def test_a_contrastive_loss_needs_its_yolo(reference: str) -> None:
    problem = diagnosed(f"{YOLO}[route]\nlayers=-2\n[contrastive]\n{reference}", (3, 2, 2))
    assert problem.code == "DK304"


def test_an_activation_layer_is_linear_by_default() -> None:
    assert output("[activation]", [[[-3, 2]]]).tolist() == [[[-3, 2]]]


X = np.array([-6.0, -1.5, 0.0, 3.0, 9.0])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("mish", X * np.tanh(np.log1p(np.exp(X)))),
        ("hard_mish", [0, -1.5 + 1.5**2 / 2, 0, 3, 9]),
        ("swish", X / (1 + np.exp(-X))),
        ("relu6", [0, 0, 0, 3, 6]),
    ],
)
def test_activations_that_the_cpu_code_forgets(name: str, wanted: list[float]) -> None:
    got = output(f"[activation]\nactivation={name}", X.reshape(1, 1, 5))
    assert got.ravel().tolist() == pytest.approx(list(wanted), abs=1e-6)


def test_channel_softmax_that_the_cpu_code_forgets() -> None:
    image = np.log([[[1.0, 2.0]], [[3.0, 2.0]]])
    for name in ("normalize_channels_softmax", "normalize_channels_softmax_maxval"):
        got = output(f"[activation]\nactivation={name}", image)
        assert got.tolist() == [
            [pytest.approx([0.25, 0.5], rel=1e-4)], [pytest.approx([0.75, 0.5], rel=1e-4)]
        ]  # fmt: skip


def test_pjreddies_logistic_and_l2norm() -> None:
    assert output("[logistic]", [[[0]]], dialect="pjreddie").item() == 0.5
    got = output("[l2norm]", [[[3, 1]], [[4, 0]]], dialect="pjreddie")
    assert got.tolist() == [[pytest.approx([0.6, 1])], [pytest.approx([0.8, 0])]]


def test_a_crop_is_the_middle_rounded_to_the_top_left_and_stretched() -> None:
    got = output("[crop]\ncrop_height=1\ncrop_width=2\nflip=1\nangle=5", counting(1, 2, 5))
    assert got.tolist() == [[[1, 3]]]  # pixels 1 and 2 of the first row, times 2, less 1
    got = output("[crop]\ncrop_height=1\ncrop_width=2\nnoadjust=1", counting(1, 2, 5))
    assert got.tolist() == [[[1, 2]]]


def test_a_crop_cannot_be_larger_than_its_image() -> None:
    problem = diagnosed("[crop]\ncrop_height=4\ncrop_width=5")
    assert (problem.code, problem.span and problem.span.line) == ("DK305", 7)
