"""Which part of a picture is shown, how it gets the size of the network, and where it ends up in there.

Decision: a `Excerpt` is four whole numbers, the pixels that are cut off at each side (negative: how far it reaches
beyond the picture), as Darknet has them. Pixels and boxes are both moved by it, so that they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Excerpt:
    """Pixels of a picture that are cut off at each side; negative ones are added (data.c: pleft, ptop, pright, pbot).

    >>> Excerpt(10, 0, -20, 0).size((100, 200))
    (100, 210)
    """

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def size(self, picture: Size) -> Size:
        """The (height, width) of what is shown of a picture."""
        return picture[0] - self.top - self.bottom, picture[1] - self.left - self.right

    def shows(self, picture: Size) -> bool:
        """Whether there is any pixel of the picture in it."""
        height, width = picture
        inside = self.left < width and self.top < height and self.right < width and self.bottom < height
        return inside and min(self.size(picture)) > 0

    def letterboxed(self, picture: Size, net: Size) -> Excerpt:
        """Widened to the network's shape (data.c load_data_detection: letter_box)."""
        height, width = picture
        shape = np.float32(net[1]) / np.float32(net[0])
        if np.float32(width) / np.float32(height) / shape > 1:
            more = (np.float32(width) / shape - np.float32(height)) / 2
            return replace(self, top=int(self.top - more), bottom=int(self.bottom - more))
        more = (np.float32(height) * shape - np.float32(width)) / 2
        return replace(self, left=int(self.left - more), right=int(self.right - more))

    def pushed(self, quadrant: int, flip: bool) -> Excerpt:
        """With all that is cut off or added at one end of each side (data.c: "move each 2nd image to the corner").

        So more of the picture is in the quadrant of a mosaic: 0 to 3 are top left and right, bottom left and right.
        """
        across, down = self.left + self.right, self.top + self.bottom
        left, right = (0, across) if (quadrant in (0, 2)) != flip else (across, 0)
        top, bottom = (0, down) if quadrant in (0, 1) else (down, 0)
        return Excerpt(left, top, right, bottom)

    def mirrored(self) -> Excerpt:
        """As it is in a picture that was flipped."""
        return replace(self, left=self.right, right=self.left)


WHOLE = Excerpt()


def excerpt_of(chances: tuple[float, ...], picture: Size, jitter: float, resize: float) -> Excerpt:
    """The excerpt that six numbers of [0, 1) mean: left, right, top, bottom, and two for `resize` (data.c:1041, :1367).

    Each border moves by up to `jitter` of the picture's side; then up to `resize` times more or less is shown.
    """
    height, width = picture
    left, right, top, bottom, first, second = map(np.float32, chances)
    across, down = (int(np.float32(side) * np.float32(jitter)) for side in (width, height))
    low, high = _scaled(width, resize), _scaled(height, resize)
    return Excerpt(
        _moved(across, left, low, first), _moved(down, top, high, first),
        _moved(across, right, low, second), _moved(down, bottom, high, second),
    )  # fmt: skip


def _scaled(side: int, resize: float) -> tuple[int, int]:
    """The least and the most that `resize` cuts off at each end of a side; below 1 it only adds."""
    factor = np.float32(resize)
    down, up = (1 / factor, factor) if factor > 1 else (factor, 1 / factor)
    least = int(np.float32(side) * (1 - (1 / down)) / 2)
    most = int(np.float32(side) * (1 - (1 / up)) / 2)
    return least, 0 if factor < 1 else most


def _moved(jitter: int, chance: np.float32, scaled: tuple[int, int], again: np.float32) -> int:
    own = int(_between(-jitter, jitter, chance))
    return int(np.float32(own) + _between(*scaled, again))


def _between(low: int, high: int, chance: np.float32) -> np.float32:
    return np.float32(chance * np.float32(high - low) + np.float32(low))


def shown_pixels(pixels: np.ndarray, excerpt: Excerpt, net: Size) -> np.ndarray:
    """What an excerpt shows of a picture (h, w[, c]) uint8, at the network's size (image_opencv.cpp).

    What is beyond the picture has its mean colour; OpenCV's bilinear resize. The result may be a view of `pixels`.
    """
    height, width = excerpt.size(pixels.shape[:2])
    part = pixels[max(0, excerpt.top) : pixels.shape[0] - max(0, excerpt.bottom)]
    part = part[:, max(0, excerpt.left) : pixels.shape[1] - max(0, excerpt.right)]
    if part.shape[:2] != (height, width):
        top, bottom, left, right = (max(0, -s) for s in (excerpt.top, excerpt.bottom, excerpt.left, excerpt.right))
        part = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_CONSTANT, value=cv2.mean(pixels))
    return part if part.shape[:2] == net else cv2.resize(part, net[::-1], interpolation=cv2.INTER_LINEAR)
