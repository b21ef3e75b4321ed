"""Classification: ImageNet's names, the answer of mmpretrain's call, a backbone's way from classifier to detector."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from networks import write_classifier, write_detector

from darknet_py import inference_model, load
from darknet_py.cli import main
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.network import open_network
from darknet_py.darknet.weights import random_weights, read_weights, write_weights
from darknet_py.errors import DataError, WeightsError
from darknet_py.zoo.names import COCO, find_names, imagenet_names

BLUE = np.full((4, 4, 3), (255, 0, 0), np.uint8)  # BGR

BACKBONE = """
[net]
width=32
height=32
channels=3
[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
batch_normalize=1
filters=6
size=3
pad=1
activation=leaky
"""
SHARED = 3  # layers
CLASSIFIER = BACKBONE + "[avgpool]\n[convolutional]\nfilters=1000\nsize=1\nactivation=linear\n[softmax]\n"
DETECTOR = (
    BACKBONE + "[convolutional]\nfilters=7\nsize=1\nactivation=linear\n[yolo]\nclasses=2\nnum=1\nmask=0\nanchors=8,8\n"
)


# -- names -----------------------------------------------------------------------------------------------------------


def test_imagenet_has_1000_classes_in_darknets_order() -> None:
    names = imagenet_names()
    assert len(names) == 1000
    assert (names[0], names[14], names[448], names[999]) == ("kit fox", "malamute", "tench", "dumbbell")
    # ImageNet itself has two kinds of crane and two of maillot
    assert {n for n in names if names.count(n) > 1} == {"crane", "maillot"}
    assert all(n == n.strip() != "" for n in names)


def test_a_classifier_of_1000_classes_gets_the_names_of_imagenet() -> None:
    known = find_names(1000, classifier=True)
    assert known.names == imagenet_names()
    assert known.origin.startswith("the 1000 classes of ImageNet")


def test_a_detector_of_1000_classes_does_not() -> None:
    assert find_names(1000).names[14] == "14"
    assert find_names(80).names == COCO


def test_given_names_come_first(tmp_path: Path) -> None:
    path = tmp_path / "my.names"
    path.write_text("\n".join(f"thing {i}" for i in range(1000)))
    assert find_names(1000, given=path, classifier=True).names[14] == "thing 14"


# -- inference_model -------------------------------------------------------------------------------------------------


def test_the_answer_is_that_of_mmpretrain(tmp_path: Path) -> None:
    answer = inference_model(write_classifier(tmp_path), BLUE, backend="numpy")
    assert list(answer) == ["pred_scores", "pred_label", "pred_score", "pred_class"]
    e = np.exp([0.0, 0.0, 1.0])
    np.testing.assert_allclose(answer["pred_scores"], e / e.sum(), rtol=1e-6)
    assert answer["pred_label"] == 2
    assert answer["pred_class"] == "blue"
    assert answer["pred_score"] == pytest.approx(e[2] / e.sum())


def test_an_open_model_is_taken_too(tmp_path: Path) -> None:
    model = load(write_classifier(tmp_path), backend="numpy")
    assert inference_model(model, BLUE)["pred_class"] == "blue"
    with pytest.raises(DataError, match="takes no weights and no options"):
        inference_model(model, BLUE, backend="numpy")


def test_a_detector_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the network is a detector"):
        inference_model(write_detector(tmp_path), np.zeros((32, 32, 3), np.uint8), backend="numpy")


def test_two_pictures_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="takes one picture, not 2"):
        inference_model(write_classifier(tmp_path), [BLUE, BLUE], backend="numpy")


def test_an_installed_network_classifies_by_its_name() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    answer = inference_model("cspdensenetb-ref", picture, random_weights=1)
    assert answer["pred_scores"].shape == (1000,)
    assert answer["pred_scores"].sum() == pytest.approx(1, abs=1e-5)
    assert answer["pred_class"] == imagenet_names()[answer["pred_label"]]


# -- on the command line ---------------------------------------------------------------------------------------------


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trained classifier, a detector with the same backbone, and a picture."""
    (tmp_path / "classifier.cfg").write_text(CLASSIFIER)
    (tmp_path / "detector.cfg").write_text(DETECTOR)
    graph = compile_file(tmp_path / "classifier.cfg").check().graph
    write_weights(tmp_path / "classifier.weights", graph, random_weights(graph, 3))
    cv2.imwrite(str(tmp_path / "photo.png"), np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("networks")
def test_run_prints_the_five_best_classes() -> None:
    done = call("run", "classifier.cfg", "photo.png", "--backend", "numpy", "--no-save")
    assert done.exit_code == 0, done.output
    head, *lines = done.stdout.splitlines()
    assert head.startswith("photo.png: 50x40, classes")
    answer = inference_model("classifier.cfg", "photo.png", backend="numpy")
    order = np.argsort(-answer["pred_scores"], kind="stable")[:5]
    assert lines == [f"{imagenet_names()[i]}: {answer['pred_scores'][i]:f}" for i in order]
    assert "class names: the 1000 classes of ImageNet" in done.stderr


@pytest.mark.parametrize("command", [["cut"], ["weights", "cut"]])
def test_a_backbone_goes_from_a_classifier_to_a_detector(networks: Path, command: list[str]) -> None:
    done = call(*command, "classifier.cfg", "classifier.weights", "backbone.conv.3", SHARED)
    assert done.exit_code == 0, done.output

    run = call("run", "detector.cfg", "photo.png", "-w", "backbone.conv.3", "--allow-partial", "--no-save", "--conf", 1)
    assert run.exit_code == 0, run.output
    assert "backbone.conv.3 ends before layer 3: the parameters from there on are random" in run.stderr

    classifier = compile_file("classifier.cfg").check().graph
    trained = read_weights("classifier.weights", classifier).arrays
    detector = open_network("detector.cfg", "backbone.conv.3", allow_partial=True).graph
    pairs = [pair for pair in zip(classifier.params, detector.params, strict=False) if pair[1].layer < SHARED]
    assert len(pairs) == 10  # two convolutions: biases, scales, mean, variance, weights
    for ours, theirs in pairs:
        np.testing.assert_array_equal(detector.data[theirs.value], trained[ours.value])


@pytest.mark.usefixtures("networks")
def test_a_cut_file_is_not_cut_further_down() -> None:
    call("cut", "classifier.cfg", "classifier.weights", "first.conv.2", 2)
    done = call("cut", "classifier.cfg", "first.conv.2", "more.conv.3", SHARED)
    assert done.exit_code == 1
    assert "first.conv.2 ends before layer 2, and layers 0 to 2 were wanted" in done.stderr
    assert not Path("more.conv.3").exists()
    again = call("cut", "classifier.cfg", "first.conv.2", "/dev/null", 2)
    assert again.exit_code == 0
    assert f"/dev/null: {Path('first.conv.2').stat().st_size:,} bytes, layers 0 to 1" in again.stderr


@pytest.mark.usefixtures("networks")
def test_partial_weights_are_an_error_unless_allowed() -> None:
    call("cut", "classifier.cfg", "classifier.weights", "backbone.conv.3", SHARED)
    with pytest.raises(WeightsError, match=r"too short: layer 3 \[convolutional\]"):
        load("detector.cfg", "backbone.conv.3")
    assert load("detector.cfg", "backbone.conv.3", allow_partial=True)("photo.png", conf=1)


@pytest.mark.usefixtures("networks")
def test_a_cut_in_the_middle_of_a_layer_is_no_partial_file() -> None:
    data = Path("classifier.weights").read_bytes()
    Path("broken.weights").write_bytes(data[: 20 + 4 * 10])
    with pytest.raises(WeightsError, match=r"too short: layer 0 \[convolutional\]"):
        load("detector.cfg", "broken.weights", allow_partial=True)


def test_the_networks_of_the_paper_share_their_backbone(tmp_path: Path) -> None:
    """What the help of `cut` says: the layers of a classifier without its last three are those of the detectors."""
    cut = tmp_path / "cspdensenetb-ref.conv.64"
    graph = compile_file(open_network("cspdensenetb-ref", random=1).cfg).check().graph
    write_weights(cut, graph, random_weights(graph, 1), upto=64)
    told: list[str] = []
    open_network("yolov3-cspdensenetb-ref-prn", cut, allow_partial=True, say=told.append)
    assert told
    assert "ends before layer 64:" in told[0]
