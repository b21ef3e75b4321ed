"""The group: help for every command, the closest name for a wrong one, one message for what fails."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from darknet_py.cli.registry import list_commands, load_command
from darknet_py.version import VERSION

from .conftest import Run

COMMANDS = [entry.name for entry in list_commands()]


def test_help_lists_every_command(run: Run) -> None:
    text = run("--help").output
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_an_example(run: Run, name: str) -> None:
    command = load_command(next(e for e in list_commands() if e.name == name))
    names = [name] if not isinstance(command, click.Group) else [f"{name} {sub}" for sub in command.commands]
    for full in names:
        examples = (f"\n  darknet-py {full}", f"\n  darknet-py {full.split()[-1]}")  # `cut` is `weights cut` too
        assert any(example in run(*full.split(), "--help").output for example in examples)


def test_version(run: Run) -> None:
    assert VERSION in run("--version").output


def test_an_unknown_command_is_wrong_usage(run: Run) -> None:
    result = run("lnt")
    assert result.exit_code == 2
    assert "did you mean 'lint'" in result.stderr


@pytest.mark.parametrize("command", ["summary", "export", "verify", "dump"])
def test_a_missing_cfg_is_one_message(run: Run, command: str) -> None:
    more = ("--input", "x.npy", "-o", "y.npz") if command == "dump" else ()
    result = run(command, "nothing.cfg", *more)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["summary", "export", "run"])
def test_a_broken_cfg_is_its_diagnostics(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "bad.cfg").write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[convolutinal]\n")
    (tmp_path / "a.png").write_bytes(b"")
    result = run(command, "bad.cfg", *(["a.png"] if command == "run" else []))
    assert result.exit_code == 1
    assert "bad.cfg:5:" in result.stderr
    assert "did you mean" in result.stderr


@pytest.mark.parametrize("size", ["0", "416x", "x", "-3", "1x2x3", "99999999999", "²"])
def test_a_size_that_is_none_is_wrong_usage(run: Run, cfg: Path, size: str) -> None:
    assert run("summary", cfg, f"--size={size}").exit_code == 2


def test_a_size_beyond_all_is_told_the_largest(run: Run, cfg: Path) -> None:
    assert "'99999' is no size: width and height are from 1 to 65,536" in run("summary", cfg, "--size=99999").stderr


def test_a_size_is_width_times_height(run: Run, cfg: Path) -> None:
    assert "  64 x  32 x   3" in run("summary", cfg, "--size", "64x32").stdout
