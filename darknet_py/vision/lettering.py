"""Text in any script, for pictures: OpenCV's own fonts have ASCII only, so other letters are drawn by Pillow.

Decision: a font is looked for among those that are installed, by the letters it has (its `cmap`, read here, because
Pillow does not tell); a label may mix fonts. What nothing can draw becomes a question mark, and that is said, once.
"""

from __future__ import annotations

import os
import struct
import sys
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAX_FONTS = 4000  # files looked at
MAX_TABLE = 1 << 22  # bytes of a cmap
CAPITAL = 0.73  # of a font's size is the height of its capital letters, in DejaVu Sans as in most
UNKNOWN = "?"
INVISIBLE = frozenset("\u200b\u200c\u200d\u200e\u200f\u2060\ufe0e\ufe0f")  # joiners and marks, which need no glyph
SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
STYLES = ("bold", "italic", "oblique", "light", "thin", "black", "medium", "condensed", "extra", "semi")
OTHER_USES = ("mono", "serif", "math", "tex", "stix", "cm", "symbol", "display", "code")
PLAIN = ("dejavusans", "notosans", "arialuni", "segoeui", "pingfang", "msyh", "malgun", "wqy")
INSTALL = "pip install 'darknet-compiler[letters]'"


@dataclass(frozen=True)
class Font:
    """A font file, and the number of the font in it where it has several."""

    path: Path
    index: int = 0

    def has(self, letter: str) -> bool:
        """Whether the font has a glyph for a letter."""
        place = bisect_right(_coverage(self), (ord(letter), sys.maxunicode)) - 1
        return place >= 0 and ord(letter) <= _coverage(self)[place][1]


@dataclass(frozen=True, eq=False)
class Text:
    """A drawn line of text: `ink` (h, w) uint8, 255 where the letters are, and how far its base is from its top."""

    ink: np.ndarray
    ascent: int


@lru_cache(1024)
def written(text: str, capital: float) -> Text | None:
    """A line of text whose capital letters are `capital` pixels high; None where no letters can be had but ASCII's.

    >>> written("plain", 12) is None
    True
    """
    if text.isascii():
        return None
    if find_spec("PIL") is None:
        _say_once(f"names with other letters than ASCII's are drawn as {UNKNOWN!r} without Pillow: {INSTALL}")
        return None
    from PIL import Image, ImageDraw

    size = max(6, round(capital / CAPITAL))
    try:
        pieces = [(piece, _opened(font, size)) for piece, font in _pieces(text)]
    except ImportError:  # Pillow without FreeType
        _say_once(f"names with other letters than ASCII's are drawn as {UNKNOWN!r}: this Pillow has no FreeType")
        return None
    if not any(font for _, font in pieces):
        return None
    pieces = [(piece, font) for piece, font in pieces if font is not None]
    boxes = [font.getbbox(piece, anchor="ls") for piece, font in pieces]
    ascent = max(round(capital), *(-int(np.floor(box[1])) for box in boxes))
    descent = max(0, *(int(np.ceil(box[3])) for box in boxes))
    advances = [font.getlength(piece) for piece, font in pieces]
    # A letter may reach over its advance, at the end of the line too.
    width = int(np.ceil(sum(advances))) + max(0, int(np.ceil(boxes[-1][2] - advances[-1])))
    image = Image.new("L", (max(1, width), max(1, ascent + descent)))
    pen, x = ImageDraw.Draw(image), 0.0
    for (piece, font), advance in zip(pieces, advances, strict=True):
        pen.text((x, ascent), piece, fill=255, font=font, anchor="ls")
        x += advance
    return Text(np.asarray(image), ascent)


def _pieces(text: str) -> list[tuple[str, Font | None]]:
    """The text in pieces of one font each, the one that has most of it where it can; unknown letters are replaced."""
    letters = "".join(c for c in text if c.isprintable() or c in INVISIBLE)
    wanted = frozenset(letters) - INVISIBLE
    fonts = _fonts_for(wanted)
    main = fonts[0] if fonts else next(iter(fonts_here()), None)
    lacking = sorted(c for c in wanted if not any(f.has(c) for f in fonts))
    if lacking:
        _say_once(f"no font here has the letters {''.join(lacking)[:20]!a} of {text!a}: they are drawn as {UNKNOWN!r}")
    chosen: list[tuple[str, Font | None]] = []
    for letter in letters:
        if letter in INVISIBLE:
            chosen.append((letter, chosen[-1][1] if chosen else main))
        else:
            font = next((f for f in fonts if f.has(letter)), None)
            chosen.append((letter, font) if font else (UNKNOWN, main))
    return [("".join(c for c, _ in group), font) for font, group in groupby(chosen, key=lambda pair: pair[1])]


@lru_cache(256)
def _fonts_for(letters: frozenset[str]) -> tuple[Font, ...]:
    """Few fonts that have all the letters together, as far as there are such; the one that has most comes first."""
    chosen: list[Font] = []
    left = set(letters)
    while left:
        best, most = None, 0
        for font in fonts_here():
            count = sum(map(font.has, left))
            if count > most:
                best, most = font, count
            if most == len(left):
                break
        if best is None:
            break
        chosen.append(best)
        left = {c for c in left if not best.has(c)}
    return tuple(chosen)


