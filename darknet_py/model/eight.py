"""A network in 8 bits for LiteRT: calibrated on pictures, and held to the float network on those that were kept out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..analysis.quantize import calibrating, compare_int8, split_pictures
from ..analysis.ranges import measure_ranges
from ..backends.backend import find_backend
from ..backends.litert.eight import read_as_eight
from ..backends.litert.file import to_tflite
from ..contract.contract import Contract
from ..contract.program import Program
from ..errors import BackendError, Say


def in_eight_bits(
    program: Program, images: str | Path, say: Say
) -> tuple[memoryview, Contract, tuple[str, ...]]:  # fmt: skip
    """The file of a program in 8 bits; its contract, which says what is lost, and what else there is to say.

    `images` are those of `quantize`. Where LiteRT is not installed nobody knows what is lost, and that is said.
    Raises `DataError` for too few pictures, `BackendError` for a network that is no picture's or remembers.
    """
    graph, contract = program.graph, program.contract
    if contract.states or len(contract.shape) != 3:
        raise BackendError("int8 is for networks of single pictures: this one remembers, or takes numbers")
    (others, held_out), backend = split_pictures(images), find_backend("litert")
    floats = {op for op in graph.ops if op.layer in graph.heads} if contract.boxes != "input" else set()
    say(calibrating(backend.name, len(others), images))
    ranges = measure_ranges(graph, contract, others)
    model, left = to_tflite(graph, contract.results, eight=read_as_eight(graph, ranges, floats))
    told = [f"in float32 for want of 8 bits: {', '.join(sorted(left))}"] if left else []
    if not backend.installed:
        unknown = f"what int8 loses was not measured: pip install {backend.install}"
        return model, replace(contract, int8={}), (*told, unknown)
    from ..backends.litert.session import LiteRTSession

    plain, _ = to_tflite(graph, contract.results)
    whole, small = (LiteRTSession(written, None) for written in (plain, model))
    found = compare_int8(whole, small, contract, held_out, others, backend.title)
    return model, replace(contract, int8=found.to_dict()), tuple(told)
