"""[shortcut]: sums of layers that agree and of those that do not, and weighted ones."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import COPY, TIMES_10, compiled, counting, diagnosed, output

X = np.array([1.0, -2, 3, -4]).reshape(4, 1, 1)
PAIR = COPY + TIMES_10


def channels(cfg: str, weights: list[float] | None = None, dialect: str | None = None) -> list[float]:
    got = output(cfg, X, [weights] if weights else [], dialect)
    return [round(v, 5) for v in got.ravel().tolist()]


def test_the_layer_from_is_added_to_the_layer_before() -> None:
    assert channels(PAIR + "[shortcut]\nfrom=-2") == [11, -22, 33, -44]
    assert channels(PAIR + "[shortcut]\nfrom=0\nactivation=relu") == [11, 0, 33, 0]


def test_several_layers_can_be_added() -> None:
    assert channels(PAIR + "[shortcut]\nfrom=-1,-2,0") == [22, -44, 66, -88]


def test_relu6_clips_the_sum() -> None:
    x = np.array([-1, 0.25, 5]).reshape(3, 1, 1)
    assert output(PAIR + "[shortcut]\nfrom=-2\nactivation=relu6", x).ravel().tolist() == [0, 2.75, 6]


def test_hard_mish_bends_the_sum() -> None:
    x = np.array([-1, -0.5, 2]).reshape(3, 1, 1)
    got = output(COPY + "[shortcut]\nfrom=-1\nactivation=hard_mish", x).ravel().tolist()
    assert got == [0, -0.5, 4]  # x²/2 + x between -2 and 0


def test_only_the_common_channels_are_added() -> None:
    half = "[route]\nlayers=0\ngroups=2\n"
    assert channels(COPY + half + TIMES_10 + "[shortcut]\nfrom=0") == [11, -22]
    assert channels(COPY + half + "[route]\nlayers=0\n[shortcut]\nfrom=1") == [2, -4, 3, -4]


def test_a_source_that_reads_what_is_added_to_and_makes_fewer_channels_is_undefined() -> None:
    narrow = "[maxout]\nout_channels=2\n"
    problem = diagnosed(COPY + narrow + "[route]\nlayers=0\n[shortcut]\nfrom=1")
    assert (problem.code, problem.severity) == ("DK309", "error")
    assert "layer 1 makes 2 channels of 4" in problem.message
    assert problem.span
    assert problem.span.line == 12
    # two sources take another path in the C code, which looks at the outputs
    assert not compiled(COPY + narrow + "[route]\nlayers=0\n[shortcut]\nfrom=1,0", (4, 4, 4)).errors


@pytest.mark.parametrize("kind", ["per_feature", "per_layer"])
def test_relu_weights_are_shares_of_their_sum(kind: str) -> None:
    cfg = PAIR + f"[shortcut]\nfrom=-2\nweights_type={kind}\nweights_normalization=relu"
    # 3 / 4.0001 of the layer before, 1 / 4.0001 of the other
    assert channels(cfg, [3, 1]) == pytest.approx([v * 31 / 4.0001 for v in (1, -2, 3, -4)], abs=1e-4)


def test_fused_weights_never_fall_below_a_thousandth() -> None:
    cfg = PAIR + "[shortcut]\nfrom=-2\nweights_type=per_feature\nweights_normalization=avg_relu"
    factor = (0.001 * 10 + 1) / (0.001 + 1 + 0.0001)
    assert channels(cfg, [-5, 1]) == pytest.approx([factor * v for v in (1, -2, 3, -4)], abs=1e-4)


def test_softmax_weights_a_channel() -> None:
    cfg = PAIR + "[shortcut]\nfrom=-2\nweights_type=per_channel\nweights_normalization=softmax"
    before, other = [0, 0, np.log(3), 0], [0, np.log(3), 0, -90]
    shares = [(1 / 2.0001, 1 / 2.0001), (1 / 3 / (4 / 3 + 1e-4), 1 / (4 / 3 + 1e-4))]
    shares += [shares[1][::-1], (1 / 1.0001, 0)]
    wanted = [x * (10 * p + q) for x, (p, q) in zip((1, -2, 3, -4), shares, strict=True)]
    assert channels(cfg, before + other) == pytest.approx(wanted, abs=1e-4)


def test_weights_of_a_narrower_input_are_its_first() -> None:
    half = "[route]\nlayers=0\ngroups=2\n"
    cfg = COPY + half + "[route]\nlayers=0\n[shortcut]\nfrom=1\nweights_type=per_channel\nweights_normalization=relu"
    wanted = [1 * 4 / 4.0001, -2 * 4 / 4.0001, 3 * 3 / 4.0001, -4 * 3 / 4.0001]
    assert channels(cfg, [3, 3, 3, 3, 1, 1, 1, 1]) == pytest.approx(wanted, abs=1e-4)


def test_weights_are_one_parameter_in_the_file() -> None:
    cfg = PAIR + "[shortcut]\nfrom=-2,-1\nweights_type=per_channel\nweights_normalization=relu"
    (param,) = compiled(cfg, (4, 2, 2)).graph.params
    assert (param.role, param.size) == ("weights", 12)


def test_normalization_without_weights_has_no_effect() -> None:
    assert channels(PAIR + "[shortcut]\nfrom=-2\nweights_normalization=relu") == [11, -22, 33, -44]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("", "DK209"),
        ("from=-2\nweights_type=per_channel", "DK209"),
        ("from=-2\nweights_type=per_pixel", "DK205"),
        ("from=-2\nweights_type=per_channel\nweights_normalization=max", "DK205"),
        ("from=-9", "DK304"),
        ("from=7", "DK304"),
    ],
)
def test_impossible_shortcuts_are_errors(options: str, code: str) -> None:
    assert code in [d.code for d in compiled(PAIR + "[shortcut]\n" + options, (4, 4, 4)).errors]


@pytest.mark.parametrize("dialect", ["alexeyab", "pjreddie", "pytorch"])
def test_the_first_layer_has_nothing_to_add(dialect: str) -> None:
    assert diagnosed("[shortcut]\nfrom=-1", dialect=dialect).code == "DK304"


@pytest.mark.parametrize("dialect", ["alexeyab", "pjreddie"])
def test_a_larger_source_is_sampled_at_a_stride(dialect: str) -> None:
    cfg = COPY + "[maxpool]\nstride=2\n[shortcut]\nfrom=0"
    assert output(cfg, counting(1, 4, 4), dialect=dialect).tolist() == [[[5, 9], [21, 25]]]


def test_a_smaller_source_is_spread() -> None:
    cfg = "[maxpool]\nstride=2\n[upsample]\n[shortcut]\nfrom=0"
    got = output(cfg, counting(1, 4, 4), dialect="pjreddie")
    assert got.tolist() == [[[10, 5, 14, 7], [5, 5, 7, 7], [26, 13, 30, 15], [13, 13, 15, 15]]]


def test_a_source_that_is_a_little_larger_is_cropped() -> None:
    cfg = COPY + "[maxpool]\nsize=2\nstride=1\npadding=0\n[shortcut]\nfrom=0"
    assert output(cfg, counting(1, 3, 3)).tolist() == [[[4, 6], [10, 12]]]


def test_a_source_that_is_a_little_smaller_fills_the_upper_left() -> None:
    cfg = "[maxpool]\nsize=2\nstride=1\npadding=0\n" + "[maxpool]\nsize=1\nstride=1\npadding=2\n[shortcut]\nfrom=0"
    got = output(cfg, np.ones((1, 4, 4)))
    assert got.shape == (1, 5, 5)
    assert got[0, 1:3, 1:3].tolist() == [[2, 2], [2, 2]]
    assert got[0, 3, 3] == 1


def test_sampling_is_a_warning_in_alexeyabs_dialect_only() -> None:
    cfg = COPY + "[maxpool]\nsize=2\nstride=2\n[shortcut]\nfrom=0"
    problem = diagnosed(cfg, dialect="alexeyab")
    assert (problem.code, problem.severity) == ("DK311", "warning")
    assert not compiled(cfg, (4, 4, 4), "pjreddie").diagnostics
    assert diagnosed(cfg, dialect="pytorch").code == "DK305"


def test_sizes_at_two_ratios_are_an_error() -> None:
    cfg = COPY + "[maxpool]\nsize=1\nstride=2\nstride_y=1\n[shortcut]\nfrom=0"
    assert "DK305" in [d.code for d in compiled(cfg, (1, 4, 4)).errors]


def test_pjreddie_scales_with_alpha_and_beta() -> None:
    cfg = PAIR + "[shortcut]\nfrom=-2\nalpha=0.5\nbeta=3"
    assert channels(cfg, dialect="pjreddie") == [8, -16, 24, -32]


def test_alpha_scales_only_what_beta_is_added_to() -> None:
    cfg = "[maxpool]\nstride=2\n[upsample]\n[shortcut]\nfrom=0\nalpha=3\nbeta=-1"
    got = output(cfg, [[[1, 1], [1, 1]]], dialect="pjreddie")
    assert got.tolist() == [[[2, 1], [1, 1]]]
    narrow = COPY + "[upsample]\nstride=1\n[maxout]\ngroups=2\n[upsample]\nstride=1\n[shortcut]\nfrom=0\nalpha=2"
    assert output(narrow, X, dialect="pjreddie").ravel().tolist() == [7, -6]


def test_alpha_is_unknown_elsewhere() -> None:
    assert diagnosed(PAIR + "[shortcut]\nfrom=-2\nalpha=0.5").code == "DK201"


def test_pytorch_weights_are_twice_their_sigmoid_shared_out() -> None:
    cfg = PAIR + "[shortcut]\nfrom=-2\nweights_type=per_feature\nactivation=relu"
    w = [0.0, float(np.log(3))]  # 0.5 and 0.75, times 2 / 2
    assert channels(cfg, w, "pytorch") == pytest.approx([5.75 * v for v in (1, -2, 3, -4)], abs=1e-4)
    assert channels(PAIR + "[shortcut]\nfrom=-2,0", None, "pytorch") == [12, -24, 36, -48]
