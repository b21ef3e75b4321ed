"""From a checkpoint of another program to the `.weights` of a cfg: every tensor in its place, or an error naming it.

Decision: the list of parameters of the graph is held against the list of tensors of the checkpoint, both in the order
of the network, and the result is a table of both. An import is complete or it fails: no parameter without a tensor, no
tensor left over, no shape that is made to fit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import Code, Diagnostic, WeightsError, counted
from ...files import check_output
from ...ir import Graph, Param
from ...zoo.find import find_cfg
from ..compile import Compilation, compile_file
from ..dialects import Dialect
from ..weights import Header, Weights, find_wrong_values, write_weights
from .checkpoint import Checkpoint, read_checkpoint
from .families import COUNTERS, DEVIATION, FAMILIES, MEAN, Family, Position, split

SHOWN = 5  # names in an error; a wrong cfg leaves hundreds over


@dataclass(frozen=True)
class Row:
    """A parameter of the network, and the tensor that it came from ('' where it is no tensor of the checkpoint).

    `note` says what was done to it, where something was.
    """

    layer: str
    role: str
    shape: tuple[int, ...]
    tensor: str
    note: str = ""


@dataclass(frozen=True)
class Import:
    """An import that succeeded: which tensor went where, in the order of the weights file.

    `entry` is where in the checkpoint the tensors were, `counters` the tensors that count training steps, from which
    nothing is computed, `warnings` what is wrong with the numbers.
    """

    checkpoint: Path
    weights: Path
    cfg: Path
    family: str
    form: str
    entry: str
    rows: tuple[Row, ...]
    counters: tuple[str, ...]
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def used(self) -> int:
        """How many tensors of the checkpoint were used."""
        return sum(bool(row.tensor) for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """The import as plain data."""
        paths = dict(checkpoint=str(self.checkpoint), weights=str(self.weights), cfg=str(self.cfg))
        said = dict(family=self.family, form=self.form, entry=self.entry, counters=list(self.counters))
        rows = [vars(row) | {"shape": list(row.shape)} for row in self.rows]
        return {**paths, **said, "rows": rows, "warnings": [w.to_dict() for w in self.warnings]}


@dataclass(frozen=True)
class ForeignUnit:
    """A convolution and its normalization: its name in the checkpoint, and the tensors of its roles by their names."""

    name: str
    position: Position
    tensors: dict[str, str]


def import_weights(
    checkpoint: str | Path,
    output: str | Path,
    cfg: str | Path | None = None,
    *,
    dialect: str | None = None,
    epsilon: float | None = None,
    replace: bool = False,
) -> Import:
    """Write a checkpoint of another program as the Darknet weights `output`; what went where.

    `checkpoint` is a file of mmpretrain, timm, or a PyTorch program that reads Darknet's cfg (PyTorch_YOLOv4, yolor,
    ultralytics' first yolov3; the `state_dict` of a module of `darknet_py.torch`), as torch.save or safetensors wrote
    it. `cfg` is the network, a path or an installed name; without it that is the one of timm's or mmpretrain's which
    the checkpoint fits. `dialect` is whose Darknet the cfg is for, None: inferred. `epsilon` is that of the
    checkpoint's batch normalization where it is neither in the file, as in a model that was saved whole, nor the one
    that its program has: variances are written so that Darknet's own epsilon gives the same. Nothing in the file is
    executed. A file that this package did not write is replaced only if `replace`. Raises `DataError` for that and for
    a file that is no checkpoint, and `WeightsError` for one that does not fit exactly.
    """
    if os.path.realpath(checkpoint) == os.path.realpath(output):
        raise WeightsError(f"{output} is the checkpoint itself", Code.WEIGHTS_MISSING, "write to another file")
    check_output(output, replace=replace)
    read = read_checkpoint(checkpoint)
    family = _family_of(read)
    units, counters = _units(read, family)
    compilation = _network(read, family, units, cfg, dialect)
    rows, weights = _joined(read, family, units, compilation, epsilon)
    write_weights(output, compilation.graph, weights, replace=replace)
    wrong = find_wrong_values(weights, compilation.graph)
    return Import(
        read.path, Path(output), Path(compilation.cfg.source.name), family.title, read.form, read.entry, rows, counters,
        (wrong,) if wrong else (),
    )  # fmt: skip


def convert(checkpoint: Path, compilation: Compilation) -> Weights:
    """The weights that a checkpoint has for a network, not written anywhere; raises what `import_weights` raises."""
    read = read_checkpoint(checkpoint)
    family = _family_of(read)
    units, _ = _units(read, family)
    return _joined(read, family, units, compilation, None)[1]


# -- the checkpoint --------------------------------------------------------------------------------------------------


def _family_of(checkpoint: Checkpoint) -> Family:
    """The program that would call most of the tensors so."""
    known = {family.name: family.knows(checkpoint.tensors) for family in FAMILIES}
    best = max(FAMILIES, key=lambda family: known[family.name])
    if not known[best.name]:
        some = ", ".join(repr(n[:60]) for n in [*checkpoint.tensors][:SHOWN])
        titles = ", ".join(family.title for family in FAMILIES)
        message = f"{checkpoint.path}: tensors called {some} are of no program that is known here"
        hint = (
            f"known are checkpoints of {titles}; of any other program, copy its tensors into those of "
            "darknet_py.torch.module(CFG), and write that with darknet_py.torch.write_weights"
        )
        raise WeightsError(message, Code.WEIGHTS_HEADER, hint)
    return best


def _units(checkpoint: Checkpoint, family: Family) -> tuple[list[ForeignUnit], tuple[str, ...]]:
    """The units in the order of the network, and the tensors that only count."""
    found: dict[Position, ForeignUnit] = {}
    strange: list[str] = []
    counters = tuple(name for name in checkpoint.tensors if name.rpartition(".")[2] == COUNTERS)
    for name in checkpoint.tensors:
        if name in counters:
            continue
        unit, role = split(name)
        position = family.position(unit)
        if position is None or role.startswith("?"):
            strange.append(name)
            continue
        tensors = found.setdefault(position, ForeignUnit(unit, position, {})).tensors
        # A bias beside a normalization is a second bias, for which Darknet has no place.
        if role in tensors:
            strange.append(name)
        tensors.setdefault(role, name)
    if strange:
        raise _left_over(checkpoint, strange, family)
    return [found[p] for p in sorted(found)], counters


def _left_over(checkpoint: Checkpoint, names: list[str], family: Family) -> WeightsError:
    message = f"{checkpoint.path}: no place in the network for {counted(len(names), 'tensor')}: {_some(names)}"
    return WeightsError(message, Code.WEIGHTS_LONG, f"its other tensors are called as those of {family.title}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name[:80] for name in names[:SHOWN]) + more


# -- the network -----------------------------------------------------------------------------------------------------


def _network(
    checkpoint: Checkpoint, family: Family, units: list[ForeignUnit], cfg: str | Path | None, dialect: str | None
) -> Compilation:
    """The network that is named, else the one of the program's own that the checkpoint fits best."""
    if cfg is not None:
        return compile_file(find_cfg(cfg), dialect=dialect).check()
    if not family.cfgs:
        message = f"{checkpoint.path} is of {family.title}: its network is not in the file"
        raise WeightsError(message, Code.WEIGHTS_MISSING, "name the cfg with --cfg")
    known = [compile_file(find_cfg(name), dialect=dialect).check() for name in family.cfgs]
    return min(known, key=lambda c: _misfits(checkpoint, family, units, c.graph))


