"""Texts of cfgs: whatever is written there gets a diagnosis or a sound graph, and is written again as it was read."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from darknet_py.analysis.cost import cost
from darknet_py.analysis.summary import summarize
from darknet_py.backends.session import initial_states, open_session
from darknet_py.darknet.cfg import parse, write
from darknet_py.darknet.cfg.options import schema
from darknet_py.darknet.compile import Compilation, compile_file
from darknet_py.darknet.dialects import DIALECTS
from darknet_py.darknet.layers import LAYERS
from darknet_py.darknet.layers.net import Net
from darknet_py.darknet.weights import random_weights
from darknet_py.errors import CfgError, Diagnostics
from darknet_py.ir import check as check_graph

from ..grammar import TREES, layer_classes, random_text
from ..mutate import mutate_text
from ..target import Case, Mismatch, Target

PROJECT = Path(__file__).parents[3]
WHOLE = 0.01  # share of the project's networks that are changed whole: most have hundreds of sections
SECTIONS = 8  # of the others
WRITTEN = 5  # one input in so many is written again: to read it twice more takes longer than to compile it
RUN = 1 << 18  # multiply-accumulates and numbers of a network that is run


@cache
def networks() -> tuple[bytes, ...]:
    """The project's own networks."""
    return tuple(p.read_bytes() for p in sorted((PROJECT / "cfgs").glob("*.cfg")))


@cache
def small() -> tuple[bytes, ...]:
    """The small networks that Darknet itself ran, of which there is one for every option."""
    return tuple(p.read_bytes() for p in sorted((PROJECT / "tests").glob("golden*/*/net.cfg")))


@cache
def keys() -> tuple[str, ...]:
    """The names of all options."""
    return tuple(sorted({key for cls in (*LAYERS.values(), Net) for key in schema(cls)}))


def make(rng: Random) -> Case:
    """A cfg of ours or one made here, mostly changed, and how it is to be read."""
    dialect = rng.choice((None, None, None, *DIALECTS))
    reading: dict[str, object] = {"dialect": dialect, "strict": rng.random() < 0.1, "as_darknet": rng.random() < 0.2}
    if rng.random() < 0.1:
        reading["size"] = (rng.choice((0, 1, 7, 32, -1, 70000)), rng.choice((1, 8, 32, 1 << 40)))
    text = mutate_text(rng, _seed(rng), keys())
    return {"net.cfg": text, "reading.json": json.dumps(reading).encode()}


def _seed(rng: Random) -> bytes:
    kind = rng.random()
    if kind < WHOLE:
        return rng.choice(networks())
    if kind < 0.25:
        return _part(rng, rng.choice(networks()))
    if kind < 0.75 and small():
        return rng.choice(small())
    return "\n".join(random_text(rng, layer_classes(rng.choice([*DIALECTS])))).encode()


def _part(rng: Random, data: bytes) -> bytes:
    """The [net] of a network and some of its sections."""
    net, *sections = data.split(b"\n[")
    at = rng.randrange(len(sections))
    return b"\n[".join([net, *sections[at : at + rng.randint(1, SECTIONS)]])


def build(case: Case, folder: Path) -> None:
    """The cfg, how to read it, and what it may name."""
    for name, data in (*case.items(), *TREES.items()):
        (folder / name).write_bytes(data)


def check(folder: Path) -> str:
    """Compile the cfg, look at all that is said of it, and run it if it is small."""
    path = folder / "net.cfg"
    how = json.loads((folder / "reading.json").read_bytes())
    compiled = compile_file(path, **how)
    for d in compiled.diagnostics:
        if not str(d) or not d.to_dict():
            raise Mismatch("a diagnostic says nothing", repr(d))
    if path.stat().st_size % WRITTEN == 0:
        _check_writer(path.read_bytes())
    if compiled.errors:
        _check_refusal(compiled)
        return "refused"
    check_graph(compiled.graph)
    cost(compiled.graph)
    summarize(compiled.graph).format_table()
    return _run(compiled)


def _check_refusal(compiled: Compilation) -> None:
    try:
        compiled.check()
    except CfgError as e:
        if str(e):
            return
    raise Mismatch("errors are not raised", str(compiled.errors[0]))


def _check_writer(data: bytes) -> None:
    read = parse(data, "x", Diagnostics())
    again = parse(write(read), "x", Diagnostics())
    pairs = [[(s.name, [(o.key, o.value) for o in s.options]) for s in cfg.sections] for cfg in (read, again)]
    if pairs[0] != pairs[1]:
        raise Mismatch("a cfg that is written reads otherwise", f"{pairs}"[:2000])


def _run(compiled: Compilation) -> str:
    graph = compiled.graph
    sizes = [*(math.prod(op.output.shape) for op in graph.ops), *(p.size for p in graph.params)]
    if sum(sizes) + sum(op.macs for op in graph.ops) > RUN or len(graph.ops) > 300:
        return "compiled"
    loaded = graph.with_data(random_weights(graph, 0).arrays)
    got = open_session(loaded, "numpy").run([np.zeros((1, *graph.image.shape), np.float32), *initial_states(graph)])
    for value, array in zip(graph.roots, got, strict=True):
        if array.shape != (1, *value.shape):
            raise Mismatch("a shape is not as declared", f"{value}: {array.shape}")
    return "ran"


TARGET = Target("cfg", __doc__, make, check, "net.cfg", build, chunk=200)
