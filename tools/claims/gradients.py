"""Duplicate gradients, made a number: what the gradients of layers that read the same maps have in common.

Decision: blocks are found in the graph, not named. The output of a convolution is a *source*; concatenations, sums,
pools and other layers without weights *carry* it, and convolutions *read* it. So a dense block, its partial counterpart
and a residual stage are measured in the same way.

In the paper's Eqs. 1 and 2, x_0 … x_k are sources, x_i is read by the dense layers i + 1 … k and the transition, and
the gradient g_i that comes back to it is the sum of what each of its readers sends. Eqs. 3 and 4 give x_0' and x_T one
reader, x_U's convolution.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from darknet_py.darknet.layers.layer import layer_of
from darknet_py.ir.graph import Graph, LayerInfo, Value

Channel = tuple[int, int]  # of a source: the number of its layer, and the channel
Stage = tuple[int, int]  # height and width
LEAST_SHARED = 4  # channels, for two gradients to be compared
RANDOM_SEED = 0


# -- who reads what ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reader:
    """A convolution that reads sources: the sources that each of its input channels carries."""

    layer: int
    channels: tuple[frozenset[Channel], ...]


@dataclass(frozen=True)
class Block:
    """All sources that are joined with others, the stage (height, width) of each source, and all readers.

    `merged` are the layers whose outputs take part in a concatenation or a sum: x_0', x_0'', x_i and x_T of the paper,
    but not what is inside a dense layer. Their stage is where that happens, behind the pool that may follow the layer:
    the x_0 of PeleeNet's blocks is made before a pool, that of CSPPeleeNet's after it. Of others it is their size.
    """

    readers: tuple[Reader, ...]
    merged: tuple[int, ...]
    sizes: Mapping[int, Stage]

    def readers_of(self, source: int) -> tuple[Reader, ...]:
        """Those that read any channel of a source."""
        return tuple(r for r in self.readers if any(layer == source for c in r.channels for layer, _ in c))


def block_of(graph: Graph) -> Block:
    r"""Sources and readers of a network.

    A dense block of two layers on one channel: x_0 is read by both and by the transition, x_1 by the second and it.

    >>> from darknet_py.darknet.compile import compile_cfg
    >>> conv = "[convolutional]\nfilters={}\nsize=1\nactivation=linear\n"
    >>> one, join = conv.format(1), "[route]\nlayers=-1,-2\n"
    >>> net = "[net]\nwidth=4\nheight=4\nchannels=1\n" + one + one + join + one + join + conv.format(3)
    >>> block = block_of(compile_cfg(net).check().graph)
    >>> [(source, [r.layer for r in block.readers_of(source)]) for source in block.merged]
    [(0, [1, 3, 5]), (1, [3, 5]), (3, [5])]
    """
    carried: dict[Value, list[set[Channel]]] = {graph.image: [set() for _ in range(graph.image.shape[0])]}
    readers = []
    joined: dict[int, Stage] = {}
    made: dict[int, Stage] = {}
    for info in graph.layers:
        sources = [carried[v] for v in graph.layer_inputs(info)]
        if _weights(graph, info) is not None:
            readers.append(Reader(info.index, tuple(map(frozenset, sources[0]))))
            carried[info.output] = [{(info.index, c)} for c in range(_channels(info.output))]
            made[info.index] = _size(info.output)
            continue
        family = layer_of(info).family
        if family in ("concatenation", "addition") and len(sources) > 1:
            for layer in {layer for channels in sources for c in channels for layer, _ in c}:
                joined.setdefault(layer, _size(info.output))
        if info.output not in carried:
            carried[info.output] = _carried(info, family, sources)
    return Block(tuple(readers), tuple(sorted(joined)), made | joined)


def _carried(info: LayerInfo, family: str, sources: list[list[set[Channel]]]) -> list[set[Channel]]:
    """The sources in each channel of a layer without weights."""
    count = _channels(info.output)
    if family == "concatenation":
        columns = layer_of(info).columns()
        parts = 1 if columns.group is None else columns.groups  # of each input the part of that number
        at = [(len(channels) // parts, columns.group or 0, channels) for channels in sources]
        return [set(c) for size, i, channels in at for c in channels[i * size : (i + 1) * size]]
    if family == "maxout":
        return [set().union(*sources[0][c::count]) for c in range(count)]
    found: list[set[Channel]] = [set() for _ in range(count)]
    for channels in sources if family == "addition" else sources[:1]:
        for mine, theirs in zip(found, channels, strict=False):  # Darknet adds the channels that both have
            mine |= theirs
    return found


def _weights(graph: Graph, info: LayerInfo) -> Value | None:
    """The weights of a convolution; None for a layer that has none."""
    if layer_of(info).family != "convolution":
        return None
    (weights,) = (p.value for p in graph.params if p.layer == info.index and p.role == "weights")
    return weights


def _channels(value: Value) -> int:
    return value.shape[0]


def _size(value: Value) -> Stage:
    return (value.shape[1], value.shape[2]) if len(value.shape) == 3 else (1, 1)


# -- how alike two gradients are ---------------------------------------------------------------------------------


def gram_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of the Gram matrices of two gradients (features, channels) over their channels, from 0 to 1.

    It is ||a b'||^2 / (||a a'|| ||b b'||) in the Frobenius norm: 1 where b is a rotation of a's features, times a
    number; 0 where no row of one has a part along a row of the other.

    >>> a = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    >>> round(gram_cosine(a, 3 * a[::-1]), 12), gram_cosine(a, np.array([[0.0, 0.0, 5.0]]))
    (1.0, 0.0)
    """
    norms = _gram_norm(a) * _gram_norm(b)
    return float(np.linalg.norm(a @ b.T) ** 2 / norms) if norms else 0.0


