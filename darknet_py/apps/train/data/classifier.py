"""The pictures of a classifier: turned, cut out, tinted and mixed as Darknet does it (image.c, data.c)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ....errors import DataError
from .colours import SAME, Tint, tint_floats
from .drawing import BYTE
from .geometry import Size
from .mosaic import Cut
from .options import Augmentation
from .sizes import random_scale

LEAST_PATCH, MOST_PATCH = 0.3, 0.8  # of a side, of what cutmix puts in (data.c load_data_augment)
BLURRED = 4  # one in so many is blurred, if at all
USUAL_KERNEL = 15  # pixels of the kernel where blur=1


@dataclass(frozen=True)
class Turn:
    """How a picture is cut out: turned by `radians`, `scale` times as large, `aspect` times as narrow, and moved."""

    radians: float = 0.0
    scale: float = 1.0
    aspect: float = 1.0
    dx: float = 0.0
    dy: float = 0.0
    flip: bool = False
    tint: Tint = SAME


def turn_of(chance: np.random.Generator, options: Augmentation, picture: Size, side: int) -> Turn:
    """What chance decides about a picture of a size, of which a square of `side` pixels is cut (image.c:1068)."""
    height, width = picture
    aspect = random_scale(chance, options.aspect)
    crop, angle, dx, dy, flip, hue = chance.random(6)
    edge = options.min_crop + int(crop * (options.max_crop - options.min_crop + 1))
    scale = edge / max(1, min(height, int(width * aspect)))
    most_x = max(0.0, (width * scale / aspect - side) / 2)
    most_y = max(0.0, (height * scale - side) / 2)
    tint = Tint(
        options.hue * (2 * float(hue) - 1),
        random_scale(chance, options.saturation), random_scale(chance, options.exposure),
    )  # fmt: skip
    return Turn(
        np.radians(options.angle * (2 * angle - 1)), scale, aspect, most_x * (2 * dx - 1), most_y * (2 * dy - 1),
        bool(options.flip) and flip < 0.5, tint,
    )  # fmt: skip


def turned(image: np.ndarray, turn: Turn, size: Size) -> np.ndarray:
    """A part (h, w, c) float32 of an image (h, w, c) float32; what is beyond it is 0 (image.c rotate_crop_image)."""
    height, width = size
    cos, sin = np.cos(turn.radians), np.sin(turn.radians)
    step_x, step_y = turn.aspect / turn.scale, 1 / turn.scale
    x, y = (turn.dx - width / 2) * step_x, (turn.dy - height / 2) * step_y
    matrix = np.array([
        [cos * step_x, -sin * step_y, cos * x - sin * y + image.shape[1] / 2],
        [sin * step_x, cos * step_y, sin * x + cos * y + image.shape[0] / 2],
    ])  # fmt: skip
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return part.reshape(height, width, image.shape[2])


def cut_out(pixels: np.ndarray, turn: Turn, net: Size, out: np.ndarray) -> None:
    """A picture (h, w[, c]) uint8 in BGR, turned, mirrored and tinted, into planes (c, h, w) float32 in RGB."""
    image = pixels[..., None] if pixels.ndim == 2 else pixels
    if image.shape[2] != len(out):
        raise DataError(f"the picture has {image.shape[2]} channels, and the network wants {len(out)}")
    if image.shape[2] > 2:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    side = max(net)
    part = turned(np.divide(image, BYTE, dtype=np.float32), turn, (side, side))
    part = part[:, ::-1] if turn.flip else part
    if not turn.tint.is_none:
        part = tint_floats(np.ascontiguousarray(part), turn.tint)
    if net != (side, side):
        part = cv2.resize(np.ascontiguousarray(part), net[::-1], interpolation=cv2.INTER_LINEAR).reshape(*net, -1)
    np.copyto(out, part.transpose(2, 0, 1))


def one_hot(number: int, classes: int, smooth: float) -> np.ndarray:
    """The wanted scores (classes,) float32 of a picture (data.c fill_truth_smooth).

    >>> one_hot(1, 3, 0.5).tolist()
    [0.25, 0.5, 0.25]
    """
    wanted = np.full(classes, smooth / max(1, classes - 1), np.float32)
    wanted[number] = 1 - smooth
    return wanted


@dataclass(frozen=True)
class Patch:
    """The part of a picture, in pixels, that cutmix takes from another one."""

    left: int
    top: int
    width: int
    height: int

    def share(self, net: Size) -> float:
        """Its part of the whole area."""
        return self.width * self.height / (net[0] * net[1])


def patch_of(chances: np.ndarray, net: Size) -> Patch:
    """The patch that four numbers of [0, 1) mean (data.c load_data_augment)."""
    height, width = net
    across, down = (
        int(side * LEAST_PATCH) + int(c * (int(side * MOST_PATCH) - int(side * LEAST_PATCH) + 1))
        for side, c in zip((width, height), chances[:2], strict=True)
    )
    return Patch(int(chances[2] * (width - across)), int(chances[3] * (height - down)), across, down)


def put_patch(image: np.ndarray, other: np.ndarray, patch: Patch) -> None:
    """Put a patch of another image (c, h, w) into one."""
    here = np.s_[:, patch.top : patch.top + patch.height, patch.left : patch.left + patch.width]
    image[here] = other[here]


def put_quarters(image: np.ndarray, others: Sequence[np.ndarray], cut: Cut) -> np.ndarray:
    """Put the quarters of three other images (c, h, w) beside and below the top left of one; the four areas' shares."""
    second, third, fourth = others
    image[:, : cut.y, cut.x :] = second[:, : cut.y, cut.x :]
    image[:, cut.y :, : cut.x] = third[:, cut.y :, : cut.x]
    image[:, cut.y :, cut.x :] = fourth[:, cut.y :, cut.x :]
    height, width = image.shape[1:]
    columns, rows = np.array([cut.x, width - cut.x]), np.array([cut.y, height - cut.y])
    return (rows[:, None] * columns[None]).reshape(-1) / (width * height)


def blur_planes(image: np.ndarray, blur: int) -> None:
    """Blur planes (c, h, w) by a Gaussian of `blur` pixels, rounded up to an odd number; 1 means 15 (blur_image)."""
    side = USUAL_KERNEL if blur == 1 else blur | 1
    for plane in image:
        plane[:] = cv2.GaussianBlur(plane, (side, side), 0)
