"""The codes themselves: contents by chance, drawn by zxing-cpp's writer at one pixel a module.

Decision: a `Symbol` is its modules and the part of them that a box is about, as the test photos are labelled: no quiet
zone, and of EAN and UPC the bars without the tails of the guards. What the writer cannot make of a content is rolled
anew, so each symbology has its share whatever its rules are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import zxingcpp

from darknet_py.errors import DataError
from tools.networks.codes import NAMES

from .dice import Dice

BARCODE, QRCODE, DATAMATRIX, AZTEC, PDF417 = range(len(NAMES))
SHARES = ((0.29, BARCODE), (0.23, QRCODE), (0.18, DATAMATRIX), (0.13, AZTEC), (0.17, PDF417))
TRIES = 6
LONGER = (2.0, 1.0, 1.0, 1.0, 1.6)  # modules of a side that a class may have, to those of a square code

DIGITS = "0123456789"
CAPITALS = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LETTERS = CAPITALS + "abcdefghijklmnopqrstuvwxyz"
TEXT = LETTERS + " .:/-?=&%+$"
TAILS = {"EAN13": 5, "EAN8": 5, "UPCA": 5, "UPCE": 5, "ISBN": 5}  # rows of modules below the bars
FRAMED, FRAME, FRAME_QUIET = "ITF14", 5, 10  # bars in a frame of so many modules, and the quiet zone inside it

Content = Callable[[Dice, int], tuple[str, dict[str, Any]]]


@dataclass(frozen=True, eq=False)
class Symbol:
    """A code: `modules` (h, w) uint8, 0 or 255, one pixel a module (of bars: a column), and its class.

    `box` is what is labelled: left, top, right and bottom in modules. `stretches` says that its height is free, as that
    of bars is.
    """

    kind: str
    cls: int
    modules: np.ndarray
    box: tuple[int, int, int, int]
    stretches: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in modules."""
        return self.modules.shape[0], self.modules.shape[1]


def roll_symbol(dice: Dice, cls: int | None = None, *, most: int = 200) -> Symbol:
    """A code of a class (default: by `SHARES`) of about so many modules a side at most. Raises `DataError`."""
    number = dice.weighted(SHARES) if cls is None else cls
    most = int(most * LONGER[number])
    for _ in range(TRIES):
        kind = dice.weighted(KINDS[number])
        found = make_symbol(kind, number, dice, most)
        if found is not None and max(found.size) <= most:
            return found
    return _plain(number)


def make_symbol(kind: str, cls: int, dice: Dice, most: int = 200) -> Symbol | None:
    """A code of a symbology, as the writer calls it, which has not many more modules a side than `most`.

    None where the writer cannot write the content that was rolled.
    """
    content, options = CONTENTS[kind](dice, most)
    try:
        written = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, kind), **options)
        modules = np.array(written.to_image(scale=1, add_quiet_zones=kind == FRAMED))
    except ValueError:
        return None
    height, width = modules.shape
    if kind == FRAMED:
        inner = (FRAME + FRAME_QUIET, FRAME, width - FRAME - FRAME_QUIET, height - FRAME)
        return Symbol(kind, cls, modules, inner, stretches=False)
    if kind in TAILS and "+" in content:
        width = _without_add_on(modules)
    box = (0, 0, width, height - TAILS.get(kind, 0))
    return Symbol(kind, cls, modules, box, stretches=cls == BARCODE and kind not in STACKED)


