"""OpenCV 4's own `readNetFromDarknet` in the kit's protocol: the last layer, and what heads read.

OpenCV's heads make boxes, and not what Darknet's layer outputs; the layer before one is asked for instead. It calls the
convolution of layer N `conv_N`, and the activation after it by its own name and N + 1.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import cv2
import numpy as np

from tools.conformance.programs.answering import Refused, answer, of_pictures

HEADS = ("yolo", "region")
IGNORED = ("cost", "dropout")  # what it leaves out
ACTIVATIONS = ("leaky", "mish", "swish", "logistic", "relu", "tanh")


def infer(cfg: Path, weights: Path | None, x: np.ndarray) -> dict[int, np.ndarray]:
    """The last layer, or what heads read. Raises `Refused` where OpenCV raises."""
    read = getattr(cv2.dnn, "readNetFromDarknet", None)
    if read is None:
        raise Refused(f"OpenCV {cv2.__version__} has no readNetFromDarknet")
    try:
        net = read(*map(str, filter(None, (cfg, weights))))
        net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        net.setInput(x)
        return _outputs(net, _sections(cfg))
    except cv2.error as e:
        raise Refused(str(e).strip().splitlines()[-1]) from None


def _sections(cfg: Path) -> list[str]:
    """The names of the sections after [net]."""
    text = cfg.read_text("utf-8", "replace")
    return re.findall(r"^\s*\[\s*(\w+)\s*\]", text, re.MULTILINE)[1:]


def _outputs(net: cv2.dnn.Net, sections: list[str]) -> dict[int, np.ndarray]:
    """What the network gives, by the number of Darknet's layer."""
    heads = [i for i, name in enumerate(sections) if name in HEADS]
    if not heads:
        last = max(i for i, name in enumerate(sections) if name not in IGNORED)
        return {last: net.forward()}
    net.enableFusion(False)
    named = {}
    for head in heads:
        wanted = (f"conv_{head - 1}", *(f"{name}_{head}" for name in ACTIVATIONS))
        named[head - 1] = [name for name in net.getLayerNames() if name in wanted][-1:]
    found = {layer: names[0] for layer, names in named.items() if names}
    return dict(zip(found, net.forward(list(found.values())), strict=True)) if found else {}


if __name__ == "__main__":
    sys.exit(answer(of_pictures(infer)))
