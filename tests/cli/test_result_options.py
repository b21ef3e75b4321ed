"""`darknet-py run`: which objects are wanted, objects that are followed, and every way to write what is found."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from networks import picture, write_classifier

from darknet_py.apps.run.sinks import SINKS
from darknet_py.files import LIST
from darknet_py.version import requirement

from .conftest import Run


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A picture with a red and a blue object that overlap by a third."""
    path = tmp_path / "both.png"
    cv2.imwrite(str(path), picture((1, 1, "red"), (1, 2, "blue")))
    return path


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """Pictures in which a red cell goes down, column by column a little."""
    folder = tmp_path / "walk"
    folder.mkdir()
    for k in range(4):
        cv2.imwrite(str(folder / f"{k}.png"), picture((k, 1, "red")))
    return folder


def names(text: str) -> list[str]:
    return [line.split(":")[0] for line in text.splitlines() if "%" in line]


def test_only_the_classes_that_are_wanted_are_found(run: Run, cfg: Path, both: Path) -> None:
    common = ("run", cfg, both, "--no-save")
    assert names(run(*common).stdout) == ["red", "blue"]
    assert names(run(*common, "--classes", "blue").stdout) == ["blue"]
    assert names(run(*common, "--classes", "0, blue").stdout) == ["red", "blue"]
    told = run(*common, "--classes", "bleu")
    assert (told.exit_code, "no class 'bleu': did you mean 'blue'?" in told.stderr) == (1, True)
    assert run(*common, "--classes", ",").exit_code == 2


def test_each_class_may_have_its_threshold(run: Run, cfg: Path, tmp_path: Path) -> None:
    dim = picture((1, 1, "red"), (2, 3, "blue"))
    cv2.imwrite("dim.png", (dim * 0.55).astype(np.uint8))  # both about 0.73
    common = ("run", cfg, "dim.png", "--no-save")
    assert names(run(*common).stdout) == ["red", "blue"]
    assert names(run(*common, "--conf", "red=0.9").stdout) == ["blue"]
    assert names(run(*common, "--conf", "0.9,red=0.3").stdout) == ["red"]
    assert names(run(*common, "--conf", "0.9").stdout) == []
    for bad, told in (
        ("red=x", "no threshold"),
        ("red=2", "not between 0 and 1"),
        ("red=0.3,red=0.4", "two thresholds for red"),
        ("rde=0.5", "did you mean 'red'"),
    ):
        result = run(*common, "--conf", bad)
        assert result.exit_code
        assert told in result.stderr


def test_the_number_and_the_suppression_over_classes_are_options(run: Run, cfg: Path, both: Path) -> None:
    common = ("run", cfg, both, "--no-save", "--iou", 0.2)
    assert len(names(run(*common).stdout)) == 2
    assert len(names(run(*common, "--max-det", 1).stdout)) == 1
    assert len(names(run(*common, "--agnostic").stdout)) == 1
    assert names(run(*common, "--agnostic", "--classes", "blue").stdout) == ["blue"]
    assert run(*common, "--max-det", 0).exit_code == 2


@pytest.mark.parametrize("workers", ["x", "-1", "1.5", ""])
def test_workers_are_a_number_or_a_word(run: Run, cfg: Path, both: Path, workers: str) -> None:
    told = run("run", cfg, both, "--no-save", f"--workers={workers}")
    assert told.exit_code == 2
    assert f"want a number of threads, 0 or more, or 'auto', not '{workers}'" in told.stderr


def test_a_file_that_suppresses_says_what_agnostic_means_there(run: Run, cfg: Path, both: Path) -> None:
    run("export", cfg, "-o", "net.onnx", "--boxes", "nms")
    result = run("run", "net.onnx", both, "--no-save", "--agnostic", "--iou", 0.2)
    assert "the file itself suppresses class by class" in result.stderr
    assert len(names(result.stdout)) == 1


