"""What fewer bits cost and gain here: `python -m tools.bench.precision` prints the tables of tools/docs/precision.md.

Speeds are processor seconds of one thread, because other programs of a machine change these least; each ratio is the
median of pairs, one run of either side after the other. The loss is COCO's AP50 on one half of the pictures, int8
calibrated on the other half, and the halves swapped; labels of the pictures that calibrate are not looked at. Beside
our int8 stands that of other quantizers, where they are installed, in the same engines. With `--json` it is plain data,
which `make bench` puts into its results.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np
import onnx

from darknet_py.analysis.calibrate import CLOSE, calibrate
from darknet_py.analysis.evaluate.coco import coco_numbers
from darknet_py.analysis.evaluate.record import RECORDED, Detected
from darknet_py.apps.bench.interleave import interleave
from darknet_py.backends.backend import Backend, backends, find_backend
from darknet_py.backends.precision import BF16, F32, INT8, KINDS, Precision
from darknet_py.backends.session import Session, open_file, open_session
from darknet_py.contract.program import Program
from darknet_py.darknet.network import open_network
from darknet_py.errors import DarknetError
from darknet_py.machine import cpu
from darknet_py.model.model import Model
from darknet_py.vision.datasets import Dataset, open_dataset
from darknet_py.vision.inference import inputs_of
from darknet_py.vision.sources import PictureFile, pictures

from .eight import QUANTIZERS, Quantizer
from .performance.networks import NETWORKS, find_cfg
from .performance.prepare import plain_onnx

SHARED = Path(__file__).parents[3] / "shared"
PAIRS = 7
FAST = tuple(b for b in backends().values() if b.fast and b.installed)


@dataclass(frozen=True)
class Half:
    """Pictures of a data set by their numbers: those that calibrate, those that are scored."""

    calibration: tuple[int, ...]
    scored: tuple[int, ...]

    def files(self, dataset: Dataset) -> list[PictureFile]:
        """Those that calibrate."""
        return [PictureFile(dataset.examples[i].picture) for i in self.calibration]


def halves(count: int) -> tuple[Half, Half]:
    """Every second picture for either, and swapped.

    >>> halves(4)[1]
    Half(calibration=(1, 3), scored=(0, 2))
    """
    even, odd = tuple(range(0, count, 2)), tuple(range(1, count, 2))
    return Half(even, odd), Half(odd, even)


def map_on(program: Program, session: Session, dataset: Dataset, numbers: Sequence[int]) -> float:
    """The AP50 of a session on some pictures."""
    model = Model(session, program.contract)
    examples = [dataset.examples[i] for i in numbers]
    found = [Detected.of(one) for one in model((str(e.picture) for e in examples), RECORDED)]
    labels = [e.read(program.contract.names)[0] for e in examples]
    return coco_numbers(found, labels, program.contract.classes)["AP50"] or 0.0


def seconds(session: Session, feed: list[np.ndarray]) -> float:
    """Processor seconds of a run."""
    start = time.process_time()
    session.run(feed)
    return time.process_time() - start


def ratio(slow: Session, fast: Session, feed: list[np.ndarray], pairs: int = PAIRS) -> float:
    """How many times as fast the second session is: the median of pairs."""
    for session in (slow, fast):
        session.run(feed)
    return median(seconds(slow, feed) / seconds(fast, feed) for _ in range(pairs))


def losses(
    cfg: Path, weights: Path, dataset: Dataset, close: float = CLOSE, kinds: Sequence[str] = tuple(KINDS)
) -> list[dict[str, Any]]:
    """What each precision of each back end changes of the AP50 on either half, and how fast it is; float32 first.

    Of int8 that of others too, and `seconds` of all, turn by turn. Raises `DarknetError` for a network that cannot be
    opened.
    """
    program = open_network(cfg, weights).program().before_heads()
    feed = [np.random.default_rng(0).random((1, *program.contract.shape), np.float32)]
    both = halves(len(dataset))
    whole = open_session(program.graph)
    before = [map_on(program, whole, dataset, half.scored) for half in both]
    rows: list[dict[str, Any]] = [{"precision": F32, "AP50": before}]
    eights: list[tuple[dict[str, Any], Session]] = []

    def measure(title: str, backend: Backend, kind: str, sessions: Sequence[Session], **more: Any) -> None:
        change = [
            map_on(program, session, dataset, half.scored) - b
            for session, half, b in zip(sessions, both, before, strict=True)
        ]
        speed = ratio(open_session(program.graph, backend.name, threads=1), sessions[-1], feed)
        rows.append({"backend": title, "precision": kind, "speed": speed, "change": change, **more})
        if kind == INT8:
            eights.append((rows[-1], sessions[-1]))

    for backend in FAST:
        opened = partial(open_session, program.graph, backend.name, threads=1)
        for kind in (k for k in kinds if k in backend.precisions and Precision(k).find_lack(backend) is None):
            if kind == INT8:
                calibrations = [calibrate(program, half.files(dataset), backend.name, close, _tell) for half in both]
                sessions = [opened(precision=Precision(kind, calibration)) for calibration in calibrations]
                measure(backend.title, backend, kind, sessions, **{"in float32": len(calibrations[-1].in_float)})
            else:
                measure(backend.title, backend, kind, [opened(precision=kind)] * len(both))
    with tempfile.TemporaryDirectory() as folder:
        for quantizer in QUANTIZERS if INT8 in kinds else ():
            backend = find_backend(quantizer.backend)
            if not quantizer.installed or Precision(INT8).find_lack(backend):
                continue
            _tell(f"int8 by {quantizer.title}")
            paths = [_quantized(quantizer, program, half.files(dataset), Path(folder)) for half in both]
            measure(quantizer.title, backend, INT8, [open_file(p, backend.name, threads=1) for p in paths], other=True)
        turns = interleave({i: partial(seconds, session, feed) for i, (_, session) in enumerate(eights)}, PAIRS)
    for i, (row, _) in enumerate(eights):
        row["seconds"] = turns[i].seconds
    return rows


def _quantized(quantizer: Quantizer, program: Program, files: Sequence[PictureFile], folder: Path) -> Path:
    own = Path(tempfile.mkdtemp(dir=folder))
    onnx.save(plain_onnx(program.graph), own / "plain.onnx")
    contract = program.contract
    images = [inputs_of(picture, contract)[0] for file in files for picture in pictures(file, contract.shape[0])]
    return quantizer.make(own / "plain.onnx", images, own)


def row_of(name: str, found: dict[str, Any]) -> str:
    """A row of the table."""
    if found["precision"] == F32:
        return f"| {name} | f32 | | | {' / '.join(f'{b:.4f}' for b in found['AP50'])} |"
    change = " / ".join(f"{d:+.4f}" for d in found["change"])
    kept = f", {found['in float32']} in float32" if "in float32" in found else ""
    what = f"{found['backend']} {found['precision']}{kept}"
    return f"| {name} | {what} | {found['speed']:.2f} | {change} | |"


def speeds() -> None:
    """Print how much faster bfloat16 is in OpenVINO, for the networks of the benchmark."""
    found = []
    for network in NETWORKS[:13]:
        try:
            cfg = find_cfg(network.name, [SHARED])
            if cfg is None:
                say(f"{network.name}: its cfg is not in {SHARED}")
                continue
            size = (network.size, network.size) if network.size else None
            graph = open_network(cfg, random=0, size=size).program().before_heads().graph
            feed = [np.random.default_rng(0).random((1, *graph.image.shape), np.float32)]
            sessions = [open_session(graph, "openvino", threads=1, precision=kind) for kind in (F32, BF16)]
        except DarknetError as e:
            say(f"{network.name}: {e}")
            continue
        found.append(ratio(sessions[0], sessions[1], feed, 3))
        say(f"| {network.name} | {found[-1]:.2f} |")
    say(f"| geometric mean | {geometric_mean(found):.2f} |")


def say(text: str) -> None:
    """A line of a table."""
    print(text, flush=True)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", type=Path, help="cfgs with their weights beside them")
    parser.add_argument("--data", type=Path, default=SHARED / "images/coco64/images")
    parser.add_argument("--close", type=float, default=CLOSE)
    parser.add_argument("--bf16", action="store_true", help="the speed of the 13 networks of the benchmark in bfloat16")
    parser.add_argument("--json", action="store_true", help="int8 of one network, as JSON")
    parser.add_argument("--weights", type=Path, help="those of the one network, if they are not beside it")
    args = parser.parse_args()
    if (args.json or args.weights) and len(args.networks) != 1:
        parser.error("--json and --weights are for one network")
    for cfg in () if args.weights else args.networks:
        if not any(cfg.parent.glob("*.weights")):  # and not when those before it are measured
            parser.error(f"no weights beside {cfg}")
    if args.json:
        (cfg,) = args.networks
        with redirect_stdout(sys.stderr):  # where quantizers say how far they are
            lost = losses(cfg, args.weights, open_dataset(args.data), args.close, (INT8,))
        say(json.dumps(lost))
        return
    say(f"{cpu()}; {', '.join(b.title for b in FAST)}")
    if args.bf16:
        speeds()
        return
    dataset = open_dataset(args.data)
    for cfg in args.networks:
        for found in losses(cfg, args.weights or next(cfg.parent.glob("*.weights")), dataset, args.close):
            say(row_of(cfg.stem, found))


if __name__ == "__main__":
    main()
