"""The model card: prose that is written by hand, and between marks in it the tables that are measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from darknet_py.errors import DataError
from darknet_py.machine import cores, cpu
from tools.markdown import table

from ..score.table import (
    at_precision_table,
    class_table,
    finding_table,
    mended_tables,
    precision_table,
    reading_table,
)
from .training import Training

END = "<!-- end -->"
CHANGED = " (they are drawn otherwise now)"


def rewritten(card: str, sections: Mapping[str, str]) -> str:
    r"""A card with new text between the mark of each section and the end of it. Raises `DataError` without the marks.

    >>> rewritten("By hand.\n<!-- it -->\nold\n<!-- end -->\n", {"it": "new"})
    'By hand.\n<!-- it -->\n\nnew\n\n<!-- end -->\n'
    """
    for name, text in sections.items():
        first, mark, rest = card.partition(f"<!-- {name} -->\n")
        old, end, after = rest.partition(END)
        if not mark or not end or "<!--" in old:
            raise DataError(f"the card has no place for {name!r}\n  hint: <!-- {name} --> and {END}, each on a line")
        card = f"{first}{mark}\n{text.strip()}\n\n{end}{after}"
    return card


def marks(card: str) -> tuple[str, ...]:
    """The names of the sections of a card."""
    return tuple(name for name in re.findall(r"^<!-- (\w+) -->$", card, re.MULTILINE) if name != "end")


def procedure(training: Training, sha256: str, is_same_data: bool) -> str:
    """How it was trained, as a table."""
    run, settings = training.run, training.run["settings"]
    sizes = ", ".join(f"{side}x{side} from iteration {first:,} on" for first, side in settings["sizes"])
    last, best, versions = training.steps[-1], training.best, run["versions"]
    others = ", ".join(f"{name} {version(name)}" for name in ("numpy", "opencv-python", "zxing-cpp"))
    rate = max(step["rate"] for step in training.steps)
    rows = [
        ("iterations", f"{last['iteration']:,} of {training.iterations:,}, each of {settings['batch']} pictures"),
        ("sizes", sizes),
        ("update", f"{settings['optimizer']}, {settings['schedule']} schedule, learning rate {rate:.3g} at most"),
        ("arithmetic", f"{settings['precision']}; mini-batches of {settings['batch'] // settings['subdivisions']}"),
        ("kept", f"running mean, {settings['ema']} of it an iteration"),
        ("seed", str(settings["seed"])),
        ("pictures", f"{last['seen']:,}, {run['data']}, none twice"),
        ("fingerprint of the pictures", f"`{run['data_sha256']}`{'' if is_same_data else CHANGED}"),
        ("cfg", f"SHA-256 `{run['cfg_sha256']}`"),
        ("measured on drawn pictures", _best(best)),
        ("wall time of the iterations", f"{training.seconds / 3600:.2f} hours"),
        ("programs", ", ".join(f"{name} {number}" for name, number in versions.items())),
        ("drawn and scored with", others),
        ("machine of this card", f"{cpu()}, {cores()} cores"),
        ("weights", f"SHA-256 `{sha256}`"),
    ]  # fmt: skip
    return table(("", ""), rows, words=2)


def _best(best: Mapping[str, Any] | None) -> str:
    if best is None:
        return "not yet"
    classes = f" (by class {', '.join(f'{ap:.3f}' for ap in best['classes'])})" if "classes" in best else ""
    return f"mAP {best['value']:.4f} after iteration {best['iteration']:,}, which ships{classes}"


def results(numbers: Mapping[str, Any]) -> str:
    """What is found in both sets, and average precisions."""
    parts = []
    for name, of in numbers.items():
        parts += [f"### {name}: {of['photos']} photos, {sum(of['objects'])} codes", finding_table(of["finding"])]
        parts += [precision_table(of["precision"], of["objects"])]
        parts += ["Found of each kind, right class, an overlap of half:"]
        parts += [class_table(of["finding"], of["objects"], "IoU .5")]
        if "mended" in of:
            parts += [mended_tables(of["mended"])]
        parts += [f"Recall at the precision of each decoder, {network}:\n\n{at_precision_table(told)}"
                  for network, told in of["at precision"].items()]  # fmt: skip
    return "\n\n".join(part.strip() for part in parts)


def reading(numbers: Mapping[str, Any]) -> str:
    """What is read in both sets."""
    parts = (f"{name}:\n\n{reading_table(of['reading'])}" for name, of in numbers.items() if "reading" in of)
    return "\n\n".join(part.strip() for part in parts)
