"""The page of claims: what it shows is what was measured, and nothing is left out."""

from __future__ import annotations

import doctest
import json
import math
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darknet_py.errors import DarknetError, DataError
from tools.claims import __main__ as program
from tools.claims import claim, computed, gradients, grid, memory, predictions, results, statistics
from tools.claims import page as page_module
from tools.claims.claim import UNKNOWN
from tools.claims.claims import claims
from tools.claims.detectors import ALIKE, PAPER_FPS
from tools.claims.grid import CLASSIFIERS, DETECTORS, FULL, QUICK, RESIDUAL
from tools.claims.page import night, page
from tools.claims.place import LAST, Place, gathered, settle
from tools.claims.predictions import (
    accuracy_predictions,
    falling,
    gradient_predictions,
    order_by_loss,
    order_prediction,
)
from tools.claims.results import NOT_RUN, Results
from tools.claims.statistics import (
    FAILED,
    FAILS,
    HOLDS,
    PARTLY,
    UNSETTLED,
    Estimate,
    estimate,
    kendall,
    median_of,
    together,
    verdict,
)  # fmt: skip
from tools.claims.trial import faults

MEASURES = ("cosine", "cka", "rank", "shared", "random_cosine", "random_cka", "random_rank")
IN_SMALL = {f"in small: {said}" for said in (HOLDS, FAILS, UNSETTLED, PARTLY)}
VERDICTS = {HOLDS, FAILS, PARTLY, UNKNOWN, NOT_RUN, FAILED, ALIKE, UNSETTLED, "2 of 3 seeds"} | IN_SMALL
LEVEL = 1
PREDICTIONS = Path(program.__file__).with_name("PREDICTIONS.md")


def made_up() -> Results:
    """Results of a night that never was, with a different number for everything."""
    chance = np.random.default_rng(0)
    runs = {}
    for run in FULL.runs():
        states = {str(i): {m: float(chance.uniform(0.2, 0.9)) for m in MEASURES} for i in FULL.classifier.snapshots}
        own = {"top1": float(chance.uniform(0.6, 0.9)), "loss": float(chance.uniform(0.4, 2)), "duplication": states}
        measured = own if run.kind == "classifier" else {"AP": float(chance.uniform()), "AP50": 0.5}
        runs[run.key] = {"budget": asdict(FULL.part(run.kind)), "level": LEVEL, **measured}
    untrained = {n: {str(s): dict.fromkeys(MEASURES, 0.5) for s in FULL.seeds} for n in FULL.classifiers}
    return Results(runs, untrained, {}, LEVEL)


def failed(key: str, why: str = "the loss is no number") -> dict[str, object]:
    """A run that came to numbers that are none."""
    run = next(run for run in FULL.runs() if run.key == key)
    return {"budget": asdict(FULL.part(run.kind)), "level": LEVEL, "failed": why}


def test_the_page_is_what_the_program_writes() -> None:
    assert program.CLAIMS.read_text(encoding="utf-8") == page(Results.read()), (
        "run `python -m tools.claims --only page`"
    )


