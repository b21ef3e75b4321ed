"""What chance decides about one picture of a detector (`Draw`), and the picture and its boxes with it applied.

Decision: drawing and applying are apart. A `Draw` is plain numbers that a test can write down, and everything after it
is a pure function of the picture and the draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ....errors import DataError
from .blend import BACKGROUND, allowed_blur, blurred, noisy
from .colours import SAME, Tint, tint_bytes
from .geometry import WHOLE, Excerpt, Size, excerpt_of, shown_pixels
from .options import MOSAIC, Augmentation
from .sizes import random_scale
from .truth import place, smallest_side

BYTE = np.float32(255)
COLOURS = 3
BLURS = 3  # none, of the background, as the cfg says: equally often


@dataclass(frozen=True)
class Draw:
    """How one picture is changed: what is shown of it, mirrored or not, its colours, blur and noise."""

    excerpt: Excerpt = WHOLE
    flip: bool = False
    tint: Tint = SAME
    blur: int = 0
    noise: int = 0


def draw_of(chance: np.random.Generator, options: Augmentation, picture: Size, net: Size, quadrant: int = -1) -> Draw:
    """What chance decides about a picture of a size, which may become one of a mosaic's quadrants (0 to 3).

    An excerpt that shows nothing of the picture, where Darknet fails, becomes the whole picture.
    """
    sides = chance.random(6)
    flip, hue, blur, noise, push = chance.random(5)
    saturation, exposure = random_scale(chance, options.saturation), random_scale(chance, options.exposure)
    mirrored = bool(options.flip) and flip < 0.5
    excerpt = excerpt_of(tuple(sides), picture, options.jitter, options.resize)
    excerpt = _checked(excerpt, picture)
    if options.letter_box:
        excerpt = excerpt.letterboxed(picture, net)
    if options.mixing == MOSAIC and quadrant >= 0 and push < 0.5:
        excerpt = _checked(excerpt.pushed(quadrant, mirrored), picture)
    return Draw(
        excerpt, mirrored, Tint(options.hue * (2 * float(hue) - 1), saturation, exposure),
        _blur(options.blur, float(blur)), options.gaussian_noise if noise < 0.5 else 0,
    )  # fmt: skip


def _checked(excerpt: Excerpt, picture: Size) -> Excerpt:
    return excerpt if excerpt.shows(picture) else WHOLE


def _blur(blur: int, chance: float) -> int:
    return (0, BACKGROUND, blur)[int(chance * BLURS)] if blur else 0


def drawn_rows(rows: np.ndarray, draw: Draw, picture: Size, net: Size, options: Augmentation) -> np.ndarray:
    """The objects (m, 6) of a picture that a draw shows, relative to the network's input."""
    return place(
        rows, draw.excerpt, picture, net, flip=draw.flip, classes=options.classes, slots=options.max_boxes
    )  # fmt: skip


def drawn_pixels(
    pixels: np.ndarray, draw: Draw, rows: np.ndarray, net: Size, *,
    part: tuple[slice, slice] | None = None, noise: np.random.Generator | None = None,
) -> np.ndarray:  # fmt: skip
    """A picture (h, w[, c]) uint8 in BGR as a draw shows it, at the network's size, or a `part` of that.

    `rows` are the placed objects, which a blur spares. The result may share memory with `pixels`.
    """
    blur = allowed_blur(draw.blur, smallest_side(rows, net))
    image = shown_pixels(pixels, draw.excerpt, net)
    image = cv2.flip(image, 1) if draw.flip else image
    if part and not blur:
        image, part = image[part], None
    image = blurred(tint_bytes(image, draw.tint), blur, rows)
    image = image[part] if part else image
    return noisy(image, draw.noise, noise) if draw.noise and noise else image


def to_planes(pixels: np.ndarray, out: np.ndarray) -> None:
    """Pixels (h, w[, c]) uint8 in BGR as planes (c, h, w) float32 in RGB, divided by 255.

    Raises `DataError` for other channels.
    """
    planes = [pixels] if pixels.ndim == 2 else list(cv2.split(pixels))
    if len(planes) != len(out):
        raise DataError(f"the picture has {len(planes)} channels, and the network wants {len(out)}")
    if len(planes) > COLOURS - 1:
        planes[:COLOURS] = planes[COLOURS - 1 :: -1]
    for plane, values in zip(out, planes, strict=True):
        np.copyto(plane, values)
    out /= BYTE
