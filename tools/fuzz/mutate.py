"""Changes that make sound inputs hostile: of lines of text, and of bytes.

Decision: changes of binary files are lines of text themselves ("set 12 ff00"), so that a finding is reduced to the few
changes that matter, whatever the format.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

NUMBERS = (
    "0", "1", "-1", "2", "3", "-0", "255", "256", "1024", "4096", "65535", "65536", "1000000", "2147483647",
    "2147483648", "-2147483648", "4294967295", "4294967296", "9223372036854775807", "18446744073709551616", "9" * 40,
    "9" * 5000, "1e3", "1e38", "1e39", "1e400", "-1e400", "1e-400", "nan", "inf", "-inf", "0x10", "1_000", "+5", "--5",
    ".5", "5.", "1,2", "1,,2", ",", ",".join("1" * 400), "1 2 3", "٣", "１２", "½", "1\x00", "٠", "1e", "e1",
    "1" + "0" * 300,
)  # fmt: skip
WORDS = (
    "", " ", "=", "==", "a=b", "#", "; x", "[", "]", "[net]", "[[", "'", '"', '"1"', "'1'", '"\'"\'1', "$width",
    "${width}", "$", "true", "yes", "linear", "leaky", "silu", "relu", "nowhere.tree", "/dev/null", "../..", "%s%n",
    "{0}", "\\", "\\n", "\x1b[31mred\x1b[0m", "\x07", "\x7f", "\x85", "\u2028", "\ufeff", "\u202e", "é", "日本語", "🙂",
    "\ud7ff", "ａ", "\x0b\x0c", "-1,-2", "-1,,-2", "0,1,2,3,4,5,6,7,8,9", "1:2", "1/2", "2*3", "a" * 3000, "(" * 500,
    "[" * 500, "\t" * 2000,
)  # fmt: skip
RUNS = (
    *(bytes([byte]) for byte in b"\n \t\r=#,[]09a-.e\xff\0"), b"1,", b"a=",
)  # fmt: skip
KEPT_SHORT = 64 << 10  # bytes beyond which nothing more is added


def mutate_text(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    """A text with a few lines, values or bytes changed; `keys` are names of options."""
    for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 2, 3, 5))):
        data = rng.choice(TEXT_CHANGES)(rng, data, keys)
    return data


def _value(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    """Another value for an option."""
    lines = data.split(b"\n")
    options = [i for i, line in enumerate(lines) if b"=" in line]
    if not options:
        return data
    at = rng.choice(options)
    key = lines[at].partition(b"=")[0]
    lines[at] = key + b"=" + hostile(rng).encode()
    return b"\n".join(lines)


def _item(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    """Another item in a list of values."""
    lines = data.split(b"\n")
    lists = [i for i, line in enumerate(lines) if b"," in line]
    if not lists:
        return _value(rng, data, keys)
    at = rng.choice(lists)
    items = lines[at].split(b",")
    items[rng.randrange(len(items))] = hostile(rng).encode()
    lines[at] = b",".join(items)
    return b"\n".join(lines)


def _key(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    """Another option, or an option more."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    key = rng.choice(keys) if rng.random() < 0.8 else rng.choice(WORDS)
    lines.insert(at, f"{key}={hostile(rng)}".encode())
    return b"\n".join(lines)


def _swap(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    lines = data.split(b"\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def _double(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    """Some lines again, now and then many times."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    piece = lines[at : at + rng.randint(1, 12)]
    room = KEPT_SHORT // (sum(map(len, piece)) + len(piece))
    times = min(room, rng.choice((1, 1, 1, 1, 1, 1, 2, 2, 5, 100)))
    where = rng.randrange(len(lines) + 1)
    return b"\n".join([*lines[:where], *piece * times, *lines[where:]])


def _drop(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    return b"\n".join(lines[:at] + lines[at + rng.choice((1, 1, 1, 2, 5)) :])


def _flip(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    """Some bits."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8)) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice((rng.randbytes(rng.randint(1, 8)), hostile(rng).encode())) + data[at:]


def _run(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    """A long run of the same bytes."""
    if len(data) > KEPT_SHORT:
        return data
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(RUNS) * rng.choice((10, 10, 100, 100, 1000, 1000, 10000)) + data[at:]


def _end(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _recode(rng: Random, data: bytes, keys: Sequence[str]) -> bytes:
    """Other ends of lines, or another encoding."""
    kind = rng.randrange(6)
    if kind < 3:
        return data.replace(b"\n", (b"\r\n", b"\r", b"\n\n")[kind])
    text = data.decode("utf-8", "replace")
    return text.encode(("utf-16", "utf-16-be", "utf-8-sig")[kind - 3], "replace")


TEXT_CHANGES = (
    _value, _value, _value, _value, _item, _item, _key, _key, _swap, _double, _double, _drop, _drop, _flip, _flip,
    _insert, _insert, _run, _end, _recode,
)  # fmt: skip


def hostile(rng: Random) -> str:
    """A value that no option has."""
    return rng.choice(NUMBERS if rng.random() < 0.7 else WORDS)


def edits(rng: Random, length: int) -> list[str]:
    """Lines that say how a file of so many bytes is changed; see `apply_edits`."""
    lines = []
    for _ in range(rng.choice((1, 1, 2, 3, 8, 30))):
        at = rng.randrange(max(1, length)) if rng.random() < 0.7 else rng.randrange(max(1, min(length, 64)))
        kind = rng.randrange(8)
        if kind < 4:
            lines.append(f"set {at} {_bytes(rng).hex()}")
        elif kind == 4:
            lines.append(f"cut {at} {rng.choice((1, 2, 4, 20, 100))}")
        elif kind == 5:
            lines.append(f"insert {at} {_bytes(rng).hex()}")
        elif kind == 6:
            lines.append(f"copy {rng.randrange(max(1, length))} {rng.choice((1, 4, 16, 200))} {at}")
        else:
            lines.append(f"end {at}")
    return lines


def _bytes(rng: Random) -> bytes:
    plain = rng.randbytes(rng.choice((1, 1, 2, 4, 8)))
    return rng.choice((
        plain, plain, b"\xff" * len(plain), b"\0" * len(plain), b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f",
        b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x80" * 9 + b"\x01",
    ))  # fmt: skip


def apply_edits(data: bytes, lines: Sequence[str]) -> bytes:
    """A file after edits; places are counted from its beginning, around its end. Lines of other words do nothing.

    >>> apply_edits(b"0123456789", ["set 1 41", "cut 4 2", "insert 0 42", "copy 1 3 8", "end 10"])
    b'B0A2367098'
    """
    for line in lines:
        word, *rest = line.split()
        size = len(data) + 1
        if word == "set":
            at, new = int(rest[0]) % size, bytes.fromhex(rest[1])
            data = data[:at] + new + data[at + len(new) :]
        elif word == "cut":
            at = int(rest[0]) % size
            data = data[:at] + data[at + int(rest[1]) :]
        elif word == "insert":
            at = int(rest[0]) % size
            data = data[:at] + bytes.fromhex(rest[1]) + data[at:]
        elif word == "copy":
            start, at = int(rest[0]) % size, int(rest[2]) % size
            data = data[:at] + data[start : start + int(rest[1])] + data[at:]
        elif word == "end":
            data = data[: int(rest[0]) % size]
    return data


def split_edits(data: bytes) -> tuple[str, list[str]]:
    """The first line of edits, which says of what they are, and the others."""
    first, *others = data.decode().splitlines() or [""]
    return first, [line for line in others if line.strip()]
