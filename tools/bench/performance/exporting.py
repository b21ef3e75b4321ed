"""One export in a process of its own: its time and memory, beside those of reading and writing the same bytes."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

from darknet_py import export_onnx
from darknet_py.apps.bench.process import peak_memory


def main(cfg: str, weights: str, folder: str) -> None:
    """Export a network into a folder, and print what it took as JSON."""
    target = Path(folder, "exported.onnx")
    start = time.perf_counter()
    shutil.copyfile(weights, Path(folder, "copied"))
    copied = time.perf_counter() - start
    Path(folder, "copied").unlink()
    before = peak_memory()
    start = time.perf_counter()
    export_onnx(cfg, target, weights=weights)
    taken = time.perf_counter() - start
    size = target.stat().st_size
    target.unlink()
    print(json.dumps({"seconds": taken, "copy": copied, "memory": peak_memory(), "before": before, "bytes": size}))


if __name__ == "__main__":
    main(*sys.argv[1:])
