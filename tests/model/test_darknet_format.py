"""`export --format darknet`: files that Darknet and this package find by one name."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from commands import said
from networks import picture, write_detector, write_recurrent

from darknet_py import load

export = partial(said, "export")


def test_what_is_written_finds_what_the_network_found(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    told = export(cfg, "-o", tmp_path / "out/again.cfg")
    assert "again.weights: 132 bytes" in told
    assert "checked: the same operations on the same numbers" in told
    assert (tmp_path / "out/again.weights").read_bytes() == cfg.with_suffix(".weights").read_bytes()
    assert (tmp_path / "out/again.names").read_text() == "red\nblue\n"
    pixels = picture((1, 2, "red"), (3, 0, "blue"))
    again = load(tmp_path / "out/again.cfg")
    assert again.names[1] == "blue"
    np.testing.assert_array_equal(again(pixels)[0].boxes.xyxy, load(cfg)(pixels)[0].boxes.xyxy)


def test_padding_and_size_are_written(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    export(cfg, "-o", tmp_path / "again.cfg", "--letterbox", "--size", "64x32")
    text = (tmp_path / "again.cfg").read_text()
    assert "letter_box=1" in text
    assert "width=64" in text
    assert load(tmp_path / "again.cfg").contract.letterbox


def test_a_recurrent_network_keeps_its_bytes(tmp_path: Path) -> None:
    cfg = write_recurrent(tmp_path)
    export(cfg, "-o", tmp_path / "again.cfg", "--fold")
    assert (tmp_path / "again.weights").read_bytes() == cfg.with_suffix(".weights").read_bytes()


def test_a_class_tree_goes_along(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/small.tree").write_text("animal -1\ndog 0\n")
    cfg = tmp_path / "tree.cfg"
    cfg.write_text("[net]\nwidth=1\nheight=1\nchannels=2\n[softmax]\ntree=data/small.tree\n")
    export(cfg, "-o", tmp_path / "out/tree.cfg")
    assert "tree=small.tree" in (tmp_path / "out/tree.cfg").read_text()
    assert (tmp_path / "out/small.tree").read_text() == "animal -1\ndog 0\n"


def test_files_of_the_users_stay(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    (tmp_path / "again.weights").write_bytes(b"mine")
    told = export(cfg, "-o", tmp_path / "again.cfg", fails=True)
    assert "again.weights exists" in told
    assert not (tmp_path / "again.cfg").exists()
    export(cfg, "-o", tmp_path / "again.cfg", "--replace")
    assert "was read in this run" in export(cfg, "-o", cfg, "--replace", fails=True)
    assert "ends in .cfg" in export(cfg, "-o", tmp_path / "again", "--format", "darknet", fails=True)


def test_another_form_is_run_beside_the_network(tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n" + "[convolutional]\nbatch_normalize=1\nfilters=4\n" * 3)
    whole = export(cfg, "-o", tmp_path / "folded.cfg", "--fold", "--random-weights", "1")
    part = export(cfg, "-o", tmp_path / "part.cfg", "--fold", "--layers", "2", "--random-weights", "1")
    for told in (whole, part):
        assert "of the scale from the network that it was written from" in told
