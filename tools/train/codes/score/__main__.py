"""`python -m tools.train.codes.score`: every contestant that can be had on both sets of photos, as tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from darknet_py.errors import DarknetError

from . import table
from .contestants import OTHERS, Contestant, ours
from .page import page
from .photos import SETS, read_set
from .results import score

PAGE = Path(__file__).resolve().parents[1] / "CONTESTANTS.md"


@click.command()
@click.option("--ours", "network", nargs=2, metavar="CFG WEIGHTS", help="Our network; its size is that of the cfg.")
@click.option("--size", type=int, multiple=True, help="Another size of the network's input; may be repeated.")
@click.option("--backend", default="onnxruntime", show_default=True)
@click.option("--only", multiple=True, help="Only contestants whose name has this in it; may be repeated.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all numbers here.")
@click.option("--markdown", type=click.Path(path_type=Path), help=f"Write the tables here (the page: {PAGE.name}).")
def main(
    network: tuple[str, str] | None, size: tuple[int, ...], backend: str, only: tuple[str, ...],
    json_file: Path | None, markdown: Path | None,
) -> None:  # fmt: skip
    """Score what finds codes on ../shared/images/codes and codes_hard."""
    contestants: list[Contestant] = []
    if network:
        cfg, weights = map(_absolute, network)
        contestants += [one for side in size or (None,) for one in ours(cfg, weights, backend, side)]
    contestants += [one for one in OTHERS if not only or any(word in one.name for word in only)]
    try:
        sets = {name: read_set(name) for name in SETS}
    except DarknetError as e:
        raise click.ClickException(str(e)) from None
    scored = score(contestants, sets, lambda text: click.echo(text, err=True))
    first = contestants[0].name if network else None
    text = page(scored.numbers, scored.failed, _command(network, size), first)
    if json_file:
        json_file.write_text(json.dumps(table.plain(scored.numbers), indent=1) + "\n", "utf-8")
    if markdown:
        markdown.write_text(text, "utf-8")
    else:
        click.echo(text)


def _command(network: tuple[str, str] | None, size: Sequence[int]) -> str:
    given = f" --ours {' '.join(Path(p).name for p in network)}" if network else ""
    sides = "".join(f" --size {side}" for side in size)
    return f"python -m tools.train.codes.score{given}{sides} --markdown {PAGE.name}"


def _absolute(path: str) -> str:
    return str(Path(path).resolve()) if Path(path).exists() else path


if __name__ == "__main__":
    main()