def _misfits(checkpoint: Checkpoint, family: Family, units: list[ForeignUnit], graph: Graph) -> int:
    """How many layers and units do not fit each other."""
    layers = _layers(graph, family)
    wrong = sum(bool(_mismatch(checkpoint, unit, params)) for unit, params in zip(units, layers, strict=False))
    return wrong + abs(len(units) - len(layers))


def _layers(graph: Graph, family: Family) -> list[list[Param]]:
    """The parameters of each layer that has any, without a normalization of the picture."""
    layers = [list(params) for _, params in groupby(graph.params, key=lambda p: p.layer)]
    return layers[1:] if _normalizes(graph, family) else layers


def _normalizes(graph: Graph, family: Family) -> bool:
    """Whether the network normalizes pictures itself, before its first convolution."""
    first = graph.layers[0]
    return family.normalized and first.section == "batchnorm" and graph.layer_output(0).shape[0] == len(MEAN)


def _mismatch(checkpoint: Checkpoint, unit: ForeignUnit, params: list[Param]) -> str:
    """What does not fit between a unit and a layer, in words; '' where all does."""
    roles = {p.role: p for p in params}
    if missing := [role for role in roles if role not in unit.tensors]:
        return f"{unit.name} has no tensor for the {', '.join(missing)}"
    if extra := [name for role, name in unit.tensors.items() if role not in roles]:
        return f"{_some(extra)} has no place there"
    for role, name in unit.tensors.items():
        tensor, wanted = checkpoint.tensors[name], roles[role].value.shape
        if not _same_shape(tensor.shape, wanted):
            return f"{name} is {tensor.shape}, and the {role} are {wanted}"
    return ""


