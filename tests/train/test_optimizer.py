"""The update: steps computed by hand, and what one iteration leaves for the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from darknet_py.apps.train.optimizer import DarknetOptimizer
from darknet_py.backends.torch.module import GraphModule
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.layers.net import Net
from darknet_py.darknet.training import training_of
from darknet_py.darknet.updates import Update, batch_size, updates
from darknet_py.darknet.weights import random_weights
from darknet_py.errors import DataError

NET = "[net]\nwidth=8\nheight=8\nchannels=3\nbatch=2\nlearning_rate=.5\nmomentum=.5\ndecay=0\n"
CONV = "[convolutional]\nfilters=2\nsize=1\nactivation=linear\n"
WEIGHTS, BIASES = "0_convolutional.weights", "0_convolutional.biases"

Tensors = Mapping[str, torch.Tensor]


def made(cfg: str, seed: int = 0, **options: object) -> tuple[Tensors, DarknetOptimizer]:
    """The parameters of a cfg, and what updates them."""
    compiled = compile_cfg(cfg).check()
    arrays = random_weights(compiled.graph, seed).arrays
    tensors = {p.value.name: torch.tensor(np.array(arrays[p.value])) for p in compiled.graph.params}
    return tensors, DarknetOptimizer(tensors, updates(compiled.graph, compiled.net), compiled.net, **options)


def rules(cfg: str) -> dict[str, list[Update]]:
    found: dict[str, list[Update]] = {}
    compiled = compile_cfg(cfg).check()
    for rule in updates(compiled.graph, compiled.net):
        found.setdefault(rule.name, []).append(rule)
    return found


def fill(tensors: Tensors, number: float = 1.0) -> None:
    """The gradient of every tensor: one number everywhere."""
    for tensor in tensors.values():
        tensor.grad = torch.full_like(tensor, number)


def moved(tensors: Tensors, optimizer: DarknetOptimizer, name: str, grads: list[float]) -> list[float]:
    """How far the first number of a tensor moves in iterations with these gradients."""
    where = [float(tensors[name].flatten()[0])]
    for iteration, grad in enumerate(grads, 1):
        fill(tensors, grad)
        optimizer.step(iteration)
        where.append(float(tensors[name].flatten()[0]))
    return [after - before for before, after in pairwise(where)]


def test_a_gradient_is_divided_by_the_batch_and_kept_by_momentum() -> None:
    tensors, optimizer = made(NET + CONV)
    # Of the mean 1: .5, then .5 * (1 + .5), then with no gradient .5 * .75.
    assert moved(tensors, optimizer, BIASES, [2, 2, 0]) == pytest.approx([-0.5, -0.75, -0.375], abs=1e-6)


def test_weights_decay_and_biases_do_not() -> None:
    tensors, optimizer = made(NET.replace("decay=0", "decay=.1") + CONV)
    weights = tensors[WEIGHTS].clone()
    before = tensors[BIASES].clone()
    fill(tensors, 0)
    optimizer.step(1)
    torch.testing.assert_close(tensors[WEIGHTS], weights * (1 - 0.5 * 0.1))
    assert torch.equal(tensors[BIASES], before)


def test_gradients_are_taken_away_and_what_has_none_stays() -> None:
    tensors, optimizer = made(NET.replace("decay=0", "decay=.1") + CONV)
    before = tensors[WEIGHTS].clone()
    tensors[BIASES].grad = torch.ones(2)
    optimizer.step(1)
    assert torch.equal(tensors[WEIGHTS], before)
    assert tensors[BIASES].grad is None


def test_tensors_that_learn_alike_may_begin_at_different_times() -> None:
    tensors, optimizer = made(NET + CONV + CONV)
    names = [name for name in tensors if name.endswith("weights")]
    before = {name: float(tensors[name].flatten()[0]) for name in names}
    for iteration in (1, 2):
        tensors[names[0]].grad = torch.ones_like(tensors[names[0]])
        if iteration == 2:
            tensors[names[1]].grad = torch.ones_like(tensors[names[1]])
        optimizer.step(iteration)
    moves = [float(tensors[name].flatten()[0]) - before[name] for name in names]
    assert moves == pytest.approx([-0.25 * (1 + 1.5), -0.25])


def test_a_layer_has_a_factor_of_the_rate() -> None:
    tensors, optimizer = made(NET + CONV + "learning_rate=.1\n")
    assert moved(tensors, optimizer, BIASES, [2]) == pytest.approx([-0.05], abs=1e-6)


def test_what_waits_gathers_gradients_without_momentum() -> None:
    tensors, optimizer = made(NET + CONV + "dont_update=2\n")
    assert moved(tensors, optimizer, BIASES, [2, 4, 6]) == pytest.approx([0, 0, -3], abs=1e-6)


def test_burnin_update_waits_for_multiples_of_burn_in() -> None:
    (rule,) = rules(NET + "burn_in=3\n" + CONV + "burnin_update=2\n")[WEIGHTS]
    assert rule.first == 6


def test_clip_is_of_weights_after_the_update() -> None:
    tensors, optimizer = made(NET + CONV + "clip=.01\n")
    fill(tensors, 0)
    optimizer.step(1)
    assert float(tensors[WEIGHTS].abs().max()) == pytest.approx(0.01)
    assert float(tensors[BIASES].abs().max()) > 0.01


def test_layers_before_stopbackward_or_of_statistics_only_are_frozen() -> None:
    stopped = rules(NET + CONV + CONV + "stopbackward=1\n" + CONV)
    assert [rule.frozen for (rule,) in stopped.values()] == [True, True, False, False, False, False]
    statistics = rules(NET + CONV + CONV + "train_only_bn=1\n" + CONV)
    assert [rule.frozen for (rule,) in statistics.values()] == [True] * 4 + [False] * 2


def test_shared_parameters_are_updated_once_for_each_layer() -> None:
    same = "[convolutional]\nfilters=3\nsize=1\nactivation=linear\n"
    cfg = NET + same + same + "share_index=0\n"
    assert [rule.layer for rule in rules(cfg)[BIASES]] == [0, 1]
    tensors, optimizer = made(cfg)
    # The buffer 1, applied, times .5, applied again; then .25 is left.
    assert moved(tensors, optimizer, BIASES, [2, 0]) == pytest.approx([-0.75, -0.1875], abs=1e-6)


def test_centred_gradients_have_no_mean_in_a_filter() -> None:
    cfg = NET.replace("channels=3", "channels=32") + CONV + "batch_normalize=1\ngrad_centr=1\n"
    assert rules(cfg)[WEIGHTS][0].centred
    assert not rules(cfg.replace("channels=32", "channels=3"))[WEIGHTS][0].centred  # Darknet's kernel skips it
    tensors, optimizer = made(cfg)
    before = tensors[WEIGHTS].clone()
    tensors[WEIGHTS].grad = torch.arange(64.0).reshape(2, 32, 1, 1)
    optimizer.step(1)
    torch.testing.assert_close((tensors[WEIGHTS] - before).mean(1), torch.zeros(2, 1, 1), atol=1e-5, rtol=0)


def test_the_buffer_of_shortcut_weights_is_limited_and_they_do_not_decay() -> None:
    shortcut = "[shortcut]\nfrom=-2\nweights_type=per_feature\nweights_normalization=relu\nactivation=linear\n"
    tensors, optimizer = made(NET.replace("decay=0", "decay=.1") + CONV + CONV + shortcut)
    # The sum 10 counts as 1, its mean is .5; then .5 * 1 + 10 counts as 1 again.
    assert moved(tensors, optimizer, "2_shortcut.weights", [10, 10]) == pytest.approx([-0.25, -0.25], abs=1e-6)


def test_adam_is_corrected_by_the_absolute_iteration_and_decays_biases() -> None:
    cfg = NET.replace("decay=0", "decay=.1\nadam=1\nB1=.9\nB2=.99\neps=.01") + CONV
    tensors, optimizer = made(cfg)
    bias = float(tensors[BIASES][0])
    fill(tensors, 4.0)
    optimizer.step(11)
    g = 4 + 0.1 * 2 * bias  # Darknet's sum; the moments are those of sums too, and eps is added to them
    m, v = 0.1 * g / (1 - 0.9**11), 0.01 * g * g / (1 - 0.99**11)
    assert float(tensors[BIASES][0]) == pytest.approx(bias - 0.5 * m / (v**0.5 + 0.01), rel=1e-5)


def test_the_running_mean_begins_in_the_middle_and_ends_as_the_weights() -> None:
    tensors, optimizer = made(NET.replace("decay=0", "decay=0\nmax_batches=2004\nema_alpha=.75") + CONV)
    assert optimizer.ema is not None
    seen = []
    for iteration in range(1001, 1006):
        fill(tensors)
        optimizer.step(iteration)
        seen.append(float(tensors[BIASES][0]))
    raw, mean = seen[:3], seen[1]
    mean = 0.75 * mean + 0.25 * raw[2]
    assert float(optimizer.ema.mean[BIASES][0]) == pytest.approx(mean)
    assert seen[3] == pytest.approx(mean)
    assert seen[4] != pytest.approx(mean)


def test_try_fix_nan_takes_out_what_is_no_number() -> None:
    tensors, optimizer = made(NET + "try_fix_nan=1\n" + CONV)
    assert moved(tensors, optimizer, BIASES, [float("nan")]) == [0]


def module_of(cfg: str) -> tuple[GraphModule, Net]:
    compiled = compile_cfg(cfg).check()
    graph = compiled.graph.with_data(random_weights(compiled.graph, 0).arrays)
    return GraphModule(graph, training_of(replace(compiled, graph=graph))).train(), compiled.net


def test_a_module_learns() -> None:
    module, net = module_of(NET.replace("rate=.5", "rate=.02") + CONV + CONV.replace("filters=2", "filters=1"))
    optimizer, errors = DarknetOptimizer.of(module, net), []
    for iteration in range(1, 20):
        (y,) = module(torch.ones(2, 3, 8, 8))
        error = (y - 1).square().mean((1, 2, 3)).sum()
        error.backward()
        optimizer.step(iteration)
        errors.append(error.item())
    assert errors[-1] < 0.1 * errors[0]


def test_try_fix_nan_limits_what_goes_back_into_a_convolution() -> None:
    found = []
    for option in ("try_fix_nan=0\n", "try_fix_nan=1\n"):
        module, _ = module_of(NET + option + CONV)
        (y,) = module(torch.ones(1, 3, 8, 8))
        y.backward(torch.full_like(y, 3.0).index_fill_(3, torch.tensor([0]), float("nan")))
        found.append(module.get_parameter(BIASES).grad[0])
    assert torch.isnan(found[0])
    assert found[1] == 7 * 8


def test_clipping_of_the_norm_is_of_the_mean_gradient() -> None:
    tensors, optimizer = made(NET + CONV, max_norm=0.1)
    before = {name: t.clone() for name, t in tensors.items()}
    fill(tensors, 2.0)
    optimizer.step(1)
    change = sum(float((tensors[n] - before[n]).square().sum()) for n in tensors) ** 0.5
    assert change == pytest.approx(0.05, rel=1e-4)


def test_adamw_decays_weights_apart_from_the_gradient() -> None:
    tensors, optimizer = made(NET.replace("decay=0", "decay=.1") + CONV, adamw=True)
    weights, biases = tensors[WEIGHTS].clone(), tensors[BIASES].clone()
    fill(tensors, 0.0)
    optimizer.step(1)
    torch.testing.assert_close(tensors[WEIGHTS], weights * (1 - 0.5 * 0.1))
    assert torch.equal(tensors[BIASES], biases)


@pytest.mark.parametrize("adam", ["adam=0", "adam=1"])
def test_gradients_may_lie_in_memory_as_they_like(adam: str) -> None:
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        tensors, optimizer = made(NET + adam + "\n" + CONV.replace("size=1", "size=3"))
        generator = torch.Generator().manual_seed(0)
        for iteration in (1, 2):
            grad = torch.randn(tensors[WEIGHTS].shape, generator=generator)
            tensors[WEIGHTS].grad = grad.contiguous(memory_format=layout)
            optimizer.step(iteration)
        results.append(tensors[WEIGHTS])
    assert torch.equal(*results)


RESUMED = {
    "momentum": NET + CONV,
    "no momentum": NET.replace("momentum=.5", "momentum=0") + CONV,
    "adam": NET + "adam=1\n" + CONV,
    "waiting": NET + CONV + "dont_update=3\n",
    "running mean": NET + "max_batches=2004\nema_alpha=.9\n" + CONV,
}


@pytest.mark.parametrize("adamw", [False, True])
@pytest.mark.parametrize("kind", RESUMED)
def test_a_resumed_run_goes_on_to_the_bit(kind: str, adamw: bool) -> None:
    cfg, begin = RESUMED[kind], 1001 if kind == "running mean" else 1
    generator = torch.Generator().manual_seed(0)
    tensors, optimizer = made(cfg, adamw=adamw)
    again, resumed = made(cfg, seed=1, adamw=adamw)
    for iteration in range(begin, begin + 5):
        grads = {name: torch.randn(t.shape, generator=generator) for name, t in tensors.items()}
        for name in grads:
            tensors[name].grad = grads[name].clone()
        optimizer.step(iteration)
        if iteration < begin + 2:
            continue
        if iteration == begin + 2:
            for name in tensors:
                again[name].copy_(tensors[name])
            resumed.load_state_dict(optimizer.state_dict())
            continue
        for name in grads:
            again[name].grad = grads[name].clone()
        resumed.step(iteration)
        assert all(torch.equal(again[name], tensors[name]) for name in tensors), iteration


def test_the_state_of_another_network_is_an_error() -> None:
    _, optimizer = made(NET + CONV)
    _, other = made(NET + "adam=1\n" + CONV)
    with pytest.raises(DataError, match="another optimizer"):
        other.load_state_dict(optimizer.state_dict())
    _, longer = made(NET + CONV + CONV)
    with pytest.raises(DataError, match="does not fit"):
        longer.load_state_dict(optimizer.state_dict())


def test_the_batch_is_whole_mini_batches_with_their_time_steps() -> None:
    net = compile_cfg("[net]\nwidth=8\nheight=8\nchannels=3\nbatch=7\nsubdivisions=2\ntime_steps=3\n" + CONV).net
    assert batch_size(net) == 18
