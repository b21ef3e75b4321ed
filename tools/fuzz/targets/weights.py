"""Weights files: whatever the bytes are, they are read whole or refused, and the network that has them runs."""

from __future__ import annotations

import gzip
import struct
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from darknet_py.backends.session import initial_states, open_session
from darknet_py.darknet.compile import compile_cfg, compile_file
from darknet_py.darknet.ledger import read_ledger
from darknet_py.darknet.weights import Header, Weights, find_wrong_values, random_weights, read_weights, write_weights
from darknet_py.ir import Graph
from darknet_py.model.opening import load

from ..mutate import apply_edits, edits, split_edits
from ..target import Case, Mismatch, Target

NET = "[net]\nwidth=8\nheight=8\nchannels=3\n"
CFGS = {
    "convolutions": f"{NET}[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\n[convolutional]\nfilters=14\n"
    "[yolo]\nclasses=2\nnum=2\nmask=0,1\nanchors=4,4,8,8\n",
    "connected": f"{NET}[connected]\noutput=6\nbatch_normalize=1\n[connected]\noutput=3\n[softmax]\n",
    "recurrent": f"{NET}[lstm]\noutput=3\nbatch_normalize=1\n[gru]\noutput=2\n",
    "none": f"{NET}[avgpool]\n[softmax]\n",
}
HEADERS = (Header(), Header(0, 1, 0, 7), Header(1, 0, 0), Header(1001, 0, 0), Header(0, 2, 5, 1 << 63))
WRAPPINGS = ("plain", "plain", "plain", "plain", "plain", "gzip", "swapped", "zip", "hdf5", "text", "halved", "doubled")


def make(rng: Random) -> Case:
    """Which network, which header, what the file is wrapped in, and what is changed in it."""
    name = rng.choice([*CFGS])
    length = len(_file(name, 0, "plain"))
    first = f"{name} {rng.randrange(len(HEADERS))} {rng.choice(WRAPPINGS)} {rng.choice(('whole', 'partial'))}"
    lines = edits(rng, length) if rng.random() < 0.9 else []
    return {"edits.txt": "\n".join([first, *lines]).encode()}


@cache
def _graph(name: str) -> Graph:
    return compile_cfg(CFGS[name]).check().graph


@cache
def _file(name: str, header: int, wrapping: str) -> bytes:
    graph = _graph(name)
    arrays = random_weights(graph, 0).arrays
    floats = b"".join(np.ascontiguousarray(arrays[p.value], np.float32).tobytes() for p in graph.params)
    data = HEADERS[header].to_bytes() + floats
    if wrapping == "gzip":
        return gzip.compress(data, mtime=0)
    if wrapping == "swapped":
        return b"".join(struct.pack(">I", *struct.unpack("<I", data[i : i + 4])) for i in range(0, len(data) - 3, 4))
    heads = {"zip": b"PK\x03\x04", "hdf5": b"\x89HDF\r\n\x1a\n", "text": b"version https://git-lfs\n"}
    if wrapping == "halved":
        return data[: len(data) // 2]
    return data * 2 if wrapping == "doubled" else heads.get(wrapping, b"") + data


def build(case: Case, folder: Path) -> None:
    """The cfg, and the changed weights beside it."""
    first, lines = split_edits(case["edits.txt"])
    name, header, wrapping, how = first.split()
    (folder / "net.cfg").write_text(CFGS[name])
    (folder / "net.weights").write_bytes(apply_edits(_file(name, int(header), wrapping), lines))
    (folder / "how.txt").write_text(how)


def check(folder: Path) -> str:
    """Read them, all that looks into them, write them again, and run."""
    path = folder / "net.weights"
    graph = compile_file(folder / "net.cfg").check().graph
    partial = (folder / "how.txt").read_text() == "partial"
    ledger = read_ledger(path, graph)
    if not ledger.verdict or not ledger.to_dict():
        raise Mismatch("the ledger says nothing", str(ledger))
    weights = read_weights(path, graph, allow_partial=partial)
    if not partial and len(weights.arrays) != len(graph.params):
        raise Mismatch("weights were read that lack parameters", str(len(weights.arrays)))
    find_wrong_values(weights, graph)
    model = load(folder / "net.cfg", path, backend="numpy", allow_partial=partial, cache=False)
    shape = model.contract.shape
    with np.errstate(all="ignore"):
        model(np.zeros((*shape[1:], shape[0]), np.uint8))
        if not partial:
            _check_again(folder, graph, weights)
    return "partial" if partial else "read"


def _check_again(folder: Path, graph: Graph, weights: Weights) -> None:
    again = folder / "again.weights"
    write_weights(again, graph, weights)
    if again.read_bytes() != (folder / "net.weights").read_bytes():
        raise Mismatch("weights that are written are not those that were read", str(again))
    open_session(graph.with_data(weights.arrays), "numpy").run(
        [np.zeros((1, *graph.image.shape), np.float32), *initial_states(graph)]
    )


TARGET = Target("weights", __doc__, make, check, "edits.txt", build, chunk=100)
