"""`python -m tools.train.codes.example`: the picture that the detector is shown on first, codes of all kinds on a desk.

Decision: it is arranged, not rolled, so that every code can be found and read, and is none of the pictures that are
trained on; the pieces are those of the drawn pictures. What the codes say is made up, and leads nowhere.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import zxingcpp

from .backgrounds import put_ink, wood
from .dice import Dice
from .letters import line, scaled
from .papers import EDGE
from .sheet import encoded
from .surfaces import Surface
from .textures import field

EXAMPLE = Path(__file__).with_name("example.webp")
WIDTH, HEIGHT = 960, 720
FINE = 2  # times as fine everything is drawn, before it is reduced
MOST = 150_000  # bytes of the file
SEED = 24
PLAIN, BOLD, MONO = 0, 1, 6  # of `letters.FONTS`

BLACK, DIM = (30.0, 26.0, 24.0), (110.0, 104.0, 100.0)
BLUE, RED, GREEN, WHITE = (150.0, 84.0, 20.0), (44.0, 40.0, 196.0), (72.0, 118.0, 30.0), (250.0, 250.0, 250.0)
Colour = tuple[float, float, float]  # blue, green, red


class Piece:
    """A piece of paper that is printed on, (h, w, 3) uint8; places and sizes are in pixels of the picture."""

    def __init__(self, width: int, height: int, paper: Colour) -> None:
        self.pixels = np.empty((height * FINE, width * FINE, 3), np.uint8)
        self.pixels[:] = paper

    def words(self, at: tuple[int, int], text: str, height: int, font: int = PLAIN, colour: Colour = BLACK) -> None:
        """Print a line of text."""
        ink = scaled(line(text, font), height * FINE, self.pixels.shape[1])
        put_ink(self.pixels, ink, (at[0] * FINE, at[1] * FINE), colour)

    def area(self, at: tuple[int, int], size: tuple[int, int], colour: Colour) -> None:
        """Print an area of (width, height)."""
        left, top, width, height = (FINE * side for side in (*at, *size))
        self.pixels[top : top + height, left : left + width] = colour

    def code(
        self, at: tuple[int, int], kind: str, content: str, module: float, tall: int = 0, **how: str | int
    ) -> None:
        """Print a code at `module` pixels each; of one of bars, `tall` pixels high."""
        written = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, kind), **how)
        modules = 255 - np.array(written.to_image(scale=1, add_quiet_zones=False))
        modules = modules[:1] if tall else modules
        height, width = tall or round(len(modules) * module), round(modules.shape[1] * module)
        ink = cv2.resize(modules, (width * FINE, height * FINE), interpolation=cv2.INTER_NEAREST)
        put_ink(self.pixels, ink, (at[0] * FINE, at[1] * FINE), BLACK)


def parcel() -> Piece:
    """The label of a parcel: bars, and a PDF417 with all that they stand for."""
    label = Piece(400, 424, (244, 248, 250))
    label.area((0, 0), (400, 46), BLACK)
    label.words((16, 9), "PRIORITY", 30, BOLD, WHITE)
    label.words((258, 13), "2.4 kg   1 / 1", 20, PLAIN, WHITE)
    for row, text in enumerate(
        ("From  Example Ltd, 1 Sample Street", "To      A. N. Other", "          27 Nowhere Lane")
    ):
        label.words((16, 60 + 26 * row), text, 22, BOLD if row == 1 else PLAIN)
    label.area((12, 146), (376, 2), BLACK)
    label.code((38, 166), "Code128", "DK4711081529", 2.5, tall=92)
    label.words((130, 264), "DK4711081529", 20, MONO)
    label.area((12, 296), (376, 2), BLACK)
    content = "FROM EXAMPLE LTD 1 SAMPLE STREET TO A N OTHER 27 NOWHERE LANE 2.4 KG"
    label.code((35, 314), "PDF417", content, 2.4, columns=4)
    return label


def ticket() -> Piece:
    """A ticket with an Aztec code."""
    paper = Piece(372, 176, (246, 238, 222))
    paper.area((0, 0), (372, 34), BLUE)
    paper.words((14, 6), "DAY TICKET", 24, BOLD, WHITE)
    for row, (text, height) in enumerate((("Anywhere", 26), ("to  Elsewhere", 26), ("Coach 7   Seat 42", 18))):
        paper.words((14, 46 + 32 * row), text, height, BOLD if row < 2 else PLAIN)
    paper.words((14, 144), "No. 000 123 456", 18, MONO, DIM)
    paper.code((232, 46), "Aztec", "DAY TICKET ANYWHERE - ELSEWHERE COACH 7 SEAT 42", 3.6)
    return paper


def card() -> Piece:
    """A card with a QR code."""
    paper = Piece(196, 236, WHITE)
    paper.area((0, 0), (196, 40), RED)
    paper.words((22, 8), "SCAN ME", 26, BOLD, WHITE)
    paper.code((33, 58), "QRCode", "https://example.org/menu", 5.2, ec_level="M")
    paper.words((36, 204), "today's menu", 20)
    return paper


def product() -> Piece:
    """The back of a package with an EAN-13."""
    paper = Piece(250, 158, (232, 246, 240))
    paper.area((0, 0), (250, 30), GREEN)
    paper.words((12, 4), "GREEN TEA  250 g", 22, BOLD, WHITE)
    paper.area((18, 38), (214, 112), WHITE)
    paper.code((30, 46), "EAN13", "590123412345", 2, tall=76)
    paper.words((42, 124), "5 901234 123457", 22, MONO)
    return paper


def plate() -> Piece:
    """The plate of a device with a DataMatrix."""
    metal = Piece(232, 122, (196, 194, 190))
    metal.area((4, 4), (224, 114), (212, 210, 207))
    metal.code((17, 17), "DataMatrix", "SN 2026-004711 REV C", 4, version=7)
    for row, text in enumerate(("MODEL  X1", "REV C", "SN 004711")):
        metal.words((122, 20 + 30 * row), text, 19, MONO)
    return metal


def chip() -> Piece:
    """A sticker with another QR code."""
    paper = Piece(120, 120, (120, 214, 250))
    paper.code((18, 18), "QRCode", "WIFI:S:GUEST;;", 4, ec_level="L")
    return paper


# Each with the place of its middle in the picture, degrees that it is turned by, and how much it leans back.
PIECES = (
    (parcel, (246, 366), -4.0, 0.10), (ticket, (718, 142), 6.0, 0.06), (card, (828, 400), -9.0, 0.08),
    (product, (600, 590), 3.0, 0.06), (plate, (594, 366), -3.0, 0.05), (chip, (846, 620), 14.0, 0.04),
)  # fmt: skip


def surface_of(size: tuple[int, int], middle: tuple[int, int], turn: float, lean: float) -> Surface:
    """How a piece of (height, width) pixels lies: turned by degrees round its middle, its far side smaller."""
    height, width = size
    c, s = math.cos(math.radians(turn)) / FINE, math.sin(math.radians(turn)) / FINE
    put = np.array([[1, 0, middle[0]], [0, 1, middle[1]], [0, 0, 1.0]])
    leant = np.array([[1, 0, 0], [0, 1 - lean / 2, 0], [0, -lean / (height / FINE), 1]])
    return Surface(put @ leant @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]]
    ))  # fmt: skip


def lay(image: np.ndarray, piece: Piece, surface: Surface) -> None:
    """Put a piece into the picture, with its shadow."""
    cover = np.zeros(piece.pixels.shape[:2], np.uint8)
    cover[EDGE:-EDGE, EDGE:-EDGE] = 255
    shown = surface.show(cv2.merge([*cv2.split(piece.pixels), cover]), (0, 0), (HEIGHT, WIDTH), FINE)
    covered = shown[..., 3].astype(np.float32) / 255
    for reach, depth in ((3, 0.35), (14, 0.3)):  # where it touches, and around
        moved = cv2.warpAffine(covered, np.array([[1, 0, reach / 2], [0, 1, reach]], np.float32), (WIDTH, HEIGHT))
        shade = 1 - depth * cv2.GaussianBlur(moved, (0, 0), reach)
        image[:] = cv2.multiply(image, cv2.merge([shade] * 3), dtype=cv2.CV_8U)
    image[:] = cv2.blendLinear(np.ascontiguousarray(shown[..., :3]), image, covered, 1 - covered)


def draw_example() -> np.ndarray:
    """The picture, (HEIGHT, WIDTH, 3) uint8 in BGR."""
    dice = Dice(SEED)
    image = np.ascontiguousarray(wood(dice, WIDTH)[:HEIGHT])
    for make, middle, turn, lean in PIECES:
        piece = make()
        lay(image, piece, surface_of(piece.pixels.shape[:2], middle, turn, lean))
    light = 0.86 + 0.2 * field(dice, WIDTH, 3)[:HEIGHT]
    image = cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_8U)
    noise = (dice.array(HEIGHT, WIDTH) - 0.5) * 6
    return cv2.add(image, cv2.merge([noise] * 3), dtype=cv2.CV_8U)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write it, and say where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=EXAMPLE)
    given = parser.parse_args(arguments)
    given.out.write_bytes(encoded(draw_example(), MOST))
    print(given.out)


if __name__ == "__main__":
    main()
