"""A work: which pictures, by which job, into which place, and which share of its shards is this process's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .formats import row_format
from .job import Job, Record
from .listing import Reach, list_items
from .output import Output, output_of
from .shards import WHOLE, Shard, Share, cut_shards


class Done(NamedTuple):
    """A shard that was computed: its name, how many pictures it has, and how many of them are errors.

    `state` is 'computed', 'kept' (its file was there), 'left' (it is another job's) or 'failed'; `failure` says why.
    `errors` is -1 where nobody has counted.
    """

    name: str
    pictures: int
    state: str = "computed"
    errors: int = -1
    failure: str = ""


@dataclass(frozen=True)
class BatchWork:
    """All that decides which shards there are and which are to be computed; it travels to other machines."""

    job: Job
    record: Record
    out: str
    share: Share = WHOLE

    def shards(self) -> Iterator[Shard]:
        """Every shard, in order, as the sources are walked."""
        items = list_items(self.record.sources, Reach(self.job.options.column, self.out))
        suffix = row_format(self.job.form).suffix
        return cut_shards(items, self.record.shard_size, self.record.identity, suffix)

    def settled(self, number: int, shard: Shard, place: Output) -> Done | None:
        """What is known of a shard that is not to be computed here; None for one that is."""
        if place.has(shard.name):
            return Done(shard.name, len(shard.items), "kept")
        return None if self.share.has(number) else Done(shard.name, len(shard.items), "left")

    def place(self) -> Output:
        """Where the results lie."""
        return output_of(self.out)
