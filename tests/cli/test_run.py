"""`darknet-py run`, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from networks import write_classifier

from darknet_py.cli import main
from darknet_py.files import LIST
from darknet_py.vision import sources
from darknet_py.vision.sources import expand

from .conftest import Run

LINE = "red: 100%\t(left_x:   12   top_y:    4   width:   16   height:   16)"


def test_prints_darknets_lines_and_draws(run: Run, cfg: Path, photos: Path) -> None:
    result = run("run", cfg, photos / "a.png")
    assert result.exit_code == 0
    head, line = result.stdout.splitlines()
    assert head.startswith(f"{photos / 'a.png'}: 32x32, 1 object, ")
    assert line == LINE
    drawn = cv2.imread("predictions/a.png")
    assert drawn.shape == (32, 32, 3)
    assert "predictions/a.png" in result.stderr
    assert "net.names" in result.stderr


def test_takes_folders_and_globs(run: Run, cfg: Path, photos: Path) -> None:
    assert run("run", cfg, photos).stdout.count("1 object") == 3
    assert run("run", cfg, f"{photos}/*.png", photos / "c.bmp").stdout.count("1 object") == 3


def test_paths_are_looked_up_once(run: Run, cfg: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (photos / "a.png").rename(photos / "a[1].png")
    (photos / "b.png").rename(photos / "a1.png")
    looked: list[object] = []
    monkeypatch.setattr(sources, "expand", lambda source: looked.append(source) or expand(source))
    lines = run("run", cfg, photos / "a[1].png", photos, "--no-save").stdout.splitlines()
    names = [Path(line.partition(": ")[0]).name for line in lines if "1 object" in line]
    assert names == ["a[1].png", "a1.png", "a[1].png", "c.bmp"]
    assert looked == [str(photos / "a[1].png"), str(photos)]


def test_pictures_of_one_name_do_not_overwrite_each_other(run: Run, cfg: Path, photos: Path) -> None:
    run("run", cfg, photos / "a.png", photos / "a.png", "-o", "out")
    assert sorted(p.name for p in Path("out").iterdir() if p.name != LIST) == ["a-2.png", "a.png"]


def test_json_is_a_list_of_pictures(run: Run, cfg: Path, photos: Path) -> None:
    result = run("run", cfg, photos, "--json", "--no-save", "--batch", 2)
    first, second, _ = json.loads(result.stdout)
    assert first["objects"][0]["name"] == "red"
    assert first["objects"][0]["box"] == [12, 4, 28, 20]
    assert second["objects"][0]["class_id"] == 1
    assert not Path("predictions").exists()


def test_labels_are_written(run: Run, cfg: Path, photos: Path) -> None:
    run("run", cfg, photos / "b.png", "--save-txt", "--save-conf", "--no-save")
    text = Path("predictions/labels/b.txt").read_text()
    assert text.startswith("1 0.625000 0.375000 0.500000 0.500000 0.99")


@pytest.mark.parametrize("backend", ["opencv", "numpy", "onnx.reference"])
def test_other_back_ends_print_the_same(run: Run, cfg: Path, photos: Path, backend: str) -> None:
    assert LINE in run("run", cfg, photos / "a.png", "--backend", backend, "--no-save").stdout


def test_a_classifier_is_asked_for_no_threshold_and_that_is_said(run: Run, tmp_path: Path, photos: Path) -> None:
    asked = ("run", write_classifier(tmp_path), photos / "a.png", "--no-save", "-q")
    assert run(*asked, "--conf", 0.9).stderr.startswith("warning: the network is a classifier: conf and iou")
    assert run(*asked).stderr == ""


def test_a_classifier_prints_its_best_classes(run: Run, tmp_path: Path, photos: Path) -> None:
    cfg = write_classifier(tmp_path)
    lines = run("run", cfg, photos / "b.png").stdout.splitlines()[1:]
    assert lines[0].startswith("blue: 0.3")
    assert len(lines) == 3
    assert Path("predictions/b.png").exists()


def test_without_weights_it_does_not_pretend(run: Run, cfg: Path, photos: Path) -> None:
    cfg.with_suffix(".weights").unlink()
    result = run("run", cfg, photos / "a.png")
    assert result.exit_code == 1
    assert result.stderr.startswith("error[DK404]: no weights for")
    assert "net_best.weights" in result.stderr
    assert "--random-weights" in result.stderr
    assert not Path("predictions").exists()


def test_random_weights_say_that_they_mean_nothing(run: Run, cfg: Path, photos: Path) -> None:
    result = run("run", cfg, photos / "a.png", "--random-weights", 3, "--no-save")
    assert result.exit_code == 0
    assert "the results mean nothing" in result.stderr


def test_random_weights_of_a_detector_do_not_flood_the_screen(run: Run, photos: Path) -> None:
    result = run("run", "yolov3-csppelee-efm.cfg", photos / "a.png", "--random-weights", 1, "--no-save", "--size", 96)
    assert result.stdout.count("\n") == 1
    assert "0 objects" in result.stdout
    flood = run(
        "run",
        "yolov3-csppelee-efm.cfg",
        photos / "a.png",
        "--random-weights",
        1,
        "--no-save",
        "--size",
        32,
        "--conf",
        0.2,
    )
    assert flood.stdout.count("\n") > 100


def test_weights_of_another_network_are_an_error(run: Run, cfg: Path, photos: Path) -> None:
    Path("other.weights").write_bytes(b"\0" * 100)
    result = run("run", cfg, photos / "a.png", "-w", "other.weights")
    assert result.exit_code == 1
    assert "too short" in result.stderr


def test_a_broken_picture_does_not_stop_the_others(run: Run, cfg: Path, photos: Path) -> None:
    (photos / "b.png").write_bytes(b"broken")
    result = run("run", cfg, photos)
    assert result.exit_code == 1
    assert result.stdout.count("1 object") == 2
    assert "b.png: not a picture" in result.stderr


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_a_picture_that_was_cut_is_named_once(run: Run, cfg: Path, photos: Path, quiet: tuple[str, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    cut = photos / "cut.jpg"
    cut.write_bytes(whole[:-100])
    result = run("run", cfg, photos, cut, "--no-save", *quiet)
    assert result.exit_code == 0
    lines = [line for line in result.stderr.splitlines() if "was cut" in line]
    (told,) = json.loads(run("run", cfg, cut, "--no-save", "--json").stdout)
    assert f"warning: {told['warning']}" == lines[0]
    assert lines == [f"warning: {cut}: the JPEG was cut, its end is missing; what it has no pixels for is grey"]


def test_a_missing_picture_is_an_error(run: Run, cfg: Path) -> None:
    result = run("run", cfg, "none.jpg")
    assert result.exit_code == 1
    assert "cannot read the picture none.jpg" in result.stderr


def test_an_exported_file_runs(run: Run, cfg: Path, photos: Path) -> None:
    exported = run("export", cfg, "-o", "net.onnx", "--boxes", "nms")
    assert exported.stdout == "net.onnx\n"
    assert LINE in run("run", "net.onnx", photos / "a.png", "--no-save").stdout


def test_export_writes_beside_nobody_under_the_name_of_the_cfg(run: Run, cfg: Path) -> None:
    assert run("export", cfg, "--half").stdout == "net.onnx\n"
    assert Path("net.onnx").stat().st_size > 500


def test_thresholds_and_letterbox_are_passed_on(run: Run, cfg: Path, tmp_path: Path) -> None:
    dim = np.zeros((32, 32, 3), np.uint8)
    dim[8:16, 16:24, 2] = 140
    cv2.imwrite("dim.png", dim)
    assert "1 object" in run("run", cfg, "dim.png").stdout
    assert "0 objects" in run("run", cfg, "dim.png", "--conf", 0.95).stdout
    assert "1 object" in run("run", cfg, "dim.png", "--letterbox", "--iou", 0.1).stdout
    assert run("run", cfg, "dim.png", "--conf", 7).exit_code == 2


def test_yolov4_tiny_finds_the_dog(run: Run, shared: Path) -> None:
    result = run("run", shared / "weights/yolov4-tiny/yolov4-tiny.cfg", shared / "images/dog.jpg")
    found = {line.split(":")[0] for line in result.stdout.splitlines()[1:]}
    assert {"dog", "bicycle", "truck"} <= found
    assert Path("predictions/dog.jpg").stat().st_size > 50_000


def test_export_writes_nothing_under_the_suffix_of_another_format(run: Run, cfg: Path) -> None:
    result = run("export", cfg, "-o", "net.pb")
    assert result.exit_code == 1
    assert "net.pb has the suffix of no format: use" in result.stderr
    assert not Path("net.pb").exists()
    assert run("export", cfg, "-o", "net.pb", "--format", "onnx").exit_code == 0
    assert "did you mean 'onnx'?" in run("export", cfg, "--format", "onxx").stderr


@pytest.mark.fault("nms-file-lower-conf")
def test_a_file_is_asked_for_what_it_cannot_give(run: Run, cfg: Path, photos: Path) -> None:
    limits = ("--conf", "0.3", "--iou", "0.5", "--max-det", "1")
    assert "--max-det is for boxes that are suppressed" in run("export", cfg, "-o", "net.onnx", *limits).stderr
    assert run("export", cfg, "-o", "net.onnx", "--boxes", "nms", *limits).exit_code == 0
    asked = ("run", "net.onnx", photos / "a.png", "--no-save")
    told = run(*asked, "--conf", "0.05", "--iou", "0.4").stderr
    assert "holds nothing below its own 0.3, and cannot be asked for 0.05" in told
    assert "suppresses with an overlap of 0.5, and not of 0.4" in told
    full = "warning: the file gives at most 1 object of a class, and there may be more"
    assert told.count(full) == 1
    assert "the file itself" not in run(*asked).stderr
    quiet = run(*asked, "-q", "--json")
    assert quiet.stderr.startswith(full)
    assert f"warning: {json.loads(quiet.stdout)[0]['warning']}\n" == quiet.stderr
    assert "warning" not in run(*asked, "--conf", "0.9999999").stderr


def test_partial_weights_raise_the_default_threshold_as_random_ones_do(run: Run, cfg: Path, photos: Path) -> None:
    Path("net.conv.1").write_bytes(cfg.with_suffix(".weights").read_bytes()[:20])
    common = ("run", cfg, photos / "a.png", "--no-save", "-w", "net.conv.1", "--allow-partial")
    low, half, default = (run(*common, *more).stdout.count("%") for more in (("--conf", "0.25"), ("--conf", "0.5"), ()))
    assert default == half < low
    whole = ("run", cfg, photos / "a.png", "--no-save", "--allow-partial")
    assert run(*whole).stdout.count("%") == run(*whole, "--conf", "0.25").stdout.count("%")


@pytest.mark.fault("names-more-than-classes")
def test_names_that_do_not_go_together_with_the_network_are_said_at_every_start(
    run: Run, cfg: Path, photos: Path
) -> None:
    Path("many.names").write_text("a\nb\nc\n")
    for _ in range(2):  # the second start knows the network
        told = run("run", cfg, photos / "a.png", "--no-save", "-n", "many.names").stderr
        assert told.count("many.names holds 3 names, and the network has 2 classes") == 1
    told = run("export", cfg, "-o", "many.onnx", "-n", "many.names").stderr
    assert told.count("many.names holds 3 names, and the network has 2 classes") == 1


@pytest.mark.fault("inspect-does-not-see-nan")
def test_inspect_says_what_run_says(run: Run, cfg: Path) -> None:
    path = cfg.with_suffix(".weights")
    data = path.read_bytes()
    path.write_bytes(data[:20] + np.full((len(data) - 20) // 4, np.nan, np.float32).tobytes())
    result = run("weights", "inspect", cfg)
    assert result.exit_code == 1
    assert "DK405" in result.stderr
    assert "all NaN or infinite" in result.stdout


def test_a_missing_picture_is_told_before_the_network_is_opened(run: Run, photos: Path) -> None:
    result = run("run", "none.cfg", "none.jpg")
    assert result.exit_code == 1
    assert "cannot read the picture none.jpg" in result.stderr
    assert "none.cfg" not in result.stderr


def test_a_missing_picture_does_not_stop_the_others(run: Run, cfg: Path, photos: Path) -> None:
    result = run("run", cfg, "none.jpg", photos / "a.png", "--no-save")
    assert result.exit_code == 1
    assert result.stdout.count("1 object") == 1
    assert result.stderr.startswith("error: cannot read the picture none.jpg")


def test_a_list_of_pictures_runs_and_says_where_they_were(run: Run, cfg: Path, photos: Path) -> None:
    (photos / "train.txt").write_text("a.png\nb.png\n")
    result = run("run", cfg, photos / "train.txt", "--no-save")
    assert (result.exit_code, result.stdout.count("1 object")) == (0, 2)
    assert "2 of 2 pictures are beside the list" in result.stderr


def test_a_picture_in_stdin_runs(cfg: Path, run: Run, photos: Path) -> None:
    arguments = ["run", str(cfg), "-", "-o", "out"]
    result = CliRunner().invoke(main, arguments, input=(photos / "a.png").read_bytes())
    assert LINE in result.stdout
    assert [p.name for p in Path("out").iterdir() if p.name != LIST] == ["stdin.jpg"]


@pytest.mark.fault("picture-bomb")
def test_the_most_pixels_are_an_option(run: Run, cfg: Path, photos: Path) -> None:
    result = run("run", cfg, photos / "a.png", "--no-save", "--max-pixels", 1000)
    assert result.exit_code == 1
    assert "32x32 (width x height) has more than 1,000 pixels" in result.stderr


@pytest.mark.fault("dont-show")
def test_classes_called_dont_show_are_not_printed(run: Run, cfg: Path, photos: Path) -> None:
    cfg.with_suffix(".names").write_text("dont_show red\nblue\n")
    assert run("run", cfg, photos / "a.png", "--no-save").stdout.count("\n") == 1
    named = run("run", cfg, photos / "a.png", "--no-save", "--classes", "dont_show red")
    assert "dont_show red: 100%" in named.stdout  # it was asked for


def test_the_threads_of_a_back_end_can_be_told(run: Run, cfg: Path, photos: Path) -> None:
    assert LINE in run("run", cfg, photos / "a.png", "--threads", 1).stdout
    refused = run("run", cfg, photos / "a.png", "--threads", 1, "--backend", "numpy")
    assert refused.exit_code == 2
    assert "--threads: the back end 'numpy' cannot be told how many" in refused.stderr


def test_a_misspelt_option_is_said_where_the_weights_do_not_fit_because_of_it(
    run: Run, cfg: Path, photos: Path
) -> None:
    text = Path(cfg).read_text()
    Path("misspelt.cfg").write_text(text.replace("[convolutional]", "[convolutional]\nbatch_normalise=1", 1))
    Path("longer.weights").write_bytes(Path(cfg).with_suffix(".weights").read_bytes() + bytes(84))
    result = run("run", "misspelt.cfg", photos / "a.png", "-w", "longer.weights")
    assert result.exit_code != 0
    assert "did you mean 'batch_normalize'" in result.stderr


def test_probabilities_of_files_that_are_not_written_are_refused(run: Run, cfg: Path, photos: Path) -> None:
    result = run("run", cfg, photos, "--save-conf")
    assert result.exit_code == 2
    assert "say --save-txt too" in result.stderr
