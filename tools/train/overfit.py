"""`make train-overfit`: yolov4-tiny learns eight pictures of coco64 by heart, so that it finds every object in them.

Decision: the pictures are the first eight, by name, all of whose objects can be found by this cfg: each has a head that
learns it (the cfg lists an anchor of 10x14 that no head has), and no two of a class overlap so much that one of them is
suppressed. The network is the published one; only what changes pictures is off, and the learning rate falls within the
iterations that there are. It begins as Darknet's readme has it, with the first 29 layers of the published weights.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darknet_py import Compilation, compile_file, evaluate, files, load, read_weights, train, write_weights
from darknet_py.analysis.anchors import Assignment
from darknet_py.analysis.evaluate.matching import overlaps
from darknet_py.analysis.evaluate.score import IOU
from darknet_py.apps.evaluate.run import Evaluation
from darknet_py.apps.train.events import Finished
from darknet_py.darknet.cfg.edit import edit
from darknet_py.darknet.layers.layer import layer_of
from darknet_py.darknet.layers.training import YoloTraining
from darknet_py.darknet.weights import Header, Weights
from darknet_py.errors import DarknetError, DataError, Say
from darknet_py.vision.datasets import Dataset, Example, open_dataset
from darknet_py.vision.labels import Labels

from .demo import tell

SHARED = Path("../shared")
PICTURES = SHARED / "images/coco64/images"
PUBLISHED = SHARED / "weights/yolov4-tiny"
OUT = Path("predictions/train-overfit")
COUNT = 8  # pictures
KEPT = 29  # layers that begin with the published weights: all before the heads, yolov4-tiny.conv.29
BAR = 0.95  # of mAP@0.5 over the classes that are in the pictures
MEASURED = ("torch", "numpy")  # back ends
# Darknet's Adam: after 100 iterations its loss is 0.6, that of plain descent at the same rate 3.8. No subdivisions, so
# that batch normalization sees eight pictures at a time. At the end of the half wave of a cosine the weights stand
# still, and the stored statistics, which begin at 0 and are a mean over about 100 mini-batches, catch up with them.
NET = {
    "batch": COUNT, "subdivisions": 1, "adam": 1, "learning_rate": 0.001, "burn_in": 10, "max_batches": 200,
    "policy": "sgdr", "flip": 0, "saturation": 1, "exposure": 1, "hue": 0,
}  # fmt: skip
HEAD = {"jitter": 0, "resize": 1}


@dataclass(frozen=True)
class Outcome:
    """What became of it: mAP@0.5 over the classes there are, by each back end; seconds of training; the weights."""

    maps: Mapping[str, float]
    seconds: float
    weights: Path


def recipe(compilation: Compilation, **net: Any) -> str:
    """The text of a cfg that learns pictures as they are, with `NET`, `HEAD` and the options `net` of [net]."""
    changes = {(0, key): f"{value}" for key, value in {**NET, **net}.items()}
    for info in compilation.graph.layers:
        if isinstance(layer_of(info), YoloTraining):
            changes |= {(info.index + 1, key): f"{value}" for key, value in HEAD.items()}  # [net] is no layer
    return edit(compilation.cfg, changes)


def learnable(dataset: Dataset, compilation: Compilation, count: int = COUNT) -> tuple[Example, ...]:
    """The first `count` pictures all of whose objects the network can learn and find. Raises `DataError` for fewer."""
    assignment = Assignment.of(compilation)
    _, height, width = compilation.graph.image.shape
    found = []
    for example in dataset.examples:
        labels, _ = example.read(dataset.names)
        lost = assignment.lost(labels.boxes[:, 2:].astype(np.float64) * (width, height))
        if len(labels) and not lost.any() and not _suppressed(labels):
            found.append(example)
        if len(found) == count:
            return tuple(found)
    raise DataError(f"{dataset.path}: {len(found)} pictures whose objects can all be learned, and {count} are wanted")


def _suppressed(labels: Labels) -> bool:
    """Whether two objects of a class overlap so much that of perfect detections one is suppressed."""
    same = labels.cls[:, None] == labels.cls[None]
    return bool((np.triu(overlaps(labels.boxes, labels.boxes), 1)[same] > IOU).any())


def write_data(folder: Path, examples: Sequence[Example], names: Path) -> Path:
    """A .data file of pictures that are both learned and measured; its path."""
    lines = "".join(f"{example.picture.resolve()}\n" for example in examples)
    listed = files.write_whole(folder / "learned.list", lines.encode())
    options = {"train": listed.resolve(), "valid": listed.resolve(), "names": names.resolve(),
               "backup": (folder / "backup").resolve()}  # fmt: skip
    text = "".join(f"{key}={value}\n" for key, value in options.items())
    return files.write_whole(folder / "learned.data", text.encode())


def first_layers(cfg: Path, weights: Path, path: Path, layers: int = KEPT) -> Path:
    """The weights of the first layers alone, as `darknet-py weights cut` writes them."""
    graph = compile_file(cfg).check().graph
    write_weights(path, graph, Weights(Header(), read_weights(weights, graph).arrays), upto=layers)
    return path


def learn(cfg: Path, data: Path, weights: Path | None, say: Say, **settings: Any) -> Outcome:
    """Train and measure. Raises `DarknetError`."""
    start, path = time.perf_counter(), Path()
    for event in train(cfg, data, weights, map_=True, fresh=True, say=say, **settings):
        tell(event, say)
        path = event.path if isinstance(event, Finished) else path
    seconds = time.perf_counter() - start
    measured = {name: measure(cfg, path, data, name) for name in MEASURED}
    say(table(measured[MEASURED[0]]))
    return Outcome({name: float(one.darknet.map_present) for name, one in measured.items()}, seconds, path)


def measure(cfg: Path, weights: Path, data: Path, backend: str) -> Evaluation:
    """What `darknet-py eval` finds in the pictures that were learned."""
    model = load(cfg, weights, backend, names=data, quiet=True)
    return evaluate(model, data, coco=False)


def table(found: Evaluation) -> str:
    """A line for each class that there is: its AP and its objects."""
    result = found.darknet
    return "\n".join(
        f"{found.names[c]:>16} AP {result.ap[c]:.4f} of {result.objects[c]} objects"
        for c in result.objects.nonzero()[0]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, print what every class has, and say by the exit status whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="folder of labelled pictures")
    parser.add_argument("--published", type=Path, default=PUBLISHED, help="folder of yolov4-tiny's cfg and weights")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--precision", default="float32", help="float32, or bf16 where the processor multiplies it")
    given = parser.parse_args(arguments)
    shutil.rmtree(given.out, ignore_errors=True)
    published = given.published / "yolov4-tiny.cfg"
    compilation = compile_file(published).check()
    examples = learnable(open_dataset(given.pictures), compilation)
    data = write_data(given.out, examples, given.published / "coco.names")
    cfg = files.write_whole(given.out / "yolov4-tiny-overfit.cfg", recipe(compilation).encode())
    begun = first_layers(published, published.with_suffix(".weights"), given.out / f"yolov4-tiny.conv.{KEPT}")
    settings = {"seed": given.seed, "threads": given.threads, "precision": given.precision}
    found = learn(cfg, data, begun, print, **settings)
    for name, value in found.maps.items():
        print(f"{name:8} mAP@0.5 {value:.4f} over the classes of {COUNT} pictures (bar {BAR})")
    print(f"{found.seconds:.0f} s; weights: {found.weights}")
    return int(min(found.maps.values()) < BAR)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DarknetError as e:
        sys.exit(f"error: {e}")