@lru_cache(1)
def fonts_here() -> tuple[Font, ...]:
    """The fonts of this machine that draw in outlines, plain ones without serifs first."""
    found: dict[str, Path] = {}
    for folder in _folders():
        for path in _files(folder):
            found.setdefault(path.name, path)
            if len(found) >= MAX_FONTS:
                break
    paths = sorted(found.values(), key=lambda p: (_strangeness(p.stem.lower()), p.name))
    return tuple(Font(path, index) for path in paths for index in range(_count(path)))


def _strangeness(name: str) -> int:
    """How far from a plain font for labels: weights and slants count, and what is not for reading counts more."""
    return sum(word in name for word in STYLES) + 4 * sum(word in name for word in OTHER_USES) - name.startswith(PLAIN)


def _folders() -> Iterator[Path]:
    """Where fonts are installed, and where matplotlib and OpenCV bring some."""
    home = Path.home()
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts")
        yield Path(os.environ.get("LOCALAPPDATA", home / "AppData/Local"), "Microsoft/Windows/Fonts")
    elif sys.platform == "darwin":
        yield from (home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts"))
    else:
        data = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
        own = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
        yield from (own / "fonts", home / ".fonts", *(Path(d, "fonts") for d in data.split(":")))
    for package, inside in (("matplotlib", "mpl-data/fonts/ttf"), ("cv2", "qt/fonts")):
        spec = find_spec(package)
        if spec and spec.origin:
            yield Path(spec.origin).parent / inside


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(root, name) for name in sorted(names) if name.lower().endswith(SUFFIXES))


def _opened(font: Font | None, size: int) -> Any:
    from PIL import ImageFont

    if font is None:
        return None
    try:
        return ImageFont.truetype(str(font.path), size, font.index)
    except OSError:  # in a form that this FreeType cannot read
        return None


def _count(path: Path) -> int:
    """How many fonts a file has; 0 for one that has none to draw with."""
    with suppress(OSError, struct.error), path.open("rb") as file:
        head = file.read(12)
        count = min(struct.unpack(">I", head[8:12])[0], 64) if head[:4] == b"ttcf" else 1
        tables = _tables(file, 0)
        # Bitmaps (colour emoji) have one size only.
        return count if "cmap" in tables and tables.keys() & {"glyf", "CFF ", "CFF2"} else 0
    return 0


def _tables(file: BinaryIO, index: int) -> dict[str, tuple[int, int]]:
    """The tables of a font: (offset, length) by tag."""
    file.seek(0)
    start = 0
    if file.read(4) == b"ttcf":
        file.seek(12 + 4 * index)
        (start,) = struct.unpack(">I", file.read(4))
    file.seek(start + 4)
    (count,) = struct.unpack(">H", file.read(2))
    file.seek(start + 12)
    rows = (struct.unpack(">4sIII", file.read(16)) for _ in range(min(count, 256)))
    return {tag.decode("latin-1"): (offset, length) for tag, _, offset, length in rows}


@lru_cache(512)
def _coverage(font: Font) -> tuple[tuple[int, int], ...]:
    """The ranges of characters, first and last, that a font has glyphs for (OpenType's table cmap)."""
    with suppress(OSError, struct.error, KeyError), font.path.open("rb") as file:
        offset, length = _tables(file, font.index)["cmap"]
        file.seek(offset)
        return _ranges(file.read(min(length, MAX_TABLE)))
    return ()


def _ranges(cmap: bytes) -> tuple[tuple[int, int], ...]:
    """The ranges of the Unicode subtables of a cmap, of formats 4 (16 bits) and 12 (32 bits)."""
    found: set[tuple[int, int]] = set()
    (count,) = struct.unpack_from(">H", cmap, 2)
    for i in range(min(count, 64)):
        platform, encoding, start = struct.unpack_from(">HHI", cmap, 4 + 8 * i)
        if platform != 0 and (platform, encoding) not in ((3, 1), (3, 10)):
            continue
        (form,) = struct.unpack_from(">H", cmap, start)
        if form == 4:
            (double,) = struct.unpack_from(">H", cmap, start + 6)
            ends = np.frombuffer(cmap, ">u2", double // 2, start + 14).tolist()
            starts = np.frombuffer(cmap, ">u2", double // 2, start + 16 + double).tolist()
            found.update((a, b) for a, b in zip(starts, ends, strict=True) if a != 0xFFFF)
        elif form == 12:
            (groups,) = struct.unpack_from(">I", cmap, start + 12)
            rows = np.frombuffer(cmap, ">u4", 3 * groups, start + 16).reshape(-1, 3)
            found.update((int(a), int(b)) for a, b, _ in rows)
    return tuple(sorted(found))


@lru_cache(64)
def _say_once(text: str) -> None:
    if sys.stderr is not None:  # as it is where the shell has closed it
        print(text, file=sys.stderr)
