"""Each tensor of a checkpoint goes to its place in the weights, and what does not fit is an error that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkpoints import Module, write_legacy, write_safetensors, write_zip
from click.testing import CliRunner
from foreign_truth import GOLDENS, NETWORKS, TIMM, pictures, seeded

import darknet_py
from darknet_py import import_weights, load
from darknet_py.backends.session import open_session
from darknet_py.cli import main
from darknet_py.darknet.compile import compile_cfg, compile_file
from darknet_py.darknet.dialects import ALEXEYAB, DIALECTS, PJREDDIE, PYTORCH, Dialect
from darknet_py.darknet.foreign.families import MMPRETRAIN
from darknet_py.darknet.foreign.families import TIMM as TIMM_FAMILY
from darknet_py.darknet.foreign.importing import carried
from darknet_py.darknet.network import open_network
from darknet_py.darknet.weights import random_weights, read_weights
from darknet_py.errors import DarknetError, DataError, WeightsError
from darknet_py.vision.inference import prepare
from darknet_py.vision.sources import loaders

TOLERANCE = 1e-4  # of scale: what the numbers of their modules may differ by

CFG = """
[net]
width=8
height=8
channels=3
[convolutional]
batch_normalize=1
filters=4
size=3
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
filters=18
size=1
activation=linear
[yolo]
mask=0,1
anchors=1,1, 2,2
classes=4
num=2
"""


def state() -> dict[str, np.ndarray]:
    """The parameters of `CFG` as ultralytics' first yolov3 and PyTorch_YOLOv4 name them."""
    random = np.random.RandomState(0)

    def numbers(*shape: int) -> np.ndarray:
        return random.random_sample(shape).astype(np.float32)

    return {
        "module_list.0.Conv2d.weight": numbers(4, 3, 3, 3) - np.float32(0.5),
        "module_list.0.BatchNorm2d.weight": numbers(4) + np.float32(0.5),
        "module_list.0.BatchNorm2d.bias": numbers(4),
        "module_list.0.BatchNorm2d.running_mean": numbers(4),
        "module_list.0.BatchNorm2d.running_var": numbers(4) * np.float32(0.01),
        "module_list.0.BatchNorm2d.num_batches_tracked": np.array(7, np.int64),
        "module_list.2.Conv2d.weight": numbers(18, 4, 1, 1) - np.float32(0.5),
        "module_list.2.Conv2d.bias": numbers(18),
    }


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    (tmp_path / "tiny.cfg").write_text(CFG)
    return tmp_path / "tiny.cfg"


def convolved(cfg: Path, weights: Path, x: np.ndarray, dialect: str | None = None) -> np.ndarray:
    """What the network computes before its head."""
    graph = compile_file(cfg, dialect=dialect).check().graph
    graph = graph.with_data(read_weights(weights, graph).arrays).with_outputs((graph.layer_output(2),))
    return open_session(graph, "numpy").run([x])[0]


def by_hand(tensors: dict[str, np.ndarray], x: np.ndarray, epsilon: float) -> np.ndarray:
    """The same in the words of the checkpoint, in float64."""
    s = {k.removeprefix("module_list."): v.astype(np.float64) for k, v in tensors.items()}
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    y = np.einsum("nchwij,ocij->nohw", windows, s["0.Conv2d.weight"])
    column = lambda name: s[f"0.BatchNorm2d.{name}"][:, None, None]  # noqa: E731 - short, and for this formula only
    y = (y - column("running_mean")) / np.sqrt(column("running_var") + epsilon) * column("weight") + column("bias")
    y = np.where(y > 0, y, 0.1 * y)
    y = y.reshape(1, 4, 4, 2, 4, 2).max((3, 5))
    return np.einsum("nchw,oc->nohw", y, s["2.Conv2d.weight"][:, :, 0, 0]) + s["2.Conv2d.bias"][:, None, None]


# -- checkpoints in the order of a cfg -------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("epsilon", [1e-4, 1e-3, 1e-5, 1e-7])
def test_every_dialect_divides_as_the_checkpoints_program(cfg: Path, dialect: str, epsilon: float) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": state()})
    given = None if epsilon == 1e-4 else epsilon  # which is that of the program
    done = import_weights(checkpoint, cfg.with_suffix(".weights"), cfg, dialect=dialect, epsilon=given)
    x = np.random.RandomState(1).random_sample((1, 3, 8, 8)).astype(np.float32)
    wanted = by_hand(state(), x, epsilon)
    np.testing.assert_allclose(convolved(cfg, done.weights, x, dialect), wanted, atol=1e-5 * np.abs(wanted).max())


