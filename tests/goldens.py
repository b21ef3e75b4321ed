"""The golden cases: tiny networks and what Darknet's C code computed for them, layer by layer.

Decision: a folder is a case. `net.cfg`, `net.weights`, `input.npy` and `layers.npz` (`layers_t0.npz` … for recurrent
networks) are what Darknet ran; a folder with `net.cfg` alone is one that it rejects. `INDEX.json` only adds what the
arrays cannot say: what the case covers, and where Darknet's own answer is wrong (`semantics`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from darknet_py.backends.session import Session, open_session
from darknet_py.darknet.compile import Compilation, compile_file
from darknet_py.darknet.weights import read_weights
from darknet_py.ir import Graph

TESTS = Path(__file__).parent
TOLERANCE = 1e-5  # of the largest number of a layer
FLT_MAX_CLASS = 1e37  # numbers beyond are Darknet's -FLT_MAX, "no cell under the window"

# Where float32 itself is not more exact, because the numbers before are far larger or nearly cancel.
SENSITIVE = {
    "lrn_strong": 1e-3,  # a negative power of what is nearly 0
    "lrn_size1": 1e-3,
    "act_conv_logistic_big": 1e-4,  # a tanh of sums of large numbers
    "act_conv_relu6": 1e-4,
}


@dataclass(frozen=True)
class Golden:
    """One folder of `golden/` (AlexeyAB's C) or `golden_pj/` (pjreddie's)."""

    folder: Path
    dialect: str
    covers: str = ""
    semantics: str = "normal"

    @property
    def name(self) -> str:
        """The name of the case."""
        return self.folder.name

    @property
    def ran(self) -> bool:
        """Whether Darknet loaded and ran the network, within its own memory."""
        return bool(self.layer_files) and not self.semantics.startswith("undefined")

    @property
    def buggy(self) -> bool:
        """Whether the CPU code of Darknet computes something else than is meant."""
        return self.semantics.startswith("cpu-bug")

    @cached_property
    def layer_files(self) -> list[Path]:
        """The recorded outputs, one file a step."""
        plain = self.folder / "layers.npz"
        return [plain] if plain.exists() else sorted(self.folder.glob("layers_t?.npz"))

    def compile(self, **options: Any) -> Compilation:
        """The cfg, compiled in the dialect of the program that ran it."""
        return compile_file(self.folder / "net.cfg", dialect=self.dialect, **options)

    def graph(self, **options: Any) -> Graph:
        """The network with its weights loaded; raises where the cfg has errors."""
        graph = self.compile(**options).check().graph
        return graph.with_data(read_weights(self.folder / "net.weights", graph).arrays)

    def steps(self) -> list[np.ndarray]:
        """The inputs, with a batch axis."""
        array = np.load(self.folder / "input.npy")
        return [x[None] for x in array] if len(self.layer_files) > 1 else [array[None]]

    def layers(self) -> list[dict[int, np.ndarray]]:
        """For each step, what Darknet computed: index of the layer to its output without batch axis."""
        steps = []
        for file in self.layer_files:
            with np.load(file) as arrays:
                steps.append({int(k[1:]): arrays[k] for k in arrays.files})
        return steps

    def boxes(self) -> dict[str, Any] | None:
        """The detections that Darknet decoded, before and after NMS, or None for a network without a head."""
        packed, plain = self.folder / "boxes.json.gz", self.folder / "boxes.json"
        if packed.exists():
            return json.loads(gzip.decompress(packed.read_bytes()))  # type: ignore[no-any-return]
        return json.loads(plain.read_bytes()) if plain.exists() else None


@cache
def goldens(folder: str = "golden") -> dict[str, Golden]:
    """Every case of `golden` or `golden_pj`, by name."""
    root = TESTS / folder
    index = json.loads((root / "INDEX.json").read_text())["cases"]
    dialect = "pjreddie" if folder == "golden_pj" else "alexeyab"
    return {
        path.parent.name: Golden(path.parent, dialect, **{
            k: v for k, v in index.get(path.parent.name, {}).items() if k in ("covers", "semantics")
        })
        for path in sorted(root.glob("*/net.cfg"))
    }  # fmt: skip


def run_layers(
    graph: Graph, steps: list[np.ndarray], backend: str = "numpy", **options: object
) -> Iterator[dict[int, np.ndarray]]:
    """For each step, the output of every layer without batch axis, by index."""
    wanted = list(dict.fromkeys(info.output for info in graph.layers))
    session: Session = open_session(graph.with_outputs(wanted), backend, **options)
    states = [np.zeros((1, *s.input.shape), np.float32) for s in graph.states]
    for step in steps:
        results = session.run([step, *states])
        states = results[len(wanted) :]
        by_value = dict(zip(wanted, results[: len(wanted)], strict=True))
        yield {info.index: by_value[info.output][0] for info in graph.layers}


def error(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, relative to the largest number of the layer; infinite where shapes differ."""
    if got.shape != wanted.shape:
        return float("inf")
    comparable = np.isfinite(wanted) & (np.abs(wanted) < FLT_MAX_CLASS)
    if not np.array_equal(got[~comparable], wanted[~comparable], equal_nan=True):
        return float("inf")
    if not comparable.any():
        return 0.0
    scale = float(np.abs(wanted[comparable]).max())
    difference = float(np.abs(got[comparable].astype(np.float64) - wanted[comparable]).max())
    return difference / scale if scale else difference
