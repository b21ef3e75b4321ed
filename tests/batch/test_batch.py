"""Batch work on this machine: a row for each picture, each once, gone on with after a stop, and nothing of others."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from commands import invoke
from networks import write_classifier, write_detector, write_recurrent
from scenes import BROKEN, encoded, parts, results, rows_in, write_pictures, write_tar

from darknet_py import batch, batch_plan, batch_rows, batch_status, load
from darknet_py.apps.batch.rows import row_of
from darknet_py.apps.batch.run import BatchSummary
from darknet_py.errors import DataError
from darknet_py.machine import is_alive


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    return write_detector(tmp_path / "net")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "photos", 7)
    (tmp_path / "photos" / "0003.png").write_bytes(BROKEN)
    return tmp_path / "photos"


def run(cfg: Path, source: Path | str | list[str], out: Path | str, **options: Any) -> BatchSummary:
    return batch(cfg, source, out, **{"shard_size": 2, "processes": 1, **options})


def test_every_picture_is_a_row_with_what_a_model_finds(cfg: Path, photos: Path, tmp_path: Path) -> None:
    found = run(cfg, photos, tmp_path / "out")
    assert (found.complete, found.computed, found.pictures, found.errors) == (True, 4, 7, 1)
    rows = results(tmp_path / "out")
    assert [row["position"] for row in rows] == list(range(7))
    model = load(cfg)
    for row in rows:
        if row["position"] == 3:
            continue
        (told,) = model(row["path"])
        assert (row["width"], row["height"], row["error"], row["classes"]) == (32, 32, None, None)
        assert row["boxes"]
        assert [(b["class_id"], b["name"], b["score"]) for b in row["boxes"]] == [
            (o["class_id"], o["name"], o["confidence"]) for o in told.to_dict()["objects"]
        ]
        assert [[b[c] for c in ("x1", "y1", "x2", "y2")] for b in row["boxes"]] == [
            o["box"] for o in told.to_dict()["objects"]
        ]


def test_a_broken_picture_is_a_row_with_an_error(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "out")
    row = results(tmp_path / "out")[3]
    assert row == {
        "position": 3, "path": str(photos / "0003.png"), "width": None, "height": None, "boxes": None, "classes": None,
        "error": f"{photos / '0003.png'}: not a picture, or in a format that OpenCV cannot read",
        "warning": None,
    }  # fmt: skip


def test_a_picture_that_was_cut_is_a_row_that_says_so(cfg: Path, photos: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    cut = photos / "0003.png"  # whatever its name says
    cut.write_bytes(cv2.imencode(".jpg", noise)[1].tobytes()[:-100])
    run(cfg, photos, tmp_path / "out")
    said = [row["warning"] for row in results(tmp_path / "out")]
    assert (
        said
        == [None] * 3 + [f"{cut}: the JPEG was cut, its end is missing; what it has no pixels for is grey"] + [None] * 3
    )
    assert results(tmp_path / "out")[3]["error"] is None


def test_a_network_of_which_no_number_is_one_is_in_each_row(cfg: Path, photos: Path, tmp_path: Path) -> None:
    weights = cfg.with_suffix(".weights")
    weights.write_bytes(weights.read_bytes()[:-4] + np.float32(np.nan).tobytes())
    run(cfg, photos / "0001.png", tmp_path / "out")
    assert "computes NaN or infinity" in results(tmp_path / "out")[0]["warning"]


def test_partial_weights_raise_the_default_threshold(cfg: Path, photos: Path, tmp_path: Path) -> None:
    """As in `run`."""
    part = tmp_path / "net.conv.1"
    part.write_bytes(cfg.with_suffix(".weights").read_bytes()[:20])
    for name, weights in (("part", part), ("whole", None)):
        run(cfg, photos / "0001.png", tmp_path / name, weights=weights, allow_partial=True)
    kept = [json.loads((tmp_path / name / "job.json").read_text())["options"]["conf"] for name in ("part", "whole")]
    assert kept == [0.5, 0.25]


def test_what_is_asked_and_changes_nothing_is_said(cfg: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="threads: the back end 'numpy' cannot be told how many"):
        run(cfg, photos, tmp_path / "out", backend="numpy", threads=1)
    said: list[str] = []
    run(write_classifier(tmp_path), photos, tmp_path / "classes", conf=0.9, say=said.append)
    assert "warning: the network is a classifier: conf and iou are about boxes, and change nothing" in said


def test_what_an_exported_file_cannot_give_is_a_message(cfg: Path, photos: Path, tmp_path: Path) -> None:
    load(cfg).export(tmp_path / "net.onnx", boxes="padded", max_detections=1)
    told = invoke("batch", tmp_path / "net.onnx", photos, "-o", tmp_path / "out", "--conf", 0.1, "--processes", 1)
    assert told.stderr.startswith("warning: the file itself holds nothing below its own 0.25")
    assert "at most 1 object of a picture" in results(tmp_path / "out")[0]["warning"]


def test_a_picture_that_is_gone_is_a_row_with_an_error(cfg: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("photos/0001.png\nphotos/gone.png\n")
    run(cfg, tmp_path / "list.txt", tmp_path / "out")
    assert [bool(row["error"]) for row in results(tmp_path / "out")] == [False, True]


def test_pictures_beyond_the_limit_are_rows_with_an_error(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "out", max_pixels=100)
    assert all("pixels" in row["error"] or row["position"] == 3 for row in results(tmp_path / "out"))


def test_a_classifier_gives_its_best_classes(photos: Path, tmp_path: Path) -> None:
    run(write_classifier(tmp_path), photos, tmp_path / "out")
    row = results(tmp_path / "out")[0]
    assert row["boxes"] is None
    assert row["classes"][0]["name"] == "red"


@pytest.mark.parametrize("options", [{"batch": 3}, {"workers": 2}, {"processes": 2}, {"batch": 2, "workers": 1}])
def test_rows_do_not_depend_on_how_they_are_computed(
    cfg: Path, photos: Path, tmp_path: Path, options: dict[str, int]
) -> None:
    run(cfg, photos, tmp_path / "one", shard_size=4)
    run(cfg, photos, tmp_path / "other", shard_size=4, **options)
    assert results(tmp_path / "one") == results(tmp_path / "other")


def test_the_same_work_makes_the_same_bytes(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "one")
    run(cfg, photos, tmp_path / "two")
    assert parts(tmp_path / "one") == parts(tmp_path / "two")


def test_options_of_a_model_count(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "out", conf={"red": 0.5}, classes=["red"], max_det=1)
    assert {box["name"] for row in results(tmp_path / "out") for box in row["boxes"] or ()} == {"red"}


def test_several_sources_are_one_listing(cfg: Path, photos: Path, tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "more.tar", {"a.png": encoded()})
    found = batch(cfg, [photos, str(tar)], tmp_path / "out", processes=1)
    assert found.pictures == 8
    assert results(tmp_path / "out")[7]["boxes"]


# -- going on -----------------------------------------------------------------------------------------------------


def test_the_same_call_computes_nothing_again(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    found = run(cfg, photos, tmp_path / "out")
    assert (found.computed, found.kept, found.complete) == (0, 4, True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")} == before


def test_a_shard_that_is_missing_is_computed_and_the_manifest_is_away_meanwhile(
    cfg: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(cfg, photos, out)
    whole, manifest = parts(out), (out / "manifest.json").read_bytes()
    sorted(out.glob("part-*"))[1].unlink()
    there: list[bool] = []
    found = run(cfg, photos, out, progress=lambda _: there.append((out / "manifest.json").exists()))
    assert (found.computed, found.kept) == (1, 3)
    assert there[-1] is False
    assert parts(out) == whole
    assert (out / "manifest.json").read_bytes() == manifest


def test_pictures_that_came_later_are_computed_and_old_results_go(cfg: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(cfg, photos, out)
    write_pictures(photos / "later", 2)
    found = run(cfg, photos, out)
    assert (found.computed, found.kept) == (2, 3)  # the last one was not full
    assert len(results(out)) == 9
    assert {shard["file"] for shard in json.loads((out / "manifest.json").read_text())["shards"]} == {*parts(out)}


def test_other_options_are_told_and_nothing_is_touched(cfg: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(cfg, photos, out)
    before = parts(out)
    with pytest.raises(DataError, match=r"another work:\n  shard_size is 3, and was 2\n  conf is 0.5, and was 0.25"):
        run(cfg, photos, out, conf=0.5, shard_size=3)
    with pytest.raises(DataError, match="sources is"):
        run(cfg, photos / "0001.png", out)
    assert parts(out) == before


def test_other_weights_are_told(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "out")
    weights = cfg.with_suffix(".weights")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(DataError, match="network is"):
        run(cfg, photos, tmp_path / "out")


def test_no_resume_begins_anew(cfg: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(cfg, photos, out)
    (out / "of the user.txt").write_text("stays")
    found = run(cfg, photos, out, conf=0.5, resume=False)
    assert (found.computed, found.kept) == (4, 0)
    assert len(parts(out)) == 4
    assert (out / "of the user.txt").exists()


def test_a_file_of_the_user_is_not_replaced(cfg: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text("mine")
    with pytest.raises(DataError, match="exists, and is not known to be written by darknet-py"):
        run(cfg, photos, tmp_path / "out")
    assert not parts(tmp_path / "out"), "that is known before a picture is computed"
    assert run(cfg, photos, tmp_path / "out", replace=True).complete
    (tmp_path / "out" / "job.json").write_text("{}")
    with pytest.raises(DataError, match="no record of batch work"):
        run(cfg, photos, tmp_path / "out")


def test_what_was_copied_without_hidden_files_is_gone_on_with(cfg: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(cfg, photos, out)
    (out / ".darknet-py.jsonl").unlink()
    (out / next(iter(parts(out)))).unlink()
    assert run(cfg, photos, out).computed == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [({"share": "3/3"}, "no share of the work"), ({"address": "ray://x"}, "engine 'ray' goes there")],
)
def test_what_cannot_be_meant_is_told_before_the_network_is_opened(
    cfg: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], said: str
) -> None:
    monkeypatch.setattr("darknet_py.apps.batch.run.load", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(DataError, match=said):
        run(cfg, photos, tmp_path / "out", **options)


def test_a_file_where_the_folder_should_be_is_told(cfg: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder"):
        run(cfg, photos, photos / "0001.png")


def test_results_may_lie_among_the_pictures(cfg: Path, photos: Path) -> None:
    run(cfg, photos, photos / "results")
    assert run(cfg, photos, photos / "results").computed == 0


# -- shares -------------------------------------------------------------------------------------------------------


def test_jobs_that_share_the_work_make_what_one_makes(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "one")
    out = tmp_path / "shared"
    found = [run(cfg, photos, out, share=f"{i}/3") for i in (2, 0, 1)]
    assert [f.complete for f in found] == [False, False, True]
    assert [f.computed for f in found] == [1, 2, 1]
    assert parts(out) == parts(tmp_path / "one")
    assert results(out) == results(tmp_path / "one")


def test_jobs_at_the_same_time_make_what_one_makes(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "one")
    command = [sys.executable, "-m", "darknet_py", "batch", str(cfg), str(photos), "-o", str(tmp_path / "out"),
               "--shard-size", "2", "--processes", "1"]  # fmt: skip
    jobs = [subprocess.Popen([*command, "--shard", f"{i}/2"], stderr=subprocess.PIPE, text=True) for i in range(2)]
    for job in jobs:
        assert job.communicate(timeout=120)[1].count("error:") == 0
    assert parts(tmp_path / "out") == parts(tmp_path / "one")
    assert results(tmp_path / "out") == results(tmp_path / "one")


def test_two_jobs_with_all_of_the_work_do_no_harm(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "one")
    command = [sys.executable, "-m", "darknet_py", "batch", str(cfg), str(photos), "-o", str(tmp_path / "out"),
               "--shard-size", "2", "--processes", "1"]  # fmt: skip
    jobs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [job.communicate(timeout=120)[1].count("error:") for job in jobs] == [0, 0]
    assert results(tmp_path / "out") == results(tmp_path / "one")


# -- status -------------------------------------------------------------------------------------------------------


def test_status_says_how_far_a_work_is(
    cfg: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(cfg, "photos", tmp_path / "out", share="0/2")
    monkeypatch.chdir("/")
    status = batch_status(tmp_path / "out")
    assert (status.complete, status.shards, status.done_shards) == (False, 4, 2)
    assert (status.pictures, status.done_pictures) == (7, 4)
    assert "4 of 7 pictures" in str(status)
    monkeypatch.chdir(tmp_path)
    run(cfg, "photos", tmp_path / "out")
    status = batch_status(tmp_path / "out")
    assert (status.complete, status.done_pictures, status.errors) == (True, 7, 1)


def test_status_of_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no batch work was begun"):
        batch_status(tmp_path)


# -- killed -------------------------------------------------------------------------------------------------------


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{process}/task").glob("*/children")
    return [int(number) for path in found for number in path.read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc, as Linux has it")
def test_a_driver_that_is_killed_leaves_no_processes_and_is_gone_on_with(cfg: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 60)
    command = [sys.executable, "-m", "darknet_py", "batch", str(cfg), str(tmp_path / "photos"), "-o",
               str(tmp_path / "out"), "--shard-size", "2", "--processes", "2"]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    while not parts(tmp_path / "out"):
        time.sleep(0.005)
    workers = children(process.pid)
    assert workers
    process.kill()
    process.communicate()
    end = time.monotonic() + 30
    while any(map(is_alive, workers)):
        assert time.monotonic() < end
        time.sleep(0.01)
    before = parts(tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    found = run(cfg, tmp_path / "photos", tmp_path / "out", processes=2)
    assert found.kept == len(before) < 30
    assert [row["position"] for row in results(tmp_path / "out")] == list(range(60))
    run(cfg, tmp_path / "photos", tmp_path / "whole")
    assert parts(tmp_path / "out") == parts(tmp_path / "whole")
    assert not [p for p in (tmp_path / "out").iterdir() if p.name.startswith(".darknet-py.") and p.suffix != ".jsonl"]


def test_ctrl_c_ends_it_and_the_same_command_goes_on(cfg: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 400)
    command = [sys.executable, "-m", "darknet_py", "batch", str(cfg), str(tmp_path / "photos"), "-o",
               str(tmp_path / "out"), "--shard-size", "2", "--processes", "1"]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not parts(tmp_path / "out"):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Traceback" not in said
    assert 0 < len(parts(tmp_path / "out")) < 200


# -- what cannot be ----------------------------------------------------------------------------------------------


def test_a_recurrent_network_is_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="recurrent"):
        run(write_recurrent(tmp_path), photos, tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "spark"}, "no engine 'spark': engines are here, ray"),
        ({"backend": "auto"}, "one back end"),
        ({"format": "csv"}, "formats are jsonl, parquet"),
        ({"shard_size": 0}, "shard_size is at least 1"),
        ({"workers": -1}, "workers is at least 0"),
        ({"conf": 2.0}, "between 0 and 1"),
        ({"classes": ["green"]}, "green"),
        ({"share": "2/2"}, "I/N"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_written(
    cfg: Path, photos: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        run(cfg, photos, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


# -- rows for engines of your own ---------------------------------------------------------------------------------


def test_rows_are_there_for_engines_of_ones_own(cfg: Path) -> None:
    pictures = [("a", encoded()), ("b", BROKEN), ("c", lambda: encoded(2, 2, "blue"))]
    rows = list(batch_rows(load(cfg), pictures, batch=2))
    assert [row["path"] for row in rows] == ["a", "b", "c"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert [box["name"] for box in rows[2]["boxes"]] == ["blue"]


def test_rows_are_made_as_they_are_taken(cfg: Path) -> None:
    taken: list[int] = []

    def pictures() -> Iterator[tuple[str, bytes]]:
        for i in range(100):
            taken.append(i)
            yield str(i), encoded()

    rows = batch_rows(load(cfg), pictures())
    next(rows)
    assert len(taken) < 5


def test_a_picture_that_the_network_cannot_take_is_a_row_with_an_error(tmp_path: Path) -> None:
    cfg = tmp_path / "four.cfg"
    cfg.write_text("[net]\nwidth=4\nheight=4\nchannels=4\n[avgpool]\n[softmax]\n")
    with_alpha: bytes = cv2.imencode(".png", np.zeros((8, 8, 4), np.uint8))[1].tobytes()
    rows = list(batch_rows(load(cfg), [("a", encoded()), ("b", with_alpha), ("c", encoded())], batch=3))
    assert [bool(row["error"]) for row in rows] == [True, False, True]
    assert rows[2]["error"].startswith("c: ") or "channels" in rows[2]["error"]


def test_names_of_any_bytes_can_be_written(cfg: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xe4.png")).write_bytes(encoded())
    for name in ("line\nend.png", "line\u2028end.png", "line\x85end.png"):
        (folder / name).write_bytes(encoded())
    (folder / "no\npicture.png").write_bytes(BROKEN)
    run(cfg, folder, tmp_path / "out")
    rows = results(tmp_path / "out")
    names = [row["path"].rpartition("/")[2] for row in rows]
    assert names == ["line\nend.png", "line\x85end.png", "line\u2028end.png", "no\npicture.png", "\\udce4.png"]
    assert [row["error"] is None for row in rows] == [True, True, True, False, True]
    assert rows[3]["error"].endswith("/no picture.png: not a picture, or in a format that OpenCV cannot read")
    assert rows_in(next((tmp_path / "out").glob("part-*")))


def test_the_place_of_the_network_does_not_matter(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "out")
    cfg.parent.rename(tmp_path / "moved")
    assert run(tmp_path / "moved" / cfg.name, photos, tmp_path / "out").kept == 4


def test_the_work_may_be_gone_on_with_from_another_folder_and_its_status_goes_with_it(
    cfg: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    photos.rename(tmp_path / "here" / "photos")
    monkeypatch.chdir(tmp_path / "here")
    run(cfg, "photos", tmp_path / "out")
    (tmp_path / "out" / "manifest.json").unlink()
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(DataError, match="where the work was begun, is not there, and its sources are relative to it"):
        batch_status(tmp_path / "out")
    monkeypatch.chdir(tmp_path / "there")
    assert run(cfg, "photos", tmp_path / "out").kept == 4
    (tmp_path / "out" / "manifest.json").unlink()
    monkeypatch.chdir(tmp_path)
    assert batch_status(tmp_path / "out").done_pictures == 7


@pytest.mark.parametrize("text", ["{}", "[]", '{"a', '{"schema": "darknet-py.batch/2", "shard_count": null}'])
def test_status_of_a_manifest_of_others_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json is no manifest of batch work"):
        batch_status(tmp_path)


@pytest.mark.parametrize("change", [{"options": {}}, {"options": {"x": 1}}, {"sources": [1]}, {"shard_size": 0}])
def test_status_of_a_record_that_was_changed_is_told(
    cfg: Path, photos: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    run(cfg, photos, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").unlink()
    record = tmp_path / "out" / "job.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), **change}))
    with pytest.raises(DataError, match=r"job\.json is no record of batch work"):
        batch_status(tmp_path / "out")


def _as_of_another_version(out: Path) -> None:
    """Results as if written by a version with another schema, and copied without the list of what is ours."""
    for path in (out / "job.json", out / "manifest.json"):
        path.write_text(re.sub(r"darknet-py\.batch/\d+", "darknet-py.batch/1", path.read_text()))


def test_results_of_another_schema_are_not_gone_on_with_and_may_be_begun_anew(
    cfg: Path, photos: Path, tmp_path: Path
) -> None:
    run(cfg, photos, tmp_path / "out")
    _as_of_another_version(tmp_path / "out")
    for ask in (lambda: run(cfg, photos, tmp_path / "out"), lambda: batch_status(tmp_path / "out")):
        with pytest.raises(DataError, match=r"schema 'darknet-py.batch/1', and this version knows .*\n.*--no-resume"):
            ask()
    left = tmp_path / "out" / f"part-{'9' * 12}-{'0' * 16}.jsonl"  # of pictures that are no more
    left.touch()
    done = run(cfg, photos, tmp_path / "out", resume=False)
    assert (done.computed, done.complete, left.exists()) == (4, True, False)
    assert batch_status(tmp_path / "out").complete


def test_a_file_of_results_that_somebody_has_cut_is_told(cfg: Path, photos: Path, tmp_path: Path) -> None:
    run(cfg, photos, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").unlink()
    part = min((tmp_path / "out").glob("part-*"))
    whole = part.read_bytes()
    for cut in (whole[:50], whole[: whole.index(b"\n") + 1], whole * 2):
        part.write_bytes(cut)
        with pytest.raises(DataError, match=f"{part.name} is no whole file of results") as told:
            run(cfg, photos, tmp_path / "out")
        assert "remove it, and the same command computes it again" in str(told.value)


def test_no_sources_are_no_finished_work(cfg: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no sources"):
        run(cfg, [], tmp_path / "out")
    with pytest.raises(DataError, match="no sources"):
        batch_plan(cfg, [])
    assert not (tmp_path / "out").exists()


def test_an_empty_place_is_not_the_folder_where_we_are(
    cfg: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="out is empty"):
        run(cfg, photos, "")
    assert not (tmp_path / "job.json").exists()


def test_numbers_of_numpy_are_numbers(cfg: Path, photos: Path, tmp_path: Path) -> None:
    found = run(cfg, photos, tmp_path / "out", conf={None: np.float32(0.5), np.int64(1): np.float64(0.25)},
                classes=np.arange(2))  # fmt: skip
    assert found.complete
    assert run(cfg, photos, tmp_path / "out", conf={None: 0.5, 1: 0.25}, classes=(0, 1)).kept == 4


def test_rows_that_cannot_be_meant_are_told_at_once(cfg: Path) -> None:
    model = load(cfg)
    with pytest.raises(DataError, match="batch is at least 1, not 0"):
        batch_rows(model, [], batch=0)
    with pytest.raises(DataError, match="workers is at least 0, not -1"):
        batch_rows(model, [], workers=-1)


def test_rows_without_a_picture_are_errors(cfg: Path, tmp_path: Path) -> None:
    gone = (tmp_path / "gone.png").read_bytes
    pictures: list[Any] = [("a", None), (tmp_path / "b.png", encoded()), ("c", gone), ("d", bytearray())]
    found = list(batch_rows(load(cfg), pictures))
    assert [row["error"] and row["error"].partition(": ")[2] for row in found] == [
        "the row has no picture", None, "there is no such file",
        "not a picture, or in a format that OpenCV cannot read",
    ]  # fmt: skip
    json.dumps(found)


def test_what_is_no_number_is_an_error_and_not_in_json(cfg: Path, tmp_path: Path) -> None:
    model = load(cfg)
    (results,) = model(iter([cv2.imdecode(np.frombuffer(encoded(), np.uint8), 1)]))
    results.boxes.xyxy[0, 0] = np.inf
    row = row_of("a.png", results)
    assert row["error"] == "a.png: the network answers NaN or infinity: are its weights whole?"
    assert row["boxes"] is None
