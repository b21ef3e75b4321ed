"""`python -m tools.networks [FOLDER]`: write every cfg, the table of published and our numbers, and the pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from . import pictures
from .catalogue import NETWORKS
from .network import Evidence, Network
from .published import Figure, absent, cost_of, figures, figures_of

CFGS = Path(__file__).parents[2] / "cfgs"

INTRODUCTION = """\
# The networks

Written by `python -m tools.networks` (`make cfgs`); do not edit. The programs are in `tools/networks/`: one file per
family, variants as data.

[FAMILY.md](FAMILY.md) explains the family with pictures: what the parts do, and which cfg to take.

The CSPNet paper (Wang et al., arXiv 1911.11929) published some of its cfgs and not others. The table says for each
network how its structure is known:

- **published structure**: a public cfg (ours lowers to the same graph) or a public program;
- **pinned by numbers**: never published, but regular variants other than this one miss the published numbers;
- **reconstructed**: fits all that is published, which leaves details open (each cfg says which);
- **ours**: nothing public determines it; a natural network, with the distance to the published numbers.

Parameters are convolution weights only and BFLOPs are convolutions and max pools, as the paper counts, at the
size given.
"""
TABLE = """\
| network | size | structure | M params | BFLOPs | published | off by at most |
| --- | ---: | --- | ---: | ---: | --- | ---: |
"""
FIGURES = """
## Every published figure

T1 to T4, F8: tables and figure of the paper; README: CrossStagePartialNetworks; PRN: PartialResidualNetworks; MM:
mmpretrain's model zoo. {met} of {all} are within 0.2 %.

| network | size | what | published | ours | off by | source | reason |
| --- | ---: | --- | ---: | ---: | ---: | --- | --- |
"""
ABSENT = """
## Published, and not here

| network | figures | source | reason |
| --- | --- | --- | --- |
"""


def files() -> Iterator[tuple[str, str]]:
    """The name and text of every file in `cfgs/`."""
    for name, network in NETWORKS.items():
        yield f"{name}.cfg", network.text(numbers(network))
        if network.names:
            yield f"{name}.names", "".join(f"{line}\n" for line in network.names)
    yield "README.md", readme()


def numbers(network: Network) -> str:
    """A sentence on the size of a network, and on what is published about it."""
    total = cost_of(network.name, network.size)
    ours = f"Here: {total.params_conv / 1e6:.3f} M parameters, {total.bflops_paper:.3f} BFLOPs."
    first = {f.quantity: f for f in reversed(list(figures_of(network.name))) if f.size == network.size}
    if not first:
        return ours
    off = network.evidence is Evidence.OURS
    printed = [f"{f.value:g} {f.unit}" + (f" ({f.deviation:+.2%})" if off else "") for f in first.values()]
    return f"{ours} Published: {', '.join(printed)}."


def readme() -> str:
    """The tables."""
    rows = "".join(_row(network) for network in NETWORKS.values())
    all_ = figures()
    head = FIGURES.format(met=sum(f.met for f in all_), all=len(all_))
    others = "".join(f"| {' | '.join(row)} |\n" for row in absent())
    return INTRODUCTION + "\n" + TABLE + rows + head + "".join(map(_figure_row, all_)) + ABSENT + others


def _row(network: Network) -> str:
    total = cost_of(network.name, network.size)
    shown = list(figures_of(network.name))
    printed = "; ".join(dict.fromkeys(_printed(f, network.size) for f in shown))
    worst = max((abs(f.deviation) for f in shown), default=None)
    return (
        f"| [{network.name}]({network.name}.cfg): {network.title} | {network.size} | {network.evidence} "
        f"| {total.params_conv / 1e6:.3f} | {total.bflops_paper:.3f} | {printed or 'nothing'} "
        f"| {'' if worst is None else f'{worst:.2%}'} |\n"
    )


def _printed(f: Figure, size: int) -> str:
    return f"{f.value:g} {f.unit}" + ("" if f.size == size else f" at {f.size}")


def _figure_row(f: Figure) -> str:
    return (
        f"| {f.network} | {f.size} | {f.unit} | {f.value:g} | {f.ours:.4f} | {f.deviation:+.2%} | {f.source} "
        f"| {f.reason if not f.met else ''} |\n"
    )


def main(folder: Path = CFGS) -> None:
    """Write the files, and remove cfgs of networks that are gone."""
    folder.mkdir(exist_ok=True)
    written = dict(files())
    for name, text in written.items():
        (folder / name).write_text(text)
    for stale in {p.name for p in folder.glob("*.cfg")} - set(written):
        (folder / stale).unlink()
    print(f"{len(written)} files in {folder}")
    pictures.main(folder / "pictures")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
