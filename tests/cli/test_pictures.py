"""The commands that show a network: graph, plot, view."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from darknet_py import version

from .conftest import Run


def test_graph_goes_to_stdout_as_mermaid(run: Run, cfg: Path) -> None:
    result = run("graph", cfg)
    assert result.exit_code == 0
    assert "flowchart TB" in result.stdout
    assert "yolo" in result.stdout


@pytest.mark.parametrize(
    ("file", "start"), [("a.svg", "<svg"), ("a.dot", "digraph"), ("a.gv", "digraph"), ("a.mmd", "---"), ("a.md", "---")]
)
def test_the_ending_chooses_the_format(run: Run, cfg: Path, file: str, start: str) -> None:
    assert run("graph", cfg, "-o", file).stdout == f"{file}\n"
    assert Path(file).read_text(encoding="utf-8").startswith(start)


def test_format_outranks_the_ending_and_full_shows_layers(run: Run, cfg: Path) -> None:
    run("graph", cfg, "--format", "dot", "--full", "-o", "a.svg")
    assert Path("a.svg").read_text(encoding="utf-8").startswith("digraph")
    assert len(Path("a.svg").read_text(encoding="utf-8")) > len(run("graph", cfg, "--format", "dot").stdout)


def test_graph_of_an_installed_network_at_another_size(run: Run) -> None:
    assert "64×40×40" in run("graph", "csppelee", "--size", "320", "--format", "svg").stdout


def test_graph_of_some_layers_shows_what_they_read(run: Run, cfg: Path) -> None:
    text = run("graph", cfg, "--full", "--layers", "1-2").stdout
    assert "layer 0" in text
    assert "maxpool" not in text
    assert run("graph", cfg, "--full", "--layers", "1").stdout != text


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("1-9", "there is no layer 9: net has the layers 0 to 2"), ("2-1", "'2-1' is no range of layers"),
        ("a", "'a' is no range of layers"), ("-", "'-' is no range of layers"),
    ],
)  # fmt: skip
def test_layers_that_are_none_are_an_error_of_usage(run: Run, cfg: Path, layers: str, message: str) -> None:
    result = run("graph", cfg, "--layers", layers)
    assert result.exit_code == 2
    assert message in result.stderr


def test_graph_of_nothing_is_one_message(run: Run) -> None:
    result = run("graph", "nothing.cfg")
    assert result.exit_code == 1
    assert "no cfg 'nothing.cfg'" in result.stderr


def test_plot_writes_the_file_it_names(run: Run, cfg: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'darknet-compiler[plot]'")
    assert run("plot", cfg).stdout == f"{cfg.stem}-bflops.png\n"
    assert Path(f"{cfg.stem}-bflops.png").read_bytes().startswith(b"\x89PNG")
    run("plot", "csppelee", "pelee", "--of", "cio", "--label", "ours", "--label", "theirs", "-o", "a.svg")
    assert "theirs (" in Path("a.svg").read_text(encoding="utf-8")


def test_plot_needs_a_name_for_each_network(run: Run, cfg: Path) -> None:
    result = run("plot", cfg, cfg)
    assert (result.exit_code, "--label" in result.stderr) == (2, True)
    result = run("plot", cfg, "--label", "a", "--label", "b")
    assert (result.exit_code, "2 labels for 1 networks" in result.stderr) == (2, True)


def test_plot_without_matplotlib_names_the_extra(run: Run, cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(version, "_checkout", lambda: "")
    result = run("plot", cfg)
    assert result.exit_code == 1
    assert "darknet-compiler[plot]" in result.stderr


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes, object, bool]]:
    """What a Netron that shows nothing was asked to show."""
    found: list[tuple[str, bytes, object, bool]] = []

    def start(file: str, address: object = None, browse: bool = True) -> tuple[str, int]:
        found.append((Path(file).name, Path(file).read_bytes(), address, browse))
        return "localhost", 8080

    monkeypatch.setitem(sys.modules, "netron", SimpleNamespace(start=start, wait=lambda: None))
    return found


def test_view_opens_the_cfg(run: Run, cfg: Path, shown: list[tuple[str, bytes, object, bool]]) -> None:
    assert run("view", cfg, "--no-browser", "--port", 8080).stdout == "http://localhost:8080\n"
    assert shown == [(cfg.name, cfg.read_bytes(), 8080, False)]


def test_view_opens_what_it_exports(run: Run, cfg: Path, shown: list[tuple[str, bytes, object, bool]]) -> None:
    assert run("view", cfg, "--onnx").exit_code == 0
    (name, data, _, browse) = shown[0]
    assert (name, browse) == (f"{cfg.stem}.onnx", True)
    Path("kept.onnx").write_bytes(data)
    assert run("view", "kept.onnx").exit_code == 0
    assert shown[1][:2] == ("kept.onnx", data)


def test_view_of_an_onnx_file_that_is_not_there(run: Run, shown: list[tuple[str, bytes, object, bool]]) -> None:
    result = run("view", "none.onnx")
    assert (result.exit_code, shown) == (1, [])
    assert "no file 'none.onnx'" in result.stderr


def test_view_without_netron_names_the_extra(run: Run, cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netron", None)
    monkeypatch.setattr(version, "_checkout", lambda: "")
    result = run("view", cfg)
    assert result.exit_code == 1
    assert "darknet-compiler[view]" in result.stderr


def test_a_checkout_installs_its_extras_from_where_it_is(run: Run, cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netron", None)
    root = Path(version.__file__).parents[1]
    assert f"pip install -e '{root}[view]'" in run("view", cfg).stderr
    monkeypatch.chdir(root)
    assert "pip install -e '.[view]'" in run("view", cfg).stderr
