"""ONNX files that are not as they were exported meet OpenCV in another process first, which may die of them."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import write_detector

from darknet_py.backends.opencv import trial
from darknet_py.errors import BackendError
from darknet_py.model.export import export_onnx
from darknet_py.model.opening import load
from darknet_py.onnx.stream import is_sealed

# Loads a file and runs it; 1: refused with an error of ours. A crash would kill the process.
LOOK = """
import sys, numpy as np
from darknet_py import DarknetError, load
try:
    model = load(sys.argv[1], backend="opencv")
    model(np.zeros((20, 30, 3), np.uint8))
except DarknetError as e:
    print(e)
    sys.exit(1)
"""


def look(path: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", LOOK, str(path)], capture_output=True, timeout=300, check=False)


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    export_onnx(write_detector(tmp_path), tmp_path / "net.onnx", boxes="decoded")
    return tmp_path / "net.onnx"


def test_a_file_as_it_was_exported_is_sealed_and_a_changed_one_is_not(exported: Path) -> None:
    assert is_sealed(exported)
    data = exported.read_bytes()
    for changed in (data[:-1], data + b"x", b"x" + data[1:], data[:100] + bytes([data[100] ^ 1]) + data[101:], b""):
        exported.write_bytes(changed)
        assert not is_sealed(exported)


def test_a_sealed_file_needs_no_trial_and_another_one_does(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise BackendError("tried")

    monkeypatch.setattr(trial, "survive", refuse)
    assert len(load(exported, backend="opencv")(np.zeros((32, 32, 3), np.uint8))) == 1
    exported.write_bytes(exported.read_bytes()[::-1][::-1] + b"\x72\x00")  # an empty entry of metadata
    with pytest.raises(BackendError, match="tried"):
        load(exported, backend="opencv")


def test_a_sound_file_that_somebody_wrote_again_is_opened(exported: Path) -> None:
    import onnx

    onnx.save(onnx.load(exported), exported)
    assert not is_sealed(exported)
    assert len(load(exported, backend="opencv")(np.zeros((32, 32, 3), np.uint8))) == 1


def test_a_crash_of_the_other_process_is_an_error(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    real = subprocess.run

    def dies(command: list[str], **options: object) -> object:
        return real([*command[:2], crash], **options)  # type: ignore[call-overload]  # the options of the caller

    exported.write_bytes(exported.read_bytes() + b"\x72\x00")
    monkeypatch.setattr(trial.subprocess, "run", dies)
    with pytest.raises(BackendError, match="OpenCV crashes on"):
        load(exported, backend="opencv")


@pytest.mark.fault("onnx-opencv-segfault")
def test_files_with_flipped_bytes_never_kill_python(exported: Path) -> None:
    rng, data, codes = random.Random(0), exported.read_bytes(), []
    for _ in range(12):
        changed = bytearray(data)
        for at in rng.sample(range(len(data)), 2):
            changed[at] ^= 1 << rng.randrange(8)
        exported.write_bytes(changed)
        codes.append(look(exported).returncode)
    assert set(codes) <= {0, 1}


@pytest.mark.fault("onnx-opencv-segfault")
def test_the_files_that_killed_opencv_are_errors(shared: Path) -> None:
    files = sorted((shared / "faults" / "onnx-opencv-segfault").glob("*.onnx"))
    assert len(files) == 4
    assert [look(f).returncode for f in files] == [1] * 4
