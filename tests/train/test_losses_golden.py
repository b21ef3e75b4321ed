"""What Darknet computed: its deltas, costs and printed lines (a few beside this file, all of them in ../shared)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch: pip install darknet-compiler[torch]")

import torch
from conftest import SHARED

from darknet_py.apps.train.losses import head_loss
from darknet_py.darknet.compile import compile_cfg
from tools.train import cases_loss

torch.set_num_threads(1)

GOLDENS = SHARED / "golden_train" / "loss"
OURS = Path(__file__).with_name("heads.npz")
CASES = sorted(p for p in GOLDENS.iterdir() if cases_loss.fits(p)) if GOLDENS.is_dir() else []


def names() -> list[str]:
    with np.load(OURS) as file:
        return [name.partition("/")[0] for name in file if name.endswith("/cfg")]


@pytest.mark.parametrize("name", names())
def test_a_head_computes_what_darknet_does(name: str) -> None:
    with np.load(OURS) as file:
        case = {key.partition("/")[2]: file[key] for key in file if key.startswith(f"{name}/")}
    compilation = compile_cfg(str(case["cfg"])).check()
    loss = head_loss(compilation, int(case["layer"]))
    result = loss(torch.from_numpy(case["x"]), torch.from_numpy(case["truth"]), seen=int(case["seen"]))
    scale = np.abs(case["delta"]).max()
    assert np.abs(result.delta.numpy().reshape(case["delta"].shape) - case["delta"]).max() <= 1e-5 * scale
    assert float(result.cost) == pytest.approx(float(case["cost"]), rel=1e-4)
    assert cases_loss.same_line(result.said.line, str(case["line"]))


def test_there_are_cases_beside_this_file() -> None:
    assert len(names()) >= 10


def test_the_goldens_are_there_where_shared_is(shared: Path) -> None:
    if not (shared / "golden_train").is_dir():
        pytest.skip(f"needs {shared / 'golden_train'}, what Darknet computed in training")
    assert len(CASES) >= 92


@pytest.mark.skipif(not CASES, reason=f"needs {GOLDENS}, what Darknet computed in training")
@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_a_network_with_a_head_computes_what_darknet_does(case: Path) -> None:
    assert cases_loss.check(case) is None


@pytest.mark.skipif(not CASES, reason=f"needs {GOLDENS}, what Darknet computed in training")
def test_two_cases_need_a_bug_of_darknet() -> None:
    needing = {case.name for case in CASES if cases_loss.needs_bug(case)}
    assert needing == {"yolo_x1", "yolo_zerosize_mse"}


@pytest.mark.skipif(not CASES, reason=f"needs {GOLDENS}, what Darknet computed in training")
def test_the_check_sees_what_is_off(tmp_path: Path) -> None:
    for path in (GOLDENS / "yolo_v4").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    delta = np.load(tmp_path / "delta.npy")
    delta[0, 0, 0, 0] += 1e-3
    np.save(tmp_path / "delta.npy", delta)
    assert "delta off by" in (cases_loss.check(tmp_path) or "")
