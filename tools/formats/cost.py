"""`python -m tools.formats.cost CFG WEIGHTS`: seconds and memory of writing a network in each format.

Decision: each format is written in a process of its own, after a tiny network was, so that what is imported is not
counted; seconds that pass inside the library which a format is written by are told apart from ours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from darknet_py.darknet.network import open_network
from darknet_py.model.formats import formats
from tools.markdown import table

from .page import NPM, PAGE, ROOT, put

ROUNDS = 5
FIRST = ROOT / "tools" / "train" / "lenet.cfg"  # a small network
# What the libraries do for a format: the module, and the functions in it.
LIBRARY = {
    "openvino": (("openvino", "save_model"), ("openvino.Core", "read_model")),
    "torchscript": (("torch.jit", "trace"), ("torch.jit", "save")),
    "pt2": (("torch.export", "export"), ("torch.export", "save")),
    "coreml": (("coremltools", "convert"),),
}


class Clock:
    """Seconds of this process's processors that pass inside functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def watch(self, module: str, name: str) -> None:
        """Count what this function takes from now on."""
        owner = _owner(module)
        function: Callable[..., Any] = getattr(owner, name)

        @wraps(function)
        def timed(*given: Any, **named: Any) -> Any:
            start = time.process_time()
            try:
                return function(*given, **named)
            finally:
                self.seconds += time.process_time() - start

        setattr(owner, name, timed)


def _owner(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name) if name[:1].isupper() else import_module(path)


def _memory(key: str) -> int:
    """Bytes of this process, as Linux tells them: VmRSS now, VmHWM at most."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def measure(name: str, cfg: Path, weights: Path) -> dict[str, float]:
    """Processor seconds of writing a network and of the library in that, and bytes at most beyond those before it."""
    kind, clock = formats()[name], Clock()
    options: dict[str, Any] = {"runtime": NPM} if "runtime" in kind.options else {}
    for place in LIBRARY.get(name, ()):
        clock.watch(*place)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind.write(open_network(FIRST, random=1), Path(folder, f"first{kind.suffix}"), check=False, **options)
        clock.seconds = 0.0
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the highest begins anew
        start = time.process_time()
        kind.write(open_network(cfg, weights), Path(folder, f"net{kind.suffix}"), check=False, **options)
        whole = time.process_time() - start
        return {"ours": whole - clock.seconds, "library": clock.seconds, "bytes": _memory("VmHWM") - before}


def main() -> int:
    """Write the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.formats.cost", description=__doc__)
    parser.add_argument("cfg", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--format", action="append", choices=tuple(formats()), help="only these")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.cfg, options.weights)))
        return 0
    size, lines = options.weights.stat().st_size, []
    for name in options.format or formats():
        command = [sys.executable, "-m", "tools.formats.cost", options.cfg, options.weights, "--one", name]
        done = [subprocess.run(command, capture_output=True, text=True) for _ in range(ROUNDS)]
        if any(d.returncode for d in done):
            print(f"{name}: {done[0].stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        found = [json.loads(d.stdout.splitlines()[-1]) for d in done]
        ours, theirs, most = (median(one[key] for one in found) for key in ("ours", "library", "bytes"))
        lines.append((name, f"{ours:.2f}", f"{theirs:.2f}", f"{most / size:.2f}"))
        print(*lines[-1], flush=True)
    told = table(("format", "seconds", "of its library", "memory / weights"), lines)
    if options.write:
        put("make formats-cost", told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
