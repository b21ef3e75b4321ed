"""Classification in one call, with the answer that mmpretrain's `inference_model` gives.

Decision: this is a shape of answer, not another way to run: whatever `load` takes is taken, and a `Model` that is
already open as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from ..errors import DataError
from ..model.model import Model
from ..model.opening import load


class Prediction(TypedDict):
    """The scores of all classes, and number, score and name of the best one."""

    pred_scores: np.ndarray
    pred_label: int
    pred_score: float
    pred_class: str


def inference_model(
    model: Model | str | Path, image: Any, weights: str | Path | None = None, **options: Any
) -> Prediction:
    r"""Classify one picture.

    `model` is a cfg file, an installed name ('csppelee'), the name of one of mmpretrain's networks
    ('cspdarknet50_3rdparty_8xb32_in1k'), whose checkpoint is fetched and converted once, an ONNX file, or what `load`
    returned. `image` is a path, bytes, array (BGR) or PIL image. `weights` (a .weights file, or a checkpoint of another
    program) and `options` are those of `load`; a model that is open already takes none. Classes are called as `names=`
    says, or the cfg, 1000 of them as in ImageNet. Raises `DataError` if the network is no classifier or `image` is not
    one picture, and what `load` raises.

    >>> import tempfile, pathlib
    >>> cfg = pathlib.Path(tempfile.mkdtemp(), "colour.cfg")
    >>> _ = cfg.write_text("[net]\nwidth=4\nheight=4\nchannels=3\n[avgpool]\n[softmax]\n")
    >>> _ = cfg.with_suffix(".names").write_text("red\ngreen\nblue\n")
    >>> red = np.full((4, 4, 3), (0, 0, 255), np.uint8)
    >>> inference_model(cfg, red, backend="numpy")["pred_class"]
    'red'
    """
    if isinstance(model, Model):
        if weights is not None or options:
            raise DataError("a model that is open already takes no weights and no options")
        opened = model
    else:
        opened = load(model, weights, **options)
    results = list(opened(image))
    if len(results) != 1:
        raise DataError(f"inference_model takes one picture, not {len(results)}: call the model that load returns")
    (found,) = results
    if found.scores is None:
        raise DataError("the network is a detector: load it and look at the .boxes of its results")
    return Prediction(
        pred_scores=found.scores,
        pred_label=found.pred_label,
        pred_score=found.pred_score,
        pred_class=found.pred_class,
    )
