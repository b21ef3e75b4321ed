"""A training from beginning to end: what it writes, that it goes on bit by bit, and what it says of trouble."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from drawn import DETECTOR, rectangles

pytest.importorskip("torch")

import torch

from darknet_py import load, train
from darknet_py.apps.train.events import Event, Finished, Resumed, Saved, Step, Validated
from darknet_py.apps.train.network import open_trained
from darknet_py.apps.train.plan import Settings, read_plan
from darknet_py.apps.train.run import rehearse, show_data
from darknet_py.apps.train.snapshot import Snapshot, read_snapshot
from darknet_py.apps.train.trainer import Trainer
from darknet_py.cli import main
from darknet_py.errors import BackendError, DarknetError, DataError
from darknet_py.torch import module, write_weights


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    rectangles(tmp_path / "pictures")
    (tmp_path / "my.cfg").write_text(DETECTOR.format(random=0))
    (tmp_path / "changing.cfg").write_text(DETECTOR.format(random=1))
    (tmp_path / "my.names").write_text("red\ngreen\nblue\n")
    (tmp_path / "my.data").write_text(
        f"classes=3\ntrain={tmp_path}/pictures\nvalid={tmp_path}/pictures\nnames={tmp_path}/my.names\n"
        f"backup={tmp_path}/backup\nsavelast=5\n"
    )
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(before)


def events_of(
    cfg: str = "my.cfg", weights: str | None = None, backup: str | None = None, **settings: object
) -> tuple[list[Event], list[str]]:
    said: list[str] = []
    given = {"threads": 1, **settings}
    return [*train(cfg, "my.data", weights, backup=backup, say=said.append, **given)], said


def steps(events: list[Event]) -> list[Step]:
    return [e for e in events if isinstance(e, Step)]


def test_a_training_writes_what_darknet_does_and_a_state_to_go_on_with(place: Path) -> None:
    events, said = events_of(iterations=10)
    assert [s.iteration for s in steps(events)] == [*range(1, 11)]
    assert all(s.seen == 4 * s.iteration and s.size == (64, 64) for s in steps(events))
    assert any("random" in text for text in said)
    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "iterations"
    written = {p.name for p in (place / "backup").iterdir()} - {".darknet-py.jsonl"}
    assert written == {
        "my_last.weights", "my_last.state", "my_log.jsonl", "my_run.json", "my_run.cfg", "chart_my.svg", "chart_my.png",
    }  # fmt: skip
    assert (place / "backup/my_run.cfg").read_text() == (place / "my.cfg").read_text()
    assert cv2.imread(str(place / "backup/chart_my.png")).shape == (700, 1000, 3)
    records = [json.loads(line) for line in (place / "backup/my_log.jsonl").read_text().splitlines()]
    assert [r["iteration"] for r in records if r["event"] == "step"] == [*range(1, 11)]
    model = load("my.cfg", "backup/my_last.weights")
    assert model.network is not None
    assert model.network.header.seen == 40
    assert list(model.names.values()) == ["red", "green", "blue"]


@pytest.mark.parametrize("cfg", ["my.cfg", "changing.cfg"])
def test_a_training_that_was_stopped_goes_on_bit_by_bit(place: Path, cfg: str) -> None:
    whole, _ = events_of(cfg, backup="whole", iterations=23)
    events_of(cfg, backup="parts", iterations=4)
    events_of(cfg, backup="parts", iterations=11)
    parts, said = events_of(cfg, backup="parts", iterations=23)
    assert isinstance(parts[0], Resumed)
    assert parts[0].iteration == 11
    assert not any("random" in text for text in said)
    assert [s.loss for s in steps(parts)] == [s.loss for s in steps(whole)][11:]
    stem = cfg.removesuffix(".cfg")
    assert Path(f"whole/{stem}_last.weights").read_bytes() == Path(f"parts/{stem}_last.weights").read_bytes()
    log = [json.loads(line) for line in Path(f"parts/{stem}_log.jsonl").read_text().splitlines()]
    assert [r["iteration"] for r in log if r["event"] == "step"] == [*range(1, 24)]


def test_a_cfg_that_is_edited_meanwhile_changes_nothing(place: Path) -> None:
    plan = read_plan("my.cfg", "my.data")
    (place / "my.cfg").write_text(DETECTOR.format(random=0).replace("activation=mish", "activation=linear"))
    kinds = [op.kind for op in plan.at((96, 96)).graph.ops]
    assert kinds.count("mish") == 1
    assert plan.at((96, 96)).graph.image.shape == (3, 96, 96)


def test_a_misspelt_option_is_said_before_what_it_leads_to(place: Path) -> None:
    (place / "my.cfg").write_text(DETECTOR.format(random=0).replace("max_batches=40", "max_batchs=40"))
    said: list[str] = []
    with pytest.raises(DataError, match="no max_batches"):
        [*train("my.cfg", "my.data", say=said.append)]
    assert any("did you mean 'max_batches'" in text for text in said)


def test_a_checkpoint_of_pytorch_is_weights_to_begin_with(place: Path) -> None:
    net = module("my.cfg", seed=3)
    names = {"biases": "BatchNorm2d.bias", "scales": "BatchNorm2d.weight", "mean": "BatchNorm2d.running_mean",
             "variance": "BatchNorm2d.running_var", "weights": "Conv2d.weight"}  # fmt: skip
    last = {"biases": "Conv2d.bias", "weights": "Conv2d.weight"}
    state = {}
    for name, tensor in net.state_dict().items():
        layer, role = name.split("_convolutional.")
        state[f"module_list.{layer}.{(last if layer == '3' else names)[role]}"] = tensor
    torch.save({"model": state}, place / "begin.pt")
    found = open_trained(read_plan("my.cfg", "my.data", "begin.pt"), torch.device("cpu"), print)
    for name, tensor in net.state_dict().items():
        # The epsilon of that program, 1e-4, is carried over in the variance.
        torch.testing.assert_close(found.module.state_dict()[name], tensor, atol=1e-4, rtol=0)


def test_the_number_of_workers_changes_nothing(place: Path) -> None:
    losses = [[s.loss for s in steps(events_of(backup=f"w{n}", iterations=6, workers=n)[0])] for n in (0, 1, 3)]
    assert losses[0] == losses[1] == losses[2]


def test_products_in_bfloat16_are_nearly_the_same_training(place: Path) -> None:
    exact, short = (
        [s.loss for s in steps(events_of(backup=p, iterations=3, precision=p)[0])] for p in ("float32", "bf16")
    )
    assert exact != short
    np.testing.assert_allclose(short, exact, rtol=0.05)


def test_objects_that_fell_on_a_taken_anchor_are_counted_since_the_beginning(place: Path) -> None:
    def said(events: list[object]) -> list[str]:
        return [line for step in steps(events) for line in step.heads if "rewritten_bbox" in line]

    whole = said(events_of(backup="whole", iterations=8)[0])
    assert re.fullmatch(r" total_bbox = \d+, rewritten_bbox = \d+\.\d{6} %", whole[0])
    events_of(backup="parts", iterations=5)
    assert said(events_of(backup="parts", iterations=8)[0]) == whole[5:]


def test_another_seed_is_another_training(place: Path) -> None:
    first, second = (steps(events_of(backup=f"s{n}", iterations=2, seed=n)[0]) for n in (0, 1))
    assert first[1].loss != second[1].loss


def test_a_whole_training_ends_with_final_weights_and_is_not_begun_again(place: Path) -> None:
    events, _ = events_of(max_batches=6, map_=True)
    assert events[-1] == Finished(6, "done", place / "backup/my_final.weights")
    (measured,) = [e for e in events if isinstance(e, Validated)]
    assert measured.kind == "mAP"
    assert 0 <= measured.value <= 1
    assert (place / "backup/my_best.weights").read_bytes() == (place / "backup/my_final.weights").read_bytes()
    with pytest.raises(DataError, match=r"this training is done: .*my_final.weights\n  hint: --fresh"):
        events_of(max_batches=6)
    assert len(steps(events_of(max_batches=6, fresh=True)[0])) == 6


def test_a_training_that_is_killed_before_its_final_weights_are_there_is_not_done(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events_of(max_batches=5, backup="whole")
    with monkeypatch.context() as changed:

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        changed.setattr("darknet_py.apps.train.written.Written._save_settled", killed)
        with pytest.raises(KeyboardInterrupt):
            events_of(max_batches=5, backup="parts")  # savelast=5: a state of the last iteration is due as well
    events, _ = events_of(max_batches=5, backup="parts")
    assert events[-1] == Finished(5, "done", Path("parts/my_final.weights"))
    assert Path("whole/my_final.weights").read_bytes() == Path("parts/my_final.weights").read_bytes()


def test_validation_pictures_without_objects_are_told_before_the_first_iteration(place: Path) -> None:
    (place / "none").mkdir()
    cv2.imwrite(str(place / "none/a.png"), np.zeros((20, 20, 3), np.uint8))
    (place / "none/a.txt").write_text("")
    data = (place / "my.data").read_text().replace(f"valid={place}/pictures", f"valid={place}/none")
    (place / "my.data").write_text(data)
    with pytest.raises(DataError, match=r"no objects in the validation pictures\n  hint: train without --map"):
        events_of(iterations=1, map_=True)
    assert not (place / "backup").exists()
    assert len(steps(events_of(iterations=1)[0])) == 1


def test_a_picture_that_cannot_be_read_is_not_measured_and_said_once(place: Path) -> None:
    pictures = [*(place / "pictures").glob("*.png")]
    (place / "valid.txt").write_text("\n".join(map(str, [*pictures, place / "broken.png"])))
    (place / "broken.png").write_bytes(b"no picture")
    (place / "broken.txt").write_text("0 .5 .5 .2 .2\n")
    (place / "my.data").write_text(
        (place / "my.data").read_text().replace(f"valid={place}/pictures", "valid=valid.txt")
    )
    events, said = events_of(max_batches=3, map_=True)
    assert sum(isinstance(e, Validated) for e in events) == 1
    assert sum("not measured" in text and "broken.png" in text for text in said) == 1


def test_pictures_without_objects_are_nothing_to_learn_from(place: Path) -> None:
    for labels in (place / "pictures").glob("*.txt"):
        labels.write_text("")
    with pytest.raises(DataError, match="no object of the cfg's 3 classes"):
        events_of()


def test_objects_that_no_head_learns_are_said(place: Path) -> None:
    (place / "my.cfg").write_text(
        DETECTOR.format(random=0).replace("mask=0,1", "mask=0").replace("filters=16", "filters=8")
    )
    _, said = events_of(iterations=1)
    (text,) = (text for text in said if "never learned" in text)
    assert "no head's mask (30x30)" in text
    assert "iou_thresh=0.2" in text


def test_two_losses_of_one_output_are_said(place: Path) -> None:
    text = DETECTOR.format(random=0).split("[convolutional]\nfilters=16")[0].replace("mosaic=1\n", "")
    (place / "my.cfg").write_text(f"{text}[avgpool]\n[connected]\noutput=3\nactivation=linear\n[softmax]\n[cost]\n")
    for i, path in enumerate(sorted((place / "pictures").glob("*.png"))):
        path.rename(path.with_name(f"{('red', 'green', 'blue')[i % 3]}_{i}.png"))
    events, said = events_of(max_batches=2, map_=True)
    assert any("[cost] after [softmax]: both send back their deltas" in text for text in said)
    assert [e.kind for e in events if isinstance(e, Validated)] == ["top-1"]


@pytest.mark.parametrize(
    ("name", "said"), [("cuda:99", "cuda:99"), ("foo", "no device 'foo'"), ("openvino:GPU", "GPU")]
)
def test_a_device_that_is_not_there_is_told(place: Path, name: str, said: str) -> None:
    with pytest.raises(BackendError, match=said):
        events_of(iterations=1, device=name)
    with pytest.raises(BackendError, match=said):
        rehearse(read_plan("my.cfg", "my.data", settings=Settings(device=name)))


def test_a_rehearsal_of_a_small_network_tries_one_thread(place: Path) -> None:
    torch.set_num_threads(2)
    found = rehearse(read_plan("my.cfg", "my.data"))
    assert found.alone is not None
    assert torch.get_num_threads() == 2
    assert "train with --threads 1" in str(replace(found, seconds=2 * found.alone))
    assert "--threads" not in str(replace(found, seconds=found.alone))
    assert rehearse(read_plan("my.cfg", "my.data", settings=Settings(threads=1))).alone is None


def test_a_full_disk_ends_it_with_the_last_good_state(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events_of(iterations=5)
    good = (place / "backup/my_last.state").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Snapshot, "write", full)
    with pytest.raises(DataError, match=r"No space left on device: training ends after iteration 10\n.*my_last.state"):
        events_of(iterations=20)
    assert (place / "backup/my_last.state").read_bytes() == good


def test_darknets_own_last_file_is_gone_on_with_from_its_iteration(place: Path) -> None:
    write_weights(module("my.cfg", seed=3), place / "darknet_last.weights", seen=4 * 7)
    events, _ = events_of(weights="darknet_last.weights", iterations=9)
    assert [s.iteration for s in steps(events)] == [8, 9]
    with pytest.raises(DataError, match=r"began in another way.*\n  hint: name another folder with --backup"):
        events_of(weights="darknet_last.weights", iterations=2, clear=True)
    events, _ = events_of(weights="darknet_last.weights", iterations=2, clear=True, backup="cleared")
    assert [s.iteration for s in steps(events)] == [1, 2]
    events, _ = events_of(weights="darknet_last.weights", iterations=3, clear=True, backup="cleared")
    assert [s.iteration for s in steps(events)] == [3]  # the same command goes on


def test_weights_that_have_seen_everything_are_said_to(place: Path) -> None:
    write_weights(module("my.cfg", seed=3), place / "done.weights", seen=4 * 40)
    with pytest.raises(DataError, match=r"has seen 160 pictures, which is all of 40 iterations\n  hint: --clear"):
        events_of(weights="done.weights")


def test_freezing_everything_is_an_error(place: Path) -> None:
    with pytest.raises(DataError, match="no layer with parameters is trained"):
        events_of(freeze=4)


def test_other_weights_do_not_write_over_a_training(place: Path) -> None:
    events_of(iterations=5)
    write_weights(module("my.cfg", seed=3), place / "other.weights")
    with pytest.raises(DataError, match="began in another way"):
        events_of(weights="other.weights", iterations=6)
    assert len(steps(events_of(weights="other.weights", iterations=2, fresh=True)[0])) == 2


@pytest.mark.parametrize("name", ["my_20.weights", "chart_my.svg"])
def test_any_file_of_somebody_else_stops_it(place: Path, name: str) -> None:
    (place / "backup").mkdir()
    (place / "backup" / name).write_bytes(b"Darknet's")
    with pytest.raises(DataError, match=f"{name} is not known to be of a training here"):
        events_of(iterations=1)


def test_changed_settings_are_named(place: Path) -> None:
    events_of(iterations=5)
    _, said = events_of(iterations=6, seed=0, map_=True)
    assert "going on with map=True, which was False" in said


def test_pictures_of_a_folder_can_be_measured_on_others(place: Path) -> None:
    recipe = dict(threads=1, map_=True, max_batches=2)
    said: list[str] = []
    found = [*train("my.cfg", place / "pictures", backup="a", valid="my.data", say=said.append, **recipe)]
    assert any(isinstance(e, Validated) for e in found)
    assert not any("--valid" in text for text in said)
    [*train("my.cfg", place / "pictures", backup="b", say=said.append, **recipe)]
    assert any("--valid" in text for text in said)


def test_weights_of_the_first_layers_are_enough(place: Path) -> None:
    from darknet_py.darknet.weights import read_weights
    from darknet_py.darknet.weights import write_weights as write_first

    net = module("my.cfg", seed=3)
    write_weights(net, place / "all.weights")
    write_first(place / "first.weights", net.graph, read_weights(place / "all.weights", net.graph), upto=2)
    _, said = events_of(weights="first.weights", iterations=1)
    assert "first.weights ends before layer 2: the parameters from there on are random" in said


def test_frozen_layers_stay_as_they_are(place: Path) -> None:
    write_weights(module("my.cfg", seed=3), place / "all.weights")
    events_of(weights="all.weights", iterations=4, freeze=2)
    before, after = module("my.cfg", "all.weights"), module("my.cfg", "backup/my_last.weights")
    same = {name: torch.equal(p, dict(after.state_dict())[name]) for name, p in before.state_dict().items()}
    assert {name for name, equal in same.items() if equal} == {n for n in same if n.startswith("0_")}


def test_a_running_mean_of_weights_is_written(place: Path) -> None:
    (place / "my.cfg").write_text(DETECTOR.format(random=0).replace("momentum=", "ema_alpha=0.9\nmomentum="))
    events, _ = events_of(max_batches=2010, iterations=1)
    assert not any(isinstance(e, Saved) and e.kind == "ema" for e in events)
    state = read_snapshot(place / "backup/my_last.state")
    state.iteration = 1003  # as if a thousand had passed
    state.write(place / "backup/my_last.state")
    events, _ = events_of(max_batches=2010, iterations=1006)
    assert any(isinstance(e, Saved) and e.kind == "ema" for e in events)


def test_a_training_that_is_asked_to_stop_ends_with_everything_saved(place: Path) -> None:
    trainer = Trainer(read_plan("my.cfg", "my.data", settings=Settings(threads=1)))
    events = []
    for event in trainer:
        events.append(event)
        if isinstance(event, Step) and event.iteration == 2:
            trainer.stop()
    assert [getattr(e, "kind", "") for e in events[2:]] == ["last", "state", ""]
    assert isinstance(events[-1], Finished)
    assert (events[-1].iteration, events[-1].reason) == (2, "stopped")
    assert next(e.iteration for e in Trainer(trainer.plan) if isinstance(e, Step)) == 3


def test_a_loss_that_is_no_number_names_layer_and_picture_and_keeps_the_last_good_state(place: Path) -> None:
    events_of(iterations=5)
    good = (place / "backup/my_last.weights").read_bytes()
    state = read_snapshot(place / "backup/my_last.state")
    state.module["2_convolutional.weights"].fill_(float("inf"))
    state.write(place / "backup/my_last.state")
    with pytest.raises(DataError, match=r"in iteration 6: after layer 2 \[convolutional\] of .*\.png") as caught:
        events_of(iterations=9)
    assert "the last good state is" in str(caught.value)
    assert (place / "backup/my_last.weights").read_bytes() == good


def test_a_state_of_another_network_is_refused(place: Path) -> None:
    events_of(iterations=5)
    (place / "my.cfg").write_text(DETECTOR.format(random=0).replace("filters=8", "filters=6", 1))
    with pytest.raises(DataError, match=r"is of another network, or of another version: .*\n  hint: --fresh"):
        events_of(iterations=9)


def test_a_damaged_state_is_an_error_and_nothing_in_it_is_executed(place: Path) -> None:
    import pickle

    events_of(iterations=5)

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(place / "executed"),)

    for data in (b"", b"PK\x03\x04 nothing", pickle.dumps(Evil())):
        (place / "backup/my_last.state").write_bytes(data)
        with pytest.raises(DataError, match="is no state of a training"):
            events_of(iterations=9)
    assert not (place / "executed").exists()


def test_files_of_somebody_else_are_not_replaced(place: Path) -> None:
    (place / "backup").mkdir()
    (place / "backup/my_last.weights").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"my_last.weights is not known to be of a training here"):
        events_of(iterations=1)
    assert (place / "backup/my_last.weights").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batch=4", "batch=1", r"batch=1 is for detection\n  hint: set batch=64"),
        ("subdivisions=2", "subdivisions=3", "a batch of 4 cannot be computed in 3 equal parts"),
        ("max_batches=40", "", r"no max_batches\n  hint: .*--max-batches"),
        ("momentum", "contrastive=1\nmomentum", "contrastive=1 is not trained here"),
        ("[dropout]", "[rnn]\noutput=3\n[dropout]", r"layer 1 \[rnn\] remembers what it saw"),
    ],
)
def test_what_cannot_be_trained_is_said_before_anything_is_read(place: Path, old: str, new: str, said: str) -> None:
    text = DETECTOR.format(random=0).replace(old, new, 1)
    if "[rnn]" in new:
        text = text.split("[dropout]")[0] + "[rnn]\noutput=3\n"
    (place / "my.cfg").write_text(text)
    with pytest.raises(DataError, match=said):
        events_of()


def test_what_darknet_does_not_have_is_written_down(place: Path) -> None:
    events_of(iterations=2, optimizer="adamw", schedule="cosine", clip_norm=10.0)
    written = json.loads((place / "backup/my_run.json").read_text())
    assert written["beyond_darknet"] == ["optimizer=adamw", "schedule=cosine", "clip_norm=10"]
    with pytest.raises(DataError, match="optimizer is one of darknet, adamw, not 'lion'"):
        events_of(optimizer="lion")


def test_what_each_picture_costs_is_logged_if_asked_for(place: Path) -> None:
    events, _ = events_of(iterations=2, per_sample=True)
    first = steps(events)[0]
    assert len(first.costs) == 4
    assert all(".png" in path for path, _ in first.costs)
    logged = json.loads((place / "backup/my_log.jsonl").read_text().splitlines()[0])
    assert logged["costs"] == [list(pair) for pair in first.costs]
    events, _ = events_of(iterations=1, backup="other")
    assert steps(events)[0].costs == ()
    assert "costs" not in (place / "other/my_log.jsonl").read_text()


def test_other_pictures_are_noticed(place: Path) -> None:
    events_of(iterations=5)
    before = json.loads((place / "backup/my_run.json").read_text())["data_sha256"]
    (place / "pictures/00.txt").write_text("1 .5 .5 .2 .2\n")
    _, said = events_of(iterations=6)
    assert "going on, though the data set changed" in said
    assert json.loads((place / "backup/my_run.json").read_text())["data_sha256"] != before


def test_a_rehearsal_keeps_nothing(place: Path) -> None:
    found = rehearse(read_plan("my.cfg", "my.data", settings=Settings(threads=1)))
    assert (found.iterations, found.pictures, found.size) == (40, 4, (64, 64))
    assert found.parameters == sum(p.numel() for p in module("my.cfg").state_dict().values())
    assert not (place / "backup").exists()


def test_a_sheet_shows_the_data(place: Path) -> None:
    path = show_data(read_plan("my.cfg", "my.data"), 4)
    assert np.ptp(cv2.imread(str(path))) > 100


def command(place: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "darknet_py", "train", "my.data", "my.cfg", "--threads", "1", *arguments]


def test_ctrl_c_ends_the_iteration_and_saves(place: Path) -> None:
    running = subprocess.Popen(
        command(place, "--max-batches", "100000"), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert running.stdout is not None
    for line in running.stdout:
        if line.split()[:1] == ["2"]:
            break
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    assert "stopping after this iteration" in err
    assert out.splitlines()[-1].startswith("stopped after iteration")
    stopped = read_snapshot(place / "backup/my_last.state").iteration
    done = subprocess.run(
        command(place, "--max-batches", "100000", "--iterations", str(stopped + 1)),
        cwd=place, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"going on after iteration {stopped}" in done.stdout


def test_kill_9_loses_nothing_but_time(place: Path) -> None:
    """Once here; `make train-kill` does it at 20 random moments."""
    subprocess.run(command(place, "--backup", "whole", "--iterations", "20"), cwd=place, check=True)
    running = subprocess.Popen(command(place, "--backup", "killed", "--iterations", "20"), cwd=place)
    state = place / "killed/my_last.state"
    end = time.monotonic() + 120
    while not state.exists() and time.monotonic() < end:
        time.sleep(0.01)
    running.kill()
    running.wait()
    subprocess.run(command(place, "--backup", "killed", "--iterations", "20"), cwd=place, check=True)
    assert (place / "killed/my_last.weights").read_bytes() == (place / "whole/my_last.weights").read_bytes()


def test_two_processes_train_as_one_does(place: Path) -> None:
    text = DETECTOR.format(random=0).replace("mosaic=1\n", "")
    (place / "my.cfg").write_text(text.replace("[dropout]\nprobability=.2\n", ""))
    events_of(backup="one", iterations=4)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "darknet_py"]
    done = subprocess.run(
        [*run, *command(place)[3:], "--backup", "two", "--iterations", "4"],
        cwd=place, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = (dict(module("my.cfg", f"{name}/my_last.weights").state_dict()) for name in ("one", "two"))
    learned = [name for name in one if not name.endswith(("mean", "variance"))]
    assert len(learned) == 8
    for name in learned:
        scale = float(one[name].abs().max())
        assert float((one[name] - two[name]).abs().max()) <= 1e-5 * scale, name


ENDING = """
import os
import torch
from darknet_py.apps.train.processes import started
from darknet_py.errors import BackendError
with started(torch.device("cpu")) as processes:
    assert not processes.any_of(False)
    if not processes.first:
        os._exit(0)
    try:
        processes.any_of(False)
    except BackendError as e:
        print(e)
