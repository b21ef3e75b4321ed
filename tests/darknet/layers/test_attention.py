"""[sam], [scale_channels] and the PyTorch forks' layers that multiply or add what another layer says."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import COPY, TIMES_10, compiled, counting, diagnosed, output

X = np.array([1.0, -2, 3, -4]).reshape(4, 1, 1)


def channels(cfg: str, dialect: str | None = None) -> list[float]:
    return output(cfg, X, dialect=dialect).ravel().tolist()


def test_sam_multiplies_place_by_place() -> None:
    assert channels(COPY + TIMES_10 + "[sam]\nfrom=-2") == [10, 40, 90, 160]
    assert channels(COPY + "[sam]\nfrom=-1\nactivation=relu6") == [1, 4, 6, 6]


def test_sam_with_mish_applies_it() -> None:
    got = output(COPY + TIMES_10 + "[sam]\nfrom=-2\nactivation=mish", [[[0.0]], [[1.0]]])
    assert got.ravel().tolist() == pytest.approx([0, 10 * np.tanh(np.log1p(np.exp(10.0)))])


def test_sam_wants_equal_shapes() -> None:
    problem = diagnosed(COPY + "[maxout]\ngroups=2\n[sam]\nfrom=0")
    assert (problem.code, problem.span and problem.span.line) == ("DK305", 10)
    assert "(4, 4, 4), not (2, 4, 4)" in problem.message


def test_scale_channels_scales_each_channel() -> None:
    x = counting(2, 2, 2)
    got = output(COPY + "[avgpool]\n[scale_channels]\nfrom=0", x)
    assert got.tolist() == [[[0, 1.5], [3, 4.5]], [[22, 27.5], [33, 38.5]]]


def test_scale_channels_with_swish_applies_it() -> None:
    got = output(COPY + "[avgpool]\n[scale_channels]\nfrom=0\nactivation=swish", [[[2.0]]])
    assert got.item() == pytest.approx(4 / (1 + np.exp(-4)))


def test_scale_wh_scales_each_place() -> None:
    x = np.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    got = output(COPY + "[maxout]\ngroups=1\n[scale_channels]\nfrom=0\nscale_wh=1", x)
    assert got.tolist() == [[[5, 12], [21, 32]], [[25, 36], [49, 64]]]


@pytest.mark.parametrize(
    ("cfg", "code"),
    [
        (COPY + "[maxout]\ngroups=2\n[scale_channels]\nfrom=0\nscale_wh=1", "DK305"),
        (COPY + COPY + "[scale_channels]\nfrom=0", "DK305"),
        (COPY + "[maxout]\ngroups=2\n[avgpool]\n[scale_channels]\nfrom=0", "DK305"),
        (COPY + "[avgpool]\n[scale_channels]\nfrom=0\nscale_wh=1", "DK305"),
        (COPY + "[scale_channels]", "DK209"),
        (COPY + "[sam]", "DK209"),
        ("[sam]\nfrom=-1", "DK304"),
        ("[scale_channels]\nfrom=-1", "DK304"),
    ],
)
def test_shapes_that_darknet_asserts_are_errors(cfg: str, code: str) -> None:
    assert compiled(cfg, (4, 4, 4)).errors[0].code == code


def test_pjreddie_has_neither() -> None:
    assert compiled(COPY + "[sam]\nfrom=-1", (1, 2, 2), "pjreddie").errors[0].code == "DK303"


def test_pytorch_sam_and_scale_channels_ignore_the_activation() -> None:
    assert channels(COPY + TIMES_10 + "[sam]\nfrom=-2\nactivation=relu", "pytorch") == [10, 40, 90, 160]
    cfg = COPY + "[avgpool]\n[scale_channels]\nfrom=0\nactivation=relu"
    assert output(cfg, [[[-1, -3]]], dialect="pytorch").tolist() == [[[2, 6]]]


def test_pytorch_scale_channels_stretches_the_layer_before() -> None:
    cfg = COPY + "[maxout]\ngroups=1\n[scale_channels]\nfrom=0"
    assert output(cfg, [[[1, 2]], [[3, 0]]], dialect="pytorch").tolist() == [[[3, 4]], [[9, 0]]]
    backwards = COPY + "[maxout]\ngroups=1\n[route]\nlayers=0\n[scale_channels]\nfrom=1"
    assert diagnosed(backwards, dialect="pytorch").code == "DK305"


IMPLICIT = COPY + "[implicit_add]\nfilters=2\n[route]\nlayers=0\n"


@pytest.mark.parametrize(
    ("section", "wanted"),
    [
        ("shift_channels", [[[1, 2]], [[5, 6]]]),
        ("control_channels", [[[0, 1]], [[6, 9]]]),
        ("select_channels", [[[0, 1 / (1 + np.exp(-1))]], [[2 / (1 + np.exp(-3)), 3 / (1 + np.exp(-3))]]]),
        ("alternate_channels", [[[1, 1]], [[3, 3]], [[0, 1]], [[2, 3]]]),
    ],
)
def test_implicit_knowledge_reaches_the_channels(section: str, wanted: list[list[list[float]]]) -> None:
    got = output(f"{IMPLICIT}[{section}]\nfrom=1", counting(2, 1, 2), [[1, 3]], "pytorch")
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_what_is_stretched_may_be_any_layer() -> None:
    means = COPY + "[avgpool]\n[route]\nlayers=0\n"
    assert output(means + "[shift_channels]\nfrom=-2", [[[1, 3]]], dialect="pytorch").tolist() == [[[3, 5]]]
    one = COPY + "[maxout]\ngroups=1\n[route]\nlayers=0\n[alternate_channels]\nfrom=-2"
    assert output(one, [[[1]], [[3]]], dialect="pytorch").ravel().tolist() == [3, 3, 1, 3]


def test_what_does_not_stretch_is_an_error() -> None:
    problem = diagnosed(COPY + "[implicit_mul]\nfilters=3\n[route]\nlayers=0\n[control_channels]\nfrom=1")
    assert problem.code == "DK305"
    assert "(3, 1, 1), which does not stretch to (4, 4, 4)" in problem.message


def test_an_added_parameter_needs_no_batch_axis() -> None:
    graph = compiled(IMPLICIT + "[shift_channels]\nfrom=1", (2, 1, 2), "pytorch").graph
    add = next(op for op in graph.ops if op.kind == "add")
    assert not add.inputs[1].batched
