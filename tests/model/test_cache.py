"""The start cache: the second start compiles nothing and finds the same, and whatever changes is made again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import picture, write_classifier, write_detector, write_recurrent

import darknet_py.darknet.network
import darknet_py.model
from darknet_py.backends.onnxruntime.file import FileSession
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import random_weights, write_weights
from darknet_py.errors import DataError, WeightsError
from darknet_py.files import neighbours
from darknet_py.machine import host
from darknet_py.model import cache, kept
from darknet_py.model.opening import load

RED = picture((1, 2, "red"))


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    return write_detector(tmp_path)


def entries() -> list[Path]:
    return sorted(cache.root().iterdir()) if cache.root().is_dir() else []


def rewrite(entry: Path, file: str, data: bytes) -> None:
    """Change a file of an entry, and write down its checksum as somebody would who knows how."""
    (entry / file).write_bytes(data)
    cache._sign(entry)


def put(name: str, size: int = 1) -> None:
    def fill(folder: Path) -> None:
        (folder / "x").write_bytes(bytes(size))

    cache.make(name, fill)


def test_the_second_start_compiles_nothing_and_finds_the_same(cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(cfg)
    monkeypatch.setattr("darknet_py.darknet.network.open_files", lambda *_, **__: pytest.fail("compiled again"))
    second = load(cfg)
    assert isinstance(second.session, FileSession)
    (a,), (b,) = first(RED), second(RED)
    np.testing.assert_allclose(a.boxes.xyxy, b.boxes.xyxy)
    assert repr(first) == repr(second)
    assert first.names == second.names


def test_a_change_of_a_source_file_however_deep_is_another_package(tmp_path: Path) -> None:
    deep = tmp_path / "darknet" / "layers" / "heads" / "yolo.py"
    deep.parent.mkdir(parents=True)
    for file in (tmp_path / "model.py", deep):
        file.write_text("")
        os.utime(file, ns=(1, 1))
    before = cache.newest(tmp_path)
    os.utime(deep, ns=(2, 2))
    assert (before, cache.newest(tmp_path)) == ("1", "2")


def test_the_time_of_the_sources_is_told_whatever_else_is_among_them(tmp_path: Path) -> None:
    """A link to nothing (the lock of an editor), a loop, a folder that leads back, a folder that is gone."""
    (tmp_path / "a.py").touch()
    os.utime(tmp_path / "a.py", ns=(7, 7))
    for name, target in ((".#a.py", "nothing"), ("b.py", "b.py"), ("back", tmp_path)):
        (tmp_path / name).symlink_to(target)
    assert cache.newest(tmp_path) == "7"
    assert cache.newest(tmp_path / "gone") == "0"


def test_the_second_start_imports_no_compiler(cfg: Path, tmp_path: Path) -> None:
    script = f"""
