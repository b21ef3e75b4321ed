"""Precisions: who has which, that what was asked for is computed in, and the refusals with their reasons."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from networks import picture, write_detector

from darknet_py import export_onnx, load
from darknet_py.backends import precision as module
from darknet_py.backends.backend import backends, find_backend
from darknet_py.backends.precision import F32, KINDS, Precision
from darknet_py.backends.session import open_session
from darknet_py.errors import BackendError

FEWER = [(b.name, kind) for b in backends().values() for kind in b.precisions if kind != "int8"]


@pytest.mark.parametrize("name", backends())
def test_a_back_end_names_only_precisions_that_there_are(name: str) -> None:
    assert {*find_backend(name).precisions} <= {*KINDS} - {F32}


@pytest.mark.parametrize(("name", "kind"), FEWER)
def test_what_a_back_end_has_here_is_computed_in_fewer_bits(name: str, kind: str, tmp_path: Path) -> None:
    backend = find_backend(name)
    if not backend.installed:
        pytest.skip(f"needs {backend.install}")
    if lack := Precision(kind).find_lack(backend):
        pytest.skip(lack)
    graph = load(write_detector(tmp_path), backend="numpy").network
    assert graph is not None
    whole = graph.program().before_heads().graph
    x = [np.random.default_rng(0).random((1, 3, 32, 32), np.float32)]
    want, got = (open_session(whole, name, precision=p).run(x)[0] for p in (F32, kind))
    off = float(np.abs(got - want).max() / np.abs(want).max())
    assert 1e-5 < off < 0.03, "float32 is off by 1e-6, and bfloat16 has a step of 8e-3"


def test_what_a_processor_lacks_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "features", lambda: frozenset({"avx2"}))
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    with pytest.raises(BackendError, match=r"bf16 needs a processor with avx512_bf16 or amx_bf16, which .* lacks"):
        Precision("bf16").check(find_backend("openvino"))
    assert Precision("int8").find_lack(find_backend("openvino")) is not None


def test_where_features_are_not_known_the_runtime_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "features", lambda: None)
    assert Precision("bf16").find_lack(find_backend("openvino")) is None


def test_what_a_back_end_lacks_is_refused_and_another_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"'opencv' computes in f32\n  hint: "):
        load(write_detector(tmp_path), backend="opencv", precision="bf16")
    with pytest.raises(BackendError, match="no precision 'fp32'"):
        load(write_detector(tmp_path), precision="fp32")


@pytest.mark.parametrize(
    ("kind", "lack"), [("bf16", "'onnxruntime' computes in f32 or int8"), ("int8", "int8 needs a processor with avx")]
)
def test_where_no_back_end_has_a_precision_auto_says_what_each_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, lack: str
) -> None:
    monkeypatch.setattr(module, "features", lambda: frozenset({"avx2"}))
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    cfg, photo = write_detector(tmp_path), tmp_path / "photo.png"
    for name in (photo, photo.with_name("other.png")):
        cv2.imwrite(str(name), picture((0, 0, "red")))
    with pytest.raises(BackendError, match=rf"^no back end here computes in {kind}: .*{lack}"):
        load(cfg, backend="auto", precision=kind, data=tmp_path if kind == "int8" else None, quiet=True)
    with pytest.raises(BackendError, match=r"^no back end here computes in bf16, on 1 thread of its own: "):
        load(cfg, backend="auto", precision="bf16", threads=1, quiet=True)


def test_auto_says_so_of_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.onnx"
    export_onnx(write_detector(tmp_path), path)
    monkeypatch.setattr(module, "features", lambda: frozenset({"avx2"}))
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    with pytest.raises(BackendError, match=r"^no back end of those that read .*net\.onnx computes in bf16: "):
        load(path, backend="auto", precision="bf16", quiet=True)


def test_an_exported_file_does_not_become_int8(tmp_path: Path) -> None:
    export_onnx(write_detector(tmp_path), tmp_path / "net.onnx")
    with pytest.raises(BackendError, match="exported so, with --precision int8"):
        load(tmp_path / "net.onnx", precision="int8")
