"""Int8 networks: what stays in float32, and that their loss is counted right and never silent."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from commands import invoke
from networks import write_classifier, write_detector, write_photos

from darknet_py import export_onnx, load
from darknet_py.analysis.quantize import Loss, Quantization, loss, split_pictures
from darknet_py.darknet.network import open_network
from darknet_py.errors import DataError
from darknet_py.ir.int8 import heads
from darknet_py.onnx.metadata import read_contract
from darknet_py.passes import optimize
from darknet_py.vision.results import Boxes, Results

DEEPER = """
[net]
width=32
height=32
channels=3
[convolutional]
filters=8
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=8
size=3
pad=1
activation=leaky
[shortcut]
from=-2
activation=linear
[avgpool]
[connected]
output=3
activation=linear
[softmax]
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos")


def found(*objects: tuple[float, float, int]) -> Results:
    """Boxes of 10x10 pixels from (left, probability, class)."""
    xyxy = np.array([[left, 0, left + 10, 10] for left, _, _ in objects], np.float32).reshape(-1, 4)
    conf, cls = (np.array([o[i] for o in objects], t) for i, t in ((1, np.float32), (2, np.int64)))
    return Results(np.zeros((9, 9, 3), np.uint8), "", {}, Boxes(xyxy, conf, cls, (9, 9)))


def scored(*scores: float) -> Results:
    return Results(np.zeros((9, 9, 3), np.uint8), "", {}, found().boxes, np.array(scores, np.float32))


def test_objects_are_matched_by_class_and_overlap() -> None:
    wanted = [found((0, 0.75, 0), (50, 0.5, 1), (90, 0.5, 1)), found()]
    got = [found((2, 0.5, 0), (50, 0.5, 0), (97, 0.5, 1)), found((0, 0.5, 0))]
    assert loss(wanted, got) == Loss(pictures=2, objects=3, recall=1 / 3, precision=1 / 4, difference=0.25)


def test_an_object_is_matched_once() -> None:
    twice = found((0, 0.75, 0), (1, 0.5, 0))
    assert loss([twice], [found((0, 0.75, 0))]) == Loss(1, 2, 0.5, 1.0, 0.0)


def test_a_classifier_is_compared_by_its_best_class() -> None:
    wanted, got = [scored(0.75, 0.25), scored(0.25, 0.75)], [scored(0.5, 0.375), scored(0.75, 0.25)]
    assert loss(wanted, got) == Loss(2, 2, 0.5, 0.5, 0.25)


def test_without_objects_nothing_is_claimed() -> None:
    nothing = loss([found()], [found()])
    assert nothing == Loss(1, 0, None, None, None)
    assert "nothing to compare" in str(nothing)
    assert str(loss([found((0, 0.5, 0))], [found()])).startswith("recall 0.0% (1 object in 1 picture")
    assert str(loss([found()], [found((0, 0.5, 0))])).startswith("precision 0.0% (0 objects")


def test_a_total_loss_is_told() -> None:
    lost = loss([found((0, 0.5, 0))], [found((50, 0.5, 0))])
    assert lost == Loss(1, 1, 0.0, 0.0, None)
    assert "recall 0.0%" in str(lost)


def test_the_last_products_and_what_follows_stay_in_float32(tmp_path: Path, photos: Path) -> None:
    cfg = tmp_path / "deeper.cfg"
    cfg.write_text(DEEPER)
    network = open_network(cfg, random=1)
    contract = export_onnx(network, tmp_path / "float.onnx")
    assert contract.int8 is None
    contract = export_onnx(network, tmp_path / "int8.onnx", int8=photos)
    plain, small = (onnx.load(tmp_path / name) for name in ("float.onnx", "int8.onnx"))
    kept = {op.output.name for op in heads(optimize(network.graph))}
    assert {n.op_type for n in plain.graph.node if n.name in kept} == {"Gemm", "Reshape", "Softmax"}
    fed = {n.name: n.input[0] for n in small.graph.node}
    made = {o: n.op_type for n in small.graph.node for o in n.output}
    convolutions = [n for n in small.graph.node if n.op_type == "Conv"]
    assert len(convolutions) == 2
    assert all(made[i] == "DequantizeLinear" for n in convolutions for i in n.input[:2])
    assert all(made.get(fed[name]) != "DequantizeLinear" or name not in kept for name in fed)
    assert load(tmp_path / "int8.onnx")(photos / "0.png")[0].scores.shape == (3,)


