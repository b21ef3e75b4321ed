"""Results of more than one machine: where each lies, what its processor is and has, and all of them side by side.

Decision: a machine is its processor's name and how many cores were used; its results replace those that it gave before,
and nobody else's. Ratios are compared, never seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.markdown import table

from .bars import bars, best_ratios

# What decides how fast a network is computed, as Linux calls it, the most telling last.
TELLING = (
    "sse4_2", "avx2", "fma", "f16c", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16",
    "amx_int8", "asimd", "asimddp", "i8mm", "bf16", "sve", "sve2",
)  # fmt: skip

Result = dict[str, Any]


def slug(machine: Result) -> str:
    """The name of a machine's files.

    >>> slug({"cpu": "Intel(R) Xeon(R) Platinum 8488C", "cores": 2})
    'intel-xeon-platinum-8488c-2'
    """
    words = re.sub(r"\((R|TM)\)|CPU|@.*", " ", str(machine["cpu"]), flags=re.IGNORECASE)
    return "-".join([*re.findall(r"[a-z0-9]+", words.lower()), str(machine["cores"])])


def told(machine: Result) -> str:
    """A machine in words: its processor, how many cores, and what it has."""
    has = machine.get("features")
    known = "features not recorded" if has is None else ", ".join(name for name in TELLING if name in has)
    return f"{machine['cpu']}, {machine['cores']} cores ({known})"


def ceilings_told(result: Result) -> str:
    """What fewer bits gain at most on the machine of a result, in words; nothing where that was not measured."""
    found = {kind: gain for kind, gain in result.get("ceilings", {}).items() if kind != "why"}
    each = " and ".join(f"{gain:.2f} in {kind}" for kind, gain in found.items())
    return f"3x3 convolutions alone are so many times as fast as in float32: {each}" if each else ""


def results_in(folder: Path) -> list[Result]:
    """The results of all machines, in the order of their names."""
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]


def side_by_side(results: Sequence[Result], folder: str) -> str:
    """The page of all machines: their bars, and how they compare with the best of the others, network by network."""
    letters = [chr(ord("A") + i) for i in range(len(results))]
    listed = "\n".join(
        f"- **{letter}**: {told(r['machine'])}; [all numbers]({folder}/{slug(r['machine'])}.md)"
        + (f"; {text}" if (text := ceilings_told(r)) else "")
        for letter, r in zip(letters, results, strict=True)
    )
    found = [{(n, b["title"]): b for n, b in enumerate(bars(r))} for r in results]
    rows = [
        [title, next(f[key]["bar"] for f in found if key in f), *(_cell(f.get(key)) for f in found)]
        for key in dict.fromkeys(key for f in found for key in f)
        for title in [key[1]]
    ]
    text = f"""\
# Performance, machine by machine

Written by `python -m tools.bench.performance --write` (`make bench`), which measures the machine that it runs on and
leaves the results of the others as they are. Ratios are of contestants in one run; **bold** misses its bar,
and nothing stands where a bar is newer than the last run.

{listed}

## Bars

{table(["what", "bar", *letters], rows)}"""
    for measure, title in (("network", "the network alone"), ("detect", "image to detections")):
        each = [best_ratios(r["networks"], measure) for r in results]
        names = dict.fromkeys(name for found in each for name in found)
        rows = [[name, *(f"{f[name]:.2f}" if name in f else "" for f in each)] for name in names]
        text += (
            f"\n\n## Best back end / best other side, {title}\n\nfloat32; more than 1 is faster than the others.\n\n"
            f"{table(['network', *letters], rows)}"
        )
    return text + "\n"


def _cell(bar: Result | None) -> str:
    if bar is None or bar["value"] is None:
        return ""
    return f"{bar['value']:.3g}" if bar["met"] else f"**{bar['value']:.3g}**"
