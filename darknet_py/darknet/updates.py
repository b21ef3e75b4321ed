"""How training updates each parameter: plain data, read off a compiled network; who computes it lives elsewhere.

Decision: a rule belongs to a layer and a parameter. With `share_index` a parameter has several, which are applied one
after the other, because Darknet's layers update what they share once each.

Not copied (../shared/facts/training.md, sections 2, 3 and 13):

- [connected], [local], [implicit] and recurrent layers never learn in Darknet, whose update skips layers that do not
  say that they train: here they do, with momentum and decay;
- [local] ignores its own `learning_rate`: here it is taken;
- layers that no gradient reaches (`onlyforward`, `stopbackward`) decay: here they are left alone;
- what is no number becomes 0 in a gradient, and something random in a weight, without a word: here only with
  `try_fix_nan`, and only in gradients;
- `loss_scale` divides the update also where no head has multiplied by it ([region], [detection], [cost]): here it has
  no effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..ir.graph import Graph, LayerInfo, Param
from .layers.convolutional import Convolutional
from .layers.layer import layer_of
from .layers.net import Net
from .layers.shortcut import Shortcut

CENTRED = 32  # blas_kernels.cu gradient_centralization_gpu adds up 32 numbers at a time, and nothing of other lengths
SHORTCUT_LIMIT = 1.0  # shortcut_layer.c update_shortcut_layer_gpu


@dataclass(frozen=True, eq=False)
class Update:
    """What a layer does with a parameter at the end of an iteration (convolutional_kernels.cu, shortcut_layer.c).

    `rate` is a factor of the learning rate, `limit` what Darknet's buffer (the sum of gradients over the batch with
    momentum) is kept within before it is applied, `clip` the same for the parameter afterwards; None: without limit.
    `first` is the first iteration with an update; gradients before add up until then. `averaged` parameters are in the
    running mean of `ema_alpha`. What is `frozen` is never updated.
    """

    param: Param
    layer: int
    rate: float = 1.0
    decays: bool = False
    adam: bool = False
    limit: float | None = None
    clip: float | None = None
    centred: bool = False
    averaged: bool = False
    first: int = 1
    frozen: bool = False

    @property
    def name(self) -> str:
        """The name of the parameter."""
        return self.param.value.name


def updates(graph: Graph, net: Net) -> tuple[Update, ...]:
    """The rules of all parameters that training may change, in the order in which Darknet applies them.

    Statistics of batch normalization have none: the forward pass moves them.
    """
    frozen_before = _frozen_before(graph.layers)
    owned: dict[int, list[Param]] = {}
    for param in graph.params:
        owned.setdefault(param.layer, []).append(param)
    found = []
    for info in graph.layers:
        params = _shared(graph, info) if _is_sharing(info) else owned.get(info.index, [])
        learned = [p for p in params if not p.role.endswith(("mean", "variance"))]
        normalized = any(p.role == "scales" for p in params)
        found += [_update(p, info, net, normalized, info.index < frozen_before) for p in learned]
    return tuple(found)


def batch_size(net: Net) -> int:
    """How many images an update divides by: whole mini batches, and each time step counts (parser.c)."""
    return max(net.batch // max(net.subdivisions, 1), 1) * max(net.subdivisions, 1) * max(net.time_steps, 1)


def _update(param: Param, info: LayerInfo, net: Net, normalized: bool, frozen: bool) -> Update:
    layer, weights = layer_of(info), param.role.endswith("weights")
    convolution = layer.family == "convolution"
    per_filter = param.size // param.value.shape[0]
    centred = bool(getattr(layer, "grad_centr", 0)) and normalized and weights and per_filter % CENTRED == 0
    return Update(
        param, info.index,
        rate=layer.learning_rate,
        decays=(weights and not isinstance(layer, Shortcut)) or (convolution and bool(net.adam)),
        adam=convolution and bool(net.adam),
        limit=SHORTCUT_LIMIT if isinstance(layer, Shortcut) else None,
        clip=layer.clip if layer.clip and convolution and weights else None,
        centred=centred,
        averaged=convolution,
        first=max(layer.dont_update + 1, layer.burnin_update * net.burn_in, 1),
        frozen=frozen,
    )  # fmt: skip


def _frozen_before(layers: Sequence[LayerInfo]) -> int:
    """The first layer that is not frozen by one after it (parser.c parse_network_cfg_custom, network_kernels.cu)."""
    stops = [info.index for info in layers if layer_of(info).stopbackward == 1]
    statistics = [info.index + 1 for info in layers if layer_of(info).train_only_bn]
    return max([*stops, *statistics], default=0)


def _is_sharing(info: LayerInfo) -> bool:
    return isinstance(info.layer, Convolutional) and info.layer.shared_with is not None


def _shared(graph: Graph, info: LayerInfo) -> list[Param]:
    """The parameters of another layer that a layer reads."""
    read = {v for op in graph.ops if op.layer == info.index for v in op.inputs}
    return [p for p in graph.params if p.value in read]
