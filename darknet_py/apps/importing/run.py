"""`import_network`: an ONNX file as a cfg and its weights, computed beside the file before anybody gets them.

Decision: nothing is trusted that was recognized. What is written is compiled, and both networks are run on the same
noise; where they differ there is an error and no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...backends.session import open_file, open_session
from ...contract.contract import Contract
from ...darknet.cfg import spell
from ...darknet.compile import Compilation, compile_cfg
from ...darknet.dialects import ALEXEYAB
from ...darknet.weights import Header, Weights
from ...darknet.writing import check_network_place, write_network
from ...errors import DataError
from ...files import scratch
from ...ir.compare import difference
from ...version import VERSION
from .finding import find_parts
from .reader import ReadNetwork, read_network
from .sections import Sections, sections_of
from .trees import Trees, write_trees

TOLERANCE = 1e-3  # of the largest number of an output: two ways of float32 arithmetic


@dataclass(frozen=True)
class ImportedNetwork:
    """What an ONNX file became: the cfg, its weights, how many layers it has, and how far outputs are off.

    `worst` is the largest difference on noise, as a part of the largest number of the output.
    """

    source: Path
    cfg: Path
    weights: Path
    layers: int
    parameters: int
    worst: float

    def text(self) -> str:
        """A sentence for people."""
        off = f"outputs differ by {self.worst:.1e} of their scale at most"
        beside = f"{self.cfg} and {self.weights.name}"
        return f"{beside}: {self.layers} layers, {self.parameters:,} parameters; on noise {off}"


def import_network(
    source: str | Path, output: str | Path, *, size: tuple[int, int] | None = None, replace: bool = False
) -> ImportedNetwork:
    """Make a cfg and weights of an ONNX file of a network that Darknet has layers for: `output`, and NAME.weights.

    What darknet-py exported keeps its heads, names and the way of its pictures, what layers remember, and class trees,
    as NAME.tree; of other files the output of the last layer counts. Batch normalization that is folded stays so.
    `size` is the (height, width) of an input that the file leaves open. Raises `DataError` with the node that a cfg has
    no words for, and where the cfg would compute something else.
    """
    check_network_place(Path(output), sources=[Path(source)], replace=replace)
    with scratch() as folder:
        network = read_network(source, size)
        return _imported(network, write_trees(network, folder, Path(output).stem), Path(output), replace=replace)


def _imported(network: ReadNetwork, trees: Trees, path: Path, *, replace: bool) -> ImportedNetwork:
    source = network.path
    if network.contract is not None and (network.contract.half or network.contract.int8):
        raise DataError(f"{source}: it computes in 16 or 8 bits, and Darknet in 32\n  hint: export it in float32")
    if len(network.graph.outputs) > 1 and not (network.contract and network.contract.decoders):
        raise DataError(
            f"{source}: it has {len(network.graph.outputs)} outputs, and a cfg without heads has one\n"
            "  hint: files of darknet-py say which heads they have"
        )
    sections = sections_of(network, find_parts(network, trees))
    text = _text(network, sections)
    compilation = _compiled(network, sections, text, trees)
    graph = compilation.graph
    weights = Weights(Header(), {p.value: sections.arrays[p.layer, p.role] for p in graph.params})
    worst = _worst(network, sections, compilation, weights)
    names = network.contract.names if network.contract is not None else ()
    if names == tuple(map(str, range(len(names)))):
        names = ()
    write_network(path, text, graph, weights, names=names, side=trees.files, sources=[source], replace=replace)
    floats = sum(p.size for p in graph.params)
    return ImportedNetwork(source, path, path.with_suffix(".weights"), len(graph.layers), floats, worst)


def _text(network: ReadNetwork, sections: Sections) -> str:
    shape, contract = network.graph.image.shape, network.contract
    net = dict(zip(("channels", "height", "width"), map(str, shape), strict=True)) if len(shape) == 3 else {}
    net = net or {"inputs": str(shape[0])}
    options = {"batch": "1", "subdivisions": "1", **net, **(_of_contract(contract) if contract else {})}
    made = f"# {network.path.name}, imported by darknet-py {VERSION}\n"
    return made + spell([("net", options), *sections.options])


def _of_contract(contract: Contract) -> dict[str, str]:
    told = {
        "letter_box": "1" if contract.letterbox else "", "class_names": contract.class_names,
        "shorter_edge": str(contract.shorter_edge or ""),
        "interpolation": contract.interpolation if contract.interpolation != "darknet" else "",
    }  # fmt: skip
    return {key: value for key, value in told.items() if value}


def _compiled(network: ReadNetwork, sections: Sections, text: str, trees: Trees) -> Compilation:
    """The text, compiled. Raises `DataError` with the node where a layer is not what it is in the file."""
    compilation = compile_cfg(text, "the imported cfg", folder=str(trees.folder), dialect=ALEXEYAB.name)
    producers = network.graph.producers()

    def refused(layer: int, why: str) -> DataError:
        value = sections.values[layer] if layer < len(sections.values) else None
        op = producers.get(value) if value is not None else None
        return network.refusal(op.layer, why) if op is not None else DataError(f"{network.path}: {why}")

    for error in compilation.errors:
        starts = [s.span.start for s in compilation.cfg.sections]
        layer = sum(start <= error.span.start for start in starts) - 2 if error.span else -1
        raise refused(max(layer, 0), error.message)
    for info in compilation.graph.layers:
        value = sections.values[info.index]
        if value is not None and len(value.shape) == 3 and info.output.shape != value.shape:
            raise refused(info.index, f"it gives {value.shape}, and [{info.section}] {info.output.shape}")
    missing: Mapping[str, object] = {p.value.name: p for p in compilation.graph.params
                                     if (p.layer, p.role) not in sections.arrays}  # fmt: skip
    assert not missing, f"no array for {', '.join(missing)}"
    return compilation


def _worst(network: ReadNetwork, sections: Sections, compilation: Compilation, weights: Weights) -> float:
    """How far the outputs of the two, and what they remember, are apart on noise, which the states are too.

    Raises `DataError` where that is no rounding.
    """
    rng, graph = np.random.default_rng(0), network.graph
    noise = {v: rng.random((1, *v.shape), np.float32) for v in graph.inputs}
    wanted = open_file(network.path, "onnxruntime").run([np.repeat(x, network.batch, 0) for x in noise.values()])
    session = open_session(compilation.graph.with_data(weights.arrays), "onnxruntime")
    got = session.run([noise[graph.image], *(noise[s.input] for s in sections.states)])
    after = dict(zip(graph.states, wanted[len(graph.outputs) :], strict=True))
    right = [*wanted[: len(graph.outputs)], *(after[s] for s in sections.states)]
    worst = 0.0
    for own, theirs in zip(got, right, strict=True):
        if own[0].size != theirs[0].size:
            raise DataError(f"{network.path}: an output of {theirs[0].shape} became one of {own[0].shape}")
        off = difference(own[0].ravel(), theirs[0].ravel())
        worst = max(worst, off)
    if not worst <= TOLERANCE:
        raise DataError(
            f"{network.path}: the cfg computes something else, by {worst:.1e} of the scale of an output: this network "
            "cannot be imported"
        )
    return worst