def _same_shape(theirs: tuple[int, ...], ours: tuple[int, ...]) -> bool:
    """Whether two shapes are the same but for axes of 1: a linear layer is a 1x1 convolution."""
    return [n for n in theirs if n != 1] == [n for n in ours if n != 1]


# -- joining them ----------------------------------------------------------------------------------------------------


def _joined(
    checkpoint: Checkpoint, family: Family, units: list[ForeignUnit], compilation: Compilation, epsilon: float | None
) -> tuple[tuple[Row, ...], Weights]:
    graph, dialect = compilation.graph, compilation.dialect
    pairs = _pairs(checkpoint, family, units, compilation)
    rows: list[Row] = []
    arrays: dict[Any, np.ndarray] = {}
    if family.normalized and not _normalizes(graph, family):
        message = (
            f"{family.title} normalizes pictures by mean and deviation, and {compilation.cfg.source.name} does not"
        )
        own = Path(_network(checkpoint, family, units, None, dialect.name).cfg.source.name).stem
        hint = f"take {own}, or let the cfg begin with a [batchnorm] as that does"
        raise WeightsError(message, Code.WEIGHTS_SHORT, hint)
    if _normalizes(graph, family):
        for param, array, note in _normalization(graph, dialect):
            arrays[param.value] = array
            rows.append(Row(graph.layer(param.layer).name, param.role, param.value.shape, "", note))
    for unit, params in pairs:
        values, note = _values(checkpoint, unit, _epsilon_of(checkpoint, unit, family, epsilon), dialect)
        for param in params:
            arrays[param.value] = values[param.role].reshape(param.value.shape)
            said = note if param.role in ("variance", "scales") else ""
            name = graph.layer(param.layer).name
            rows.append(Row(name, param.role, param.value.shape, unit.tensors[param.role], said))
    return tuple(rows), Weights(Header(), arrays)


def _pairs(
    checkpoint: Checkpoint, family: Family, units: list[ForeignUnit], compilation: Compilation
) -> list[tuple[ForeignUnit, list[Param]]]:
    """Each unit with the parameters of its layer. Raises `WeightsError` for the first that has no partner."""
    graph, where = compilation.graph, f"{checkpoint.path} does not fit {compilation.cfg.source.name}"
    layers = _layers(graph, family)
    by_layer = {params[0].layer: params for params in layers}
    partners = dict(zip((unit.position for unit in units), layers, strict=False))
    if family.by_layer:
        partners = {u.position: by_layer[u.position[0]] for u in units if u.position[0] in by_layer}
    lonely = [name for u in units if u.position not in partners for name in u.tensors.values()]
    taken = {params[0].layer for params in partners.values()}
    empty = [graph.layer(n).name for n in by_layer if n not in taken]
    pairs = [(unit, partners[unit.position]) for unit in units if unit.position in partners]
    wrong = [(unit, params, why) for unit, params in pairs if (why := _mismatch(checkpoint, unit, params))]
    if wrong:
        unit, params, why = wrong[0]
        name = graph.layer(params[0].layer).name
        hint = _of_other_classes(unit, units, params) or _how_many_fit(len(pairs) - len(wrong), len(layers))
        raise WeightsError(f"{where}: at layer {name}, {why}", Code.WEIGHTS_SHORT, hint)
    hint = _how_many_fit(len(pairs), len(layers))
    if lonely:
        raise WeightsError(
            f"{where}: no layer for {counted(len(lonely), 'tensor')}: {_some(lonely)}", Code.WEIGHTS_LONG, hint
        )
    if empty:
        raise WeightsError(
            f"{where}: no tensors for {counted(len(empty), 'layer')}: {_some(empty)}", Code.WEIGHTS_SHORT, hint
        )
    return pairs


