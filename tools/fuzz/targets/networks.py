"""Random networks of all sections: every back end, and plain onnxruntime on the exported file, compute what NumPy does.

Decision: what may differ is not guessed but measured. The reference runs again with inputs and parameters that are off
by a few units of float32's last place; what that changes, rounding may change too. Twenty times of it, and 1e-4 of the
scale, is the tolerance. Numbers that are not finite, and those that float32 hardly holds (-FLT_MAX of a window without
cells), must be the same where they first appear; what a later layer makes of them depends on the order of a sum.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np

from darknet_py.backends.backend import Backend, backends
from darknet_py.backends.session import Session, open_file, open_session
from darknet_py.contract.form import Form
from darknet_py.contract.program import Program
from darknet_py.darknet.compile import Compilation, compile_cfg, compile_file
from darknet_py.darknet.dialects import DIALECTS
from darknet_py.darknet.layers import Layer
from darknet_py.darknet.program import program_of
from darknet_py.darknet.weights import random_weights
from darknet_py.errors import BackendError
from darknet_py.ir import Graph, Value
from darknet_py.ir.compare import HUGE
from darknet_py.onnx.export import to_exported

from ..grammar import TREES, layer_classes, layer_section, net_section
from ..nudges import nudged
from ..target import Case, Mismatch, Target

MOST_LAYERS, TRIES = 9, 8
MOST_WORK, MOST_OPS = 1 << 21, 250  # multiply-accumulates and numbers; operations
MOST_PYTHON = 1 << 19  # the same of a batch, where onnx.reference walks it in Python: what it costs is not ours
BASE, FACTOR = 1e-4, 20.0
FLOOR = 3e-7  # of anything: the sigmoids of runtimes are right to the last place of 1, not of a small number
NUDGE = 5e-7  # a few units of the last place
RUNS, MORE_RUNS, MORE_NUDGE = 2, 12, 2e-6  # of the nudged reference; where something differs
DOUBTFUL = 1e-2  # a nudged result that is off by so much of the scale says nothing about the others
STEPS = 2  # of recurrent networks


def make(rng: Random) -> Case:
    """A network grown layer by layer, each tried until it compiles."""
    dialect = rng.choice([*DIALECTS, "alexeyab"])
    sections = layer_classes(dialect)
    known = dict(sections)
    lines = net_section(rng)
    index = 0
    wanted = rng.randint(1, MOST_LAYERS)
    for _ in range(2 * wanted):
        if index < wanted:
            name, cls = rng.choice(sections)
            grown = _grown(rng, lines, index, dialect, name, cls)
            wants = _named(_compiled([*lines, f"[{name}]"], dialect)) if grown[1] == index else ()
            for other in sorted(known.keys() & wants):
                grown = _grown(rng, *_grown(rng, lines, index, dialect, other, known[other]), dialect, name, cls)
            lines, index = grown
    how = dict(
        dialect=dialect, seed=rng.randrange(1 << 30), all=rng.random() < 0.5, batch=rng.choice((1, 1, 2, 3)),
        scale=rng.choice((1.0, 1.0, 1.0, 0.1, 5.0)),
    )  # fmt: skip
    return {"net.cfg": "\n".join(lines).encode(), "how.json": json.dumps(how).encode()}


def _grown(
    rng: Random, lines: list[str], index: int, dialect: str, name: str, cls: type[Layer]
) -> tuple[list[str], int]:
    """The network with one layer more, or as it was if none of a few fits; and its number of layers."""
    for attempt in range(TRIES):
        share = rng.choice((0.6, 0.3)) if attempt < TRIES // 2 else 0.1
        section = layer_section(rng, name, cls, index, share)
        compiled = _compiled([*lines, *section], dialect)
        if _fits(compiled):
            return [*lines, *section], index + 1
        for before in _repairs(compiled):
            if _fits(_compiled([*lines, *before, *section], dialect)):
                return [*lines, *before, *section], index + 2
    return lines, index


def _compiled(lines: list[str], dialect: str) -> Compilation:
    return compile_cfg("\n".join(lines), dialect=dialect)


def _named(compiled: Compilation) -> set[str]:
    """Sections that the error of the last layer names: it wants one before it."""
    return {name for e in compiled.errors for name in re.findall(r"\[(\w+)\]", e.message)[1:]}


def _repairs(compiled: Compilation) -> Iterator[list[str]]:
    """Layers that may go before one that does not fit: as wide as a number that its error names."""
    said = " ".join(f"{e.message} {e.hint or ''}" for e in compiled.errors)
    for number in sorted({int(n) for n in re.findall(r"\d+", said)}, reverse=True)[:4]:
        if 0 < number < 400:
            yield ["[convolutional]", f"filters={number}", "size=1", "activation=linear"]
            yield ["[connected]", f"output={number}", "activation=linear"]


def _fits(compiled: Compilation) -> bool:
    graph = compiled.graph
    if compiled.errors or len(graph.ops) > MOST_OPS:
        return False
    return _work(graph) <= MOST_WORK


def _work(graph: Graph) -> int:
    """Multiply-accumulates of an image, and numbers that are held for it."""
    sizes = [*(math.prod(op.output.shape) for op in graph.ops), *(p.size for p in graph.params)]
    return sum(sizes) + sum(op.macs for op in graph.ops)


def build(case: Case, folder: Path) -> None:
    """The cfg, how to run it, and the trees that it may name."""
    for name, data in (*case.items(), *TREES.items()):
        (folder / name).write_bytes(data)


@dataclass(frozen=True)
class How:
    """How a network is run: what `how.json` holds."""

    dialect: str
    seed: int
    all: bool  # every layer is an output, so that a difference is seen where it begins
    batch: int
    scale: float  # of the input


def check(folder: Path) -> str:
    """Compile, run everywhere, compare."""
    how = How(**json.loads((folder / "how.json").read_bytes()))
    compiled = compile_file(folder / "net.cfg", dialect=how.dialect).check()
    graph = compiled.graph.with_data(random_weights(compiled.graph, how.seed).arrays)
    if how.batch * _work(graph) > MOST_WORK:  # what is kept here to compare with would be hundreds of megabytes
        how = replace(how, batch=1)
    if how.all:
        graph = graph.with_outputs(dict.fromkeys(info.output for info in graph.layers))
    feeds = _feeds(graph, how)
    with np.errstate(all="ignore"):
        wanted = Wanted.of(graph, feeds, how.seed)
        for backend in backends().values():
            if backend.name != "numpy" and backend.installed and (backend.fast or not _costly(graph, how)):
                _compare(backend, _opened(graph, backend), wanted)
        if not how.all:
            _check_file(compiled, graph, how, folder, wanted)
    return "finite" if wanted.finite else "not finite"


def _costly(graph: Graph, how: How) -> bool:
    """Whether onnx.reference takes seconds or hundreds of megabytes.

    It does for much work, and where a convolution pads its image to a multiple of it: it copies that for each tap.
    """
    convs = (op for op in graph.ops if op.kind == "conv")
    wide = any(max(op.attrs["pads"]) > min(op.inputs[0].shape[1:]) for op in convs)
    return wide or how.batch * _work(graph) > MOST_PYTHON


def _feeds(graph: Graph, how: How) -> list[list[np.ndarray]]:
    """Inputs of each step: an image, and what recurrent layers remember."""
    rng = np.random.default_rng(how.seed)
    states = [np.zeros((how.batch, *s.input.shape), np.float32) for s in graph.states]
    images = [rng.random((how.batch, *graph.image.shape), np.float32) * np.float32(how.scale) for _ in range(STEPS)]
    feeds = [[images[0], *states]]
    if states:
        states = [rng.standard_normal(s.shape, np.float32) for s in states]
        feeds.append([images[1], *states])
    return feeds


def _opened(graph: Graph, backend: Backend) -> Session:
    """A session of one thread, as its user would open it."""
    try:
        return open_session(graph, backend.name, **({} if backend.threads == "none" else {"threads": 1}))
    except BackendError as e:
        raise Mismatch(f"{backend.name} refuses", str(e)) from None


@dataclass(frozen=True, eq=False)
class Wanted:
    """What the reference computes for each feed, and what it computes of nearly the same numbers."""

    graph: Graph
    feeds: list[list[np.ndarray]]
    results: list[list[np.ndarray]]
    nudged: list[list[list[np.ndarray]]]
    seed: int
    edges: frozenset[Value]  # outputs of layers that read what is not finite, or hardly

    @classmethod
    def of(cls, graph: Graph, feeds: list[list[np.ndarray]], seed: int) -> Wanted:
        """Run the reference."""
        session = open_session(graph, "numpy")
        results = [session.run(feed) for feed in feeds]
        rng = np.random.default_rng(seed + 1)
        return cls(
            graph, feeds, results, [nudged(graph, feeds, rng, NUDGE) for _ in range(RUNS)], seed, _edges(graph, feeds)
        )

    @property
    def finite(self) -> bool:
        """Whether all results are."""
        return all(np.isfinite(array).all() for results in self.results for array in results)

    def with_more(self) -> Wanted:
        """The same with many more nudged runs, further away: jumps, as of a sign, are rare."""
        rng = np.random.default_rng(self.seed + 2)
        more = [nudged(self.graph, self.feeds, rng, MORE_NUDGE) for _ in range(MORE_RUNS)]
        return replace(self, nudged=[*self.nudged, *more])

    def complaint(self, step: int, place: int, got: np.ndarray) -> str | None:
        """What is wrong with an array that should be the result in a place; None: nothing."""
        wanted = self.results[step][place]
        if self.graph.roots[place] in self.edges and got.shape == wanted.shape:
            return None
        others = [run[step][place] for run in self.nudged]
        return complaint(got, wanted, others)


def _edges(graph: Graph, feeds: list[list[np.ndarray]]) -> frozenset[Value]:
    """The outputs of layers after the first one whose output is not plain, and what they remember."""
    whole = graph.with_outputs(dict.fromkeys(info.output for info in graph.layers))
    session = open_session(whole, "numpy")
    rough = {v for feed in feeds for v, a in zip(whole.roots, session.run(feed), strict=True) if not _plain(a).all()}
    if not rough:
        return frozenset()
    found: set[Value] = set()
    for info in graph.layers:
        if any(v in rough or v in found for v in graph.layer_inputs(info)):
            found.add(info.output)
    layers = {info.index for info in graph.layers if info.output in found}
    return frozenset(found) | {op.output for op in graph.ops if op.layer in layers}


def complaint(got: np.ndarray, wanted: np.ndarray, others: Sequence[np.ndarray]) -> str | None:
    """What is wrong with `got`, where `others` is what `wanted` becomes of nearly the same numbers; None: nothing."""
    if got.dtype != np.float32:
        return f"is {got.dtype}"
    if got.shape != wanted.shape:
        return f"has shape {got.shape}, not {wanted.shape}"
    plain = _plain(wanted)
    for other in others:
        sure = _plain(other) == plain
        if not sure.all():
            return None  # on the edge of what float32 holds
    if not _same_rough(got[~plain], wanted[~plain]) or not np.isfinite(got[plain]).all():
        return f"{np.count_nonzero(_plain(got) != plain)} numbers are not finite in only one of the two"
    if not plain.any():
        return None
    scale = float(np.abs(wanted[plain]).max()) or 1.0
    far = float(np.abs(got[plain].astype(np.float64) - wanted[plain]).max())
    off = far / scale
    noise = max(float(np.abs(o[plain].astype(np.float64) - wanted[plain]).max()) / scale for o in others)
    allowed = BASE + FACTOR * noise
    if far <= FLOOR or noise > DOUBTFUL or off <= allowed:
        return None
    return f"off by {off:.2g} of its scale; {allowed:.2g} is allowed"


def _same_rough(got: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether what is not finite is the same, and what is hardly finite is so but for rounding."""
    return np.array_equal(np.isfinite(got), np.isfinite(wanted)) and np.allclose(got, wanted, BASE, 0, equal_nan=True)


