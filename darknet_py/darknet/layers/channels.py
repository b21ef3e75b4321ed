"""Which channels of a network can only be removed together, and what becomes of cfg and weights where they are.

Decision: each layer says what it does with the channels that it reads (`Layer.channels`), and here that is added up to
sets. A channel is one number here; a sum or a product makes one set of those that it joins, a group of a convolution
one set of all that it reads and gives. So whatever sets are removed, what is left is a network that Darknet reads.

Invariant: where every layer that makes a channel of a set gives 0 for it, the network without the set computes the same
as the one with it. A channel that would not be 0 then, after a logistic say, and is summed up with others, stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...ir.ops import Shape


@dataclass(frozen=True)
class Flow:
    """The channels of a layer: the number of each, and whether it is 0 where its set is.

    A vector has a channel for each of its numbers.
    """

    ids: tuple[int, ...]
    zero: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, stop: int) -> Flow:
        """Some of the channels that follow one another."""
        return Flow(self.ids[start:stop], self.zero[start:stop])

    def repeated(self, count: int) -> Flow:
        """Each channel so many times: the numbers of an image as a vector."""
        return Flow(tuple(i for i in self.ids for _ in range(count)), tuple(z for z in self.zero for _ in range(count)))

    def after(self, kept: bool) -> Flow:
        """The same channels after something that keeps a 0, or does not."""
        return self if kept else Flow(self.ids, (False,) * len(self.ids))


def joined(flows: Iterable[Flow]) -> Flow:
    """The channels of some layers one after another."""
    parts = tuple(flows)
    return Flow(tuple(i for f in parts for i in f.ids), tuple(z for f in parts for z in f.zero))


class Channels:
    """Adds up what the layers of a network do with channels; `index`, `section` and `shapes` are of the layer in turn.

    `shapes` are what it reads, and then what it gives.
    """

    def __init__(self) -> None:
        self.index, self.section = -1, "net"
        self.shapes: tuple[Shape, ...] = ()
        self.made: dict[int, tuple[Flow, Flow]] = {}  # by layer with parameters: what it reads, and makes
        self.cuts: dict[tuple[int, str], Mapping[int, tuple[int, ...]]] = {}  # by layer and role: axis → channels
        self.numbers: list[tuple[int, str, tuple[int, ...]]] = []  # layer, option, the channels that it counts
        self.scales: list[tuple[int, tuple[int, ...]]] = []  # layer, the channels that it scales
        self._parents: list[int] = []
        self._reasons: dict[int, str] = {}
        self._plain: dict[int, str] = {}  # channels that are made without a scale
        self._gates: set[int] = set()

    def enter(self, index: int, section: str, shapes: tuple[Shape, ...]) -> None:
        """Begin a layer."""
        self.index, self.section, self.shapes = index, section, shapes

    # What layers say.

    def new(self, count: int, *, zero: bool) -> Flow:
        """Channels that this layer makes; `zero`: a 0 stays one through its activation."""
        first = len(self._parents)
        self._parents.extend(range(first, first + count))
        return Flow(tuple(range(first, first + count)), (zero,) * count)

    def fixed(self, count: int, why: str) -> Flow:
        """Channels that this layer makes, and that stay."""
        flow = self.new(count, zero=False)
        self.stay(flow, why)
        return flow

    def stay(self, flow: Flow, why: str) -> None:
        """These channels cannot be removed."""
        for i in flow.ids:
            self._reasons.setdefault(self.set_of(i), f"{why} (layer {self.index} [{self.section}])")

    def sum(self, flow: Flow) -> None:
        """Numbers of all these channels are added up: those that would not be 0 stay."""
        for i, zero in zip(flow.ids, flow.zero, strict=True):
            if not zero:
                self.stay(Flow((i,), (zero,)), "what is added up here is not 0 where a scale is")

    def tie(self, *ids: int) -> None:
        """These channels are removed together."""
        first = self.set_of(ids[0])
        for i in ids[1:]:
            other = self.set_of(i)
            if other == first:
                continue
            low, high = min(first, other), max(first, other)
            self._parents[high] = low
            if high in self._reasons:
                self._reasons.setdefault(low, self._reasons.pop(high))
            first = low

    def pair(self, a: Flow, b: Flow) -> None:
        """Each channel goes with the one in the same place."""
        for i, j in zip(a.ids, b.ids, strict=False):
            self.tie(i, j)

    def evenly(self, flow: Flow, parts: int) -> None:
        """The channels come in equal parts, which lose the same places."""
        size = len(flow) // parts
        for place in range(size):
            self.tie(*flow.ids[place::size])

    def gate(self, *flows: Flow) -> None:
        """These channels are factors: where one is made without a scale, that of what it is multiplied with decides."""
        for flow in flows:
            self._gates.update(flow.ids)

    def parameters(self, read: Flow, made: Flow, cuts: Mapping[str, Mapping[int, Flow]]) -> None:
        """Parameters of the layer in turn, with channels along some axes.

        `scales` among them say what its channels are worth, unless the activation after them makes something of a 0.
        """
        self.made[self.index] = read, made
        for role, axes in cuts.items():
            self.cuts[self.index, role] = {axis: flow.ids for axis, flow in axes.items()}
        if "scales" in cuts and all(made.zero):
            self.scales.append((self.index, made.ids))
        else:
            self._plain.update(
                dict.fromkeys(made.ids, f"no batch normalization to go by (layer {self.index} [{self.section}])")
            )

    def product(self, read: Flow, made: Flow, weights: Mapping[int, Flow], *, norm: bool) -> None:
        """The parameters of a product with weights, whose axes are given, and of the normalization after it."""
        vectors = ("biases", "scales", "mean", "variance") if norm else ("biases",)
        self.parameters(read, made, {"weights": weights, **{role: {0: made} for role in vectors}})

    def share(self, read: Flow, made: Flow, owner: int) -> None:
        """The layer in turn has the parameters of that one."""
        theirs = self.made[owner]
        self.made[self.index] = read, made
        for own, other in zip((read, made), theirs, strict=True):
            if len(own) == len(other):
                self.pair(own, other)
            else:  # in other groups
                self.stay(own, "the parameters are those of a layer in other groups")
                self.stay(other, "the parameters are those of a layer in other groups")

    def number(self, key: str, ids: Iterable[int]) -> None:
        """The option `key` of this layer counts these channels."""
        self.numbers.append((self.index, key, tuple(ids)))

    # What is asked afterwards.

    def set_of(self, channel: int) -> int:
        """The set of a channel: the lowest number in it."""
        root = channel
        while self._parents[root] != root:
            root = self._parents[root]
        while self._parents[channel] != root:
            self._parents[channel], channel = root, self._parents[channel]
        return root

    def reasons(self) -> dict[int, str]:
        """Why sets cannot be removed, by set."""
        found = dict(self._reasons)
        for channel, why in self._plain.items():
            if channel not in self._gates:
                found.setdefault(self.set_of(channel), why)
        scaled = {self.set_of(i) for _, ids in self.scales for i in ids}
        for channel, why in self._plain.items():
            if self.set_of(channel) not in scaled:
                found.setdefault(self.set_of(channel), why)
        return found
