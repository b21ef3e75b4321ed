"""`darknet-py lint`: everything that is wrong with cfg files, as a compiler says it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from .options import DIALECTS, echo, message, write_json

if TYPE_CHECKING:
    from ..errors import Diagnostic

PLACE = ("Check and compare", 1)


@click.command("lint")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="A list of diagnostics as JSON.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the files are for (default: inferred).")
@click.option("--as-darknet", is_flag=True, help="Read what Darknet misreads silently as Darknet does.")
@click.pass_context
def command(
    ctx: click.Context, /, files: tuple[str, ...], as_json: bool, strict: bool, dialect: str | None, as_darknet: bool
) -> None:
    """Check cfg FILES; exit with 1 on errors.

    \b
    darknet-py lint my.cfg
    darknet-py lint --json --strict cfgs/*.cfg
    """
    from ..errors import told_once

    found = [(file, d) for file in files for d in _lint(file, strict, dialect, as_darknet)]
    if as_json:
        write_json([{"file": file, **d.to_dict()} for file, d in found])
    else:
        for file in files:
            for d in told_once(d for name, d in found if name == file):
                echo(str(d) if d.span else f"{file}: {d}")
    errors = sum(d.severity == "error" for _, d in found)
    warnings = sum(d.severity == "warning" for _, d in found)
    message(f"{_count(len(files), 'file')}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    ctx.exit(1 if errors else 0)


def _lint(file: str, strict: bool, dialect: str | None, as_darknet: bool) -> tuple[Diagnostic, ...]:
    from ..darknet.compile import compile_file
    from ..errors import Code, DataError, Diagnostic, Severity

    try:
        found = compile_file(file, strict=strict, dialect=dialect, as_darknet=as_darknet).diagnostics
        # What has no position says the name of the file itself, for a reader of the message alone.
        return tuple(replace(d, message=d.message.removeprefix(f"{file}: ")) for d in found)
    except DataError as e:
        return (Diagnostic(Code.SIDE_FILE, Severity.ERROR, str(e)),)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
