"""`make demo`: a detector by name, fetched by the zoo, on a photo; prints what it finds and where the picture is."""

from __future__ import annotations

import sys
from pathlib import Path

from darknet_py import load
from darknet_py.errors import DarknetError
from darknet_py.zoo.models import fetch

MODEL = "yolov4-tiny"
PICTURE = Path("predictions/demo.jpg")


def main() -> None:
    files = fetch(MODEL, say=print, photo=True)
    assert files.photo, f"zoo.toml gives {MODEL} a photo"
    results = load(MODEL, say=print)(files.photo)[0]
    print(results.darknet_text(), end="")
    print(f"the picture: {results.save(PICTURE).resolve()}")


if __name__ == "__main__":
    try:
        main()
    except DarknetError as e:
        sys.exit(f"error: {e}")
