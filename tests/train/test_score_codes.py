"""The arithmetic of the contestants' tables, on boxes by hand: hits, ignored boxes, precision, intervals, readings."""

from __future__ import annotations

import io
import json
import math
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from networks import picture as drawn
from networks import write_detector

from darknet_py.analysis.evaluate.coco import coco_numbers
from darknet_py.analysis.evaluate.record import Detected
from darknet_py.vision.labels import Labels
from tools.train.codes.score import finder, results, table
from tools.train.codes.score import photos as sets
from tools.train.codes.score.arithmetic import CENTRE, Scored, interval, mean_average_precision, score_photos
from tools.train.codes.score.contestants import Contestant, Run, _box, ours
from tools.train.codes.score.finder import _kind, _without_repeats
from tools.train.codes.score.page import verdict
from tools.train.codes.score.photos import Photo

Row = tuple[int, float, float, float, float, float]  # class, confidence, centre, size


def found(*rows: Row) -> Detected:
    """Finds of one photo of 100x100 pixels."""
    numbers = np.array(rows, np.float32).reshape(-1, 6)
    return Detected((100, 100), numbers[:, 0].astype(np.int64), numbers[:, 1], numbers[:, 2:], 0.25)


def labels(*rows: tuple[int, float, float, float, float], ignored: int = 0) -> Labels:
    """Labels of one photo, of which the last `ignored` are to be ignored."""
    return Labels.of(list(rows), [i >= len(rows) - ignored for i in range(len(rows))])


LEFT, RIGHT = (0, 0.25, 0.5, 0.3, 0.3), (1, 0.75, 0.5, 0.3, 0.3)


def test_a_find_is_a_hit_once_and_in_its_class() -> None:
    finds = found((0, 0.9, *LEFT[1:]), (0, 0.8, *LEFT[1:]), (0, 0.7, *RIGHT[1:]))
    scored = score_photos([finds], [labels(LEFT, RIGHT)], 2, 0.5)
    assert scored.hit.tolist() == [True, False, False]
    assert (scored.recall, scored.precision) == (1 / 2, 1 / 3)
    assert scored.of([0]).recall == 1
    assert math.isnan(scored.of([1]).precision)
    free = score_photos([finds], [labels(LEFT, RIGHT)], 2, 0.5, any_class=True)
    assert (free.recall, free.precision) == (1, 2 / 3)


def test_a_line_across_a_code_meets_it_by_its_centre_only() -> None:
    line, beside = (0, 1.0, 0.25, 0.45, 0.28, 0.02), (0, 1.0, 0.45, 0.5, 0.2, 0.3)
    for rule, hits in ((0.5, [False, False]), (CENTRE, [True, False])):
        assert score_photos([found(line, beside)], [labels(LEFT)], 1, rule).hit.tolist() == hits


def test_of_two_codes_the_one_with_the_nearer_centre_is_met() -> None:
    large, small = (0, 0.5, 0.5, 0.8, 0.8), (0, 0.5, 0.3, 0.2, 0.2)
    scored = score_photos([found((0, 1.0, 0.5, 0.31, 0.1, 0.1))] * 2, [labels(large, small), labels(large)], 1, CENTRE)
    assert scored.hit.tolist() == [True, True]
    assert scored.recall == 2 / 3


def test_what_lies_by_half_in_an_ignored_box_counts_neither_way() -> None:
    sliver = (0, 0.8, 0.5, 0.4, 0.4)
    inside, half_out, out = (1, 0.9, 0.8, 0.5, 0.1, 0.1), (0, 0.9, 0.58, 0.5, 0.1, 0.1), (0, 0.9, 0.2, 0.2, 0.1, 0.1)
    for finds, wrong in (((inside,), 0), ((half_out,), 1), ((inside, inside, out), 1)):
        scored = score_photos([found(*finds)], [labels(LEFT, sliver, ignored=1)], 2, 0.5)
        assert (len(scored.hit), scored.recall, int(scored.objects.sum())) == (wrong, 0, 1)
    hit = score_photos([found((0, 0.9, *LEFT[1:]))], [labels(LEFT, (0, 0.25, 0.5, 0.5, 0.5), ignored=1)], 1, 0.5)
    assert hit.hit.tolist() == [True]  # what meets an object counts, wherever it lies


