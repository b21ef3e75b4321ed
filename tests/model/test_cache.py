"""The start cache: the second start compiles nothing and finds the same, and whatever changes is made again."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from networks import picture, write_classifier, write_detector, write_recurrent

import darknet_py.model
from darknet_py.backends.onnxruntime.file import FileSession
from darknet_py.model import cache
from darknet_py.model.model import load

RED = picture((1, 2, "red"))


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    return write_detector(tmp_path)


def entries() -> list[Path]:
    return sorted(cache.root().iterdir()) if cache.root().is_dir() else []


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


@pytest.mark.parametrize("file", ["model.onnx", "network.json"])
def test_a_broken_entry_is_made_again(file: str, cfg: Path) -> None:
    load(cfg)
    (entry,) = entries()
    (entry / file).write_bytes(b"broken")
    assert len(load(cfg)(RED)[0]) == 1
    assert isinstance(load(cfg).session, FileSession)


def test_without_a_place_to_write_it_runs_all_the_same(cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darknet_py.model.cache.root", lambda: cfg / "is a file")
    assert len(load(cfg)(RED)[0]) == 1


def test_what_was_not_used_for_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", 2500)
    for time, name in enumerate("ab"):
        put(name, 1000)
        os.utime(cache.root() / name, (time, time))
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
    darknet_py.model.model.load(cfg)
    assert entries() == []