def whole(epsilon: float) -> Module:
    """The same as a model that was saved whole, whose normalization has an epsilon of its own."""

    def of(name: str, **fields: float) -> Module:
        own = {n.rpartition(".")[2]: t for n, t in state().items() if n.startswith(f"{name}.")}
        return Module(f"torch.nn.{name.rpartition('.')[2]}", own, {}, fields)

    norm = of("module_list.0.BatchNorm2d", eps=epsilon)
    first = Module("torch.nn.Sequential", {}, {"Conv2d": of("module_list.0.Conv2d"), "BatchNorm2d": norm})
    last = Module("torch.nn.Sequential", {}, {"Conv2d": of("module_list.2.Conv2d")})
    rows = Module("torch.nn.ModuleList", {}, {"0": first, "2": last})
    return Module("models.models.Darknet", {}, {"module_list": rows})


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("given", [None, 1e-5])
def test_a_model_that_was_saved_whole_says_its_epsilon_itself(cfg: Path, dialect: str, given: float | None) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"ema": None, "model": whole(1e-3)})
    done = import_weights(checkpoint, cfg.with_suffix(".weights"), cfg, dialect=dialect, epsilon=given)
    x = np.random.RandomState(1).random_sample((1, 3, 8, 8)).astype(np.float32)
    wanted = by_hand(state(), x, given or 1e-3)
    np.testing.assert_allclose(convolved(cfg, done.weights, x, dialect), wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("epsilon", [-1e-3, float("nan"), float("inf")])
def test_an_epsilon_that_cannot_be_is_an_error(cfg: Path, epsilon: float) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": whole(epsilon)})
    with pytest.raises(WeightsError, match=r"module_list\.0\.BatchNorm2d has the epsilon"):
        import_weights(checkpoint, cfg.with_suffix(".weights"), cfg)


@pytest.mark.parametrize("dialect", [ALEXEYAB, PJREDDIE, PYTORCH], ids=lambda d: d.name)
@pytest.mark.parametrize("epsilon", [0.0, 1e-7, 1e-5, 1e-3])
def test_a_variance_of_nothing_is_carried_too(dialect: Dialect, epsilon: float) -> None:
    variance = np.float32([0, 1e-9, 1e-6, 1e-4, 1, 1e4])
    stored, factor = carried(variance, epsilon, dialect)
    outside = dialect.epsilon if dialect.epsilon_outside else 0
    divisor = np.sqrt(stored.astype(np.float64) + (0 if outside else dialect.epsilon)) + outside
    wanted = np.sqrt(variance.astype(np.float64) + epsilon)
    known = wanted > 0
    assert (stored >= 0).all()
    np.testing.assert_allclose(factor[known] / divisor[known], 1 / wanted[known], rtol=1e-4)


def test_equal_epsilons_leave_every_number_as_it_is(cfg: Path) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": state()})
    done = import_weights(checkpoint, cfg.with_suffix(".weights"), cfg, epsilon=1e-5, dialect="alexeyab")
    floats = np.fromfile(done.weights, np.float32, offset=20)
    s = state()
    order = ("BatchNorm2d.bias", "BatchNorm2d.weight", "BatchNorm2d.running_mean", "BatchNorm2d.running_var")
    parts = [s[f"module_list.0.{part}"] for part in (*order, "Conv2d.weight")]
    parts += [s["module_list.2.Conv2d.bias"], s["module_list.2.Conv2d.weight"]]
    np.testing.assert_array_equal(floats, np.concatenate([p.ravel() for p in parts]))


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_the_form_of_the_file_changes_nothing(cfg: Path, form: str) -> None:
    write = {"zip": write_zip, "legacy": write_legacy, "safetensors": write_safetensors}[form]
    done = import_weights(write(cfg.with_suffix(".x"), state()), cfg.with_suffix(".weights"), cfg)
    same = import_weights(write_zip(cfg.with_suffix(".y"), state()), cfg.with_name("same.weights"), cfg)
    assert done.weights.read_bytes() == same.weights.read_bytes()


SPELLINGS = {
    "eriklindernoren": (lambda n: n.replace("Conv2d", "conv_0").replace("BatchNorm2d", "batch_norm_0"), 1e-5),
    "Tianxiaomo": (
        lambda n: n.replace("module_list", "models").replace("Conv2d", "conv1").replace("BatchNorm2d", "bn1"), 1e-5
    ),
    "on several devices": (lambda n: f"module.{n}", 1e-4),
}  # fmt: skip


@pytest.mark.parametrize(("rename", "epsilon"), SPELLINGS.values(), ids=SPELLINGS)
def test_other_programs_spell_the_same_tensors_otherwise(cfg: Path, rename: Any, epsilon: float) -> None:
    plain = write_zip(cfg.with_suffix(".y"), state())
    wanted = import_weights(plain, cfg.with_name("same.weights"), cfg, epsilon=epsilon)
    renamed = {rename(name): array for name, array in state().items()}
    done = import_weights(write_zip(cfg.with_suffix(".x"), renamed), cfg.with_suffix(".weights"), cfg)
    assert done.weights.read_bytes() == wanted.weights.read_bytes()


def test_half_precision_is_widened(cfg: Path) -> None:
    half = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in state().items()}
    done = import_weights(write_zip(cfg.with_suffix(".pt"), half), cfg.with_suffix(".weights"), cfg)
    whole = {k: v.astype(np.float32) if v.dtype == np.float16 else v for k, v in half.items()}
    wanted = import_weights(write_zip(cfg.with_suffix(".y"), whole), cfg.with_name("same.weights"), cfg)
    assert done.weights.read_bytes() == wanted.weights.read_bytes()


