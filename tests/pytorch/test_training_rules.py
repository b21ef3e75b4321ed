"""What training does differently from inference, against hand-written answers and against Darknet's own gradients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from darknet_py.darknet.compile import compile_cfg, compile_file
from darknet_py.darknet.training import training_of
from darknet_py.darknet.weights import random_weights, read_weights
from darknet_py.ir import Graph, Value
from darknet_py.ir.compare import difference
from darknet_py.ir.training import Dropout, Slope, StopGradient, Training

torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")

from darknet_py.backends.torch.kernels import KERNELS  # noqa: E402
from darknet_py.backends.torch.module import GraphModule  # noqa: E402
from darknet_py.backends.torch.rules import SLOPES, apply_rule, dropped  # noqa: E402

NET = "[net]\nwidth=6\nheight=5\nchannels=3\nmax_batches=100\n"
CONV = "[convolutional]\nfilters=3\nsize=1\nactivation=linear\n"
NORMAL = "[convolutional]\nbatch_normalize=1\nfilters=3\nsize=1\nactivation=linear\n"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def made(text: str, *, quirks: bool = True) -> GraphModule:
    """The module of a cfg with random weights, in training mode."""
    compilation = compile_cfg(NET + text).check()
    training = training_of(compilation, quirks=quirks)
    return GraphModule(training.graph.with_data(random_weights(training.graph, 0).arrays), training).train()


def picture(batch: int = 2, grad: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 3, 5, 6, generator=generator).requires_grad_(grad)


def outputs_of(module: GraphModule, *layers: int) -> list[torch.Tensor]:
    return module.values([picture()], [module.graph.layer_output(i) for i in layers])


# -- normalization -----------------------------------------------------------------------------------------------


def test_a_batch_is_normalized_by_itself_and_a_hundredth_of_it_is_remembered() -> None:
    module = made(NORMAL)
    params = {p.role: p for p in module.graph.params}
    before = {role: module.array_of(params[role]) for role in ("mean", "variance")}
    (y,) = module(picture())
    conv = torch.nn.functional.conv2d(picture(), module.tensor_of(params["weights"])).detach()
    mean, variance = conv.mean((0, 2, 3)), conv.var((0, 2, 3), unbiased=False)
    scales, biases = (module.tensor_of(params[role]).view(-1, 1, 1) for role in ("scales", "biases"))
    wanted = (conv - mean.view(-1, 1, 1)) / torch.sqrt(variance.view(-1, 1, 1) + 1e-5) * scales + biases
    assert torch.allclose(y, wanted, atol=1e-5)
    assert np.allclose(module.array_of(params["mean"]), 0.99 * before["mean"] + 0.01 * mean.numpy(), atol=1e-6)
    unbiased = conv.var((0, 2, 3), unbiased=True).numpy()
    assert np.allclose(module.array_of(params["variance"]), 0.99 * before["variance"] + 0.01 * unbiased, atol=1e-6)


def test_layers_before_a_stop_keep_their_statistics_and_learn_nothing() -> None:
    module = made(NORMAL + NORMAL + "stopbackward=1\n" + NORMAL)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    module(picture())[0].square().sum().backward()
    changed = {k.partition(".")[0] for k, v in module.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == {"1_convolutional", "2_convolutional"}
    learned = {name.partition(".")[0] for name, p in module.named_parameters() if p.grad is not None}
    assert learned == {"2_convolutional"}


def test_a_stop_until_an_iteration_ends_there_and_frees_no_statistics() -> None:
    module = made(NORMAL + NORMAL + "stopbackward=7\n" + NORMAL)
    assert module.rules.frozen == 0
    for iteration, layers in ((6, {"2_convolutional"}), (7, {f"{i}_convolutional" for i in range(3)})):
        module.iteration = iteration
        module.zero_grad(set_to_none=True)
        module(picture())[0].square().sum().backward()
        assert {name.partition(".")[0] for name, p in module.named_parameters() if p.grad is not None} == layers


def test_no_route_leads_past_a_stop() -> None:
    module = made(CONV + CONV + "stopbackward=1\n" + CONV + "[route]\nlayers=-1,0\n" + CONV)
    module(picture())[0].square().sum().backward()
    learned = {name.partition(".")[0] for name, p in module.named_parameters() if p.grad is not None}
    assert learned == {"2_convolutional", "4_convolutional"}


def test_nothing_goes_back_through_a_layer_that_only_goes_forward() -> None:
    module = made(CONV + "[route]\nlayers=-1\nonlyforward=1\n" + CONV + "[shortcut]\nfrom=0\nactivation=linear\n")
    assert list(module.rules.rules.values()) == [(StopGradient(),)]
    (stopped,) = module.rules.rules
    (y,) = module.values([picture()], [stopped])
    assert not y.requires_grad


# -- dropout -----------------------------------------------------------------------------------------------------


def test_a_module_trains_the_graph_of_its_rules() -> None:
    compilation = compile_cfg(NET + CONV + "[dropout]\n").check()
    graph = compilation.graph.with_data(random_weights(compilation.graph, 0).arrays)
    training = training_of(compilation)
    assert GraphModule(graph, training).graph.layers == training.graph.layers != graph.layers


def test_what_is_kept_is_divided_by_its_share() -> None:
    torch.manual_seed(0)
    y = dropped(Dropout(0.25), torch.ones(1, 1, 200, 200), 0)
    assert sorted(set(y.flatten().tolist())) == pytest.approx([0, 4 / 3])
    assert float(y.mean()) == pytest.approx(1, abs=0.02)


def test_dropout_is_in_place_for_all_that_read_later_and_only_in_training() -> None:
    text = CONV + "[dropout]\nprobability=.5\n" + CONV + "[shortcut]\nfrom=0\nactivation=linear\n"
    module = made(text)
    torch.manual_seed(0)
    conv, drop, after, total = outputs_of(module, 0, 1, 2, 3)
    assert set(np.unique((drop / conv).detach().numpy().round(5))) == {0, 2}
    assert torch.allclose(total - after, drop, atol=1e-6)
    conv, drop = outputs_of(module.eval(), 0, 1)
    assert torch.equal(conv, drop)


def test_a_copy_of_what_is_dropped_is_not_dropped_itself() -> None:
    module = made(CONV + "[route]\nlayers=-1\n[dropout]\nprobability=.5\n[route]\nlayers=0\n" + CONV)
    torch.manual_seed(0)
    conv, drop, copied = outputs_of(module, 0, 2, 3)
    assert torch.equal(conv, copied)
    assert not torch.equal(conv, drop)


def test_an_output_that_is_dropped_is_the_output() -> None:
    module = made(CONV + "[dropout]\nprobability=1\n")
    assert module.graph.outputs == (module.graph.layer_output(1),)
    assert module.graph.layer_output(0) is not module.graph.layer_output(1)


def test_blocks_grow_with_the_iteration_and_keep_the_sum() -> None:
    text = CONV + "[dropout]\nprobability=.2\ndropblock=1\ndropblock_size_rel=.5\n"
    (rule,) = (rule for rules in made(text).rules.rules.values() for rule in rules)
    assert rule == Dropout(0.2, (2.5, 3.0), 85.0)
    x = torch.ones(8, 3, 40, 48)
    assert torch.equal(dropped(rule, x, 0), x)
    torch.manual_seed(0)
    y = dropped(Dropout(0.2, (5, 5), 85), x, 85)
    assert torch.allclose(y.mean((1, 2, 3)), torch.ones(8))
    share = float((y == 0).float().mean())
    assert 0.1 < share < 0.25
    covered = torch.nn.functional.pad((y == 0).float(), (4, 4, 4, 4), value=1)
    whole = -torch.nn.functional.max_pool2d(-covered, 5, 1)  # where 5 x 5 zeros begin
    assert torch.equal(torch.nn.functional.max_pool2d(whole, 5, 1), (y == 0).float())


# -- gradients that are none -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("normalization", "wanted"), [("relu", lambda s: s), ("softmax", lambda s: s * (1 - s))])
def test_a_weighted_shortcut_learns_without_cross_terms(normalization: str, wanted: object) -> None:
    text = f"{CONV}{CONV}[shortcut]\nfrom=-2\nweights_type=per_channel\nweights_normalization={normalization}\n"
    module = made(text)
    first, second, total = outputs_of(module, 0, 1, 2)
    total.sum().backward()
    (param,) = (p for p in module.graph.params if p.layer == 2)
    w = module.tensor_of(param)
    positive = w.detach().clamp(min=1e-3) if normalization == "relu" else (w.detach() - w.detach().amax(0)).exp()
    share = positive / (positive.sum(0) + 1e-4)
    inputs = torch.stack([second.sum((0, 2, 3)), first.sum((0, 2, 3))]).detach()
    assert torch.allclose(w.grad, inputs * wanted(share), rtol=1e-4)  # type: ignore[operator]


def test_without_quirks_gradients_are_derivatives() -> None:
    texts = [
        CONV + "[convolutional]\nfilters=4\nsize=1\nactivation=normalize_channels_softmax\n",
        CONV + CONV + "[shortcut]\nfrom=-2\nweights_type=per_channel\nweights_normalization=relu\n",
        CONV + "[connected]\noutput=2\nactivation=linear\n",
        CONV + "[convolutional]\nfilters=1\nsize=1\nactivation=logistic\n[scale_channels]\nfrom=-2\nscale_wh=1\n",
    ]
    for text in texts:
        assert made(text).rules.rules
        module = made(text, quirks=False).double()
        assert not module.rules.rules
        x = picture(1).double().requires_grad_()
        assert torch.autograd.gradcheck(lambda x, m=module: tuple(m(x)), (x,))


def test_the_gradient_of_a_connected_layer_is_limited() -> None:
    module = made("[connected]\noutput=2\nactivation=linear\n")
    (y,) = module(picture(1))
    (y * torch.tensor([5.0, -0.25]).view(1, 2, 1, 1)).sum().backward()
    (bias,) = (p for p in module.graph.params if p.role == "biases")
    assert module.tensor_of(bias).grad.tolist() == [1, -0.25]


@pytest.mark.parametrize(
    "name", ["hard_mish", "plse", "lhtan", "stair", "elu", "selu", "gelu", "loggy", "relu6", "mish"]
)
def test_the_gradient_of_an_activation_is_a_number_everywhere(name: str) -> None:
    module = made(f"[activation]\nactivation={name}\n")
    x = torch.tensor([-1e4, -100, -4, -2, -1, -1e-9, 0, 1e-9, 1, 2, 4, 6, 100, 1e4] + [0.5] * 76).reshape(1, 3, 5, 6)
    x.requires_grad_()
    module(x)[0].sum().backward()
    assert torch.isfinite(x.grad).all()


def test_hard_mish_rises_at_zero() -> None:
    module = made("[activation]\nactivation=hard_mish\n")
    x = torch.zeros(1, 3, 5, 6, requires_grad=True)
    module(x)[0].sum().backward()
    assert (x.grad == 1).all()


def test_every_slope_has_a_formula() -> None:
    assert set(SLOPES) == set(get_args(Slope))


def test_rules_of_evaluation_are_none() -> None:
    text = CONV + "[dropout]\n" + CONV + "[activation]\nactivation=hard_mish\n[connected]\noutput=2\n"
    module, plain = made(text).eval(), compile_cfg(NET + text).graph
    other = GraphModule(plain.with_data({v: module.array_of(v) for v in (p.value for p in plain.params)})).eval()
    assert torch.allclose(module(picture())[0], other(picture())[0])


def test_rules_are_applied_one_after_another() -> None:
    x = torch.ones(1, requires_grad=True)
    y = apply_rule(StopGradient(5), x, None, 5)
    assert y.requires_grad
    assert not apply_rule(StopGradient(5), x, None, 4).requires_grad


# -- Darknet's own gradients -------------------------------------------------------------------------------------

# Not those of CUDA, which trained every published network, or of no use to anybody (darknet_py/darknet/training.py).
ELSEWHERE = {
    "act_gelu": "Darknet derives gelu at its output",
    "dropout_p5": "with Darknet's random numbers: below",
}
ROLES = {"weight_updates": "weights", "bias_updates": "biases", "scale_updates": "scales"}


def cases(shared: Path) -> list[Path]:
    index = json.loads((shared / "golden_train/INDEX.json").read_text())["cases"]
    wanted = [c["name"] for c in index if c["name"].startswith("step/") and c["semantics"] in ("normal", "quirk")]
    folders = [shared / "golden_train" / name for name in wanted]
    return [f for f in folders if (f / "net.cfg").exists() and "[cost]" in (f / "net.cfg").read_text()]


def trained(folder: Path) -> tuple[Training, Graph]:
    compilation = compile_file(folder / "net.cfg").check()
    oracle = json.loads((folder / "meta.json").read_text())["oracle"]
    quirks = oracle == "gpusem" or "connected" not in folder.name  # `connected` is the CPU's, which limits nothing
    training = training_of(compilation, quirks=quirks)
    return training, training.graph.with_data(read_weights(folder / "net.weights", compilation.graph).arrays)


def updates(folder: Path, module: GraphModule) -> dict[str, np.ndarray]:
    """What Darknet adds up in an iteration with a [cost] at the end: minus the gradients."""
    x, truth = np.load(folder / "input.npy"), np.load(folder / "truth.npy")
    size = json.loads((folder / "meta.json").read_text())["mini_batch"]
    head: Value = module.graph.layer_inputs(module.graph.layers[-1])[0]
    for start in range(0, len(x), size):
        (y,) = module.values([torch.tensor(x[start : start + size])], [head])
        wanted = torch.tensor(truth[start : start + size]).reshape(y.shape)
        (0.5 * (wanted - y).square()).sum().backward()
    found = {}
    for param in module.graph.params:
        grad = module.tensor_of(param).grad
        array = np.zeros(param.value.shape, np.float32) if grad is None else -grad.numpy()
        found[f"L{param.layer:03d}.{param.role}"] = array
    return found


def compare(folder: Path, module: GraphModule) -> None:
    found = updates(folder, module)
    compared = 0
    with np.load(folder / "grads_1.npz") as wanted:
        for key in wanted.files:
            layer, role = key.split(".")
            name = f"{layer}.{ROLES[role]}"
            if name in found:  # a layer with share_index has none of its own
                assert difference(found[name].reshape(wanted[key].shape), wanted[key]) < 1e-4, (folder.name, key)
                compared += 1
    assert compared


def test_gradients_are_those_of_darknet(shared: Path) -> None:
    folders = [f for f in cases(shared) if "[softmax]" not in (f / "net.cfg").read_text()]
    assert len(folders) > 40
    for folder in folders:
        if folder.name not in ELSEWHERE:
            training, graph = trained(folder)
            compare(folder, GraphModule(graph, training).train())


def test_dropout_is_darknets_for_darknets_random_numbers(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shared / "golden_train/step/dropout_p5"
    training, graph = trained(folder)
    random = torch.tensor(np.load(folder / "rand_L001.npy"))

    def dropout(x: torch.Tensor, p: float, training: bool) -> torch.Tensor:
        assert training
        return x * (random.reshape(x.shape) >= p) / (1 - p)

    monkeypatch.setattr(torch.nn.functional, "dropout", dropout)
    compare(folder, GraphModule(graph, training).train())


def test_of_two_equal_numbers_the_first_gets_the_gradient() -> None:
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    b = torch.tensor([2.0, 2.0, 1.0], requires_grad=True)
    y = KERNELS["maximum"](a, b)
    (y * torch.tensor([5.0, 6.0, 7.0])).sum().backward()
    assert y.tolist() == [2, 2, 3]
    assert (a.grad.tolist(), b.grad.tolist()) == ([0, 6, 7], [5, 0, 0])


def test_a_maxout_learns_as_its_kernel_does() -> None:
    cfg = "[net]\nwidth=4\nheight=4\nchannels=6\n[convolutional]\nfilters=6\n[maxout]\nout_channels=2\n"
    compiled = compile_cfg(cfg).check()
    graph = compiled.graph.with_data(random_weights(compiled.graph, 1).arrays)
    images, grads = torch.rand(2, 6, 4, 4), []
    for training in (True, False):
        net = GraphModule(graph).train(training)
        (net(images)[0] ** 2).sum().backward()
        grads.append([p.grad for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))
