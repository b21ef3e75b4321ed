"""Calibration: the ranges, the corrections of biases, and what stays in float32 because it is off by much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import write_photos

from darknet_py.analysis.calibrate import best_range, calibrate
from darknet_py.backends.precision import Precision
from darknet_py.backends.session import open_session
from darknet_py.contract.program import Program
from darknet_py.darknet.network import open_network
from darknet_py.vision.sources import PictureFile

LAYER = "[convolutional]\nfilters=8\nsize=3\npad=1\nactivation={}\n"
NET = "[net]\nwidth=32\nheight=32\nchannels=3\n" + "".join(map(LAYER.format, ("leaky", "mish", "swish", "leaky")))
CFG = NET + "[convolutional]\nfilters=4\nactivation=linear\n"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    cfg = tmp_path / "deep.cfg"
    cfg.write_text(CFG)
    return open_network(cfg, random=1).program()


@pytest.fixture
def photos(tmp_path: Path) -> list[PictureFile]:
    return [PictureFile(path) for path in sorted(write_photos(tmp_path / "photos", 6).iterdir())]


def test_a_number_far_out_is_cut_off_and_common_ones_are_not() -> None:
    counts = np.zeros(2048)
    counts[:1024] = 1e8
    counts[-1] = 1
    low, high = best_range(counts, (0.0, 8.0))
    assert low == 0
    assert 3.9 < high < 4.5


def test_what_a_leaky_activation_shrinks_counts_less() -> None:
    counts = 1e6 * np.exp(-np.square(np.linspace(-4, 4, 2048)) / 2)  # normal, from -4 to 4 deviations
    plain, shrunk = (best_range(counts, (-8.0, 8.0), slope) for slope in (1.0, 0.1))
    assert shrunk[0] > plain[0]


def test_outputs_are_close_and_their_mean_stays(program: Program, photos: list[PictureFile]) -> None:
    told: list[str] = []
    found = calibrate(program, photos, "onnxruntime", tell=told.append)
    x = [np.random.default_rng(0).random((2, 3, 32, 32), np.float32)]
    (want,), (got,) = (
        open_session(program.graph, precision=p).run(x) for p in (Precision(), Precision("int8", found))
    )  # fmt: skip
    assert np.abs(got - want).max() > 0
    assert np.sqrt(np.square(got - want).mean() / np.square(want).mean()) < 0.1
    assert "off by" in told[0]


def test_the_worst_layers_stay_in_float32_until_the_outputs_are_close(
    program: Program, photos: list[PictureFile]
) -> None:
    told: list[str] = []
    all_float = calibrate(program, photos, "onnxruntime", close=0.0, tell=told.append)
    assert len(all_float.in_float) == 4
    assert "in float32, being the worst" in told[1]
    x = [np.random.default_rng(0).random((1, 3, 32, 32), np.float32)]
    (want,), (got,) = (
        open_session(program.graph, precision=p).run(x) for p in (Precision(), Precision("int8", all_float))
    )  # fmt: skip
    np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())
