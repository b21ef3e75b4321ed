"""Darknet's update of the weights, on torch.optim.SGD and Adam, with what Darknet's layers do before and after it.

Decision: it takes named tensors and the rules of `darknet/updates.py`, no module, and everything that lasts from one
iteration to the next is in `state_dict`, so that a resumed run goes on to the bit. Darknet adds up minus the gradient
of the sum over a batch and divides when it applies: that is `SGD(momentum, dampening=0)` on the gradient of the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...backends.torch.module import GraphModule
from ...darknet.layers.net import Net
from ...darknet.updates import Update, batch_size, updates
from ...errors import DataError
from . import schedule
from .ema import Ema

State = dict[str, Any]

FUSED = {"cpu", "cuda"}  # where torch.optim has one pass over memory instead of three: a third of the time


class DarknetOptimizer:
    """Updates tensors as Darknet's CUDA program does, from gradients that are sums over the images of a batch.

    `tensors` holds those that `rules` name. The learning rate is that of `net`, or what `rate_of` gives for an
    iteration. Not Darknet's, and off by default: `adamw` uses torch.optim.AdamW with the B1, B2 and eps of [net] for
    all layers, its decay on weights only; `max_norm` clips the norm of the mean gradient.

    A tensor without a gradient is left alone; Darknet lets it decay.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        rules: Sequence[Update],
        net: Net,
        *,
        rate_of: Callable[[int], float] | None = None,
        adamw: bool = False,
        max_norm: float | None = None,
    ) -> None:
        self.net, self.max_norm, self.adamw = net, max_norm, adamw
        self._rate_of = rate_of or (lambda iteration: schedule.rate(net, iteration))
        self._tensors = {rule.name: tensors[rule.name] for rule in rules}
        self._rules: dict[str, list[Update]] = {name: [] for name in self._tensors}
        for rule in rules:
            self._rules[rule.name].append(rule)
        self._held: dict[str, Tensor] = {}
        self._fused = {t.device.type for t in self._tensors.values()} <= FUSED
        self._optimizers = self._made()
        self._groups = {id(p): g for o in self._optimizers.values() for g in o.param_groups for p in g["params"]}
        averaged = {rule.name: self._tensors[rule.name] for rule in rules if rule.averaged}
        self.ema = Ema(net, averaged) if net.ema_alpha else None

    @classmethod
    def of(cls, module: GraphModule, net: Net, **options: Any) -> DarknetOptimizer:
        """What updates the parameters of a module of a network, with the options of the constructor."""
        rules = updates(module.graph, net)
        return cls({rule.name: module.tensor_of(rule.param) for rule in rules}, rules, net, **options)

    def _made(self) -> dict[str, Any]:
        net = self.net
        names: dict[str, list[str]] = {"sgd": [], "adam": [], "adamw": []}
        for name, rules in self._rules.items():
            names["adamw" if self.adamw else "adam" if rules[0].adam else "sgd"].append(name)
        made: dict[str, Any] = {}
        # A group has one rate and one decay in every turn. They are set before each step.
        groups = {kind: self._alike(found) for kind, found in names.items()}
        if groups["sgd"]:
            made["sgd"] = torch.optim.SGD(groups["sgd"], lr=0.0, momentum=net.momentum, fused=self._fused)
        moments: dict[str, Any] = dict(lr=0.0, betas=(net.B1, net.B2), fused=self._fused)
        if groups["adam"]:
            # Darknet's gradients are sums, and its eps is added to the root of their squares.
            made["adam"] = torch.optim.Adam(groups["adam"], eps=net.eps / batch_size(net), **moments)
        if groups["adamw"]:
            made["adamw"] = torch.optim.AdamW(groups["adamw"], eps=net.eps, **moments)
        return made

    def _alike(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Groups of tensors whose rules ask for the same: torch.optim takes as long for a group as for ten tensors."""
        groups: dict[object, list[Tensor]] = {}
        for name in names:
            asked = tuple((rule.rate, self._decays(rule)) for rule in self._rules[name])
            groups.setdefault(asked, []).append(self._tensors[name])
        return [{"params": tensors} for tensors in groups.values()]

    def _decays(self, rule: Update) -> bool:
        return rule.param.role.endswith("weights") and rule.limit is None if self.adamw else rule.decays

    def step(self, iteration: int, images: int | None = None) -> float:
        """Apply the gradients at the end of `iteration` (the first is 1), and take them away; the learning rate.

        `images` is how many they are the sum over; default: the batch of [net]. 1 for gradients of the mean.
        """
        with torch.no_grad():
            return self._step(iteration, images or batch_size(self.net))

    def _step(self, iteration: int, images: int) -> float:
        rate = self._rate_of(iteration)
        due = {name: [r for r in rules if not r.frozen and r.first <= iteration] for name, rules in self._rules.items()}
        due = {name: found[:1] for name, found in due.items()} if self.adamw else due
        self._hold(due)
        self._to_mean(due, images)
        if self.max_norm is not None:
            torch.nn.utils.clip_grad_norm_([self._tensors[name] for name in due], self.max_norm)
        for turn in range(max((len(rules) for rules in due.values()), default=0)):
            self._apply({name: rules[turn] for name, rules in due.items() if turn < len(rules)}, rate, iteration, turn)
        for tensor in self._tensors.values():
            tensor.grad = None
        if self.ema:
            self.ema.update(iteration)
        return rate

    def _hold(self, due: Mapping[str, Sequence[Update]]) -> None:
        """Keep the gradients of what waits (`dont_update`, `burnin_update`), and add them when its time has come."""
        for name, tensor in self._tensors.items():
            held = self._held.pop(name, None)
            if held is not None:
                tensor.grad = held if tensor.grad is None else held.add_(tensor.grad)
            if not due[name] and tensor.grad is not None and not all(r.frozen for r in self._rules[name]):
                self._held[name] = tensor.grad
            if not due[name]:
                tensor.grad = None

    def _to_mean(self, due: Mapping[str, Sequence[Update]], images: int) -> None:
        for grad in self._gradients(due):
            if self.net.try_fix_nan:
                torch.nan_to_num_(grad, 0.0, 0.0, 0.0)
            if images != 1:
                grad.mul_(1 / images)

    def _gradients(self, names: Iterable[str]) -> Iterable[Tensor]:
        return (grad for name in names if (grad := self._tensors[name].grad) is not None)

    def _apply(self, rules: Mapping[str, Update], rate: float, iteration: int, turn: int) -> None:
        """One turn: the first applies the gradients, others what is left in the buffers (`share_index`)."""
        for name, tensor in self._tensors.items():
            if name not in rules:
                tensor.grad = None
            elif tensor.grad is not None:
                if tensor.grad.stride() != tensor.stride():
                    tensor.grad = _laid_out(tensor.grad, tensor)
                self._prepare(rules[name], tensor, rate, iteration, turn)
        reached = [(rule, t) for name, rule in rules.items() if (t := self._tensors[name]).grad is not None]
        for optimizer in self._optimizers.values():
            optimizer.step()
        for rule, tensor in reached:
            if rule.clip is not None:
                tensor.clamp_(-rule.clip, rule.clip)

    def _prepare(self, rule: Update, tensor: Tensor, rate: float, iteration: int, turn: int) -> None:
        decay = self.net.decay if self._decays(rule) else 0.0
        self._groups[id(tensor)].update(lr=rate * rule.rate, weight_decay=decay)
        if not (rule.adam or self.adamw):
            self._begin(tensor)
        if turn:
            tensor.grad.zero_()
        if rule.centred:
            _centre(tensor, self._buffer(tensor))
        if rule.limit is not None and not self.adamw:
            self._limit(rule.limit, tensor, self._buffer(tensor))
        if rule.adam and not self.adamw:
            self._count(tensor, iteration)

    def _count(self, tensor: Tensor, iteration: int) -> None:
        """Darknet corrects the bias of Adam's moments by the absolute iteration, also where they begin as zeros."""
        state = self._optimizers["adam"].state[tensor]
        if not state:
            state.update(exp_avg=torch.zeros_like(tensor), exp_avg_sq=torch.zeros_like(tensor))
        state["step"] = torch.tensor(float(iteration - 1), device=tensor.device if self._fused else "cpu")

    def _begin(self, tensor: Tensor) -> None:
        """Momentum begins with 0: in torch.optim's single pass all tensors of a group begin together, or none."""
        state = self._optimizers["sgd"].state[tensor]
        if self.net.momentum and "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(tensor)

    def _buffer(self, tensor: Tensor) -> Tensor | None:
        """What momentum brings into this update, if it does."""
        if "sgd" not in self._optimizers or tensor not in (state := self._optimizers["sgd"].state):
            return None
        buffer = state[tensor].get("momentum_buffer")
        return None if buffer is None else buffer * self.net.momentum

    def _limit(self, limit: float, tensor: Tensor, buffer: Tensor | None) -> None:
        """Choose the gradient that makes of the buffer what Darknet makes of it; Darknet's is a sum over the batch."""
        limit /= batch_size(self.net)
        total = tensor.grad if buffer is None else buffer + tensor.grad
        tensor.grad = total.clamp(-limit, limit) if buffer is None else total.clamp_(-limit, limit).sub_(buffer)

    def state_dict(self) -> State:
        """All that an update leaves for the next: momentum, moments, gradients that wait, the running mean."""
        return {
            "optimizers": {kind: o.state_dict() for kind, o in self._optimizers.items()},
            "held": dict(self._held),
            "ema": dict(self.ema.mean) if self.ema else None,
        }

    def load_state_dict(self, state: State) -> None:
        """Go on where `state_dict` was taken; `DataError` if that was of another network or other options."""
        optimizers, held, mean = state["optimizers"], state["held"], state["ema"]
        if optimizers.keys() != self._optimizers.keys() or (mean is None) != (self.ema is None):
            raise DataError("the state of training is of another optimizer: was the cfg changed since?")
        try:
            for kind, optimizer in self._optimizers.items():
                optimizer.load_state_dict(optimizers[kind])
                for tensor, kept in optimizer.state.items():  # which shares its tensors with what was loaded
                    kept.update({k: t.clone() if t.dim() == 0 else _laid_out(t, tensor) for k, t in kept.items()})
            self._held = {name: _laid_out(t, self._tensors[name]) for name, t in held.items()}
            if self.ema and mean is not None:
                self.ema.mean = {name: _laid_out(t, self._tensors[name]) for name, t in mean.items()}
        except (KeyError, ValueError) as e:
            raise DataError(f"the state of training does not fit this network: {e}") from e
        self._groups = {id(p): g for o in self._optimizers.values() for g in o.param_groups for p in g["params"]}


def _laid_out(saved: Tensor, like: Tensor) -> Tensor:
    """A copy that lies in memory as another tensor does: torch.optim's single pass looks at nothing else."""
    if saved.shape != like.shape:
        raise ValueError(f"{tuple(saved.shape)} numbers for {tuple(like.shape)}")
    return torch.empty_like(like).copy_(saved)


def _centre(tensor: Tensor, buffer: Tensor | None) -> None:
    """Take its mean from each filter of the buffer to be (blas_kernels.cu gradient_centralization_gpu)."""
    total = tensor.grad if buffer is None else buffer + tensor.grad
    tensor.grad.sub_(total.mean(dim=tuple(range(1, total.dim())), keepdim=True))
