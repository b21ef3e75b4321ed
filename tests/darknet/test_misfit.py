"""Why weights do not fit: each cause that the numbers decide is named, and others are not."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.ledger import read_ledger
from darknet_py.darknet.weights import parse_weights, random_weights, read_weights, write_weights
from darknet_py.errors import CfgError, WeightsError
from darknet_py.ir import Graph

HEAD = (
    "[convolutional]\nfilters={filters}\nsize=1\nactivation=linear\n"
    "[yolo]\nmask={mask}\nanchors=1,2, 3,4, 5,6, 7,8, 9,9, 9,8\n"
)
BODY = "[convolutional]\nbatch_normalize={bn}\nfilters={n}\nsize=3\npad=1\nactivation=leaky\n"


def cfg(classes: int = 2, channels: int = 3, bn: int = 1, n: int = 16, heads: int = 2) -> str:
    """A detector of two convolutions and up to two heads, with a convolution between them."""
    yolo = f"classes={classes}\nnum=6\n"
    filters = 3 * (5 + classes)
    text = f"[net]\nwidth=32\nheight=32\nchannels={channels}\n"
    text += BODY.format(bn=1, n=8) + BODY.format(bn=bn, n=n) + HEAD.format(filters=filters, mask="0,1,2") + yolo
    second = "[route]\nlayers=-3\n" + BODY.format(bn=1, n=16) + HEAD.format(filters=filters, mask="3,4,5") + yolo
    return text + (second if heads > 1 else "")


def stored(text: str, folder: Path) -> bytes:
    graph = compile_cfg(text).check().graph
    write_weights(folder / "made.weights", graph, random_weights(graph, 1))
    return (folder / "made.weights").read_bytes()


@pytest.fixture
def graph() -> Graph:
    return compile_cfg(cfg()).check().graph


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    return stored(cfg(), tmp_path)


def refusal(data: bytes, graph: Graph) -> str:
    with pytest.raises(WeightsError) as e:
        parse_weights(data, graph, "x")
    return str(e.value)


@pytest.mark.fault("weights-of-other-classes")
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"classes": 80}, "classes=80 (filters=255) in place of 2"), ({"classes": 1}, "classes=1 (filters=18)"),
        ({"channels": 1}, "channels=1 in [net] in place of 3"), ({"channels": 4}, "channels=4 in [net]"),
        ({"bn": 0}, "batch_normalize=0 in layer 1"), ({"n": 24}, "filters=24 in layer 1 in place of 16"),
    ],
)  # fmt: skip
def test_one_number_changed_explains_the_size(tmp_path: Path, graph: Graph, changed: dict[str, int], told: str) -> None:
    assert f"it fits this network with {told}" in refusal(stored(cfg(**changed), tmp_path), graph)


def test_a_head_more_or_less_is_told(tmp_path: Path, graph: Graph, good: bytes) -> None:
    one = cfg(heads=1)
    assert "ends exactly after the head in layer 3" in refusal(stored(one, tmp_path), graph)
    assert "one head more, for instance" in refusal(good, compile_cfg(one).check().graph)


@pytest.mark.fault("cut-weights-used-to-detect")
def test_a_file_that_ends_between_layers_is_a_cut_one(tmp_path: Path, graph: Graph) -> None:
    path = tmp_path / "net.conv.2"
    write_weights(path, graph, random_weights(graph, 0), upto=2)
    with pytest.raises(WeightsError, match=r"weights of the first 2 layers only \(a .conv.2 file") as e:
        read_weights(path, graph)
    assert "for training" in str(e.value)
    assert "--allow-partial" in str(e.value)
    assert len(read_weights(path, graph, allow_partial=True).arrays) == 10


def zipped(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"1" * 100)
    return file.getvalue()


OTHERS = {
    "gzip": gzip.compress(b"x" * 100), "PyTorch": zipped("archive/data.pkl"), "zip archive": zipped("a.weights"),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100), "pickle": pickle.dumps({"model": [1, 2]}, protocol=2) + bytes(40),
    "safetensors": struct.pack("<Q", 64) + json.dumps({"a.weight": {"dtype": "F32"}}).encode() + bytes(60),
    "ONNX": bytes([8, 8, 18, 10]) + b"darknet-py:" + bytes(50),
    "TensorFlow Lite": bytes([28, 0, 0, 0]) + b"TFL3" + bytes(50),
    "Caffe": bytes([10, 5]) + b"VGG16" + bytes([18, 4]) + bytes(50), "JPEG": b"\xff\xd8\xff\xe0" + bytes(50),
    "web page": b"<!DOCTYPE html>\n<html><body>Sign in</body></html>" + b" " * 50,
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\n",
}  # fmt: skip


@pytest.mark.fault("weights-that-are-none")
@pytest.mark.parametrize("kind", OTHERS)
def test_files_of_other_kinds_are_called_by_their_names(graph: Graph, kind: str) -> None:
    assert kind in refusal(OTHERS[kind], graph)


@pytest.mark.fault("weights-that-are-none")
@pytest.mark.parametrize("kind", [k for k in OTHERS if k not in ("web page", "Git LFS")])
def test_a_cfg_of_another_kind_is_called_by_its_name(kind: str) -> None:
    with pytest.raises(CfgError, match=f"is no cfg, but .*{kind}"):
        compile_cfg(OTHERS[kind]).check()


@pytest.mark.fault("weights-that-are-none")
def test_headers_and_numbers_of_other_machines_are_told(graph: Graph, good: bytes) -> None:
    body = np.frombuffer(good, "<f4", offset=20)
    files = {
        "a header of 16 bytes": struct.pack("<iiii", 0, 2, 0, 64000) + good[20:],
        "a header of 20 bytes": struct.pack("<iiiQ", 0, 1, 0, 64000) + good[20:],
        "no header": good[20:],
        "the order of its bytes": struct.pack(">iiiq", 0, 2, 0, 64000) + body.astype(">f4").tobytes(),
        "the other order of bytes": good[:20] + body.astype(">f4").tobytes(),
        "float16": good[:20] + body.astype("<f2").tobytes(), "float64": good[:20] + body.astype("<f8").tobytes(),
        "which cannot be": struct.pack("<iiiQ", 0, 2, 0, 4399327583884343808) + good[20:-44],
        "something was written after": good + bytes(4), "no weights": good[:20],
    }  # fmt: skip
    for told, data in files.items():
        assert told in refusal(data, graph), told


def test_four_bytes_less_are_not_taken_for_a_header(graph: Graph, good: bytes) -> None:
    assert "header of" not in refusal(good[:-4], graph)


def test_a_name_with_nul_and_a_file_beyond_the_memory_are_weights_errors(tmp_path: Path, graph: Graph) -> None:
    with pytest.raises(WeightsError, match="cannot read"):
        read_weights("a\0b", graph)
    path = tmp_path / "large.weights"
    with path.open("wb") as file:
        file.write(struct.pack("<iiiQ", 0, 2, 5, 0))
        file.truncate(1 << 40)
    with pytest.raises(WeightsError, match="too many"):
        read_weights(path, graph)


@pytest.mark.fault("inspect-does-not-see-nan")
def test_the_ledger_says_what_is_wrong_with_the_numbers(tmp_path: Path, graph: Graph, good: bytes) -> None:
    numbers = np.frombuffer(good, np.float32, offset=20).copy()
    numbers[:248] = np.nan
    numbers[-336:] = 0
    path = tmp_path / "nan.weights"
    path.write_bytes(good[:20] + numbers.tobytes())
    ledger = read_ledger(path, graph)
    assert ledger.fits
    assert ledger.warning is not None
    assert ledger.warning.code == "DK405"
    assert ledger.rows[0].notes == ("all NaN or infinite",)
    assert ledger.rows[-1].notes == ("94% zero",)
