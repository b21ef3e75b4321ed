"""What ships of the training of the detector of codes: bars, the manifest, the log as CSV, the marks of the card."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from darknet_py.analysis.evaluate.record import Detected
from darknet_py.analysis.quantize import Loss
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import random_weights, write_weights
from darknet_py.errors import DataError, WeightsError
from darknet_py.holding.hashes import sha256_of
from darknet_py.vision.labels import Labels
from tools.train.codes.score import bars as score_bars
from tools.train.codes.score.bars import Bar, bars, bars_table
from tools.train.codes.score.photos import Photo
from tools.train.codes.score.table import Value
from tools.train.codes.ship import __main__ as program
from tools.train.codes.ship import manifest
from tools.train.codes.ship.card import marks, procedure, rewritten
from tools.train.codes.ship.exports import Exports, Form, _agreement, more_precise
from tools.train.codes.ship.failures import _tile, failure, names_table
from tools.train.codes.ship.training import Training, axis_end, read_training

NET = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=2\nsize=1\n"


def value(middle: float, low: float | None = None, high: float | None = None) -> Value:
    return Value(middle, middle - 0.05 if low is None else low, middle + 0.05 if high is None else high)


def row(recall: float, false: int, **kinds: float) -> dict[str, Any]:
    rules = {f"right class, {rule}": {"recall": value(recall)} for rule in score_bars.RULES}
    by_class = {kind: {"IoU .5": value(found)} for kind, found in kinds.items()}
    return {**rules, "by class": by_class, "false boxes": false, "photos without codes": 20,
            "milliseconds of one thread": 12.3}  # fmt: skip


def numbers(more: Value, **precision: float) -> dict[str, Any]:
    """Numbers of both sets: of ours, and of OpenCV's three."""
    best = dict.fromkeys((*map("AP50 {}".format, score_bars.AP50), *score_bars.ANY), 0.95) | precision
    others = {
        "OpenCV BarcodeDetector": row(0.4, 0, barcode=0.7), "OpenCV QRCodeDetector": row(0.1, 0, qrcode=0.9),
        "OpenCV QRCodeDetectorAruco": row(0.2, 0, qrcode=0.97),
    }  # fmt: skip
    finding = {"ours": row(0.9, 2, barcode=0.96, qrcode=0.96), **others}
    one = {"precision": 0.8, "their recall": 0.4, "our recall": 0.6, "more": more}
    told = {name: dict.fromkeys(score_bars.RULES, one) for name in others}
    of = {"finding": finding, "at precision": {"ours": told}}
    precise = {"ours": {k: value(v) for k, v in best.items()}}
    better = {"ours": {**precise["ours"], "AP50 barcode": value(0.97)}}
    mended = {"finding": {"ours": row(0.9, 2, barcode=0.98, qrcode=0.96)}, "precision": better,
              "most": {"barcode": 0.964, "qrcode": 1.0}}  # fmt: skip
    return {"codes": {**of, "precision": precise, "mended": mended}, "codes_hard": of}


def by_name(found: tuple[Bar, ...]) -> dict[str, str]:
    return {bar.name: bar.verdict for bar in found}


def test_a_bar_is_met_or_missed_and_a_bad_class_does_not_ship() -> None:
    low = {"AP50 barcode": 0.92, "AP50 aztec": 0.58, "AP50 pdf417": 0.5, "AP any code": 0.44}
    verdicts = by_name(bars(numbers(value(0.2), **low), "ours"))
    assert verdicts["AP50 qrcode"] == verdicts["AP50 datamatrix"] == verdicts["AP50 any code"] == "met"
    assert verdicts["AP50 barcode"] == verdicts["AP50 aztec"] == verdicts["AP .5:.95 any code"] == "missed"
    assert verdicts["AP50 pdf417"] == "missed, and not to be shipped: it stays below 60"
    assert verdicts["barcode found"] == "met"
    assert verdicts["qrcode found"] == "missed", "OpenCV's other detector finds more"
    assert verdicts["false boxes on photos without codes"] == "met"


@pytest.mark.parametrize(("low", "verdict"), [(0.01, "first"), (-0.01, "not claimed")])
def test_to_be_first_is_claimed_where_it_is_sure(low: float, verdict: str) -> None:
    found = bars(numbers(value(0.2, low)), "ours")[-2:]
    assert {bar.verdict for bar in found} == {verdict}
    assert all(bar.beside.startswith("OpenCV BarcodeDetector 40.0 at 80.0") for bar in found)