def test_the_table_names_every_tensor_and_every_parameter(cfg: Path) -> None:
    done = import_weights(write_zip(cfg.with_suffix(".pt"), {"model": state()}), cfg.with_suffix(".weights"), cfg)
    assert {r.tensor for r in done.rows} | {*done.counters} == {*state()}
    graph = compile_file(cfg).check().graph
    assert [(r.role, r.shape) for r in sorted(done.rows, key=lambda r: r.layer)] == [
        (p.role, p.value.shape) for p in graph.params
    ]
    assert done.entry == "model"


def broken(change: Any) -> dict[str, np.ndarray]:
    changed = state()
    change(changed)
    return changed


BROKEN: dict[str, tuple[Any, str]] = {
    "a tensor too many": (
        lambda s: s.update({"module_list.1.Conv2d.weight": np.zeros((2, 2), np.float32)}),
        r"no layer for 1 tensor: module_list\.1\.Conv2d\.weight",
    ),
    "a tensor of another name": (
        lambda s: s.update(extra=np.zeros(2, np.float32)), r"no place in the network for 1 tensor: extra"
    ),
    "a second bias": (
        lambda s: s.update({"module_list.0.Conv2d.bias": np.zeros(4, np.float32)}),
        r"no place in the network for 1 tensor: module_list\.0\.Conv2d\.bias",
    ),
    "a missing mean": (
        lambda s: s.pop("module_list.0.BatchNorm2d.running_mean"),
        r"at layer 0_conv\w*, module_list\.0 has no tensor for the mean",
    ),
    "a missing layer": (
        lambda s: [s.pop(k) for k in [*s] if ".2." in k], r"no tensors for 1 layer: 2_conv"
    ),
    "another shape": (
        lambda s: s.update({"module_list.2.Conv2d.bias": np.zeros(255, np.float32)}),
        r"module_list\.2\.Conv2d\.bias is \(255,\), and the biases are \(18,\)",
    ),
    "transposed weights": (
        lambda s: s.update({"module_list.2.Conv2d.weight": np.zeros((4, 18, 1, 1), np.float32)}),
        r"module_list\.2\.Conv2d\.weight is \(4, 18, 1, 1\)",
    ),
    "negative variances": (
        lambda s: s.update({"module_list.0.BatchNorm2d.running_var": np.full(4, -1, np.float32)}),
        r"running_var has negative variances",
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_state_of_a_module_of_our_own_is_taken_as_it_is(cfg: Path, dialect: str) -> None:
    graph = compile_file(cfg, dialect=dialect).check().graph
    weights = random_weights(graph, 1)
    tensors = {value.name: array for value, array in weights.arrays.items()}
    done = import_weights(write_zip(cfg.with_suffix(".pt"), tensors), cfg.with_suffix(".weights"), cfg, dialect=dialect)
    assert done.family == "darknet_py.torch"
    found = read_weights(done.weights, graph)
    assert all(np.array_equal(found.arrays[value], array) for value, array in weights.arrays.items())


def test_a_hint_says_how_much_fits(cfg: Path) -> None:
    def hint(change: Any) -> str:
        checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": broken(change)})
        with pytest.raises(WeightsError) as raised:
            import_weights(checkpoint, cfg.with_suffix(".weights"), cfg)
        return str(raised.value).partition("hint: ")[2]

    other = {"module_list.2.Conv2d.weight": np.zeros((24, 4, 1, 1), np.float32)}
    assert hint(lambda s: s.update(other)).startswith("only the last layer differs")
    first = {"module_list.0.Conv2d.weight": np.zeros((6, 3, 3, 3), np.float32)}
    assert hint(lambda s: s.update(first)).startswith("1 of the cfg's 2 layers")
    assert hint(lambda s: s.update(first | other)).startswith("none of the cfg's 2 layers")
    assert hint(lambda s: s.pop("module_list.2.Conv2d.bias")).startswith("1 of the cfg's 2 layers")
    last = [name for name in state() if name.startswith("module_list.0")]
    assert hint(lambda s: [s.pop(name) for name in last]).startswith("1 of the cfg's 2 layers")


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_what_does_not_fit_is_named_and_nothing_is_written(cfg: Path, change: Any, message: str) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": broken(change)})
    with pytest.raises(WeightsError, match=message):
        import_weights(checkpoint, cfg.with_suffix(".weights"), cfg)
    assert not cfg.with_suffix(".weights").exists()


def test_a_network_that_is_not_in_the_file_must_be_named(cfg: Path) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": state()})
    with pytest.raises(WeightsError, match="its network is not in the file") as raised:
        import_weights(checkpoint, cfg.with_suffix(".weights"))
    assert "--cfg" in str(raised.value)


def test_tensors_of_no_known_program_are_an_error(cfg: Path) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"encoder.layer.0.weight": np.zeros(3, np.float32)})
    with pytest.raises(WeightsError, match=r"'encoder\.layer\.0\.weight' are of no program that is known"):
        import_weights(checkpoint, cfg.with_suffix(".weights"), cfg)


