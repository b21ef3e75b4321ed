"""The table of passes: each is in it once, by its own name, says how exact it is, and shows what it does."""

from __future__ import annotations

import doctest
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from graphs import graph_of

from darknet_py import passes
from darknet_py.backends.backend import backends
from darknet_py.ir import Graph, InvalidGraph
from darknet_py.model.formats import formats
from darknet_py.passes import PASSES, Pass, optimize, passes_for
from darknet_py.passes.definition import FOLDING, TAKERS, UNTOUCHED
from darknet_py.passes.table import TABLE

MODULES = sorted(p.stem for p in Path(passes.__file__).parent.glob("*.py"))
MODULES = [m for m in MODULES if m not in ("__init__", "definition", "table")]
STEPS = {step.name: step for taker in TAKERS for step in passes_for(taker)}


def names(taker: str, **options: bool) -> list[str]:
    return [step.name for step in passes_for(taker, **options)]


def test_the_table_is_about_back_ends_and_formats_that_there_are() -> None:
    # Who wants nothing of its own takes the passes of "file", and needs no line.
    assert {taker.partition(",")[0].partition(" ")[0] for taker in TAKERS} <= {*backends(), *formats(), "file"}
    assert {taker for line in TABLE for taker in line.takers} == {*FOLDING} == {*TAKERS} - {*UNTOUCHED}


def test_each_pass_is_a_file_and_a_file_is_one_pass() -> None:
    assert len(MODULES) >= 7
    assert sorted(step.function.__module__.rpartition(".")[2] for step in STEPS.values()) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_each_pass_shows_what_it_does(module: str) -> None:
    found = doctest.DocTestFinder().find(import_module(f"darknet_py.passes.{module}"))
    assert sum(len(test.examples) for test in found) >= 2


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
def test_each_pass_has_its_own_name_and_says_how_exact_it_is(step: Pass) -> None:
    assert step.function.__name__ == f"_{step.name}"
    assert step.exact is True or len(step.exact.split()) > 3


def test_who_takes_which_in_which_order() -> None:
    folding = ["fold_constants", "fold_batch_norm"]
    assert names("numpy") == names("onnx.reference") == []
    assert names("onnxruntime") == names("torch") == names("numpy, exact") == folding
    assert names("ncnn") == [*folding, "cascade_pools"]
    assert names("openvino") == [*folding, "cut_single_windows"]
    assert names("file") == [*folding, "cut_single_windows", "crop_transposed", "part_elu"]
    assert names("opencv 4") == [*folding, "pad_narrow", "copy_inputs", "crop_transposed", "part_elu", "cascade_pools"]
    blocked = [*folding, "cascade_pools", "widen_groups"]
    assert names("onnxruntime, blocked") == [*blocked, "tile_convolutions"]
    assert names("opencv 5") == [
        *folding,
        "part_elu",
        *blocked[2:],
        "spread_channels",
        "unfold_convolutions",
        "tile_convolutions",
    ]
    assert names("file") == [step.name for step in PASSES]


def test_no_two_passes_of_one_taker_stand_in_one_place() -> None:
    for taker in TAKERS:
        places = [line.place for line in TABLE if taker in line.takers]
        assert len({*places}) == len(places)


def test_winograd_is_left_out_where_it_is_not_wanted() -> None:
    for taker in TAKERS:
        assert names(taker, winograd=False) == [n for n in names(taker) if n != "tile_convolutions"]


def test_the_block_is_the_one_that_the_runtime_has() -> None:
    assert passes_for("onnxruntime, blocked", 16) != passes_for("onnxruntime, blocked", 8)
    assert passes_for("onnxruntime, blocked", 16) == passes_for("onnxruntime, blocked", 16)


def test_a_stranger_is_told_who_there_is() -> None:
    with pytest.raises(ValueError, match=r"'opencv'; known are .*opencv 4, opencv 5"):
        passes_for("opencv")


def test_a_graph_that_a_pass_breaks_is_blamed_on_it() -> None:
    def turn(graph: Graph) -> Graph:
        return replace(graph, ops=graph.ops[::-1])

    graph = graph_of(lambda b, x: b.op("exp", b.op("relu", x)), (2,))
    with pytest.raises(InvalidGraph, match=r"^after the pass turn_around: %0_test.exp"):
        optimize(graph, (Pass("turn_around", True, turn),))


def test_an_operation_without_all_attributes_is_blamed_on_the_pass() -> None:
    def forget(graph: Graph) -> Graph:
        return replace(graph, ops=tuple(replace(op, attrs={}) for op in graph.ops))

    graph = graph_of(lambda b, x: b.op("elu", x), (2,))
    with pytest.raises(InvalidGraph, match=r"^after the pass forget: %0_test.elu.* lacks alpha"):
        optimize(graph, (Pass("forget", True, forget),))
