"""The fuzzer: a short run of each target finds nothing, and whatever an input does to a worker is told by its seed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from darknet_py.darknet.dialects import DIALECTS
from tools.fuzz.grammar import layer_classes
from tools.fuzz.run import Plan, run
from tools.fuzz.state import State
from tools.fuzz.target import load_target, module_of, target_names
from tools.fuzz.targets import networks
from tools.fuzz.worker import Limits

# How many inputs of each target are looked at here: a second or two of each. `make fuzz` looks further.
SHORT = {"cache": 15, "cfg": 120, "networks": 10, "onnx": 15, "pictures": 40, "weights": 60}
PATIENT = Limits(seconds=20, most_seconds=120)  # a busy machine is no finding

MISCHIEF = '''
"""A target of which each seed does something else."""

import ctypes
import time

from darknet_py.errors import DataError
from tools.fuzz.target import Mismatch, Target


def check(folder):
    kind = (folder / "what.txt").read_text().split()[-1]
    if kind == "error":
        raise DataError("refused")
    if kind == "exception":
        raise ValueError("foreign")
    if kind == "crash":
        ctypes.string_at(0)
    if kind == "mismatch":
        raise Mismatch("two things", "differ")
    if kind == "memory":
        bytearray(b"x" * (1 << 20)) * 200
    end = time.process_time() + {"slow": 1.5, "hang": 60}.get(kind, 0)
    while time.process_time() < end:
        pass
    return kind


KINDS = ("fine", "error", "exception", "crash", "mismatch", "memory", "slow", "hang", "fine", "fine")



class Numbered(Target):
    def case(self, seed):
        return {"what.txt": f"some\\nwords\\nand\\n{KINDS[seed]}".encode()}


TARGET = Numbered("mischief", __doc__, None, check, "what.txt", chunk=4)
'''


@pytest.fixture
def mischief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    (tmp_path / "a_fuzzed_mischief.py").write_text(MISCHIEF)
    monkeypatch.syspath_prepend(str(tmp_path))
    limits = Limits(seconds=1, most_seconds=4)
    return Plan("a_fuzzed_mischief", 0, 10, tmp_path / "state" / "mischief.json", limits=limits)


def test_a_short_run_is_of_every_target() -> None:
    assert set(SHORT) == set(target_names())


@pytest.mark.parametrize("name", SHORT)
def test_a_short_run_finds_nothing(name: str, tmp_path: Path) -> None:
    state = run(Plan(module_of(name), 0, SHORT[name], tmp_path / "state.json", reducing=5, limits=PATIENT), print)
    assert state.inputs == SHORT[name]
    assert not state.found, [(f.signature, f.message, f.seeds) for f in state.found.values()]


@pytest.mark.parametrize("name", SHORT)
def test_a_seed_is_always_the_same_input(name: str) -> None:
    target = load_target(module_of(name))
    assert [target.case(seed) for seed in range(5)] == [target.case(seed) for seed in range(5)]
    assert target.lines in target.case(0)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_layer_gets_into_a_network(dialect: str) -> None:
    start = ["[net]", "width=8", "height=8", "channels=4", *["[convolutional]", "filters=4"] * 2]
    head = ["[convolutional]", "filters=14", "[yolo]", "classes=2", "num=2"]  # [contrastive] wants one
    for name, cls in layer_classes(dialect):
        tries = (networks._grown(Random(seed), [*start, *head], 4, dialect, name, cls)[1] for seed in range(30))
        assert any(index > 4 for index in tries), name


def test_what_an_input_does_is_told_by_its_seed(mischief: Plan) -> None:
    state = run(replace(mischief, reducing=0), print)
    assert {f.kind: f.seeds for f in state.found.values()} == {
        "exception": [2], "crash": [3], "mismatch": [4], "memory": [5], "slow": [6], "hang": [7],
    }  # fmt: skip
    assert state.words["fine"] == 3
    assert state.words["refused"] == 1
    assert state.done == [(0, 10)]


def test_a_run_goes_on_where_it_was_ended(mischief: Plan) -> None:
    first = Plan(mischief.module, 0, 2, mischief.state, limits=mischief.limits)
    run(first, print)
    assert next(State.load(mischief.state, "mischief").jobs(0, 10, 100)).start == 2
    last = run(Plan(mischief.module, 8, 10, mischief.state, limits=mischief.limits), print)
    assert last.done == [(0, 2), (8, 10)]
    assert last.inputs == 4


def test_a_finding_is_kept_with_its_input_made_smaller(mischief: Plan) -> None:
    (found,) = run(Plan(mischief.module, 2, 3, mischief.state, limits=mischief.limits), print).found.values()
    assert Path(found.folder, "found", "what.txt").read_text() == "some\nwords\nand\nexception"
    assert Path(found.folder, "smaller", "what.txt").read_text() == "exception"
    assert "ValueError: foreign" in Path(found.folder, "finding.txt").read_text()


def test_numbers_that_float32_hardly_holds_may_be_rounded_but_not_infinite() -> None:
    most = np.finfo(np.float32).max
    wanted = np.array([1, -most, np.inf, np.nan], np.float32)
    rounded = np.array([1, np.nextafter(-most, np.float32(0)), np.inf, np.nan], np.float32)
    assert networks.complaint(rounded, wanted, [wanted]) is None
    for place, wrong in ((1, -np.inf), (1, -most / 2), (2, most), (3, 0)):
        got = wanted.copy()
        got[place] = wrong
        assert networks.complaint(got, wanted, [wanted]), wrong
