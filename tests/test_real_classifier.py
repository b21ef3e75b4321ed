"""A trained classifier, LeNet, on the 10 000 test digits of MNIST: its accuracy, and a name for one of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from darknet_py import inference_model, load

RIGHT = 9548  # of 10 000: the 95.48 % that other programs give, as the README beside the file says
BATCH = 1000


@pytest.fixture(scope="module")
def lenet(shared: Path) -> Path:
    cfg = shared / "weights/mnist_lenet/mnist_lenet.cfg"
    if not cfg.is_file():
        pytest.skip(f"needs {cfg}, a trained classifier that is not ours to publish")
    return cfg


@pytest.fixture(scope="module")
def digits(shared: Path) -> tuple[np.ndarray, np.ndarray]:
    """The images (10000, 28, 28), white on black, and what they show."""
    folder = shared / "images/mnist"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}, MNIST's t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz")
    images, labels = (
        np.frombuffer(gzip.decompress((folder / f"t10k-{name}-ubyte.gz").read_bytes()), np.uint8, offset=start)
        for name, start in (("images-idx3", 16), ("labels-idx1", 8))
    )
    return images.reshape(-1, 28, 28), labels


@pytest.mark.parametrize("backend", ["onnxruntime", "opencv"])
def test_9548_of_10000_digits_are_right(lenet: Path, digits: tuple[np.ndarray, np.ndarray], backend: str) -> None:
    model = load(lenet, backend=backend)
    images, labels = digits
    right = 0
    for start in range(0, len(images), BATCH):
        grey = images[start : start + BATCH, None].astype(np.float32) / 255
        (scores,) = model.forward(np.repeat(grey, 3, axis=1))
        right += int((scores.argmax(axis=1) == labels[start : start + BATCH]).sum())
    assert right == RIGHT


def test_a_digit_is_named(lenet: Path, digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digits
    answer = inference_model(lenet, np.repeat(images[0, ..., None], 3, axis=2), names=lenet.parent / "mnist.names.list")
    assert answer["pred_class"] == str(labels[0]) == "7"
    assert answer["pred_score"] > 0.9
