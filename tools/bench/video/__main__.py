"""The measurements of tools/docs/video.md: `python -m tools.bench.video age`, `... frames CFG [--count 10000]`."""

from __future__ import annotations

import argparse

from .age import measure_age
from .frames import measure_frames


def main() -> None:
    """Run one of the two and print what it measured."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.video")
    commands = parser.add_subparsers(dest="command", required=True)
    age = commands.add_parser("age")
    age.add_argument("--seconds", type=float, default=20)
    frames = commands.add_parser("frames")
    frames.add_argument("cfg", help="a cfg, or 'small': a network that costs next to nothing")
    frames.add_argument("--count", type=int, default=300, help="frames of the video")
    frames.add_argument("--size", default="640x480", help="width x height of the video")
    frames.add_argument("--rounds", type=int, default=7, help="how often stages and whole are timed in turn")
    frames.add_argument("--threads", type=int, help="of the network (default: the cores)")
    frames.add_argument("--lines", action="store_true", help="lines of JSON only: nothing is drawn or written")
    given = parser.parse_args()
    if given.command == "age":
        measure_age(given.seconds)
    else:
        width, height = map(int, given.size.split("x"))
        measure_frames(given.cfg, given.count, (width, height), given.rounds, not given.lines, given.threads)


if __name__ == "__main__":
    main()
