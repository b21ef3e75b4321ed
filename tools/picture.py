"""The picture of the README: what `darknet-py run` prints for a photo, and the boxes it finds, as SVG.

Photos belong to others, so only the boxes are drawn, in a frame of the photo's shape:

    python -m tools.picture yolov4-tiny.cfg dog.jpg tools/picture.svg
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from darknet_py import load
from darknet_py.vision.results import Results

WIDTH, HEIGHT = 900, 330
INK, PAPER, DIM = "#e6e6e6", "#16181d", "#8b93a1"
COLOURS = ("#e6a23c", "#5aa9e6", "#67c23a", "#d66ba0", "#9b8cf0", "#4cc9b0")
FRAME = (490, 40, 380, 260)  # left, top, width, height of the room for the photo


def svg(command: str, results: Results) -> str:
    """The picture: the command and its lines on the left, the boxes on the right."""
    lines = [line.replace("\t", " ").split("(")[0].strip() for line in results.darknet_text().splitlines()]
    texts = [_text(30, 60, f"$ {command}", INK), _text(30, 90, f"{Path(results.path).name}: {len(lines)} objects", DIM)]
    for i, line in enumerate(lines):
        texts.append(_text(30, 122 + 26 * i, line, COLOURS[i % len(COLOURS)]))
    body = "".join([*texts, *_boxes(results)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="monospace" font-size="16">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="{PAPER}"/>{body}</svg>\n'
    )


def _boxes(results: Results) -> list[str]:
    height, width = results.orig_shape
    left, top, room_w, room_h = FRAME
    scale = min(room_w / width, room_h / height)
    parts = [_rect(left, top, width * scale, height * scale, DIM, dash=True)]
    order = results.boxes.xyxy[:, 0].argsort(kind="stable")
    labels: list[tuple[float, float]] = []
    for i, row in enumerate(order):
        x1, y1, x2, y2 = (float(v) * scale for v in results.boxes.xyxy[row])
        colour = COLOURS[i % len(COLOURS)]
        parts.append(_rect(left + x1, top + y1, x2 - x1, y2 - y1, colour))
        crowded = any(abs(x - x1) < 60 and abs(y - y1) < 20 for x, y in labels)
        labels.append((x1, y1))
        below = top + (y2 + 17 if crowded else y1 + 17)
        parts.append(_text(left + x1 + 5, below, results.names[int(results.boxes.cls[row])], colour))
    return parts


def _rect(x: float, y: float, w: float, h: float, colour: str, *, dash: bool = False) -> str:
    style = ' stroke-dasharray="4 4"' if dash else ' stroke-width="2.5"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="none" stroke="{colour}"{style}/>'


def _text(x: float, y: float, text: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}">{escape(text)}</text>'


def main() -> None:
    cfg, photo, output = sys.argv[1:]
    results = load(cfg)(photo)[0]
    Path(output).write_text(svg(f"darknet-py run {Path(cfg).stem} {Path(photo).name}", results), "utf-8")


if __name__ == "__main__":
    main()
