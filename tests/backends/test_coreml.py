"""`export --format coreml`: each primitive in MIL, whole packages read back, and what stands around the network."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agree import random_inputs
from commands import said
from goldens import error, goldens
from mil import evaluate
from networks import picture, write_classifier, write_detector, write_recurrent
from test_primitives import CASES, graph_of

from darknet_py import load
from darknet_py.backends.session import open_session
from darknet_py.coreml.package import _quiet, legal, to_mlmodel
from darknet_py.coreml.rules import MOST_AXES, RULES, MilWriter, shape_of
from darknet_py.errors import BackendError, DataError
from darknet_py.ir import PRIMITIVES, Graph
from darknet_py.model.formats import find_format
from darknet_py.vision.preprocess import to_input

VARIANTS = [pytest.param(*case, id=f"{kind}-{i}") for kind, cases in CASES.items() for i, case in enumerate(cases)]
# Networks that have most of what a Darknet network can have.
NETWORKS = """
    yolo_two_heads gyolo_basic detection_softmax act_conv_mish conv_antialiasing1 comp_csp_tiny lstm_basic crnn_default
    lrn_default
""".split()


@pytest.fixture(scope="module")
def tools() -> Any:
    """coremltools, which skips the test where it is missing."""
    with _quiet():
        return pytest.importorskip("coremltools", reason="needs coremltools: pip install -e '.[coreml]'")


def fits(graph: Graph) -> bool:
    return all(len(v.shape) <= MOST_AXES for op in graph.ops for v in (op.output, *op.inputs))


def written(tools: Any, graph: Graph, *, constant: dict[str, np.ndarray] | None = None) -> Any:
    """A function of MIL with the graph in it; of constants, where they are given."""
    from coremltools.converters.mil import Builder
    from coremltools.converters.mil.mil import Function

    placeholders = {} if constant else {v.name: Builder.placeholder(shape=shape_of(v)) for v in graph.inputs}
    with Function(placeholders, opset_version=tools.target.iOS15) as function:
        writer = MilWriter(graph, Builder, constant or function.inputs)
        writer.write()
        function.set_outputs([Builder.identity(x=writer.read(v), name=f"out{i}") for i, v in enumerate(graph.roots)])
    return function


def test_every_primitive_has_a_rule() -> None:
    assert set(RULES) == set(PRIMITIVES)


@pytest.mark.parametrize(("body", "shape"), VARIANTS)
def test_a_primitive_is_what_apples_reference_says(tools: Any, body: Any, shape: tuple[int, ...]) -> None:
    graph = graph_of(body, shape)
    if not fits(graph):
        with pytest.raises(BackendError, match="at most 5 axes"):
            written(tools, graph)
        return
    (x,) = random_inputs(graph, 1)
    (wanted,) = open_session(graph, "numpy").run([x])
    function = written(tools, graph)
    assert function.outputs[0].shape == shape_of(graph.outputs[0])
    (found,) = evaluate(function, {"images": x}).values()
    assert error(np.float32(found).reshape(wanted.shape), wanted) < 1e-5


def test_coremltools_own_answers_are_numpys(tools: Any) -> None:
    answered = set()
    for kind, cases in CASES.items():
        for graph in (graph_of(*case) for case in cases):
            if not fits(graph):
                continue
            (x,) = random_inputs(graph, 1)
            own = written(tools, graph, constant={"images": x}).outputs[0].op.x.val
            if own is not None:
                (wanted,) = open_session(graph, "numpy").run([x])
                assert error(np.float32(own).reshape(wanted.shape), wanted) < 1e-5, kind
                answered.add(kind)
    assert len(answered) > 20, answered


def read_back(tools: Any, path: Path) -> tuple[Any, Any]:
    """The function in a package, and what the package says of itself."""
    from coremltools.converters.mil.frontend.milproto.load import load as load_program

    with _quiet():
        model = tools.models.MLModel(str(path), skip_model_load=True)
        spec = model.get_spec()
        program = spec.pipeline.models[0] if spec.WhichOneof("Type") == "pipeline" else spec
        loaded = load_program(program, program.specificationVersion, model.weights_dir)
    return loaded.functions["main"], spec


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_is_saved_reads_back(tools: Any, tmp_path: Path, name: str) -> None:
    from darknet_py.contract.contract import Contract, StateSpec
    from darknet_py.passes import optimize, passes_for

    graph = goldens()[name].graph()
    outputs = tuple(f"output_{i}" for i in range(len(graph.outputs)))
    states = tuple(StateSpec(s.input.name, f"next_{i}", s.input.shape) for i, s in enumerate(graph.states))
    contract = Contract(graph.image.shape, 1, outputs=outputs, states=states)
    model = to_mlmodel(optimize(graph, passes_for("coreml")), contract)
    model.save(str(tmp_path / "net.mlpackage"))
    function, _ = read_back(tools, tmp_path / "net.mlpackage")
    inputs = random_inputs(graph, 1)
    wanted = open_session(graph, "numpy").run(inputs)
    fed = dict(zip((legal(v.name) for v in graph.inputs), inputs, strict=True))
    if graph.image.shape[0] in (1, 3) and len(graph.image.shape) == 3:
        fed["images"] = fed["images"] * 255  # the package scales
    found = evaluate(function, fed)
    for own, right in zip((*outputs, *(s.output for s in states)), wanted, strict=True):
        assert error(np.float32(found[own]).reshape(right.shape), right) < 1e-4, own


export = partial(said, "export")


def test_a_detector_is_the_classic_pipeline(tools: Any, tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    told = export(cfg, "-o", tmp_path / "net.mlpackage", "--conf", "0.3", "--iou", "0.5")
    assert "not checked" in told
    function, spec = read_back(tools, tmp_path / "net.mlpackage")
    assert [m.WhichOneof("Type") for m in spec.pipeline.models] == ["mlProgram", "nonMaximumSuppression"]
    image, *thresholds = spec.description.input
    assert (image.name, image.type.imageType.width, image.type.imageType.height) == ("images", 32, 32)
    assert image.type.imageType.ColorSpace.Name(image.type.imageType.colorSpace) == "RGB"
    assert [(i.name, i.type.isOptional) for i in thresholds] == [("iouThreshold", True), ("confidenceThreshold", True)]
    suppression = spec.pipeline.models[1].nonMaximumSuppression
    assert list(suppression.stringClassLabels.vector) == ["red", "blue"]
    assert (suppression.iouThreshold, suppression.confidenceThreshold) == (0.5, 0.3)
    assert suppression.pickTop.perClass
    assert {o.name for o in spec.description.output} == {"confidence", "coordinates"}
    assert {v.name: v.shape for v in function.outputs} == {"confidence": (16, 2), "coordinates": (16, 4)}
    said = spec.description.metadata.userDefined
    assert json.loads(said["darknet.names"]) == ["red", "blue"]
    assert json.loads(said["darknet.resize"]) == "stretch"


def test_its_boxes_are_those_that_python_finds(tools: Any, tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    export(cfg, "-o", tmp_path / "net.mlpackage")
    function, _ = read_back(tools, tmp_path / "net.mlpackage")
    pixels = picture((1, 2, "red"), (3, 0, "blue"))
    found = evaluate(function, {"images": np.float32(to_input(pixels, (3, 32, 32), bgr=True)[None] * 255)})
    sure = found["confidence"].max(1) > 0.25
    wanted = load(cfg)(pixels)[0].boxes
    assert sorted(found["confidence"][sure].argmax(1).tolist()) == sorted(wanted.cls.tolist())
    own = found["coordinates"][sure] * 32
    own = np.concatenate([own[:, :2] - own[:, 2:] / 2, own[:, :2] + own[:, 2:] / 2], 1)
    np.testing.assert_allclose(own[np.lexsort(own.T)], wanted.xyxy[np.lexsort(wanted.xyxy.T)], atol=1e-3)


def test_float16_is_kept_in_half_the_bytes(tools: Any, tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=64\nsize=3\nactivation=leaky\n")
    size = {}
    for half in (False, True):
        path = tmp_path / f"{half}.mlpackage"
        export(cfg, "--random-weights", "0", "-o", path, *(["--half"] if half else []))
        size[half] = (path / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size
    assert size[True] < 0.6 * size[False]


def test_classifiers_and_recurrent_networks_end_in_what_they_give(tools: Any, tmp_path: Path) -> None:
    for cfg, inputs, outputs in ((write_classifier(tmp_path), 1, 1), (write_recurrent(tmp_path), 2, 2)):
        path = cfg.with_suffix(".mlpackage")
        export(cfg, "-o", path)
        function, _ = read_back(tools, path)
        assert len(function.inputs) == inputs
        assert len(function.outputs) == outputs


def test_a_package_is_written_over_itself_and_over_nothing_else(tools: Any, tmp_path: Path) -> None:
    cfg = write_classifier(tmp_path)
    path = tmp_path / "net.mlpackage"
    for _ in range(2):
        export(cfg, "-o", path)
    (path / "Manifest.json").write_text("mine")
    assert "Manifest.json" in export(cfg, "-o", path, fails=True)
    export(cfg, "-o", path, "--replace")
    read_back(tools, path)


def test_what_core_ml_lacks_is_refused(tmp_path: Path) -> None:
    from darknet_py.darknet.network import open_network

    network = open_network(write_detector(tmp_path))
    with pytest.raises(DataError, match="Core ML has 'raw' and 'nms'"):
        find_format(Path("net.mlpackage")).write(network, tmp_path / "net.mlpackage", boxes="padded")
