"""Charts of cost per layer: the numbers of the paper's figures, and files that a paper can use."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from darknet_py.analysis.plot import layer_series, plot
from darknet_py.darknet.compile import compile_cfg, compile_file
from darknet_py.errors import BackendError, DataError
from darknet_py.ir import Graph
from darknet_py.zoo.find import find_network

NET = "[net]\nwidth=8\nheight=8\nchannels=3\n"
SMALL = NET + "[conv]\nfilters=4\nsize=3\npad=1\n[route]\nlayers=-1\n[maxpool]\n[upsample]\n"


@pytest.fixture
def matplotlib() -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'darknet-compiler[plot]'")


def small() -> Graph:
    return compile_cfg(SMALL).check().graph


def network(name: str) -> Graph:
    return compile_file(find_network(name).cfg).check().graph


def test_routes_have_no_number() -> None:
    series = layer_series(small(), label="a")
    assert series.values == pytest.approx((2 * 27 * 4 * 64 / 1e9, 4 * 64 / 1e9, 0))
    assert series.total == sum(series.values)
    assert series.maximum == series.values[0]


def test_cio_is_of_layers_that_have_some() -> None:
    assert layer_series(small(), "cio").values == pytest.approx((448 / 1e6, 512 / 1e6))


def test_figure_7_bottlenecks_fall_by_44_and_80_percent() -> None:
    yolo, prn, efm = (
        layer_series(network(name)).maximum for name in ("yolov3-pelee", "yolov3-pelee-prn", "yolov3-csppelee-efm")
    )
    assert (yolo, prn, efm) == pytest.approx((0.9968, 0.3544, 0.1994), abs=1e-4)
    assert 1 - efm / prn == pytest.approx(0.44, abs=0.005)
    assert 1 - efm / yolo == pytest.approx(0.80, abs=0.005)


@pytest.mark.parametrize(("name", "layers"), [("yolov3-pelee", 126), ("yolov3-pelee-prn", 126)])
def test_figure_7_backbone_layers_come_in_the_papers_order(name: str, layers: int) -> None:
    values = layer_series(network(name)).values
    assert len(values) >= layers
    assert [i for i, v in enumerate(values) if 0.354 < v < 0.355] == [20, 42, 84]


def test_figure_8_sums_are_the_papers() -> None:
    assert layer_series(network("csresnext50"), "cio").total == pytest.approx(32.6, abs=0.05)
    assert layer_series(network("resnext50"), "cio").total == pytest.approx(34.4, abs=0.05)


def test_another_quantity_is_an_error() -> None:
    with pytest.raises(DataError, match=r"cannot plot 'joules'[\s\S]*bflops or cio"):
        layer_series(small(), "joules")


@pytest.mark.usefixtures("matplotlib")
def test_svg_keeps_text_and_says_sums_and_maxima(tmp_path: Path) -> None:
    path = plot({"one": small(), "two": network("csppelee")}, tmp_path / "a.svg", title="Costs")
    text = path.read_text()
    ElementTree.fromstring(text)
    assert "two (0.888 BFLOPs)" in text
    assert "(−100%)" in text
    assert "0.058" in text
    assert "Costs" in text


@pytest.mark.usefixtures("matplotlib")
def test_the_same_networks_give_the_same_svg(tmp_path: Path) -> None:
    first, second = (plot({"a": small()}, tmp_path / name, "cio").read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF")])
def test_formats_go_by_the_ending(tmp_path: Path, name: str, start: bytes) -> None:
    assert plot({"a": small()}, tmp_path / name).read_bytes().startswith(start)


@pytest.mark.usefixtures("matplotlib")
def test_a_network_without_cost_can_be_plotted(tmp_path: Path) -> None:
    graph = compile_cfg(NET + "[upsample]\n").check().graph
    assert plot({"a": graph}, tmp_path / "a.svg").exists()
    assert plot({"a": graph}, tmp_path / "b.svg", "cio").exists()


def test_other_formats_and_no_networks_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write a plot as 'a.gif'"):
        plot({"a": small()}, tmp_path / "a.gif")
    with pytest.raises(DataError, match="nothing to plot"):
        plot({}, tmp_path / "a.png")


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("darknet_py.version._checkout", lambda: "")
    with pytest.raises(BackendError, match=r"darknet-compiler\[plot\]"):
        plot({"a": small()}, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
