"""Processes that answer, races that go on without those who fail, and what a layer's time is held against."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darknet_py.apps.bench import process
from darknet_py.apps.bench.interleave import Spread, Timing, interleave
from darknet_py.apps.bench.peaks import PEAKS, sgemm
from darknet_py.apps.bench.process import Side, SideError, peak_memory, seconds, serve
from darknet_py.apps.bench.profile import nodes_of, profile
from darknet_py.apps.bench.race import PEAK, Race, agree, compare, race, rounds_for
from darknet_py.apps.bench.report import format_result, plain
from darknet_py.apps.bench.roofline import format_layers, layer_speeds
from darknet_py.apps.bench.run import BackendSpeed, BenchResult
from darknet_py.darknet.compile import compile_cfg
from darknet_py.machine import thread_environment
from darknet_py.model.opening import load

CHILD = """
import os, sys
from darknet_py.apps.bench.process import serve_pipes

def fail():
    raise ValueError("no such layer")

def die():
    print("last words", file=sys.stderr, flush=True)
    os._exit(7)

def speak(text):
    print("what a library prints")
    os.write(1, b"and what C prints")
    return {"text": text}

serve_pipes({"fail": fail, "die": die, "speak": speak, "count": lambda: {"seconds": 0.5}})
"""


@pytest.fixture
def side(tmp_path: Path) -> Any:
    path = os.pathsep.join(p for p in sys.path if p)
    opened = Side([sys.executable, "-c", CHILD], {**os.environ, "PYTHONPATH": path}, tmp_path / "log")
    yield opened
    opened.close()


# -- processes -------------------------------------------------------------------------------------------------------


def test_a_process_answers_whatever_its_libraries_print(side: Side) -> None:
    assert side.ask("speak", text="né")["text"] == "né"


def test_an_exception_in_a_process_is_told_and_the_process_goes_on(side: Side) -> None:
    with pytest.raises(SideError, match="ValueError: no such layer"):
        side.ask("fail")
    assert side.ask("count") == {"seconds": 0.5}


def test_an_unknown_request_is_an_error(side: Side) -> None:
    with pytest.raises(SideError, match="KeyError"):
        side.ask("dance")


def test_a_process_that_dies_leaves_its_last_words(side: Side) -> None:
    with pytest.raises(SideError, match="ended with 7: last words"):
        side.ask("die")
    with pytest.raises(SideError):
        side.ask("count")


def test_answers_are_lines_of_json() -> None:
    out = io.StringIO()
    serve({"add": lambda a, b: {"sum": a + b}}, io.StringIO('{"do": "add", "a": 1, "b": 2}\n'), out)
    assert json.loads(out.getvalue()) == {"sum": 3}


def test_only_calls_in_a_warm_process_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "SETTLE", 0.0)
    taken = iter((7.0, 3.0))
    monkeypatch.setattr(process, "_once", lambda _: next(taken))
    assert seconds(lambda: None) == 3
    assert not list(taken)


def test_short_calls_are_repeated() -> None:
    calls: list[int] = []
    assert seconds(lambda: calls.append(1)) < process.SETTLE
    assert len(calls) > 3


def test_memory_is_that_of_this_process() -> None:
    assert not Path("/proc/self/status").is_file() or peak_memory() > 1 << 20


def test_every_library_gets_the_threads() -> None:
    found = thread_environment(3)
    assert {found[n] for n in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")} == {"3"}


# -- races -----------------------------------------------------------------------------------------------------------


def test_who_fails_is_left_out_and_the_others_go_on() -> None:
    def fail() -> float:
        raise SideError("crashed")

    dropped: dict[str, str] = {}
    timings = interleave({"a": lambda: 1.0, "b": fail}, 2, dropped)
    assert dropped == {"b": "crashed"}
    assert timings == {"a": Timing((1.0, 1.0))}


def test_without_a_place_for_reasons_a_failure_ends_the_run() -> None:
    def fail() -> float:
        raise SideError("crashed")

    with pytest.raises(SideError):
        interleave({"b": fail}, 1)


class Fake(Side):
    """A contestant without a process."""

    def __init__(self, taken: float, dies_after: int = 1000) -> None:
        self.left, self.taken = dies_after, taken

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        self.left -= 1
        if self.left < 0:
            raise SideError("died")
        return {"seconds": self.taken}


def test_a_race_drops_who_dies_half_way() -> None:
    done = race({"a": Fake(1.0), "b": Fake(2.0, 2)}, {"a": ["network", "detect"], "b": ["network"]}, rounds=4)
    assert set(done.timings) == {("a", "network"), ("a", "detect")}
    assert done.dropped == {("b", "network"): "died"}
    assert done.ratio(("a", "network"), ("b", "network")) is None
    assert done.ratio(("a", "network"), ("a", "detect")) == Spread(1, 1, 1)


def test_the_fraction_of_the_peak_takes_the_faster_product_of_each_round() -> None:
    work = PEAKS["SGEMM of NumPy"][1]
    done = Race(
        {
            (PEAK, "SGEMM of NumPy"): Timing((1.0, 4.0)),
            (PEAK, "SGEMM of onnxruntime"): Timing((2.0, 2.0)),
            ("a", "network"): Timing((2.0, 4.0)),
        },
        2,
    )
    assert done.fraction(("a", "network"), work) == Spread(0.5, 0.5, 0.5)
    assert done.fraction(("b", "network"), work) is None
    assert sgemm(done.peaks()) == work / 2


def test_rounds_follow_from_what_one_costs() -> None:
    assert [rounds_for(cost, 10.0) for cost in (0.0, 1.0, 100.0)] == [25, 10, 5]


# -- outputs ---------------------------------------------------------------------------------------------------------


def test_outputs_that_lost_axes_of_length_one_are_compared(tmp_path: Path) -> None:
    wanted = [np.ones((1, 4, 1, 1), np.float32)]
    np.savez(tmp_path / "outputs.npz", np.full(4, 1.0005, np.float32))
    assert compare(tmp_path, wanted) == pytest.approx(5e-4, rel=1e-3)


def test_who_computes_something_else_is_not_timed(tmp_path: Path) -> None:
    np.savez(tmp_path / "outputs.npz", np.zeros(4, np.float32))
    with pytest.raises(SideError, match="something else"):
        agree(tmp_path, [np.ones((1, 4), np.float32)])
    with pytest.raises(SideError, match="inf"):
        agree(tmp_path, [np.ones((1, 5), np.float32)])


# -- layers ----------------------------------------------------------------------------------------------------------

CFG = """
[net]
width=8
height=8
channels=3
[convolutional]
filters=4
size=3
pad=1
activation=leaky
[maxpool]
size=2
stride=2
"""


def test_a_layer_is_held_against_its_arithmetic_and_its_bytes() -> None:
    graph = compile_cfg(CFG).graph
    nodes = {
        "0_convolutional.conv": 1.0,
        "x/0_convolutional.leaky": 0.5,
        "1_maxpool": 1.0,
        "ReorderOutput_token_7": 0.25,
    }
    conv, pool, reorder = layer_speeds(graph, nodes, flops=13824.0, traffic=1e6)
    assert (conv.name, conv.seconds, conv.flops, conv.by) == ("0_convolutional", 1.5, 2 * 27 * 4 * 64, "arithmetic")
    assert (conv.explained, conv.lost) == (pytest.approx(2 / 3), 0.5)
    assert conv.bytes == 4 * (3 * 64 + 4 * 27 + 4 + 4 * 64)
    assert (pool.by, pool.bytes) == ("memory", 4 * (4 * 64 + 4 * 16))
    assert (reorder.name, reorder.seconds) == ("ReorderOutput", 0.25)
    table = format_layers((conv, pool, reorder), 2).splitlines()
    assert [line.split()[0] for line in table] == ["layer", "1_maxpool", "0_convolutional"]


def test_a_layer_counts_with_those_that_are_fused_to_it() -> None:
    conv = "[convolutional]\nfilters=4\nsize=1\nactivation=linear\n"
    shortcut = "[shortcut]\nfrom=-2\nactivation=leaky\n"
    graph = compile_cfg(f"[net]\nwidth=8\nheight=8\nchannels=4\n{conv}{conv}{shortcut}").graph
    nodes = {"0_convolutional.conv": 1.0, "2_shortcut.leaky": 1.0}
    first, both = layer_speeds(graph, nodes, flops=1e6, traffic=1e6)
    assert (both.name, both.flops) == ("2_shortcut", first.flops)
    # Read twice: by the convolution and by the sum, whose result is written; what is between them is neither.
    assert both.bytes == 4 * (2 * 4 * 64 + 4 * 4 + 4 + 4 * 64)


def test_the_shortest_time_of_a_node_counts() -> None:
    runs = [{"cat": "Node", "name": "a_kernel_time", "dur": taken} for taken in (30, 10, 20)]
    others = [{"cat": "Session", "name": "model_run", "dur": 99}, {"cat": "Node", "name": "a_fence_before", "dur": 1}]
    assert nodes_of(runs + others) == {"a": 1e-5}


def test_onnxruntime_tells_the_time_of_its_nodes_by_layer(tmp_path: Path) -> None:
    cfg = tmp_path / "tiny.cfg"
    cfg.write_text(CFG)
    image = np.zeros((1, 3, 8, 8), np.float32)
    nodes = profile("onnxruntime", lambda: load(cfg, random_weights=0, cache=False), lambda model: model.forward(image))
    assert any(name.startswith("0_convolutional") for name in nodes)
    assert (
        profile("numpy", lambda: load(cfg, backend="numpy", random_weights=0), lambda model: model.forward(image)) == {}
    )


# -- the report ------------------------------------------------------------------------------------------------------


def test_the_report_of_back_ends_names_who_failed_and_why() -> None:
    one = Spread(0.01, 0.02, 0.03)
    row = BackendSpeed("onnxruntime", "onnxruntime 1", one, None, Spread(1, 1, 1), Spread(0.5, 0.5, 0.5), 1 << 20)
    machine = {"cpu": "a processor", "cores": 2, "threads": 1, "load": 0.0}
    result = BenchResult("net", machine, 2.0, 5, (row,), {"copy": 1e10}, {"opencv": "crashed"})
    text = format_result(result)
    assert "opencv: not timed: crashed" in text
    assert "20.00 (10.00 to 30.00)" in text
    assert json.loads(json.dumps(plain(result)))["rows"][0]["network"]["median"] == 0.02
