"""The .weights file: every way in which one may not fit is a `WeightsError` that says where, and writing is exact."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from goldens import Golden, goldens

from darknet_py.darknet.compile import compile_cfg, compile_file
from darknet_py.darknet.network import open_network
from darknet_py.darknet.weights import (
    Header,
    Weights,
    find_wrong_values,
    hash_weights,
    random_weights,
    read_weights,
    write_weights,
)
from darknet_py.errors import Code, WeightsError
from darknet_py.ir import Graph

WITH_WEIGHTS = [
    c for folder in ("golden", "golden_pj") for c in goldens(folder).values()
    if (c.folder / "net.weights").exists() and not c.compile(as_darknet=True).errors
]  # fmt: skip

CFG = """
[net]
width=8
height=6
channels=3
[convolutional]
batch_normalize=1
filters=4
size=3
[maxpool]
[convolutional]
filters=2
size=1
"""
FIRST, SECOND = 4 * 4 + 4 * 3 * 9, 2 + 2 * 4  # floats of the two convolutions


@pytest.fixture
def graph() -> Graph:
    return compile_cfg(CFG).check().graph


def file(folder: Path, floats: int, header: bytes = struct.pack("<iiiQ", 0, 2, 5, 32013312), odd: bytes = b"") -> Path:
    path = folder / "net.weights"
    path.write_bytes(header + np.arange(floats, dtype="<f4").tobytes() + odd)
    return path


def refused(path: Path, graph: Graph, **options: bool) -> WeightsError:
    with pytest.raises(WeightsError) as e:
        read_weights(path, graph, **options)
    assert str(path) in str(e.value) or e.value.code == Code.WEIGHTS_HEADER
    return e.value


def test_parameters_are_read_in_file_order(tmp_path: Path, graph: Graph) -> None:
    weights = read_weights(file(tmp_path, FIRST + SECOND), graph)
    firsts = {p.value.name: float(weights.arrays[p.value].ravel()[0]) for p in graph.params}
    assert list(firsts.values()) == [0, 4, 8, 12, 16, FIRST, FIRST + 2]
    assert [n.split(".")[1] for n in firsts] == ["biases", "scales", "mean", "variance", "weights", "biases", "weights"]
    assert weights.header == Header(0, 2, 5, 32013312)


@pytest.mark.parametrize("bytes_", range(20))
def test_a_file_without_a_whole_header_is_refused(tmp_path: Path, graph: Graph, bytes_: int) -> None:
    path = tmp_path / "net.weights"
    path.write_bytes(struct.pack("<iiiQ", 0, 2, 5, 0)[:bytes_])
    assert refused(path, graph).code == Code.WEIGHTS_HEADER


def test_an_old_header_counts_images_in_4_bytes(tmp_path: Path, graph: Graph) -> None:
    weights = read_weights(file(tmp_path, FIRST + SECOND, struct.pack("<iiiI", 0, 1, 0, 7)), graph)
    assert weights.header == Header(0, 1, 0, 7)
    assert float(weights.arrays[graph.params[0].value][1]) == 1


@pytest.mark.parametrize("floats", range(0, FIRST + SECOND, 3))
def test_a_truncated_file_names_the_layer_where_it_ends(tmp_path: Path, graph: Graph, floats: int) -> None:
    e = refused(file(tmp_path, floats), graph)
    assert e.code == Code.WEIGHTS_SHORT
    layer, wanted, left = (0, FIRST, floats) if floats < FIRST else (2, SECOND, floats - FIRST)
    assert f"layer {layer} [convolutional] wants {wanted:,} floats, {left:,} are left" in str(e)


def test_a_longer_file_says_how_much_is_left(tmp_path: Path, graph: Graph) -> None:
    e = refused(file(tmp_path, FIRST + SECOND + 9), graph)
    assert e.code == Code.WEIGHTS_LONG
    assert "9 too many" in str(e)


@pytest.mark.parametrize("odd", [b"x", b"xy", b"xyz"])
def test_a_file_that_ends_inside_a_number_is_refused(tmp_path: Path, graph: Graph, odd: bytes) -> None:
    assert refused(file(tmp_path, FIRST + SECOND, odd=odd), graph).code == Code.WEIGHTS_LONG


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path, graph: Graph) -> None:
    assert refused(tmp_path / "nowhere.weights", graph).code == Code.WEIGHTS_MISSING
    assert refused(tmp_path, graph).code == Code.WEIGHTS_MISSING


@pytest.mark.fault("weights-misc")
def test_a_path_with_a_nul_is_refused(graph: Graph) -> None:
    with pytest.raises(WeightsError, match="no path has such characters") as e:
        read_weights("a\0b.weights", graph)
    assert e.value.code == Code.WEIGHTS_MISSING


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_nobody_waits_for_a_pipe(tmp_path: Path, graph: Graph) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "it is a named pipe, not a file" in str(refused(tmp_path / "pipe", graph))


@pytest.mark.fault("weights-misc")
def test_a_length_that_does_not_fit_is_told_before_anything_is_read(
    tmp_path: Path, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(tmp_path, FIRST + SECOND)
    os.truncate(path, 5 << 30)  # most of it a hole
    for name in ("fromfile", "memmap", "zeros", "empty"):
        monkeypatch.setattr(np, name, lambda *_: pytest.fail("read"))
    for partial in (False, True):
        assert refused(path, graph, allow_partial=partial).code == Code.WEIGHTS_LONG


@pytest.mark.fault("weights-file-rewritten")
@pytest.mark.parametrize("transposed", [False, True])
def test_what_was_read_stays_what_it_was(tmp_path: Path, transposed: bool) -> None:
    text = "[net]\nwidth=2\nheight=2\nchannels=1\n[connected]\noutput=3\nactivation=linear\n"
    graph = compile_cfg(text).check().graph
    path = file(tmp_path, 15, struct.pack("<iiiQ", 1001 if transposed else 0, 2, 5, 0))
    weights = read_weights(path, graph)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    before = {value: array.copy() for value, array in weights.arrays.items()}
    with path.open("r+b") as opened:
        opened.write(b"\xff" * path.stat().st_size)
        opened.truncate(20)
    for value, array in weights.arrays.items():
        np.testing.assert_array_equal(array, before[value])
    assert hash_weights(graph, weights) == digest


def test_a_file_that_is_written_to_while_it_is_read_is_refused(
    tmp_path: Path, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(tmp_path, FIRST + SECOND)
    real = np.fromfile

    def saved_meanwhile(*args: object) -> np.ndarray:
        floats: np.ndarray = real(*args)  # type: ignore[call-overload]  # what np.fromfile takes
        os.truncate(path, 20)
        return floats

    monkeypatch.setattr(np, "fromfile", saved_meanwhile)
    assert "was written to while it was read" in str(refused(path, graph))


def test_the_weights_of_another_cfg_are_refused(graph: Graph) -> None:
    codes = {refused(goldens()[name].folder / "net.weights", graph).code for name in ("conv_deep_bn", "conv_c1")}
    assert codes == {Code.WEIGHTS_LONG, Code.WEIGHTS_SHORT}


def test_a_file_cut_between_two_layers_is_read_on_request(tmp_path: Path, graph: Graph) -> None:
    weights = read_weights(file(tmp_path, FIRST), graph, allow_partial=True)
    assert [p.layer for p in graph.params if p.value in weights.arrays] == [0] * 5
    assert read_weights(file(tmp_path, 0), graph, allow_partial=True).arrays == {}


@pytest.mark.parametrize("floats", [1, 16, FIRST - 1, FIRST + 1, FIRST + 2])
def test_a_file_cut_inside_a_layer_is_refused_even_on_request(tmp_path: Path, graph: Graph, floats: int) -> None:
    assert refused(file(tmp_path, floats), graph, allow_partial=True).code == Code.WEIGHTS_SHORT


@pytest.mark.parametrize("case", WITH_WEIGHTS, ids=lambda c: c.name)
def test_what_is_read_is_written_back_byte_for_byte(tmp_path: Path, case: Golden) -> None:
    path = case.folder / "net.weights"
    graph = case.compile(as_darknet=True).graph
    write_weights(tmp_path / "copy.weights", graph, read_weights(path, graph))
    assert (tmp_path / "copy.weights").read_bytes() == path.read_bytes()


def test_there_are_weights_to_copy() -> None:
    assert len(WITH_WEIGHTS) >= 295


def test_flipped_weights_are_stored_column_by_column(tmp_path: Path) -> None:
    cfg = "[net]\nwidth=1\nheight=1\nchannels=3\n[convolutional]\nfilters=2\nflipped=1"
    graph = compile_cfg(cfg).check().graph
    weights = read_weights(file(tmp_path, 2 + 6), graph).arrays[graph.params[1].value]
    assert weights.reshape(2, 3).tolist() == [[2, 4, 6], [3, 5, 7]]


def test_a_header_of_version_1001_means_transposed_matrices(tmp_path: Path) -> None:
    cfg = "[net]\nwidth=1\nheight=1\nchannels=3\n[connected]\noutput=2"
    graph = compile_cfg(cfg).check().graph
    weights = read_weights(file(tmp_path, 2 + 6, struct.pack("<iiiQ", 1001, 0, 0, 0)), graph)
    assert weights.arrays[graph.params[1].value].tolist() == [[2, 4, 6], [3, 5, 7]]


def test_writing_can_stop_before_a_layer(tmp_path: Path, graph: Graph) -> None:
    weights = read_weights(file(tmp_path, FIRST + SECOND), graph)
    write_weights(tmp_path / "cut.weights", graph, weights, upto=2)
    assert (tmp_path / "cut.weights").read_bytes() == file(tmp_path, FIRST).read_bytes()


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, graph: Graph) -> None:
    path = file(tmp_path, FIRST + SECOND)
    before = path.read_bytes()
    arrays = dict(read_weights(path, graph).arrays)
    last = graph.params[-1].value
    with pytest.raises(ValueError, match="could not convert"):
        write_weights(path, graph, Weights(Header(), {**arrays, last: np.array(["no number"])}))
    del arrays[last]
    with pytest.raises(WeightsError):
        write_weights(path, graph, Weights(Header(), arrays))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_a_weights_error(tmp_path: Path, graph: Graph) -> None:
    with pytest.raises(WeightsError):
        write_weights(tmp_path / "nowhere" / "net.weights", graph, random_weights(graph, 0))


def test_random_weights_are_the_same_for_the_same_seed(graph: Graph) -> None:
    one, two, three = (random_weights(graph, seed).arrays for seed in (1, 1, 2))
    assert all(np.array_equal(one[v], two[v]) for v in one)
    assert any(not np.array_equal(one[v], three[v]) for v in one)


def test_the_published_weights_fit_their_cfgs(shared: Path) -> None:
    found = [
        (cfg, weights)
        for weights in sorted((shared / "weights").rglob("*.weights"))
        for cfg in sorted(weights.parent.glob("*.cfg"))
    ]
    assert len(found) >= 6
    for cfg, weights in found:
        read_weights(weights, compile_file(cfg).check().graph)


@pytest.mark.parametrize(
    "text", [b"version https://git-lfs.github.com/spec/v1\n", b"<!DOCTYPE html>\r\n<html>", b"[net]\n"]
)
def test_text_in_place_of_weights_is_called_text(text: bytes) -> None:
    with pytest.raises(WeightsError, match="x is text, not weights"):
        Header.from_bytes(text[:20], "x")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_make_the_network_compute_nan_are_reported(graph: Graph, value: float) -> None:
    weights = random_weights(graph, 0)
    assert find_wrong_values(weights, graph) is None
    filters = next(p.value for p in graph.params if p.layer == 2 and p.role == "weights")
    weights.arrays[filters][1, :2] = value
    found = find_wrong_values(weights, graph)
    assert found is not None
    assert found.code == Code.WEIGHTS_VALUES
    assert found.message.startswith("layer 2 [convolutional]: 2 of 8 numbers of its weights are NaN or infinite")
    assert found.span is not None
    assert found.span.line == CFG.splitlines().index("[maxpool]") + 2


def test_large_numbers_are_numbers(graph: Graph) -> None:
    weights = random_weights(graph, 0)
    for array in weights.arrays.values():
        array[:] = np.finfo(np.float32).max
    assert find_wrong_values(weights, graph) is None


def test_negative_variances_are_reported_as_an_error_if_strict(tmp_path: Path, graph: Graph) -> None:
    weights = random_weights(graph, 0)
    variance = next(p.value for p in graph.params if p.role == "variance")
    weights.arrays[variance][3] = -0.5
    cfg = tmp_path / "net.cfg"
    cfg.write_text(CFG)
    write_weights(tmp_path / "net.weights", graph, weights)
    (told,) = open_network(cfg).compilation.diagnostics
    assert "layer 0 [convolutional]: 1 of 4 numbers of its variance are negative" in told.message
    with pytest.raises(WeightsError, match=r"net\.weights: layer 0 .* negative"):
        open_network(cfg, strict=True)