def test_a_checkpoint_is_never_written_over(cfg: Path) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": state()})
    before = checkpoint.read_bytes()
    with pytest.raises(WeightsError, match="is the checkpoint itself"):
        import_weights(checkpoint, checkpoint, cfg)
    assert checkpoint.read_bytes() == before


def test_diverged_numbers_are_imported_with_a_warning(cfg: Path) -> None:
    bad = state()
    bad["module_list.2.Conv2d.bias"][3] = np.nan
    done = import_weights(write_zip(cfg.with_suffix(".pt"), bad), cfg.with_suffix(".weights"), cfg)
    assert "NaN" in done.warnings[0].message


# -- where weights are expected --------------------------------------------------------------------------------------


def test_load_takes_a_checkpoint_and_converts_it_once(cfg: Path) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": state()})
    said: list[str] = []
    first = load(cfg, checkpoint, backend="numpy", say=said.append)
    assert len([s for s in said if "converted tiny.pt to" in s]) == 1
    again = load(cfg, checkpoint, backend="numpy", say=said.append)
    assert len([s for s in said if "converted" in s]) == 1
    x = np.ones((1, 3, 8, 8), np.float32)
    np.testing.assert_array_equal(first.forward(x)[0], again.forward(x)[0])
    assert again.network is not None
    assert again.network.weights is not None
    assert again.network.weights.with_suffix(".cfg").read_text() == CFG


def test_damaged_conversions_are_made_again(cfg: Path) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": state()})
    network = load(cfg, checkpoint, backend="numpy").network
    assert network is not None
    assert network.weights is not None
    right = network.weights.read_bytes()
    network.weights.write_bytes(right[:-4] + b"\0\0\0\0")
    load(cfg, checkpoint, backend="numpy")
    assert network.weights.read_bytes() == right


def test_without_a_cache_a_checkpoint_is_taken_all_the_same(cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cfg.parent / "file").write_text("")
    monkeypatch.setenv("DARKNET_PY_CACHE", str(cfg.parent / "file" / "cache"))
    assert load(cfg, write_zip(cfg.with_suffix(".pt"), {"model": state()}), backend="numpy")


