"""Print: words, lines and whole pages in many fonts, as ink from 0 to 255, drawn once and kept.

Decision: the fonts are those that come with Matplotlib and Pillow, so that everybody draws the same; what a word or a
page says depends on its number alone. They are made the first time they are wanted: a picture costs a crop.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .dice import Dice

FONTS = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf",
    "DejaVuSerif-Italic.ttf", "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf", "DejaVuSansDisplay.ttf",
    "STIXGeneral.ttf", "STIXGeneralBol.ttf", "STIXGeneralItalic.ttf", "cmr10.ttf", "cmss10.ttf", "cmtt10.ttf", "",
)  # fmt: skip
ALPHABETS = (
    "eeeeaaaiiiooottnnssrrlldcumpghbfvwyk", "EEAAIIOOTTNSRLDCUMPGHBFVWYK", "0123456789", "0123456789ABCDEFGHJKLMN",
    "оеаинтсрвлкмдпуяы", "αβγδεζηθικλμνξοπρστυφχψω",
)  # fmt: skip
WITH_ALL_ALPHABETS = 9  # the first fonts have Greek and Cyrillic letters
WORDS, CAPTIONS, PAGES = 320, 160, 28  # that are told apart
HEIGHT = 36  # pixels of a kept word
PAGE = 560  # pixels of a side of a kept page
WORD_SEED, PAGE_SEED, CAPTION_SEED = 101, 102, 103


@cache
def font(number: int, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of so many pixels."""
    if not FONTS[number]:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / FONTS[number]), size)


def _phrase(dice: Dice, alphabet: str, words: int) -> str:
    said = [dice.text(alphabet, dice.whole(1, 9)) for _ in range(words)]
    return " ".join(w.capitalize() if dice.yes(0.3) else w for w in said)


def _roll_font(dice: Dice) -> tuple[int, str]:
    number = dice.below(len(FONTS))
    return number, dice.of(ALPHABETS if number < WITH_ALL_ALPHABETS else ALPHABETS[:4])


@lru_cache(WORDS)
def word(number: int) -> np.ndarray:
    """Ink (HEIGHT, w) uint8 of a few words."""
    dice = Dice(WORD_SEED, number)
    which, alphabet = _roll_font(dice)
    return line(_phrase(dice, alphabet, dice.whole(1, 4)), which)


@lru_cache(CAPTIONS)
def caption(number: int) -> np.ndarray:
    """Ink (HEIGHT, w) uint8 of what stands under bars: groups of digits, sometimes letters, in a plain font."""
    dice = Dice(CAPTION_SEED, number)
    letters = dice.of((ALPHABETS[2], ALPHABETS[2], ALPHABETS[3]))
    groups = [dice.text(letters, dice.whole(1, 7)) for _ in range(dice.whole(1, 4))]
    return line(dice.of((" ", "  ", "")).join(groups), dice.of((0, 0, 1, 6, 7, 13, 15)))


def line(text: str, which: int) -> np.ndarray:
    """Ink (HEIGHT, w) uint8 of a text in a font."""
    letters = font(which, HEIGHT - 8)
    box = letters.getbbox(text)
    image = Image.new("L", (max(4, int(box[2]) + 4), HEIGHT))
    ImageDraw.Draw(image).text((2, -2), text, fill=255, font=letters)
    return np.asarray(image)


@lru_cache(PAGES)
def page(number: int) -> np.ndarray:
    """Ink (PAGE, PAGE) uint8 of a page full of text: columns, headings, sometimes a table's rules."""
    dice = Dice(PAGE_SEED, number)
    which, alphabet = _roll_font(dice)
    size = int(dice.ratio(10, 34))
    image = Image.new("L", (PAGE, PAGE))
    draw = ImageDraw.Draw(image)
    columns = dice.whole(1, 3)
    width = PAGE // columns
    spacing = size * dice.between(1.1, 1.6)
    for column in range(columns):
        y = dice.between(0, spacing)
        while y < PAGE:
            heading = dice.yes(0.06)
            grown = int(size * 1.7) if heading else size
            letters = font(1 if heading else which, grown)
            text = "" if dice.yes(0.05) else _phrase(dice, alphabet, 12)
            cut = max(1, int(width / (0.55 * grown) * (dice.between(0.3, 1) if dice.yes(0.15) else 0.97)))
            draw.text((column * width + 4, y), text[:cut], fill=255, font=letters)
            y += spacing * grown / size
        if dice.yes(0.3):
            draw.line((column * width, 0, column * width, PAGE), fill=200, width=2)
    return np.asarray(image)


def roll_word(dice: Dice, height: int, most: int) -> np.ndarray:
    """Ink (height, w) of words at a height in pixels, w at most `most`."""
    return scaled(word(dice.below(WORDS)), height, most)


def scaled(ink: np.ndarray, height: int, most: int) -> np.ndarray:
    """Ink of another height and at most so wide."""
    width = max(1, round(ink.shape[1] * height / ink.shape[0]))
    shrunk = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA if height < len(ink) else cv2.INTER_LINEAR)
    return shrunk[:, :most]


def roll_caption(dice: Dice, height: int, most: int) -> np.ndarray:
    """Ink (height, w) of what stands under bars, w at most `most`."""
    return scaled(caption(dice.below(CAPTIONS)), height, most)


def roll_page(dice: Dice, height: int, width: int) -> np.ndarray:
    """Ink (height, width) of a part of a page at a size by chance."""
    whole = page(dice.below(PAGES))
    share = dice.between(0.25, 1)
    rows, columns = int(PAGE * share), max(8, min(PAGE, int(PAGE * share * width / max(height, 1))))
    top, left = dice.below(PAGE - rows + 1), dice.below(PAGE - columns + 1)
    part = whole[top : top + rows, left : left + columns]
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
