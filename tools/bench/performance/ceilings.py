"""What fewer bits gain where nothing else counts: 3x3 convolutions in OpenVINO, in each precision beside float32.

Decision: whole networks gain less as a rule, as they also move numbers about. Bars far above it are for other machines.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from darknet_py.backends.openvino import BACKEND
from darknet_py.backends.precision import BF16, F32, INT8, Precision

CHANNELS, SIDE, DEEP = 256, 64, 4
TURNS = 21
TOP = np.float32(4)  # of the numbers between the convolutions, of which 8 bits have 256 steps


def ceilings(threads: int) -> dict[str, float]:
    """How many times as fast as in float32 the convolutions are, by the precisions that this processor has."""
    rng = np.random.default_rng(0)
    picture = rng.random((1, CHANNELS, SIDE, SIDE), np.float32)
    kinds = [F32, *(kind for kind in (BF16, INT8) if Precision(kind).find_lack(BACKEND) is None)]
    requests = {kind: _opened(kind, threads) for kind in kinds}
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(TURNS + 1):
        for kind, request in requests.items():
            start = time.perf_counter()
            request.infer([picture])
            if turn:  # the first one makes the memory ready
                taken[kind].append(time.perf_counter() - start)
    whole = taken.pop(F32)
    return {kind: median(a / b for a, b in zip(whole, own, strict=True)) for kind, own in taken.items()}


def _opened(kind: str, threads: int) -> Any:
    weights = np.random.default_rng(1).normal(0, 0.02, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
    first = value = op.parameter([1, CHANNELS, SIDE, SIDE], np.float32)
    for _ in range(DEEP):
        kernel = op.constant(weights)
        if kind == INT8:
            none, most = np.float32(0), np.abs(weights).max()
            value = op.fake_quantize(value, none, TOP, none, TOP, 256)
            kernel = op.fake_quantize(kernel, -most, most, -most, most, 255)
        value = op.relu(op.convolution(value, kernel, [1, 1], [1, 1], [1, 1], [1, 1]))
    settings = {
        "INFERENCE_PRECISION_HINT": F32 if kind == INT8 else kind, "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }  # fmt: skip
    return ov.Core().compile_model(ov.Model([op.result(value)], [first]), "CPU", settings).create_infer_request()


if __name__ == "__main__":
    print(json.dumps(ceilings(int(sys.argv[1]))))
