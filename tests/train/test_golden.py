"""Whole iterations against Darknet's, and the tool that compares them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from conftest import SHARED

from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import random_weights, write_weights
from tools.train import cases_step, golden
from tools.train.bugs import Bugs, computing_with
from tools.train.cases_step import Case, Run
from tools.train.glibc import rand
from tools.train.verdict import Verdict, said_of

FOLDER = SHARED / "golden_train/step"
CASES = sorted(path.parent for path in FOLDER.glob("*/params_1.npz"))

NET = "[net]\nwidth=5\nheight=4\nchannels=3\nbatch=2\nlearning_rate=.1\nmomentum=.5\ndecay=.05\n"
CONV = "[convolutional]\nfilters=3\nsize=1\nactivation=leaky\n"
GELU = "[convolutional]\nfilters=3\nsize=1\nactivation=gelu\n"
CONNECTED = "[connected]\noutput=4\nactivation=linear\n"
COST = "[cost]\ntype=sse\n"


def test_there_are_cases_where_there_is_anything() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"needs {FOLDER}, iterations that Darknet computed")
    assert len(CASES) >= 73


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_iterations_are_darknets(folder: Path) -> None:
    verdict = cases_step.check(folder)
    assert not verdict.wrong, verdict
    if said_of(folder)["semantics"] == "normal" and folder.name != "connected":  # connected_gpu_clip is what CUDA does
        assert not verdict.off, verdict


def test_an_iteration_is_what_one_computes_by_hand(tmp_path: Path) -> None:
    cfg = NET.replace("width=5\nheight=4\nchannels=3", "width=1\nheight=1\nchannels=2")
    case = recorded(tmp_path, cfg + "[convolutional]\nfilters=1\nsize=1\nactivation=linear\n" + COST)
    run = Run(case, Bugs())
    (weights, biases) = (run.module.tensor_of(p) for p in (run.places[0, "weights"], run.places[0, "biases"]))
    w, b = weights.detach().numpy().copy().ravel(), biases.item()
    x, t = run.images.numpy().reshape(2, 2), run.truth.numpy().ravel()
    error = t - (x @ w + b)  # Darknet's delta
    cost, _ = run.iterate(None)
    assert cost == pytest.approx((error**2).sum() / 2, rel=1e-5)
    np.testing.assert_allclose(weights.detach().numpy().ravel(), w + 0.1 * (error @ x / 2 - 0.05 * w), rtol=1e-5)
    assert biases.item() == pytest.approx(b + 0.1 * error.sum() / 2, rel=1e-5)


# -- the tool --------------------------------------------------------------------------------------------------------


def recorded(folder: Path, cfg: str, bugs: Bugs | None = None, **said: object) -> Case:
    """A case of our own: two iterations of a cfg as we compute them, with some of Darknet's bugs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.cfg").write_text(cfg)
    graph = compile_file(folder / "net.cfg").check().graph
    write_weights(folder / "net.weights", graph, random_weights(graph, 3))
    rng = np.random.default_rng(0)
    np.save(folder / "input.npy", rng.random((2, *graph.image.shape), np.float32))
    outputs = int(np.prod(graph.layers[-1].output.shape))
    np.save(folder / "truth.npy", 4 * rng.random((2, outputs), np.float32))
    (folder / "meta.json").write_text(json.dumps({"oracle": "gpusem", "force_train": 1, **said}))
    case = Case(folder, said_of(folder))
    with computing_with(bugs or Bugs(), 0):
        record(Run(case, bugs or Bugs()), folder)
    return case


def record(run: Run, folder: Path) -> None:
    rows = []
    for n in (1, 2):
        cost, rate = run.iterate(None)
        rows.append({"iteration": n, "rate": rate, "error": cost})
        params = {f"L{layer:03d}.{role}": run.module.array_of(p) for (layer, role), p in run.places.items()}
        np.savez(folder / f"params_{n}.npz", **params)
    with (folder / "rates.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["iteration", "rate", "error"])
        table.writeheader()
        table.writerows(rows)


NEEDED = {
    "decay": (NET + CONV + CONV + "onlyforward=1\n" + CONV + COST, Bugs(unreached_decay=True), {}),
    "gelu": (NET + GELU + CONV + COST, Bugs(gelu_of_output=True), {}),
    "grad_centr": (NET + CONV + "batch_normalize=1\ngrad_centr=1\n" + COST, Bugs(always_centred=True), {}),
    "never updated": (NET + CONV + CONNECTED + COST, Bugs(never_learning=True), {"force_train": 0}),
    "CPU code": (NET + CONV + CONNECTED + COST, Bugs(unclipped=True), {"oracle": "ref"}),
    "added twice": (NET + CONV + CONNECTED + "batch_normalize=1\n" + COST, Bugs(doubled_bias=True), {}),
}


@pytest.mark.parametrize("reason", NEEDED)
def test_a_bug_that_a_case_needs_is_named(reason: str, tmp_path: Path) -> None:
    cfg, bugs, said = NEEDED[reason]
    recorded(tmp_path / "case", cfg, bugs, **said)
    verdict = cases_step.check(tmp_path / "case")
    assert verdict.off
    assert reason in verdict.bug
    assert not verdict.wrong


def test_a_case_that_no_bug_explains_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(tmp_path / "step/right", NET + CONV + COST)
    assert golden.main([str(tmp_path)]) == 0
    assert "step/right: ok; " in capsys.readouterr().out
    recorded(tmp_path / "step" / "wrong", NET + GELU + COST)
    params = dict(np.load(tmp_path / "step/wrong/params_2.npz"))
    params["L000.biases"] += 0.01
    np.savez(tmp_path / "step/wrong/params_2.npz", **params)
    assert golden.main([str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "2 cases: 1 ok, 1 off, 0 need a bug" in said
    assert "off: step/wrong: parameters off by" in said
    assert "(L000.biases after 2)" in said


def test_a_case_that_cannot_be_computed_does_not_hide_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path / "a", NET + CONV + COST)
    recorded(tmp_path / "b", NET + CONV + COST)
    (tmp_path / "a/net.cfg").write_text("[net]\n[nonsense]\n")
    assert golden.main([str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "/a: " in said
    assert "stops: CfgError" in said
    assert "/b: ok" in said


def test_what_the_cpu_gets_wrong_is_listed_by_what_the_index_says(tmp_path: Path) -> None:
    case = {"name": f"{tmp_path.name}/step", "semantics": "cpu-bug", "covers": "nothing right"}
    (tmp_path / "INDEX.json").write_text(json.dumps({"cases": [case]}))
    recorded(tmp_path / "step", NET + CONV + COST)
    params = {name: array + 1 for name, array in np.load(tmp_path / "step/params_1.npz").items()}
    np.savez(tmp_path / "step/params_1.npz", **params)
    verdict = cases_step.check(tmp_path / "step")
    assert verdict.off
    assert verdict.bug == "of the CPU code: nothing right"


def test_folders_that_are_not_there_or_hold_nothing_are_no_success(tmp_path: Path) -> None:
    assert golden.main([]) == 2
    assert golden.main([str(tmp_path / "none")]) == 2
    assert golden.main([str(tmp_path)]) == 1


def test_a_line_says_name_and_state() -> None:
    assert str(Verdict("step/a", figures="costs 1e-7")) == "step/a: ok; costs 1e-7"
    assert str(Verdict("step/a", "costs off by 1")) == "step/a: costs off by 1"


def test_numbers_are_those_of_glibc() -> None:
    numbers = rand(0)
    assert [next(numbers) for _ in range(3)] == [1804289383, 846930886, 1681692777]
