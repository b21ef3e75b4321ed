"""LiteRT: the numbers of its schema, the layouts of what is written, and networks in 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from agree import agree
from commands import said
from networks import picture, write_classifier, write_detector, write_photos, write_recurrent

from darknet_py import load
from darknet_py.backends.backend import find_backend
from darknet_py.backends.litert.eight_rules import EIGHT
from darknet_py.backends.litert.rules import RULES
from darknet_py.backends.litert.schema import OPERATORS, TYPES, Scale
from darknet_py.backends.litert.writer import LiteRTWriter, quantized, scale_of_range
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.weights import random_weights
from darknet_py.ir import Graph
from darknet_py.ir.builder import Builder
from darknet_py.ir.ops import PRIMITIVES
from darknet_py.passes import optimize, passes_for

needs_litert = pytest.mark.skipif(
    not find_backend("litert").installed, reason="LiteRT is not installed: pip install ai-edge-litert"
)
NET = "[net]\nwidth=16\nheight=16\nchannels=3\n"
CONV = "[convolutional]\nfilters=4\nsize=3\npad=1\nstride={}\nactivation={}\n"
YOLO = "[convolutional]\nfilters=7\nsize=1\nactivation=linear\n[yolo]\nclasses=2\nnum=1\nanchors=4,5\n"


def graph_of(text: str) -> Graph:
    graph = compile_cfg(text).check().graph
    return optimize(graph.with_data(random_weights(graph, 0).arrays), passes_for("litert"))


def kinds(graph: Graph) -> list[str]:
    """The operators of a graph, in order."""
    names = [f"o{i}" for i in range(len(graph.roots))]
    return [op.kind for op in LiteRTWriter(graph, names, RULES).file.operators]


def test_every_primitive_has_a_rule() -> None:
    assert {*RULES} == {*PRIMITIVES}
    assert {*EIGHT} < {*RULES}


@needs_litert
def test_the_numbers_are_those_of_the_schema() -> None:
    from ai_edge_litert import schema_py_generated as schema

    own = {name: number for name, (number, _) in OPERATORS.items()}
    assert own == {name: getattr(schema.BuiltinOperator, name) for name in own}
    assert {name: getattr(schema.TensorType, name.upper()) for name in TYPES} == TYPES
    unions = {"CONV_2D": "Conv2DOptions", "MEAN": "ReducerOptions", "STRIDED_SLICE": "StridedSliceOptions",
              "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions", "LEAKY_RELU": "LeakyReluOptions",
              "BATCH_MATMUL": "BatchMatMulOptions", "TRANSPOSE_CONV": "TransposeConvOptions", "CAST": "CastOptions",
              "GATHER": "GatherOptions", "SOFTMAX": "SoftmaxOptions", "SUB": "SubOptions"}  # fmt: skip
    assert {k: OPERATORS[k][1] for k in unions} == {k: getattr(schema.BuiltinOptions, v) for k, v in unions.items()}


@needs_litert
@pytest.mark.parametrize("shape", [(6,), (3, 6), (6, 3), (4, 3, 2, 4), (2, 3, 1, 1, 2)])
def test_the_first_axis_is_normalized_whatever_the_others_are(shape: tuple[int, ...]) -> None:
    rng, b = np.random.default_rng(0), Builder()
    x = b.input("images", shape)
    y = b.op("batch_norm", x, *(b.const(rng.uniform(0.5, 1.5, shape[0])) for _ in range(4)), epsilon=1e-5)
    agree(b.graph(x, b.op("sigmoid", y)), batches=(2,), runtimes=("litert",))


def test_a_network_of_convolutions_turns_nothing_around() -> None:
    text = (
        NET
        + CONV.format(1, "leaky")
        + "[maxpool]\nsize=2\nstride=2\n"
        + CONV.format(1, "mish")
        + "[route]\nlayers=-1,-2\n"
    )
    assert "TRANSPOSE" not in kinds(graph_of(text))
    assert "TRANSPOSE" not in kinds(graph_of(NET + CONV.format(2, "swish") + "[upsample]\n[avgpool]\n[softmax]\n"))


def test_padding_is_left_to_the_operator_where_that_has_a_word_for_it() -> None:
    assert "PAD" not in kinds(graph_of(NET + CONV.format(1, "relu")))
    assert kinds(graph_of(NET + CONV.format(2, "relu")))[0] == "PAD"  # SAME would put it all after


def test_zero_is_exact_in_every_scale() -> None:
    for low, high in ((-1.0, 3.0), (0.5, 2.0), (-7.0, -1.0), (0.0, 0.0)):
        scale = scale_of_range(low, high)
        assert quantized(np.zeros(1), scale)[0] == scale.zeros[0]
    assert scale_of_range(0.0, 255.0) == Scale((1.0,), (-128,))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos")


def export(cfg: Path, path: Path, *options: str | Path, fails: bool = False) -> str:
    return said("export", cfg, "-o", path, *options, fails=fails)


@needs_litert
@pytest.mark.parametrize("options", [(), ("--boxes", "decoded"), ("--boxes", "raw")])
def test_a_detector_in_eight_bits_finds_what_it_found(tmp_path: Path, photos: Path, options: tuple[str, ...]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    cfg, path = write_detector(tmp_path), tmp_path / "small.tflite"
    said = export(cfg, path, "--int8", photos, *options)
    assert "int8 against float32, pictures held out: recall 100.0%" in said
    assert "times as fast as float32 in LiteRT" in said
    seen = picture((1, 2, "red"), (3, 0, "blue"))
    (found,), (wanted,) = load(path)(seen), load(cfg)(seen)
    assert sorted(found.boxes.cls.tolist()) == sorted(wanted.boxes.cls.tolist())
    net = Interpreter(str(path))
    (image,) = net.get_input_details()
    assert (image["dtype"], image["quantization"]) == (np.int8, (pytest.approx(1 / 255), -128))
    kept = {t["dtype"] for t in net.get_output_details()}
    assert kept == ({np.float32} if options else {np.int8})


@needs_litert
def test_a_network_that_ends_before_its_heads_is_in_integers_throughout(tmp_path: Path, photos: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    export(write_detector(tmp_path), tmp_path / "small.tflite", "--int8", photos)
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    net = Interpreter(str(tmp_path / "small.tflite"), experimental_op_resolver_type=plain)
    net.allocate_tensors()
    assert np.float32 not in {t["dtype"] for t in net.get_tensor_details()}


@needs_litert
def test_every_activation_has_a_form_in_eight_bits(tmp_path: Path, photos: Path) -> None:
    for activation in ("mish", "swish", "elu", "logistic", "tanh", "relu6", "leaky"):
        cfg = tmp_path / f"{activation}.cfg"
        cfg.write_text(NET + CONV.format(1, activation) + CONV.format(2, activation) + YOLO)
        said = export(cfg, tmp_path / f"{activation}.tflite", "--int8", photos, "--random-weights", "0")
        assert "in float32 for want of 8 bits" not in said, activation
        pixels = picture((1, 0, "blue"))[::2, ::2, ::-1]  # one of those that it was calibrated with
        image = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
        wanted = load(cfg, random_weights=0).run(image)[0]
        (found,) = load(tmp_path / f"{activation}.tflite").run(image)
        # Single pixels may be beyond the mean of the largest, which is what 8 bits cover.
        assert np.abs(found - wanted).mean() < 0.01 * np.abs(wanted).max(), activation


def test_a_classifier_in_eight_bits_is_written_and_what_remembers_is_not(tmp_path: Path, photos: Path) -> None:
    said = export(write_classifier(tmp_path), tmp_path / "a.tflite", "--int8", photos)
    assert "calibrating int8 for litert on " in said
    recurrent, detector = write_recurrent(tmp_path), write_detector(tmp_path)
    told = export(recurrent, tmp_path / "b.tflite", "--int8", photos, fails=True)
    assert "int8 is for networks of single pictures" in told
    assert "exclude each other" in export(detector, tmp_path / "c.tflite", "--int8", photos, "--half", fails=True)
