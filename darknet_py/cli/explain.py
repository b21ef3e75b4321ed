"""`darknet-py explain`: what a section computes and which options it has, and what a diagnostic code means."""

from __future__ import annotations

import re

import click

from .options import echo

PLACE = ("Check and compare", 2)


@click.command("explain")
@click.argument("section", required=False)
def command(section: str | None) -> None:
    """Explain SECTION and its options: type, range, default, meaning. Without SECTION, list all.

    A code of `darknet-py lint` is explained too; `codes` lists them.

    \b
    darknet-py explain maxpool
    darknet-py explain DK203
    """
    from ..darknet.codes import describe_code, list_codes
    from ..darknet.explain import describe_section, list_sections

    if section and section.lower() == "codes":
        echo(list_codes())
        return
    if section and re.fullmatch(r"[Dd][Kk]\d+", section):
        echo(describe_code(section))
        return
    echo(describe_section(section.strip("[]")) if section else list_sections())
