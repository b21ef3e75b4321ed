"""A classifier on pictures whose paths hold the names of their classes: top-1 and top-5 as `classifier valid`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...analysis.evaluate.classify import Accuracy, accuracy, class_of
from ...errors import DataError
from ...model.model import Model, load
from ...vision.datasets import list_pictures, read_class_labels
from ...zoo.names import read_options

SCHEMA = "darknet-py/accuracy/1"


def evaluate_classifier(
    network: Model | str | Path,
    data: str | Path,
    *,
    batch: int = 1,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Accuracy:
    """Evaluate a classifier on the `valid` list of a .data file (or a list, or a folder): top-1 and top-`k`.

    A picture's class is the first label that its path contains, as Darknet looks for it; the labels are the lines of
    the file that `labels=` names, else the network's names. `k` is `top=` of the .data file, or 5, as far as there are
    classes. Raises `DarknetError`, also where no picture's class is known.
    """
    data = Path(data)
    model = network if isinstance(network, Model) else load(network, say=say, **options)
    if model.contract.decoders:
        raise DataError("this network finds boxes: use evaluate for a detector")
    written = read_options(data) if data.suffix == ".data" else {}
    labels = read_class_labels(data) or tuple(model.names.values())
    paths = list_pictures(data)
    truth = [class_of(str(path), labels) for path in paths]
    if not any(c is not None for c in truth):
        raise DataError(f"{data}: no path holds the name of its class, such as {labels[0]!r} in {paths[0]}")
    scores = []
    for results in model((str(path) for path in paths), batch=batch, workers=workers):
        scores.append(results.scores)
        if progress:
            progress(len(scores), len(paths))
    top = int(written["top"]) if written.get("top", "").isdigit() else 5
    return accuracy([s for s in scores if s is not None], truth, min(max(1, top), len(model.names)))