import sys
import numpy as np
from darknet_py import load
load({str(cfg)!r})(np.zeros((8, 8, 3), np.uint8))
print([m for m in ("darknet_py.ir", "darknet_py.darknet.compile", "onnx", "lark") if m in sys.modules])
"""
    own = {**os.environ, "DARKNET_PY_CACHE": str(tmp_path / "cache")}
    run = partial(subprocess.check_output, [sys.executable, "-c", script], env=own, text=True)
    assert "darknet_py.ir" in run()
    assert run().strip() == "[]"


def test_forward_gives_the_outputs_of_the_layers_whether_kept_or_not(cfg: Path) -> None:
    x = np.random.default_rng(0).random((2, 3, 32, 32), np.float32)
    wanted = load(cfg, backend="numpy").forward(x)
    for _ in range(2):
        np.testing.assert_allclose(load(cfg).forward(x)[0], wanted[0], atol=1e-6)
    assert 0 < wanted[0][:, 4].min() <= wanted[0][:, 4].max() <= 1


def test_a_kept_model_opens_its_network_when_asked(cfg: Path, tmp_path: Path) -> None:
    load(cfg)
    model = load(cfg)
    assert model.network is not None
    assert model.network is model.network
    model.export(tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").is_file()


@pytest.mark.parametrize("write", [write_classifier, write_recurrent])
def test_networks_without_heads_are_kept_too(write: object, tmp_path: Path) -> None:
    assert callable(write)
    path = write(tmp_path)
    x = np.random.default_rng(0).random((1, *load(path).contract.shape), np.float32)
    first, second = load(path), load(path)
    for _ in range(2):
        np.testing.assert_allclose(first.forward(x)[0], second.forward(x)[0], rtol=1e-6)


def test_another_size_or_other_weights_are_another_entry(cfg: Path) -> None:
    load(cfg)
    load(cfg, size=(64, 64))
    load(cfg, random_weights=1)
    weights = cfg.with_suffix(".weights")
    status = weights.stat()
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    load(cfg)
    assert len(entries()) == 4


def test_diagnostics_are_told_again(cfg: Path) -> None:
    cfg.write_text(cfg.read_text().replace("[yolo]", "[yolo]\nnonsense=1"))
    first, second = load(cfg), load(cfg)
    assert len(first.contract.diagnostics) == 1
    assert first.contract.diagnostics == second.contract.diagnostics


def test_cache_false_and_other_back_ends_keep_nothing(cfg: Path) -> None:
    load(cfg, cache=False)
    load(cfg, backend="numpy")
    assert entries() == []


@pytest.mark.parametrize("file", ["model.onnx", "network.json", "checksums"])
@pytest.mark.parametrize("how", ["broken", "empty", "cut", "missing", "a link", "a folder"])
def test_a_broken_entry_is_made_again(file: str, how: str, cfg: Path) -> None:
    load(cfg)
    (entry,) = entries()
    path = entry / file
    data = path.read_bytes()
    path.unlink()
    if how == "a link":
        (entry / "elsewhere").write_bytes(data)
        path.symlink_to("elsewhere")
    elif how == "a folder":
        path.mkdir()
    elif how != "missing":
        path.write_bytes({"broken": b"broken", "empty": b"", "cut": data[:-1]}[how])
    made_again(cfg)


def made_again(cfg: Path) -> None:
    """The network is compiled, finds the same, and is kept: the next start is a quick one."""
    model = load(cfg)
    assert not isinstance(model.session, FileSession)
    assert len(model(RED)[0]) == 1
    assert isinstance(load(cfg).session, FileSession)


@pytest.mark.fault("cache-corrupt-json")
def test_no_flipped_bit_of_a_kept_network_is_computed_with(cfg: Path) -> None:
    x = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    wanted = load(cfg).run(x)[0]
    (entry,) = entries()
    whole = {path: path.read_bytes() for path in sorted(entry.iterdir())}
    rng = np.random.default_rng(1)
    for path, data in whole.items():
        for _ in range(15):
            entry.mkdir(exist_ok=True)
            for other, bytes_ in whole.items():
                other.write_bytes(bytes_)
            flipped = bytearray(data)
            flipped[rng.integers(len(data))] ^= 1 << rng.integers(8)
            path.write_bytes(bytes(flipped))
            assert cache.find(entry.name) is None
            assert not entry.exists()
    np.testing.assert_array_equal(load(cfg).run(x)[0], wanted)


def test_a_flipped_bit_of_large_arrays_is_seen_though_the_times_are_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    put("a", 3 << 20)
    path = cache.root() / "a" / "x"
    time.sleep(0.3)
    assert cache.find("a")
    assert cache.find("a")  # now it is remembered
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(2 << 20)
        file.write(b"\1")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.find("a") is None


HOSTILE = [
    b"", b"null", b"5", b'"x"', b"[]", b"{}", b"[1]", b"[" * 100_000, b'{"a":' * 100_000, b"\xed\xa0\x80", b"1" * 5000,
    b"NaN", b'{"decoders": 5}', b'{"decoders": [[1, 2]]}',
]  # fmt: skip


@pytest.mark.fault("cache-corrupt-json")
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_description_that_is_none_is_dropped_even_where_its_checksum_is_right(text: bytes, cfg: Path) -> None:
    load(cfg)
    (entry,) = entries()
    rewrite(entry, "network.json", text)
    made_again(cfg)


@pytest.mark.fault("cache-corrupt-json")
@pytest.mark.parametrize("classes", [10**12, -1, "2", None, 1.5, [], True])
def test_a_number_of_classes_that_cannot_be_is_dropped(classes: object, cfg: Path) -> None:
    load(cfg)
    (entry,) = entries()
    described = json.loads((entry / "network.json").read_text())
    rewrite(entry, "network.json", json.dumps({**described, "classes": classes}).encode())
    made_again(cfg)


@pytest.mark.fault("cache-code-exec")
@pytest.mark.parametrize("kind", ["subprocess.Popen", "os", "subprocess:Popen", "__class__"])
def test_nothing_is_imported_or_called_by_a_name_from_an_entry(kind: str, cfg: Path, tmp_path: Path) -> None:
    load(cfg)
    (entry,) = entries()
    described = json.loads((entry / "network.json").read_text())
    options = {"args": ["/bin/sh", "-c", f"touch {tmp_path / 'ran'}"]}
    described["decoders"] = [{"kind": kind, **options}]
    described["heads"] = [["subprocess", "Popen", {"options": options}]]
    rewrite(entry, "network.json", json.dumps(described).encode())
    load(cfg, cache=False)(RED)  # imports what any network imports
    before = set(sys.modules)
    made_again(cfg)
    assert not (tmp_path / "ran").exists()
    assert set(sys.modules) - before <= {"subprocess"} | {m for m in sys.modules if m.startswith("darknet_py")}


@pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")
@pytest.mark.fault("cache-code-exec")
@pytest.mark.parametrize("which", ["the cache", "the folder of entries", "an entry"])
def test_what_others_may_write_is_not_used_and_that_is_said_once(
    which: str, cfg: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load(cfg)
    (entry,) = entries()
    folder = {"the cache": cache.root().parent, "the folder of entries": cache.root(), "an entry": entry}[which]
    folder.chmod(0o777)
    said: list[str] = []
    for _ in range(2):
        model = load(cfg, say=said.append)
        assert not isinstance(model.session, FileSession)
        assert len(model(RED)[0]) == 1
    (line,) = said
    assert f"the start cache is not used: others may write in {folder}" in line
    monkeypatch.setattr(kept, "_TOLD", set())
    load(cfg)
    assert "others may write" in capsys.readouterr().err
    folder.chmod(0o700)
    assert isinstance(load(cfg).session, FileSession)


@pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")
def test_entries_are_for_one_user_whatever_the_umask(cfg: Path) -> None:
    before = os.umask(0)
    try:
        load(cfg)
    finally:
        os.umask(before)
    (entry,) = entries()
    assert {p.stat().st_mode & 0o777 for p in (cache.root().parent, cache.root(), entry)} == {0o700}
    assert isinstance(load(cfg).session, FileSession)


@pytest.mark.fault("stale-compiled-cache")
def test_weights_that_differ_in_one_byte_anywhere_are_other_weights(tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text("[net]\nwidth=16\nheight=16\nchannels=3\n[connected]\noutput=700\nactivation=linear\n[softmax]\n")
    graph = compile_file(cfg).check().graph
    weights = cfg.with_suffix(".weights")
    write_weights(weights, graph, random_weights(graph, 1))
    os.utime(weights, (0, 0))  # as in a reproducible image
    time.sleep(0.3)
    x = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)
    first = load(cfg).run(x)[0]
    data = bytearray(weights.read_bytes())
    assert len(data) > 1 << 20
    floats = np.frombuffer(data, np.float32, offset=20).copy()
    floats[200_000:200_900] = 5
    weights.write_bytes(bytes(data[:20]) + floats.tobytes())
    os.utime(weights, (0, 0))
    np.testing.assert_array_equal(load(cfg).run(x)[0], load(cfg, cache=False).run(x)[0])
    assert np.abs(load(cfg).run(x)[0] - first).max() > 1e-5


def test_a_file_larger_than_the_cache_may_be_is_not_even_hashed(cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "sha256_of", lambda _: pytest.fail("hashed"))
    os.truncate(cfg.with_suffix(".weights"), 5 << 30)  # most of it a hole
    with pytest.raises(WeightsError, match="too many"):
        load(cfg)


def test_weights_that_change_while_they_are_compiled_are_kept_under_no_name(
    cfg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = darknet_py.darknet.network.open_files

    def slow(*args: Any, **options: Any) -> Any:
        network = real(*args, **options)
        weights = cfg.with_suffix(".weights")
        weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0@")
        return network

    monkeypatch.setattr("darknet_py.darknet.network.open_files", slow)
    load(cfg)
    assert entries() == []


def test_a_kept_model_does_not_take_its_network_from_other_files(cfg: Path, tmp_path: Path) -> None:
    load(cfg)
    model = load(cfg)
    weights = cfg.with_suffix(".weights")
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0@")
    assert len(model(RED)[0]) == 1
    with pytest.raises(DataError, match="changed since the model was loaded"):
        model.export(tmp_path / "other.onnx")


def test_what_a_killed_process_was_making_goes_and_is_no_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    monkeypatch.setattr(neighbours, "SWEEP_SHARE", 0)  # look for what was left at once
    put("a")
    left, living = (cache.root() / f".darknet-py.{host()}.{pid}.00000000" for pid in (killed.pid, os.getppid()))
    for folder in (left, living):
        folder.mkdir()
        (folder / "half").write_bytes(bytes(9999))
    monkeypatch.setattr(cache, "LIMIT", 1000)
    put("b")
    assert not left.exists()
    assert [e.name for e in cache.entries()] == ["b", "a"]
    assert living.exists()


def test_without_a_place_to_write_it_runs_all_the_same(cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darknet_py.model.cache.root", lambda: cfg / "is a file")
    assert len(load(cfg)(RED)[0]) == 1


def test_what_was_not_used_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", 2500)
    for used, name in enumerate("ab"):
        put(name, 1000)
        os.utime(cache.root() / name, (used, used))
    assert cache.find("a")
    put("c", 1000)
    assert [e.name for e in entries()] == ["a", "c"]
    put("huge", 10000)
    assert [e.name for e in entries()] == ["huge"]


def test_who_comes_second_leaves_what_is_there() -> None:
    put("a", 1)
    put("a", 2)
    assert [e.name for e in entries()] == ["a"]
    assert len((cache.root() / "a" / "x").read_bytes()) == 1


def test_a_failure_leaves_nothing() -> None:
    def fail(folder: Path) -> None:
        (folder / "x").write_text("half")
        raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        cache.make("a", fail)
    assert entries() == []
    assert cache.find("a") is None


def test_a_class_tree_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "a.tree").write_text("one -1\ntwo -1\nthree -1\n")
    cfg = tmp_path / "tree.cfg"
    cfg.write_text("[net]\nwidth=4\nheight=4\nchannels=3\n[avgpool]\n[softmax]\ntree=a.tree\n")
    darknet_py.model.opening.load(cfg)
    assert entries() == []
