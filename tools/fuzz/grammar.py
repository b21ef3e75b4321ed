"""Sections made from the classes of the layers: their schema says which options there are and what they take.

Decision: nothing here knows a layer, so a new one is fuzzed by itself. Only names that mean the same in all sections
have rules: numbers of layers, and counts that would otherwise be large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field
from random import Random
from typing import Any

from darknet_py.darknet.cfg.options import phase_of, schema
from darknet_py.darknet.layers import LAYERS, Layer
from darknet_py.darknet.layers.net import Net

REFERENCES = ("layers", "from", "share_index", "yolo_layer")  # numbers of layers
SMALL = ("classes", "num", "coords", "side")  # their defaults would make a small network large
TREES: Mapping[str, bytes] = {  # side files that an option may name, written beside the cfg
    "1.tree": b"a -1\n",
    "3.tree": b"a -1\nb -1\nc 0\n",
    "4.tree": b"a -1\nb -1\nc 1\nd 1\n",
}


def layer_classes(dialect: str) -> list[tuple[str, type[Layer]]]:
    """The sections of a dialect, one name for each class."""
    found = {cls: name for (name, d), cls in sorted(LAYERS.items(), reverse=True) if d == dialect}
    return sorted(((name, cls) for cls, name in found.items()), key=lambda pair: pair[0])


def net_section(rng: Random, most: int = 20) -> list[str]:
    """A [net] with a small input, now and then a vector."""
    if rng.random() < 0.08:
        return ["[net]", f"inputs={rng.randint(1, 4 * most)}"]
    channels = rng.choice((1, 2, 3, 3, 3, 4, 6, 8))
    return ["[net]", f"width={rng.randint(1, most)}", f"height={rng.randint(1, most)}", f"channels={channels}"]


def options_of(cls: type) -> Mapping[str, tuple[Field[Any], str]]:
    """The options of a class, of which all are known to be hashable."""
    return schema(cls)


def layer_section(rng: Random, name: str, cls: type[Layer], index: int, share: float = 0.5) -> list[str]:
    """A section of a class as layer `index`: each option of inference with the probability `share`, few others."""
    lines = [f"[{name}]"]
    for key, (field, kind) in options_of(cls).items():
        infer = phase_of(field) == "infer"
        wanted = field.metadata["required"] or key in SMALL or key in REFERENCES[:2]
        if rng.random() < (0.9 if wanted else share if infer else 0.02):
            lines.append(f"{key}={tame_value(rng, key, field, kind, index)}")
    rng.shuffle(lines[1:])
    return lines


def tame_value(rng: Random, key: str, field: Field[Any], kind: str, index: int) -> str:
    """A value that an option may well have."""
    if choices := field.metadata["choices"]:
        return str(rng.choice(choices))
    if key in REFERENCES:
        count = rng.choice((1, 1, 2, 2, 3, 4)) if kind == "ints" else 1
        return ",".join(_reference(rng, index) for _ in range(count))
    if kind == "bool":
        return rng.choice("01")
    if kind == "str":
        return rng.choice([*TREES])
    if kind in ("ints", "floats"):
        count = rng.randint(1, 6)
        return ",".join(_number(rng, field, kind.removesuffix("s")) for _ in range(count))
    return _number(rng, field, kind)


def _reference(rng: Random, index: int) -> str:
    back = rng.randint(1, max(1, index))
    return str(-back if rng.random() < 0.5 else max(0, index - back))


def _number(rng: Random, field: Field[Any], kind: str) -> str:
    low, high = field.metadata["low"], field.metadata["high"]
    if kind == "float":
        number = round(rng.choice((rng.uniform(0, 1), rng.uniform(-2, 4), float(rng.randint(0, 3)))), 3)
        return str(number if low is None else max(low, number))
    number = rng.choice((0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 12, 16))
    if low is None and rng.random() < 0.1:
        return str(-number)
    return str(min(max(number, low if low is not None else 0), high if high is not None else number + 1))


def random_text(rng: Random, sections: Sequence[tuple[str, type[Layer]]], most: int = 6) -> list[str]:
    """A cfg of some sections, whose layers need not fit each other."""
    lines = net_section(rng)
    if rng.random() < 0.3:
        for key, (field, kind) in schema(Net).items():
            if rng.random() < 0.1:
                lines.append(f"{key}={tame_value(rng, key, field, kind, 0)}")
    for index in range(rng.randint(1, most)):
        lines += layer_section(rng, *rng.choice(sections), index, rng.choice((0.1, 0.3, 0.6)))
    return lines