def test_the_recall_at_a_precision_takes_all_finds_of_a_confidence() -> None:
    hit = np.array([True, False, True, True, False])
    conf = np.array([0.9, 0.8, 0.7, 0.7, 0.1], np.float32)
    scored = Scored(np.zeros(5, int), conf, hit, np.zeros(5, int), np.array([[4]]), np.ones(1))
    assert scored.recall_at(1) == 1 / 4
    assert scored.recall_at(0.75) == 3 / 4
    assert scored.recall_at(0.7) == 3 / 4
    assert Scored(*(np.zeros(0),) * 3, np.zeros(0, int), np.array([[4]]), np.ones(1)).recall_at(0.5) == 0
    tied = Scored(np.zeros(2, int), np.float32([1, 1]), np.array([True, False]), np.zeros(2, int), np.array([[2]]),
                  np.ones(1))  # fmt: skip
    assert tied.recall_at(1) == 0  # the first of two of one confidence is no threshold


def test_average_precision_is_cocos() -> None:
    pytest.importorskip("faster_coco_eval", reason="needs faster-coco-eval: pip install 'darknet-compiler[eval]'")
    random = np.random.default_rng(3)
    finds, truths = [], []
    for _ in range(40):
        rows = [(0, *random.uniform(0.2, 0.8, 2), *random.uniform(0.1, 0.3, 2)) for _ in range(2)]
        truths.append(labels(*rows, (0, 0.9, 0.9, 0.2, 0.2), ignored=1))
        near = [(0, random.uniform(), *(np.array(r[1:]) + random.normal(0, 0.02, 4))) for r in rows]
        finds.append(found(*near, (0, random.uniform(), *random.uniform(0.2, 0.8, 2), 0.2, 0.2),
                           (0, 0.99, 0.9, 0.9, 0.1, 0.1)))  # fmt: skip
    ten = mean_average_precision(finds, truths, 1)
    coco = coco_numbers(finds, truths, 1, clip=False)
    assert ten[0].average_precision == pytest.approx(coco["AP50"], abs=0.02)
    assert float(np.mean([one.average_precision for one in ten])) == pytest.approx(coco["AP"], abs=0.02)


def test_photos_that_count_twice_are_as_if_there_twice() -> None:
    finds = [found((0, 0.9, *LEFT[1:]), (0, 0.8, 0.9, 0.9, 0.1, 0.1)), found((0, 0.7, 0.1, 0.1, 0.1, 0.1)), found()]
    truths = [labels(LEFT), labels(LEFT), labels()]
    weighted = score_photos(finds, truths, 1, 0.5).drawn(np.array([2, 1, 0]))
    twice = score_photos([finds[0], finds[0], finds[1]], [truths[0], truths[0], truths[1]], 1, 0.5)
    for name in ("recall", "precision", "average_precision"):
        assert getattr(weighted, name) == pytest.approx(getattr(twice, name)), name
    assert weighted.recall_at(0.5) == pytest.approx(twice.recall_at(0.5))


