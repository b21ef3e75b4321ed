"""`check`: each thing that would spoil a training is found, and told by its place."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from commands import invoke

from darknet_py.apps.datasets.check import check_data, plot_sizes
from darknet_py.cli import main
from darknet_py.errors import DataError

CFG = """[net]
width=64
height=64
channels=3
[convolutional]
filters=21
size=1
activation=linear
[yolo]
mask=0,1,2
anchors=8,8, 16,16, 32,32
classes=2
num=3
"""
FINE = "0 0.5 0.5 0.25 0.25\n1 0.5 0.5 0.5 0.5\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A sound data set of two pictures to learn from and one to validate with; one class has few objects."""
    (tmp_path / "net.cfg").write_text(CFG)
    (tmp_path / "my.names").write_text("cat\ndog\n")
    for i, name in enumerate("abc"):
        pixels = np.random.default_rng(i).integers(0, 255, (32, 32, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
        (tmp_path / f"{name}.txt").write_text(FINE)
    (tmp_path / "train.list").write_text("a.png\nb.png\n")
    (tmp_path / "valid.list").write_text("c.png\n")
    path = tmp_path / "my.data"
    path.write_text("classes=2\ntrain=train.list\nvalid=valid.list\nnames=my.names\n")
    return path


def kinds(data: Path) -> dict[str, tuple[str, ...]]:
    return {f.kind: f.places for f in check_data(data, data.with_name("net.cfg")).findings}


def test_a_sound_set_has_too_few_objects_only(data: Path) -> None:
    assert set(kinds(data)) == {"counters"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("dog 0.5 0.5 0.1 0.1\n", "label"),
        ("5 0.5 0.5 0.2 0.2\n", "label"),
        ("0 0.95 0.5 0.4 0.2\n", "outside"),
        ("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n", "twice"),
        ("0 0.5 0.5 0.01 0.2\n", "tiny"),
    ],
)
def test_labels_are_told_by_their_place(data: Path, text: str, kind: str) -> None:
    label = data.with_name("a.txt")
    label.write_text(text)
    (place,) = kinds(data)[kind]
    assert str(label.with_suffix("")) in place


def test_objects_of_an_anchor_that_no_head_has_are_told(data: Path) -> None:
    cfg = data.with_name("net.cfg")
    cfg.write_text(CFG.replace("mask=0,1,2", "mask=1,2").replace("filters=21", "filters=14"))
    assert "lost" not in kinds(data)
    data.with_name("a.txt").write_text(FINE + "0 0.5 0.5 0.15 0.1\n")
    (found,) = (f for f in check_data(data, cfg).findings if f.kind == "lost")
    assert found.what.startswith("1 of 7 objects are never learned")
    assert found.what.endswith("in no head's mask (8x8)")
    assert found.places == (f"{data.with_name('a.png')}: 1 of 3 boxes",)
    cfg.write_text(cfg.read_text() + "iou_thresh=0.1\n")
    assert "lost" not in kinds(data)


def test_a_picture_in_both_lists_is_an_error_whatever_its_name(data: Path) -> None:
    data.with_name("c.png").write_bytes(data.with_name("a.png").read_bytes())
    (place,) = kinds(data)["overlap"]
    assert "a.png" in place
    assert "c.png" in place


def test_pictures_that_are_broken_or_there_twice_are_found(data: Path) -> None:
    data.with_name("b.png").write_bytes(data.with_name("a.png").read_bytes())
    data.with_name("c.png").write_bytes(b"no picture")
    found = kinds(data)
    assert "c.png" in found["picture"][0]
    assert "duplicates" in found


def test_a_picture_that_was_cut_is_a_warning(data: Path) -> None:
    whole = cv2.imencode(".jpg", cv2.imread(str(data.with_name("a.png"))))[1].tobytes()
    data.with_name("a.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    for split in ("train", "valid"):
        data.with_name(f"{split}.list").write_text("a.jpg\nb.png\n")
    (place,) = kinds(data)["cut"]  # once, though it is on both lists
    assert place.startswith(f"{data.with_name('a.jpg')}: the JPEG was cut")


def test_a_picture_with_several_classes_too_many_is_one_picture(data: Path) -> None:
    data.with_name("my.names").write_text("".join(f"{i}\n" for i in range(12)))
    data.with_name("a.txt").write_text("7 0.5 0.5 0.2 0.2\n9 0.5 0.5 0.2 0.2\n9 0.4 0.4 0.2 0.2\n")
    assert kinds(data)["class"] == (f"{data.with_name('a.png')}: classes 7, 9",)


def test_missing_labels_are_a_warning(data: Path) -> None:
    data.with_name("b.txt").unlink()
    assert kinds(data)["missing"] == (str(data.with_name("b.png")),)


def test_counts_that_disagree_are_errors(data: Path) -> None:
    data.write_text(data.read_text().replace("classes=2", "classes=3"))
    data.with_name("my.names").write_text("cat\ndog\ndog\n")
    found = check_data(data, data.with_name("net.cfg"))
    assert {"classes", "names"} <= {f.kind for f in found.findings if f.severity == "error"}
    assert found.findings[0].severity == "error"  # the gravest first


def test_anchors_that_do_not_fit_are_told(data: Path) -> None:
    cfg = data.with_name("net.cfg")
    cfg.write_text(CFG.replace("8,8, 16,16, 32,32", "1,1, 2,1, 1,2"))
    assert "anchors" in kinds(data)


def test_a_classifier_has_no_labels_to_check(data: Path) -> None:
    cfg = data.with_name("net.cfg")
    cfg.write_text(CFG[: CFG.index("[yolo]")])
    with pytest.raises(DataError, match="finds no boxes"):
        check_data(data, cfg)


def test_the_command_exits_with_1_on_errors_only(data: Path) -> None:
    cfg = str(data.with_name("net.cfg"))
    assert CliRunner().invoke(main, ["check", str(data), cfg]).exit_code == 0
    data.with_name("a.txt").write_text("x\n")
    result = CliRunner().invoke(main, ["check", str(data), cfg])
    assert result.exit_code == 1
    assert "a.txt:1: 'x' is no `class cx cy w h`" in result.output


def test_sizes_are_drawn_against_anchors(data: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: the extra [eval]")
    path = plot_sizes(check_data(data, data.with_name("net.cfg")), data.with_name("sizes.png"))
    assert cv2.imread(str(path)).std() > 10


def test_where_a_chart_cannot_be_written_nothing_is_checked(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: the extra [eval]")
    monkeypatch.setattr("darknet_py.apps.datasets.check.check_data", lambda *_, **__: pytest.fail("checked"))
    data.with_name("mine.png").write_text("mine")
    for name, said in (("mine.png", "mine.png exists"), ("sizes.pdf", "hint: a name that ends in .png")):
        done = invoke("check", data, data.with_name("net.cfg"), "--plot", data.with_name(name))
        assert done.exit_code == 1
        assert said in done.stderr
