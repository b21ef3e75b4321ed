"""Every public cfg of `../shared/cfgs` against what Darknet's own loader recorded of it, as a table by origin.

Decision: a file is judged by its layers (type, shape and number of weights of each), not by whether it is accepted, so
a file that Darknet misreads silently shows up as an error with the right shapes. `--export` also sends each network
through the ONNX emitter into onnxruntime, with random weights.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darknet_py.analysis.summary import layer_type, summarize
from darknet_py.darknet.compile import Compilation, compile_file
from darknet_py.errors import DarknetError
from darknet_py.ir import Graph, LayerInfo
from tools.markdown import table

ROOT = Path(__file__).parent.parent
CFGS = ROOT.parent / "shared" / "cfgs"
TABLE = ROOT / "tests" / "corpus" / "README.md"

SAME, UNRECORDED, PJREDDIE = "same", "unrecorded", "pjreddie"
LENIENT, MISLEADING, REFUSED, DIFFERENT = "lenient", "misleading", "refused", "different"

MEANING = {
    SAME: "lowers, every layer as Darknet built it",
    UNRECORDED: "lowers, and no Darknet in C loaded it: files for WongKinYiu's PyTorch code, and very large ones",
    PJREDDIE: "lowers in pjreddie's dialect only, as AlexeyAB's Darknet refuses it",
    LENIENT: "lowers, although Darknet skips most of it: it has comments after its section names",
    MISLEADING: "an error, as Darknet takes a misspelt word for something else; with --as-darknet the same as Darknet",
    REFUSED: "an error that names what is wrong",
    DIFFERENT: "lowers, and some layer is not as Darknet built it (there must be none)",
}

EXPORT_BFLOPS = 8.0  # networks beyond are exported at a smaller input
EXPORT_SIZE = (256, 256)


@dataclass(frozen=True)
class Result:
    """What became of one file; `export` is empty where it was not tried."""

    file: str
    status: str
    codes: tuple[str, ...] = ()
    detail: str = ""
    export: str = ""

    @property
    def origin(self) -> str:
        """The repository it comes from."""
        return self.file.partition("/")[0].replace("+", "/")


def examine(folder: Path, file: str, recorded: Mapping[str, Any] | None) -> tuple[Result, Compilation]:
    """Compile one file and compare its layers with the record."""
    compiled = compile_file(folder / file)
    codes = tuple(sorted({str(d.code) for d in compiled.errors}))
    difference = compare(compiled.graph, recorded["layers"]) if recorded else ""
    detail = compiled.errors[0].message if compiled.errors else difference
    if compiled.errors:
        other = compile_file(folder / file, dialect="pjreddie")
        if not recorded and not other.errors:
            return Result(file, PJREDDIE, codes, detail), other
        misread = compile_file(folder / file, as_darknet=True)
        if recorded and not misread.errors and not compare(misread.graph, recorded["layers"]):
            return Result(file, MISLEADING, codes, detail), misread
        return Result(file, REFUSED, codes, detail), compiled
    if not recorded:
        return Result(file, UNRECORDED), compiled
    if any(d.code == "DK106" and "after [" in d.message for d in compiled.diagnostics):
        return Result(file, LENIENT), compiled
    return Result(file, DIFFERENT if difference else SAME, codes, detail), compiled


def compare(graph: Graph, recorded: Sequence[Sequence[Any]]) -> str:
    """The first layer that is not as recorded, or nothing."""
    weights = {(p.layer, p.role): p.size for p in graph.params}
    infos = {info.index: info for info in graph.layers}
    for index, (kind, width, height, channels, outputs, nweights) in enumerate(recorded):
        info = infos.get(index)
        if info is None:
            return f"layer {index} [{kind}] is missing"
        shape = _before_blur(graph, info)
        if layer_type(info) != kind or math.prod(shape) != outputs:
            return f"layer {index} is {layer_type(info)} {shape}, not {kind} {(channels, height, width)}"
        if len(shape) == 3 and channels and shape != (channels, height, width):
            return f"layer {index} has shape {shape}, not {(channels, height, width)}"
        if kind == "convolutional" and weights.get((index, "weights"), nweights) != nweights:
            return f"layer {index} has {weights[index, 'weights']} weights, not {nweights}"
    return "" if len(recorded) == len(infos) else f"{len(infos)} layers, not {len(recorded)}"


def _before_blur(graph: Graph, info: LayerInfo) -> tuple[int, ...]:
    """The shape that Darknet records: of a blurred layer the one before the blur, which is a layer inside the layer."""
    if not getattr(info.layer, "antialiasing", 0):
        return info.output.shape
    ops = (op for op in graph.ops if op.layer == info.index)
    return next(op.output.shape for op in ops if op.kind in ("conv", "max_pool"))


def export(folder: Path, result: Result, compiled: Compilation) -> str:
    """Load the network in onnxruntime with random weights: 'ok', 'ok at 256 x 256', or what was said against it."""
    from darknet_py.backends.session import open_session
    from darknet_py.darknet.weights import random_weights
    from darknet_py.passes import optimize

    said = "ok"
    if summarize(compiled).bflops > EXPORT_BFLOPS:
        smaller = compile_file(folder / result.file, dialect=compiled.dialect.name, size=EXPORT_SIZE)
        if not smaller.errors:
            compiled, said = smaller, "ok at {} x {}".format(*EXPORT_SIZE)
    try:
        graph = compiled.graph
        open_session(optimize(graph.with_data(random_weights(graph, 0).arrays)), "onnxruntime")
    except DarknetError as e:
        return str(e).splitlines()[0]
    return said


def corpus(folder: Path = CFGS, origin: str | None = None) -> Iterable[tuple[Result, Compilation]]:
    """Each file of the corpus, or of one origin in it."""
    entries = json.loads((folder / "INDEX.json").read_text())["entries"]
    shapes = json.loads((folder / "shapes.json").read_text())["shapes"]
    for entry in sorted(entries, key=lambda e: str(e["file"]).lower()):
        if origin is None or entry["file"].partition("/")[0].replace("+", "/") == origin:
            yield examine(folder, entry["file"], shapes.get(entry["file"]))


def page(results: Sequence[Result]) -> str:
    """The results by origin, what each column means, and each file that is not simply the same."""
    used = [s for s in MEANING if any(r.status == s for r in results)]
    origins = sorted({r.origin for r in results}, key=str.lower)
    lines = ["# Public cfgs, by origin", "", "Written by `tools/corpus.py` (`make corpus`).", ""]
    lines += [f"- **{status}**: {MEANING[status]}" for status in used]
    exported = any(r.export for r in results)
    if exported:
        lines += ["- **in onnxruntime**: exported and loaded with random weights, the largest at a smaller input"]
    head = ["origin", "files", *used, *(["in onnxruntime"] if exported else [])]
    rows = []
    for origin in [*origins, None]:
        mine = [r for r in results if origin in (r.origin, None)]
        counts = Counter(r.status for r in mine)
        row = [origin or "all", str(len(mine)), *(str(counts[s] or "") for s in used)]
        rows += [[*row, str(sum(r.export.startswith("ok") for r in mine))] if exported else row]
    lines += ["", table(head, rows), "", "## Files that are not simply the same", ""]
    others = [(r.file, r.status, " ".join(r.codes), r.detail) for r in results if r.status != SAME]
    lines += [table(("file", "result", "codes", "why"), others, words=4)]
    failed = [r for r in results if r.export and not r.export.startswith("ok")]
    if failed:
        lines += ["", "## Files that onnxruntime refuses", "", *(f"- {r.file}: {r.export}" for r in failed)]
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--export", action="store_true", help="also load every network in onnxruntime (slow)")
    parser.add_argument("--cfgs", type=Path, default=CFGS, help="the folder of cfgs")
    options = parser.parse_args()
    if not (options.cfgs / "INDEX.json").exists():
        sys.exit(f"needs {options.cfgs}: the public cfgs and their INDEX.json")
    results: list[Result] = []
    for result, compiled in corpus(options.cfgs):
        if options.export and not compiled.errors:
            start = time.monotonic()
            exported = export(options.cfgs, result, compiled)
            print(f"{time.monotonic() - start:6.1f} s  {result.file}  {exported}", file=sys.stderr, flush=True)
            results.append(replace(result, export=exported))
        else:
            results.append(result)
    TABLE.write_text(page(results))
    print(dict(Counter(r.status for r in results)))


if __name__ == "__main__":
    main()
