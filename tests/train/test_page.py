"""The loop that the page of training shows is the training of `darknet-py train`: it writes the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import blocks
from scratch import write_scratch

pytest.importorskip("torch", reason="needs torch: pip install 'darknet-compiler[torch]'")

import torch

from darknet_py import train


def test_a_loop_of_ones_own_writes_what_the_training_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scratch(tmp_path)
    monkeypatch.chdir(tmp_path)
    (loop,) = (block for block in blocks() if block.page.stem == "train" and "DarknetOptimizer" in block.text)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        exec(compile(loop.text, str(loop.page), "exec"), {})  # the pages are ours
        assert list(train("my.cfg", "cells.data", backup="theirs"))
    finally:
        torch.set_num_threads(before)
    assert Path("loop.weights").read_bytes() == Path("theirs/my_final.weights").read_bytes()