def _plain(array: np.ndarray) -> np.ndarray:
    return np.isfinite(array) & (np.abs(array) < HUGE)


def _compare(backend: Backend, session: Session, wanted: Wanted) -> None:
    name = backend.name
    for step, feed in enumerate(wanted.feeds):
        try:
            got = session.run(feed)
        except BackendError as e:
            if not (backend.fast or wanted.finite):  # onnx.reference knows no maximum of NaN
                return
            raise Mismatch(f"{name} fails", str(e)) from None
        _compare_step(name, wanted, step, got, wanted.graph.roots)


def _compare_step(name: str, wanted: Wanted, step: int, got: Sequence[np.ndarray], roots: Sequence[Value]) -> None:
    if len(got) != len(roots):
        raise Mismatch(f"{name} gives another number of results", f"{len(got)} for {len(roots)}")
    for place, (value, array) in enumerate(zip(roots, got, strict=True)):
        said = wanted.complaint(step, place, array) and wanted.with_more().complaint(step, place, array)
        if said:
            raise Mismatch(f"{name} differs{_after(wanted.graph, value)}", f"{value} in step {step} {said}")


def _after(graph: Graph, value: Value) -> str:
    """The section whose output a value is, which tells one difference from another."""
    sections = [info.section for info in graph.layers if info.output is value]
    return f" in [{sections[0]}]" if sections else ""


