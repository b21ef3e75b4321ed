"""The learning rate of an iteration: Darknet's tables, and what they do not hold."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from conftest import SHARED

from darknet_py.apps.train.schedule import cosine, rate
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.layers.net import Net
from darknet_py.errors import DataError

FOLDER = SHARED / "golden_train/step/lr_tables"
TABLES = sorted(FOLDER.glob("*.csv"))
GLIBC = {"random_seed1"}  # drawn by glibc's rand(): ours are other numbers of the same distribution


def rows(table: Path) -> list[tuple[int, float]]:
    with table.open() as f:
        return [(int(row["batch_num"]), float(row["rate"])) for row in csv.DictReader(f)]


def test_there_are_tables_where_there_is_anything() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"needs {FOLDER}, tables that Darknet computed")
    assert len(TABLES) >= 19


@pytest.mark.parametrize("table", [t for t in TABLES if t.stem not in GLIBC], ids=lambda t: t.stem)
def test_rates_are_those_of_darknets_table(table: Path) -> None:
    net = compile_file(table.with_suffix(".cfg")).net
    for iteration, wanted in rows(table):
        assert rate(net, iteration) == pytest.approx(wanted, rel=1e-6, abs=1e-12), iteration


def test_steps_multiply_from_their_iteration_on() -> None:
    net = Net(learning_rate=1.0, policy="steps", steps=(3, 5), scales=(0.1, 0.5))
    assert [rate(net, n) for n in (2, 3, 4, 5)] == pytest.approx([1, 0.1, 0.1, 0.05])


def test_burn_in_is_a_power_and_counts_for_the_policy() -> None:
    net = Net(learning_rate=1.0, burn_in=4, power=2.0, policy="step", step=5, scale=0.5)
    assert [rate(net, n) for n in (1, 2, 3, 4, 5)] == [1 / 16, 1 / 4, 9 / 16, 1, 0.5]


def test_sgdr_starts_again_after_the_end_of_a_cycle() -> None:
    net = Net(learning_rate=1.0, learning_rate_min=0.0, policy="sgdr", sgdr_cycle=10, sgdr_mult=2)
    assert rate(net, 10) == pytest.approx(0)
    assert rate(net, 11) == pytest.approx(0.5 * (1 + math.cos(math.pi / 20)))
    assert rate(net, 30) == pytest.approx(0)


def test_sgdr_with_equal_cycles_is_quick_at_any_iteration() -> None:
    net = Net(learning_rate=1.0, learning_rate_min=0.0, policy="sgdr", sgdr_cycle=1, sgdr_mult=1)
    assert rate(net, 10**12) == pytest.approx(0)


def test_random_rates_depend_on_seed_and_iteration_alone() -> None:
    net = Net(learning_rate=2.0, policy="random", power=1.0)
    rates = [rate(net, n, seed=7) for n in range(200)]
    assert rates == [rate(net, n, seed=7) for n in range(200)]
    assert rates != [rate(net, n, seed=8) for n in range(200)]
    assert 0 < min(rates) < 0.1 < 1.9 < max(rates) < 2
    assert 0.8 < sum(rates) / 200 < 1.2


def test_poly_past_its_end_is_a_number() -> None:
    assert rate(Net(policy="poly", power=1.5, max_batches=10), 11) == 0


@pytest.mark.parametrize(
    "net", [Net(policy="step", step=0), Net(policy="poly"), Net(policy="sgdr", sgdr_mult=0, sgdr_cycle=5)], ids=repr
)
def test_what_darknet_cannot_compute_is_an_error(net: Net) -> None:
    with pytest.raises(DataError, match=net.policy):
        rate(net, 20)


def test_cosine_falls_once_after_burn_in() -> None:
    net = Net(learning_rate=1.0, learning_rate_min=0.0, burn_in=10, power=1.0, max_batches=110, policy="steps")
    assert [cosine(net, n) for n in (5, 10, 60, 110, 200)] == pytest.approx([0.5, 1, 0.5, 0, 0])


@pytest.mark.parametrize(
    "net",
    [
        Net(learning_rate=0.1, policy="exp", gamma=10.0),
        Net(learning_rate=0.1, policy="step", step=1, scale=10.0),
        Net(learning_rate=0.1, policy="poly", power=-1.0, max_batches=400),
    ],
)
def test_a_rate_beyond_all_numbers_is_infinite_as_in_c(net: Net) -> None:
    assert rate(net, 400) == math.inf
