"""`darknet-py completion`: the script with which a shell completes commands, options and their values."""

from __future__ import annotations

import click

from .options import echo

PLACE = ("Run", 5)

SHELLS = ("bash", "zsh", "fish")
PROGRAM, VARIABLE = "darknet-py", "_DARKNET_PY_COMPLETE"  # which the script sets to ask the program


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script for SHELL; the shell is to read it when it starts.

    bash, in ~/.bashrc, and zsh, in ~/.zshrc: `source <(darknet-py completion bash)`, with its own name. fish: write it
    to ~/.config/fish/completions/darknet-py.fish.

    \b
    darknet-py completion bash
    darknet-py completion zsh
    darknet-py completion fish
    """
    echo(script(shell), nl=False)


def script(shell: str) -> str:
    """The script of one of `SHELLS`.

    >>> VARIABLE in script("fish")
    True
    """
    from click.shell_completion import get_completion_class

    from . import main

    found = get_completion_class(shell)
    assert found is not None, f"click completes no {shell}"
    complete = found(main, {}, PROGRAM, VARIABLE)
    return f"{(complete.source_template % complete.source_vars()).strip()}\n"