def _gram_norm(a: np.ndarray) -> float:
    """||a a'||, which is ||a' a||: of the smaller of the two."""
    return float(np.linalg.norm(a @ a.T if a.shape[0] < a.shape[1] else a.T @ a))


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Linear CKA (Kornblith et al., 2019) of two gradients (features, channels), with channels for samples.

    >>> a = np.array([[1.0, 2.0, 3.0, 5.0]])
    >>> round(linear_cka(a, 7 - 2 * a), 12)
    1.0
    """
    return gram_cosine(a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True))


def effective_rank(a: np.ndarray) -> float:
    """e to the entropy of the normalized singular values (Roy and Vetterli, 2007): from 1 to the smaller side.

    >>> round(effective_rank(np.eye(4)), 12), round(effective_rank(np.ones((4, 4))), 12)
    (4.0, 1.0)
    """
    values = np.linalg.svd(a, compute_uv=False)
    total = values.sum()
    if not total:
        return 0.0
    parts = values[values > 0] / total
    return float(np.exp(-(parts * np.log(parts)).sum()))


# -- of a network ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Duplication:
    """The four measures of PREDICTIONS.md, from 0 to 1, and the first three of random gradients of the same shapes."""

    cosine: float
    cka: float
    rank: float
    shared: float
    random_cosine: float
    random_cka: float
    random_rank: float


def duplication(graph: Graph, weights: Mapping[int, np.ndarray], sources: Mapping[int, float]) -> Duplication:
    """What the gradients of a network duplicate.

    `weights` are the gradients of the convolutions (filters, channels / groups, height, width) by the number of the
    layer; `sources` the squared norm of the gradient at the output of each layer. A convolution in groups is left out
    of the pairs, because a filter of it does not read all channels.
    """
    block = block_of(graph)
    chance = np.random.default_rng(RANDOM_SEED)
    fake = {layer: chance.standard_normal(g.shape) for layer, g in weights.items()}
    pairs = [*_pairs(block, weights)]
    cosine, cka = _alike(pairs, weights)
    random_cosine, random_cka = _alike(pairs, fake)
    return Duplication(
        cosine, cka, _rank(block, weights), _shared(block, sources), random_cosine, random_cka, _rank(block, fake)
    )


def _shared(block: Block, sources: Mapping[int, float]) -> float:
    """The part of the gradient energy of a stage at maps that are read more than once; the mean over stages."""
    stages: dict[Stage, list[tuple[float, bool]]] = defaultdict(list)
    for source in block.merged:
        stages[block.sizes[source]].append((sources[source], len(block.readers_of(source)) > 1))
    sums = [(sum(e for e, twice in stage if twice), sum(e for e, _ in stage)) for stage in stages.values()]
    return _mean([part / whole for part, whole in sums if whole])


def _rank(block: Block, weights: Mapping[int, np.ndarray]) -> float:
    """The effective rank of what each map gets, as a part of the largest; the mean over maps, then over stages."""
    stages: dict[Stage, list[float]] = defaultdict(list)
    for source in block.merged:
        if (part := _stacked(source, block.readers_of(source), weights)) is not None:
            stages[block.sizes[source]].append(effective_rank(part) / min(part.shape))
    return _mean_of_means([*stages.values()])


@dataclass(frozen=True)
class _Pair:
    """Two readers, the channels of each that carry the same channels of sources, and the stage of these."""

    layers: tuple[int, int]
    columns: tuple[list[int], list[int]]
    size: Stage


def _pairs(block: Block, weights: Mapping[int, np.ndarray]) -> Iterator[_Pair]:
    """All pairs of readers that share enough channels of maps of one stage."""
    whole = [r for r in block.readers if _whole(r, weights)]
    where = {r.layer: {c: i for i, carried in reversed([*enumerate(r.channels)]) for c in carried} for r in whole}
    for a, b in combinations(whole, 2):
        first, second = where[a.layer], where[b.layer]
        places: dict[Stage, dict[tuple[int, int], None]] = defaultdict(dict)
        for channel in sorted(first.keys() & second.keys()):
            places[block.sizes[channel[0]]][first[channel], second[channel]] = None  # of sums each place once
        for size, both in places.items():
            if len(both) >= LEAST_SHARED:
                yield _Pair((a.layer, b.layer), ([i for i, _ in both], [j for _, j in both]), size)


def _alike(pairs: Sequence[_Pair], weights: Mapping[int, np.ndarray]) -> tuple[float, float]:
    """Cosine and CKA of the shared parts of each pair: means over pairs, then over stages."""
    cosines: dict[Stage, list[float]] = defaultdict(list)
    ckas: dict[Stage, list[float]] = defaultdict(list)
    for pair in pairs:
        x, y = (columns_of(weights[layer], own) for layer, own in zip(pair.layers, pair.columns, strict=True))
        cosines[pair.size].append(gram_cosine(x, y))
        ckas[pair.size].append(linear_cka(x, y))
    return _mean_of_means([*cosines.values()]), _mean_of_means([*ckas.values()])


def columns_of(gradient: np.ndarray, channels: Sequence[int]) -> np.ndarray:
    """The part of a gradient (n, c, h, w) that belongs to some input channels: (n h w, channels)."""
    return np.moveaxis(gradient[:, list(channels)], 1, -1).reshape(-1, len(channels)).astype(np.float64)


def _whole(reader: Reader, weights: Mapping[int, np.ndarray]) -> bool:
    return reader.layer in weights and weights[reader.layer].shape[1] == len(reader.channels)


def _stacked(source: int, readers: Sequence[Reader], weights: Mapping[int, np.ndarray]) -> np.ndarray | None:
    """All gradients that the channels of a source get from two readers or more, one below the other, each of norm 1."""
    parts = []
    for reader in readers:
        if not _whole(reader, weights):
            continue
        places = [(c, i) for i, carried in enumerate(reader.channels) for layer, c in carried if layer == source]
        part = columns_of(weights[reader.layer], [i for _, i in sorted(places)])
        norm = np.linalg.norm(part)
        parts.append(part / norm if norm else part)
    widths = {part.shape[1] for part in parts}
    return np.concatenate(parts) if len(parts) > 1 and len(widths) == 1 and min(widths) > 1 else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _mean_of_means(stages: Sequence[Sequence[float]]) -> float:
    return _mean([_mean(stage) for stage in stages if stage])


def outputs_of(graph: Graph) -> dict[int, Value]:
    """The output of each convolution by its number: where the gradient at a source is taken."""
    return {info.index: info.output for info in graph.layers if _weights(graph, info) is not None}


def weight_values(graph: Graph) -> dict[int, Value]:
    """The weights of each convolution by its number."""
    found = {info.index: _weights(graph, info) for info in graph.layers}
    return {index: value for index, value in found.items() if value is not None}
