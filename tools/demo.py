"""`make demo`: two detectors by name, each on a picture; prints what they find and where the drawn pictures are.

Decision: the first comes with its weights and needs no network connection; where the second cannot be fetched the demo
says so and has succeeded.
"""

from __future__ import annotations

import sys
from pathlib import Path

from darknet_py import load
from darknet_py.errors import DarknetError, WeightsMissing, ZooError
from darknet_py.zoo.models import fetch

OURS = "yolov3-csppelee-efm-codes"
EXAMPLE = Path(__file__).parent / "train" / "codes" / "example.webp"
FETCHED = "yolov4-tiny"


def main() -> None:
    show_ours(Path("predictions/codes.jpg"))
    show_fetched(Path("predictions/demo.jpg"))


def show_ours(picture: Path) -> None:
    """The network that is trained here, on a picture that is drawn here; a line where its weights are not here yet."""
    try:
        show(OURS, EXAMPLE, picture)
    except WeightsMissing as e:
        print(str(e).splitlines()[0].partition(": ")[2])


def show_fetched(picture: Path) -> None:
    """A network of COCO's classes on a photo, both fetched; a line where they cannot be."""
    print(f"\nfetching {FETCHED} and a photo, unless they are here already")
    try:
        files = fetch(FETCHED, photo=True)
    except ZooError:
        print(f"{FETCHED} could not be fetched: `darknet-py download {FETCHED}` says why")
        return
    assert files.photo, f"zoo.toml gives {FETCHED} a photo"
    show(FETCHED, files.photo, picture)


def show(name: str, source: Path, picture: Path) -> None:
    """Print what a network finds, and where it is drawn."""
    results = load(name, say=print)(source)[0]
    print(f"{name} on {source}:")
    print(results.darknet_text(), end="")
    print(f"the picture: {results.save(picture).resolve()}")


if __name__ == "__main__":
    try:
        main()
    except DarknetError as e:
        sys.exit(f"error: {e}")
