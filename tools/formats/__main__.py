"""`python -m tools.formats`: write each network in each format, run it beside NumPy, and write the table of the docs.

Decision: a network that a format cannot hold is refused by name, and counted under the reason; a file that computes
something else is a failure of this program, and so of `make formats-check`.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from darknet_py.darknet.network import Network, open_network
from darknet_py.errors import DarknetError
from darknet_py.model.agreement import compare_exported
from darknet_py.model.formats import Format, formats
from tools.markdown import table

from .page import PAGE, ROOT, SHARED, put

GOLDEN = SHARED / "golden"
BOXES = ("raw", "decoded")
RUN_BY_DARKNET = ("layers.npz", "layers_t0.npz")

RIGHT, HALF, REFUSED, WRONG, UNKNOWN = "right", "float16", "refused", "wrong", "not checked"


@dataclass(frozen=True)
class Cell:
    """What became of a network in a form of a format, and why, or how far it is off."""

    network: str
    form: str
    status: str
    told: str = ""
    off: float = 0.0


def networks(folder: Path) -> Iterator[Path]:
    """The cfgs of the golden networks that Darknet ran."""
    for cfg in sorted(folder.glob("*/net.cfg")):
        if any((cfg.parent / name).exists() for name in RUN_BY_DARKNET):
            yield cfg


def cells(cfg: Path, wanted: Iterable[Format], halves: bool) -> Iterator[Cell]:
    """What becomes of a network in each form of each format."""
    try:
        network = open_network(cfg)
    except DarknetError as e:
        yield Cell(cfg.parent.name, "", REFUSED, str(e))
        return
    detects = bool(network.program().contract.decoders)
    for kind in wanted:
        for boxes in BOXES if detects else BOXES[:1]:
            yield _cell(network, kind, f"{kind.name}, {boxes}", boxes=boxes)
        if halves and kind.name in ("openvino", "ncnn", "litert"):
            yield _cell(network, kind, f"{kind.name}, float16", half=True)


def _cell(network: Network, kind: Format, form: str, **options: Any) -> Cell:
    name = network.cfg.parent.name if network.cfg.stem == "net" else network.cfg.stem
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, f"net{kind.suffix}")
        try:
            kind.write(network, path, check=False, **options)
        except DarknetError as e:
            return Cell(name, form, REFUSED, str(e))
        try:
            assert kind.contract is not None
            found = compare_exported(network, path, kind.contract(path))
        except DarknetError as e:
            return Cell(name, form, WRONG, str(e))
    if not found.title:
        return Cell(name, form, UNKNOWN, found.told)
    status = HALF if options.get("half") else RIGHT if found.is_right else WRONG
    return Cell(name, form, status, str(found), found.off or 0.0)


def reason(told: str) -> str:
    """A refusal without the names of values and the numbers of layers, so that equal ones are counted together."""
    first = told.split("\n")[0]
    first = re.sub(r" of %.*", "", first)
    return re.sub(r"\(%[^)]*\)|%[\w.~]+:[\dx]+|\d+", "…", first)


def table_of(found: list[Cell]) -> str:
    """The table of the docs."""
    by_form: dict[str, list[Cell]] = defaultdict(list)
    for cell in found:
        by_form[cell.form].append(cell)
    by_form.pop("", None)  # cfgs that are refused before any format is asked
    rows, refused = [], []
    for form, own in sorted(by_form.items()):
        status = Counter(c.status for c in own)
        good = status[RIGHT] + status[HALF]
        worst = max((c.off for c in own if c.status in (RIGHT, HALF)), default=0.0)
        rows.append((form, len(own), good, status[REFUSED], f"{worst:.0e}"))
        why = Counter(reason(c.told) for c in own if c.status == REFUSED)
        refused += [(form, told, count) for told, count in why.most_common()]
    counts = table(("format", "networks", "right", "refused", "largest difference"), rows)
    return f"{counts}\n\nWhat is refused, and why:\n\n{table(('format', 'what is said', 'networks'), refused, words=2)}"


def main() -> int:
    """Write the table; 1 if a file computes something else."""
    parser = argparse.ArgumentParser(prog="python -m tools.formats", description=__doc__)
    parser.add_argument("--golden", type=Path, default=GOLDEN)
    parser.add_argument("--format", action="append", choices=tuple(formats()), help="only these")
    parser.add_argument("--match", default="", help="only networks with this in their name")
    parser.add_argument("--half", action="store_true", help="float16 too, where a format stores it")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    kinds = [f for f in formats().values() if f.contract and f.suffix and f.name in (options.format or formats())]
    found: list[Cell] = []
    for cfg in networks(options.golden):
        if options.match in cfg.parent.name:
            found += cells(cfg, kinds, options.half)
            for cell in found[-len(kinds) * 3 :]:
                if cell.status == WRONG and cell.network == cfg.parent.name:
                    print(f"{cell.network}: {cell.form}: {cell.told}", flush=True)
    if not found:
        print(f"no networks in {options.golden}", file=sys.stderr)
        return 2
    told = table_of(found)
    print(told)
    if options.write:
        put("make formats-check", told)
    wrong = [c for c in found if c.status == WRONG]
    print(f"{len(found)} cells, {len(wrong)} wrong", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
