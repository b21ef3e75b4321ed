"""`darknet-py cache`: what is kept between runs: where, how much, and how to remove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options import echo, message, write_json

if TYPE_CHECKING:
    from ..model.holdings import Holding

PLACE = ("Run", 4)


@click.command("cache")
@click.argument("kinds", nargs=-1)
@click.option("--clear", is_flag=True, help="Remove them, and say what was removed.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(kinds: tuple[str, ...], clear: bool, as_json: bool) -> None:
    """Show what is kept between runs, of all KINDS or some: networks, models, measurements, hashes.

    Everything there is made or fetched again when it is needed. DARKNET_PY_CACHE is the folder, if set.

    \b
    darknet-py cache
    darknet-py cache --clear
    darknet-py cache networks measurements --clear
    """
    from ..files import cache_dir
    from ..model.holdings import KINDS, clear_holdings, list_holdings

    holdings = (clear_holdings if clear else list_holdings)(kinds or KINDS)
    if as_json:
        held = [
            {"kind": h.kind, "folder": str(h.folder), "entries": h.entries, "bytes": h.bytes} for h in holdings
        ]  # fmt: skip
        return write_json({"folder": str(cache_dir()), "removed" if clear else "held": held})
    message(f"{'removed from' if clear else 'kept in'} {cache_dir()}:")
    for holding in holdings:
        echo(_row(holding))
    return None


def _row(holding: Holding) -> str:
    return f"{holding.kind:12}  {holding.entries:6,}  {holding.bytes / 1e6:10,.1f} MB  {holding.title}"