def test_an_interval_is_the_same_each_time_and_narrows_with_photos() -> None:
    def share(weight: np.ndarray) -> float:
        return float(weight[: len(weight) // 2].sum() / weight.sum())

    low, high = interval(100, share)
    assert (low, high) == interval(100, share)
    assert low == pytest.approx(0.4, abs=0.03)
    assert high == pytest.approx(0.6, abs=0.03)
    narrow = interval(1600, share)
    assert narrow[1] - narrow[0] < (high - low) / 3
    assert all(map(math.isnan, interval(5, lambda _: float("nan"))))


def photo(*rows: tuple[int, float, float, float, float]) -> Photo:
    return Photo(Path("photo.jpg"), labels(*rows))


def test_a_text_counts_for_the_label_of_its_kind_in_which_it_lies() -> None:
    finds = found((0, 1, *LEFT[1:]), (0, 1, *RIGHT[1:]), (1, 1, *RIGHT[1:]), (0, 0.2, *LEFT[1:]))
    run = Run((finds,), (("left", "of another kind", None, "unsure"),), "1")
    assert table.said(run, [photo(LEFT, RIGHT)]) == [{0: "left"}]
    assert table.said(Run((found(),), ((),), "1"), [photo(LEFT)]) == [{}]


def test_a_row_says_what_was_found_by_each_rule() -> None:
    finds = found((0, 1, *LEFT[1:]), (0, 0.9, *RIGHT[1:]), (0, 0.2, 0.1, 0.1, 0.1, 0.1))
    run = Run((finds, found((1, 1, 0.5, 0.5, 0.1, 0.1))), ((None,) * 3, (None,)), "1")
    row = table.Row(Contestant("it", scored=True), run, 40.0)
    pictures = [photo(LEFT, RIGHT), photo()]
    (one,) = table.finding([row], pictures).values()
    assert one["right class, IoU .5"]["recall"].value == 1 / 2
    assert one["right class, IoU .5"]["precision"].value == 1 / 3
    assert one["any class, IoU .5"]["recall"].value == 1
    assert (one["false boxes"], one["photos without codes"]) == (1, 1)
    assert (one["milliseconds of one thread"], one["milliseconds"]) == (250, 40)
    assert {kind: rules["centre"].value for kind, rules in one["by class"].items()} == {"barcode": 1, "qrcode": 0}
    shown = table.finding_table({"it": one})
    assert "| it | 50.0 (50–50) | 33.3" in shown
    precise = table.precisions(row, pictures)
    assert (precise["AP50 barcode"].value, precise["AP50 qrcode"].value) == (1, 0)
    json.dumps(table.plain({"finding": one, "precision": precise}), allow_nan=False)


def test_ours_is_compared_at_the_precision_of_each() -> None:
    sure, unsure, wrong = (0, 0.9, *LEFT[1:]), (0, 0.4, *RIGHT[1:]), (0, 0.1, 0.5, 0.1, 0.1, 0.1)
    objects = [photo(LEFT, (0, *RIGHT[1:]))]
    own = Run((found(sure, unsure, wrong),), ((None,) * 3,), "1")
    theirs = Run((found((0, 1, *LEFT[1:])),), ((None,),), "1")
    it = table.Row(Contestant("it", kinds=(0,)), theirs, 9)
    told = table.at_precision(table.Row(Contestant("ours", scored=True), own, 9), [it], objects)
    rule = told["it"]["IoU .5"]
    assert (rule["precision"], rule["their recall"], rule["our recall"], rule["more"].value) == (1, 0.5, 1, 0.5)
    assert "| it | IoU .5 | 100.0 | 50.0 | 100.0 | 50.0 (50–50) |" in table.at_precision_table(told)
    assert verdict(told) == "Ours finds surely more than each of them, by both rules."
    rule["more"] = table.Value(0.1, -0.1, 0.3)
    assert verdict(told) == "Ours does not surely find more, by both rules, than: it."


def test_one_kind_a_place_is_told_beside_and_not_held_against_decoders() -> None:
    whole, single, reader = ours("a.cfg", "a.weights", "numpy", 416)
    assert (whole.name, single.name) == ("ours at 416", "ours at 416, `--agnostic`")
    assert single.words == (*whole.words, "--agnostic")
    run = Run((found((0, 0.9, *LEFT[1:])),), ((None,),), "1")
    rows = tuple(table.Row(contestant, run, 9) for contestant in (whole, single, reader, Contestant("decoder")))
    numbers = results._numbers(results.Result("codes_hard", (photo(LEFT),), rows))
    assert {*numbers["finding"]} == {whole.name, single.name, "decoder"}
    assert {*numbers["precision"]} == {whole.name, single.name}
    assert {*numbers["at precision"]} == {whole.name}


def test_the_box_of_a_code_is_that_around_its_corners() -> None:
    assert _box(np.array([[10, 20], [30, 10], [40, 30], [20, 40]]), 100, 100) == pytest.approx([0.25, 0.25, 0.3, 0.3])
    assert _box(np.array([[10, 20], [30, 20]]), 100, 100)[3] == pytest.approx(0.01)  # read in one line


def test_formats_are_sorted_into_the_five_kinds() -> None:
    names = ("EAN-13", "Code 128", "Micro QR Code", "Data Matrix", "Aztec Rune", "PDF417", "MaxiCode", "DataBar")
    assert [_kind(name) for name in names] == [0, 0, 1, 2, 3, 4, None, 0]


def test_a_code_that_is_read_in_two_views_is_one() -> None:
    quad = np.array([[0, 0], [40, 0], [40, 40], [0, 40]], float)
    assert len(_without_repeats([(1, 1.0, quad, "a"), (1, 1.0, quad + 3, "a"), (1, 1.0, quad + 60, "b")])) == 2
    assert len(_without_repeats([(1, 1.0, quad, "a"), (0, 1.0, quad, "a")])) == 2


def test_the_boxes_beside_a_set_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("images", "labels", "ignore"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    for name in "ab":
        cv2.imwrite(str(tmp_path / "set" / "images" / f"{name}.jpg"), np.zeros((8, 8, 3), np.uint8))
        (tmp_path / "set" / "labels" / f"{name}.txt").write_text("2 0.5 0.5 0.2 0.2\n")
    (tmp_path / "set" / "ignore" / "b.txt").write_text("0 0.1 0.1 0.1 0.1\n")
    monkeypatch.setattr(sets, "IMAGES", tmp_path)
    assert [one.labels.difficult.tolist() for one in sets.read_set("set")] == [[False], [False, True]]


def answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: Path, *words: str
) -> tuple[dict[str, Any], ...]:
    """What a contestant prints of a picture."""
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"path": str(path), "boxes": []}) + "\n"))
    finder.main(words)
    return tuple(json.loads(line) for line in capsys.readouterr().out.splitlines())


