"""A network as a module of PyTorch: what PyTorch can do with modules, and the way back to a weights file."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from goldens import goldens

from darknet_py import load
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.initial import initial_weights
from darknet_py.darknet.weights import Weights, random_weights, read_header, read_weights
from darknet_py.darknet.weights import write_weights as write_file
from darknet_py.errors import BackendError, DataError, WeightsError
from darknet_py.ir.compare import difference

torch = pytest.importorskip("torch", reason="needs torch: pip install '.[torch]'")

from darknet_py.backends.torch.module import GraphModule  # noqa: E402
from darknet_py.torch import DarknetModule, module, write_weights  # noqa: E402

CFG = """
[net]
width=16
height=16
channels=3
[convolutional]
batch_normalize=1
filters=4
size=3
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=4
size=3
pad=1
stride=2
activation=mish
[route]
layers=-1
groups=2
group_id=1
[maxpool]
size=2
stride=1
[convolutional]
filters=4
size=1
activation=hard_mish
[route]
layers=-1,-4
[dropout]
[upsample]
stride=2
[shortcut]
from=0
activation=linear
[convolutional]
filters=7
size=1
activation=linear
[yolo]
classes=2
num=1
anchors=4,4
"""
RECURRENT = "[net]\nwidth=4\nheight=4\nchannels=1\n[rnn]\noutput=3\nhidden=5\n[softmax]\n"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    path = tmp_path / "net.cfg"
    path.write_text(CFG)
    return path


@pytest.fixture
def net(cfg: Path, tmp_path: Path) -> DarknetModule:
    """The network with random weights, which a file holds."""
    graph = compile_cfg(CFG).check().graph
    write_file(tmp_path / "net.weights", graph, random_weights(graph, 0))
    return module(cfg, tmp_path / "net.weights")


def picture(batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def same(a: list[torch.Tensor], b: list[torch.Tensor], atol: float = 1e-5) -> bool:
    return all(torch.allclose(x, y.to(x.dtype), atol=atol) for x, y in zip(a, b, strict=True))


# -- what it computes --------------------------------------------------------------------------------------------


def test_it_computes_what_a_model_does(net: DarknetModule, cfg: Path, tmp_path: Path) -> None:
    wanted = load(cfg, tmp_path / "net.weights", quiet=True).forward(picture().numpy())
    got = net.eval()(picture())
    assert max(difference(g.detach().numpy(), w) for g, w in zip(got, wanted, strict=True)) < 1e-5


def test_any_value_can_be_asked_for(net: DarknetModule) -> None:
    info = net.graph.layer(net.graph.heads[0])
    (raw,) = net.graph.layer_inputs(info)
    head, first = net.values([picture()], [raw, net.graph.layer_output(0)])
    assert head.shape == (2, 7, 16, 16)
    assert first.shape == (2, 4, 16, 16)
    assert head.requires_grad


def test_parameters_have_darknets_names_and_statistics_are_buffers(net: DarknetModule) -> None:
    names = {name for name, _ in net.named_parameters()}
    assert {"0_convolutional.weights", "0_convolutional.scales", "0_convolutional.biases"} <= names
    assert {name for name, _ in net.named_buffers() if not name.startswith("constants")} == {
        f"{i}_convolutional.{role}" for i in (0, 1) for role in ("mean", "variance")
    }
    assert set(net.state_dict()) == {p.value.name for p in net.graph.params}
    for param in net.graph.params:
        assert np.array_equal(net.tensor_of(param).detach().numpy(), net.array_of(param))


def test_memory_of_a_recurrent_network_goes_in_and_comes_out(tmp_path: Path) -> None:
    path = tmp_path / "rnn.cfg"
    path.write_text(RECURRENT)
    net = module(path, seed=1)
    x, state = torch.rand(2, 1, 4, 4), torch.zeros(2, 5)
    total = torch.zeros(())
    for _ in range(3):
        y, state = net(x, state)
        total = total + y.square().sum()
    total.backward()
    assert state.shape == (2, 5)
    assert all(p.grad is not None for p in net.parameters())
    with pytest.raises(ValueError, match="zip"):
        net(x)


def test_a_graph_without_weights_is_an_error() -> None:
    with pytest.raises(BackendError, match=r"no weights loaded \(0_convolutional.biases is missing\)"):
        GraphModule(compile_cfg(CFG).check().graph)


# -- what PyTorch does with modules ------------------------------------------------------------------------------


def test_it_can_be_exported(net: DarknetModule) -> None:
    net.eval()
    exported = torch.export.export(net, (picture(),))
    assert same(exported.module()(picture()), net(picture()))


def test_it_can_be_exported_for_any_batch(net: DarknetModule) -> None:
    net.eval()
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(net, (picture(),), dynamic_shapes=({0: batch},))
    assert same(exported.module()(picture(5)), net(picture(5)))


@pytest.mark.filterwarnings("ignore:.* should not be instantiated")  # PyTorch's own compiler does it, from 2.13 on
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("training", [False, True])
def test_it_can_be_compiled_whole(net: DarknetModule, backend: str, training: bool) -> None:
    net.train(training)
    other = copy.deepcopy(net)
    compiled = torch.compile(net, backend=backend, fullgraph=True)
    for _ in range(2):
        torch.manual_seed(0)
        got = compiled(picture())
        torch.manual_seed(0)
        wanted = other(picture())
        if not training or backend == "eager":  # aot_eager draws its own random numbers for the dropout
            assert same(got, wanted)
        (got[0].square().sum()).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_autocast_computes_in_bfloat16_and_learns_in_float32(net: DarknetModule) -> None:
    exact = net.eval()(picture())
    with torch.autocast("cpu", torch.bfloat16):
        (raw,) = net.values([picture()], [net.graph.layer_inputs(net.graph.layer(10))[0]])
        got = net(picture())
    assert raw.dtype is torch.bfloat16
    assert difference(got[0].float().detach().numpy(), exact[0].detach().numpy()) < 0.05
    net.train()
    with torch.autocast("cpu", torch.bfloat16):
        (y,) = net(picture())
    y.float().square().sum().backward()
    assert {p.grad.dtype for p in net.parameters()} == {torch.float32}


def test_channels_may_be_last(net: DarknetModule) -> None:
    wanted = net.eval()(picture())
    net.to(memory_format=torch.channels_last)
    x = picture().contiguous(memory_format=torch.channels_last)
    (raw,) = net.values([x], [net.graph.layer_inputs(net.graph.layer(10))[0]])
    assert raw.is_contiguous(memory_format=torch.channels_last)
    assert same(net(x), wanted)


def test_states_travel_by_name(net: DarknetModule, cfg: Path, tmp_path: Path) -> None:
    other = module(cfg, seed=7).eval()
    torch.save(net.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert same(other(picture()), net.eval()(picture()), 0)


def test_it_goes_to_devices_and_types(net: DarknetModule) -> None:
    wanted = net.eval()(picture())
    assert same(wanted, net.double()(picture().double()))
    assert net(picture().double())[0].dtype is torch.double
    meta = copy.deepcopy(net).to("meta")
    assert meta(picture().double().to("meta"))[0].shape == wanted[0].shape


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of NVIDIA's, and its PyTorch")
def test_a_gpu_computes_the_same_forward_and_backward(net: DarknetModule) -> None:
    net.eval()
    other = copy.deepcopy(net).cuda()
    for m, x in ((net, picture()), (other, picture().cuda())):
        m(x)[0].square().sum().backward()
    assert difference(other(picture().cuda())[0].cpu().detach().numpy(), net(picture())[0].detach().numpy()) < 1e-3
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        assert difference(b.grad.cpu().numpy(), a.grad.numpy()) < 1e-3


def test_copies_share_the_graph_and_nothing_else(net: DarknetModule) -> None:
    wanted = net.eval()(picture())
    other = copy.deepcopy(net)
    assert other.graph is net.graph
    assert other.compilation is net.compilation
    with torch.no_grad():
        next(other.parameters()).fill_(3)
    assert same(net(picture()), wanted, 0)
    assert not same(other(picture()), wanted, 0)


def test_it_pickles(net: DarknetModule, tmp_path: Path) -> None:
    other = pickle.loads(pickle.dumps(net.eval()))
    assert same(other(picture()), net(picture()), 0)
    write_weights(net, tmp_path / "a.weights")
    write_weights(other, tmp_path / "b.weights")
    assert (tmp_path / "a.weights").read_bytes() == (tmp_path / "b.weights").read_bytes()


# -- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["golden", "golden_pj"])
def test_what_is_not_trained_is_written_back_byte_for_byte(folder: str, tmp_path: Path) -> None:
    cases = [case for case in goldens(folder).values() if case.ran and (case.folder / "net.weights").exists()]
    assert len(cases) > 10
    for case in cases:
        weights = case.folder / "net.weights"
        net = module(case.folder / "net.cfg", weights, dialect=case.dialect, as_darknet=True)
        write_weights(net, tmp_path / f"{case.name}.weights")
        assert (tmp_path / f"{case.name}.weights").read_bytes() == weights.read_bytes(), case.name


def test_what_is_trained_is_read_by_everybody(net: DarknetModule, cfg: Path, tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        net(picture())[0].square().mean().backward()
        optimizer.step()
    write_weights(net, tmp_path / "new.weights", seen=640)
    assert read_header(tmp_path / "new.weights")[0].seen == 640
    wanted = net.eval()(picture())
    got = load(cfg, tmp_path / "new.weights", backend="numpy", quiet=True).forward(picture().numpy())
    assert max(difference(g, w.detach().numpy()) for g, w in zip(got, wanted, strict=True)) < 1e-5
    assert not np.array_equal(
        (tmp_path / "new.weights").read_bytes()[20:], (tmp_path / "net.weights").read_bytes()[20:]
    )


def test_the_files_of_others_stay(net: DarknetModule, tmp_path: Path) -> None:
    (tmp_path / "mine.weights").write_bytes(b"mine")
    with pytest.raises(DataError, match="--replace"):
        write_weights(net, tmp_path / "mine.weights")
    write_weights(net, tmp_path / "mine.weights", replace=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(seen=-1), r"-1 images seen: a header has a whole number below 2\^64"),
        (dict(seen=1 << 64), "18446744073709551616 images seen"),
        (dict(seen=1.5), "1.5 images seen"),
        (dict(instead={"0_convolutional.bias": torch.zeros(4)}), "has no parameter 0_convolutional.bias"),
        (dict(instead={"0_convolutional.biases": torch.zeros(3)}), r"has 0_convolutional.biases of .*one of \(3,\)"),
    ],
)
def test_what_a_file_has_no_place_for_is_not_written(
    given: dict[str, Any], message: str, net: DarknetModule, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=message):
        write_weights(net, tmp_path / "new.weights", **given)
    assert not (tmp_path / "new.weights").exists()


def test_a_backbone_begins_a_network(net: DarknetModule, cfg: Path, tmp_path: Path) -> None:
    graph = net.graph
    arrays = {p.value: net.array_of(p) for p in graph.params}
    write_file(tmp_path / "net.conv.4", graph, Weights(net.header, arrays), upto=4)
    with pytest.raises(WeightsError, match="too short"):
        module(cfg, tmp_path / "net.conv.4")
    other = module(cfg, tmp_path / "net.conv.4", allow_partial=True, seed=3)
    fresh = module(cfg, seed=3)
    for a, b, c in zip(other.graph.params, fresh.graph.params, graph.params, strict=True):
        wanted = net.array_of(c) if a.layer < 4 else fresh.array_of(b)
        assert np.array_equal(other.array_of(a), wanted), a.value.name


# -- what Darknet begins with ------------------------------------------------------------------------------------


def test_a_network_begins_as_darknets_does() -> None:
    graph = compile_cfg(
        CFG + "[connected]\noutput=5\n[implicit]\nfilters=40\natoms=50\nmean=1\nstd=.1\n"
        "[convolutional]\nfilters=2\nsize=1\nactivation=normalize_channels\n"
    ).check().graph  # fmt: skip
    found = {(p.layer, p.role): a for p, a in zip(graph.params, initial_weights(graph, 0).arrays.values(), strict=True)}
    assert np.abs(found[0, "weights"]).max() == pytest.approx((2 / 27) ** 0.5, rel=0.05)
    assert found[0, "weights"].std() == pytest.approx((2 / 27) ** 0.5 / 3**0.5, rel=0.1)
    assert np.abs(found[11, "weights"]).max() == pytest.approx((2 / (7 * 256)) ** 0.5, rel=0.01)
    assert (found[0, "scales"] == 1).all()
    assert not any(found[0, role].any() for role in ("biases", "mean", "variance"))
    assert not found[11, "biases"].any()
    assert found[12, "weights"].mean() == pytest.approx(1, abs=0.02)
    assert found[12, "weights"].std() == pytest.approx(0.1, abs=0.02)
    assert (found[13, "weights"] == 1).all()
    assert not found[13, "biases"].any()


def test_the_seed_says_what_it_begins_with(cfg: Path) -> None:
    a, b, c = (module(cfg, seed=seed).state_dict()["0_convolutional.weights"] for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_weights_are_read_as_they_are(net: DarknetModule, tmp_path: Path) -> None:
    stored = read_weights(tmp_path / "net.weights", net.compilation.graph).arrays
    assert all(np.array_equal(net.array_of(p), stored[p.value]) for p in net.compilation.graph.params)


@pytest.mark.parametrize(
    "text", [CFG, RECURRENT, "[net]\nwidth=4\nheight=4\nchannels=1\n[lstm]\noutput=3\n[softmax]\n"]
)
def test_a_state_that_was_saved_is_weights_everywhere(tmp_path: Path, text: str) -> None:
    (tmp_path / "net.cfg").write_text(text)
    net = module(tmp_path / "net.cfg", seed=5)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    again = module(tmp_path / "net.cfg", tmp_path / "net.pt")
    assert all(torch.equal(a, again.state_dict()[name]) for name, a in net.state_dict().items())


def test_a_module_that_was_pickled_whole_is_refused_with_a_remedy(net: DarknetModule, tmp_path: Path) -> None:
    torch.save(net, tmp_path / "net.pt")
    with pytest.raises(DataError, match=r"save the tensors alone: torch\.save\(model\.state_dict"):
        module(tmp_path / "net.cfg", tmp_path / "net.pt")
