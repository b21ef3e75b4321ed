"""A network written back as AlexeyAB's Darknet reads it: a cfg in its words, and the weights in the order of that cfg.

Decision: sections stay what they are, with all their options for training; what only we or another dialect can say is
spelled by the layer itself (`Layer.spelled`), and a layer that Darknet has no words for is an error that names it.
What is written is compiled again before anybody gets it. Where nothing changed the weights are the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..files import check_outputs, is_file, read_whole, write_whole
from ..ir.graph import Graph, LayerInfo, Param
from ..passes.fold_batch_norm import FOLDABLE, fold_batch_norm
from ..version import VERSION
from .cfg import Section, spell
from .cfg.options import plain_value, schema
from .compile import Compilation, compile_cfg
from .dialects import ALEXEYAB, Dialect
from .layers import LayerError
from .layers.heads.tree import MAX_BYTES, find_side_file
from .layers.layer import Layer, layer_of
from .layers.net import Net
from .network import Network
from .weights import Header, Weights, write_weights

Options = dict[str, str]
Arrays = Mapping[tuple[int, str], np.ndarray]  # by layer and role

SUFFIX = ".cfg"
NORMALIZING = ("batch_normalize", "cbn")
RENAMED = {"silu": "swish"}  # activations that Darknet has under another name
OURS = ("hard_sigmoid",)  # and those that it lacks: it would take a ReLU for them


@dataclass(frozen=True, eq=False)
class Rewritten:
    """A network in Darknet's words: the text of its cfg, its weights, and the files that the text names.

    `files` are by the name that the text has for them. `weights` are against the graph of `compilation`, which is what
    the text compiles to.
    """

    text: str
    compilation: Compilation
    weights: Weights
    files: Mapping[str, Path]


def in_darknet(network: Network, *, letterbox: bool, fold: bool = False, layers: int | None = None) -> Rewritten:
    """A network, its parameters loaded, in the words of AlexeyAB's Darknet.

    `letterbox` is whether pictures are padded. `fold` multiplies batch normalization into the weights before it;
    `layers` takes the first so many. Raises `DataError`, which names the layer, where Darknet has no words for one.
    """
    source = network.compilation
    kept = source.graph.layers[:layers]
    if layers is not None and not 0 < layers <= len(source.graph.layers):
        raise DataError(f"{network.cfg} has {len(source.graph.layers)} layers: the first {layers} cannot be taken")
    spelled = [_spelled(source, info) for info in kept]
    _end_before_heads(source, kept, spelled)
    arrays = {(p.layer, p.role): network.graph.data[p.value] for p in source.graph.params if p.layer < len(kept)}
    if fold:
        arrays = _folded(network.graph, arrays)
        _without_norms(source.graph, spelled)
    else:
        arrays = _rescaled(arrays, source.dialect)
    sections = [("net", _net(source, letterbox)), *spelled]
    folder = str(network.cfg.parent)
    compilation = compile_cfg(_text(source, sections), "the cfg that was written", folder=folder, dialect=ALEXEYAB.name)
    graph = compilation.check().graph
    _compare(source.graph, graph, network.cfg)
    side = _side_files(sections, folder)
    header = network.header if network.header is not None and layers is None else Header()
    weights = Weights(header, {p.value: arrays[p.layer, p.role] for p in graph.params})
    return Rewritten(_text(source, sections), compilation, weights, side)


def names_of(network: Network, names: str | Path | None = None) -> tuple[str, ...]:
    """The class names that belong beside a cfg: none where they are numbers."""
    known = network.program(names).contract.names
    return () if known == tuple(map(str, range(len(known)))) else known


def _check_suffix(path: Path) -> None:
    if path.suffix != SUFFIX:
        raise DataError(f"{path}: Darknet's weights are found by the name of a cfg that ends in {SUFFIX}")


def check_network_place(path: Path, *, sources: Iterable[Path] = (), replace: bool = False) -> None:
    """Raise what `write_network` would for its cfg and its weights: to be called before they are computed."""
    _check_suffix(path)
    check_outputs((path, path.with_suffix(".weights")), replace=replace, sources=sources)


def write_network(
    path: Path,
    text: str,
    graph: Graph,
    weights: Weights,
    *,
    names: tuple[str, ...] = (),
    side: Mapping[str, Path] | None = None,
    sources: Iterable[Path] = (),
    replace: bool = False,
) -> tuple[str, ...]:
    """Write a cfg, and beside it NAME.weights, NAME.names and the files that the text names; a sentence for each.

    `sources` are files that were read. Raises `DataError` where `path` does not end in .cfg, or a file must not be
    replaced: then none is written.
    """
    _check_suffix(path)
    texts, sources = {path: text.encode()}, tuple(sources)
    beside = path.with_suffix(".names")
    if not names and is_file(beside):
        raise DataError(
            f"{beside} would name the classes of {path}, which have no names\n"
            "  hint: remove it, or write to another name"
        )
    if names:
        texts[beside] = "".join(f"{name}\n" for name in names).encode()
    for name, own in (side or {}).items():
        place = path.with_name(name)
        if place.resolve() != own.resolve():  # else it lies there already
            texts[place] = read_whole(own, MAX_BYTES, "tree")
    stored = path.with_suffix(".weights") if graph.params else None
    check_outputs((*texts, *((stored,) if stored else ())), replace=replace, sources=sources)
    told = []
    if stored:
        stored.parent.mkdir(parents=True, exist_ok=True)
        write_weights(stored, graph, weights, replace=replace)
        told.append(f"{stored.name}: {stored.stat().st_size:,} bytes")
    for place, data in texts.items():
        write_whole(place, data, replace=replace)
        told.append(f"{place.name}: {len(data):,} bytes")
    return tuple(told)


def _refused(info: LayerInfo, why: str, key: str | None, cfg: Section) -> DataError:
    option = cfg.find(key) if key else None
    place = option.span if option else info.span
    message = f"layer {info.index} [{info.section}] cannot be written for {ALEXEYAB.title}: {why}"
    hint = f"\n  hint: --layers {info.index} writes the layers before it" if info.index else ""
    return DataError(f"{place}: {message}{hint}")


def _spelled(source: Compilation, info: LayerInfo) -> tuple[str, Options]:
    """The section of a layer, and its options, in Darknet's words."""
    layer, section = layer_of(info), source.cfg.sections[info.index + 1]
    try:
        spelling = layer.spelled(*(v.shape for v in source.graph.layer_inputs(info)))
    except LayerError as e:
        raise _refused(info, str(e), e.key, section) from None
    options = _known(section, layer)
    activation = getattr(layer, "activation", None)
    if activation in OURS:
        raise _refused(info, f"it has no activation {activation}", "activation", section)
    if "activation" in options:
        options["activation"] = RENAMED.get(str(activation), str(activation))
    _set(options, spelling.options)
    return spelling.section or info.section, options


