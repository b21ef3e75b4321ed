"""What lies around and under codes, and what is taken for them: textures and print without any code.

Decision: everything is drawn, nothing is photographed, so nobody's rights are in it. `HELD_OUT` are those of the
validation pictures only, and are never trained on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from . import letters
from .dice import Dice
from .textures import bars, clouds, contrast, field, grain, mapped, plane, turn_of

Background = Callable[[Dice, int], np.ndarray]


def roll_background(dice: Dice, size: int, *, held_out: bool = False, hard: bool = False) -> np.ndarray:
    """A picture (size, size, 3) uint8 without codes; `hard` for what looks like them."""
    choices = HELD_OUT if held_out else HARD if hard else TRAINED
    image = dice.weighted(choices)(dice, size)
    if dice.yes(0.25 if hard else 0.12):
        image = _beside(dice, image, dice.weighted(choices)(dice, size))
    return image


def _beside(dice: Dice, image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Two of them with an edge between, such as a table before a wall."""
    size = len(image)
    edge = plane(dice, size, dice.between(0, 2 * math.pi), size) > dice.between(-0.2, 1.2)
    return np.where(edge[..., None], image, other)


# -- plain surfaces ----------------------------------------------------------------------------------------------------


def plain(dice: Dice, size: int) -> np.ndarray:
    """A wall, paper, or a table, with hardly any texture."""
    base = dice.colour(0, 255) if dice.yes(0.6) else np.repeat(dice.colour(10, 250)[:1], 3)
    other = base + dice.around(0, 40)
    return grain(dice, mapped(field(dice, size, dice.whole(2, 4)), base, other), dice.between(0, 8))


def cloudy(dice: Dice, size: int) -> np.ndarray:
    """Stone, skin, leaves, bokeh: whatever has spots of two or three colours."""
    image = mapped(clouds(dice, size, dice.ratio(0.02, 0.5)), *contrast(dice))
    if dice.yes(0.5):
        mask = cv2.merge([clouds(dice, size, dice.ratio(0.02, 0.3))] * 3)
        image = cv2.convertScaleAbs(image * mask + (1 - mask) * dice.colour())
    return image


def wood(dice: Dice, size: int) -> np.ndarray:
    """Boards with their grain."""
    light = np.array([dice.between(40, 150), dice.between(80, 190), dice.between(120, 230)], np.float32)
    values = clouds(dice, size, 0.8, wide=dice.ratio(8, 40))
    values = 0.6 * values + 0.4 * np.mod(values * dice.between(2, 8), 1)
    image = mapped(values.astype(np.float32), light * dice.between(0.35, 0.8), light)
    for _ in range(dice.below(5)):
        y = dice.below(size)
        cv2.line(image, (0, y), (size, y + dice.whole(-2, 2)), tuple(map(float, light * 0.3)), dice.whole(1, 2))
    return np.ascontiguousarray(image.transpose(1, 0, 2)) if dice.yes(0.4) else image


def fabric(dice: Dice, size: int) -> np.ndarray:
    """Weaves, carpets, denim."""
    period = dice.ratio(2.2, 16)
    turn = turn_of(dice)
    across = np.sin(2 * math.pi * plane(dice, size, turn, period, warp=dice.between(0, 3)))
    along = np.sin(2 * math.pi * plane(dice, size, turn + math.pi / 2, period * dice.ratio(0.6, 1.6)))
    values = 0.5 + 0.25 * across * along + 0.25 * (dice.array(size, size) - 0.5) * dice.between(0, 2)
    if dice.yes(0.4):
        values += 0.3 * (np.sign(across) * np.sign(along)) * dice.between(0, 1)
    return mapped(np.clip(values, 0, 1).astype(np.float32), *contrast(dice))


