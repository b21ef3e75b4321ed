"""`cfgs/FAMILY.md` says what is so: its commands, Python, numbers and pictures are run, computed and drawn again."""

from __future__ import annotations

import doctest
import json
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner

from darknet_py.analysis.diff import diff
from darknet_py.cli import main
from darknet_py.darknet.compile import compile_cfg
from tools.claims.memory import MIB, saved
from tools.networks import NETWORKS
from tools.networks.__main__ import CFGS
from tools.networks.pictures import CHARTS, DRAWN, write_charts
from tools.networks.published import cost_of, graph_of

PAGE = CFGS / "FAMILY.md"
PICTURES = CFGS / "pictures"
TEXT = PAGE.read_text(encoding="utf-8")
RATIOS = CFGS.parent / "tools" / "bench" / "table5" / "results.json"
SVG = "{http://www.w3.org/2000/svg}"


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, without indentation."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)
    return [re.sub(r"^ +(?=darknet|sed)", "", block, flags=re.MULTILINE) for block in found]


def transcripts() -> list[tuple[str, str]]:
    """Each `$ command` and what the page shows below it."""
    return re.findall(r"^\$ (.+)\n((?:(?!\$).*\n)*)", "".join(blocks("console")), re.MULTILINE)


def commands() -> list[str]:
    """Every other command of ours on the page: in the text and in scripts."""
    inline = re.findall(r"`(darknet-py [^`]+)`", TEXT)
    return [*inline, *(line for block in blocks("sh") for line in block.splitlines() if line.startswith("darknet-py"))]


def rows() -> list[list[str]]:
    """The rows of tables that begin with a cfg."""
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line[:3] == "| ["]
    return [[re.sub(r"\[(.+)\]\(\1\.cfg\)", r"\1", row[0]), *row[1:]] for row in table]


def printed(cell: str, value: float) -> bool:
    """Whether a cell is a number rounded to the digits that it shows."""
    digits = len(cell.partition(".")[2])
    return abs(float(cell) - value) <= 0.5000001 * 10**-digits


def test_the_page_has_what_is_tested() -> None:
    assert (len(transcripts()), len(blocks("python")), len(rows())) == (4, 3, 23)
    assert len(commands()) > 20


@pytest.mark.parametrize(("command", "shown"), transcripts(), ids=lambda x: x.split("\n")[0][:50])
def test_a_command_prints_what_the_page_shows(command: str, shown: str) -> None:
    ours, _, word = command.partition(" | grep ")
    lines = CliRunner().invoke(main, shlex.split(ours)[1:]).stdout.splitlines()
    assert [line for line in lines if word in line] == shown.splitlines()


@pytest.mark.parametrize("command", commands())
def test_a_command_exists_with_its_options(command: str) -> None:
    name, *arguments = shlex.split(command)[1:]
    found = main.get_command(click.Context(main), name)
    assert found is not None
    if arguments:  # else the page only names it
        assert found.make_context(name, arguments).command is found


def test_the_python_of_the_page_runs() -> None:
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    test = parser.get_doctest("".join(blocks("python")), {}, PAGE.name, str(PAGE), 0)
    assert runner.run(test).failed == 0


@pytest.mark.parametrize("row", [r for r in rows() if r[-1].isalpha() or " " in r[-1]], ids=lambda r: f"{r[0]}-{r[1]}")
def test_a_row_has_the_size_the_cost_and_the_evidence_of_its_cfg(row: list[str]) -> None:
    name, size, params, bflops = row[:4]
    total = cost_of(name, int(size))
    assert printed(params, total.params_conv / 1e6)
    assert printed(bflops, total.bflops_paper)
    assert row[-2] == NETWORKS[name].evidence


def test_what_max_outs_save_is_computed() -> None:
    found = saved(NETWORKS["yolov3-csppelee-efm-plain"].text(), 160)
    assert f"{found.read:,} numbers, or {4 * found.read / MIB:.2f} MiB" in TEXT
    assert f"{found.written:,} of them, or {4 * found.written / MIB:.2f} MiB" in TEXT.replace("\n", " ")
    assert found.part == 0.75
    with_, without, early = found.with_them, found.without, found.early
    rows = {
        "all outputs, MiB": (with_.activations, without.activations),
        "most that lives at once, MiB": (with_.peak, without.peak),
        "the same, each max-out run as soon as it can be, MiB": (early.peak, without.peak),
        "BFLOPs": (with_.bflops, without.bflops),
        "CIO, M (a max-out reads too)": (with_.cio, without.cio),
    }
    for name, (ours, plain) in rows.items():
        digits = 2 if name == "BFLOPs" else 1
        assert (
            f"| {name} | {ours:.{digits}f} | {plain:.{digits}f} | {1 - ours / plain:.0%} |".replace("%", " %") in TEXT
        )
    whole = cost_of("yolov3-csppelee-efm-plain", 416)
    before, after = max(without.peak, whole.peak_bytes / MIB), whole.peak_bytes / MIB
    said = f"whole network falls from {before:.1f} to {after:.1f} MiB, by {1 - after / before:.0%}".replace("%", " %")
    assert said in TEXT.replace("\n", " ")
    assert int(whole.peak_layer.partition("_")[0]) < 30  # stage 1