def _known(section: Section, read: Layer | Net) -> Options:
    """The options of a section that were read: what its dialect does not know, Darknet may."""
    known = schema(type(read))  # type: ignore[arg-type]  # as in `plain_value`
    found = (section.find(key) for key in dict.fromkeys(o.key for o in section.options) if key in known)
    return {option.key: plain_value(read, option) for option in found if option is not None}


def _set(options: Options, changes: Mapping[str, str | None]) -> None:
    for key, value in changes.items():
        options.pop(key, None) if value is None else options.update({key: value})


def _net(source: Compilation, letterbox: bool) -> Options:
    options = _known(source.cfg.sections[0], source.net)
    if len(source.net.shape) == 3:
        _set(options, {"height": f"{source.net.height}", "width": f"{source.net.width}"})
    if letterbox != bool(source.net.letter_box):
        _set(options, {"letter_box": "1" if letterbox else None})
    return options


def _end_before_heads(source: Compilation, kept: Iterable[LayerInfo], spelled: list[tuple[str, Options]]) -> None:
    """Give the convolutions before heads the activation that these want there."""
    graph = source.graph
    for info in kept:
        wanted = layer_of(info).spelled(*(v.shape for v in graph.layer_inputs(info))).before
        if not wanted:
            continue
        before = info.inputs[0]
        fits = before >= 0 and getattr(layer_of(graph.layer(before)), "activation", "") == "linear"
        if not fits or layer_of(graph.layer(before)).family != "convolution":
            why = f"the layer before has to be a convolution with activation=linear, which becomes {wanted}"
            raise _refused(info, why, None, source.cfg.sections[info.index + 1])
        if sum(before in other.inputs for other in graph.layers) > 1:
            why = f"the convolution before becomes {wanted}, and another layer reads it too"
            raise _refused(info, why, None, source.cfg.sections[info.index + 1])
        spelled[before][1]["activation"] = wanted


