"""An exported program of PyTorch (`torch.export`): its graph of ATen operations, for compilers and ExecuTorch too."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .torchscript import FORMAT as TORCHSCRIPT
from .torchscript import write_torch

FORMAT = replace(
    TORCHSCRIPT, name="pt2", suffix=".pt2", title="an exported program of PyTorch", also=("torch",),
    writer=partial(write_torch, "write_pt2"),
)  # fmt: skip
