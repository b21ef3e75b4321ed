"""The networks that come with this package: what they are, how large, and what they cost.

Decision: a cfg of ours says all this in its first comment, written with it and checked with it, so a list of them all
needs no compiler and is there at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

from .find import installed_cfgs

_TITLE = re.compile(r"edit that\. (?P<title>.+?), for (?P<width>\d+)x(?P<height>\d+) images\.")
_COST = re.compile(r"Here: (?P<params>[\d.]+) M parameters, (?P<bflops>[\d.]+) BFLOPs\.")


@dataclass(frozen=True)
class InstalledCfg:
    """A cfg of ours: `size` is (height, width), `params` and `bflops` are millions and billions as the paper counts.

    `task` is 'classify' (ImageNet) or 'detect' (COCO).
    """

    name: str
    cfg: Path
    title: str
    task: str
    size: tuple[int, int]
    params: float
    bflops: float


@cache
def list_installed() -> tuple[InstalledCfg, ...]:
    """Every network that comes with this package, by name.

    >>> next(n.title for n in list_installed() if n.name == "yolov3-csppelee-efm")
    "CSPPeleeNet-EFM (SAM), the paper's mobile detector"
    """
    return tuple(_describe(path) for path in installed_cfgs())


def _describe(path: Path) -> InstalledCfg:
    text = path.read_text("utf-8")
    lines = takewhile(lambda line: line.startswith("#"), text.splitlines())
    comment = " ".join(line.removeprefix("#").strip() for line in lines)
    title, cost = _TITLE.search(comment), _COST.search(comment)
    assert title is not None, f"{path} does not have the title that tools/networks gives it"
    assert cost is not None, f"{path} does not say what it costs"
    return InstalledCfg(
        path.stem,
        path,
        title["title"],
        "detect" if "[yolo]" in text else "classify",
        (int(title["height"]), int(title["width"])),
        float(cost["params"]),
        float(cost["bflops"]),
    )
