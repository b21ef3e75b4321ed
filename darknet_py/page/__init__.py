"""The parts of web pages that several pages have: how a picture is given and shown, and the network in a browser.

Decision: plain files that any static host serves and that need nothing from elsewhere; a page names a part of HTML in a
comment (`<!-- picture.html -->`), and the part stands there when the page is delivered.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
LOOK = ("look.css", "look.js")  # what every page with a picture needs
NETWORK = ("network.js", "boxes.js")  # and those that run the network themselves
_PART = re.compile(r"^<!-- ([a-z]+\.html) -->$", re.MULTILINE)


def part(name: str) -> bytes:
    """One of the files of this room."""
    return (FOLDER / name).read_bytes()


def complete(page: bytes) -> bytes:
    r"""A page of HTML with the parts that it names in comments on lines of their own.

    >>> b"<canvas" in complete(b"<main>\n<!-- picture.html -->\n</main>")
    True
    """
    return _PART.sub(lambda named: part(named[1]).decode().rstrip(), page.decode()).encode()
