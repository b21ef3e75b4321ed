"""`darknet-py explain`: what a section computes and which options it has."""

from __future__ import annotations

import click

from .options import echo

PLACE = ("Check and compare", 2)


@click.command("explain")
@click.argument("section", required=False)
def command(section: str | None) -> None:
    """Explain SECTION and its options: type, range, default, meaning. Without SECTION, list all.

    \b
    darknet-py explain maxpool
    """
    from ..darknet.explain import describe_section, list_sections

    echo(describe_section(section.strip("[]")) if section else list_sections())
