"""The chart of a training: average loss, and mAP in percent, over iterations, as SVG and as PNG, with OpenCV alone.

Decision: both are drawn from the same lines in the same frame, so one says what the other does. Darknet's axes: loss up
to `max_chart_loss`, all iterations of the training from left to right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import cv2
import numpy as np

WIDTH, HEIGHT = 1000, 700
LEFT, RIGHT, TOP, BOTTOM = 70, 930, 50, 640
LOSS, SCORE, GRID, TEXT = "#1f4fd0", "#c02020", "#d8d8d8", "#303030"
PARTS = 10  # of each axis
MOST_POINTS = 2000  # of a curve: two for each pixel across

Point = tuple[float, float]


@dataclass
class Curves:
    """What is charted: (iteration, average loss) and (iteration, score from 0 to 1)."""

    loss: list[Point] = field(default_factory=list)
    score: list[Point] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The highest score; 0 where there is none."""
        return max((score for _, score in self.score), default=0.0)

    def add_loss(self, iteration: int, average: float) -> None:
        """Add a point; of half a million iterations only as many are kept as the chart shows."""
        self.loss.append((iteration, average))
        if len(self.loss) > 2 * MOST_POINTS:
            self.loss = _thin(self.loss)

    def thinned(self) -> Curves:
        """The same in at most `MOST_POINTS` points each."""
        return Curves(_thin(self.loss), _thin(self.score))


def svg_chart(curves: Curves, iterations: int, highest: float, title: str, score: str = "mAP") -> str:
    """The chart as an SVG document of 1000 x 700."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    ]
    for (x1, y1), (x2, y2) in _grid():
        parts.append(f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{GRID}"/>')
    for text, (x, y), anchor, colour in _texts(curves, iterations, highest, title, score):
        parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>')
    for points, colour in _lines(curves, iterations, highest):
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return "\n".join([*parts, "</svg>\n"])


def png_chart(curves: Curves, iterations: int, highest: float, title: str, score: str = "mAP") -> bytes:
    """The chart as a PNG of 1000 x 700."""
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for a, b in _grid():
        cv2.line(canvas, a, b, _bgr(GRID))
    for text, (x, y), anchor, colour in _texts(curves, iterations, highest, title, score):
        plain = text.encode("ascii", "replace").decode()  # OpenCV's letters
        (width, _), _ = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)
        shift = {"start": 0, "middle": width // 2, "end": width}[anchor]
        cv2.putText(canvas, plain, (x - shift, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _bgr(colour), 1, cv2.LINE_AA)
    for points, colour in _lines(curves, iterations, highest):
        cv2.polylines(canvas, [np.rint(points).astype(np.int32)], False, _bgr(colour), 1, cv2.LINE_AA)
    done, data = cv2.imencode(".png", canvas)
    assert done, "OpenCV encodes PNG"
    return data.tobytes()


def _grid() -> list[tuple[tuple[int, int], tuple[int, int]]]:
    xs = [LEFT + (RIGHT - LEFT) * i // PARTS for i in range(PARTS + 1)]
    ys = [TOP + (BOTTOM - TOP) * i // PARTS for i in range(PARTS + 1)]
    return [*(((x, TOP), (x, BOTTOM)) for x in xs), *(((LEFT, y), (RIGHT, y)) for y in ys)]


def _texts(
    curves: Curves, iterations: int, highest: float, title: str, score: str
) -> list[tuple[str, tuple[int, int], str, str]]:
    """Each text with its place, how it is aligned and its colour."""
    found = [(title, (LEFT, 30), "start", TEXT)]
    for i in range(PARTS + 1):
        x, y = LEFT + (RIGHT - LEFT) * i // PARTS, BOTTOM - (BOTTOM - TOP) * i // PARTS
        found.append((f"{iterations * i // PARTS}", (x, BOTTOM + 20), "middle", TEXT))
        found.append((f"{highest * i / PARTS:g}", (LEFT - 8, y + 4), "end", LOSS))
        if curves.score:
            found.append((f"{100 * i // PARTS}%", (RIGHT + 8, y + 4), "start", SCORE))
    said = []
    if curves.loss:
        iteration, loss = curves.loss[-1]
        said.append((f"average loss {loss:.4f} after {iteration:.0f} iterations", LOSS))
    if curves.score:
        said.append((f"{score} {100 * curves.score[-1][1]:.1f}%, best {100 * curves.best:.1f}%", SCORE))
    found += [(text, (LEFT + 430 * k, BOTTOM + 45), "start", colour) for k, (text, colour) in enumerate(said)]
    return found


def _lines(curves: Curves, iterations: int, highest: float) -> list[tuple[list[Point], str]]:
    """The curves in pixels; one point is drawn as a short line."""
    kept = curves.thinned()
    found = [(_placed(kept.loss, iterations, highest), LOSS), (_placed(kept.score, iterations, 1.0), SCORE)]
    return [
        (points if len(points) > 1 else [*points, (points[0][0] + 2, points[0][1])], c) for points, c in found if points
    ]


def _placed(points: Sequence[Point], iterations: int, highest: float) -> list[Point]:
    def place(x: float, y: float) -> Point:
        height = min(max(y / highest, 0.0), 1.0)
        return LEFT + (RIGHT - LEFT) * min(x / max(1, iterations), 1.0), BOTTOM - (BOTTOM - TOP) * height

    return [place(x, y) for x, y in points if np.isfinite(y)]


def _thin(points: list[Point]) -> list[Point]:
    if len(points) <= MOST_POINTS:
        return points
    places = np.linspace(0, len(points) - 1, MOST_POINTS).astype(int)
    return [points[i] for i in places]


def _bgr(colour: str) -> tuple[int, int, int]:
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16)