def test_the_table_of_bars_says_what_is_beside() -> None:
    shown = bars_table(bars(numbers(value(0.2)), "ours"), "ours")
    assert (
        "| barcode found | at least 95, and above OpenCV's own | 96.0 (91–101), 12.3 ms | OpenCV BarcodeDetector 70.0"
        in shown
    )
    assert "| at most 1 in 10 photos | 2 in 20 photos |  | **met** |" in shown
    assert (
        "| AP50 barcode | at least 93 | 95.0 (90–100) | by labels that were mended 97.0 (92–102) | **met** |" in shown
    )
    assert "| AP50 qrcode | at least 93 | 95.0 (90–100) |  | **met** |" in shown
    assert "70.0 (65–75), 12.3 ms; by labels that were mended 98.0 (93–103), and 96.4 is the most by these |" in shown


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """The folder of a training of 60 iterations, of which the last line is being written."""
    (tmp_path / "net.cfg").write_text(NET)
    settings = {
        "max_batches": 60, "batch": 32, "subdivisions": 2, "sizes": [[0, 160], [40, 416]], "seed": 1, "ema": 0.998,
        "optimizer": "adamw", "schedule": "cosine", "precision": "bf16",
    }  # fmt: skip
    told = {"cfg_sha256": sha256_of(tmp_path / "net.cfg"), "settings": settings, "data": "drawn", "data_sha256": "ab",
            "versions": {"torch": "2"}}  # fmt: skip
    (tmp_path / "net_run.json").write_text(json.dumps(told))
    steps = [
        {"event": "step", "iteration": i, "loss": 9 / i, "average": 10 / i, "rate": i / 1000, "seconds": 2.0,
         "seen": 32 * i, "size": [160, 160]} for i in range(1, 55)
    ]  # fmt: skip
    measured = [{"event": "validated", "iteration": i, "kind": "mAP", "value": v, "best": v, "classes": [v] * 2}
                for i, v in ((25, 0.5), (50, 0.25))]  # fmt: skip
    lines = "".join(json.dumps(one) + "\n" for one in (*steps, *measured))
    (tmp_path / "net_log.jsonl").write_text(lines + '{"event": "oth')
    graph = compile_file(tmp_path / "net.cfg").check().graph
    write_weights(tmp_path / "net_best.weights", graph, random_weights(graph, 1))
    return tmp_path


def end(folder: Path) -> Training:
    with (folder / "net_log.jsonl").open("a") as log:
        log.seek(0, 2)
        log.write('er"}\n' + json.dumps({"event": "finished", "iteration": 60, "reason": "done"}) + "\n")
    return read_training(folder, "net")


def test_a_training_is_read_while_it_goes_on(training: Path) -> None:
    found = read_training(training, "net")
    assert (len(found.steps), found.is_done, found.seconds, found.iterations) == (54, False, 108, 60)
    assert found.best is not None
    assert found.best["iteration"] == 25
    assert found.weights == training / "net_best.weights"
    head, *lines = found.csv().splitlines()
    assert head.startswith("iteration,loss,")
    assert [line.partition(",")[0] for line in lines] == ["1", "20", "25", "40", "50", "54"]
    assert lines[2] == "25,0.36,0.4,0.025,160x160,2.00,0.5000"
    assert "mAP of drawn pictures 25.0%, best 50.0%" in found.chart()


def test_a_folder_without_a_training_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no training of net"):
        read_training(tmp_path, "net")


def test_weights_ship_at_the_end_only_and_are_what_the_manifest_says(training: Path, tmp_path: Path) -> None:
    cfg, weights, listed = training / "net.cfg", tmp_path / "out" / "net.weights", tmp_path / "out" / "shipped.toml"
    with pytest.raises(DataError, match="has not ended: 54 of 60 iterations"):
        manifest.ship(read_training(training, "net"), cfg, weights, listed)
    assert not weights.exists()
    for found, unfinished in ((read_training(training, "net"), True), (end(training), False)):
        manifest.ship(found, cfg, weights, listed, unfinished=unfinished)
        data = weights.read_bytes()
        entry = tomllib.loads(listed.read_text())["net"]
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_weights_that_do_not_fit_or_of_another_cfg_are_refused(training: Path, tmp_path: Path) -> None:
    found, cfg = end(training), training / "net.cfg"
    cfg.write_text(f"# {NET}".replace("# [net]", "# other\n[net]"))
    with pytest.raises(DataError, match="is not the cfg that was trained"):
        manifest.ship(found, cfg, tmp_path / "a", tmp_path / "b")
    (training / "net_best.weights").write_bytes((training / "net_best.weights").read_bytes()[:-4])
    with pytest.raises(WeightsError):
        manifest.ship(found, cfg, tmp_path / "a", tmp_path / "b")


def test_a_manifest_keeps_its_comment_and_the_others() -> None:
    written = manifest.with_entry('# Mine,\n# on top.\n\n[other]\nbytes = 1\nsha256 = "ab"\n\n[net]\n', "net", b"12")
    assert written.startswith("# Mine,\n# on top.\n\n[net]\nbytes = 2\nsha256 = ")
    assert written.endswith('\n\n[other]\nbytes = 1\nsha256 = "ab"\n')
    assert manifest.with_entry("", "net", b"").startswith(f"{manifest.COMMENT}\n\n[net]\n")