def noise(dice: Dice, size: int) -> np.ndarray:
    """Gravel, terrazzo, static: blocks or spots by chance, without any order."""
    cell = dice.ratio(1, 10)
    count = max(4, int(size / cell))
    values = dice.array(count, max(4, int(count * dice.ratio(0.7, 1.4))))
    if dice.yes(0.4):
        values = (values > dice.between(0.3, 0.7)).astype(np.float32)
    how = cv2.INTER_NEAREST if dice.yes(0.3) else cv2.INTER_CUBIC
    image = cv2.resize(values, (size, size), interpolation=how)
    return mapped(np.clip(image, 0, 1), *contrast(dice))


# -- lines -------------------------------------------------------------------------------------------------------------


def stripes(dice: Dice, size: int) -> np.ndarray:
    """Fences, blinds, radiators, corduroy, combs: lines that repeat."""
    place = plane(dice, size, turn_of(dice), dice.ratio(3, 60), warp=dice.between(0, 2) if dice.yes(0.3) else 0)
    values = bars(dice, place) if dice.yes(0.6) else 0.5 + 0.5 * np.sin(2 * math.pi * place)
    image = mapped(values.astype(np.float32), *contrast(dice))
    return cv2.multiply(image, cv2.merge([0.5 + field(dice, size, 3)] * 3), dtype=cv2.CV_8U)


def hatching(dice: Dice, size: int) -> np.ndarray:
    """Crowds of straight lines: grass, hair, wires, scratches, drawings."""
    image = plain(dice, size)
    turn, spread = dice.between(0, math.pi), dice.ratio(0.02, 3)
    colours = [tuple(map(float, dice.colour())) for _ in range(3)]
    length = dice.ratio(0.1, 1.5) * size
    for x, y, a, n in dice.array(dice.whole(20, 160), 4):
        angle = turn + spread * (float(a) - 0.5)
        dx, dy = 0.5 * length * math.cos(angle), 0.5 * length * math.sin(angle)
        begin, end = (int(x * size - dx), int(y * size - dy)), (int(x * size + dx), int(y * size + dy))
        cv2.line(image, begin, end, colours[int(n * 3)], 1 + int(n * 10) % 3, cv2.LINE_AA)
    return image


def grid(dice: Dice, size: int) -> np.ndarray:
    """Tiles, windows, squared paper, chessboards, bricks."""
    turn, period = turn_of(dice), dice.ratio(5, 70)
    across = plane(dice, size, turn, period)
    along = plane(dice, size, turn + math.pi / 2, period * dice.ratio(0.4, 2))
    if dice.yes(0.3):
        along += 0.5 * (np.floor(across) % 2)  # bricks
    joint = dice.ratio(0.03, 0.3)
    lines = (np.mod(across, 1) < joint) | (np.mod(along, 1) < joint)
    if dice.yes(0.3):
        tone = ((np.floor(across) + np.floor(along)) % 2).astype(np.float32)
    else:
        shades = dice.array(16, 16) * dice.between(0, 0.8)
        tone = shades[np.mod(np.floor(across), 16).astype(int), np.mod(np.floor(along), 16).astype(int)]
    first, second = contrast(dice)
    return mapped(np.where(lines, 1 if dice.yes(0.7) else 0, tone).astype(np.float32), first, second)


def halftone(dice: Dice, size: int) -> np.ndarray:
    """Dots of a printed picture, perforated metal, loudspeakers, peg boards."""
    turn, period = dice.between(0, math.pi / 2), dice.ratio(3, 24)
    across = np.cos(2 * math.pi * plane(dice, size, turn, period))
    along = np.cos(2 * math.pi * plane(dice, size, turn + math.pi / 2, period))
    level = field(dice, size, dice.whole(2, 5)) * 2 - 1 if dice.yes(0.6) else dice.between(-0.7, 0.7)
    values = np.clip((across + along - 1.4 * level) * dice.ratio(1, 4) + 0.5, 0, 1)
    return mapped(values.astype(np.float32), *contrast(dice))


# -- print -------------------------------------------------------------------------------------------------------------


def text(dice: Dice, size: int) -> np.ndarray:
    """Pages of text, newspapers, screens."""
    paper, ink = dice.colour(180, 255), dice.colour(0, 90)
    if dice.yes(0.2):
        paper, ink = ink, paper
    image = mapped(letters.roll_page(dice, size, size), paper, ink)
    return _turned(dice, image, tuple(map(float, paper)))


