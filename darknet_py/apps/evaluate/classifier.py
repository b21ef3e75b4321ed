"""A classifier on pictures whose paths hold the names of their classes: top-1 and top-5 as `classifier valid`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...analysis.evaluate.classify import Accuracy, open_classified
from ...errors import DataError
from ...model.model import Model
from ...model.opening import load
from ...model.stream import Workers
from ...vision.datasets import check_pictures
from ...vision.results import Results
from ...zoo.names import read_options

SCHEMA = "darknet-py/accuracy/1"


def evaluate_classifier(
    network: Model | str | Path,
    data: str | Path,
    split: str = "valid",
    *,
    batch: int = 1,
    workers: Workers = 0,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Accuracy:
    """Evaluate a classifier on the `split` of a .data file (or a list, or a folder): top-1 and top-`k`.

    A picture's class is told by its path (`class_of`), and those without one are left out; the labels are the lines of
    the file that `labels=` names, else the network's names. `k` is `top=` of the .data file, or 5, as far as there are
    classes. Raises `DarknetError`, also where no picture's class is known.
    """
    data = Path(data)
    model = network if isinstance(network, Model) else load(network, say=say, **options)
    if model.contract.decoders:
        raise DataError("this network finds boxes: use evaluate for a detector")
    written = read_options(data) if data.suffix == ".data" else {}
    classified = open_classified(data, split, names=tuple(model.names.values()))
    check_pictures(classified.pictures, data)
    top = int(written["top"]) if written.get("top", "").isdigit() else 5

    def results() -> Iterator[Results]:
        found = model((str(path) for path in classified.pictures), batch=batch, workers=workers)
        for done, one in enumerate(found, 1):
            yield one
            if progress:
                progress(done, len(classified))

    return classified.judge(results(), min(max(1, top), len(model.names)))
