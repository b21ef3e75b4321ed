"""Rendered pictures of codes: the same for everybody, with boxes that are where the pixels are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("zxingcpp", reason="zxing-cpp draws the codes: pip install zxing-cpp")

import zxingcpp

from darknet_py.vision.datasets import open_dataset
from tools.networks import codes as network
from tools.train.codes import backgrounds, example, papers, scene, sheet, source, symbols, train
from tools.train.codes.dice import Dice
from tools.train.codes.papers import Mark
from tools.train.codes.surfaces import Surface, roll_bend, roll_surface
from tools.train.codes.train import helpers

ROOT = Path(__file__).parents[2]
KINDS = [(cls, kind) for cls, kinds in enumerate(symbols.KINDS) for _, kind in kinds]
UNREAD = {"DXFilmEdge", "TelepenNumeric", "Telepen", "RMQRCode", "MicroPDF417", "CompactPDF417", "AztecRune"}
UPRIGHT = np.array([1.0, 1.0])


def test_a_picture_is_the_same_whatever_was_drawn_before_it() -> None:
    alone = scene.draw_picture(3, 17, 96)
    for number in (40, 2, 8):
        scene.draw_picture(3, number, 128)
    again, other = scene.draw_picture(3, 17, 96), scene.draw_picture(4, 17, 96)
    assert np.array_equal(alone.image, again.image)
    assert np.array_equal(alone.rows, again.rows)
    assert not np.array_equal(alone.image, other.image)


def test_a_picture_is_the_same_in_another_process() -> None:
    program = "from tools.train.codes.source import Drawn; print(Drawn(5).fingerprint())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True,
        env={"PYTHONPATH": f"{ROOT}:{':'.join(sys.path)}", "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert done.stdout.strip() == source.Drawn(5).fingerprint()


@pytest.mark.parametrize(("cls", "kind"), KINDS)
def test_the_writer_draws_every_symbology(cls: int, kind: str) -> None:
    found = [symbols.make_symbol(kind, cls, Dice(1, n)) for n in range(12)]
    made = [one for one in found if one is not None]
    assert len(made) > 6
    assert all(one.cls == cls and set(np.unique(one.modules)) == {0, 255} for one in made)
    assert len({one.modules.tobytes() for one in made}) > 3


@pytest.mark.parametrize(("cls", "kind"), [(c, k) for c, k in KINDS if k not in UNREAD])
def test_a_symbol_is_read_again(cls: int, kind: str) -> None:
    found = next(one for n in range(20) if (one := symbols.make_symbol(kind, cls, Dice(2, n))) is not None)
    modules = cv2.copyMakeBorder(found.modules, 12, 12, 12, 12, cv2.BORDER_CONSTANT, value=255)
    large = cv2.resize(modules, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    assert zxingcpp.read_barcodes(large)


def test_the_box_of_retail_codes_ends_at_the_bars() -> None:
    found = symbols.make_symbol("EAN13", symbols.BARCODE, Dice(1))
    assert found is not None
    assert found.box == (0, 0, 95, found.size[0] - 5)
    plain = next(n for n in range(200) if "+" in symbols.CONTENTS["EAN13"](Dice(n), 200)[0])
    with_add_on = symbols.make_symbol("EAN13", symbols.BARCODE, Dice(plain))
    assert with_add_on is not None
    assert with_add_on.size[1] > with_add_on.box[2] == 95


@pytest.mark.parametrize("number", range(24))
def test_a_box_is_the_extent_of_the_pixels_of_its_code(number: int) -> None:
    dice = Dice(7, number)
    height, width, size = 90, 160, 320
    pixels = np.full((height, width, 4), 255, np.uint8)
    mark = Mark(0, (30, 20, 130, 70))
    pixels[20:70, 30:130, :3] = 0
    surface = roll_surface(dice, (height, width), np.array([80.0, 45.0]), np.array([160.0, 160.0]), 1.0, UPRIGHT)
    bend = roll_bend(dice, (height, width)) if number % 3 else None
    if bend is not None:
        bend.shade[:] = 1
    surface = Surface(surface.matrix, bend)
    shown = surface.show(pixels, (0, 0), (size, size), 2)
    rows, columns = np.nonzero(shown[..., 0] < 128)
    box = scene.visible(surface, mark, size)
    assert box is not None
    found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    assert np.abs(found - box).max() <= 1.5


def test_a_bend_is_undone_exactly() -> None:
    bend = roll_bend(Dice(3), (100, 200))
    points = np.random.default_rng(0).random((50, 2)) * (200, 100)
    back, shade = bend.undo(bend.apply(points))
    assert np.abs(back - points).max() < 0.05
    assert (shade > 0).all()


def test_a_code_that_leaves_the_frame_keeps_what_is_seen_of_it() -> None:
    moved = Surface(np.array([[1.0, 0, -50], [0, 1, 10], [0, 0, 1]]))
    assert scene.visible(moved, Mark(0, (0, 0, 100, 40)), 200) == pytest.approx((0, 10, 50, 50), abs=1.6)
    gone = Surface(np.array([[1.0, 0, -95], [0, 1, 10], [0, 0, 1]]))
    assert scene.visible(gone, Mark(0, (0, 0, 100, 40)), 200) is None


def test_all_classes_are_well_represented_and_many_pictures_have_none() -> None:
    pictures = [scene.draw_picture(1, number, 64) for number in range(300)]
    rows = np.concatenate([one.rows for one in pictures])
    shares = np.bincount(rows[:, 0].astype(int), minlength=5) / len(rows)
    assert (shares > 0.08).all()
    assert 0.15 < np.mean([not len(one.rows) for one in pictures]) < 0.45
    corners = np.concatenate([rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2])
    assert corners.min() > -1e-6
    assert corners.max() < 1 + 1e-6


def test_pictures_without_codes_have_no_boxes() -> None:
    for number in range(30):
        nothing = scene._Scene(Dice(9, number), 64, held_out=False)
        nothing.put_nothing()
        assert not nothing.boxes
        assert backgrounds.roll_background(Dice(number), 48, hard=True).shape == (48, 48, 3)


def test_what_is_measured_on_has_backgrounds_that_are_never_trained_on() -> None:
    learned = {make for _, make in (*backgrounds.TRAINED, *backgrounds.HARD)}
    assert not learned & {make for _, make in backgrounds.HELD_OUT}
    assert not np.array_equal(
        scene.draw_picture(1, 20, 64).image, scene.draw_picture(1, 20, 64, held_out=True).image
    )  # fmt: skip


@pytest.mark.parametrize("number", range(20))
def test_light_ink_and_dark_paper_are_well_apart(number: int) -> None:
    paper, ink = papers.roll_colours(Dice(number))
    assert abs(float((paper - ink) @ [0.11, 0.59, 0.3])) > 60


def test_pictures_are_written_with_labels_that_the_trainer_reads(tmp_path: Path) -> None:
    data = open_dataset(source.write_pictures(tmp_path / "drawn", 6, 64))
    read = [example.read(network.NAMES) for example in data.examples]
    drawn = [scene.draw_picture(source.MEASURED_SEED, n, 64, held_out=True) for n in range(6)]
    assert not any(faults for _, faults in read)
    for (labels, _), picture in zip(read, drawn, strict=True):
        assert labels.cls.tolist() == picture.rows[:, 0].tolist()
        assert np.abs(labels.boxes - picture.rows[:, 1:]).max(initial=0) < 1e-5


def test_the_cfg_has_the_classes_of_the_pictures() -> None:
    assert len(network.NAMES) == len(symbols.KINDS)
    assert (ROOT / "cfgs/yolov3-csppelee-efm-codes.names").read_text().split() == [*network.NAMES]


def test_the_sheet_is_small_enough_for_the_repository() -> None:
    image = sheet.sheet(2, columns=2, rows=1, side=64)
    assert image.shape == (64, 128, 3)
    assert len(sheet.encoded(image, 2000)) <= 2000
    assert sheet.SHEET.stat().st_size <= sheet.MOST


# -- the processes of a training -------------------------------------------------------------------------------------

PLACE = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
TELLS = f"""
import json, os, pathlib, sys
place = [os.environ.get(name) for name in {PLACE}]
pathlib.Path(sys.argv[1], place[0]).write_text(json.dumps(place))
"""


def place_here() -> list[str | None]:
    return [os.environ.get(name) for name in PLACE]


def test_every_process_of_a_training_knows_which_of_them_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    before = place_here()
    with helpers(3, [sys.executable, "-S", "-c", TELLS, str(tmp_path)]):
        ours = place_here()
    told = {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()}  # they have ended
    assert told == {"1": ["1", *ours[1:]], "2": ["2", *ours[1:]]}
    assert ours[:3] == ["0", "3", "127.0.0.1"]
    assert place_here() == before


def test_a_process_alone_and_one_that_was_started_start_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-S", "-c", TELLS, str(tmp_path)]
    monkeypatch.delenv("RANK", raising=False)
    with helpers(1, command):
        assert "RANK" not in os.environ
    monkeypatch.setenv("RANK", "1")
    with helpers(2, command):
        assert os.environ["RANK"] == "1"
    assert not [*tmp_path.iterdir()]


def test_the_other_processes_end_where_a_training_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(train, "PATIENCE", 0)
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *given, **more: started.append(popen(*given, **more)) or started[-1]
    )
    with pytest.raises(KeyboardInterrupt), helpers(2, [sys.executable, "-S", "-c", "import time; time.sleep(600)"]):
        raise KeyboardInterrupt
    assert [one.poll() is None for one in started] == [False]
    assert "RANK" not in os.environ


def test_the_example_is_what_its_program_draws_and_every_code_in_it_can_be_read() -> None:
    kept, drawn = cv2.imread(str(example.EXAMPLE)), example.draw_example()
    assert kept.shape == drawn.shape
    assert np.abs(kept.astype(float) - drawn).mean() < 5
    read = [code.format.name for code in zxingcpp.read_barcodes(kept)]
    assert sorted(read) == ["Aztec", "Code128", "DataMatrix", "EAN13", "PDF417", "QRCode", "QRCode"]
    assert example.EXAMPLE.stat().st_size <= example.MOST
