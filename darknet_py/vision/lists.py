"""Lists of pictures: text files with a path in each line, in whatever encoding an editor wrote them."""

from __future__ import annotations

from pathlib import Path

from ..errors import DataError
from ..files import read_whole

LISTS = frozenset((".txt", ".list"))  # Darknet's own suffixes for a file with a path in each line
MAX_LIST = 1 << 26  # bytes
NO_LIST = "not a list of pictures: a text file with a path in each line"
TOLD = 5  # missing pictures of a list that are named


def listed_lines(path: Path) -> list[str]:
    """The lines of a list file that are not blank. Raises `DataError` for what is no such file."""
    data = read_whole(path, MAX_LIST, "list of pictures")
    text = data.decode(*list_encoding(data))
    if "\0" in text:
        raise DataError(f"{path}: {NO_LIST}")
    return [line.strip() for line in text.splitlines() if line.strip()]


def none_listed(path: Path, missing: list[str]) -> str:
    """What is said of a list that has no line, or only those that are `missing`."""
    if not missing:
        return f"{path}: an empty list of pictures"
    names = "".join(f"\n  {name[:200]!r}" for name in missing[:TOLD])
    more = f"\n  … and {len(missing) - TOLD} more" if len(missing) > TOLD else ""
    return f"{path}: none of its pictures is here, as Darknet has it, nor in the folder {path.parent}:{names}{more}"


def list_encoding(head: bytes) -> tuple[str, str]:
    """The encoding of a list that begins so, and what becomes of other bytes in it: for `bytes.decode` and the like.

    Names of files may be in any encoding; those of Windows' editors say in which.
    """
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", "replace"
    return "utf-8-sig", "surrogateescape"
