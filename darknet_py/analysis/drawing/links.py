"""Which layers of a network read which, and where ways that part meet again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ...ir.graph import Graph, LayerInfo, Value

IMAGE = -1


@dataclass(frozen=True)
class Links:
    """Which layers read which: layers that compute nothing (a [route] of one layer, [dropout]) are looked through."""

    graph: Graph

    @cached_property
    def owner(self) -> dict[Value, int]:
        """The layer that computed a value first; -1 is the image."""
        found = {self.graph.image: IMAGE}
        for info in self.graph.layers:
            found.setdefault(info.output, info.index)
        return found

    @cached_property
    def sources(self) -> dict[int, tuple[int, ...]]:
        """The layers that each computing layer reads, in its order, each once."""
        return {
            info.index: tuple(dict.fromkeys(self.owner[v] for v in self.graph.layer_inputs(info)))
            for info in self.graph.layers if self.owner[info.output] == info.index
        }  # fmt: skip

    @cached_property
    def readers(self) -> dict[int, tuple[int, ...]]:
        """The layers that read each layer, or the image."""
        found: dict[int, list[int]] = {}
        for layer, sources in self.sources.items():
            for source in sources:
                found.setdefault(source, []).append(layer)
        return {source: tuple(layers) for source, layers in found.items()}

    @cached_property
    def dominators(self) -> dict[int, int]:
        """The last layer that every way from the image to a layer passes (Cooper, Harvey and Kennedy 2001).

        One pass is enough: layers only read earlier layers.
        """
        found: dict[int, int] = {}
        for layer, sources in self.sources.items():
            meet = sources[0] if sources else IMAGE
            for source in sources[1:]:
                meet = self._meet(found, meet, source)
            found[layer] = meet
        return found

    @staticmethod
    def _meet(dominators: dict[int, int], a: int, b: int) -> int:
        while a != b:
            a, b = (dominators[a], b) if a > b else (a, dominators[b])
        return a

    def between(self, start: int, join: int, *, taps: bool = False) -> tuple[int, ...] | None:
        """The layers on the ways from `start` to `join`; None if one of them is read elsewhere, or there are none.

        `taps` allows other readers of the last layers of the ways.
        """
        found: set[int] = set()
        open_ = [s for s in self.sources[join] if s != start]
        while open_:
            layer = open_.pop()
            if layer in found:
                continue
            found.add(layer)
            open_ += [s for s in self.sources[layer] if s != start]
        inside = found | {join}
        closed = found - set(self.sources[join]) if taps else found
        leaves = any(reader not in inside for layer in closed for reader in self.readers[layer])
        return None if leaves or not found else tuple(sorted(found))

    def info(self, layer: int) -> LayerInfo:
        """The layer of that number."""
        return self.graph.layer(layer)

    def size(self, layer: int) -> tuple[int, ...]:
        """Height and width of an output; () for a vector."""
        return self.graph.layer_output(layer).shape[1:]
