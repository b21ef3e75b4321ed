"""Commands are found, not listed: a file of ours, or an entry point of another distribution, is all that one needs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from darknet_py import version
from darknet_py.cli import registry
from darknet_py.cli.registry import find_command, list_commands, load_command
from darknet_py.errors import DarknetError

from .conftest import Run

Plugin = Callable[..., None]

GREET = '''"""`darknet-py greet`: a friendly word."""

import click

PLACE = ("Run", 9)

@click.command("greet")
def command():
    """Greet."""
    click.echo("hello")
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """`plugin("greet = fake_greet:command", text)` installs a distribution `fake` with a module `fake_greet`."""

    def install(entry: str, text: str | None = GREET) -> None:
        folder = tmp_path / "site"
        info = folder / "fake-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{entry}\n")
        if text is not None:
            (folder / "fake_greet.py").write_text(text)
        monkeypatch.delitem(sys.modules, "fake_greet", raising=False)
        monkeypatch.syspath_prepend(folder)

    return install


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package like ours, without a command."""
    folder = tmp_path / "found_py"
    (folder / "cli").mkdir(parents=True)
    (folder / "cli" / "options.py").write_text('"""What several commands share."""\n')
    monkeypatch.setattr(registry, "PACKAGE", folder)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.startswith("found_py")]:
        del sys.modules[name]


def test_a_command_is_one_new_file(run: Run, package: Path) -> None:
    (package / "cli/greet.py").write_text(GREET)
    assert [(e.name, e.help, e.section) for e in list_commands()] == [("greet", "a friendly word", "Run")]
    assert run("greet").stdout == "hello\n"
    assert "  greet  a friendly word" in run("--help").stdout


def test_each_file_of_ours_with_a_command_says_what_the_list_needs() -> None:
    files = registry.PACKAGE.glob("cli/*.py")
    commands = {path for path in files if "def command(" in path.read_text() or "as command" in path.read_text()}
    entries = list_commands()
    assert len(entries) == len(commands) > 15
    assert {entry.section for entry in entries} == set(registry.SECTIONS)
    assert len({(entry.section, entry.order) for entry in entries}) == len(entries)


def test_help_is_in_sections(run: Run) -> None:
    text = run("--help").stdout
    places = [text.index(f"\n{title}:\n") for title in registry.SECTIONS]
    assert places == sorted(places)
    assert text.index("  lint ") < text.index("  explain ")


def test_another_distribution_adds_a_command(run: Run, plugin: Plugin) -> None:
    plugin("greet = fake_greet:command")
    assert run("greet").stdout == "hello\n"
    assert "a friendly word" in run("--help").stdout
    assert "fake_greet" in sys.modules
    assert "did you mean 'greet'" in run("gret").stderr


def test_help_imports_no_command_of_another_distribution(run: Run, plugin: Plugin) -> None:
    plugin("greet = fake_greet:command", "import nothing_of_this_name")
    assert "  greet  a command of fake\n" in run("--help").stdout
    assert "fake_greet" not in sys.modules


def test_ours_are_found_without_asking_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_others", lambda: pytest.fail("asked"))
    assert find_command("bench") is not None
    assert find_command("lint") is not None


@pytest.mark.parametrize("entry", ["greet = no_such_module:command", "greet = no.such.module:command", "greet = ?"])
def test_a_registered_module_that_is_not_there_is_a_line_of_the_help(run: Run, plugin: Plugin, entry: str) -> None:
    plugin(entry)
    text = run("--help").stdout
    assert "\nCannot be used:\n  greet  of fake: " in text
    assert "  lint " in text
    result = run("greet")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the command 'greet' cannot be used: of fake: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "text", ["raise RuntimeError('out of order\\nsecond line')", "command = 1", "def", "from fake_greet import x"]
)
def test_a_broken_command_of_another_distribution_is_one_line(run: Run, plugin: Plugin, text: str) -> None:
    plugin("greet = fake_greet:command", text)
    result = run("greet")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the command 'greet' of fake is broken: ")
    assert result.stderr.count("\n") == 1
    assert run("--help").exit_code == 0


def test_a_command_of_ours_is_not_replaced(run: Run, plugin: Plugin) -> None:
    plugin("lint = fake_greet:command")
    assert "Check cfg FILES" in run("lint", "--help").stdout
    assert "lint  of fake: darknet-py has a command of this name" in run("--help").stdout


@pytest.mark.parametrize("where", ["module", "function"])
def test_a_missing_extra_is_one_line_with_what_to_install(run: Run, plugin: Plugin, where: str) -> None:
    library = "import a_library_that_is_not_here"
    function = GREET.replace('click.echo("hello")', library)
    plugin("greet = fake_greet:command [warm]", f"{library}\n{GREET}" if where == "module" else function)
    result = run("greet")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: darknet-py greet needs a_library_that_is_not_here, which is not installed: pip install 'fake[warm]'\n"
    )


def test_an_application_of_ours_says_its_extra_itself(run: Run, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f'import a_library_that_is_not_here\n\nEXTRA = "warm"\n{GREET}'
    (package / "cli/greet.py").write_text(GREET.partition("\n")[0] + "\n" + text)
    assert "[warm]'\n" in run("greet").stderr
    monkeypatch.setattr(version, "_checkout", lambda: "")
    assert "pip install 'darknet-compiler[warm]'\n" in run("greet").stderr


def test_a_module_of_ours_that_is_missing_is_our_fault() -> None:
    lint = find_command("lint")
    assert lint is not None
    with pytest.raises(ModuleNotFoundError):
        load_command(lint._replace(module="darknet_py.cli.not_there"))


def test_a_command_that_cannot_be_used_cannot_be_loaded(plugin: Plugin) -> None:
    plugin("greet = no_such_module:command")
    entry = find_command("greet")
    assert entry is not None
    with pytest.raises(DarknetError, match="No module named 'no_such_module'"):
        load_command(entry)
