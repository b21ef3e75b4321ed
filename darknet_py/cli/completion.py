"""`darknet-py completion`: the script with which a shell completes commands, options, names and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem, get_completion_class

from .options import echo

PLACE = ("Run", 9)

SHELLS = ("bash", "zsh", "fish")
PROGRAM, VARIABLE = "darknet-py", "_DARKNET_PY_COMPLETE"  # the script sets the variable to ask the program


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script for SHELL, which the shell is to read when it starts.

    For bash, `source <(darknet-py completion bash)` goes into ~/.bashrc; for zsh, the same with its name into ~/.zshrc;
    for fish, the script is a file: ~/.config/fish/completions/darknet-py.fish.

    \b
    darknet-py completion bash
    darknet-py completion zsh
    darknet-py completion fish
    """
    echo(script(shell), nl=False)


def script(shell: str) -> str:
    """The script of one of `SHELLS`, as click writes it.

    >>> VARIABLE in script("fish")
    True
    """
    from . import main

    known = get_completion_class(shell)
    assert known is not None, f"click completes no {shell}"
    asking = known(main, {}, PROGRAM, VARIABLE)
    return f"{(asking.source_template % asking.source_vars()).strip()}\n"


def complete_arguments(command: click.Command) -> None:
    """Let the arguments of a command complete names and files: to click they are text, which it completes with nothing.

    The command must be of a process that only completes.
    """
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        complete_arguments(inner)
    for param in command.params:
        if isinstance(param, click.Argument) and param.type is click.STRING:
            param.type = _Text(NAMES.get(param.name or "", _no_names), files=param.name not in NAMES_ONLY)


class _Text(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """Text that is one of some names, or a file."""

    name = "text"

    def __init__(self, names: Callable[[], Iterable[str]], files: bool) -> None:
        self._names, self._files = names, files

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names that begin so; the mark for files is first, because bash forgets what came before it."""
        files = [CompletionItem(incomplete, type="file")] if self._files else []
        return [*files, *(CompletionItem(name) for name in self._names() if name.startswith(incomplete))]


def _networks() -> Iterable[str]:
    from ..zoo.find import list_models

    return list_models()


def _models() -> Iterable[str]:
    from ..zoo.models import models

    return models()


def _sections() -> Iterable[str]:
    from ..darknet.layers import section_names

    return ("codes", "net", *section_names())


def _kinds() -> Iterable[str]:
    from ..model.holdings import KINDS

    return KINDS


def _no_names() -> Iterable[str]:
    return ()


# By the name of an argument, what it may be besides a file.
NAMES: dict[str, Callable[[], Iterable[str]]] = {
    **dict.fromkeys(("cfg", "cfgs", "network", "first", "second", "pattern"), _networks),
    "names": _models, "section": _sections, "kinds": _kinds,
}  # fmt: skip
NAMES_ONLY = ("names", "section", "kinds", "pattern")