def _of_other_classes(unit: ForeignUnit, units: list[ForeignUnit], params: list[Param]) -> str | None:
    """What to do where all fits but the size of the last layer; None where that is not so."""
    if len(units) == 1 or unit is not units[-1] or {p.role for p in params} != set(unit.tensors):
        return None
    return "only the last layer differs: a network of other classes has a cfg with as many filters there (--cfg)"


def _how_many_fit(fitting: int, layers: int) -> str:
    if fitting == layers:
        return f"all of the cfg's {layers} layers with parameters fit: the checkpoint is of a longer cfg"
    if not fitting:
        return f"none of the cfg's {layers} layers with parameters fits: it is the checkpoint of another network"
    return (
        f"{fitting} of the cfg's {layers} layers with parameters fit: it is of another network, or the cfg was changed"
    )


def _epsilon_of(checkpoint: Checkpoint, unit: ForeignUnit, family: Family, given: float | None) -> float | None:
    """The epsilon of a unit: the given one, else what its module says of itself, else that of the program.

    None: the cfg's own, in its own place.
    """
    module = unit.tensors.get("variance", "").rpartition(".")[0]
    epsilon = checkpoint.epsilons.get(module, family.epsilon) if given is None else given
    if epsilon is not None and not 0 <= epsilon < inf:
        message = f"{checkpoint.path}: {module} has the epsilon {epsilon:g}"
        raise WeightsError(message, Code.WEIGHTS_VALUES, "it is a small positive number")
    return epsilon


def _values(
    checkpoint: Checkpoint, unit: ForeignUnit, epsilon: float | None, dialect: Dialect
) -> tuple[dict[str, np.ndarray], str]:
    values = {role: checkpoint.tensors[name].array() for role, name in unit.tensors.items()}
    if "variance" not in values or epsilon is None or (epsilon == dialect.epsilon and not dialect.epsilon_outside):
        return values, ""
    if (values["variance"] < -epsilon).any():
        message = f"{checkpoint.path}: {unit.tensors['variance']} has negative variances"
        raise WeightsError(message, Code.WEIGHTS_VALUES)
    variance, factor = carried(values["variance"], epsilon, dialect)
    values["variance"] = variance
    if "scales" in values:
        values["scales"] = (values["scales"] * factor).astype(np.float32)
    return values, f"epsilon {epsilon:g} there, {dialect.epsilon:g} here"


def carried(variance: np.ndarray, epsilon: float, dialect: Dialect) -> tuple[np.ndarray, np.ndarray]:
    """The variance that makes the dialect divide by sqrt(variance + epsilon), and what scales are multiplied with.

    The factor is 1 where there is such a variance; it would be negative where the dialect's own epsilon is too large.

    >>> from ..dialects import ALEXEYAB, PYTORCH
    >>> carried(np.float32([1e-4]), 1e-3, ALEXEYAB)[0].round(6).tolist() == np.float32([1.09e-3]).round(6).tolist()
    True
    >>> [x.round(3).tolist() for x in carried(np.float32([0.0]), 1e-5, PYTORCH)]
    [[0.0], [3.162]]
    """
    divisor = np.sqrt(variance.astype(np.float64) + epsilon)
    inside = np.maximum(divisor - dialect.epsilon, 0) ** 2 if dialect.epsilon_outside else divisor**2 - dialect.epsilon
    stored = np.maximum(inside, 0).astype(np.float32)
    root = np.sqrt(stored.astype(np.float64) + (0 if dialect.epsilon_outside else dialect.epsilon))
    ours = root + dialect.epsilon if dialect.epsilon_outside else root
    with np.errstate(divide="ignore", invalid="ignore"):
        return stored, np.where(inside < 0, ours / divisor, 1.0)


def _normalization(graph: Graph, dialect: Dialect) -> Iterator[tuple[Param, np.ndarray, str]]:
    """The normalization of pictures, in the order of its parameters: (pixel - mean) / deviation."""
    variance, scales = carried(np.square(np.array(DEVIATION)), 0.0, dialect)
    values = {"biases": np.zeros(3), "scales": scales, "mean": np.array(MEAN), "variance": variance}
    for param in graph.params:
        if param.layer == 0:
            yield param, values[param.role].astype(np.float32), "mean and deviation of ImageNet's pixels"
