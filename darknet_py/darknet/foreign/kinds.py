"""What a checkpoint of another program begins with.

Decision: apart from what reads them, because every start asks this of a weights file, and few go on.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import DataError
from ...files import reading

HEAD = 16  # bytes that tell
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
PICKLE = tuple(bytes((0x80, protocol)) for protocol in (2, 3, 4, 5))
JSON = (b'{"', b"{}", b"{ ")  # of safetensors, after a length of 8 bytes


def checkpoint_kind(start: bytes) -> str:
    r"""'zip', 'pickle' or 'safetensors', by the first `HEAD` bytes of a file; '' for anything else.

    >>> checkpoint_kind(b"PK\x03\x04"), checkpoint_kind((0).to_bytes(4, "little") * 4)
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
        with reading(path) as file:
            return bool(checkpoint_kind(file.read(HEAD)))
    except (OSError, DataError):
        return False
