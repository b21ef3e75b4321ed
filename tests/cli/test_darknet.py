"""Darknet's own command lines: what they print and write, for a detector and a classifier worked out by hand."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner
from networks import write_classifier

from darknet_py.cli import main
from darknet_py.cli.darknet_options import IGNORED
from darknet_py.model.model import Model

from .conftest import Run

BOX = "(left_x:   12   top_y:    4   width:   16   height:   16)"


@pytest.fixture
def data(tmp_path: Path, cfg: Path, photos: Path) -> Path:
    """A .data file for the detector and the photos."""
    (tmp_path / "valid.txt").write_text("".join(f"{p}\n" for p in sorted(photos.glob("?.*"))))
    path = tmp_path / "obj.data"
    path.write_text("classes = 2\nvalid = valid.txt\nnames = net.names\nresults = out\n")
    return path


def test_detector_test_prints_darknets_lines(run: Run, data: Path) -> None:
    line = f"detector test {data} net.cfg net.weights photos/a.png -thresh 0.25 -dont_show"
    head, found = run(*line.split()).stdout.splitlines()
    assert head.startswith("photos/a.png: Predicted in ")
    assert head.endswith(" milli-seconds.")
    assert found == "red: 100%"
    assert cv2.imread("predictions.jpg").shape == (32, 32, 3)


def test_options_stand_anywhere(run: Run, data: Path) -> None:
    line = f"detector test -ext_output {data} -thresh 0.3 net.cfg net.weights -out result.json photos/b.png"
    assert run(*line.split()).stdout.splitlines()[1] == f"blue: 100%\t{BOX}"
    (picture,) = json.loads(Path("result.json").read_text())
    assert picture["frame_id"] == 1
    assert picture["filename"] == "photos/b.png"
    (found,) = picture["objects"]
    assert found["name"] == "blue"
    assert found["relative_coordinates"] == {"center_x": 0.625, "center_y": 0.375, "width": 0.5, "height": 0.5}


def test_the_json_is_laid_out_as_darknets(run: Run, data: Path) -> None:
    run(*f"detector test {data} net.cfg net.weights photos/a.png -out result.json".split())
    lines = Path("result.json").read_text().splitlines()
    assert lines[:5] == ["[", "{", ' "frame_id":1, ', ' "filename":"photos/a.png", ', ' "objects": [ ']
    assert lines[5].startswith('  {"class_id":0, "name":"red", "relative_coordinates":{"center_x":0.625000, ')
    assert lines[6:] == [" ] ", "}", "]"]


def test_a_threshold_that_nothing_reaches_prints_the_head_only(run: Run, data: Path) -> None:
    assert run(*f"detector test {data} net.cfg net.weights photos/a.png -thresh 1".split()).stdout.count("\n") == 1


def test_without_a_photo_paths_come_from_the_standard_input(run: Run, data: Path) -> None:
    arguments = f"detector test {data} net.cfg net.weights -out result.json".split()
    result = CliRunner().invoke(main, arguments, input="photos/a.png\nnone.png\nphotos/b.png\n")
    assert result.exit_code == 1
    assert result.stdout.count("Enter Image Path: ") == 4
    assert "red: 100%" in result.stdout
    assert "blue: 100%" in result.stdout
    assert "none.png" in result.stderr
    assert [p["frame_id"] for p in json.loads(Path("result.json").read_text())] == [1, 2]


def test_options_that_do_nothing_are_said_to(run: Run, data: Path) -> None:
    result = run(*f"detector test {data} net.cfg net.weights photos/a.png -i 0 -gpus 0,1 -hier .5 -dont_show".split())
    assert result.exit_code == 0
    assert "-gpus is ignored: the processor computes" in result.stderr
    assert "-hier is ignored" in result.stderr
    assert "-dont_show" not in result.stderr


def test_every_option_of_darknets_is_taken(run: Run, data: Path) -> None:
    own = {"-thresh", "-ext_output", "-letter_box"}
    given = [
        word for name, (takes, _) in IGNORED.items() if name not in own for word in ([name, "1"] if takes else [name])
    ]
    result = run("detector", "test", *given, data, "net.cfg", "net.weights", "photos/a.png")
    assert result.exit_code == 0
    assert "-width is ignored: only `detector calc_anchors` reads it, in Darknet too" in result.stderr


def test_labels_are_written_beside_the_photo_and_never_replaced(run: Run, data: Path) -> None:
    line = f"detector test {data} net.cfg net.weights photos/a.png -save_labels".split()
    assert run(*line).exit_code == 0
    assert Path("photos/a.txt").read_text() == "0 0.6250 0.3750 0.5000 0.5000\n"
    Path("photos/a.txt").write_text("the truth")
    result = run(*line)
    assert result.exit_code == 1
    assert "labels are not replaced" in result.stderr
    assert Path("photos/a.txt").read_text() == "the truth"


def test_a_photo_called_predictions_is_not_drawn_over(run: Run, data: Path, photos: Path) -> None:
    cv2.imwrite("predictions.jpg", cv2.imread(str(photos / "a.png")))
    before = Path("predictions.jpg").read_bytes()
    run(*f"detector test {data} net.cfg net.weights predictions.jpg".split())
    assert Path("predictions.jpg").read_bytes() == before


def test_a_missing_photo_is_reported_before_anything_is_opened(run: Run) -> None:
    result = run("detector", "test", "no.data", "no.cfg", "no.weights", "no.jpg")
    assert result.exit_code == 1
    assert result.stderr == "error: cannot read the picture no.jpg: no such file\n"


def test_detect_takes_no_data_file(run: Run, cfg: Path, photos: Path) -> None:
    assert "red: 100%\n" in run("detect", "net.cfg", "net.weights", "photos/a.png").stdout


def test_detector_valid_writes_a_file_for_each_class(run: Run, data: Path) -> None:
    result = run("detector", "valid", data, "net.cfg", "net.weights")
    assert result.exit_code == 0
    assert result.stdout.split() == ["out/comp4_det_test_red.txt", "out/comp4_det_test_blue.txt"]
    names, scores, boxes = [], [], []
    for line in Path("out/comp4_det_test_red.txt").read_text().splitlines():
        name, score, *box = line.split()
        names.append(name)
        scores.append(float(score))
        boxes.append(box)
    assert names == ["a", "c"]
    assert min(scores) > 0.99
    assert boxes == [["13.000000", "5.000000", "29.000000", "21.000000"]] * 2
    assert "Total Detection Time: " in result.stderr


def test_detector_valid_writes_classes_that_are_not_shown_too(run: Run, data: Path, cfg: Path) -> None:
    Path("net.names").write_text("dont_show red\nblue\n")
    run("detector", "valid", data, "net.cfg", "net.weights")
    assert Path("out/comp4_det_test_dont_show red.txt").read_text().startswith("a 0.99")


def test_detector_valid_writes_cocos_file(run: Run, data: Path) -> None:
    data.write_text(data.read_text() + "eval=coco\n")
    Path("photos/a.png").rename("photos/COCO_val_000000000139.png")
    Path("valid.txt").write_text("photos/COCO_val_000000000139.png\n")
    assert run("detector", "valid", data, "net.cfg", "net.weights").stdout == "out/coco_results.json\n"
    (found,) = json.loads(Path("out/coco_results.json").read_text())
    assert found["image_id"] == 139
    assert found["category_id"] == 1
    assert found["bbox"] == [12, 4, 16, 16]


def test_detector_valid_writes_imagenets_file(run: Run, data: Path) -> None:
    data.write_text(data.read_text() + "eval=imagenet\n")
    run("detector", "valid", data, "net.cfg", "net.weights", "-out", "mine")
    first, second, third = Path("out/mine.txt").read_text().splitlines()
    assert first.startswith("1 1 0.99")
    assert second.startswith("2 2 0.99")
    assert third.endswith("12.000000 4.000000 28.000000 20.000000")


def test_detector_valid_refuses_a_form_that_it_cannot_write(run: Run, data: Path) -> None:
    data.write_text(data.read_text() + "eval=kitti\n")
    assert "eval=kitti; voc, coco, imagenet are written here" in run("detector", "valid", data, "net.cfg").stderr


def test_classifier_predict_prints_the_best_classes(run: Run, tmp_path: Path, photos: Path) -> None:
    write_classifier(tmp_path)
    Path("w").write_bytes(struct.pack("<iiiq", 0, 2, 5, 0))
    Path("colour.data").write_text("names=colour.names\ntop=2\n")
    size, head, *lines = run(
        "classifier", "predict", "colour.data", "colour.cfg", "w", "photos/b.png"
    ).stdout.splitlines()
    assert size == "4 4"
    assert head.startswith("photos/b.png: Predicted in ")
    assert [line.partition(":")[0] for line in lines] == ["blue", "red"]
    more = run("classifier", "predict", "colour.data", "colour.cfg", "w", "photos/b.png", "-t", 1).stdout
    assert more.count("\n") == 3
    short = run("classify", "colour.cfg", "w", "photos/b.png").stdout
    assert short.count("\n") == 5


def test_each_kind_of_network_names_the_command_of_the_other(run: Run, data: Path, tmp_path: Path) -> None:
    write_classifier(tmp_path)
    Path("w").write_bytes(struct.pack("<iiiq", 0, 2, 5, 0))
    Path("colour.data").write_text("names=colour.names\n")
    assert "classifier predict" in run("detector", "test", "colour.data", "colour.cfg", "w", "photos/a.png").stderr
    assert "detector test" in run("classifier", "predict", data, "net.cfg", "net.weights", "photos/a.png").stderr


def test_partial_writes_what_cut_writes(run: Run, cfg: Path) -> None:
    assert run("partial", "net.cfg", "net.weights", "a.conv", 2).exit_code == 0
    assert run("cut", "net.cfg", "net.weights", "b.conv", 2).exit_code == 0
    assert Path("a.conv").read_bytes() == Path("b.conv").read_bytes()


@pytest.mark.parametrize("line", ["detector recall", "detector demo", "classifier label", "classifier try"])
def test_what_is_not_here_is_answered(run: Run, line: str) -> None:
    result = run(*line.split(), "obj.data", "net.cfg")
    assert result.exit_code == 2
    assert f"there is no {line!r} here: " in result.stderr


def test_a_misspelt_option_gets_the_closest_one(run: Run, data: Path) -> None:
    assert "-thresh" in run("detector", "test", data, "net.cfg", "net.weights", "photos/a.png", "-tresh", 1).stderr


@pytest.mark.parametrize(
    "line",
    ["detector test obj.data net.cfg net.weights photos/a.png", "detector map obj.data net.cfg",
     "eval obj.data net.cfg",
     "detector valid obj.data net.cfg net.weights", "detect net.cfg net.weights photos/a.png"],
)  # fmt: skip
def test_a_warning_about_the_network_is_told_once_whoever_opens_it(run: Run, data: Path, cfg: Path, line: str) -> None:
    cfg.write_text(cfg.read_text().replace("stride=8", "stride=8\nstrid=8"))
    Path("photos/a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    assert run(*line.split()).stderr.count("warning[") == 1


def test_serve_tells_it_too(cfg: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from darknet_py.cli.serve import _load

    cfg.write_text(cfg.read_text().replace("stride=8", "stride=8\nstrid=8"))
    _load(str(cfg), None, {"backend": "onnxruntime"}, threads=1)
    assert "warning[" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["result.json", "predictions.jpg"])
def test_what_test_would_not_replace_is_told_before_a_picture_is_looked_at(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Path(name).write_text("mine")
    monkeypatch.setattr(Model, "__call__", lambda *_, **__: pytest.fail("computed"))
    result = run(*f"detector test {data} net.cfg net.weights photos/a.png -out result.json".split())
    assert result.exit_code == 1
    assert f"{name} exists, and is not known to be written by darknet-py" in result.stderr


@pytest.mark.parametrize(
    ("form", "name"), [("voc", "comp4_det_test_blue.txt"), ("coco", "coco_results.json"),
                       ("imagenet", "imagenet-detection.txt")],
)  # fmt: skip
def test_what_valid_would_not_replace_is_told_before_a_picture_is_looked_at(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch, form: str, name: str
) -> None:
    data.write_text(f"{data.read_text()}eval={form}\n")
    Path("out").mkdir()
    Path("out", name).write_text("mine")
    monkeypatch.setattr(Model, "__call__", lambda *_, **__: pytest.fail("computed"))
    result = run("detector", "valid", data, "net.cfg", "net.weights")
    assert result.exit_code == 1
    assert f"{name} exists, and is not known to be written by darknet-py" in result.stderr


def test_valid_is_for_detectors(run: Run, data: Path, tmp_path: Path) -> None:
    data.write_text(data.read_text().replace("net.names", "colour.names"))
    result = run("detector", "valid", data, write_classifier(tmp_path))
    assert result.exit_code == 1
    assert "is a classifier: darknet-py classifier valid" in result.stderr
