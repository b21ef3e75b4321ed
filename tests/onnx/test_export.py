"""Exported files: they load, they compute what the network does, and they say what they are."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from goldens import goldens
from networks import picture, write_detector

from darknet_py import export_onnx, load
from darknet_py.backends.session import open_session
from darknet_py.contract.contract import SUPPRESSED, Contract
from darknet_py.darknet.network import Network, open_network
from darknet_py.errors import BackendError, DataError
from darknet_py.files import LIST
from darknet_py.onnx.export import BOXES
from darknet_py.onnx.metadata import read_contract
from darknet_py.onnx.operators import OPERATORS

SUPPRESSION = {
    "nms": {"NonMaxSuppression", "GatherND", "Unsqueeze"},
    "padded": {"NonMaxSuppression", "GatherND", "Unsqueeze", "ScatterND", "TopK", "Greater", "Mod", "Where"},
}
HEADS = ("yolo_two_heads", "gyolo_basic", "region_nosoftmax", "region_classfix", "detection_sqrt", "detection_nosqrt")


def run(path: Path, *inputs: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(zip((i.name for i in session.get_inputs()), inputs, strict=True))))


def case(name: str) -> tuple[Network, np.ndarray]:
    """A golden network, and its input with a batch axis."""
    folder = goldens()[name].folder
    return open_network(folder / "net.cfg", folder / "net.weights"), goldens()[name].steps()[0]


def suppression_of(network: Network) -> str:
    """How the cfg says that boxes are suppressed."""
    return network.program().contract.nms_kind


@pytest.fixture
def tiny(tmp_path: Path) -> Network:
    cfg = tmp_path / "tiny.cfg"
    cfg.write_text(
        "[net]\nwidth=32\nheight=32\nchannels=3\n[conv]\nfilters=16\nsize=3\nstride=16\npad=1\nbatch_normalize=1\n"
        "activation=mish\n[conv]\nfilters=21\nactivation=linear\n[yolo]\nclasses=2\nnum=3\nanchors=4,5, 9,8, 20,25\n"
    )
    return open_network(cfg, random=0)


@pytest.mark.parametrize("batch", [None, 2])
def test_raw_outputs_are_those_of_the_heads(tmp_path: Path, batch: int | None) -> None:
    network, x = case("yolo_two_heads")
    contract = export_onnx(network, tmp_path / "net.onnx", batch=batch)
    x = np.concatenate([x, x * 0.5])
    wanted = open_session(network.graph, "numpy").run([x])
    got = run(tmp_path / "net.onnx", x)
    assert list(contract.outputs) == [o.name for o in onnx.load(tmp_path / "net.onnx").graph.output]
    for a, b in zip(got, wanted, strict=True):
        assert np.abs(a - b).max() < 1e-5 * np.abs(b).max()


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    network, _ = case("yolo_two_heads")
    written = export_onnx(network, tmp_path / "net.onnx", threshold=0.3, iou=0.5, letterbox=True)
    read = read_contract(tmp_path / "net.onnx")
    assert read == written
    assert read.cfg == "net.cfg"
    assert read.cfg_sha256 == hashlib.sha256(network.cfg.read_bytes()).hexdigest()
    assert network.weights is not None
    assert read.weights_sha256 == hashlib.sha256(network.weights.read_bytes()).hexdigest()
    assert read.shape == network.graph.image.shape
    assert (read.colour, read.scale, read.resize, read.threshold, read.iou) == ("RGB", 1 / 255, "letterbox", 0.3, 0.5)
    assert [d.kind for d in read.decoders] == ["yolo", "yolo"]
    assert len(read.names) == read.classes == read.decoders[0].classes
    assert network.compilation.decoders == read.decoders


@pytest.mark.parametrize("letterbox", [False, True])
@pytest.mark.parametrize("name", HEADS)
def test_boxes_are_the_same_however_they_are_exported(tmp_path: Path, name: str, letterbox: bool) -> None:
    network, x = case(name)
    graph, size = network.graph, (200, 300)
    outputs = [o[0] for o in open_session(graph, "numpy").run([x])]
    options = dict(threshold=0.05, iou=0.45)
    wanted = network.program().contract.decode(outputs, size, letterbox=letterbox, **options)
    assert len(wanted) > 3
    suppression = suppression_of(network)
    for boxes in BOXES:
        path = tmp_path / f"{boxes}.onnx"
        export_onnx(network, path, boxes=boxes, letterbox=letterbox, max_detections=5000, **options)
        contract = read_contract(path)
        results = run(path, x)
        got = contract.decode(results if boxes == "nms" else [r[0] for r in results], size)
        if boxes in SUPPRESSED and suppression not in ("default", "cornersnms"):
            assert 0.7 * len(wanted) < len(got) < 1.1 * len(wanted), "plain IoU is all that ONNX has"
            continue
        assert len(got) == len(wanted), boxes
        assert np.allclose(got.conf, wanted.conf, atol=1e-5)
        by_place = [np.lexsort((*d.xyxy.round(0).T, d.cls)) for d in (got, wanted)]
        assert np.array_equal(got.cls[by_place[0]], wanted.cls[by_place[1]])
        assert np.allclose(got.xyxy[by_place[0]], wanted.xyxy[by_place[1]], atol=0.02)


def test_the_shapes_of_boxes_are_documented(tmp_path: Path, tiny: Network) -> None:
    x = np.random.default_rng(0).random((2, 3, 32, 32), np.float32)
    export_onnx(tiny, tmp_path / "decoded.onnx", boxes="decoded")
    boxes, scores = run(tmp_path / "decoded.onnx", x)
    assert (boxes.shape, scores.shape) == ((2, 12, 4), (2, 12, 2))
    export_onnx(tiny, tmp_path / "nms.onnx", boxes="nms", threshold=0.1)
    (rows,) = run(tmp_path / "nms.onnx", x)
    assert rows.shape[1] == 7
    assert len(rows) > 3
    assert set(rows[:, 0]) == {0, 1}
    assert (rows[:, 5] > 0.1).all()


def test_padded_boxes_have_a_batch_axis_and_keep_samples_apart(tmp_path: Path, tiny: Network) -> None:
    x = np.random.default_rng(0).random((3, 3, 32, 32), np.float32)
    x[1] = 0
    options = dict(threshold=0.1, iou=0.45)
    export_onnx(tiny, tmp_path / "nms.onnx", boxes="nms", **options)
    export_onnx(tiny, tmp_path / "padded.onnx", boxes="padded", max_detections=24, **options)
    (rows,) = run(tmp_path / "nms.onnx", x)
    count, boxes, scores, classes = run(tmp_path / "padded.onnx", x)
    assert (count.dtype, classes.dtype) == (np.int32, np.int32)
    assert [a.shape for a in (count, boxes, scores, classes)] == [(3, 1), (3, 24, 4), (3, 24), (3, 24)]
    for i in range(3):
        own = rows[rows[:, 0] == i]
        own = own[np.argsort(-own[:, 5], kind="stable")]
        n = int(count[i, 0])
        assert n == len(own)
        np.testing.assert_allclose(scores[i, :n], own[:, 5], atol=1e-6)
        np.testing.assert_allclose(np.sort(boxes[i, :n], 0), np.sort(own[:, 1:5], 0), atol=1e-4)
        np.testing.assert_array_equal(np.sort(classes[i, :n]), np.sort(own[:, 6]))
        assert not boxes[i, n:].any()
        assert not scores[i, n:].any()
        assert not classes[i, n:].any()


def test_padded_boxes_are_the_best_of_all_classes(tmp_path: Path, tiny: Network) -> None:
    x = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    for most in (2, 1000):
        export_onnx(tiny, tmp_path / f"{most}.onnx", boxes="padded", max_detections=most, threshold=0.1)
    (few, many) = (run(tmp_path / f"{most}.onnx", x) for most in (2, 1000))
    assert few[0].tolist() == [[2]]
    np.testing.assert_array_equal(few[1][0], many[1][0, :2])
    assert read_contract(tmp_path / "2.onnx").max_detections == 2
    assert many[1].shape == (1, 24, 4), "12 boxes of 2 classes: there cannot be more"


def test_nothing_found_is_no_row(tmp_path: Path, tiny: Network) -> None:
    export_onnx(tiny, tmp_path / "nms.onnx", boxes="nms", threshold=0.999, batch=1)
    x = np.zeros((1, 3, 32, 32), np.float32)
    assert run(tmp_path / "nms.onnx", x)[0].shape == (0, 7)
    assert len(read_contract(tmp_path / "nms.onnx").decode(run(tmp_path / "nms.onnx", x), (10, 10))) == 0


@pytest.mark.parametrize("boxes", ["raw", "decoded", "nms"])
def test_opencv_reads_the_file(tmp_path: Path, tiny: Network, boxes: str) -> None:
    import cv2

    if boxes == "nms" and int(cv2.__version__.split(".")[0]) < 5:
        pytest.skip("needs OpenCV 5: OpenCV 4 has no NonMaxSuppression; install 'opencv-python>=5'")
    path = tmp_path / "net.onnx"
    export_onnx(tiny, path, boxes=boxes, batch=1, threshold=0.1)
    x = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    net = cv2.dnn.readNetFromONNX(str(path))
    net.setInput(x)
    got = net.forward([o.name for o in onnx.load(path).graph.output])
    for a, b in zip(got, run(path, x), strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() < 1e-4 * max(1, np.abs(b).max())


@pytest.mark.parametrize("boxes", BOXES)
@pytest.mark.parametrize("half", [False, True])
def test_files_pass_the_checker_and_hold_portable_operators(
    tmp_path: Path, tiny: Network, boxes: str, half: bool
) -> None:
    export_onnx(tiny, tmp_path / "net.onnx", boxes=boxes, half=half)
    model = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(model, full_check=True)
    used = {n.op_type for n in model.graph.node}
    assert used <= OPERATORS | SUPPRESSION.get(boxes, set())


def test_float16_is_half_as_large_and_boxes_stay_close(tmp_path: Path) -> None:
    network, x = case("yolo_two_heads")
    for half in (False, True):
        export_onnx(network, tmp_path / f"{half}.onnx", boxes="decoded", half=half)
    whole, half_model = (onnx.load(tmp_path / f"{h}.onnx") for h in (False, True))
    sizes = [sum(len(i.raw_data) for i in m.graph.initializer if "weights" in i.name) for m in (whole, half_model)]
    assert sizes[1] * 2 == sizes[0]
    wanted, got = run(tmp_path / "False.onnx", x), run(tmp_path / "True.onnx", x)
    assert all(a.dtype == np.float32 for a in got)
    assert np.abs(got[1] - wanted[1]).max() < 0.01


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_model_is_not_renamed_over_what_is_no_file(tmp_path: Path, tiny: Network) -> None:
    (tmp_path / "folder.onnx").mkdir()
    os.mkfifo(tmp_path / "pipe.onnx")
    for name in ("folder.onnx", "pipe.onnx"):
        with pytest.raises(DataError, match="cannot write"):
            export_onnx(tiny, tmp_path / name)
    assert (tmp_path / "pipe.onnx").is_fifo()


def test_arrays_may_go_to_a_second_file(tmp_path: Path, tiny: Network) -> None:
    export_onnx(tiny, tmp_path / "net.onnx")
    export_onnx(tiny, tmp_path / "split.onnx", external=True)
    found = sorted(p.name for p in tmp_path.iterdir())
    assert found == [LIST, "net.onnx", "split.onnx", "split.onnx.data", "tiny.cfg"]
    assert (tmp_path / "split.onnx.data").stat().st_mode == (tmp_path / "split.onnx").stat().st_mode
    x = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    assert np.array_equal(run(tmp_path / "net.onnx", x)[0], run(tmp_path / "split.onnx", x)[0])
    assert read_contract(tmp_path / "split.onnx") == read_contract(tmp_path / "net.onnx")


def test_arrays_in_a_second_file_are_written_again_also_in_the_current_folder(
    tmp_path: Path, tiny: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        export_onnx(tiny, "split.onnx", external=True)
    assert sorted(p.name for p in tmp_path.glob("split*")) == ["split.onnx", "split.onnx.data"]
    assert load("split.onnx").contract.boxes == "raw"


def test_a_file_that_was_changed_since_is_the_users(tmp_path: Path, tiny: Network) -> None:
    path = tmp_path / "net.onnx"
    for _ in range(2):
        export_onnx(tiny, path)
    model = onnx.load(path)
    model.doc_string = "mine"
    onnx.save(model, path)
    with pytest.raises(DataError, match="or was changed since"):
        export_onnx(tiny, path)
    assert onnx.load(path).doc_string == "mine"
    export_onnx(tiny, path, replace=True)


def test_thresholds_that_a_file_says_count_where_nothing_else_is_asked(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    cells = picture((0, 0, "red"), (2, 2, "blue"))
    export_onnx(cfg, tmp_path / "net.onnx", threshold=0.99999)
    model = load(tmp_path / "net.onnx", quiet=True)
    assert len(load(cfg, quiet=True)(cells)[0].boxes) == 2
    assert len(model(cells)[0].boxes) == 0
    assert len(model(cells, conf=0.25)[0].boxes) == 2
    assert len(model(cells, conf={"red": 0.25})[0].boxes) == 1


def test_memory_is_an_input_and_an_output(tmp_path: Path) -> None:
    network, x = case("rnn_basic")
    contract = export_onnx(network, tmp_path / "net.onnx")
    assert contract.states
    states = [np.zeros((1, *s.shape), np.float32) for s in contract.states]
    wanted = open_session(network.graph, "numpy").run([x, *states])
    names = [o.name for o in onnx.load(tmp_path / "net.onnx").graph.output]
    assert names[1:] == [s.output for s in contract.states]
    for a, b in zip(run(tmp_path / "net.onnx", x, *states), wanted, strict=True):
        assert np.allclose(a, b, atol=1e-5)


def test_nodes_say_which_line_of_the_cfg_they_come_from(tmp_path: Path, tiny: Network) -> None:
    export_onnx(tiny, tmp_path / "net.onnx")
    documents = {n.doc_string for n in onnx.load(tmp_path / "net.onnx").graph.node}
    assert "tiny.cfg:5 [conv]" in documents


def test_what_cannot_be_is_an_error(tmp_path: Path, tiny: Network) -> None:
    with pytest.raises(DataError, match="boxes='all' is none of raw, decoded, nms"):
        export_onnx(tiny, tmp_path / "net.onnx", boxes="all")
    with pytest.raises(DataError, match="a batch of 0"):
        export_onnx(tiny, tmp_path / "net.onnx", batch=0)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="cannot write"):
        export_onnx(tiny, tmp_path / "file" / "net.onnx")
    export_onnx(tiny, tmp_path / "new" / "folder" / "net.onnx")  # a folder that is missing is made
    with pytest.raises(DataError, match="cannot read"):
        read_contract(tmp_path / "nowhere.onnx")
    (tmp_path / "plain.onnx").write_bytes(onnx.ModelProto(ir_version=8).SerializeToString())
    with pytest.raises(DataError, match="not exported by darknet-py"):
        read_contract(tmp_path / "plain.onnx")
    (tmp_path / "text.onnx").write_text("no model at all, but a text")
    with pytest.raises(DataError, match=r"text\.onnx"):
        read_contract(tmp_path / "text.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_a_network_without_heads_has_no_boxes(tmp_path: Path) -> None:
    cfg = tmp_path / "classifier.cfg"
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n")
    contract = export_onnx(cfg, tmp_path / "net.onnx")
    assert (contract.resize, contract.decoders) == ("crop", ())
    with pytest.raises(DataError, match="no layer that gives boxes"):
        contract.decode([], (8, 8))
    with pytest.raises(BackendError, match="no layer that gives boxes"):
        export_onnx(cfg, tmp_path / "boxes.onnx", boxes="decoded")


def test_the_class_tree_travels_with_the_file(tmp_path: Path) -> None:
    network, x = case("region_tree")
    export_onnx(network, tmp_path / "net.onnx")
    contract = read_contract(tmp_path / "net.onnx")
    outputs = run(tmp_path / "net.onnx", x)[0]
    wanted = network.program().contract.decode(outputs, (100, 100))
    assert np.array_equal(contract.decode(outputs, (100, 100)).cls, wanted.cls)
    assert isinstance(contract, Contract)


def test_efficient_nms_is_another_word_for_padded(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    contract = export_onnx(cfg, tmp_path / "net.onnx", boxes="efficient-nms")
    assert contract.boxes == "padded"
    assert contract.outputs == ("num_dets", "boxes", "scores", "classes")


def test_the_node_of_tensorrt_is_as_its_documentation_says(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    contract = export_onnx(
        cfg, tmp_path / "net.onnx", boxes="tensorrt", threshold=0.3, iou=0.4, max_detections=7, replace=True
    )
    model = onnx.load(tmp_path / "net.onnx")
    (node,) = (n for n in model.graph.node if n.op_type == "EfficientNMS_TRT")
    shapes = {v.name: v for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
    count = shapes["all.boxes"].type.tensor_type.shape.dim[1].dim_value
    assert [d.dim_value for d in shapes["all.scores"].type.tensor_type.shape.dim][1:] == [count, contract.classes]
    told = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert told.pop("score_threshold") == pytest.approx(0.3)
    assert told.pop("iou_threshold") == pytest.approx(0.4)
    assert told == {
        "max_output_boxes": 7, "background_class": -1, "score_activation": 0, "class_agnostic": 0, "box_coding": 0,
        "plugin_version": b"1",
    }  # fmt: skip
    found = [
        (o.name, o.type.tensor_type.elem_type, [d.dim_param or d.dim_value for d in o.type.tensor_type.shape.dim])
        for o in model.graph.output
    ]
    assert found == [
        ("num_dets", onnx.TensorProto.INT32, ["N", 1]), ("boxes", onnx.TensorProto.FLOAT, ["N", 7, 4]),
        ("scores", onnx.TensorProto.FLOAT, ["N", 7]), ("classes", onnx.TensorProto.INT32, ["N", 7]),
    ]  # fmt: skip
    assert read_contract(tmp_path / "net.onnx").boxes == "tensorrt"
