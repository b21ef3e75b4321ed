"""Networks by name: where a cfg is looked for, what is listed, and that the package carries its cfgs."""

from __future__ import annotations

import json
import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner

import darknet_py
from darknet_py.analysis.cost import cost
from darknet_py.cli import main
from darknet_py.darknet.compile import compile_file
from darknet_py.errors import DataError
from darknet_py.zoo import models as zoo
from darknet_py.zoo.checkpoints import trained_networks
from darknet_py.zoo.find import find_cfg, find_network, installed_cfgs, list_models, suggest
from darknet_py.zoo.installed import list_installed
from darknet_py.zoo.shipped import ready_networks

ROOT = Path(darknet_py.__file__).parents[1]
FINAL = "yolov3-csppelee-efm"


def test_the_networks_of_the_paper_are_installed() -> None:
    names = {p.stem for p in installed_cfgs()}
    assert len(names) > 50
    assert {FINAL, "csppelee", "csresnext50", "csresnext50-panet-spp", "yolov3-tiny-prn"} <= names


@pytest.mark.parametrize("name", [FINAL, f"{FINAL}.cfg"])
def test_a_name_is_enough(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_network(name).cfg.read_text().startswith("# Written by `python -m tools.networks`")


def test_a_file_that_is_there_comes_before_an_installed_cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"{FINAL}.cfg").write_text("[net]\n")
    assert find_network(f"{FINAL}.cfg").cfg == Path(f"{FINAL}.cfg")


def test_a_misspelt_name_gets_the_closest_one() -> None:
    with pytest.raises(DataError, match=f"did you mean '{FINAL}'"):
        find_network("yolov3-cspelee-efm")


def test_a_name_that_two_lists_have_means_the_trained_model_and_with_suffix_the_cfg(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def fetch(name: str, say: object = None) -> zoo.Fetched:
        asked.append(name)
        return zoo.Fetched(Path("a"), Path("b"), Path("c"))

    monkeypatch.setattr(zoo, "fetch", fetch)
    assert find_network("yolov3-tiny").weights == Path("b")
    assert find_network("yolov3-tiny.cfg").cfg.parent.name == "cfgs"
    assert asked == ["yolov3-tiny"]


@pytest.mark.parametrize("command", ["summary", "graph", "diff"])
def test_what_reads_no_weights_fetches_none(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "fetch", lambda *_, **__: pytest.fail("weights were asked for"))
    cfgs = ["yolov3-tiny", "yolov3-tiny.cfg"] if command == "diff" else ["yolov3-tiny"]
    assert CliRunner().invoke(main, [command, *cfgs]).exit_code == 0


def test_the_name_of_a_weights_file_is_told_the_network() -> None:
    with pytest.raises(DataError, match=rf"a weights file: the cfg comes before it; did you mean '{FINAL}'\?"):
        find_network(f"{FINAL}.weights")
    with pytest.raises(DataError, match=r"it would be a picture: the cfg comes before it; a cfg is a path, or"):
        find_network("zzz.jpg")


def test_a_part_of_names_is_told_how_they_are_listed() -> None:
    told = "hint: `darknet-py models '*efm*'` lists the networks with that in their names"
    with pytest.raises(DataError, match=re.escape(told)):
        find_network("efm")
    assert CliRunner().invoke(main, ["models", "efm"]).stderr == f"no network is called 'efm'\n  {told}\n"
    assert suggest("efm-codes") == "did you mean 'yolov3-csppelee-efm-codes'?"
    assert suggest("cs") is None


def test_an_unknown_name_is_told_where_names_are_listed() -> None:
    with pytest.raises(DataError, match="`darknet-py models` lists"):
        find_network("no such network")


def test_list_models_has_the_zoo_and_the_installed_cfgs() -> None:
    assert set(list_models()) == {*zoo.models(), *(p.stem for p in installed_cfgs())}
    assert darknet_py.list_models("csppelee*")[:2] == ["csppelee", "csppelee-fusion-first"]
    assert list_models("CSPPELEE.cfg") == ["csppelee"]
    assert list_models("no such*") == []


def test_the_comment_of_a_cfg_says_what_it_costs() -> None:
    (efm,) = (n for n in list_installed() if n.name == FINAL)
    assert (efm.task, efm.size) == ("detect", (416, 416))
    total = cost(compile_file(efm.cfg).check().graph)
    assert efm.params == pytest.approx(total.params_conv / 1e6, abs=5e-4)
    assert efm.bflops == pytest.approx(total.bflops_paper, abs=5e-4)


def test_every_installed_cfg_has_such_a_comment() -> None:
    assert [n.cfg for n in list_installed()] == installed_cfgs()
    assert {n.task for n in list_installed()} == {"classify", "detect"}


def test_models_lists_every_kind() -> None:
    done = CliRunner().invoke(main, ["models"])
    assert done.exit_code == 0
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines()}
    ready = ready_networks()
    to_train = {n.name for n in list_installed()} - {*trained_networks(), *ready}
    assert set(lines) == {*zoo.models(), *trained_networks(), *ready, *(f"{name}.cfg" for name in to_train)}
    assert lines[f"{FINAL}.cfg"][1:6] == ["detect", "416x416", "4.31", "M", "5.065"]


def test_models_takes_a_pattern_and_gives_json() -> None:
    done = CliRunner().invoke(main, ["models", "csppelee-g*", "--json"])
    found = json.loads(done.stdout)
    assert [(m["name"], m["trained"], m["size"]["width"]) for m in found] == [
        ("csppelee-g25", False, 224),
        ("csppelee-g75", False, 224),
    ]
    nothing = CliRunner().invoke(main, ["models", "zzz*"])
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "no network is called 'zzz*'\n")


@pytest.mark.skipif(not (ROOT / "setup.cfg").is_file(), reason="needs a checkout: setup.cfg is not installed")
def test_setup_cfg_names_every_package_the_cfgs_and_the_weights() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = setup["options"]["packages"].split()
    found = {p.parent.relative_to(ROOT).as_posix().replace("/", ".") for p in ROOT.glob("darknet_py/**/__init__.py")}
    assert sorted({*found, "darknet_py.cfgs", "darknet_py.weights"}) == listed
    assert setup["options.package_data"]["darknet_py.cfgs"].split() == ["*.cfg", "*.names"]


def test_a_trained_model_is_found_by_the_name_of_its_cfg_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(zoo, "fetch", lambda name, say=None: zoo.Fetched(Path(name), Path("b"), Path("c")))
    monkeypatch.setattr(zoo, "fetch_cfg", lambda name, say=None: Path(name))
    assert find_network("yolov4-tiny.cfg").weights == Path("b")
    assert find_cfg("yolov4-tiny.cfg") == Path("yolov4-tiny")
