"""Losses of heads: what Darknet's layers make of what they read and the truth (facts: ../shared/facts/training.md).

Decision: one file a head, each proven by Darknet's own deltas. Bugs of the C that only harm are left out:

| Darknet | here |
| --- | --- |
| a centre at the right edge (x == 1) lands in the first cell of the next row, one beyond elsewhere | the nearest cell |
| mse: an object without width or height has a delta of -inf | its size has no delta |
| a NaN in an object writes out of bounds | the object is left out and counted (`said["skipped"]`) |
| [Gaussian_yolo], [region]: a negative class, or one too many, is written elsewhere | left out and counted |
| [Gaussian_yolo]: "this box has learned an object before" looks at class 0 | at the class itself, as [yolo] |
| [softmax]: a probability that has become 0 costs inf | 87.3, as the least float: training goes on |
| a NaN in the objectness becomes 0 in the output | it stays: the trainer stops there |
| [region] with a tree: x and y above 100000 say that only the class is known | no such labels; the nearest cell |
| [region], [Gaussian_yolo]: the loss filters of [net] have no effect | the same |
| [detection] `random` draws from one stream | from one for each mini batch |
| [net] loss_scale multiplies deltas, and the update divides by it | neither |

The printed sums are added up in another order than Darknet's, so they differ in the sixth or seventh digit. What a cfg
may ask of its losses and does not get is said by `unsupported`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ....darknet.compile import Compilation
from ....darknet.layers.heads.detection import Detection
from ....darknet.layers.heads.gaussian_yolo import GaussianYolo
from ....darknet.layers.heads.region import PjreddieRegion, Region
from ....darknet.layers.heads.yolo import PytorchYolo, Yolo
from ....darknet.layers.layer import Layer, layer_of
from ....darknet.layers.passthrough import Contrastive, Cost, Logistic
from ....darknet.layers.softmax import Softmax
from ....errors import DataError
from ....ir.graph import LayerInfo, Value
from .cost import CostLoss
from .detection import DetectionLoss
from .filters import LossFilters
from .gaussian_yolo import GaussianYoloLoss
from .head import HeadLoss, HeadPlace
from .region import RegionLoss
from .result import LossResult, Said
from .softmax import SoftmaxLoss
from .yolo import YoloLoss

__all__ = [
    "HeadLoss", "LossFilters", "LossResult", "Said", "doubtful_losses", "head_loss", "losses_of", "unsupported",
]  # fmt: skip

# By the class itself, not its subclasses: another dialect's head learns otherwise.
LOSSES: dict[type[Layer], Callable[[HeadPlace, Any], HeadLoss]] = {
    Yolo: YoloLoss, GaussianYolo: GaussianYoloLoss, Region: RegionLoss, Detection: DetectionLoss, Softmax: SoftmaxLoss,
    Cost: CostLoss,
}  # fmt: skip

# Layers with a loss in some program, none of which is proven here.
OTHERS: dict[type[Layer], str] = {
    PytorchYolo: "WongKinYiu's PyTorch code trains it, in another way than Darknet",
    PjreddieRegion: "pjreddie's loss of it differs from AlexeyAB's",
    Logistic: "it is pjreddie's only",
    Contrastive: "contrastive learning is not implemented",
}


def head_loss(compilation: Compilation, index: int, *, filters: LossFilters | None = None) -> HeadLoss:
    """The loss of the layer of that number.

    `filters` is one value for all heads of a network; None: the loss filters of [net] do not act. Side files (map=,
    tree=) are looked for beside the cfg. Raises `DataError` for a layer without a loss, or without a side file.
    """
    info = compilation.graph.layer(index)
    layer = layer_of(info)
    made = LOSSES.get(type(layer))
    if made is None:
        why = OTHERS.get(type(layer), "it computes no loss")
        raise DataError(f"[{info.section}] (layer {index}) cannot be trained: {why}")
    if isinstance(layer, Cost):
        return _cost(compilation, info, layer)
    return made(_place(compilation, info, _read(compilation, info), filters), layer)


def losses_of(compilation: Compilation, filters: LossFilters | None = None) -> tuple[HeadLoss, ...]:
    """The losses of a network, in the order of its layers; `filters` are its loss filters, one for all of them and for
    the same network at other sizes (default: new ones).

    Raises `DataError` where something of the cfg that changes the loss is not supported, or nothing gives a loss.
    """
    wrong = unsupported(compilation)
    if wrong:
        raise DataError("; ".join(wrong))
    filters = filters or LossFilters()
    losses = tuple(
        head_loss(compilation, info.index, filters=filters)
        for info in compilation.graph.layers
        if type(layer_of(info)) in LOSSES
    )
    if not losses:
        raise DataError("no layer of this network computes a loss")
    return losses


def doubtful_losses(compilation: Compilation) -> Iterator[str]:
    """What of a network's losses is computed as in Darknet, and hardly meant, a sentence each."""
    for info in compilation.graph.layers:
        before = layer_of(compilation.graph.layer(info.inputs[0])) if info.inputs and info.inputs[0] >= 0 else None
        if isinstance(layer_of(info), Cost) and isinstance(before, Softmax) and not before.noloss:
            yield (
                f"layer {info.index} [cost] after [softmax]: both send back their deltas, which are added, as in "
                "Darknet; noloss=1 in [softmax], or no [cost], leaves one"
            )


def unsupported(compilation: Compilation) -> tuple[str, ...]:
    """What a cfg asks of its losses that is not there, one sentence each; () where all is."""
    return tuple(_unsupported(compilation))


def _unsupported(compilation: Compilation) -> Iterator[str]:
    net = compilation.net
    if net.adversarial_lr:
        yield f"adversarial_lr={net.adversarial_lr:g} in [net]: training on images that deceive is not implemented"
    if net.contrastive:
        yield "contrastive=1 in [net]: contrastive learning is not implemented"
    for info in compilation.graph.layers:
        why = OTHERS.get(type(layer_of(info)))
        if why is not None:
            yield f"[{info.section}] (layer {info.index}): {why}"


def _place(compilation: Compilation, info: LayerInfo, source: Value, filters: LossFilters | None = None) -> HeadPlace:
    folder = str(Path(compilation.cfg.source.name).parent)
    return HeadPlace(info, source, compilation.net, folder, filters)


def _read(compilation: Compilation, info: LayerInfo) -> Value:
    return compilation.graph.layer_inputs(info)[0]


def _cost(compilation: Compilation, info: LayerInfo, layer: Cost) -> CostLoss:
    """The loss of a [cost], with the [softmax] before it, whose backward hands on the delta as it is."""
    before: list[SoftmaxLoss] = []
    source, read = _read(compilation, info), info.inputs[0]
    while read >= 0 and isinstance(softmax := layer_of(compilation.graph.layer(read)), Softmax):
        earlier = compilation.graph.layer(read)
        source, read = _read(compilation, earlier), earlier.inputs[0]
        before.insert(0, SoftmaxLoss(_place(compilation, earlier, source), softmax))
    return CostLoss(_place(compilation, info, source), layer, tuple(before))
