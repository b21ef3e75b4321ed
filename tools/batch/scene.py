"""What the tools work on: a small network, and many pictures made of few, under other names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tools.train.shapes import draw_pictures

CFG = Path(__file__).parents[1] / "train" / "shapes.cfg"
DRAWN = 24  # pictures, of which the others are links


@dataclass(frozen=True)
class Scene:
    """A network as the command line has it, and a folder of pictures."""

    network: tuple[str, ...]
    pictures: Path


def prepared(folder: Path, count: int, cfg: Path | None, pictures: Path | None) -> Scene:
    """So many pictures in a folder: links to those of another one, or to drawn ones. Random weights unless `cfg`."""
    if pictures is None:
        draw_pictures(folder / "drawn", DRAWN, 1)
        pictures = folder / "drawn"
    found = sorted(p for p in pictures.rglob("*") if p.suffix in (".jpg", ".png"))
    many = folder / "pictures"
    many.mkdir()
    for i in range(count):
        source = found[i % len(found)]
        os.link(source, many / f"{i:07d}{source.suffix}") if _same_disk(source, many) else (
            many / f"{i:07d}{source.suffix}"
        ).symlink_to(source.absolute())
    return Scene((str(cfg),) if cfg else (str(CFG), "--random-weights", "1"), many)


def _same_disk(a: Path, b: Path) -> bool:
    return a.stat().st_dev == b.stat().st_dev