def test_the_ratios_are_those_of_the_last_run_of_table_5() -> None:
    measured = {row["cfg"]: row for row in json.loads(RATIOS.read_text())["rows"]}
    shown = [r for r in rows() if re.fullmatch(r"[\d.]+", r[-1])]
    assert len(shown) == 5
    for name, size, bflops, paper, *ratios in shown:
        row = measured[name]
        assert int(size) == row["size"]
        assert printed(bflops, row["bflops"])
        assert printed(paper, row["paper ratio"])
        engines = [engine["ratio"]["median"] for engine in row["engines"].values()]
        assert all(printed(cell, value) for cell, value in zip(ratios, engines, strict=True))


def test_the_other_spelling_of_maxout_is_the_same_network() -> None:
    (script,) = (line for block in blocks("sh") for line in block.splitlines() if line.startswith("sed"))
    pattern, replacement = re.search(r"s/(.+)/(.+)/'", script).groups()  # type: ignore[union-attr]
    cfg = (CFGS / "yolov3-csppelee-efm.cfg").read_text(encoding="utf-8")
    portable, changed = re.subn(pattern, replacement, cfg, flags=re.MULTILINE)
    assert changed == 3
    assert "\n[maxout]" not in portable
    assert diff(compile_cfg(portable).check().graph, graph_of("yolov3-csppelee-efm", 416)) is None


def test_a_backbone_is_a_classifier_without_its_last_three_layers() -> None:
    shared = {name: int(n) for n, name in re.findall(r"(\d+) for\s+`([\w-]+)`", TEXT)}
    detectors = {
        "csppelee": "yolov3-csppelee-efm", "csppelee-ref": "yolov3-csppelee-ref-prn",
        "cspdensenetb-ref": "yolov3-cspdensenetb-ref-prn", "csresnext50": "csresnext50-panet-spp",
        "csdarknet53": "csdarknet53-panet-spp",
    }  # fmt: skip
    assert set(shared) == set(detectors)
    for classifier, detector in detectors.items():
        ours, theirs = graph_of(classifier, 64).layers, graph_of(detector, 64).layers
        n = shared[classifier]
        assert n == len(ours) - 3
        assert [(i.layer, i.output.shape) for i in ours[:n]] == [(i.layer, i.output.shape) for i in theirs[:n]]


# -- pictures ----------------------------------------------------------------------------------------------------


def test_the_page_shows_the_pictures_and_the_pictures_are_on_the_page() -> None:
    shown = set(re.findall(r"\(pictures/([\w-]+)\.svg\)", TEXT))
    assert shown == {p.stem for p in PICTURES.iterdir()} == {*DRAWN, *CHARTS}


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_that_of_the_cfg(name: str) -> None:
    assert (PICTURES / f"{name}.svg").read_text(encoding="utf-8") == DRAWN[name].svg(), "run `make cfgs`"


@pytest.mark.parametrize("name", DRAWN)
def test_the_command_below_a_drawing_draws_it(name: str) -> None:
    assert f"`{DRAWN[name].command}`" in TEXT
    done = CliRunner().invoke(main, [*shlex.split(DRAWN[name].command)[1:], "--format", "svg"])
    assert done.stdout == (PICTURES / f"{name}.svg").read_text(encoding="utf-8")


def texts(path: Path) -> set[str]:
    return {"".join(e.itertext()) for e in ElementTree.parse(path).iter(f"{SVG}text")}


def test_a_chart_says_what_is_computed(tmp_path: Path) -> None:
    """Sums, maxima and axes; the shapes may differ between versions of matplotlib."""
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'darknet-compiler[plot]'")
    for path in write_charts(tmp_path):
        assert texts(path) == texts(PICTURES / path.name), "run `make cfgs`"
