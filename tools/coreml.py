"""`python tools/coreml.py NET.mlpackage NET.cfg`, on a Mac: Core ML's numbers for a package beside NumPy's.

Prints for each output how far it is off, relative to its scale; of a detector, which Core ML suppresses itself, the
boxes that both find in noise. Needs macOS, coremltools and this package; weights lie beside the cfg.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from darknet_py import load
from darknet_py.backends.session import open_session
from darknet_py.contract.nms import box_iou
from darknet_py.darknet.network import open_network
from darknet_py.ir.compare import difference


def main() -> None:
    """Compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("cfg", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--picture", help="for a detector: a picture instead of noise")
    given = parser.parse_args()
    if sys.platform != "darwin":
        sys.exit("Core ML runs on macOS only")
    import coremltools

    model = coremltools.models.MLModel(str(given.package))
    said = {
        k.removeprefix("darknet."): json.loads(v)
        for k, v in model.user_defined_metadata.items()
        if k.startswith("darknet.")
    }
    if set(said["outputs"]) == {"coordinates", "confidence"}:
        compare_boxes(model, said, given)
    else:
        compare_outputs(model, said, given)


def noise(shape: tuple[int, ...]) -> np.ndarray:
    """8-bit noise (height, width, channels)."""
    return np.random.default_rng(0).integers(0, 256, (*shape[1:], shape[0]), np.uint8)


def as_image(pixels: np.ndarray) -> Any:
    """Pixels in RGB as Core ML takes them."""
    from PIL import Image

    return Image.fromarray(pixels.squeeze())


def compare_outputs(model: Any, said: dict[str, Any], given: argparse.Namespace) -> None:
    """Each output beside NumPy's."""
    network = open_network(given.cfg, given.weights)
    pixels = noise(network.graph.image.shape)
    states = [np.zeros((1, *s.input.shape), np.float32) for s in network.graph.states]
    wanted = open_session(network.graph, "numpy").run(
        [pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255, *states]
    )
    named = {state["input"]: array for state, array in zip(said["states"], states, strict=True)}
    found = model.predict({said["input"]: as_image(pixels), **named})
    for name, right in zip(said["outputs"], wanted, strict=False):
        print(f"{name}: {difference(np.asarray(found[name], np.float32).reshape(right.shape), right):.2e} of its scale")


def compare_boxes(model: Any, said: dict[str, Any], given: argparse.Namespace) -> None:
    """The boxes of Core ML beside ours: of a picture, stretched by ours as by Core ML's caller."""
    from PIL import Image

    ours = load(given.cfg, given.weights, letterbox=False)
    _, height, width = said["shape"]
    pixels = (
        np.asarray(Image.open(given.picture).convert("RGB").resize((width, height)))
        if given.picture
        else noise(tuple(said["shape"]))
    )
    wanted = ours(np.ascontiguousarray(pixels[..., ::-1]), conf=said["threshold"])[0].boxes
    found = model.predict({said["input"]: as_image(pixels)})
    rows = [
        (int(score.argmax()), float(score.max()), box)
        for score, box in zip(found["confidence"], found["coordinates"], strict=True)
    ]
    print(f"{len(rows)} boxes in Core ML, {len(wanted)} here (whose suppression is {ours.contract.nms_kind})")
    for label, confidence, box in rows:
        same = [float(box_iou(np.asarray(box), np.asarray(own))) for own in wanted.xywhn[wanted.cls == label]]
        print(f"{ours.contract.names[label]} {confidence:.4f}: overlaps ours by {max(same, default=0.0):.4f}")


if __name__ == "__main__":
    main()
