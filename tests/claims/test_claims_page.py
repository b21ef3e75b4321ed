"""The page of claims: what it shows is what was measured, and nothing is left out."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tools.claims import __main__ as program
from tools.claims import computed, gradients, grid, memory, statistics
from tools.claims import page as page_module
from tools.claims.claims import ALIKE, NOT_RUN, ONCE, PARTLY, UNKNOWN, claims, gradient_predictions
from tools.claims.grid import CLASSIFIERS, DETECTORS, FULL, RESIDUAL
from tools.claims.page import night, page
from tools.claims.results import Results
from tools.claims.statistics import FAILS, HOLDS, UNSETTLED, estimate, kendall, verdict

MEASURES = ("cosine", "cka", "rank", "shared", "random_cosine", "random_cka")
IN_SMALL = {f"in small: {said}" for said in (HOLDS, FAILS, UNSETTLED)}
VERDICTS = {HOLDS, FAILS, PARTLY, UNKNOWN, NOT_RUN, ALIKE, UNSETTLED} | IN_SMALL


def made_up() -> Results:
    """Results of a night that never was, with a different number for everything."""
    chance = np.random.default_rng(0)
    runs = {}
    for run in FULL.runs():
        state = {m: float(chance.uniform(0.2, 0.9)) for m in MEASURES}
        own = {"top1": float(chance.uniform(0.6, 0.9)), "duplication": {"0": state, "1200": state}}
        runs[run.key] = own if run.kind == "classifier" else {"AP": float(chance.uniform()), "AP50": 0.5}
    untrained = {n: {str(s): dict.fromkeys(MEASURES, 0.5) for s in FULL.seeds} for n in FULL.classifiers}
    return Results(runs, untrained, {}, 1)


def test_the_page_is_what_the_program_writes() -> None:
    assert program.CLAIMS.read_text(encoding="utf-8") == page(Results.read()), (
        "run `python -m tools.claims --only page`"
    )


@pytest.mark.parametrize(
    "module", [gradients, grid, memory, page_module, statistics, computed], ids=lambda m: m.__name__
)
def test_the_examples_of_the_program_are_so(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_every_claim_has_a_place_a_measurement_and_a_verdict() -> None:
    for found in (Results(), made_up()):
        rows = claims(found)
        assert len(rows) > 40
        assert {row.where.split(",")[0].split(" ")[0][:1] for row in rows} >= {"a", "1", "3", "4"}
        for row in rows:
            assert row.measured
            assert row.verdict in VERDICTS
            assert "|" not in row.said + row.measured


def test_without_runs_every_row_is_there_and_says_that_it_was_not_run() -> None:
    text = page(Results())
    for name in (*CLASSIFIERS, *RESIDUAL, *DETECTORS):
        assert f"| {name} |" in text
    assert text.count(NOT_RUN) > 100


def test_after_all_runs_nothing_is_left_to_run_but_the_speeds() -> None:
    lines = [line for line in page(made_up()).splitlines() if NOT_RUN in line and line.startswith("|")]
    assert lines
    assert all(line.startswith("| yolov3-") for line in lines)  # their heads, layer by layer


def test_a_network_that_lacks_a_seed_has_no_figure_and_a_failure_is_shown() -> None:
    found = made_up()
    runs = {key: run for key, run in found.runs.items() if key != "pelee-s1"}
    assert Results(runs).mean("pelee", "top1") is None
    assert Results(runs).mean("spelee", "top1") is not None
    broken = Results({**found.runs, "pelee-s1": {"failed": "the loss is no number\nhint: …"}})
    assert broken.mean("pelee", "top1") is None
    assert "- pelee-s1: the loss is no number\n" in page(broken)


def test_differences_are_taken_seed_by_seed() -> None:
    runs = {f"{n}-s{s}": {"top1": 0.1 * s + more} for n, more in (("a", 0.01), ("b", 0.0)) for s in range(3)}
    difference = Results(runs).difference("a", "b", "top1")
    assert difference is not None
    assert difference.mean == pytest.approx(0.01)
    assert difference.half == pytest.approx(0, abs=1e-9)  # whatever the seeds have in common


def test_times_whose_quartiles_overlap_are_too_near_to_tell() -> None:
    def speeds(sam: float, spp: float) -> Results:
        times = {name: sam if name.endswith("efm") else spp for name in ONCE}
        rows = {n: {"ms": t, "low": t - 1, "high": t + 1, "head_ms": 1.0, "bound_ms": 0.5} for n, t in times.items()}
        return Results(speeds={"rows": rows, "threads": 2, "cpu": "a processor", "load": 0.0})

    said = [
        next(row.verdict for row in claims(speeds(*ms)) if row.said.startswith("SAM is faster"))
        for ms in ((60, 55), (50, 55), (55.5, 55))
    ]
    assert said == [FAILS, HOLDS, ALIKE]


def test_every_prediction_about_gradients_is_compared() -> None:
    rows = gradient_predictions(made_up(), trained=True)
    assert {row.name for row in rows} == {"P1", "P2", "P3", "P4", "P5"}
    assert all(row.difference is not None for row in rows)


def test_the_interval_is_students() -> None:
    """By a table: 2 degrees of freedom, 4.303; of 1, 2, 6: deviation 2.6458, so 3 ± 6.573."""
    found = estimate([1.0, 2.0, 6.0])
    assert (found.mean, found.half) == (pytest.approx(3.0), pytest.approx(6.573, abs=1e-3))
    assert verdict(found, 1) == "cannot be told with three seeds"


def test_an_interval_holds_the_truth_nineteen_times_of_twenty() -> None:
    chance = np.random.default_rng(0)
    inside = [(e := estimate(chance.normal(5, 2, 3).tolist())).low <= 5 <= e.high for _ in range(4000)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_orders_with_one_exchange_are_a_third_apart() -> None:
    assert kendall([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)


def test_a_night_is_enough_for_two_cores() -> None:
    assert float(night().rpartition(" hours of one, ")[2].removesuffix(" of two.")) <= 8


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = made_up()
    found.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == found
    assert Results.read(tmp_path / "none.json") == Results()


@pytest.mark.heavy
def test_quick_goes_through_everything(tmp_path: Path) -> None:
    """Tiny trainings in workers, gradients, speeds, and a page with figures of one seed."""
    pytest.importorskip("torch", reason="needs PyTorch: pip install 'darknet-compiler[torch]'")
    assert program.main(["--quick", "--out", str(tmp_path), "--jobs", "2"]) == 0
    kept = json.loads((tmp_path / "quick" / "results.json").read_text())
    assert len(kept["runs"]) == 5
    assert not [run for run in kept["runs"].values() if "failed" in run]
    assert "yolov3-csppelee-efm" in kept["speeds"]["rows"]
    assert (tmp_path / "quick" / "CLAIMS.md").is_file()