def test_a_contestant_answers_each_line_with_corners_in_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cv2.resize(cv2.QRCodeEncoder.create().encode("hello"), None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
    large = np.full((400, 600), 255, np.uint8)
    large[100 : 100 + len(code), 300 : 300 + len(code)] = code
    cv2.imwrite(str(tmp_path / "qr.png"), large)
    version, one = answers(monkeypatch, capsys, tmp_path / "qr.png", "opencv-qr")
    ((kind, conf, quad, text),) = one["found"]
    assert version["version"] == f"OpenCV {cv2.__version__}"
    assert (kind, conf, text, one["shape"]) == (1, 1, None, [400, 600])
    assert np.mean(quad, axis=0) == pytest.approx(np.array([300, 100]) + len(code) / 2, abs=6)


def test_our_network_answers_with_all_that_it_finds_and_is_timed_on_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = write_detector(tmp_path)
    cv2.imwrite(str(tmp_path / "one.png"), (drawn((1, 2, "blue")) * 0.42).astype(np.uint8))  # about 0.17
    _, one = answers(monkeypatch, capsys, tmp_path / "one.png", "ours", "--cfg", str(cfg), "--backend", "numpy")
    kind, conf, corners, _ = one["found"][0]
    assert (kind, corners) == (1, [[12, 4], [28, 20]])
    assert 0.1 < conf < 0.25
    assert one["seconds"] > 0


MENDED = """
[[photo]]
name = "two.jpg"
why = "one box over two codes"
codes = [["barcode", 0.1, 0.35, 0.4, 0.65], ["qrcode", 0.6, 0.35, 0.9, 0.65]]
ignored = [["barcode", 0.0, 0.0, 0.1, 0.1]]
[[photo]]
name = "more.jpg"
why = "another at the edge"
ignored = [["pdf417", 0.0, 0.0, 0.1, 0.1]]
"""


def test_labels_are_mended_where_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mended.toml").write_text(MENDED)
    monkeypatch.setattr(sets, "MENDED", tmp_path / "mended.toml")
    over_both = labels((0, 0.5, 0.5, 1, 1))
    two, more, other = photos = [Photo(Path(name), over_both) for name in ("two.jpg", "more.jpg", "other.jpg")]
    better = sets.mended(photos)
    assert better[2] is other
    assert better[0].labels.cls.tolist() == [0, 1, 0]
    assert better[0].labels.difficult.tolist() == [False, False, True]
    assert better[0].labels.boxes[:2] == pytest.approx(np.array([LEFT[1:], RIGHT[1:]]))
    assert better[1].labels.cls.tolist() == [0, 4]
    assert table.most(better, photos) == {"barcode": 2 / 3}, "who finds what is there misses the box over both"
    assert table.most(photos, photos) == {"barcode": 1}
    told = {"objects": [3, 0, 0, 0, 0], "finding": {}, "changed": 2, "most": table.most(better, photos)}
    assert "finds\n66.7 % of class barcode, and has" in table.mended_tables(told)  # where no network was scored
    assert two is not better[0]
    assert more is not better[1]


@pytest.mark.skipif(not sets.IMAGES.is_dir(), reason="the photos of ../shared/images are not there")
def test_labels_are_mended_only_where_they_do_not_fit() -> None:
    photos = {photo.path.name: photo for photo in sets.read_set("codes")}
    better = {photo.path.name: photo for photo in sets.mended(list(photos.values()))}
    told = tomllib.loads(sets.MENDED.read_text("utf-8"))["photo"]
    assert {one["name"] for one in told} == {name for name in photos if better[name] is not photos[name]}
    for one in told:
        was, now = photos[one["name"]], better[one["name"]]
        corners = np.array([row[1:] for key in ("codes", "ignored") for row in one.get(key, ())])
        assert ((corners >= 0) & (corners <= 1)).all()
        assert (corners[:, :2] < corners[:, 2:]).all()
        hits = score_photos([table._exactly(now.labels)], [was.labels], len(sets.CLASSES), 0.6)
        assert (hits.recall == hits.precision == 1) == ("codes" not in one), f"{one['name']}: {one['why']}"
