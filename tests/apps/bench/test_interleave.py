"""The logic of the benchmarks: who runs when, quartiles, ratios, what explains a time, what is written. No timings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from darknet_py.apps.bench.interleave import Spread, Timing, interleave, spread
from darknet_py.darknet.compile import compile_cfg
from darknet_py.zoo.find import installed_cfgs
from tools.bench.table5.__main__ import BASE, CAUSES, TABLE_5, compare, explain, kinds_of
from tools.bench.table5.report import markdown
from tools.bench.table5.worker import Contestant

TINY = """
[net]
width=8
height=8
channels=3
[convolutional]
filters=4
size=3
pad=1
activation=leaky
[convolutional]
filters=2
size=1
activation=linear
[maxpool]
size=2
stride=2
"""


# -- rounds and ratios -----------------------------------------------------------------------------------------------


def test_every_contestant_runs_once_a_round_in_the_same_order() -> None:
    calls: list[str] = []

    def contestant(name: str, seconds: float) -> Any:
        def run() -> float:
            calls.append(name)
            return seconds * len(calls)

        return run

    timings = interleave({"a": contestant("a", 1.0), "b": contestant("b", 10.0)}, 3)
    assert "".join(calls) == "ababab"
    assert timings["a"].seconds == (1, 3, 5)
    assert timings["b"].seconds == (20, 40, 60)


def test_no_rounds_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        interleave({}, 0)


def test_one_number_is_its_own_quartiles() -> None:
    assert spread((3.0,)) == Spread(3, 3, 3)


def test_a_rate_is_a_median_over_rounds() -> None:
    assert Timing((0.5, 0.25, 1.0)).rate.median == 2


def test_a_ratio_is_taken_inside_each_round() -> None:
    """A machine that slows down by ten for a round slows both, and their ratio stays."""
    fast, slow = Timing((1.0, 10.0, 1.0)), Timing((2.0, 20.0, 2.0))
    assert fast.ratio(slow) == Spread(2, 2, 2)
    assert str(fast.ratio(slow)) == "2.00 (2.00 to 2.00)"


# -- table 5 ---------------------------------------------------------------------------------------------------------


def test_every_detector_of_table_5_is_an_installed_cfg() -> None:
    assert {e.job.cfg for e in TABLE_5} <= {p.stem for p in installed_cfgs()}
    assert [e.paper for e in TABLE_5] == [54, 71, None, None, 52, 75, 95, 102]
    assert BASE.title == "YOLOv3-tiny"


class Engine:
    """As much of a worker as `compare` looks at."""

    def __init__(self, output: list[float]) -> None:
        self.outputs = {"net": [np.array(output, np.float32)]}


def test_outputs_are_compared_before_anything_is_timed() -> None:
    engines: Any = {"x": Engine([100, 1]), "y": Engine([100, 1.001])}
    assert compare(engines) == {"x / y": pytest.approx(1e-5, rel=1e-2)}
    engines["z"] = Engine([100, 2])
    with pytest.raises(click.ClickException, match=r"y and z differ by 1\.0e-02"):
        compare(engines)


def test_time_is_given_to_the_kind_of_convolution() -> None:
    graph = compile_cfg(TINY).check().graph
    profile = {
        "trlayout.0": 1.0,  # OpenCV 5: the layout of the input
        "0_convolutional.conv": 2.0,
        "onnx_node!0_convolutional.leaky_relu": 3.0,  # OpenCV 4
        "1_convolutional.conv": 4.0,
        "2_maxpool.max_pool": 5.0,
    }
    kinds = kinds_of(graph, profile)
    assert {k: (v.layers, v.seconds) for k, v in kinds.items()} == {"3x3": (1, 5), "1x1": (1, 4), "rest": (1, 6)}
    assert kinds["3x3"].bflops == pytest.approx(2 * 4 * 3 * 9 * 64 / 1e9)
    assert kinds["1x1"].bflops == pytest.approx(2 * 2 * 4 * 64 / 1e9)


PRICES = {"bflops": 2e-3, "cio": 3e-10, "decoded": 1e-8}
WORK = [(5.6, 16e6, 215e3), (3.5, 15e6, 215e3), (3.1, 21e6, 535e3), (2.6, 20e6, 127e3), (1.6, 15e6, 127e3)]


def rows(*, without: int = -1) -> list[dict[str, Any]]:
    """Networks whose times are exactly the sum of three causes, in the paper and in an engine."""
    found = []
    for i, work in enumerate(WORK):
        causes = dict(zip(CAUSES, work, strict=True))
        fps = 1 / sum(PRICES[c] * causes[c] for c in CAUSES)
        plain = {"low": fps, "median": fps, "high": fps}
        kind = {"layers": 1, "bflops": 1.0, "seconds": 0.5}
        kinds = {"3x3": kind, "1x1": kind, "rest": kind}
        engine = {"fps": plain, "ratio": {"low": 1, "median": 1.2, "high": 2}, "kinds": kinds}
        paper = None if i == without else fps
        found.append({
            **causes, "title": f"net {i}", "cfg": "x", "size": 320, "params": 1e6, "layers": 9, "paper fps": paper,
            "paper ratio": paper and 1.0, "engines": {"Engine 1": engine},
        })  # fmt: skip
    return found


@pytest.mark.parametrize("who", ["paper", "Engine 1"])
def test_the_causes_of_a_time_are_found_again(who: str) -> None:
    found = explain(rows(without=4), who)
    assert {c: found[c] for c in CAUSES} == pytest.approx(PRICES)
    assert found["worst"] == pytest.approx(0, abs=1e-9)


def test_the_papers_own_times_have_these_causes() -> None:
    """Arithmetic, traffic and decoding explain the six figures of Table 5 to a few per cent, with positive prices."""
    from darknet_py.analysis.cost import cost
    from darknet_py.darknet.compile import compile_file
    from darknet_py.zoo.find import find_network

    found = []
    for entry in TABLE_5:
        graph = compile_file(find_network(f"{entry.job.cfg}.cfg").cfg, size=(entry.job.size,) * 2).check().graph
        total = cost(graph)
        decoded = sum(np.prod(i.output.shape) for i in graph.layers if i.section == "yolo")
        found.append({"bflops": total.bflops_paper, "cio": total.cio, "decoded": decoded, "paper fps": entry.paper})
    causes = explain(found, "paper")
    assert causes["worst"] < 0.03
    assert min(causes[c] for c in CAUSES) > 0


def test_the_report_says_where_and_how_and_how_far_from_the_paper() -> None:
    own = rows(without=4)
    text = markdown({
        "machine": {"cpu": "A processor", "cores": 2, "load before": 0.5, "load after": 1.5}, "engines": ["Engine 1"],
        "rounds": 9, "threads": 2, "differences": {"Engine 1 / Engine 2": 3e-6}, "rows": own,
        "causes": {"paper": explain(own, "paper"), "Engine 1": explain(own, "Engine 1")},
    })  # fmt: skip
    for part in (
        "A processor",
        "2 threads",
        "9 rounds",
        "within 3e-06",
        "1.20 (+20%)",
        "## Why the ratios differ",
        "in the place of ours",
    ):
        assert part in text
    assert "| net 4 | 320 |  |" in text  # no figure in the paper


# -- the worker ------------------------------------------------------------------------------------------------------


def test_a_contestant_opens_times_and_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.cfg").write_text(TINY)
    contestant = Contestant()
    assert contestant.open("tiny", 16, "opencv", 1, str(tmp_path))["version"].startswith("OpenCV ")
    assert contestant.time("tiny")["seconds"] > 0
    assert any("0_convolutional" in name for name in contestant.profile("tiny")["seconds"])
    with np.load(tmp_path / "tiny.npz") as outputs:
        assert outputs["arr_0"].shape == (1, 2, 8, 8)
