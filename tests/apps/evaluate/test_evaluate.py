"""Evaluating: Darknet's and COCO's numbers for a trained network, resuming, the report's files, and the command."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from commands import invoke
from networks import write_classifier, write_detector, write_photos

from darknet_py import load
from darknet_py.analysis import chart
from darknet_py.analysis.evaluate import coco
from darknet_py.analysis.evaluate.record import Detected
from darknet_py.apps.evaluate import report, run
from darknet_py.apps.evaluate.classifier import evaluate_classifier
from darknet_py.apps.evaluate.run import Evaluation, evaluate
from darknet_py.cli import main
from darknet_py.errors import DataError
from darknet_py.model.model import Model
from darknet_py.vision.datasets import Dataset, open_dataset


@pytest.fixture(autouse=True)
def records_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKNET_PY_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def fastest(shared: Path) -> Evaluation:
    """yolo-fastest-1.1 on coco64."""
    return evaluate(shared / "weights/yolo-fastest-1.1/yolo-fastest-1.1.cfg", shared / "images/coco64", resume=False)


def test_the_map_of_a_trained_network_is_darknets(fastest: Evaluation, shared: Path) -> None:
    golden = json.loads((shared / "golden_map/yf_p0_i50.json").read_text())
    found = fastest.to_dict()["darknet"]
    assert abs(found["map"] - golden["map"]) < 0.003
    near = [abs(100 * a["ap"] - b["ap"]) < 2 for a, b in zip(found["classes"], golden["classes"], strict=True)]
    assert sum(near) >= 78
    assert abs(found["tp_as_darknet"] - golden["tp"]) <= 10  # its order is known only as far as suppression shows it
    assert found["objects"] == golden["truths"]


def test_cocos_numbers_are_cocos(shared: Path) -> None:
    pytest.importorskip("faster_coco_eval", reason="needs the package faster-coco-eval: the extra [eval]")
    cfg = shared / "weights/yolov4-tiny/yolov4-tiny.cfg"
    found = evaluate(cfg, shared / "images/coco64", coco=True, resume=False)
    assert found.coco is not None
    assert found.coco["AP"] == pytest.approx(0.281, abs=0.002)  # pycocotools' on the same detections: 0.2814
    assert found.coco["AP50"] == pytest.approx(0.513, abs=0.002)
    golden = json.loads((shared / "golden_map/y4t_p0_i50.json").read_text())
    assert abs(found.darknet.map - golden["map"]) < 0.003
    unclipped = run.coco_numbers(found.found, found.labels, 80, clip=False)
    assert unclipped["AP"] == pytest.approx(0.277, abs=0.002)


def test_the_table_says_which_count_is_whose(fastest: Evaluation) -> None:
    text = report.format_evaluation(fastest)
    assert "by falling score; Darknet's order of visiting gives" in text
    assert "64 pictures, labels in labels/ instead of images/" in text


def test_what_differs_from_coco_is_told_for_this_very_data(fastest: Evaluation) -> None:
    text = report.explanation(fastest)
    assert "17 of 80 classes have no object" in text
    assert f"over the other 63 Darknet's mean is {fastest.darknet.map_present:.4f}" in text
    assert "detections find their object taken and overlap another one that is free" in text


def test_darknets_lines_are_darknets(fastest: Evaluation) -> None:
    lines = report.darknet_lines(fastest).splitlines()
    assert lines[1].startswith("class_id = 0, name = person, ap = 4")
    assert lines[-1].startswith(" mean average precision (mAP@0.50) = 0.30")


def test_charts_and_csv_are_written(fastest: Evaluation, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: the extra [eval]")
    for path in report.write_plots(fastest, tmp_path):
        assert cv2.imread(str(path)).std() > 10
    rows = report.write_csv(fastest, tmp_path / "classes.csv").read_text().splitlines()
    assert rows[0] == ",".join(report.COLUMNS)
    assert len(rows) == 81


def test_the_worst_pictures_come_first_and_are_drawn(fastest: Evaluation, tmp_path: Path) -> None:
    counts = [wrong for wrong, _ in report.mistakes(fastest)]
    assert counts == sorted(counts, reverse=True)
    d = fastest.darknet
    assert sum(counts) == d.by_score.fp.sum() + d.objects.sum() - d.by_score.tp.sum()
    first, second = report.write_worst(fastest, tmp_path, 2)
    assert first.name.startswith("001_")
    assert cv2.imread(str(second)) is not None


def small_set(shared: Path, count: int) -> run.Dataset:
    whole = open_dataset(shared / "images/coco64")
    return run.Dataset(whole.path, whole.examples[:count], ())


def test_an_evaluation_that_was_stopped_goes_on(shared: Path, tmp_path: Path) -> None:
    cfg = shared / "weights/yolo-fastest-1.1/yolo-fastest-1.1.cfg"
    said: list[str] = []

    def stop(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    data = small_set(shared, 8)
    with pytest.raises(KeyboardInterrupt):
        evaluate(cfg, data, progress=stop)
    (record,) = (tmp_path / "cache/evaluations").iterdir()
    record.write_bytes(record.read_bytes()[:-7])  # as a kill leaves it
    resumed = evaluate(cfg, data, say=said.append)
    whole = evaluate(cfg, data, resume=False)
    assert "4 of 8 pictures done before" in said[0]
    assert not record.exists()
    assert resumed.darknet.map == whole.darknet.map
    for a, b in zip(resumed.found, whole.found, strict=True):
        np.testing.assert_array_equal(a.boxes, b.boxes)


def test_the_thresholds_of_a_file_count_unless_others_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    for picture in photos.glob("*.png"):
        picture.with_suffix(".txt").write_text("0 0.5 0.5 0.4 0.4\n")
    cfg, suppressed = write_detector(tmp_path), list[float]()
    load(cfg).export(tmp_path / "net.onnx", threshold=0.6, iou=0.3)
    real = run._detect

    def detected(model: Model, data: Dataset, iou: float, *others: Any) -> list[Detected]:
        suppressed.append(iou)
        return real(model, data, iou, *others)

    monkeypatch.setattr(run, "_detect", detected)

    def counted_above(network: Path, *options: object) -> object:
        told = json.loads(invoke("eval", photos, network, "--no-coco", "--json", *options).stdout)
        return told["darknet"]["conf_thresh"]

    assert counted_above(cfg) == 0.25
    assert counted_above(tmp_path / "net.onnx", "--against", cfg) == 0.6
    assert counted_above(tmp_path / "net.onnx", "--conf", 0.1, "--iou", 0.5) == 0.1
    assert evaluate(tmp_path / "net.onnx", photos, coco=False).darknet.conf == 0.6
    assert suppressed == [0.45, 0.3, 0.3, 0.5, 0.3]


def test_classes_that_are_not_shown_are_measured(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    photos.joinpath("0.txt").write_text("0 0.125 0.125 0.5 0.5\n")
    photos.joinpath("1.txt").write_text("1 0.125 0.375 0.5 0.5\n")
    cfg = write_detector(tmp_path)
    cfg.with_suffix(".names").write_text("dont_show red\nblue\n")
    assert evaluate(cfg, photos, coco=False).darknet.ap.tolist() == [1, 1]


def test_labels_of_another_network_are_refused(shared: Path) -> None:
    data = small_set(shared, 1)
    named = run.Dataset(data.path, data.examples, ("cat", "dog"))
    with pytest.raises(DataError, match="names 2 classes, and the network has 80"):
        evaluate(shared / "weights/yolo-fastest-1.1/yolo-fastest-1.1.cfg", named)


@pytest.mark.parametrize("rules", [{"points": 1}, {"iou_thresh": 0.0}, {"conf": 25}, {"iou": -1}])
def test_rules_that_mean_nothing_are_refused(rules: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError):
        evaluate(tmp_path / "net.cfg", tmp_path, **rules)


def test_a_classifier_is_as_right_as_darknet_says(shared: Path, tmp_path: Path) -> None:
    folder = shared / "images/mnist"
    pixels = np.frombuffer(gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
    digits = np.frombuffer(gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:], np.uint8)
    for i in range(300):
        cv2.imwrite(str(tmp_path / f"{i:05d}_class{digits[i]}.png"), pixels.reshape(-1, 28, 28)[i])
    (tmp_path / "labels.list").write_text("".join(f"class{d}\n" for d in range(10)))
    (tmp_path / "valid.list").write_text("".join(f"{p}\n" for p in sorted(tmp_path.glob("*.png"))))
    (tmp_path / "mnist.data").write_text("valid=valid.list\nlabels=labels.list\ntop=2\n")
    cfg = shared / "weights/mnist_lenet/mnist_lenet.cfg"
    found = evaluate_classifier(cfg, tmp_path / "mnist.data", batch=32)
    assert (found.pictures, found.unknown, found.k) == (300, 0, 2)
    assert found.top1 > 0.93  # 0.9548 on all 10 000, as the network's authors have it
    assert found.topk >= found.top1
    with pytest.raises(DataError, match="finds no boxes"):
        evaluate(cfg, open_dataset(shared / "images/coco64"))


def test_the_command_prints_json_and_what_another_network_would_give(shared: Path) -> None:
    cfg = str(shared / "weights/yolo-fastest-1.1/yolo-fastest-1.1.cfg")
    folder = str(shared / "images/coco64")
    options = ("--json", "--no-coco", "--against", cfg, "--workers", "2", "--explain")
    result = CliRunner().invoke(main, ["eval", folder, cfg, *options])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["schema"] == "darknet-py/evaluation/1"
    assert data["darknet"]["map"] == data["against"]["darknet"]["map"]
    assert data["explanation"].startswith("Why COCO's AP50 differs")
    assert "(+0.0000)" in result.stderr


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    photos = write_photos(tmp_path / "photos", 2)
    for picture in photos.glob("*.png"):
        picture.with_suffix(".txt").write_text("0 0.5 0.5 0.4 0.4\n")
    return photos


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--csv", "mine.csv"], "mine.csv exists, and is not known to be written by darknet-py"),
        (["--plots", "charts"], "F1_curve.png exists, and is not known to be written by darknet-py"),
        (["--worst", "2"], "001_0.jpg exists, and is not known to be written by darknet-py"),
        (["--csv", "mine.csv/own.csv"], "mine.csv is a file, not a folder"),
        (["--images", "charts"], "is no COCO file, whose pictures could be in another folder (charts)"),
        (["--against", "gone.cfg"], "gone.cfg"),
        (["--against", "other/net.cfg"], "net.cfg is a classifier, and the network"),
    ],
)
def test_what_would_fail_at_the_end_fails_before_anything_is_computed(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: the extra [eval]")
    monkeypatch.chdir(tmp_path)
    cfg = write_detector(tmp_path)
    for name in ("charts", "other", "worst"):
        Path(name).mkdir()
    write_classifier(tmp_path / "other").rename("other/net.cfg")
    for name in ("mine.csv", "charts/F1_curve.png", "worst/001_0.jpg"):
        Path(name).write_text("mine")
    monkeypatch.setattr(run, "_detect", lambda *_: pytest.fail("computed"))
    done = invoke("eval", labelled, cfg, "--no-coco", *options)
    assert done.exit_code == 1
    assert said in done.stderr


def test_files_of_others_among_the_worst_pictures_stay_where_none_of_them_is_replaced(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    theirs = [Path("worst", name) for name in ("001.jpg", "0001_0.jpg", "003_0.jpg", "001_other.jpg")]
    Path("worst").mkdir()
    for path in theirs:
        path.write_text("mine")
    done = invoke("eval", labelled, write_detector(tmp_path), "--no-coco", "--worst", "2")
    assert done.exit_code == 0, done.stderr
    assert [path.read_text() for path in theirs] == ["mine"] * len(theirs)
    assert Path("worst/001_0.jpg").is_file()


def test_charts_without_matplotlib_are_refused_at_once(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart, "find_spec", lambda _: None)
    monkeypatch.setattr(run, "_detect", lambda *_: pytest.fail("computed"))
    done = invoke("eval", labelled, write_detector(labelled.parent), "--no-coco", "--plots", labelled / "charts")
    assert done.exit_code == 1
    assert "charts need matplotlib" in done.stderr


def test_a_package_is_advised_only_where_it_is_missing(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluate(write_detector(tmp_path), labelled, coco=False)
    for is_there in (True, False):
        monkeypatch.setattr(report, "has_coco", lambda is_there=is_there: is_there)
        assert ("install faster-coco-eval" in report.format_evaluation(found)) != is_there


def test_a_matplotlib_that_cannot_be_imported_is_an_error_and_no_traceback(
    labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: the extra [eval]")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = invoke("eval", labelled, write_detector(labelled.parent), "--no-coco", "--plots", labelled / "charts")
    assert done.exit_code == 1
    assert "matplotlib is installed, and cannot be imported: " in done.stderr


def test_what_is_for_detectors_is_refused_for_a_classifier(labelled: Path, tmp_path: Path) -> None:
    done = invoke("eval", labelled, write_classifier(tmp_path), "--csv", tmp_path / "a.csv", "--explain")
    assert done.exit_code == 2
    assert "is a classifier, without boxes: leave out --csv, --explain" in done.stderr
    done = invoke("eval", labelled, tmp_path / "colour.cfg", "--conf", 0, "--points", 11, "--no-coco", "--iou", 0.45)
    assert "leave out --conf, --iou, --points" in done.stderr
    for option in (("--iou-thresh", "0.5"), ("--conf", "0"), ("--images", "x")):
        done = invoke("eval", labelled, tmp_path / "colour.cfg", *option)
        assert done.exit_code == 2
        assert f"leave out {option[0]}" in done.stderr


def test_either_list_of_a_classifier_is_measured(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    (photos / "0.png").rename(photos / "red.png")
    (photos / "1.png").rename(photos / "green.png")  # and is blue
    for name in ("red", "green"):
        (tmp_path / f"{name}.txt").write_text(f"photos/{name}.png\n")
    data = tmp_path / "colour.data"
    data.write_text("train=red.txt\nvalid=green.txt\nlabels=colour.names\n")
    cfg = write_classifier(tmp_path)
    assert "top-1 0.0000" in invoke("eval", data, cfg).stdout
    assert "top-1 1.0000" in invoke("eval", data, cfg, "--split", "train").stdout


def test_both_networks_see_the_same_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    (photos / "0.txt").write_text("0 0.125 0.125 0.5 0.5\n")
    fitted: list[str] = []
    real = run._detect

    def detected(model: Model, *others: Any) -> list[Detected]:
        fitted.append(model.contract.resize)
        return real(model, *others)

    monkeypatch.setattr(run, "_detect", detected)
    cfg = write_detector(tmp_path)
    invoke("eval", photos, cfg, "--against", cfg, "--letterbox", "--no-coco")
    assert fitted == ["letterbox"] * 2


def test_a_split_is_a_classifiers_too(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "red", 4)
    cfg = write_classifier(tmp_path)
    for split, listed in (("train", "0 1 2"), ("valid", "3")):
        (tmp_path / f"{split}.txt").write_text("".join(f"{photos / i}.png\n" for i in listed.split()))
    data = tmp_path / "my.data"
    data.write_text("train=train.txt\nvalid=valid.txt\n")
    for split, count in (("train", "3 pictures"), ("valid", "1 picture")):
        assert invoke("eval", data, cfg, "--split", split).stdout.startswith(f"{count}: ")


@pytest.mark.parametrize("network", ["detector", "classifier"])
def test_a_list_with_a_picture_that_is_not_there_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    monkeypatch.setattr(Model, "__call__", lambda *_, **__: pytest.fail("computed"))
    photos = write_photos(tmp_path / "red", 2)
    (photos / "0.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (tmp_path / "list.txt").write_text(f"{photos / '0.png'}\n{photos / 'gone.png'}\n")
    cfg = write_detector(tmp_path) if network == "detector" else write_classifier(tmp_path)
    done = invoke("eval", tmp_path / "list.txt", cfg, "--no-coco")
    assert done.exit_code == 1
    assert "list.txt: a picture of it is not there: " in done.stderr


def test_labels_that_cannot_be_read_are_told_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "__call__", lambda *_, **__: pytest.fail("computed"))
    photos = write_photos(tmp_path / "JPEGImages", 2)
    (tmp_path / "Annotations").mkdir()
    for i in range(2):
        (tmp_path / "Annotations" / f"{i}.xml").write_text("<annotation>")
    with pytest.raises(DataError, match=r"0\.xml: not the XML of PASCAL VOC"):
        evaluate(write_detector(tmp_path), photos, coco=False)


def test_cocos_numbers_without_their_package_are_refused_at_once(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Model, "__call__", lambda *_, **__: pytest.fail("computed"))
    monkeypatch.setattr(coco, "find_spec", lambda _: None)
    with pytest.raises(DataError, match="need the package faster-coco-eval"):
        evaluate(write_detector(tmp_path), labelled, coco=True)
