"""`darknet-py prune`: a smaller cfg and its weights, what is printed, and what is refused."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from commands import said
from networks import HEAD

from darknet_py import load, prune
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import Header, Weights, random_weights, read_weights, write_weights
from darknet_py.errors import DataError

# A stage of a cross stage partial network: halves, a shortcut, a group each, and a head.
CFG = f"""[net]
width=32
height=32
channels=3
# what follows is kept
[convolutional]
batch_normalize=1
filters=16   # halves of 8
size=3
stride=4
pad=1
activation=leaky
[route]
layers=-1
groups=2
group_id=1
[convolutional]
batch_normalize=1
filters=8
size=3
pad=1
groups=8
activation=leaky
[convolutional]
batch_normalize=1
filters=8
size=1
activation=linear
[shortcut]
from=-3
activation=leaky
[route]
layers=-1,0
[convolutional]
batch_normalize=1
filters=12
size=1
activation=leaky
{HEAD}"""


def write(folder: Path, text: str = CFG) -> Path:
    """The network, half of whose first channels have small scales, with random weights and names."""
    cfg = folder / "net.cfg"
    cfg.write_text(text)
    graph = compile_file(cfg).check().graph
    arrays = dict(random_weights(graph, 2).arrays)
    for param in graph.params:
        if param.role == "scales":
            arrays[param.value] = np.arange(1, param.size + 1, dtype=np.float32) / param.size
    write_weights(cfg.with_suffix(".weights"), graph, Weights(Header(seen=640), arrays))
    (folder / "net.names").write_text("red\nblue\n")
    return cfg


run = partial(said, "prune")


def test_numbers_of_channels_change_and_nothing_else_of_the_text(tmp_path: Path) -> None:
    cfg = write(tmp_path)
    told = run(cfg, "--share", "0.4", "--minimum", "2", "-o", tmp_path / "small.cfg")
    before, after = (p.read_text().splitlines() for p in (cfg, tmp_path / "small.cfg"))
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert {a.partition("=")[0] for a, _ in changed} == {"filters", "groups"}
    assert "filters=12   # halves of 8" in after
    assert "   0 [convolutional]    16 -> 12\n" in told
    assert "left whole: layer 7: all channels are read here (layer 8 [yolo])" in told
    assert "parameters 1,123 -> 633 (-43.6 %), BFLOPs 0.000 -> 0.000 (-45.2 %)" in told


def test_the_result_loads_with_its_names_and_starts_counting_again(tmp_path: Path) -> None:
    done = prune(write(tmp_path), tmp_path / "out/small.cfg", share=0.4, minimum=2)
    graph = compile_file(done.cfg).check().graph
    assert read_weights(done.weights, graph).header.seen == 0
    assert load(done.cfg).names[1] == "blue"
    assert done.parameters[1] == sum(p.size for p in graph.params)


def test_what_became_of_each_layer_as_json(tmp_path: Path) -> None:
    told = run(write(tmp_path), "--below", "0.9", "--minimum", "1", "-o", tmp_path / "small.cfg", "--json")
    rows = json.loads(told[: told.rindex("}") + 1])["layers"]
    assert [row["index"] for row in rows] == [0, 2, 3, 6, 7]
    assert all(row["after"] < row["before"] or row["reason"] for row in rows)


def test_layers_are_left_alone(tmp_path: Path) -> None:
    done = prune(write(tmp_path), tmp_path / "small.cfg", share=0.4, minimum=2, alone={0})
    assert [(row.index, row.after) for row in done.layers if row.after == row.before] == [
        (0, 16),
        (2, 8),
        (3, 8),
        (7, 7),
    ]
    assert {row.reason for row in done.layers[:3]} == {"this layer is to be left alone (layer 0 [convolutional])"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "either share (--share), a part of 1, or below (--below), a scale"),
        (("--share", "0.5", "--below", "0.1"), "either share"),
        (("--share", "1.5"), "not in the range"),
        (("--share", "0.5", "--leave", "3-1"), "no number of a layer"),
        (("--share", "0.5", "--leave", "0,99"), "layers 0 to 8, and no layer 99"),
        (("--share", "0.5", "--leave", "0-8"), "no channel could be taken out: this layer is to be left alone"),
    ],
)  # fmt: skip
def test_bad_options_are_errors(options: tuple[str, ...], told: str, tmp_path: Path) -> None:
    assert told in run(write(tmp_path), *options, "-o", tmp_path / "small.cfg", fails=True)
    assert not (tmp_path / "small.cfg").exists()


def test_a_network_without_batch_normalization_says_what_is_missing(tmp_path: Path) -> None:
    cfg = write(tmp_path, CFG.replace("batch_normalize=1\n", ""))
    with pytest.raises(DataError, match=r"no batch normalization to go by \(layer 0 \[convolutional\]\)"):
        prune(cfg, tmp_path / "small.cfg", share=0.5)


def test_files_that_are_read_are_not_written(tmp_path: Path) -> None:
    cfg = write(tmp_path)
    with pytest.raises(DataError, match="was read in this run"):
        prune(cfg, cfg, share=0.4, minimum=2, replace=True)


def test_where_it_cannot_be_written_no_channel_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darknet_py.apps.prune.run.find_sets", lambda *_: pytest.fail("computed"))
    cfg = write(tmp_path)
    (tmp_path / "mine.weights").write_text("mine")
    for name, told in (("mine.cfg", "mine.weights exists"), ("smaller.txt", "ends in .cfg")):
        with pytest.raises(DataError, match=told):
            prune(cfg, tmp_path / name, share=0.4)
