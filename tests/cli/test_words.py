"""Others' words are answered with ours: every word of the table is refused, and every answer names what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from darknet_py.cli import words
from darknet_py.cli.registry import list_commands
from darknet_py.cli.words import find_option

from .conftest import Run

HERE = [entry.name for entry in list_commands()]
SPELLINGS = [(word, option) for option in words.OPTIONS for word in option.said]


def test_every_option_that_is_named_is_there() -> None:
    assert len(words.OPTIONS) > 20
    assert not [o for o in words.OPTIONS if o.here and not words.commands_with(o.here)]


def test_every_command_that_is_named_is_there() -> None:
    assert not [c for c in words.COMMANDS if c.here and c.here not in (*HERE, "--help", "--version")]
    told = [*words.COMMANDS, *(("", "", how) for group in words.GROUPS.values() for how in group.values())]
    named = {name for *_, how in told for name in re.findall(r"darknet-py ([a-z]+)", how)}
    assert named <= {*HERE}


def test_no_word_means_two_things() -> None:
    for table in (words.OPTIONS, words.COMMANDS):
        said = [word for entry in table for word in entry.said]
        assert len(said) == len(set(said))
    assert not {word for c in words.COMMANDS for word in c.said} & set(HERE)


@pytest.mark.parametrize(("word", "option"), SPELLINGS)
def test_every_word_is_refused_with_an_answer(run: Run, word: str, option: words.ForeignOption) -> None:
    spelt = f"--{word.replace('_', '-')}" if len(word) > 1 else f"-{word}"
    result = run("explain", "maxpool", spelt, "1")
    assert result.exit_code == 2
    assert option.how in result.stderr
    assert option.here in result.stderr


@pytest.mark.parametrize("command", [c for entry in words.COMMANDS for c in entry.said])
def test_every_command_is_refused_with_an_answer(run: Run, command: str) -> None:
    result = run(command, "a.cfg")
    assert result.exit_code == 2
    assert "here: " in result.stderr


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("run net.cfg a.png --width 64", "'run' has no option '--width': it is --size here"),
        ("run net.cfg a.png --imgsz 64", "it is --size here"),
        ("run net.cfg a.png --conf-thres 0.3", "it is --conf here"),
        ("run net.cfg a.png -thresh 0.3", "'run' has no option '-thresh': it is --conf here"),
        ("run net.cfg a.png -out result.json", "'run' has no option '-out'"),
        ("run net.cfg --source a.png", "the pictures come after the cfg"),
        ("run -c net.cfg a.png", "the cfg is the first argument"),
        ("run net.cfg a.png conf=0.3", "options are not written as 'conf=0.3': it is --conf here"),
        ("summary net.cfg --conf 0.3", "'summary' has no option '--conf' (the lowest probability"),
        ("bench net.cfg --weights net.weights", "the .weights file comes after CFG"),
        ("serve net.cfg -w net.weights", "'serve' has no option '-w': the .weights file comes after CFG"),
        ("run net.cfg net.weights a.png", "'net.weights' is no argument of 'run': weights are an option there, -w net"),
        ("batch net.cfg net.weights photos -o out", "-w net.weights"),
        ("export net.cfg net.weights", "-w net.weights"),
        ("predict model=net.cfg source=a.png imgsz=64 iou=0.5", "darknet-py run net.cfg a.png --size 64 --iou 0.5"),
        ("detect.py --weights yolov5s.pt --source a.png", "'detect.py' is 'run' here"),
        ("demo/image_demo.py a.png net.py", "'run' here"),
        ("mode=predict model=net.cfg source=a.png", "darknet-py run net.cfg a.png"),
        ("model=net.cfg source=a.png", "darknet-py run net.cfg a.png"),
        ("yolo summary net.cfg", "leave out 'yolo': darknet-py summary net.cfg"),
        ("train.py net.cfg", "'train.py' is 'train' here"),
        ("val net.cfg", "'val' is 'eval' here"),
        ("net.cfg a.png", "the command comes first: darknet-py run net.cfg a.png"),
        ("help", "darknet-py COMMAND --help"),
    ],
)
def test_lines_of_other_programs_are_answered(run: Run, cfg: Path, line: str, answer: str) -> None:
    result = run(*line.split())
    assert result.exit_code == 2
    assert answer in result.stderr
    assert not Path("predictions").exists()


def test_what_a_command_says_itself_is_its_own(run: Run, cfg: Path, photos: Path) -> None:
    (photos / "a.png").rename("conf=1.png")
    assert "1 object" in run("run", cfg, "conf=1.png", "--conf", 0.5, "--no-save").stdout
    assert run("run", cfg, "conf=1.png", "-oresult", "--size=32").exit_code == 0
    assert Path("result").is_dir()


@pytest.mark.parametrize("command", ["summary", "graph", "export", "run", "weights inspect", "diff"])
@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("https://example.org/net.cfg", "is an address, and a cfg was expected"),
        ("photos", "is a folder, and a cfg was expected"),
        ("y.pt", "a checkpoint of PyTorch"),
        ("y.h5", "a file of Keras"),
        ("y.tflite", "a network of TensorFlow Lite"),
        ("y.pb", "a network of TensorFlow"),
        ("y.weights", "a weights file: the cfg comes before it"),
        ("y.data", "a .data file: the cfg comes before it"),
        ("y.jpg", "a picture: the cfg comes before it"),
    ],
)
def test_what_is_no_cfg_is_called_by_its_name(run: Run, photos: Path, command: str, given: str, answer: str) -> None:
    more = {"run": ["photos/a.png"], "diff": ["csppelee"]}.get(command, [])
    result = run(*command.split(), given, *more)
    assert result.exit_code == 1
    assert answer in result.stderr


def test_a_folder_with_a_cfg_names_it(run: Run, cfg: Path) -> None:
    assert f"hint: {cfg} is in it" in run("summary", cfg.parent).stderr


def test_summary_of_an_exported_file_is_its_contract(run: Run, cfg: Path) -> None:
    run("export", cfg, "-o", "net.onnx", "--boxes", "decoded")
    result = run("summary", "net.onnx")
    assert result.exit_code == 0
    assert "32x32 (width x height) by stretch, RGB, 0 to 1" in result.stdout
    assert "2: red, blue" in result.stdout
    assert '"boxes": "decoded"' in run("summary", "net.onnx", "--json").stdout
    assert run("summary", "net.onnx", "--costs").exit_code == 2


@pytest.mark.parametrize("command", ["graph", "export", "diff", "weights inspect", "bench", "verify"])
def test_an_exported_file_in_the_place_of_a_cfg_is_recognized(run: Run, cfg: Path, command: str) -> None:
    run("export", cfg, "-o", "net.onnx")
    result = run(*command.split(), "net.onnx", *(["net.cfg"] if command == "diff" else []))
    assert result.exit_code == 1
    assert "is an ONNX file" in result.stderr


# -- weights that nobody has ------------------------------------------------------------------------------------------


def test_a_network_without_published_weights_says_what_to_run_instead(run: Run, photos: Path) -> None:
    result = run("run", "yolov3-csppelee-efm.cfg", "photos/a.png")
    assert result.exit_code == 1
    first, second = result.stderr.splitlines()
    assert first == "error[DK404]: no weights for yolov3-csppelee-efm: none are published for this network"
    assert "`darknet-py run yolov4-tiny photos/a.png` runs a trained detector" in second


def test_the_places_are_listed_when_asked_for(run: Run, photos: Path) -> None:
    for command in (["run", "csppelee", "photos/a.png"], ["export", "csppelee"], ["weights", "inspect", "csppelee"]):
        text = run(*command, "--verbose").stderr
        assert text.count("\n  looked at ") > 5
        assert "looked at" not in run(*command).stderr


def test_a_missing_picture_is_reported_before_the_network_is_opened(
    run: Run, cfg: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("run", "no.cfg", "none.jpg")
    assert result.stderr == "error: cannot read the picture none.jpg: No such file or directory\n"
    both = run("run", cfg, "none.jpg", "photos/a.png", "--no-save")
    assert both.exit_code == 1
    assert "1 object" in both.stdout
    assert both.stderr.startswith("error: cannot read the picture none.jpg")


def test_auto_says_once_that_it_measures(run: Run, cfg: Path, photos: Path) -> None:
    line = ("run", cfg, "photos/a.png", "--no-save", "--backend", "auto")
    first = run(*line)
    assert first.exit_code == 0
    (said,) = [text for text in first.stderr.splitlines() if text.startswith("timing ")]
    assert "onnxruntime, opencv" in said
    assert "remembered in " in said
    assert "timing" not in run(*line).stderr


def test_an_option_that_only_another_command_has_is_said_to_be_its() -> None:
    found = find_option("half")
    assert found is not None
    assert found.here == "--half"
    assert "export" in found.how
