"""darknet2any, a PyTorch reader of cfgs from the package index, in the kit's protocol."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import numpy as np

from tools.conformance.programs.answering import answer


def call(words: list[str]) -> str:
    """Answer one call; why not, if it is refused."""
    action, *rest = words
    if action != "infer":
        return "darknet2any does not train"
    cfg, weights, given, out = map(Path, rest)
    x = np.load(given)
    if x.ndim != 3:
        return "it takes pictures"
    import torch
    from darknet2any.tool.darknet2pytorch import Darknet

    failed = ""
    net = None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            net = Darknet(str(cfg))
            if weights.is_file():
                net.load_weights(str(weights))
            net.eval()
            with torch.no_grad():
                net(torch.from_numpy(x[None]))
    except (Exception, SystemExit) as e:  # whatever it makes of what it does not know
        failed = f"{type(e).__name__}: {e}".splitlines()[0]
    if net is None or not net.outputs:  # without heads it fails at the boxes, after all layers
        return failed or "it computes nothing"
    for layer, array in net.outputs.items():
        if array is not None:
            np.save(out / f"layer_{layer}.npy", array.numpy())
    return ""


if __name__ == "__main__":
    sys.exit(answer(call))