def _without_add_on(modules: np.ndarray) -> int:
    """The columns before the gap of an EAN with an add-on: the first light run that is wider than any bar or space."""
    dark = (modules[modules.shape[0] // 2] == 0).astype(int)
    ends = np.flatnonzero(np.diff(dark) == -1) + 1
    begins = np.flatnonzero(np.diff(dark) == 1) + 1
    gaps = begins[1:] - ends[: len(begins) - 1] if begins[0] < ends[0] else begins - ends[: len(begins)]
    return int(ends[int(np.argmax(gaps))])


def _plain(cls: int) -> Symbol:
    """What every writer can write, in the place of what was too large."""
    kind = ("EAN13", "QRCode", "DataMatrix", "Aztec", "PDF417")[cls]
    modules = np.array(
        zxingcpp.create_barcode("123456789012", getattr(zxingcpp.BarcodeFormat, kind)).to_image(
            scale=1, add_quiet_zones=False
        )
    )
    if not modules.size:
        raise DataError(f"zxing-cpp draws no {kind}")
    return Symbol(kind, cls, modules, (0, 0, modules.shape[1], modules.shape[0] - TAILS.get(kind, 0)), cls == 0)


# -- contents --------------------------------------------------------------------------------------------------------


def _digits(low: int, high: int, *, even: bool = False) -> Content:
    def content(dice: Dice, most: int) -> tuple[str, dict[str, Any]]:
        count = dice.whole(low, max(low, min(high, most // 6)))
        return dice.text(DIGITS, count + (count % 2 if even else 0)), {}

    return content


def _letters(letters: str, low: int, high: int) -> Content:
    return lambda dice, most: (dice.text(letters, dice.whole(low, max(low, min(high, most // 11)))), {})


def _retail(count: int) -> Content:
    """So many digits, and often an add-on of 2 or 5, as books and magazines have: no code, but it looks like one."""

    def content(dice: Dice, most: int) -> tuple[str, dict[str, Any]]:
        more = f"+{dice.text(DIGITS, dice.of((2, 5, 5)))}" if dice.yes(0.25) else ""
        return dice.text(DIGITS, count) + more, {}

    return content


def _any_text(dice: Dice, length: int) -> str:
    if dice.yes(0.2):
        return dice.text(DIGITS, length)
    if dice.yes(0.3):
        return ("https://" + dice.text(LETTERS, length))[: max(length, 1)]
    return dice.text(TEXT, length)


def _fitting(dice: Dice, most: int, low: int, high: int, modules: float) -> str:
    """Text of a length that fits a square of so many modules a side, at `modules` a letter; short ones are oftener."""
    return _any_text(dice, int(dice.ratio(low, max(low + 1, min(high, most * most / modules)))))


def _qr(dice: Dice, most: int) -> tuple[str, dict[str, Any]]:
    level = {"ec_level": dice.of("LMQH")}
    if dice.yes(0.2):
        return _any_text(dice, dice.whole(4, 16)), {**level, "version": dice.whole(2, max(2, min(14, most // 4 - 4)))}
    return _fitting(dice, most, 4, 700, 16), level


def _data_matrix(dice: Dice, most: int) -> tuple[str, dict[str, Any]]:
    if dice.yes(0.25):  # versions from 25 on are rectangles, from 31 on the extended ones
        return dice.text(CAPITALS, dice.whole(2, 20)), {"version": dice.whole(25, 48)}
    if dice.yes(0.15):
        return dice.text(CAPITALS, dice.whole(3, 12)), {"version": dice.whole(1, max(2, min(24, most // 4)))}
    return _fitting(dice, most, 2, 500, 12), {}


def _aztec(dice: Dice, most: int) -> tuple[str, dict[str, Any]]:
    if dice.yes(0.15):
        return dice.text(CAPITALS, dice.whole(1, 10)), {"version": dice.whole(1, max(2, min(20, most // 5)))}
    return _fitting(dice, most, 2, 1400, 14), {"ec_level": f"{dice.of((10, 23, 23, 36, 50))}%"}


def _pdf417(dice: Dice, most: int) -> tuple[str, dict[str, Any]]:
    fits = max(1, min(16, (most - 69) // 17))  # of 17 modules each, beside start, stop and indicators
    options: dict[str, Any] = {"columns": dice.whole(1, fits)} if dice.yes(0.75) or fits < 6 else {}
    if dice.yes(0.5):
        options["ec_level"] = str(dice.whole(0, 5))
    return _any_text(dice, int(dice.ratio(4, min(500, 30 * fits)))), options


def _micro_pdf417(dice: Dice, most: int) -> tuple[str, dict[str, Any]]:
    return _any_text(dice, int(dice.ratio(3, 60))), {}


def _gs1(dice: Dice, most: int) -> tuple[str, dict[str, Any]]:
    return f"[01]9{dice.text(DIGITS, 13)}", {}


def _isbn(dice: Dice, most: int) -> tuple[str, dict[str, Any]]:
    body = "978" + dice.text(DIGITS, 9)
    total = sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(body))
    return f"{body}{-total % 10}", {}


def _film(dice: Dice, most: int) -> tuple[str, dict[str, Any]]:
    return f"{dice.whole(16, 127)}-{dice.whole(1, 15)}/{dice.whole(1, 60)}A", {}


CONTENTS: dict[str, Content] = {
    "EAN13": _retail(12), "EAN8": _digits(7, 7), "UPCA": _retail(11), "ISBN": _isbn,
    "UPCE": lambda dice, most: ("0" + dice.text(DIGITS, 6), {}),
    "Code128": _letters(TEXT, 3, 24), "Code39": _letters(CAPITALS, 3, 14), "Code39Ext": _letters(LETTERS, 3, 9),
    "Code32": _digits(8, 8), "PZN": _digits(7, 7), "Code93": _letters(CAPITALS, 4, 18),
    "Codabar": lambda dice, most: (f"A{dice.text(DIGITS, dice.whole(4, max(4, min(14, most // 11))))}B", {}),
    "ITF": _digits(6, 24, even=True), "ITF14": _digits(13, 13), "Telepen": _letters(LETTERS, 3, 12),
    "TelepenNumeric": _digits(6, 16, even=True), "DataBarOmni": _digits(13, 13), "DataBarLtd": _digits(12, 12),
    "DataBarStk": _digits(13, 13), "DataBarStkOmni": _digits(13, 13), "DataBarExp": _gs1, "DataBarExpStk": _gs1,
    "DXFilmEdge": _film, "QRCode": _qr, "MicroQRCode": _letters(CAPITALS, 2, 12), "RMQRCode": _letters(LETTERS, 3, 40),
    "DataMatrix": _data_matrix, "Aztec": _aztec, "AztecRune": lambda dice, most: (str(dice.below(256)), {}),
    "PDF417": _pdf417, "CompactPDF417": _pdf417, "MicroPDF417": _micro_pdf417,
}  # fmt: skip
STACKED = frozenset({"DataBarStk", "DataBarStkOmni", "DataBarExpStk", "DXFilmEdge"})
KINDS: tuple[tuple[tuple[float, str], ...], ...] = (
    (
        (16, "EAN13"), (4, "EAN8"), (12, "UPCA"), (5, "UPCE"), (4, "ISBN"), (16, "Code128"), (9, "Code39"),
        (1, "Code39Ext"), (1, "Code32"), (1, "PZN"), (5, "Code93"), (5, "Codabar"), (6, "ITF"), (5, "ITF14"),
        (1, "Telepen"), (1, "TelepenNumeric"), (2, "DataBarOmni"), (1, "DataBarLtd"), (0.7, "DataBarStk"),
        (1, "DataBarStkOmni"), (1.5, "DataBarExp"), (1.5, "DataBarExpStk"), (0.3, "DXFilmEdge"),
    ),
    ((88, "QRCode"), (8, "MicroQRCode"), (4, "RMQRCode")),
    ((1, "DataMatrix"),),
    ((96, "Aztec"), (4, "AztecRune")),
    ((86, "PDF417"), (8, "CompactPDF417"), (6, "MicroPDF417")),
)  # fmt: skip
