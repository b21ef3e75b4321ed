"""A network in 8 bits for LiteRT: calibrated on pictures, and held to the float network on those that were kept out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import truediv as divide
from pathlib import Path
from statistics import median

import numpy as np

from ..analysis.quantize import ROUNDS, Quantization, loss, split_pictures
from ..analysis.ranges import measure_ranges
from ..backends.auto import timed
from ..backends.backend import find_backend
from ..backends.litert.eight import read_as_eight
from ..backends.litert.file import to_tflite
from ..contract.contract import Contract
from ..contract.program import Program
from ..contract.thresholds import CONF
from ..darknet.network import Network
from ..errors import DataError
from ..vision.results import Results
from ..vision.sources import Found
from .model import Model
from .opening import from_network


def in_eight_bits(
    network: Network, program: Program, images: str | Path
) -> tuple[memoryview, Contract, tuple[str, ...]]:  # fmt: skip
    """The file of a program, whose outputs are those of `network`, in 8 bits; its contract, and what it loses.

    `images` are those of `quantize`. Where LiteRT is not installed nobody knows what is lost, and that is said.
    Raises `DataError` for too few pictures, and for a network that is no picture's or remembers.
    """
    graph, contract = program.graph, program.contract
    if contract.states or len(contract.shape) != 3:
        raise DataError("int8 is for networks of single pictures: this one remembers, or takes numbers")
    others, held_out = split_pictures(images)
    floats = {op for op in graph.ops if op.layer in graph.heads} if contract.boxes != "input" else set()
    ranges = measure_ranges(graph, contract, others)
    model, left = to_tflite(graph, contract.results, eight=read_as_eight(graph, ranges, floats))
    told = [f"in float32 for want of 8 bits: {', '.join(sorted(left))}"] if left else []
    backend = find_backend("litert")
    if not backend.installed:
        unknown = f"what int8 loses was not measured: pip install {backend.install}"
        return model, replace(contract, int8={}), (*told, unknown)
    from ..backends.litert.session import LiteRTSession

    session = LiteRTSession(model, None)
    wanted, got = from_network(network, letterbox=contract.letterbox), Model(session, contract)
    plain, _ = to_tflite(graph, contract.results)
    feed = [np.zeros((1, *contract.shape), np.float32)]
    sessions = LiteRTSession(plain, None), session
    speeds = [divide(*(timed(s, feed) for s in sessions)) for _ in range(ROUNDS)]
    lost = [loss(_results(wanted, files), _results(got, files)) for files in (held_out, others)]
    found = Quantization(lost[0], lost[1], median(speeds), backend.title)
    return model, replace(contract, int8=found.to_dict()), (str(found), *told)


def _results(model: Model, files: Sequence[Found]) -> list[Results]:
    return [result for f in files for result in model(f, conf=CONF)]