# -- parameters --------------------------------------------------------------------------------------------------


def _rescaled(arrays: Arrays, dialect: Dialect) -> dict[tuple[int, str], np.ndarray]:
    """The parameters with scales under which Darknet's epsilon gives what that of another dialect gave."""
    if (dialect.epsilon, dialect.epsilon_outside) == (ALEXEYAB.epsilon, ALEXEYAB.epsilon_outside):
        return dict(arrays)
    changed = dict(arrays)
    for (layer, role), variance in arrays.items():
        if not role.endswith("variance"):
            continue
        key = (layer, role.removesuffix("variance") + "scales")
        wide = variance.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):  # what is negative stays NaN
            outside, inside = np.sqrt(wide) + dialect.epsilon, np.sqrt(wide + dialect.epsilon)
            factor = np.sqrt(wide + ALEXEYAB.epsilon) / (outside if dialect.epsilon_outside else inside)
        changed[key] = (arrays[key] * factor).astype(np.float32)
    return changed


def _normalized(graph: Graph) -> frozenset[int]:
    """The layers whose batch normalization is an operation after a product: that of bits is not."""
    producers = graph.producers()
    return frozenset(
        op.layer
        for op in graph.ops
        if op.kind == "batch_norm" and (of := producers.get(op.inputs[0])) is not None and of.kind in FOLDABLE
    )


def _folded(graph: Graph, arrays: Arrays) -> dict[tuple[int, str], np.ndarray]:
    """The parameters with the batch normalization of convolutions and dense layers multiplied into their weights."""
    after = fold_batch_norm(graph)
    products = {
        op.layer: [after.data[v] for v in op.inputs[1:]]
        for op in after.ops
        if op.kind in FOLDABLE and len(op.inputs) == 3 and op.inputs[1] in after.data
    }
    changed = dict(arrays)
    for layer in sorted(_normalized(graph) & products.keys()):
        if not {(layer, "weights"), (layer, "scales")} <= arrays.keys():
            continue  # parameters of another layer, or those inside a recurrent one
        changed[layer, "weights"], changed[layer, "biases"] = products[layer]
        for role in ("scales", "mean", "variance"):
            del changed[layer, role]
    return changed


def _without_norms(graph: Graph, spelled: list[tuple[str, Options]]) -> None:
    own: dict[int, list[Param]] = {}
    for param in graph.params:
        own.setdefault(param.layer, []).append(param)
    for layer in _normalized(graph):
        roles = {p.role for p in own.get(layer, [])}
        if layer < len(spelled) and ("scales" in roles or not roles):
            _set(spelled[layer][1], dict.fromkeys(NORMALIZING))


# -- the text ----------------------------------------------------------------------------------------------------


def _text(source: Compilation, sections: Iterable[tuple[str, Options]]) -> str:
    """The cfg of some sections, with a line that says where it is from."""
    name = Path(source.cfg.source.name).name
    return f"# {name}, written by darknet-py {VERSION} for {ALEXEYAB.title}\n{spell(sections)}"


def _side_files(sections: Iterable[tuple[str, Options]], folder: str) -> dict[str, Path]:
    """The class trees that sections name, which are to lie beside the cfg; the sections name them so."""
    found: dict[str, Path] = {}
    for _, options in sections:
        path = find_side_file(folder, options["tree"]) if "tree" in options else None
        if path is not None:
            options["tree"] = path.name
            found[path.name] = path
    return found


def _compare(source: Graph, written: Graph, cfg: Path) -> None:
    """Raise `DataError`, which is a fault of this package, where a layer has another shape than it had."""
    for before, after in zip(source.layers, written.layers, strict=False):
        if before.output.shape != after.output.shape:
            shapes = f"{before.output.shape}, and is {after.output.shape} in what was written"
            raise DataError(f"{cfg}: layer {before.index} [{before.section}] has the shape {shapes}")
