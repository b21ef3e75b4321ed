"""[route] and its relatives: channels joined and parts taken, as memory has them."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import COPY, TIMES_10, compiled, counting, diagnosed, output

X = np.array([1, 2, 3, 4]).reshape(4, 1, 1)


def channels(cfg: str, dialect: str | None = None) -> list[float]:
    return output(cfg, X, dialect=dialect).ravel().tolist()


def test_inputs_follow_each_other_in_the_order_of_the_list() -> None:
    assert channels(COPY + TIMES_10 + "[route]\nlayers=-1,-2") == [10, 20, 30, 40, 1, 2, 3, 4]


def test_numbers_from_0_count_from_the_first_layer() -> None:
    assert channels(COPY + TIMES_10 + "[route]\nlayers = 0, 1") == [1, 2, 3, 4, 10, 20, 30, 40]


def test_a_layer_may_come_twice() -> None:
    assert channels(COPY + "[route]\nlayers=-1,0") == [1, 2, 3, 4] * 2


@pytest.mark.parametrize("dialect", ["alexeyab", "pytorch"])
def test_groups_take_one_part(dialect: str) -> None:
    assert channels(COPY + "[route]\nlayers=-1\ngroups=2\ngroup_id=1", dialect) == [3, 4]


def test_groups_take_their_part_of_each_input() -> None:
    assert channels(COPY + TIMES_10 + "[route]\nlayers=-1,-2\ngroups=4\ngroup_id=3") == [40, 4]


def test_uneven_groups_cut_memory() -> None:
    cfg = COPY + "[route]\nlayers=-1\ngroups=2\ngroup_id=1"
    assert output(cfg, counting(3, 2, 2)).tolist() == [6, 7, 8, 9, 10, 11]
    assert diagnosed(cfg, (3, 2, 2)).severity == "warning"


def test_uneven_groups_that_add_up_to_channels_are_an_image() -> None:
    cfg = COPY + TIMES_10 + "[route]\nlayers=0,1\ngroups=2\ngroup_id=1"
    got = output(cfg, counting(3, 1, 2))
    assert got.tolist() == [[[3, 4]], [[5, 30]], [[40, 50]]]


def test_numbers_that_no_part_fills_are_zeros() -> None:
    cfg = COPY + TIMES_10 + "[route]\nlayers=0,1\ngroups=2"
    assert output(cfg, counting(3, 1, 1)).ravel().tolist() == [0, 0, 0]
    assert output(cfg, counting(3, 1, 1) + 1).ravel().tolist() == [1, 10, 0]


def test_different_sizes_are_an_error_that_names_both() -> None:
    problem = diagnosed("[maxpool]\nstride=2\n[upsample]\n[route]\nlayers=-1,0", (1, 4, 8))
    assert problem.code == "DK305"
    assert "8 x 4 (layer -1), 4 x 2 (layer 0)" in problem.message


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("", "DK209"),
        ("layers=-2", "DK304"),
        ("layers=1", "DK304"),
        ("layers=-1\ngroups=2\ngroup_id=2", "DK204"),
        ("layers=-1\ngroups=0", "DK204"),
        ("layers=-1\ngroup_id=-1", "DK204"),
        ("layers=-1\ngroups=65", "DK305"),
    ],
)
def test_impossible_routes_are_errors(options: str, code: str) -> None:
    assert compiled(COPY + "[route]\n" + options, (4, 4, 4)).errors[0].code == code


def test_the_first_layer_has_nothing_to_route() -> None:
    assert diagnosed("[route]\nlayers=-1").code == "DK304"


def test_pjreddie_knows_no_groups() -> None:
    cfg = COPY + "[route]\nlayers=-1\ngroups=2"
    assert channels(cfg, "pjreddie") == [1, 2, 3, 4]
    assert diagnosed(cfg, dialect="pjreddie").code == "DK201"


def test_flat_vectors_can_be_joined() -> None:
    assert output("[reorg]\nextra=1\n[route]\nlayers=-1,-1", [[[5]]], dialect="pjreddie").tolist() == [5, 0, 5, 0]


def test_route2_and_route3_join() -> None:
    assert channels(COPY + TIMES_10 + "[route2]\nlayers=-1,-2") == [10, 20, 30, 40, 1, 2, 3, 4]
    assert channels(COPY + "[route3]\nlayers=-1,-1,-1") == [1, 2, 3, 4] * 3
    assert diagnosed(COPY + "[route2]\nlayers=-1").code == "DK204"


def test_route_lhalf_takes_the_lower_half_of_each() -> None:
    assert channels(COPY + TIMES_10 + "[route_lhalf]\nlayers=-1,-2") == [10, 20, 1, 2]
    assert diagnosed(COPY + "[route_lhalf]\nlayers=-1", (1, 2, 2)).code == "DK305"


@pytest.mark.parametrize("reader", ["[route]\nlayers=0", "[shortcut]\nfrom=0", "[route]\nlayers=-1"])
@pytest.mark.parametrize("source", ["[convolutional]\nactivation=linear\n", "[maxpool]\nsize=2\n"])
def test_a_blurred_layer_of_another_size_can_only_be_read_by_the_next(source: str, reader: str) -> None:
    # the others take the memory of its output for the larger image that was there before the blur
    between = "" if "-1" in reader else COPY
    assert diagnosed(f"{source}stride=2\nantialiasing=1\n{between}{reader}").code == "DK309"
    assert not compiled(f"{source}stride=1\nantialiasing=1\n{between}{reader}", (4, 4, 4)).errors