def _turned(dice: Dice, image: np.ndarray, border: tuple[float, ...]) -> np.ndarray:
    if dice.yes(0.4):
        return image
    size = len(image)
    turn = dice.around(0, 25) + 90 * dice.below(4)
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), turn, dice.between(0.9, 1.5))
    how = cv2.BORDER_REFLECT if dice.yes(0.7) else cv2.BORDER_CONSTANT
    return cv2.warpAffine(image, matrix, (size, size), borderMode=how, borderValue=border)


def poster(dice: Dice, size: int) -> np.ndarray:
    """Packages, posters, book covers: areas of colour with words of all sizes and signs."""
    image = plain(dice, size)
    for _ in range(dice.whole(3, 14)):
        _put_sign(dice, image)
    return _turned(dice, image, tuple(map(float, dice.colour())))


def _put_sign(dice: Dice, image: np.ndarray) -> None:
    size = len(image)
    colour = tuple(map(float, dice.colour()))
    x, y, w, h = (int(v * size) for v in (*dice.array(2), *(dice.array(2) * 0.5 + 0.02)))
    kind = dice.below(6)
    if kind < 3:
        put_words(dice, image, (x - w // 2, y), max(6, int(dice.ratio(0.03, 0.25) * size)), colour)
    elif kind == 3:
        cv2.rectangle(image, (x - w // 2, y - h // 2), (x + w // 2, y + h // 2), colour, dice.of((-1, -1, 1, 2)))
    elif kind == 4:
        cv2.ellipse(image, (x, y), (w // 2, h // 2), dice.between(0, 180), 0, 360, colour, dice.of((-1, -1, 2, 4)))
    else:
        points = (np.array([x, y]) + (dice.array(dice.whole(3, 6), 2) - 0.5) * [w, h]).astype(np.int32)
        cv2.fillPoly(image, [points], colour, cv2.LINE_AA)


def put_words(
    dice: Dice, image: np.ndarray, at: tuple[int, int], height: int, colour: tuple[float, ...]
) -> tuple[int, int]:
    """Print words with their top left corner at a place; their (height, width) in pixels."""
    return put_ink(image, letters.roll_word(dice, height, image.shape[1]), at, colour)


def under(image: np.ndarray, ink: np.ndarray, at: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture that ink with its top left corner at a place falls on, and that part of the ink."""
    x, y = at
    left, top = max(0, -x), max(0, -y)
    part = image[max(0, y) : max(0, y + ink.shape[0]), max(0, x) : max(0, x + ink.shape[1])]
    mask = ink[top : top + part.shape[0], left : left + part.shape[1]]
    return part[: mask.shape[0], : mask.shape[1]], mask


def put_ink(image: np.ndarray, ink: np.ndarray, at: tuple[int, int], colour: tuple[float, ...]) -> tuple[int, int]:
    """Print ink (h, w) of a colour with its top left corner at a place; its (height, width)."""
    part, mask = under(image, ink, at)
    if part.size:
        share = mask.astype(np.float32) * np.float32(1 / 255)
        tone = np.empty(part.shape, np.uint8)
        tone[:] = np.clip(colour[:3], 0, 255)
        part[:] = cv2.blendLinear(tone, np.ascontiguousarray(part), share, 1 - share)
    return ink.shape[0], ink.shape[1]


def keyboard(dice: Dice, size: int) -> np.ndarray:
    """Keys, calculators, calendars, app icons: boxes in rows with a sign in each."""
    image = plain(dice, size)
    body, sign = (tuple(map(float, c)) for c in contrast(dice))
    width, height = dice.ratio(14, 60), dice.ratio(14, 60)
    gap = dice.between(0.05, 0.3)
    empty = dice.yes(0.2)
    for row in range(int(size / height) + 1):
        x = -dice.between(0, width)
        while x < size:
            wide = width * (dice.between(1, 3) if dice.yes(0.1) else 1)
            left, top = int(x), int(row * height)
            right, bottom = int(x + wide * (1 - gap)), int(top + height * (1 - gap))
            cv2.rectangle(image, (left, top), (right, bottom), body, -1)
            if not empty:
                inner = max(4, int((bottom - top) * 0.45))
                ink = letters.roll_word(dice, inner, max(3, int((right - left) * 0.7)))
                put_ink(image, ink, (left + (right - left) // 6, top + inner // 2), sign)
            x += wide
    return _turned(dice, image, body)


def circuits(dice: Dice, size: int) -> np.ndarray:
    """Mazes, circuit boards, city maps: straight lines with right angles."""
    cells = dice.whole(8, 40)
    image = np.zeros((2 * cells + 1, 2 * cells + 1), np.float32)
    image[1::2, 1::2] = 1
    holes = dice.array(cells, cells)
    share = dice.between(0.3, 0.7)
    image[2::2, 1::2] = holes < share
    image[1::2, 2::2] = share < holes.T if dice.yes(0.5) else holes > share
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_NEAREST if dice.yes(0.5) else cv2.INTER_LINEAR)
    return _turned(dice, mapped(image, *contrast(dice)), (128.0, 128.0, 128.0))


def targets(dice: Dice, size: int) -> np.ndarray:
    """Rings and squares inside each other: targets, knobs, frames, lone finder patterns."""
    image = cloudy(dice, size) if dice.yes(0.4) else plain(dice, size)
    square = dice.yes(0.5)
    for _ in range(dice.whole(1, 7)):
        x, y, radius = dice.below(size), dice.below(size), int(dice.ratio(0.04, 0.4) * size)
        dark, light = (tuple(map(float, c)) for c in contrast(dice))
        rings = dice.whole(2, 7)
        turn = dice.between(0, 90) if dice.yes(0.5) else 0.0
        for ring in range(rings):
            r = radius * (1 - ring / rings)
            colour = dark if ring % 2 else light
            if square:
                box = cv2.boxPoints(((x, y), (2 * r, 2 * r), turn)).astype(np.int32)
                cv2.fillPoly(image, [box], colour, cv2.LINE_AA)
            else:
                cv2.circle(image, (x, y), int(r), colour, -1, cv2.LINE_AA)
    return image


def crossword(dice: Dice, size: int) -> np.ndarray:
    """Crosswords, pixel art, QR-like mosaics with large squares, patterns of sweaters: few squares, mirrored or not."""
    cells = dice.whole(5, 22)
    values = (dice.array(cells, cells) < dice.between(0.2, 0.6)).astype(np.float32)
    if dice.yes(0.6):
        values = np.maximum(values, values[:, ::-1])
    if dice.yes(0.5):
        values = np.tile(values[: max(3, cells // 2), : max(3, cells // 2)], (2, 2))
    image = cv2.resize(values, (size, size), interpolation=cv2.INTER_NEAREST)
    if dice.yes(0.5):
        lines = np.mod(np.arange(size) * len(values) / size, 1) < 0.12
        image[lines] = image[:, lines] = 0.6
    return _turned(dice, mapped(image, *contrast(dice)), (200.0, 200.0, 200.0))


def clutter(dice: Dice, size: int) -> np.ndarray:
    """A room out of focus: large shapes, lamps, edges, hands."""
    image = cloudy(dice, size)
    for _ in range(dice.whole(2, 10)):
        _put_sign(dice, image)
    for _ in range(dice.below(4)):
        put_finger(dice, image, (dice.below(size), dice.below(size)))
    if dice.yes(0.8):
        image = cv2.GaussianBlur(image, (0, 0), dice.ratio(0.5, 0.03 * size))
    return image


def put_finger(dice: Dice, image: np.ndarray, at: tuple[int, int], width: float | None = None) -> None:
    """A finger from outside that ends near a place."""
    size = len(image)
    tone = dice.between(0.35, 1.05)
    skin = np.array([120, 150, 210], np.float32) * tone + dice.colour(-15, 15)
    turn, wide = dice.between(0, 2 * math.pi), width or dice.ratio(0.06, 0.2) * size
    end = np.array([math.cos(turn), math.sin(turn)]) * size * 1.2
    for step in range(5):
        colour = tuple(map(float, np.clip(skin * (0.72 + 0.08 * step), 0, 255)))
        thick = max(1, int(wide * (1 - 0.19 * step)))
        cv2.line(image, at, (int(at[0] + end[0]), int(at[1] + end[1])), colour, thick, cv2.LINE_AA)


# -- of the validation pictures only -----------------------------------------------------------------------------------


def honeycomb(dice: Dice, size: int) -> np.ndarray:
    """Hexagons, wire netting, scales."""
    period = dice.ratio(8, 50)
    turn = dice.between(0, math.pi)
    waves = [np.cos(2 * math.pi * plane(dice, size, turn + k * math.pi / 3, period)) for k in range(3)]
    values = np.clip(sum(waves) / 3 * dice.ratio(1, 4) + 0.4, 0, 1)
    return mapped(values.astype(np.float32), *contrast(dice))


def ripples(dice: Dice, size: int) -> np.ndarray:
    """Water, sand, marble, zebras: lines that bend."""
    values = clouds(dice, size, dice.ratio(0.02, 0.1))
    values = 0.5 + 0.5 * np.sin(values * dice.ratio(20, 120))
    values = (values > dice.between(0.3, 0.7)).astype(np.float32) if dice.yes(0.4) else values
    return mapped(values.astype(np.float32), *contrast(dice))


def score_sheet(dice: Dice, size: int) -> np.ndarray:
    """Sheet music, forms and tables: rules in groups with signs on them."""
    image = np.full((size, size, 3), 245, np.uint8)
    step, lines = dice.between(3, 9), dice.whole(2, 6)
    y = dice.between(0, 20)
    while y < size:
        for k in range(lines):
            cv2.line(image, (0, int(y + k * step)), (size, int(y + k * step)), (60, 60, 60), 1)
        for x in dice.array(dice.whole(4, 30)) * size:
            at = int(y + dice.between(0, lines) * step)
            cv2.ellipse(image, (int(x), at), (int(step * 0.6) + 1, int(step * 0.45) + 1), -20, 0, 360, (20, 20, 20), -1)
            cv2.line(image, (int(x + step * 0.6), at), (int(x + step * 0.6), int(at - step * 3)), (20, 20, 20), 1)
        y += lines * step + dice.between(1, 4) * step
    return _turned(dice, image, (245.0, 245.0, 245.0))


def bubbles(dice: Dice, size: int) -> np.ndarray:
    """Pebbles, lights, coins, bottles from above: many circles."""
    image = plain(dice, size)
    for x, y, r, tone in dice.array(dice.whole(10, 120), 4):
        colour = tuple(map(float, dice.colour(40, 255) * (0.4 + 0.6 * float(tone))))
        radius = max(1, int(float(r) ** 3 * 0.15 * size) + 1)
        cv2.circle(image, (int(x * size), int(y * size)), radius, colour, -1 if tone > 0.3 else 1, cv2.LINE_AA)
    return image


TRAINED: tuple[tuple[float, Background], ...] = (
    (16, plain), (10, cloudy), (9, wood), (7, fabric), (3, noise), (4, stripes), (3, hatching), (4, grid),
    (2, halftone), (14, text), (12, poster), (3, keyboard), (1, circuits), (1, targets), (1, crossword), (10, clutter),
)  # fmt: skip
HARD: tuple[tuple[float, Background], ...] = (
    (3, cloudy), (3, wood), (8, fabric), (6, noise), (12, stripes), (7, hatching), (10, grid), (7, halftone),
    (14, text), (8, poster), (8, keyboard), (6, circuits), (5, targets), (7, crossword), (4, clutter),
)  # fmt: skip
HELD_OUT: tuple[tuple[float, Background], ...] = ((3, honeycomb), (3, ripples), (3, score_sheet), (3, bubbles))
