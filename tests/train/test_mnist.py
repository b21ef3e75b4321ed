"""LeNet on MNIST: the rule that divides the digits, and the accuracy on those that it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import SHARED

pytest.importorskip("torch")

from darknet_py.errors import DataError
from darknet_py.vision.datasets import list_pictures
from tools.train import mnist

DIGITS = SHARED / "images/mnist"


def test_the_first_digits_are_learned_and_the_others_are_measured(tmp_path: Path) -> None:
    pictures = np.arange(30 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(30, 28, 28)
    data = mnist.write_data(tmp_path, pictures, np.arange(30, dtype=np.uint8) % 10, 20)
    learned, measured = (list_pictures(data, split) for split in ("train", "valid"))
    assert [int(p.stem) for p in learned] == [*range(20)]
    assert [int(p.stem) for p in measured] == [*range(20, 30)]
    assert all(int(p.parent.name) == int(p.stem) % 10 for p in (*learned, *measured))


def test_a_file_that_is_not_mnists_is_an_error(tmp_path: Path) -> None:
    (tmp_path / mnist.PICTURES).write_bytes(b"no digits")
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz is no file of MNIST"):
        mnist.read_digits(tmp_path)


def test_a_digit_whose_pixels_tell_it_is_learned(tmp_path: Path) -> None:
    labels = np.arange(80, dtype=np.uint8) % 10
    pictures = np.zeros((80, 28, 28), np.uint8)
    for pixels, digit in zip(pictures, labels, strict=True):
        pixels[4 + 2 * digit : 6 + 2 * digit, 4:24] = 255
    data = mnist.write_data(tmp_path, pictures, labels, 60)
    found = mnist.learn(data, lambda _: None, batch=20, max_batches=60, threads=1, workers=0)
    assert found.top1 > 0.5
    assert found.weights.is_file()


@pytest.mark.heavy
def test_lenet_tells_97_of_100_unseen_digits(tmp_path: Path) -> None:
    if not DIGITS.is_dir():
        pytest.skip(f"needs {DIGITS}, the test files of MNIST")
    assert mnist.main([str(DIGITS), "--out", str(tmp_path)]) == 0
