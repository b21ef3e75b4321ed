"""The loader of a compiled cfg and a .data file, whatever the network is: boxes for heads, classes for a classifier.

Decision: the last head of the cfg decides, and of a cfg without one its last layer: what comes out of that is classes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ....analysis.evaluate.classify import Classified, open_classified
from ....darknet.compile import Compilation
from ....darknet.layers.layer import layer_of
from ....darknet.layers.training import BoxTraining
from ....errors import DataError
from ....vision.datasets import Dataset, open_dataset
from .loader import Loader
from .options import last_head
from .source import PictureSource


def open_data(
    data: str | Path | PictureSource, compilation: Compilation, split: str = "train", *, names: tuple[str, ...] = ()
) -> Dataset | Classified | PictureSource:
    """The labelled pictures that a network learns from: a .data file, a list, a folder, for detectors a COCO file too.

    A source of pictures that are made is for detectors, too. `names` are the labels of a classifier where a .data file
    names none. Raises `DataError`.
    """
    head = last_head(compilation)
    if not isinstance(data, (str, Path)):
        if not isinstance(head, BoxTraining):
            raise DataError(f"{data} has boxes, and the network has no head that learns them")
        return data
    if isinstance(head, BoxTraining):
        return open_dataset(data, split)
    if any(getattr(layer_of(info), "tree", None) for info in compilation.graph.layers):
        raise DataError("a classifier with a tree of classes (tree= in [softmax]) is not trained here")
    last = compilation.graph.layers[-1].index
    classes = math.prod(compilation.graph.layer_output(last).shape)
    return open_classified(data, split, names=names, classes=classes)


def open_loader(
    data: str | Path | PictureSource,
    compilation: Compilation,
    split: str = "train",
    *,
    names: tuple[str, ...] = (),
    **options: Any,
) -> Loader:
    """A loader for a compiled cfg, at the size that it was compiled for; `options` are those of `Loader`."""
    dataset = open_data(data, compilation, split, names=names)
    shape = compilation.graph.image.shape
    options = {"size": (shape[1], shape[2]), **options}
    return Loader(dataset, compilation.net, last_head(compilation), names=names, **options)
