"""Verification: the same inputs through every back end, compared layer by layer with the NumPy reference.

Decision: each back end runs twice. Once returning every layer, which says where a difference begins; once returning the
outputs alone, because what a runtime fuses when nobody looks at the layers between is what users run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..backends.backend import available_backends, find_backend
from ..backends.session import initial_states, open_session
from ..errors import BackendError, DataError
from ..ir import Graph, Value
from ..ir.compare import difference, scale

REFERENCE = "numpy"  # the kernels of the IR themselves; no other back end can say what is right
TOLERANCE = 1e-4  # of the largest number of a layer


@dataclass(frozen=True)
class ReportRow:
    """A layer or an output: its scale, the largest absolute number in the reference, and for each back end the largest
    difference divided by the scale (infinite where shapes or non-finite numbers differ).
    """

    name: str
    scale: float
    differences: Mapping[str, float]


@dataclass(frozen=True)
class Report:
    """What `verify` found; `failures` says why a back end could not run."""

    layers: tuple[ReportRow, ...]
    outputs: tuple[ReportRow, ...]
    backends: tuple[str, ...]
    failures: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = TOLERANCE
    unknown: Mapping[str, float] = field(default_factory=dict)  # outputs with NaN or infinity: which share of them

    @property
    def worst(self) -> float:
        """The largest difference of all, relative to the scale of its layer; infinite if a back end failed."""
        found = [d for row in (*self.layers, *self.outputs) for d in row.differences.values()]
        return max([*found, *(float("inf") for _ in self.failures)], default=0.0)

    @property
    def passed(self) -> bool:
        """Whether everything is within the tolerance, and the outputs are numbers: NaN agrees with nothing."""
        return self.worst <= self.tolerance and not self.unknown

    def to_dict(self) -> dict[str, object]:
        """The report as plain data; infinite differences are None."""

        def plain(row: ReportRow) -> dict[str, object]:
            found = {k: d if np.isfinite(d) else None for k, d in row.differences.items()}
            return {"name": row.name, "scale": row.scale, "differences": found}

        return {
            "passed": self.passed, "tolerance": self.tolerance, "backends": list(self.backends),
            "failures": dict(self.failures), "not_finite": dict(self.unknown),
            "layers": [plain(r) for r in self.layers],
            "outputs": [plain(r) for r in self.outputs],
        }  # fmt: skip


def verify(
    graph: Graph,
    inputs: Sequence[np.ndarray],
    backends: Iterable[str] | None = None,
    *,
    tolerance: float = TOLERANCE,
    options: Mapping[str, Mapping[str, object]] | None = None,
) -> Report:
    r"""Compare back ends with the NumPy reference on a graph with its parameters loaded.

    `inputs` are the image (n, c, h, w) float32 and, for recurrent networks, states; without these they are zeros.
    `backends` are names of back ends, by default all that are installed; `options` are those of each session. Every
    layer's output is held in memory twice. Raises `DataError` for inputs of the wrong shape and `BackendError` for an
    unknown back end; one that cannot run the network is reported in `failures`.

    >>> from darknet_py.darknet.compile import compile_cfg
    >>> graph = compile_cfg("[net]\nwidth=8\nheight=8\nchannels=3\n[maxpool]\n[avgpool]").graph
    >>> verify(graph, [np.ones((1, 3, 8, 8), np.float32)], ["onnxruntime"]).worst
    0.0
    """
    feed = _complete(graph, inputs)
    wanted = available_backends() if backends is None else backends
    names = [name for name in wanted if find_backend(name).name != REFERENCE]
    layers = graph.with_outputs(dict.fromkeys(info.output for info in graph.layers))
    expected = dict(zip(layers.outputs, open_session(layers, REFERENCE).run(feed), strict=False))
    expected |= dict(zip(graph.outputs, open_session(graph, REFERENCE).run(feed), strict=False))
    found: dict[str, tuple[dict[Value, float], ...]] = {}
    failures = {}
    for name in names:
        own = (options or {}).get(name, {})
        try:
            found[name] = tuple(_differences(g, name, own, feed, expected) for g in (layers, graph))
        except BackendError as e:
            failures[name] = str(e)
    by_value = {info.output: info.name for info in graph.layers}

    def row(title: str, value: Value, which: int) -> ReportRow:
        return ReportRow(title, scale(expected[value]), {b: found[b][which][value] for b in found})

    return Report(
        tuple(row(info.name, info.output, 0) for info in graph.layers),
        tuple(row(by_value.get(v, v.name), v, 1) for v in graph.outputs),
        tuple(found), failures, tolerance,
        {by_value.get(v, v.name): share for v in graph.outputs if (share := _not_finite(expected[v]))},
    )  # fmt: skip


def format_report(report: Report, *, all_layers: bool = False) -> str:
    """The report as a table: the outputs, and the layers beyond the tolerance (or all), one column a back end."""
    width = max([len(b) for b in report.backends] + [9])
    head = f"{'':24} {'scale':>9}  " + "  ".join(f"{b:>{width}}" for b in report.backends)
    lines = [head.rstrip()]
    wanted = [r for r in report.layers if all_layers or any(d > report.tolerance for d in r.differences.values())]
    if wanted:
        lines += ["layers", *(_line(r, report, width) for r in wanted)]
    lines += ["outputs", *(_line(r, report, width) for r in report.outputs)]
    lines += [f"{name} failed: {why}" for name, why in report.failures.items()]
    lines += [f"{name}: {share:.1%} of the numbers are NaN or infinite" for name, share in report.unknown.items()]
    if report.unknown:
        lines.append("nothing can be said of back ends where outputs are no numbers: look at the weights and the input")
        return "\n".join(lines)
    verdict = "agree" if report.passed else "differ"
    lines.append(f"back ends {verdict}: {report.worst:.1e} of the scale at worst, {report.tolerance:.0e} allowed")
    return "\n".join(lines)


def _line(row: ReportRow, report: Report, width: int) -> str:
    found = [row.differences[b] for b in report.backends]
    cells = [f"{d:.1e}" + ("!" if d > report.tolerance else " ") for d in found]
    return f"  {row.name:22} {row.scale:9.3g}  " + "  ".join(f"{c:>{width}}" for c in cells)


def _not_finite(array: np.ndarray) -> float:
    """The share of numbers that are NaN or infinite."""
    return 1 - np.count_nonzero(np.isfinite(array)) / max(1, array.size)


def _complete(graph: Graph, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The inputs with zeros for states that are not given."""
    if len(inputs) not in (1, len(graph.inputs)):
        raise DataError(f"{len(inputs)} arrays for a network with {len(graph.inputs)} inputs")
    batch = len(inputs[0])
    feed = [*inputs, *(initial_states(graph, batch) if len(inputs) == 1 else ())]
    for value, array in zip(graph.inputs, feed, strict=True):
        if array.shape != (batch, *value.shape):
            raise DataError(f"{value.name} wants an array of {(batch, *value.shape)}, not {array.shape}")
    return feed


def _differences(
    graph: Graph,
    backend: str,
    options: Mapping[str, object],
    feed: list[np.ndarray],
    expected: Mapping[Value, np.ndarray],
) -> dict[Value, float]:
    got = open_session(graph, backend, **options).run(feed)
    return {v: difference(a, expected[v]) for v, a in zip(graph.outputs, got, strict=False)}
