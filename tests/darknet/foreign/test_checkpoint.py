"""Checkpoints of every form give their tensors, and broken ones say what is wrong with them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
from checkpoints import (
    Module,
    Raw,
    Storage,
    call,
    pickled,
    tensor_operations,
    write_legacy,
    write_safetensors,
    write_zip,
)

from darknet_py.darknet.foreign.checkpoint import read_checkpoint
from darknet_py.darknet.foreign.kinds import is_checkpoint
from darknet_py.errors import DataError

A = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
B = np.array([1.5, -2.5, 65504], np.float16)

WRITERS: dict[str, Callable[[Path, Any], Path]] = {
    "zip": write_zip, "legacy": write_legacy, "safetensors": write_safetensors,
}  # fmt: skip


@pytest.mark.parametrize("form", WRITERS)
def test_every_form_gives_the_same_tensors(form: str, tmp_path: Path) -> None:
    path = WRITERS[form](tmp_path / "a.pth", {"a": A, "b": B, "n": np.array(3, np.int64)})
    read = read_checkpoint(path)
    assert is_checkpoint(path)
    np.testing.assert_array_equal(read.tensors["a"].array(), A)
    np.testing.assert_array_equal(read.tensors["b"].array(), B.astype(np.float32))
    assert read.tensors["n"].shape == ()
    assert all(t.array().dtype == np.float32 for t in read.tensors.values())


@pytest.mark.parametrize(
    ("value", "entry"),
    [
        ({"a": A}, ""),
        ({"epoch": 3, "state_dict": {"a": A}, "step": A}, "state_dict"),
        ({"epoch": 3, "model": {"module.a": A}, "optimizer": {"state": {0: {"m": A}}}}, "model"),
        ({"ema": None, "model": {"a": A}}, "model"),
        ({"ema": {"a": A}, "model": {"a": A * 2}}, "ema"),
        ({"state_dict_ema": {"a": A}, "state_dict": {"a": A * 2}}, "state_dict_ema"),
        ({"model": {"state_dict": {"a": A}}}, "model.state_dict"),
    ],
)  # fmt: skip
def test_parameters_are_found_where_programs_keep_them(value: Any, entry: str, tmp_path: Path) -> None:
    read = read_checkpoint(write_zip(tmp_path / "a.pth", value))
    assert read.entry == entry
    np.testing.assert_array_equal(read.tensors["a"].array(), A)


def test_a_model_that_was_pickled_whole_gives_its_tensors_by_their_names(tmp_path: Path) -> None:
    inner = Module("torch.nn.modules.conv.Conv2d", {"weight": A}, {})
    norm = Module("torch.nn.modules.batchnorm.BatchNorm2d", {"weight": B}, {}, {"eps": 1e-3, "training": False})
    row = Module("torch.nn.modules.container.Sequential", {}, {"0": inner, "1": norm})
    whole = Module("torch.nn.parallel.data_parallel.DataParallel", {}, {"module": row})
    read = read_checkpoint(write_zip(tmp_path / "a.pt", {"model": whole, "spare": A}))
    assert {*read.tensors} == {"0.weight", "1.weight"}
    np.testing.assert_array_equal(read.tensors["0.weight"].array(), A)
    assert read.epsilons == {"1": 1e-3}


def test_classes_came_with_their_source_before_1_6(tmp_path: Path) -> None:
    first = tensor_operations(Storage("0", 24), 0, (24,), (1,))
    inner = pickled(Module("torch.nn.modules.conv.Conv2d", {"weight": A}, {}), lambda _: first)
    named = b"ctorch.nn.modules.conv\nConv2d\n"
    words = b"".join(pickled(word, lambda _: b"") for word in ("conv.py", "class Conv2d: ..."))
    source = pickled("module", lambda _: b"") + named + words
    whole = Raw(b"(" + source + b"tQ" + inner.removeprefix(named))
    read = read_checkpoint(write_legacy(tmp_path / "a.pt", {"model": whole, "spare": A.ravel()}))
    np.testing.assert_array_equal(read.tensors["weight"].array(), A.ravel())


@pytest.mark.parametrize("write", [write_zip, write_legacy])
@pytest.mark.parametrize("name", ["torch.load", "torch.hub.load_state_dict_from_url", "numpy.fromfile", "utils.run"])
def test_a_call_of_a_function_is_an_error(write: Callable[[Path, Any], Path], name: str, tmp_path: Path) -> None:
    asked = call(*name.rsplit(".", 1), "https://example.org/other.pt")
    with pytest.raises(DataError, match=rf"calls {name}, which no checkpoint needs; nothing was executed"):
        read_checkpoint(write(tmp_path / "bad.pt", {"model": {"a": A}, "hook": asked}))


@pytest.mark.parametrize(
    "called",
    [
        call("numpy.core.multiarray", "scalar"), call("_codecs", "encode", "raw", "latin1"),
        call("torch", "device", "cpu"), call("collections", "defaultdict"), call("pathlib", "PosixPath", "runs"),
        call("argparse", "Namespace"), call("torch.optim.lr_scheduler", "LambdaLR"), call("copy_reg", "_reconstructor"),
    ],
    ids=lambda c: c.operations.split()[1].decode(),
)  # fmt: skip
def test_what_checkpoints_call_besides_tensors_is_passed_over(called: Raw, tmp_path: Path) -> None:
    read = read_checkpoint(write_zip(tmp_path / "a.pt", {"model": {"a": A}, "training": {"more": called}}))
    assert [*read.tensors] == ["a"]


def test_modules_that_contain_each_other_are_an_error(tmp_path: Path) -> None:
    looped = Raw(
        b"cmodels\nM\n)\x81q\x00}(X\x08\x00\x00\x00_modules}(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00uub"
    )
    with pytest.raises(DataError, match="nested without an end"):
        read_checkpoint(write_zip(tmp_path / "a.pt", {"model": looped}))


@pytest.mark.parametrize("form", WRITERS)
def test_a_file_that_was_cut_anywhere_is_an_error(form: str, tmp_path: Path) -> None:
    data = WRITERS[form](tmp_path / "a.pth", {"state_dict.a": A, "b": B}).read_bytes()
    for end in range(0, len(data), 7):
        (tmp_path / "cut.pth").write_bytes(data[:end])
        with pytest.raises(DataError, match=r"cut\.pth"):
            read_checkpoint(tmp_path / "cut.pth")


@pytest.mark.parametrize("form", WRITERS)
def test_a_flipped_byte_is_an_error_or_gives_tensors(form: str, tmp_path: Path) -> None:
    data = bytearray(WRITERS[form](tmp_path / "a.pth", {"a": A, "b": B}).read_bytes())
    for at in range(len(data)):
        changed = bytes(data[:at]) + bytes([data[at] ^ 0xFF]) + bytes(data[at + 1 :])
        (tmp_path / "bad.pth").write_bytes(changed)
        try:
            found = [t.array() for t in read_checkpoint(tmp_path / "bad.pth").tensors.values()]
        except DataError:
            continue
        assert all(a.size <= 24 for a in found)


def tensor(storage: Storage, *view: Any) -> Raw:
    return Raw(tensor_operations(storage, *view))


BAD_TENSORS = {
    "larger than the file": tensor(Storage("0", 1 << 40), 0, (1 << 40,), (1,)),
    "larger than its storage": tensor(Storage("0", 24), 0, (25,), (1,)),
    "after its storage": tensor(Storage("0", 24), 20, (5,), (1,)),
    "repeated by a stride of 0": tensor(Storage("0", 24), 0, (1 << 30,), (0,)),
    "negative": tensor(Storage("0", 24), 0, (4,), (-1,)),
    "of other numbers": tensor(Storage("0", 24, "ComplexFloatStorage"), 0, (4,), (1,)),
    "of a storage that is not there": tensor(Storage("../../etc/passwd", 24), 0, (4,), (1,)),
    "of many axes": tensor(Storage("0", 24), 0, (1,) * 100, (1,) * 100),
    "of nothing": call("torch._utils", "_rebuild_tensor_v2"),
}


@pytest.mark.parametrize("bad", BAD_TENSORS.values(), ids=BAD_TENSORS)
@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_a_tensor_that_cannot_be_is_an_error(write: Callable[[Path, Any], Path], bad: Raw, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"bad\.pth"):
        read_checkpoint(write(tmp_path / "bad.pth", {"a": A, "bad": bad}))


def test_a_compressed_archive_is_no_checkpoint_however_small_it_claims_to_be(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "bomb.pth", "w", ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (1 << 24))
    with pytest.raises(DataError, match="is compressed, as torch never writes it"):
        read_checkpoint(tmp_path / "bomb.pth")


def test_a_program_is_no_checkpoint(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "script.pt", {"a": A})
    with ZipFile(path, "a") as archive:
        archive.writestr("archive/constants.pkl", b"\x80\x02).")
    with pytest.raises(DataError, match="TorchScript"):
        read_checkpoint(path)


def test_an_archive_of_something_else_is_no_checkpoint(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match=r"without torch's data\.pkl"):
        read_checkpoint(tmp_path / "other.zip")


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\0\x02\0\0\0" * 9, b"\x89HDF\r\n\x1a\n", b"<html></html>", b"\x80\x02]."]
)
def test_a_file_of_another_kind_is_an_error(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(data)
    with pytest.raises(DataError, match=r"x\.pth"):
        read_checkpoint(tmp_path / "x.pth")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_checkpoint(tmp_path / "none.pth")
    with pytest.raises(DataError):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4398046511104]}}',
        b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
        b'{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}',
        b'{"a":{"shape":[1]}}',
        b'{"a":[]}',
        b'{"a":' + b"[" * 100_000 + b"}",
        b"{ nonsense",
    ],
)
def test_a_description_that_lies_is_an_error(header: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(DataError, match=r"x\.safetensors"):
        read_checkpoint(tmp_path / "x.safetensors")


def test_darknets_weights_are_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "net.weights").write_bytes(struct.pack("<iiiQ", 0, 2, 5, 32013312) + bytes(100))
    assert not is_checkpoint(tmp_path / "net.weights")
    assert not is_checkpoint(tmp_path / "none")