@pytest.mark.parametrize(
    "module",
    [claim, computed, gradients, grid, memory, page_module, predictions, results, statistics],
    ids=lambda m: m.__name__,
)
def test_the_examples_of_the_program_are_so(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_every_claim_has_a_place_a_measurement_and_a_verdict() -> None:
    whole = made_up()
    broken = {**whole.runs, "pelee-s1": failed("pelee-s1")}
    two_seeds = {key: run for key, run in whole.runs.items() if not key.endswith("-s2")}
    for found in (Results(), whole, replace(whole, runs=broken), replace(whole, runs=two_seeds)):
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
    timed = ("| yolov3-", "| 4.2, Table 2 | EFM is 2 fps slower", "| 4.2, Table 2 | SAM is faster")
    assert all(line.startswith(timed) for line in lines)


def test_speeds_that_were_not_measured_are_neither_shown_nor_judged() -> None:
    said = {row.said[:3]: row for row in claims(Results()) if "fps" in row.said and row.where == "4.2, Table 2"}
    assert {name: row.verdict for name, row in said.items()} == {"EFM": NOT_RUN, "SAM": NOT_RUN}
    text = page(Results())
    assert "Whether SAM is faster than SPP was not measured" in text
    assert "| yolov3-csppelee-efm | 129 | not yet run | 2.00 | 72.5 | 28 | not yet run | not yet run |" in text


def test_a_network_that_lacks_a_seed_is_shown_and_not_judged() -> None:
    found = made_up()
    some = replace(found, runs={key: run for key, run in found.runs.items() if key != "pelee-s1"})
    mean = some.mean("pelee", "top1")
    assert isinstance(mean, Estimate)
    assert mean.text(1, 100).endswith("(2 of 3 seeds)")
    (row,) = (row for row in accuracy_predictions(some) if (row.larger, row.smaller) == ("csppelee", "pelee"))
    assert row.outcome == "2 of 3 seeds"
    assert order_prediction(some).outcome == "2 of 3 seeds"
    assert Results().mean("pelee", "top1") == NOT_RUN


def test_a_seed_that_failed_is_shown_and_nothing_is_judged_without_it() -> None:
    found = made_up()
    broken = replace(found, runs={**found.runs, "pelee-s1": failed("pelee-s1", "the loss is no number\nhint: …")})
    text = page(broken)
    assert "- pelee-s1: the loss is no number\n" in text
    assert re.search(r"^\| pelee \|.*\(2 of 3 seeds, 1 failed\) \|$", text, re.MULTILINE)
    (row,) = (row for row in accuracy_predictions(broken) if (row.larger, row.smaller) == ("csppelee", "pelee"))
    assert row.outcome == FAILED
    alone = Results({"pelee-s1": failed("pelee-s1")}, level=LEVEL)
    assert alone.mean("pelee", "top1") == FAILED


def test_seeds_are_not_mixed_up_where_one_is_missing() -> None:
    """Of gradients before training too: the second seed of one network is never held against the third of another."""
    states = {s: dict.fromkeys(MEASURES, s / 10) for s in range(3)}
    untrained = {
        "pelee": {str(s): states[s] for s in (0, 1)},
        "csppelee-fusion-first": {str(s): states[s] for s in (1, 2)},
    }
    row = gradient_predictions(Results(untrained=untrained), trained=False)[0]
    assert (row.larger, row.smaller) == ("pelee", "csppelee-fusion-first")
    assert row.difference == Estimate(0.0, float("inf"), 1, 3)  # of seed 1, which both have
    assert row.outcome == "1 of 3 seeds"


def test_what_differs_by_shape_alone_does_not_hold_beyond_it() -> None:
    """A difference of .1 of which random gradients have all holds as predicted, and cannot be told without shape."""

    def states(value: float, random: float, spread: float) -> dict[str, dict[str, float]]:
        own = {m: random if m.startswith("random") else value for m in MEASURES}
        return {str(s): {**own, "cosine": value + spread * (s - 1)} for s in range(3)}

    untrained = {"pelee": states(0.6, 0.4, 0.01), "csppelee-fusion-first": states(0.5, 0.3, 0)}
    row = gradient_predictions(Results(untrained=untrained), trained=False)[0]
    assert (row.measure, row.outcome, row.outcome_beyond) == ("cosine", HOLDS, UNSETTLED)
    assert isinstance(row.random, Estimate)
    assert row.random.mean == pytest.approx(0.1)


def test_a_claim_of_several_things_holds_only_if_all_do() -> None:
    assert together([HOLDS, HOLDS]) == HOLDS
    assert together([FAILS, UNSETTLED]) == FAILS
    assert together([HOLDS, FAILS]) == together([HOLDS, UNSETTLED]) == PARTLY
    assert together([UNSETTLED]) == UNSETTLED
    assert together([HOLDS, NOT_RUN]) == NOT_RUN


def test_runs_on_pictures_of_another_level_are_not_shown() -> None:
    found = replace(made_up(), level=LEVEL + 1)
    assert found.trainings == {}  # of detectors neither: their backbones learned those pictures
    assert found.mean("pelee", "top1") == NOT_RUN


# -- results that come in parts ----------------------------------------------------------------------------------


def a_place(folder: Path, level: int) -> Place:
    place = Place(folder)
    settle(place, FULL, level)
    run = next(FULL.runs())
    place.result(run).parent.mkdir()
    result = {"budget": asdict(FULL.part(run.kind)), "level": level, "top1": 0.5}
    place.result(run).write_text(json.dumps(result))
    return place


def test_what_a_worker_measured_is_among_the_results_whatever_became_of_the_others(tmp_path: Path) -> None:
    found = gathered(Results({"spelee-s2": made_up().runs["spelee-s2"]}, level=LEVEL), a_place(tmp_path, LEVEL))
    assert {*found.trainings} == {"pelee-s0", "spelee-s2"}
    assert found.trainings["pelee-s0"]["top1"] == 0.5
    assert gathered(Results(), Place(tmp_path)).level == LEVEL


def test_the_loss_is_that_of_the_last_iterations_of_a_log(tmp_path: Path) -> None:
    """The first twenty are left out, and so is what is no iteration; of a run that failed nothing is told."""
    place, run = a_place(tmp_path, LEVEL), next(FULL.runs())
    place.log(run).parent.mkdir(parents=True)
    steps = [{"event": "step", "iteration": i, "loss": 9.0 if i <= 20 else 0.25 * (i % 2)} for i in range(1, LAST + 21)]
    events = [{"event": "began"}, *steps, {"event": "finished", "iteration": LAST + 20}]
    place.log(run).write_text("".join(f"{json.dumps(event)}\n" for event in events))
    assert gathered(Results(), place).trainings[run.key]["loss"] == pytest.approx(0.125)
    place.result(run).write_text(json.dumps(failed(run.key)))
    assert "loss" not in gathered(Results(), place).trainings[run.key]
    assert gathered(Results(), place).failures()


def test_a_folder_of_another_level_or_budget_is_not_mixed_in(tmp_path: Path) -> None:
    place = a_place(tmp_path, LEVEL)
    assert gathered(Results(level=LEVEL + 1), place).trainings == {}
    assert gathered(Results(budget=QUICK), place).trainings == {}
    with pytest.raises(DataError, match=r"has trainings of level 2, and the results are of level 3\n  hint: move it"):
        settle(place, FULL, LEVEL + 1)


DAMAGED = ("", "[1, 2]", "5", "{}", '{"level": 99}', '{"level": "1"}', '{"budget"', "\xff")


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_result_is_measured_again_and_none_is_lost_to_it(tmp_path: Path, text: str) -> None:
    place, run, before = a_place(tmp_path, LEVEL), next(FULL.runs()), made_up()
    place.result(run).write_text(text, encoding="latin-1")
    assert place.measured(run, FULL.classifier, LEVEL) is None
    assert gathered(before, place).trainings == before.trainings
    assert gathered(Results(), place).trainings == {}


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_level_is_none_and_is_written_again(tmp_path: Path, text: str) -> None:
    place = a_place(tmp_path, LEVEL)
    place.level.write_text(text, encoding="latin-1")
    assert place.chosen() is None
    assert gathered(Results(), place) == Results()
    settle(place, FULL, LEVEL)
    assert place.chosen() == LEVEL


def test_a_damaged_budget_is_another_one(tmp_path: Path) -> None:
    place = a_place(tmp_path, LEVEL)
    place.budget.write_bytes(b"\xff")
    assert gathered(Results(), place) == Results()
    with pytest.raises(DataError, match="trainings of another budget"):
        settle(place, FULL)


def test_a_log_that_is_damaged_has_no_loss_and_one_that_is_gone_takes_none_away(tmp_path: Path) -> None:
    place, run, before = a_place(tmp_path, LEVEL), next(FULL.runs()), made_up()
    assert "loss" in gathered(before, place).trainings[run.key]
    place.log(run).parent.mkdir(parents=True)
    step, end = json.dumps({"event": "step", "iteration": 1, "loss": 0.5}), json.dumps({"event": "finished"})
    for more in ("", step[:20], "[]", "{}", "\xff", '{"event": "step"}', '{"event": "step", "loss": null}'):
        place.log(run).write_text(f"{step}\n{more}\n{end if more else ''}", encoding="latin-1")
        assert "loss" not in gathered(Results(), place).trainings[run.key]
    place.log(run).write_text(f"{step}\n{end}")
    assert gathered(Results(), place).trainings[run.key]["loss"] == 0.5


def test_a_number_that_is_none_is_a_failure_and_judges_nothing() -> None:
    found = made_up()
    runs = {**found.runs, "pelee-s1": {**found.runs["pelee-s1"], "top1": math.nan}}
    (row,) = (row for row in accuracy_predictions(replace(found, runs=runs)) if row.smaller == "pelee")
    assert row.outcome == FAILED
    assert "nan" not in page(replace(found, runs=runs))


def test_two_do_not_work_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second would write its results over those of the first; a page may be made all the same."""

    def meanwhile(*_: object) -> list[str]:
        with pytest.raises(DataError, match=r"at-work is being written by another process.*\n  hint: wait"):
            program.main(["--out", str(tmp_path), "--only", "trainings"])
        return []

    monkeypatch.setattr(program, "_train", meanwhile)
    assert program.main(["--out", str(tmp_path), "--only", "trainings"]) == 0
    assert program.main(["--out", str(tmp_path), "--only", "page"]) == 0
    assert not Place(tmp_path / "full").lock.exists()


def test_the_page_and_the_results_are_written_where_somebody_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> list[str]:
        a_place(tmp_path / "full", LEVEL)
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "_train", stopped)
    with pytest.raises(KeyboardInterrupt):
        program.main(["--out", str(tmp_path), "--only", "trainings"])
    assert {*json.loads((tmp_path / "full" / "results.json").read_text())["runs"]} == {"pelee-s0"}
    assert "| 50.0 (1 of 3 seeds) |" in (tmp_path / "full" / "CLAIMS.md").read_text(encoding="utf-8")


def test_runs_of_another_budget_are_trained_again() -> None:
    found = made_up()
    assert len(found.trainings) == len([*FULL.runs()])
    shorter = replace(FULL, detector=replace(FULL.detector, iterations=7))
    assert replace(found, budget=shorter).mean("yolov3-csppelee-prn", "AP") == NOT_RUN
    assert {key for key in replace(found, budget=shorter).trainings if key.startswith("yolov3")} == set()


def test_a_page_of_a_trial_has_the_figures_of_its_one_seed_and_says_what_it_is() -> None:
    runs = {
        key: {**run, "budget": asdict(QUICK.part("detector" if key.startswith("yolov3") else "classifier"))}
        for key, run in made_up().runs.items() if key.endswith("-s0")
    }  # fmt: skip
    text = page(Results(runs, level=LEVEL, budget=QUICK))
    assert text.startswith("**A page of `--quick`")
    assert re.search(
        r"^\| csppelee \| \d\.\d+ \| 70\.9 \| \d\d\.\d \(one seed\) \| \d\.\d+ \(one seed\) \|$", text, re.MULTILINE
    )
    assert "--quick" not in page(made_up())


def test_results_that_are_none_are_an_error_that_says_where(tmp_path: Path) -> None:
    kinds = ('{"runs": {"pelee-s0": 5}}', '{"untrained": {"pelee": []}}', '{"speeds": {"a": 5}}', '{"speeds": [1]}')
    for text in ('{"runs": {', '{"walks": {}}', "[]", "", '{"level": "1"}', *kinds):
        (tmp_path / "results.json").write_text(text)
        with pytest.raises(DataError, match=r"results\.json is not what this program writes: .*\n  hint: move it away"):
            Results.read(tmp_path / "results.json")


def test_differences_are_taken_seed_by_seed() -> None:
    runs = {f"{n}-s{s}": {**failed(f"{n}-s{s}"), "top1": 0.1 * s + more}
            for n, more in (("pelee", 0.01), ("spelee", 0.0)) for s in range(3)}  # fmt: skip
    for run in runs.values():
        del run["failed"]
    difference = Results(runs, level=LEVEL).difference("pelee", "spelee", "top1")
    assert isinstance(difference, Estimate)
    assert difference.mean == pytest.approx(0.01)
    assert difference.half == pytest.approx(0, abs=1e-9)  # whatever the seeds have in common


def test_times_are_compared_round_by_round() -> None:
    def speeds(sam: float, spp: float, *, apart: bool = False) -> Results:
        times = {name: sam if name.endswith("efm") else spp for name in PAPER_FPS}
        rows = {
            n: {
                "head_ms": 1.0, "bound_ms": 0.5,
                "rounds": [t + 9 * (i % 2 and not (apart and n.endswith("efm"))) for i in range(25)],
            } for n, t in times.items()
        }  # fmt: skip
        return Results(speeds={"rows": rows, "threads": 2, "cpu": "a processor", "load": 0.0})

    said = [
        next(row for row in claims(found) if row.said.startswith("SAM is faster"))
        for found in (speeds(56, 55), speeds(54, 55), speeds(55, 55), speeds(60, 55, apart=True))
    ]
    assert [row.verdict for row in said] == [FAILS, HOLDS, ALIKE, ALIKE]
    assert "56.0 and 55.0 ms; round by round 1.018 times as long (1.016 to 1.018)." in said[0].measured
    assert "| yolov3-csppelee-efm | 129 | 60.0 (60.0 to 69.0) | 2.00 " in page(speeds(60, 55))


@settings(max_examples=30, deadline=None)
@given(st.integers(6, 60))
def test_the_interval_of_a_median_is_as_wide_as_a_coin_says(count: int) -> None:
    """At least 95 %, and less with the next number on either side left out; by the binomial distribution."""
    found = median_of(range(count))
    outside = [
        2 * sum(math.comb(count, k) for k in range(int(low) + 1)) / 2**count for low in (found.low, found.low + 1)
    ]
    assert outside[0] <= 0.05 < outside[1]
    assert found.low + found.high == count - 1
    assert found.middle == (count - 1) / 2


def test_five_rounds_are_too_few_for_an_interval() -> None:
    assert median_of([1.0] * 5).low == -math.inf


def test_every_prediction_about_gradients_is_compared() -> None:
    rows = gradient_predictions(made_up(), trained=True)
    assert {row.name for row in rows} == {"P1", "P2", "P3", "P4", "P5"}
    assert all(isinstance(row.difference, Estimate) for row in rows)


def test_every_prediction_written_down_has_a_row() -> None:
    """P1 to P13 of PREDICTIONS.md are in the page's tables, before anything was run and after."""
    written = re.findall(r"^\| (P\d+) \|", PREDICTIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert written == [f"P{i}" for i in range(1, 14)]
    for found in (Results(), made_up()):
        assert {*re.findall(r"^\| (P\d+) \|", page(found), re.MULTILINE)} == {*written}


def test_predictions_of_accuracy_have_the_papers_points() -> None:
    """As PREDICTIONS.md writes them: P6 .3, P7 .1 and 1.5, P10 2.1 and 2.4, P11 .7 and 2.7, P12 .4 and .2."""
    rows = accuracy_predictions(made_up())
    assert [f"{row.points:.1f}" for row in rows if row.name in ("P6", "P7", "P10", "P11", "P12")] == [
        "0.6", "0.2", "0.3", "0.1", "1.5", "2.1", "2.4", "0.7", "2.7", "0.4", "0.2",
    ]  # fmt: skip
    assert all((row.points or 0) > 0 for row in rows)


def test_an_order_is_compared_seed_by_seed() -> None:
    """Seeds 0 and 1 have the paper's order, seed 2 the reverse: a mean of 1/3, and an interval that holds 0."""
    runs = {
        f"{name}-s{seed}": {
            "budget": asdict(FULL.classifier), "level": LEVEL, "top1": (paper if seed < 2 else 100 - paper) / 100
        }
        for name, paper in CLASSIFIERS.items() for seed in range(3)
    }  # fmt: skip
    row = order_prediction(Results(runs, level=LEVEL))
    assert isinstance(row.difference, Estimate)
    assert row.difference.mean == pytest.approx(1 / 3)
    assert row.outcome == UNSETTLED


def test_who_comes_less_far_has_the_larger_loss_and_the_smaller_top1() -> None:
    """With the reverse order of losses in every seed τ is -1; without losses there is none."""
    runs = {
        f"{name}-s{seed}": {
            "budget": asdict(FULL.classifier), "level": LEVEL, "top1": 0.5 + i / 100, "loss": 2 - i / 100,
            "duplication": {"300": {"cka": 0.5}, "1200": {"cka": 0.4 if i < 5 else 0.6}},
        }
        for i, name in enumerate(CLASSIFIERS) for seed in range(3)
    }  # fmt: skip
    found = order_by_loss(Results(runs, level=LEVEL))
    assert isinstance(found, Estimate)
    assert (found.mean, found.half) == (-1, 0)
    assert order_by_loss(Results()) == NOT_RUN
    assert falling(Results(runs, level=LEVEL), 300) == "5 of 12"
    assert falling(Results(), 300) == "0 of 0"


def test_gradients_along_the_training_are_shown() -> None:
    found = made_up()
    text = page(found)
    for measure in ("cosine", "cka", "rank", "shared"):
        middle = found.gradients("pelee", measure, 600)
        assert f"| {estimate([*middle.found.values()]).text(3)} |" in text


def test_the_interval_is_students() -> None:
    """By a table: 2 degrees of freedom, 4.303; of 1, 2, 6: deviation 2.6458, so 3 ± 6.573."""
    found = estimate([1.0, 2.0, 6.0])
    assert (found.mean, found.half) == (pytest.approx(3.0), pytest.approx(6.573, abs=1e-3))
    assert verdict(found, 1) == "cannot be told with three seeds"
    assert verdict(estimate([1.0, 1.01], of=3), 1) == "2 of 3 seeds"


def test_an_interval_holds_the_truth_nineteen_times_of_twenty() -> None:
    chance = np.random.default_rng(0)
    inside = [(e := estimate(chance.normal(5, 2, 3).tolist())).low <= 5 <= e.high for _ in range(4000)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_orders_with_one_exchange_are_a_third_apart() -> None:
    assert kendall([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)


def test_pairs_that_are_tied_have_no_say_in_an_order() -> None:
    assert kendall([1, 2, 3], [5, 5, 6]) == 1
    assert kendall([1, 1], [5, 6]) == 0


def test_an_interval_of_many_numbers_is_not_too_narrow() -> None:
    """By a table: 20 degrees of freedom, 2.086."""
    numbers = [float(n) for n in range(21)]
    assert estimate(numbers).half >= 2.086 * np.std(numbers, ddof=1) / np.sqrt(21)


def test_a_night_is_enough_for_two_cores() -> None:
    assert float(night().rpartition(" hours of one, ")[2].removesuffix(" of two.")) <= 8


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = made_up()
    found.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == found
    assert Results.read(tmp_path / "none.json") == Results()


# -- what a trial must find --------------------------------------------------------------------------------------


def a_trial() -> Results:
    """A trial that went well."""
    state = dict.fromkeys(MEASURES, 0.5)
    own = {
        "classifier": {"top1": 0.0, "duplication": {str(i): state for i in QUICK.classifier.snapshots}},
        "detector": {"AP": 0.0, "AP50": 0.0, "mAP": 0.0},
    }
    runs = {
        run.key: {"budget": asdict(QUICK.part(run.kind)), "level": 0, "loss": 3.6, **own[run.kind]}
        for run in QUICK.runs()
    }
    untrained = {name: {"0": state} for name in QUICK.classifiers}
    times = {"head_ms": 1.0, "bound_ms": 1.0, "rounds": [1.0]}
    speeds = {"rows": dict.fromkeys(PAPER_FPS, times), "threads": 2, "cpu": "a processor", "load": 0.0}
    return Results(runs, untrained, speeds, 0, QUICK)


def test_a_trial_that_went_well_has_no_faults() -> None:
    assert faults(a_trial()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"top1": None}, ["csppelee-s0: top1 is None"]),
        ({"top1": 1.5}, ["csppelee-s0: top1 is 1.5"]),
        ({"loss": math.inf}, ["csppelee-s0: its loss is inf"]),
        ({"failed": "the loss is no number\nhint: …"}, ["csppelee-s0 failed: the loss is no number"]),
        ({"budget": {}}, ["csppelee-s0 was not trained"]),
        ({"duplication": {}}, ["csppelee-s0: its gradients were measured after iterations none"]),
        (
            {"duplication": {str(i): dict.fromkeys(MEASURES, 0.4) for i in QUICK.classifier.snapshots}},
            [f"csppelee-s0: {m} at its beginning is 0.4, and measured alone 0.5" for m in MEASURES],
        ),
    ],
)
def test_a_trial_says_what_it_did_not_find(change: dict[str, object], said: list[str]) -> None:
    found = a_trial()
    runs = {**found.runs, "csppelee-s0": {**found.runs["csppelee-s0"], **change}}
    assert faults(replace(found, runs=runs)) == said


def test_a_trial_misses_speeds_and_gradients_before_training() -> None:
    said = faults(replace(a_trial(), untrained={}, speeds={}))
    assert said[0] == "csppelee-s0: its gradients were not measured before training"
    assert said[-len(PAPER_FPS) :] == [f"{name}: its speed was not measured" for name in PAPER_FPS]


def test_quick_ends_badly_where_a_training_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = a_trial()
    folder = tmp_path / "quick"
    folder.mkdir()
    monkeypatch.setattr(program, "_train", lambda *_: [])
    found.write(folder / "results.json")
    assert program.main(["--quick", "--out", str(tmp_path)]) == 0
    runs = {**found.runs, "csresnet10-s0": {**found.runs["csresnet10-s0"], "failed": "the loss is no number"}}
    replace(found, runs=runs).write(folder / "results.json")
    with pytest.raises(DarknetError, match="the trial did not find what it must:\n  csresnet10-s0 failed: the loss is"):
        program.main(["--quick", "--out", str(tmp_path)])


@pytest.mark.heavy
def test_quick_goes_through_everything(tmp_path: Path) -> None:
    """Tiny trainings in workers, gradients, speeds, and a page with figures of one seed."""
    pytest.importorskip("torch", reason="needs PyTorch: pip install 'darknet-compiler[torch]'")
    assert program.main(["--quick", "--out", str(tmp_path), "--jobs", "2"]) == 0
    kept = json.loads((tmp_path / "quick" / "results.json").read_text())
    assert {*kept["runs"]} == {"csppelee-s0", "csresnet10-s0", "yolov3-csppelee-efm-plain+giou-s0"}
    assert not [run for run in kept["runs"].values() if "failed" in run]
    assert "yolov3-csppelee-efm" in kept["speeds"]["rows"]
    text = (tmp_path / "quick" / "CLAIMS.md").read_text(encoding="utf-8")
    assert re.search(
        r"^\| csppelee \| \d\.\d+ \| 70\.9 \| \d+\.\d \(one seed\) \| \d\.\d+ \(one seed\) \|$", text, re.MULTILINE
    )
    assert {path.suffix for path in (tmp_path / "quick/runs/csppelee-s0/backup").iterdir()} >= {".weights"}
    assert not [*(tmp_path / "quick/runs").glob("*/backup/*.state")]  # what was measured is let go of
    # A second call finds all of it there.
    assert program.main(["--quick", "--out", str(tmp_path), "--only", "trainings"]) == 0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--jobs", "0", "--jobs: 1 at least"), ("--hours", "-1", "--hours: 0 at least"), ("--hours", "nan", "--hours: 0")],
)
def test_options_that_make_no_sense_are_refused(
    option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    with pytest.raises(SystemExit):
        program.main(["--time", option, value])
    assert said in capsys.readouterr().err


def test_what_the_system_refuses_is_an_error_of_one_line(tmp_path: Path) -> None:
    """Of a folder that is not to be written to, or a full disk: here a file is in the way."""
    (tmp_path / "full").touch()
    command = [sys.executable, "-m", "tools.claims", "--out", str(tmp_path), "--only", "trainings"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize("hours", ["-1", "nan"])
def test_hours_that_are_none_are_refused(hours: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.main(["--time", "--hours", hours])
    assert "--hours: 0 at least" in capsys.readouterr().err


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(SystemExit):
        program.main(["--only", "page", "--out", str(tmp_path / "out")])
    assert "out is no folder" in capsys.readouterr().err


def test_the_page_counts_the_verdicts_of_all_claims() -> None:
    found = made_up()
    (counts,) = re.findall(r"^The verdicts of all (\d+) claims: (.+?)\.$", page(found), re.MULTILINE | re.DOTALL)
    assert int(counts[0]) == len([*claims(found)]) == sum(map(int, re.findall(r" (\d+)(?:,|$)", counts[1])))