def _check_file(compiled: Compilation, graph: Graph, how: How, folder: Path, wanted: Wanted) -> None:
    """The exported file, in onnxruntime as it is and in all back ends that read such files."""
    path = folder / "net.onnx"
    contract = to_exported(program_of(compiled, graph)).save(path)
    _compare_plain(path, wanted)
    uneven = any(op.kind == "max_pool" and op.attrs["pads"][:2] != op.attrs["pads"][2:] for op in graph.ops)
    for backend in backends().values():
        if not backend.fast and (uneven or _costly(graph, how)):  # onnx.reference mixes up the sides of `pads`
            continue
        if ".onnx" in backend.reads and backend.installed and (backend.any_batch or len(wanted.feeds[0][0]) == 1):
            _compare_file(path, backend, wanted)
    # Without a logistic an objectness may be negative or above 1, and a score alone no longer says what it was.
    if contract.decoders and all(getattr(d, "squashes", True) for d in contract.decoders):
        _check_boxes(Program(graph, program_of(compiled, graph).contract), folder, wanted)


def _compare_file(path: Path, backend: Backend, wanted: Wanted) -> None:
    """The file in a back end. OpenCV may refuse it: files are not written around its gaps, as its sessions are."""
    name = f"the file in {backend.name}"
    try:
        session = open_file(path, backend.name, **({} if backend.threads == "none" else {"threads": 1}))
        results = [session.run(feed) for feed in wanted.feeds]
    except BackendError as e:
        if backend.name == "opencv" or not (backend.fast or wanted.finite):
            return
        raise Mismatch(f"{name} fails", str(e)) from None
    for step, got in enumerate(results):
        _compare_step(name, wanted, step, got, wanted.graph.roots)


