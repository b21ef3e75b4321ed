"""Shards: some pictures in a row, named by the hash of their list and of all that decides what is computed.

Decision: a name is a promise. A file of that name holds exactly the results of these pictures with this network and
these options, so a shard is done if its file is there, and no other record is kept of what is done.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ...errors import DataError
from .listing import Item


class Shard(NamedTuple):
    """Some pictures in a row, and the name of the file that their results become."""

    name: str
    items: tuple[Item, ...]


def cut_shards(items: Iterable[Item], size: int, identity: str, suffix: str) -> Iterator[Shard]:
    """Shards of `size` pictures; `identity` is the hash of the network and the options.

    >>> [shard.name for shard in cut_shards([Item(0, "a.jpg"), Item(1, "b.jpg")], 1, "", ".jsonl")]
    ['part-000000000000-7448d12b38b27b24.jsonl', 'part-000000000001-dc41576e24681e18.jsonl']
    """
    items = iter(items)
    while some := tuple(islice(items, size)):
        digest = hashlib.sha256(identity.encode())
        for item in some:
            digest.update(json.dumps(item).encode())
        yield Shard(f"part-{some[0].position:012d}-{digest.hexdigest()[:16]}{suffix}", some)


@dataclass(frozen=True)
class Share:
    """Every `among`-th shard, from the `part`-th on: what one of several jobs does."""

    part: int = 0
    among: int = 1

    @classmethod
    def of(cls, text: str) -> Share:
        """`I/N`, I from 0. Raises `DataError` for anything else.

        >>> Share.of("3/8")
        Share(part=3, among=8)
        """
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if not found or int(found[1]) >= int(found[2]):
            raise DataError(f"{text!r} is no share of the work: write I/N with I from 0 to N - 1, as 3/8")
        return cls(int(found[1]), int(found[2]))

    def has(self, number: int) -> bool:
        """Whether the shard of that number is in it."""
        return number % self.among == self.part


WHOLE = Share()
