"""darknet2any, a PyTorch reader of cfgs from the package index, in the kit's protocol."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import numpy as np

from tools.conformance.programs.answering import Refused, answer, of_pictures


def infer(cfg: Path, weights: Path | None, x: np.ndarray) -> dict[int, np.ndarray]:
    """What it keeps of its layers. Raises `Refused` where it comes to none."""
    import torch
    from darknet2any.tool.darknet2pytorch import Darknet

    failed = ""
    net = None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            net = Darknet(str(cfg))
            if weights:
                net.load_weights(str(weights))
            net.eval()
            with torch.no_grad():
                net(torch.from_numpy(x))
    except (Exception, SystemExit) as e:  # whatever it makes of what it does not know
        failed = f"{type(e).__name__}: {e}".splitlines()[0]
    if net is None or not net.outputs:  # without heads it fails at the boxes, after all layers
        raise Refused(failed or "it computes nothing")
    return {layer: array.numpy() for layer, array in net.outputs.items() if array is not None}


if __name__ == "__main__":
    sys.exit(answer(of_pictures(infer)))