def test_marks_are_written_anew_and_prose_stays() -> None:
    card = "By hand.\n\n<!-- a -->\nold\n<!-- end -->\n\nMore.\n\n<!-- b -->\n<!-- end -->\n"
    once = rewritten(card, {"a": "| 1 |\n", "b": "two"})
    assert once == "By hand.\n\n<!-- a -->\n\n| 1 |\n\n<!-- end -->\n\nMore.\n\n<!-- b -->\n\ntwo\n\n<!-- end -->\n"
    assert rewritten(once, {"a": "| 1 |", "b": "two"}) == once
    for broken in ("nothing", "<!-- a -->\nno end", "<!-- a -->\n<!-- b -->\n<!-- end -->\n"):
        with pytest.raises(DataError, match="has no place for 'a'"):
            rewritten(broken, {"a": "1"})


def test_the_card_has_a_place_for_each_table() -> None:
    card = program.Places(program.ROOT).weights(".md").read_text("utf-8")
    assert sorted(marks(card)) == sorted(program.SECTIONS)


def test_the_procedure_says_what_was_trained(training: Path) -> None:
    told = procedure(end(training), "cd", is_same_data=False)
    assert "54 of 60, each of 32 pictures" in told
    assert "160x160 from iteration 0 on, 416x416 from iteration 40 on" in told
    assert "mAP 0.5000 after iteration 25, which ships (by class 0.500, 0.500)" in told
    assert "drawn otherwise now" in told


@pytest.mark.parametrize(("highest", "axis"), [(0.15, 0.2), (0.05, 0.1), (1, 1), (7.3, 10), (12, 20), (125.7, 200)])
def test_the_axis_of_the_chart_ends_in_a_round_number(highest: float, axis: float) -> None:
    assert axis_end(highest) == pytest.approx(axis)


def found(*rows: tuple[float, ...]) -> Detected:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detected((100, 100), table[:, 0].astype(np.int64), table[:, 1], table[:, 2:])


CODE = (0, 0.25, 0.5, 0.3, 0.3)


def test_failures_are_named_by_kind_and_unsure_finds_are_none() -> None:
    labels = Labels.of([CODE, (1, 0.75, 0.5, 0.3, 0.3)], [False, False])
    finds = found((0, 0.9, *CODE[1:]), (2, 0.8, 0.75, 0.5, 0.3, 0.3), (2, 0.2, 0.1, 0.1, 0.1, 0.1))
    assert vars(failure(finds, labels)) == {"missed": Counter(qrcode=1), "false": Counter(datamatrix=1)}
    fine = Photo(Path("fine.jpg"), Labels.of([CODE], [False]))
    shown = names_table([finds, found((0, 0.9, *CODE[1:]))], [Photo(Path("bad.jpg"), labels), fine])
    assert "| bad.jpg | qrcode | datamatrix |" in shown
    assert "fine.jpg" not in shown


def test_a_tile_has_what_is_there_and_what_was_found() -> None:
    tile = _tile(np.zeros((50, 50, 3), np.uint8), np.float32([CODE[1:]]), np.float32([[0.75, 0.5, 0.3, 0.3]]))
    green, red = (np.flatnonzero((tile == colour).all(axis=2).any(axis=0)) for colour in ((60, 200, 60), (40, 40, 230)))
    assert cv2.cvtColor(tile, cv2.COLOR_BGR2GRAY).any()
    assert green.max() < 100 < red.min()


def test_the_difference_of_two_forms_is_paired() -> None:
    photos = [Photo(Path(f"{i}"), Labels.of([CODE], [False])) for i in range(4)]
    hit, miss = found((0, 0.9, *CODE[1:])), found()
    more = more_precise([hit] * 4, [hit, hit, hit, miss], photos)
    assert 0.2 < more.value < 0.3
    assert more_precise([hit] * 4, [hit] * 4, photos) == Value(0, 0, 0)


def test_the_table_of_forms_says_what_they_weigh() -> None:
    precision = {"AP50 any code": value(0.9), "AP any code": value(0.5)}
    forms = (Form("float32", 17_100_000, precision, None, 40, 1), Form("int8", 4_400_000, precision, value(0), 20, 2))
    shown = Exports(forms, "A page.", _agreement(Loss(9, 4, 0.75, 0.6, 0.001), 5)).markdown()
    assert "| float32 | 17.1 MB | 90.0 (85–95) | 50.0 (45–55) |  | 40.0 | 1.00 |" in shown
    assert "| int8 | 4.4 MB | 90.0 (85–95) | 50.0 (45–55) | 0.0 (-5–5) | 20.0 | 2.00 |" in shown
    assert "of 4 boxes that Python finds with the same file it finds 3, and 2 others" in shown


def test_tables_of_a_few_photos_are_not_written_into_the_checkout() -> None:
    with pytest.raises(SystemExit):
        program.main(["--quick"])
