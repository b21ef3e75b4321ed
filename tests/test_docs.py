"""The documentation site: the reference has all that the product has, in its words, and Sphinx builds it."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import click
import pytest

import darknet_py
from darknet_py.cli import darknet_options, main, registry, words
from darknet_py.darknet.cfg.options import schema
from darknet_py.darknet.codes import EXPLANATIONS
from darknet_py.darknet.dialects import DIALECTS
from darknet_py.darknet.layers.layer import LAYERS, Layer
from darknet_py.darknet.layers.net import Net
from darknet_py.passes import passes_for
from darknet_py.passes.definition import FOLDING
from tools.docs import stage, wording
from tools.docs.reference import (
    OptionRow,
    gain_of,
    option_table,
    pages,
    prose,
    public_names,
    returned_classes,
    section_groups,
)

COMMANDS = [entry for entry in registry.list_commands() if entry.module.startswith("darknet_py.")]
CLASSES = sorted({*LAYERS.values(), Net}, key=lambda cls: cls.__name__)


def cells(page: str) -> set[str]:
    """What stands in the first column of the tables of a page, unescaped."""
    rows = re.findall(r"^\| (.+?) (?<!\\)\|", pages()[page], re.MULTILINE)
    return {row.replace("\\|", "|") for row in rows}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_reference_has_every_option_of_a_section(cls: type) -> None:
    groups = [group for group in section_groups() if cls in [found for found, _ in group.classes]]
    assert groups
    shared = {f"`{key}`" for key in schema(Layer)} if cls is not Net else set()
    for group in groups:
        shown = cells(f"sections/{group.file}.md")
        assert {f"`{key}`" for key in schema(cls)} <= shown | shared
        assert shared <= cells("sections/every.md") if cls is not Net else True


def test_every_section_is_on_one_page_and_in_the_list() -> None:
    names = [name for group in section_groups() for name in group.names]
    assert {name for name, _ in LAYERS} | {"net"} <= set(names)
    assert len(names) == len(set(names))
    assert all(f"sections/{group.file}.md)" in pages()["sections.md"] for group in section_groups())
    assert all(f"`{name}`" in pages()["sections.md"] for name in DIALECTS)


def test_an_option_says_its_words_its_default_and_what_darknet_takes_for_another() -> None:
    row = OptionRow("iou_loss", "str", "= mse", "loss of a box", ("mse", "iou"), "iou")
    shown = option_table([row]).splitlines()[-1]
    assert shown == (
        "| `iou_loss` | `mse` or `iou` | `mse` | loss of a box. Any other word is `iou` in Darknet, silently. |"
    )


def test_the_reference_has_every_code_with_its_remedy() -> None:
    for code, said in EXPLANATIONS.items():
        assert f"## {code}: " in pages()["codes.md"]
        assert prose(said.remedy) in pages()["codes.md"]


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_page_of_a_command_says_what_its_help_says(entry: registry.Entry) -> None:
    command = registry.load_command(entry)
    inner = list(command.commands.items()) if isinstance(command, click.Group) else []
    page = pages()[f"commands/{entry.name}.md"]
    for name, each in [(entry.name, command), *((f"{entry.name} {name}", c) for name, c in inner)]:
        context = click.Context(each, info_name=f"darknet-py {name}", help_option_names=["-h", "--help"])
        assert f"{' '.join([context.info_name or '', *each.collect_usage_pieces(context)])}\n" in page
        records = [record for p in each.get_params(context) if (record := p.get_help_record(context)) and record[1]]
        shown = cells(f"commands/{entry.name}.md")
        assert {f"`{said}`" for said, _ in records} <= shown
        assert all(prose(meaning).replace("|", "\\|") in page for _, meaning in records)
        assert all(line.strip() in page for line in re.findall(r"^ *darknet-py .+$", each.help or "", re.MULTILINE))
    assert f"commands/{entry.name}.md" in pages()["commands.md"]


def test_commands_are_those_that_the_help_of_the_program_lists() -> None:
    assert [entry.name for entry in COMMANDS] == main.list_commands(click.Context(main))


def test_the_reference_has_every_public_name() -> None:
    names = [name for names in public_names().values() for name in names]
    assert sorted(names) == sorted(set(darknet_py.__all__) - {"__version__"})
    assert all(f":: darknet_py.{name}\n" in pages()["api.md"] for name in names)


def test_what_public_functions_return_is_in_the_reference() -> None:
    names = [cls.__name__ for cls in returned_classes()]
    assert {"Contract", "Evaluation", "DarknetNet", "DetectionModel"} <= set(names)
    assert all(f"\n### {name}\n" in pages()["api.md"] for name in names)


def test_the_reference_has_every_pass_with_its_exactness_and_every_foreign_word() -> None:
    steps = {step for taker in FOLDING for step in passes_for(taker)}
    assert {f"`{step.name}`" for step in steps} <= cells("passes.md")
    assert all(prose(step.exact) in pages()["passes.md"] for step in steps if isinstance(step.exact, str))
    assert all(gain_of(step.name) in pages()["passes.md"] for step in steps)
    said = [word for table in (words.OPTIONS, words.COMMANDS) for entry in table for word in entry.said]
    assert not [word for word in [*said, *darknet_options.IGNORED] if f"`{word}`" not in pages()["words.md"]]


def test_the_site_has_a_file_for_each_link(tmp_path: Path) -> None:
    written = stage.write_site(tmp_path)
    assert len(written) > 150
    for path in written:
        if path.suffix != ".md":
            continue
        for link in stage.links((tmp_path / path).read_text("utf-8")):
            assert (tmp_path / path.parent / link).exists(), f"{path}: {link}"


def test_a_page_that_no_contents_name_is_under_the_tasks() -> None:
    whole = stage.complete("```{toctree}\n:caption: Tasks\n:hidden:\n\ndetect\n```\n")
    listed = whole.partition("\n\n")[2].splitlines()
    assert listed[0] == "detect"
    assert {"start", "how", "contributing"} <= set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("module", [wording, stage])
def test_the_examples_in_the_generator_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_a_link_to_what_is_not_there_is_an_error() -> None:
    with pytest.raises(stage.LinkError, match=r"a.md links to nothing.md, which is not there"):
        stage.find_target(stage.HOME / "a.md", "nothing.md")
    with pytest.raises(stage.LinkError, match="which is not generated"):
        stage.find_target(stage.HOME / "a.md", "reference/nothing.md")


def test_sphinx_builds_the_site_without_a_warning(tmp_path: Path) -> None:
    lacking = [name for name in ("sphinx", "furo", "myst_parser") if not find_spec(name)]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}: pip install -e '.[docs]'")
    run = "import sys, pathlib, tools.docs.__main__ as site; sys.exit(site.build(pathlib.Path(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", run, tmp_path], cwd=stage.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "html" / "index.html").read_text("utf-8")
    assert "Start in five minutes" in index
    assert 'id="darknet_py.load"' in (tmp_path / "html" / "reference" / "api.html").read_text("utf-8")
