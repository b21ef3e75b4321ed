"""The picture of the README: what `darknet-py run` prints for a photo, and the boxes it finds, as SVG.

Photos belong to others, so only the boxes are drawn, in a frame of the photo's shape. With `--inside` the picture is
under them, for one of ours:

    python -m tools.picture yolov3-csppelee-efm-codes tools/train/codes/example.webp tools/picture.svg --inside
"""

from __future__ import annotations

import argparse
import base64
from html import escape
from pathlib import Path

import cv2

from darknet_py import load
from darknet_py.vision.results import Results

WIDTH, HEIGHT = 900, 330
INK, PAPER, DIM = "#e6e6e6", "#16181d", "#8b93a1"
COLOURS = ("#e6a23c", "#5aa9e6", "#67c23a", "#d66ba0", "#9b8cf0", "#4cc9b0")
WIDEST = 43  # characters of a command that have room in a line
QUALITY = (cv2.IMWRITE_WEBP_QUALITY, 60)
FRAME = (490, 40, 380, 260)  # left, top, width, height of the room for the photo


def svg(command: str, results: Results, *, inside: bool = False) -> str:
    """The picture: the command and its lines on the left, the boxes on the right, `inside` what they were found in."""
    lines = [line.replace("\t", " ").split("(")[0].strip() for line in results.darknet_text().splitlines()]
    words, _, last = command.rpartition(" ")
    typed = [f"$ {command}"] if len(command) <= WIDEST else [f"$ {words} \\", f"    {last}"]
    texts = [_text(30, 60 + 26 * i, line, INK) for i, line in enumerate(typed)]
    below = 64 + 26 * len(typed)
    texts.append(_text(30, below, f"{Path(results.path).name}: {len(lines)} objects", DIM))
    for i, line in enumerate(lines):
        texts.append(_text(30, below + 32 + 26 * i, line, COLOURS[i % len(COLOURS)]))
    body = "".join([*texts, *([_inside(results)] if inside else []), *_boxes(results)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="monospace" font-size="16">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="{PAPER}"/>{body}</svg>\n'
    )


def _inside(results: Results) -> str:
    """What the boxes were found in, at twice the size that it is shown at."""
    height, width = results.orig_shape
    left, top, _, _ = FRAME
    scale = _scale(results)
    image = cv2.imread(str(results.path))
    size = (round(2 * width * scale), round(2 * height * scale))
    _, data = cv2.imencode(".webp", cv2.resize(image, size, interpolation=cv2.INTER_AREA), QUALITY)
    place = f'x="{left}" y="{top}" width="{width * scale:.1f}" height="{height * scale:.1f}"'
    return f'<image {place} href="data:image/webp;base64,{base64.b64encode(bytes(data)).decode()}"/>'


def _scale(results: Results) -> float:
    height, width = results.orig_shape
    return min(FRAME[2] / width, FRAME[3] / height)


def _boxes(results: Results) -> list[str]:
    height, width = results.orig_shape
    left, top, _, _ = FRAME
    scale = _scale(results)
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cfg")
    parser.add_argument("photo", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--inside", action="store_true", help="with the picture itself, where it is ours")
    given = parser.parse_args()
    results = load(given.cfg)(given.photo)[0]
    command = f"darknet-py run {given.cfg.removesuffix('.cfg')} {given.photo.name}"
    given.output.write_text(svg(command, results, inside=given.inside), "utf-8")


if __name__ == "__main__":
    main()