def test_the_second_start_reads_no_checkpoint(cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": state()})
    first = load(cfg, checkpoint)
    monkeypatch.setattr("darknet_py.darknet.foreign.converted.converted", None)
    x = np.ones((1, 3, 8, 8), np.float32)
    np.testing.assert_array_equal(load(cfg, checkpoint).run(x)[0], first.run(x)[0])


# -- the command -----------------------------------------------------------------------------------------------------


def test_the_command_prints_which_tensor_went_where(cfg: Path) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"ema": None, "model": state()})
    output = cfg.with_suffix(".weights")
    done = CliRunner().invoke(main, ["weights", "import", str(checkpoint), "-o", str(output), "--cfg", str(cfg)])
    assert done.exit_code == 0, done.output
    assert "tensors of a PyTorch program that reads Darknet's cfg under model" in done.stdout
    for name in state():
        assert ("num_batches" in name) != (name in done.stdout)
    assert "7 tensors in 7 places, none missing, none left over, and 1 that count training steps" in done.stdout
    assert output.is_file()


def test_the_table_is_json_too(cfg: Path) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": state()})
    options = ["-o", str(cfg.with_suffix(".weights")), "--cfg", str(cfg), "--json"]
    done = CliRunner().invoke(main, ["weights", "import", str(checkpoint), *options])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["rows"]
    assert {"layer", "role", "shape", "tensor", "note"} == set(rows[0])


