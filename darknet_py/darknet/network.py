"""A network ready for a back end: the compiled cfg, with its weights loaded.

Decision: where weights come from is one rule for every command and for `load`: a file that is named, else the places of
`find.py`, else, when asked for, random numbers. A network without parameters needs none. A checkpoint of another
program is weights too, after it was converted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..contract.contract import resized
from ..contract.program import Program
from ..errors import Code, Say, WeightsError, told_once
from ..holding.hashes import sha256_of
from ..ir import Graph
from ..zoo.find import Found, find_network, find_weights
from ..zoo.names import find_names
from .compile import Compilation, compile_file
from .foreign.kinds import is_checkpoint
from .program import program_of
from .reading import Reading
from .weights import Header, Weights, find_wrong_values, random_weights, read_weights


@dataclass(frozen=True, eq=False)
class Network:
    """A compiled cfg and its weights; `weights` is None where they are random or there are none to load.

    `loaded` is what the file held. All of it is in memory: the files may change, and the network does not.
    """

    files: Found
    compilation: Compilation
    graph: Graph
    weights: Path | None
    header: Header | None
    loaded: Weights | None = None
    cfg_sha256: str = ""
    partial: bool = False  # whether the file ends before the last layer, and what comes after it is random

    @property
    def cfg(self) -> Path:
        """The cfg file."""
        return self.files.cfg

    def program(self, names: str | Path | None = None, letterbox: bool | None = None) -> Program:
        """The graph and what goes in and comes out, with the names of classes from `names` or the files around the cfg.

        `letterbox` pads pictures or not, whatever the cfg says. Raises `DataError` for names that do not fit.
        """
        program = program_of(self.compilation, self.graph)
        own = program.contract
        known = find_names(
            own.classes, self.cfg, names or self.files.names, classifier=not own.decoders, known=own.class_names
        )
        contract = replace(
            own, names=known.names, names_origin=known.origin, origin=str(self.cfg), cfg=self.cfg.name,
            resize=own.resize if letterbox is None else resized(letterbox, bool(own.decoders)),
            diagnostics=(*own.diagnostics, *(f"warning: {note}" for note in known.notes)),
        )  # fmt: skip
        return Program(program.graph, contract)


def open_network(
    cfg: str | Path,
    weights: str | Path | None = None,
    *,
    random: int | None = None,
    allow_partial: bool = False,
    say: Say | None = None,
    **reading: Any,
) -> Network:
    """Compile `cfg` (a path, an installed name, or a model of the zoo) and load its weights.

    `reading` are the fields of `Reading`, as in `load`; `random` is a seed for random parameters instead of weights;
    `allow_partial` accepts a file for the first layers only and leaves the other parameters random. Raises `CfgError`,
    `WeightsError`, `DataError` or `ZooError`.
    """
    files = find_network(cfg, say, trained=random is None)
    return open_files(files, weights, Reading(**reading), random=random, allow_partial=allow_partial, say=say)


def open_files(
    files: Found,
    weights: str | Path | None,
    reading: Reading,
    *,
    random: int | None = None,
    allow_partial: bool = False,
    say: Say | None = None,
) -> Network:
    """`open_network` where the files are known."""
    compilation = compile_file(files.cfg, reading).check()
    graph = compilation.graph
    made = partial(Network, cfg_sha256=sha256_of(files.cfg) if files.cfg.is_file() else "")  # a pipe has been read
    if random is not None:
        return made(files, compilation, graph.with_data(random_weights(graph, random).arrays), None, None)
    if weights is None and not graph.params:
        return made(files, compilation, graph, None, None)
    path = Path(weights) if weights is not None else files.weights or find_weights(files.cfg, say)
    try:
        if is_checkpoint(path):
            from .foreign.converted import converted

            path, loaded = converted(path, compilation, say)
        else:
            loaded = read_weights(path, graph, allow_partial=allow_partial)
    except WeightsError as e:
        tell_warnings(compilation, say)  # weights that do not fit are often the work of a misspelt option
        raise _blame_size(files.cfg, graph, reading) or e from None
    wrong = find_wrong_values(loaded, graph)
    if wrong and reading.strict:
        raise WeightsError(f"{path}: {wrong.message}", wrong.code, wrong.hint)
    if wrong:
        compilation = replace(compilation, diagnostics=(*compilation.diagnostics, wrong))
    is_partial = len(loaded.arrays) < len(graph.params)
    if is_partial:
        graph = graph.with_data(random_weights(graph, 0).arrays)
        _tell_of_partial(loaded, graph, path, say)
    return made(files, compilation, graph.with_data(loaded.arrays), path, loaded.header, loaded, partial=is_partial)


def tell_warnings(compilation: Compilation, say: Say | None) -> None:
    """Say what is doubtful about a cfg."""
    if say is not None:
        for diagnostic in told_once(compilation.diagnostics):
            say(str(diagnostic))


def _blame_size(cfg: Path, graph: Graph, reading: Reading) -> WeightsError | None:
    """The error for weights that fit only at the cfg's own size, where a layer has some for each pixel."""
    if reading.size is None or reading.size == (own := compile_file(cfg, replace(reading, size=None))).net.shape[1:]:
        return None
    here, there = ({p.value.name: p for p in g.params} for g in (graph, own.graph))
    changed = next((p for n, p in here.items() if n not in there or there[n].value.shape != p.value.shape), None)
    if changed is None:
        return None
    layer, (height, width) = graph.layer(changed.layer), own.net.shape[1:]
    takes = f"the size that was asked for (--size, size=) changes what [{layer.section}] (layer {layer.index}) takes"
    message = f"{takes}: only the cfg's {width}x{height} fits these weights"
    return WeightsError(message, Code.OPTION, "leave the size out")


def _tell_of_partial(loaded: Weights, graph: Graph, path: Path, say: Say | None) -> None:
    missing = sorted({p.layer for p in graph.params if p.value not in loaded.arrays})
    if missing and say:
        say(f"{path} ends before layer {missing[0]}: the parameters from there on are random")
