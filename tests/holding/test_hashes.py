"""What is in a file is remembered only while nothing wrote to it, however well that is hidden."""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from darknet_py.holding import hashes
from darknet_py.holding.hashes import crc32_of, notes, sha256_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no time of the last change")


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], bool]:
    """Whether `sha256_of` reads the file; what it says is right in any case."""
    monkeypatch.setattr(hashes, "SMALL", 0)
    monkeypatch.setattr(hashes, "SETTLED", -3600.0)
    times: list[int] = []

    def digest(file: object, kind: str) -> object:
        times.append(1)
        return hashlib.new(kind, file.read())  # type: ignore[attr-defined]  # a binary file

    def ask(path: Path) -> bool:
        before = len(times)
        assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
        return len(times) > before

    monkeypatch.setattr("hashlib.file_digest", digest)
    return ask


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file whose last change is no whole second."""
    path = tmp_path / "a.weights"
    path.write_bytes(bytes(1000))
    while path.stat().st_ctime_ns % 1_000_000_000 == 0:
        path.touch()
    return path


def test_an_untouched_file_is_read_once(path: Path, read: Callable[[Path], bool]) -> None:
    assert [read(path), read(path), read(path)] == [True, False, False]


def test_a_change_that_keeps_size_and_time_of_writing_is_seen(path: Path, read: Callable[[Path], bool]) -> None:
    read(path)
    status = path.stat()
    time.sleep(0.02)  # kernels stamp by a clock that ticks
    with path.open("r+b") as file:
        file.seek(500)
        file.write(b"x")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read(path)
    assert not read(path)


def test_another_file_of_the_same_size_and_time_in_its_place_is_seen(path: Path, read: Callable[[Path], bool]) -> None:
    read(path)
    other = path.with_name("other")
    other.write_bytes(b"y" * 1000)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert read(path)


def test_a_file_that_was_just_written_is_not_remembered(
    path: Path, read: Callable[[Path], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "SETTLED", 3600.0)
    assert [read(path), read(path)] == [True, True]


def test_a_time_of_whole_seconds_is_not_believed(
    path: Path, read: Callable[[Path], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstat

    def whole(handle: int) -> os.stat_result:
        status = real(handle)
        times = {name: getattr(status, name) for name in dir(status) if name.startswith("st_")}
        return os.stat_result(tuple(status), {**times, "st_ctime_ns": 1_700_000_000 * 1_000_000_000})

    monkeypatch.setattr(os, "fstat", whole)
    assert [read(path), read(path)] == [True, True]


def test_a_file_system_that_cannot_be_written_to_is_not_believed(
    path: Path, read: Callable[[Path], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fstatvfs
    monkeypatch.setattr(os, "fstatvfs", lambda handle: os.statvfs_result((*tuple(real(handle))[:8], os.ST_RDONLY, 255)))
    assert [read(path), read(path)] == [True, True]


def test_notes_that_others_could_have_written_are_not_believed(path: Path, read: Callable[[Path], bool]) -> None:
    read(path)
    notes().chmod(0o777)
    assert [read(path), read(path)] == [True, True]


@pytest.mark.parametrize("damage", [b"", b"\xff\0" * 99, b"sha256 1 2 3 4 5 zz\n", b" \n\n" * 99])
def test_damaged_notes_are_written_anew(path: Path, read: Callable[[Path], bool], damage: bytes) -> None:
    read(path)
    (notes() / "notes").write_bytes(damage)
    assert [read(path), read(path)] == [True, False]


def test_only_the_latest_files_are_remembered(
    path: Path, read: Callable[[Path], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "KEPT", 2)
    paths = [path.with_name(f"{i}.weights") for i in range(3)]
    for i, each in enumerate(paths):
        each.write_bytes(bytes(1000 + i))
        while each.stat().st_ctime_ns % 1_000_000_000 == 0:
            each.touch()
        read(each)
    assert [read(paths[2]), read(paths[1]), read(paths[0])] == [False, False, True]


def test_a_crc_is_that_of_all_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    (tmp_path / "x").write_bytes(data)
    assert crc32_of(tmp_path / "x") == f"{zlib.crc32(data):08x}"


def test_a_pipe_has_no_hash_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is no file"):
        sha256_of(tmp_path / "pipe")
