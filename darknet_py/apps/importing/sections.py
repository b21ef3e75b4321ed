"""Parts of a network as the sections of a cfg: joined where one section says two, in order, with [route] between.

Decision: a section reads the one before it, as in every cfg; where that is another, a [route] takes the value up. A
batch normalization and an activation go into the section before them if nobody else reads what is between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import DataError
from ...ir import State, Value
from .parts import Part, Parts
from .reader import ReadNetwork

NORMALIZED = frozenset({"convolutional"})
ACTIVATED = frozenset({"convolutional", "connected", "local", "shortcut", "sam", "scale_channels"})
IDENTITY = ("upsample", {"stride": "1"})  # a layer that Darknet lets others name, where the image itself is none


@dataclass(frozen=True, eq=False)
class Sections:
    """The sections after [net], the arrays of each by role, and the value that each is of.

    `states` are what they remember, in the order of the sections: those of the graph that was read.
    """

    options: tuple[tuple[str, Mapping[str, str]], ...]
    arrays: Mapping[tuple[int, str], np.ndarray]
    values: tuple[Value | None, ...]
    states: tuple[State, ...]


def sections_of(network: ReadNetwork, found: Parts) -> Sections:
    """The sections that say the parts of a network. Raises `DataError` where one has to stand where it cannot."""
    parts = _joined(network, found)
    writer = _Writer(network, found)
    image = network.graph.image
    reads = [found.base(v) is image for part in parts for v in part.reads]
    first = parts[0] if parts else None
    if first is None or first.key or sum(reads) > 1 or found.base(first.main) is not image:
        writer.put(*IDENTITY, image)
    for part in parts:
        writer.write(part)
    return Sections(tuple(writer.sections), writer.arrays, tuple(writer.values), tuple(writer.states))


def _joined(network: ReadNetwork, found: Parts) -> list[Part]:
    """The parts with what follows each alone taken into it."""
    readers: Counter[Value] = Counter(found.base(v) for part in found.parts for v in part.reads)
    readers.update(found.base(v) for v in network.graph.outputs if not any(p.head for p in found.parts))
    made: dict[Value, Part] = {}
    heads = [part for part in found.parts if part.head]
    for part in found.parts:
        if part.head:
            continue
        before = made.get(found.base(part.main))
        whole = _with(before, part) if before is not None and readers[found.base(part.main)] == 1 else None
        if whole is not None and before is not None:
            del made[before.value]
        made[part.value] = whole or part
    for head in heads:
        if head.before:
            before = made[found.base(head.main)]
            made[before.value] = _ended(network, before, head, readers[before.value])
    order = {part.value: n for n, part in enumerate(found.parts) if not part.head}
    at = {id(part): n for n, part in enumerate(found.parts)}
    every = [(order[v], p) for v, p in made.items()] + [(at[id(h)], h) for h in heads]
    return [part for _, part in sorted(every, key=lambda pair: pair[0])]


def _with(before: Part, part: Part) -> Part | None:
    """A part and the one after it as one section, where there is such a section."""
    if (
        part.section == "batchnorm"
        and before.section in NORMALIZED
        and not _has(before, "batch_normalize", "activation", "xnor")
    ):
        mean = part.arrays["mean"] - before.arrays["biases"]
        arrays = {**before.arrays, **part.arrays, "mean": mean}
        options = {"batch_normalize": "1", **before.options}
        return replace(before, value=part.value, options=options, arrays=arrays)
    if part.section == "activation" and before.section in ACTIVATED and not _has(before, "activation"):
        return replace(before, value=part.value, options={**before.options, **part.options})
    return None


def _has(part: Part, *keys: str) -> bool:
    return any(key in part.options for key in keys)


def _ended(network: ReadNetwork, before: Part, head: Part, readers: int) -> Part:
    """The convolution before a head with the activation that this wants there."""
    if before.section != "convolutional" or _has(before, "activation") or readers > 1:
        op = network.graph.producers()[head.value]
        raise network.refusal(
            op.layer, f"[{head.section}] wants a convolution of its own before it, to end in a logistic"
        )
    return replace(before, options={**before.options, "activation": head.before})


@dataclass
class _Writer:
    network: ReadNetwork
    found: Parts
    sections: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    arrays: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)
    values: list[Value | None] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    places: dict[Value, int] = field(default_factory=dict)

    def put(self, section: str, options: Mapping[str, str], value: Value | None) -> None:
        """The next section, and the value that it computes, if others may ask for that."""
        if value is not None:
            self.places[value] = len(self.sections)
        self.sections.append((section, dict(options)))
        self.values.append(value)

    def write(self, part: Part) -> None:
        """The section of a part, after a [route] where it does not read the layer before."""
        main, others = part.main, part.others
        if part.section == "route":
            named = ",".join(map(self._reference, others))
            self.put("route", {"layers": named, **part.options}, part.value)
            return
        alike = part.section in ("shortcut", "sam") and main.shape == others[0].shape
        if alike and self._place(others[0]) == len(self.sections) - 1:
            main, others = others[0], (main,)
        if self._place(main) != len(self.sections) - 1:
            self.put("route", {"layers": self._reference(main)}, None)
        options = dict(part.options)
        if others:
            options = {part.key: ",".join(map(self._reference, others)), **options}
        if part.section in ACTIVATED:
            options.setdefault("activation", "linear")
        self.arrays.update(((len(self.sections), role), array) for role, array in part.arrays.items())
        self.states.extend(part.states)
        self.put(part.section, options, None if part.head else part.value)

    def _place(self, value: Value) -> int:
        base = self.found.base(value)
        return -1 if base is self.network.graph.image and base not in self.places else self.places[base]

    def _reference(self, value: Value) -> str:
        place = self._place(value)
        if place < 0:
            raise DataError(f"{self.network.path}: the input is read by a layer that cannot name it")
        return str(place - len(self.sections))