def _compare_plain(path: Path, wanted: Wanted) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    for step, feed in enumerate(wanted.feeds):
        got = session.run(None, dict(zip(names, feed, strict=True)))
        _compare_step("plain onnxruntime", wanted, step, got, wanted.graph.roots)


def _check_boxes(program: Program, folder: Path, wanted: Wanted) -> None:
    """The file with decoded boxes has those that the contract decodes."""
    if wanted.edges:  # what overflows somewhere depends on the order of a sum
        return
    path = folder / "boxes.onnx"
    contract = to_exported(program, Form(boxes="decoded")).save(path)
    count = len(contract.outputs)
    got = open_file(path, "onnxruntime", threads=1).run(wanted.feeds[0])[:count]
    if any(a.shape[0] != len(wanted.feeds[0][0]) for a in got):
        raise Mismatch("decoded boxes have another batch", str([a.shape for a in got]))
    whole = program.contract
    for sample in range(len(got[0])):
        results = wanted.results[0][: len(program.graph.outputs)]
        if not all(_plain(a).all() for a in results):
            return
        best = float(whole.candidates(whole.sample(results, sample), 0.0).probabilities.max(initial=0))
        told = float(contract.candidates(contract.sample(got, sample), 0.0).probabilities.max(initial=0))
        if not math.isclose(best, told, rel_tol=1e-2, abs_tol=1e-3):
            raise Mismatch("decoded boxes have other scores", f"the best is {told}, not {best}")


TARGET = Target("networks", __doc__, make, check, "net.cfg", build, chunk=10)