def test_a_hostile_file_is_one_line_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "bad.pth").write_bytes(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
    done = CliRunner().invoke(main, ["weights", "import", str(tmp_path / "bad.pth"), "-o", str(tmp_path / "x.weights")])
    assert isinstance(done.exception, DataError | SystemExit)
    with pytest.raises(DataError, match=r"asks for os\.system"):
        import_weights(tmp_path / "bad.pth", tmp_path / "x.weights")


def test_inspect_shows_the_weights_of_a_checkpoint(cfg: Path) -> None:
    checkpoint = write_zip(cfg.with_suffix(".pt"), {"model": state()})
    done = CliRunner().invoke(main, ["weights", "inspect", str(cfg), str(checkpoint)])
    assert done.exit_code == 0, done.output
    assert "converted tiny.pt" in done.stderr


def test_how_pictures_are_cut_is_nothing_that_a_detector_can_say(cfg: Path) -> None:
    text = CFG.replace("channels=3", "channels=3\nshorter_edge=9\ninterpolation=bicubic")
    found = [str(d) for d in compile_cfg(text).diagnostics]
    assert sum("is for classifiers" in d for d in found) == 2
    assert not any("is for classifiers" in str(d) for d in compile_file(cfg).diagnostics)


# -- timm and mmpretrain ---------------------------------------------------------------------------------------------


def golden(name: str) -> dict[str, Any]:
    with np.load(GOLDENS / f"{name}.npz") as file:
        return dict(file)


def state_of(kept: dict[str, Any]) -> dict[str, np.ndarray]:
    """The seeded parameters that the golden answers were computed with."""
    shapes = [tuple(map(int, text.split(","))) if text else () for text in map(str, kept["shapes"])]
    return {str(n): seeded(str(n), s, float(kept["head"])) for n, s in zip(kept["names"], shapes, strict=True)}


def test_every_network_of_the_programs_has_its_golden() -> None:
    assert {*NETWORKS} == {*TIMM_FAMILY.cfgs, *MMPRETRAIN.cfgs} == {p.stem for p in GOLDENS.glob("*.npz")}


@pytest.mark.parametrize("name", NETWORKS)
def test_their_modules_answers_come_out(name: str, tmp_path: Path) -> None:
    """Their own modules computed the golden numbers, from pictures to scores; see `foreign_truth.py`."""
    kept = golden(name)
    tensors: dict[str, Any] = state_of(kept)
    checkpoint = write_zip(tmp_path / "a.pth", tensors if name in TIMM else {"meta": {}, "state_dict": tensors})
    done = import_weights(checkpoint, tmp_path / "a.weights")
    assert done.cfg.stem == name
    assert done.used + len(done.counters) == len(tensors)

    network = open_network(done.cfg, done.weights)
    contract, graph = network.program().contract, network.graph
    assert contract.names[0] == "tench, Tinca tinca"
    pool = [layer.index for layer in graph.layers if layer.section == "avgpool"][-1]
    both = open_session(graph.with_outputs((graph.layer_output(pool), graph.outputs[-1])), "onnxruntime")
    # One picture takes a second: all of them for one network, and each of the others has one.
    chosen = range(3) if name == NETWORKS[-1] else [NETWORKS.index(name) % 3]
    for index in chosen:
        features, scores = kept["features"][index], kept["scores"][index]
        x = np.empty((1, *contract.shape), np.float32)
        prepare(next(iter(loaders(pictures()[index], 3)))(), contract, False, x[0])
        ours, theirs = both.run([x])
        np.testing.assert_allclose(ours.ravel()[::16], features, atol=TOLERANCE * np.abs(features).max())
        np.testing.assert_allclose(theirs.ravel()[::4], scores, atol=TOLERANCE * scores.max())
        assert theirs.argmax() == kept["labels"][index]


def test_a_classifier_of_other_classes_says_what_to_do(tmp_path: Path) -> None:
    tensors = state_of(golden("cspresnext50.ra_in1k"))
    tensors["head.fc.weight"], tensors["head.fc.bias"] = np.zeros((10, 2048), np.float32), np.zeros(10, np.float32)
    with pytest.raises(WeightsError, match=r"head\.fc\.weight is \(10, 2048\)") as raised:
        import_weights(write_zip(tmp_path / "a.pth", tensors), tmp_path / "a.weights")
    assert "as many filters there (--cfg)" in str(raised.value)


def test_a_cfg_that_does_not_normalize_pictures_is_an_error(tmp_path: Path) -> None:
    """Its shapes fit, and the network would compute nonsense."""
    checkpoint = write_zip(tmp_path / "a.pth", state_of(golden("cspresnext50.ra_in1k")))
    with pytest.raises(
        WeightsError, match=r"timm normalizes pictures by mean and deviation, and .*\.cfg does not"
    ) as e:
        import_weights(checkpoint, tmp_path / "a.weights", "cspresnext50")
    assert "take cspresnext50.ra_in1k, or" in str(e.value)


def test_import_weights_is_public() -> None:
    assert darknet_py.import_weights is import_weights
    assert issubclass(WeightsError, DarknetError)


def test_what_the_network_says_of_pictures_and_names_travels_into_exported_files(tmp_path: Path) -> None:
    (tmp_path / "a.cfg").write_text(
        "[net]\nwidth=24\nheight=24\nchannels=3\nshorter_edge=32\ninterpolation=bicubic\nclass_names=imagenet-synsets\n"
        "[batchnorm]\n[convolutional]\nfilters=1000\nsize=3\npad=1\nactivation=linear\n[avgpool]\n[softmax]\n"
    )
    model = load(tmp_path / "a.cfg", random_weights=0)
    model.export(tmp_path / "a.onnx")
    other = load(tmp_path / "a.onnx")
    assert (other.contract.shorter_edge, other.contract.interpolation) == (32, "bicubic")
    assert other.names[0] == model.names[0] == "tench, Tinca tinca"
    for picture in pictures():
        (a,), (b,) = model(picture), other(picture)
        np.testing.assert_allclose(a.scores, b.scores, rtol=1e-4)
    padded = load(tmp_path / "a.cfg", random_weights=0, letterbox=True)(pictures()[0])[0]
    assert np.abs(padded.scores - model(pictures()[0])[0].scores).max() > 1e-6


@pytest.mark.parametrize("backend", ["onnxruntime", "opencv"])
def test_the_normalization_of_pictures_is_right_along_the_borders(backend: str, tmp_path: Path) -> None:
    """Folded into a convolution that pads with zeros it would not be."""
    cfg = (
        "[net]\nwidth=9\nheight=9\nchannels=3\n[batchnorm]\n"
        "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\nactivation=relie\n"
    )
    (tmp_path / "a.cfg").write_text(cfg)
    x = np.random.default_rng(0).random((1, 3, 9, 9), np.float32)
    wanted = load(tmp_path / "a.cfg", backend="numpy", random_weights=0).forward(x)[0]
    found = load(tmp_path / "a.cfg", backend=backend, random_weights=0, cache=False).forward(x)[0]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_where_it_cannot_be_written_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darknet_py.darknet.foreign.importing.read_checkpoint", lambda *_: pytest.fail("read"))
    (tmp_path / "my.weights").write_text("mine")
    with pytest.raises(DataError, match=r"my\.weights exists"):
        import_weights(tmp_path / "model.pth", tmp_path / "my.weights")
