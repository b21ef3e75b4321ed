"""What a checkpoint of another program begins with.

Decision: apart from what reads them, because every start asks this of a weights file, and few go on.
"""

from __future__ import annotations

from pathlib import Path

HEAD = 16  # bytes that tell
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
PICKLE = tuple(bytes((0x80, protocol)) for protocol in (2, 3, 4, 5))
JSON = (b'{"', b"{}", b"{ ")  # of safetensors, after a length of 8 bytes


def kind_of(start: bytes) -> str:
    r"""'zip', 'pickle' or 'safetensors', by the first `HEAD` bytes of a file; '' for anything else.

    >>> kind_of(b"PK\x03\x04"), kind_of((0).to_bytes(4, "little") * 4)
    ('zip', '')
    """
    if start.startswith(ZIP):
        return "zip"
    if start.startswith(PICKLE):
        return "pickle"
    return "safetensors" if start[8:10] in JSON else ""


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint rather than Darknet's weights; False for what cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return bool(kind_of(file.read(HEAD)))
    except (OSError, ValueError):
        return False
