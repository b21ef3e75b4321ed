"""`darknet-py dump`: keys, shapes, and a file for each step of a sequence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import write_recurrent

from .conftest import Run


def read(path: str) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)


@pytest.fixture
def image(tmp_path: Path) -> np.ndarray:
    x = np.random.default_rng(0).random((3, 32, 32), np.float32)
    np.save(tmp_path / "x.npy", x)
    return x


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime", "opencv"])
def test_keys_are_layers_and_arrays_have_no_batch(run: Run, cfg: Path, image: np.ndarray, backend: str) -> None:
    result = run("dump", cfg, "--input", "x.npy", "-o", "out/layers.npz", "--backend", backend)
    assert result.exit_code == 0
    layers = read("out/layers.npz")
    assert list(layers) == ["L000", "L001", "L002"]
    pooled = image.reshape(3, 4, 8, 4, 8).max((2, 4))
    np.testing.assert_allclose(layers["L000"], pooled, atol=1e-6)
    assert layers["L002"].shape == (7, 4, 4)


def test_weights_can_be_given(run: Run, cfg: Path, image: np.ndarray) -> None:
    cfg.with_suffix(".weights").rename("w.bin")
    assert run("dump", cfg, "w.bin", "--input", "x.npy", "-o", "layers.npz").exit_code == 0
    assert run("dump", cfg, "--input", "x.npy", "-o", "layers.npz").exit_code == 1


def test_one_sample_with_a_batch_axis_is_no_sequence(run: Run, cfg: Path, image: np.ndarray) -> None:
    np.save("x1.npy", image[None])
    run("dump", cfg, "--input", "x1.npy", "-o", "layers.npz")
    assert read("layers.npz")["L002"].shape == (7, 4, 4)


def test_each_step_of_a_sequence_has_a_file(run: Run, tmp_path: Path) -> None:
    cfg = write_recurrent(tmp_path)
    x = np.full((3, 3, 2, 2), 0.5, np.float32)
    np.save("x.npy", x)
    result = run("dump", cfg, "--input", "x.npy", "-o", "layers.npz")
    assert result.exit_code == 0
    steps = [read(f"layers_t{t}.npz")["L000"] for t in range(3)]
    assert not np.allclose(steps[0], steps[1])
    assert not Path("layers.npz").exists()
    run("dump", cfg, "--input", "x.npy", "-o", "step{t}.npz", "--backend", "onnxruntime")
    np.testing.assert_allclose(read("step2.npz")["L000"], steps[2], atol=1e-6)


def test_a_recurrent_network_takes_a_single_input(run: Run, tmp_path: Path) -> None:
    cfg = write_recurrent(tmp_path)
    np.save("x.npy", np.full((3, 2, 2), 0.5, np.float32))
    run("dump", cfg, "--input", "x.npy", "-o", "layers.npz")
    assert list(read("layers.npz")) == ["L000", "L001"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read x.npy"),
        (b"no numpy", "is no .npy file"),
        (b"", "is no .npy file"),
        (np.zeros((3, 8, 8), np.float32), "wants an input of 3 x 32 x 32, not 3 x 8 x 8"),
        (np.array(["a"]), "does not hold an array of numbers"),
        (np.array([{}], object), "is no .npy file"),
    ],
)
def test_a_bad_input_is_one_message(run: Run, cfg: Path, content: object, message: str) -> None:
    if isinstance(content, bytes):
        Path("x.npy").write_bytes(content)
    elif content is not None:
        np.save("x.npy", content, allow_pickle=True)
    result = run("dump", cfg, "--input", "x.npy", "-o", "layers.npz")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not Path("layers.npz").exists()


def test_a_place_that_cannot_be_written_is_one_message(run: Run, cfg: Path, image: np.ndarray) -> None:
    Path("file").write_text("")
    result = run("dump", cfg, "--input", "x.npy", "-o", "file/layers.npz")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


def test_where_a_file_is_not_to_be_replaced_nothing_is_computed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = write_recurrent(tmp_path)
    np.save("x.npy", np.full((3, 3, 2, 2), 0.5, np.float32))
    Path("layers_t2.npz").write_text("mine")
    monkeypatch.setattr("darknet_py.analysis.dump.dump_layers", lambda *_, **__: pytest.fail("computed"))
    result = run("dump", cfg, "--input", "x.npy", "-o", "layers.npz")
    assert result.exit_code == 1
    assert "layers_t2.npz exists, and is not known to be written by darknet-py" in result.stderr