"""


def test_that_another_process_has_ended_is_an_error_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    other = subprocess.Popen([sys.executable, "-c", ENDING], env={**common, "RANK": "1"})
    first = subprocess.run(
        [sys.executable, "-c", ENDING], env={**common, "RANK": "0"}, capture_output=True, text=True, timeout=120,
        check=True,
    )  # fmt: skip
    assert first.stdout.startswith("another process of this training has ended")
    assert other.wait() == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("learning_rate=0.002", "learning_rate=x", r"my.cfg:8:15: error.*'learning_rate' wants a number, not 'x'"),
        ("policy=steps", "policy=stpes", r"unknown policy 'stpes'\n(.|\n)*did you mean 'steps'"),
        ("iou_loss=ciou", "iou_loss=cious", "unknown iou_loss 'cious'"),
        ("policy=steps", "policy=sgdr\nsgdr_cycle=0", "my.cfg: policy=sgdr with sgdr_cycle=0"),
    ],
)
def test_values_of_training_that_cannot_be_read_are_errors_at_the_start(
    place: Path, old: str, new: str, said: str
) -> None:
    (place / "my.cfg").write_text(DETECTOR.format(random=0).replace(old, new, 1))
    with pytest.raises(DarknetError, match=said):
        events_of(iterations=1)
    assert not (place / "backup").exists()


def test_a_number_of_training_that_is_not_read_whole_is_said(place: Path) -> None:
    (place / "my.cfg").write_text(DETECTOR.format(random=0).replace("learning_rate=0.002", "learning_rate=0,002", 1))
    said: list[str] = []
    assert read_plan("my.cfg", "my.data", say=said.append).net.learning_rate == 0
    assert any("it takes '0'" in line and "its fraction begins with '.'" in line for line in said)


def test_names_and_classes_of_another_network_are_said(place: Path) -> None:
    (place / "my.names").write_text("red\ngreen\nblue\nblack\n")
    (place / "my.data").write_text((place / "my.data").read_text().replace("classes=3", "classes=4"))
    said: list[str] = []
    read_plan("my.cfg", "my.data", say=said.append)
    assert any("holds 4 names, and the network has 3 classes" in line for line in said)
    assert any("says classes=4, and the network has 3 classes" in line for line in said)


def test_a_frozen_layer_of_random_parameters_is_said(place: Path) -> None:
    _, said = events_of(iterations=1, freeze=1)
    assert any(line.startswith("freeze=1 keeps layer 0 as it is, with random parameters") for line in said)


def test_a_state_that_was_cut_off_is_named_with_what_to_do(place: Path) -> None:
    events_of(iterations=5)
    state = place / "backup/my_last.state"
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"my_last.state is no state of a training, or damaged: .*\n  hint: --fresh"):
        events_of(iterations=6)


def test_a_backup_folder_that_was_copied_without_hidden_files_is_gone_on_with(place: Path) -> None:
    events_of(iterations=5)
    (place / "backup/.darknet-py.jsonl").unlink()
    assert [s.iteration for s in steps(events_of(iterations=6)[0])] == [6]


def test_a_second_training_in_the_same_folder_is_refused_while_the_first_one_runs(place: Path) -> None:
    first = train("my.cfg", "my.data", threads=1, iterations=5)
    next(first)
    run = (place / "backup/my_run.json").read_bytes()
    with pytest.raises(DataError, match=r"my_log.jsonl is being written by another process.*\n  hint: wait for it"):
        events_of(iterations=5, seed=7)
    assert (place / "backup/my_run.json").read_bytes() == run
    assert [s.iteration for s in steps([*first])] == [2, 3, 4, 5]
    assert [s.iteration for s in steps(events_of(iterations=6)[0])] == [6]


def test_a_folder_that_cannot_be_written_to_names_another_one_as_the_remedy(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Snapshot, "write", read_only)
    with pytest.raises(DataError, match=r"Read-only file system: .*\n  hint: .*\(--backup\)"):
        events_of(iterations=5)


@pytest.mark.parametrize(
    "setting", [{"iterations": 0}, {"iterations": -1}, {"workers": -1}, {"threads": 0}, {"freeze": -1}, {"seed": -1}]
)
def test_a_setting_below_what_it_can_be_is_an_error(setting: dict[str, int]) -> None:
    with pytest.raises(DataError, match=r"^(\w+)=-?\d+: not less than"):
        Settings(**setting)  # type: ignore[arg-type]  # one setting at a time, whichever it is


def test_a_norm_of_nothing_is_an_error() -> None:
    with pytest.raises(DataError, match="clip_norm=0 is a norm"):
        Settings(clip_norm=0)


@pytest.mark.parametrize(
    ("cfg", "options", "said"),
    [
        ("my.cfg", {"map_": True, "points": 1}, "points=1: 0"),
        ("my.cfg", {"map_": True, "iou_thresh": 50}, "iou_thresh=50 is an overlap"),
        ("joined.cfg", {"sizes": ((0, 64), (1000, 68))}, r"sizes=.* pictures of 68x68 would come"),
        ("chart.cfg", {}, "max_chart_loss=0 is the top of the chart"),
        ("narrow.cfg", {}, "resize_step=0 is no number of pixels"),
        ("joined.cfg", {}, "with random=1, pictures of 52x52 would come"),
    ],
)
def test_what_would_end_a_training_after_days_is_refused_before_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, cfg: str, options: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr(Trainer, "__iter__", lambda _: pytest.fail("trained"))
    lines = {"chart": "max_chart_loss=0", "narrow": "resize_step=0", "joined": "resize_step=4"}
    joined = "[maxpool]\nsize=2\nstride=2\n[upsample]\nstride=2\n[route]\nlayers=-1,-3\n[dropout]"  # even sides only
    for name, line in lines.items():
        text = (place / "changing.cfg").read_text().replace("[dropout]", joined)
        (place / f"{name}.cfg").write_text(text.replace("[net]\n", f"[net]\n{line}\n", 1))
    with pytest.raises(DataError, match=said):
        train(cfg, "my.data", **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--valid", "pictures", "--map-epochs", "2"], "--map-epochs and --valid are for --map"),
        (["--dry-run", "--show-data", "2"], "--dry-run and --show-data are two things"),
        (["--dry-run", "--tensorboard", "board"], "--dry-run trains nothing: leave out --tensorboard"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.setattr(Trainer, "__iter__", lambda _: pytest.fail("trained"))
    done = CliRunner().invoke(main, ["train", "my.data", "my.cfg", *options])
    assert done.exit_code == 2
    assert said in done.stderr