def test_a_classifier_has_no_boxes_to_choose_from(
    run: Run, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zxingcpp", ModuleType("zxingcpp"))  # which is asked for first
    cfg = write_classifier(tmp_path)
    for more in (("--classes", "red"), ("--conf", "red=0.5"), ("--agnostic",), ("--track",), ("--save-crop",),
                 ("--coco",), ("--line", "0,0,1,1"), ("--decode",)):  # fmt: skip
        result = run("run", cfg, photos / "a.png", "--no-save", *more)
        assert (result.exit_code, "the network is a classifier" in result.stderr) == (1, True), more


# -- following -----------------------------------------------------------------------------------------------------


def test_objects_are_followed_and_counted(run: Run, cfg: Path, walk: Path) -> None:
    result = run("run", cfg, walk, "--line", "0,0.5,1,0.5", "--zone", "0,16,32,16,32,32,0,32", "--jsonl", "--no-save")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [[o["track_id"] for o in line["objects"]] for line in lines] == [[1]] * 4
    assert [line["counts"][0]["forward"] for line in lines] == [0, 0, 1, 1]
    assert lines[2]["counts"][0]["crossed"] == [{"track_id": 1, "direction": "forward"}]
    assert [line["counts"][1]["inside"] for line in lines] == [[], [], [1], [1]]
    assert "line 0,0.5,1,0.5: 1 forward, 0 backward" in result.stderr
    assert "1 entered, 0 left, 1 inside" in result.stderr


def test_low_boxes_are_not_shown_unless_they_continue_a_track(run: Run, cfg: Path) -> None:
    cv2.imwrite("a1.png", picture((1, 1, "red")))
    cv2.imwrite("a2.png", (picture((1, 1, "red"), (3, 3, "blue")) * 0.42).astype(np.uint8))  # about 0.17
    for more, found in (((), ["red"]), (("--track",), ["red", "red"])):
        assert names(run("run", cfg, "a1.png", "a2.png", "--no-save", *more).stdout) == found


def test_what_is_no_line_or_zone_is_an_error_of_usage(run: Run, cfg: Path, photos: Path) -> None:
    for more, told in (
        (("--line", "1,2,3"), "is not X1,Y1,X2,Y2"), (("--line", "a,b,c,d"), "is not X1,Y1,X2,Y2"),
        (("--line", "1,1,1,1"), "is one point"), (("--zone", "0,0,1,1"), "three corners"),
        (("--zone", "0,0,1,1,x,y"), "numbers between the commas"),
    ):  # fmt: skip
        result = run("run", cfg, photos / "a.png", *more)
        assert (result.exit_code, told in result.stderr) == (2, True), more
    beside = run("run", cfg, photos / "a.png", "--line", "0,900,9,900")
    assert (beside.exit_code, "lies beside the pictures, which are 32x32" in beside.stderr) == (1, True)


# -- reading codes -------------------------------------------------------------------------------------------------


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    """A QR code in the place where the detector of `networks` finds a blue object, and a red object without a code."""
    zxing = pytest.importorskip("zxingcpp", reason=f"needs zxing-cpp: pip install {requirement('codes')}")
    code = np.array(
        zxing.create_barcode("read me", zxing.BarcodeFormat.QRCode).to_image(scale=5, add_quiet_zones=False)
    )
    large = cv2.resize(picture((1, 2, "blue"), (3, 0, "red")), None, fx=16, fy=16, interpolation=cv2.INTER_NEAREST)
    at, side = (np.array([1.5, 2.5]) * 8 * 16).astype(int), code.shape[0]  # centre of the cell: row, column
    large[at[0] - side // 2 :, at[1] - side // 2 :][:side, :side][code < 128] = (60, 0, 0)  # dark blue is black in grey
    path = tmp_path / "coded.png"
    cv2.imwrite(str(path), large)
    return path


def test_what_codes_say_is_printed_and_written(run: Run, cfg: Path, coded: Path) -> None:
    common = ("run", cfg, coded, "--decode", "--no-save", "--conf", 0.1)
    (one,) = json.loads(run(*common, "--json").stdout)
    assert {o["name"]: (o["format"], o["text"]) for o in one["objects"]} == {
        "blue": ("QR Code", "read me"), "red": (None, None)
    }  # fmt: skip
    assert "QR Code read me" in run(*common).stdout
    rows = {r["name"]: r for r in csv.DictReader(io.StringIO(run(*common, "--csv").stdout))}
    assert (rows["blue"]["text"], rows["blue"]["format"], rows["red"]["text"]) == ("read me", "QR Code", "")
    tracked = json.loads(run(*common, "--track", "--jsonl", "--classes", "blue").stdout)
    assert [(o["track_id"], o["text"]) for o in tracked["objects"]] == [(1, "read me")]


def test_the_package_that_reads_codes_is_named_before_anything_is_computed(
    run: Run, cfg: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    result = run("run", cfg, photos, "--decode")
    told = f"error: reading codes needs zxing-cpp: pip install {requirement('codes')}"
    assert (result.exit_code, result.stderr.strip(), Path("predictions").exists()) == (1, told, False)


# -- writing -------------------------------------------------------------------------------------------------------


def test_jsonl_is_a_line_for_each_picture(run: Run, cfg: Path, photos: Path) -> None:
    lines = run("run", cfg, photos, "--jsonl", "--no-save").stdout.splitlines()
    whole = json.loads(run("run", cfg, photos, "--json", "--no-save").stdout)
    assert [json.loads(line) for line in lines] == whole
    assert "track_id" not in whole[0]["objects"][0]


def test_csv_has_a_head_and_a_line_for_each_object(run: Run, cfg: Path, photos: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("run", cfg, photos, "--csv", "--no-save").stdout)))
    assert [(Path(r["filename"]).name, r["name"], r["left"]) for r in rows] == [
        ("a.png", "red", "12.0"), ("b.png", "blue", "12.0"), ("c.bmp", "red", "12.0")
    ]  # fmt: skip
    assert {r["track_id"] for r in rows} == {""}
    tracked = csv.DictReader(io.StringIO(run("run", cfg, photos / "a.png", "--csv", "--track", "--no-save").stdout))
    assert [r["track_id"] for r in tracked] == ["1"]


def test_csv_of_a_classifier_has_its_best_classes(run: Run, tmp_path: Path, photos: Path) -> None:
    cfg = write_classifier(tmp_path)
    rows = list(csv.DictReader(io.StringIO(run("run", cfg, photos / "b.png", "--csv", "--no-save").stdout)))
    assert rows[0]["name"] == "blue"
    assert {r["left"] for r in rows} == {""}


def test_coco_is_what_evaluation_programs_read(run: Run, cfg: Path, photos: Path) -> None:
    (photos / "a.png").rename(photos / "000000000139.png")
    entries = json.loads(run("run", cfg, photos, "--coco", "--no-save").stdout)
    assert [e["image_id"] for e in entries] == [139, "b", "c"]
    assert entries[0]["bbox"] == [12, 4, 16, 16]
    assert entries[1]["category_id"] == 1


def test_two_that_print_exclude_each_other(run: Run, cfg: Path, photos: Path) -> None:
    printing = [f"--{sink.option}" for sink in SINKS if sink.prints]
    assert len(printing) == 4
    for one, other in zip(printing, [*printing[1:], printing[0]], strict=True):
        result = run("run", cfg, photos, one, other)
        assert (result.exit_code, "both print: choose one" in result.stderr) == (2, True)


def test_quiet_prints_only_what_is_asked_for_and_errors(run: Run, cfg: Path, photos: Path) -> None:
    result = run("run", cfg, photos, "-q", "--track")
    assert (result.stdout, result.stderr) == ("", "")
    assert Path("predictions/a.png").exists()
    assert json.loads(run("run", cfg, photos / "a.png", "-q", "--json", "--no-save").stdout)
    assert "cannot read the picture none.png" in run("run", cfg, "none.png", "-q").stderr


def test_crops_go_into_folders_of_their_classes(run: Run, cfg: Path, both: Path) -> None:
    run("run", cfg, both, "--save-crop", "--no-save", "-o", "out")
    crops = sorted(p.relative_to("out/crops").as_posix() for p in Path("out/crops").rglob("*.jpg"))
    assert [name.split("/")[0] for name in crops] == ["blue", "red"]
    assert cv2.imread(f"out/crops/{crops[1]}").shape == (16, 16, 3)


def test_every_file_keeps_to_the_rule_of_files(run: Run, cfg: Path, both: Path) -> None:
    wanted = {"--save-txt": "out/labels/both.txt", "--save-crop": "out/crops/red/both-1.jpg"}
    for option, name in wanted.items():
        path = Path(name)
        path.parent.mkdir(parents=True)
        path.write_text("precious")
        common = ("run", cfg, both, "--classes", "red", option, "--no-save", "-o", "out")
        result = run(*common)
        assert (result.exit_code, "--replace" in result.stderr) == (1, True)
        assert path.read_text() == "precious"
        assert run(*common, "--replace").exit_code == 0
        assert path.read_bytes() != b"precious"
        assert run(*common).exit_code == 0  # now it is ours


def test_pictures_are_drawn_as_before_where_frames_are_asked_for(run: Run, cfg: Path, photos: Path) -> None:
    run("run", cfg, photos / "a.png", "--save-frames", "-o", "out")
    assert sorted(p.name for p in Path("out").iterdir() if p.name != LIST) == ["a.png"]


def test_what_was_found_before_an_error_is_whole(run: Run, cfg: Path, photos: Path) -> None:
    (photos / "b.png").write_bytes(b"broken")
    for option in ("--jsonl", "--coco", "--json"):
        result = run("run", cfg, photos, option, "--no-save")
        assert result.exit_code == 1
        data = [json.loads(line) for line in result.stdout.splitlines()] if option == "--jsonl" else None
        assert len(data or json.loads(result.stdout)) == 2
