"""What the commands that take Darknet's own command lines share: options with one dash, in any place, and the prompt.

Decision: an option of Darknet's that changes nothing here is taken and said to be ignored; it is no error, because the
point is that a line runs as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from .options import message

F = TypeVar("F", bound=Callable[..., Any])

# Options that do nothing here: whether a value follows, and why it is ignored; '' where nobody misses anything.
IGNORED: dict[str, tuple[bool, str]] = {
    "-dont_show": (False, ""),
    "-show": (False, "no window is opened"),
    "-i": (True, "the processor computes"),
    "-gpus": (True, "the processor computes"),
    "-clear": (False, "only training reads it"),
    "-hier": (True, "it reaches no layer, in Darknet neither"),
    "-thresh": (True, "only `detector test` reads it, in Darknet too"),
    "-iou_thresh": (True, "only `detector map` reads it, in Darknet too"),
    "-points": (True, "only `detector map` reads it, in Darknet too"),
    "-letter_box": (False, "letter_box in the cfg decides, in Darknet too"),
    "-ext_output": (False, "only `detector test` reads it, in Darknet too"),
    "-benchmark_layers": (False, "`darknet-py bench --layers` times layers"),
}


def ignored(*names: str) -> Callable[[F], F]:
    """Options of `IGNORED` for a command."""

    def add(command: F) -> F:
        for name in reversed(names):
            takes, why = IGNORED[name]
            told = click.option(
                name,
                is_flag=not takes,
                expose_value=False,
                callback=_say_ignored,
                help=f"Ignored{': ' if why else ''}{why}.",
                metavar="VALUE" if takes else None,
            )
            command = told(command)
        return command

    return add


def _say_ignored(ctx: click.Context, param: click.Parameter, value: object) -> None:
    name = param.opts[0]
    if value and IGNORED[name][1] and not ctx.resilient_parsing:
        message(f"{name} is ignored: {IGNORED[name][1]}")


class DarknetGroup(click.Group):
    """A group of Darknet's words: those that are not here are answered, by the table of `words`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with, or what is said to it."""
        from .words import explain_group

        if args[0] not in self.commands and (said := explain_group(self.name or "", args[0])):
            raise click.UsageError(said, ctx)
        return super().resolve_command(ctx, args)


def answered(photo: str | None) -> None:
    """Raise `DataError` at once for a photo that is not there."""
    from ..errors import DataError

    if photo is not None and not Path(photo).exists():
        raise DataError(f"cannot read the picture {photo}: there is no such file")


def paths(photo: str | None) -> Iterator[str]:
    """The photo, or the lines of the standard input, each after Darknet's prompt (detector.c test_detector)."""
    if photo is not None:
        yield photo
        return
    from ..compat.darknet import PROMPT

    while True:
        click.echo(PROMPT, nl=False)
        line = sys.stdin.readline()
        if not line:
            break
        if line.strip():
            yield line.strip()
    click.echo()
