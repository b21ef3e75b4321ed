"""`readNetFromDarknet`: rows as OpenCV 4's importer gives them, from paths and from buffers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from networks import picture, write_classifier, write_detector, write_recurrent

from darknet_py.cv2_compat import DetectionModel, readNetFromDarknet
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import random_weights, write_weights
from darknet_py.errors import BackendError, WeightsError

RED = picture((1, 2, "red"))


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    return write_detector(tmp_path)


def forward(net: cv2.dnn.Net, frame: np.ndarray = RED) -> np.ndarray:
    net.setInput(cv2.dnn.blobFromImage(frame, 1 / 255, (32, 32), swapRB=True))
    (rows,) = net.forward(net.getUnconnectedOutLayersNames())
    return np.array(rows)


def test_rows_are_relative_boxes_objectness_and_scores(cfg: Path) -> None:
    net = readNetFromDarknet(str(cfg), str(cfg.with_suffix(".weights")))
    assert tuple(net.getUnconnectedOutLayersNames()) == ("yolo_2",)
    rows = forward(net)
    assert rows.shape == (16, 7)
    np.testing.assert_allclose(rows[1 * 4 + 2], [0.625, 0.375, 0.5, 0.5, 1, 1, 0], atol=1e-3)


def test_scores_up_to_the_threshold_are_zero(cfg: Path) -> None:
    dim = (RED * 0.5).astype(np.uint8)  # objectness 0.49
    score = forward(readNetFromDarknet(cfg, cfg.with_suffix(".weights")), dim)[6, 5]
    assert score == pytest.approx(0.49, abs=0.02)
    assert forward(readNetFromDarknet(cfg, cfg.with_suffix(".weights"), thresh=0.6), dim)[6, 5] == 0
    cfg.write_text(cfg.read_text() + "thresh=.7\n")
    assert forward(readNetFromDarknet(cfg, cfg.with_suffix(".weights")), dim)[6, 5] == 0
    assert (forward(readNetFromDarknet(cfg, cfg.with_suffix(".weights"), thresh=0), dim)[:, 5] > 0).all()


def test_buffers_do_as_well_as_paths(cfg: Path) -> None:
    weights = cfg.with_suffix(".weights")
    expected = forward(readNetFromDarknet(cfg, weights))
    for kind in (bytes, bytearray, lambda data: np.frombuffer(data, np.uint8)):
        net = readNetFromDarknet(kind(cfg.read_bytes()), kind(weights.read_bytes()))
        np.testing.assert_array_equal(forward(net), expected)


def test_without_weights_they_are_random(cfg: Path) -> None:
    assert forward(readNetFromDarknet(cfg)).shape == (16, 7)


def test_a_batch_keeps_its_axis(cfg: Path) -> None:
    net = readNetFromDarknet(cfg, cfg.with_suffix(".weights"), batch=2)
    net.setInput(cv2.dnn.blobFromImages([RED, RED], 1 / 255, (32, 32), swapRB=True))
    assert np.shape(net.forward(net.getUnconnectedOutLayersNames())[0]) == (2, 16, 7)


def test_a_classifier_gives_its_scores(tmp_path: Path) -> None:
    net = readNetFromDarknet(write_classifier(tmp_path))
    net.setInput(np.ones((1, 3, 4, 4), np.float32))
    np.testing.assert_allclose(np.ravel(net.forward()), [1 / 3] * 3, atol=1e-6)


def test_weights_that_do_not_fit_and_recurrence_are_errors(cfg: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read"):
        readNetFromDarknet(cfg, "missing.weights")
    with pytest.raises(BackendError, match="recurrent"):
        readNetFromDarknet(write_recurrent(tmp_path))


def test_a_buffer_that_does_not_fit_is_called_a_buffer(cfg: Path) -> None:
    data = cfg.with_suffix(".weights").read_bytes()
    for wrong in (data[:-4], data + b"1234", data + b"1", data[:10]):
        with pytest.raises(WeightsError, match="the buffer"):
            readNetFromDarknet(cfg, wrong)


def test_the_detection_model_gives_whole_pixels(cfg: Path) -> None:
    model = DetectionModel(readNetFromDarknet(cfg, cfg.with_suffix(".weights"))).setInputParams(size=(32, 32))
    classes, scores, boxes = model.detect(picture((1, 2, "red"), (1, 3, "red"), (3, 0, "blue")), 0.5, 0.2)
    assert sorted(classes.tolist()) == [0, 1]  # two red boxes overlap by a third
    assert boxes.dtype == np.int32
    assert boxes[classes == 1].tolist() == [[0, 20, 16, 12]]
    assert (scores > 0.9).all()
    assert all(len(part) == 0 for part in model.detect(np.zeros((32, 32, 3), np.uint8), 0.5, 0.4))


@pytest.mark.skipif(
    not hasattr(cv2.dnn, "readNetFromDarknet"), reason="OpenCV 5 has no importer; `make test` has OpenCV 4"
)
def test_rows_are_those_of_opencvs_own_importer(cfg: Path) -> None:
    frame = picture((1, 2, "red"), (0, 0, "blue"))
    ours = forward(readNetFromDarknet(cfg, cfg.with_suffix(".weights")), frame)
    theirs = forward(cv2.dnn.readNetFromDarknet(str(cfg), str(cfg.with_suffix(".weights"))), frame)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.fault("compat-net-input-size")
@pytest.mark.parametrize("shape", [(1, 3, 48, 32), (1, 3, 32, 48), (2, 3, 32, 32), (1, 3, 64, 64)])
def test_an_input_of_another_size_is_computed_in_that_size(cfg: Path, shape: tuple[int, ...]) -> None:
    weights = cfg.with_suffix(".weights")
    blob = np.random.default_rng(0).random(shape, np.float32)
    net = readNetFromDarknet(cfg, weights)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    own = readNetFromDarknet(cfg, weights, size=(shape[2], shape[3]), batch=shape[0])
    for each in (net, own):
        each.setInput(blob)
    np.testing.assert_array_equal(*(n.forward(n.getUnconnectedOutLayersNames())[0] for n in (net, own)))


@pytest.mark.fault("compat-net-input-size")
@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (1, 4, 32, 32), (3, 32, 32), (1, 3, 0, 32)])
def test_a_blob_that_is_no_input_is_an_error_that_opencv_code_catches(cfg: Path, shape: tuple[int, ...]) -> None:
    net = readNetFromDarknet(cfg, cfg.with_suffix(".weights"))
    for kind in (BackendError, cv2.error):
        with pytest.raises(kind, match="the network takes"):
            net.setInput(np.zeros(shape, np.float32))


@pytest.mark.fault("size-that-cannot-be")
def test_a_size_that_the_weights_do_not_fit_is_not_blamed_on_their_file(tmp_path: Path) -> None:
    cfg, weights = tmp_path / "net.cfg", tmp_path / "net.weights"
    cfg.write_text("[net]\nwidth=16\nheight=16\nchannels=3\n[connected]\noutput=4\nactivation=linear\n[softmax]\n")
    graph = compile_file(cfg).check().graph
    write_weights(weights, graph, random_weights(graph, 0))
    with pytest.raises(BackendError, match=r"do not fit an input of \(3, 32, 32\)"):
        readNetFromDarknet(cfg, weights, size=(32, 32))


def test_layers_that_nobody_reads_are_found_as_tutorials_do(cfg: Path) -> None:
    net = readNetFromDarknet(cfg, cfg.with_suffix(".weights"))
    names, numbers = net.getLayerNames(), net.getUnconnectedOutLayers()
    assert [names[i - 1] for i in numbers] == ["yolo_2"]
    assert [names[i[0] - 1] for i in numbers] == ["yolo_2"]  # before OpenCV 4.5.4
    assert [names[i - 1] for i in numbers.flatten()] == ["yolo_2"]
    assert numbers.dtype == np.int32
    assert numbers.shape == (1,)
    assert net.getLayerId("yolo_2") == numbers[0]
    assert net.getLayerId("nobody") == -1