@pytest.mark.parametrize("batch", [None, 2])
def test_the_loss_is_in_the_result_and_in_the_file(batch: int | None, tmp_path: Path, photos: Path) -> None:
    contract = export_onnx(write_detector(tmp_path), tmp_path / "net.onnx", int8=photos, batch=batch)
    assert contract.int8 is not None
    report = Quantization.of(contract.int8)
    # The only convolution is the head's: nothing is lost.
    assert (report.held_out.pictures, report.calibration.pictures) == (2, 6)
    assert (report.held_out.recall, report.held_out.precision) == (1, 1)
    assert read_contract(tmp_path / "net.onnx") == contract


def test_the_command_prints_the_loss(tmp_path: Path, photos: Path) -> None:
    done = invoke("export", write_detector(tmp_path), "-o", tmp_path / "net.onnx", "--int8", photos)
    assert done.exit_code == 0
    assert "pictures held out: recall 100.0%, precision 100.0%" in done.stderr
    assert "times as fast as float32" in done.stderr
    assert done.stderr.startswith("calibrating int8 for onnxruntime on 6 pictures of ")


def test_with_labels_the_loss_is_told_as_map_and_on_how_few_pictures(tmp_path: Path, photos: Path) -> None:
    for one in load(write_detector(tmp_path))(photos):  # labels are what it finds, so that its mAP is 1
        rows = [f"{int(c)} {' '.join(map(str, box))}\n" for c, box in zip(one.boxes.cls, one.boxes.xywhn, strict=True)]
        Path(one.path).with_suffix(".txt").write_text("".join(rows))
    for given in (photos, f"{photos}/*.png"):
        contract = export_onnx(write_detector(tmp_path), tmp_path / "net.onnx", int8=given, replace=True)
        assert contract.int8 is not None
        scored = Quantization.of(contract.int8).scored
        assert scored is not None
        # The only convolution is the head's: nothing is lost.
        assert (scored.pictures, scored.lost, scored.is_map) == (2, 0, True)
        assert scored.before == pytest.approx(1)
        assert "by the labels of these: mAP" in str(Quantization.of(contract.int8))
        assert "on 2 pictures, which are few" in str(Quantization.of(contract.int8))
    assert read_contract(tmp_path / "net.onnx") == contract


def test_figures_of_a_file_that_was_written_before_are_read() -> None:
    loss = {"pictures": 1, "objects": 1, "recall": 1.0, "precision": 1.0, "difference": 0.0}
    found = Quantization.of({"held_out": loss, "calibration": loss, "speed": 2.0})
    assert (found.scored, found.runtime) == (None, "onnxruntime")
    assert "labels" not in str(found)


def test_one_picture_is_too_few_and_half_is_something_else(tmp_path: Path, photos: Path) -> None:
    cfg = write_classifier(tmp_path)
    with pytest.raises(DataError, match="one picture"):
        export_onnx(cfg, tmp_path / "net.onnx", int8=photos / "0.png")
    with pytest.raises(DataError, match="exclude each other"):
        export_onnx(cfg, tmp_path / "net.onnx", int8=photos, half=True)
    with pytest.raises(DataError):
        export_onnx(cfg, tmp_path / "net.onnx", int8=tmp_path / "nowhere")
    assert not (tmp_path / "net.onnx").exists()


def test_pictures_may_be_a_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(5):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((8, 8, 3), 40 * i, np.uint8))
    (tmp_path / "train.txt").write_text("".join(f"images/{i}.png\n" for i in range(5)))
    (tmp_path / "my.data").write_text("classes=1\ntrain=train.txt\n")
    for given in (folder, tmp_path, tmp_path / "my.data", f"{folder}/*.png"):
        others, held_out = split_pictures(given)
        assert (len(others), len(held_out)) == (4, 1)


def test_of_very_many_pictures_some_calibrate_and_none_of_them_is_held_out(tmp_path: Path) -> None:
    """All that calibrate are in memory at a time."""
    paths = [tmp_path / f"{i:03}.png" for i in range(200)]
    for path in paths:
        path.touch()
    (tmp_path / "my.list").write_text("".join(f"{path}\n" for path in (*paths, paths[0])))
    for given, count in ((tmp_path, 50), (tmp_path / "my.list", 51)):  # every third of those that are not held out
        others, held_out = split_pictures(given)
        assert (len(others), len(held_out)) == (count, 50)
        assert not {found.path for found in others} & {found.path for found in held_out}
    assert [len(part) for part in split_pictures(f"{tmp_path}/00[0-2].png")] == [2, 1]


def test_pictures_that_are_not_there_are_no_picture(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: No such file"):
        split_pictures(tmp_path / "nowhere")
