"""What is trained for the claims: pictures, cfgs, budgets, and trainings that go on."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darknet_py.analysis.evaluate.classify import class_of
from darknet_py.darknet.compile import compile_cfg
from darknet_py.errors import DataError
from darknet_py.vision.datasets import list_pictures, open_dataset, read_class_labels
from tools.claims.glyphs import (
    CLASSES,
    FONTS,
    LEARNED,
    LEVELS,
    OVERLAP,
    SCENE,
    SIDE,
    UNSEEN,
    glyph_picture,
    ink,
    scene,
    write_glyphs,
    write_scenes,
)  # fmt: skip
from tools.claims.grid import BACKBONE_LAYERS, CLASSIFIERS, DETECTORS, FULL, GIOU, ORDER, QUICK, Run, cfg_of
from tools.claims.place import Place, gathered, settle
from tools.claims.results import Results
from tools.networks import NETWORKS
from tools.networks.codes import NAMES
from tools.train.labelled import overlap

# -- pictures ----------------------------------------------------------------------------------------------------


def test_every_font_has_every_glyph() -> None:
    for font in range(len(FONTS)):
        assert all(ink(font, text).max() > 0.5 for text in CLASSES)


def test_the_same_number_of_a_seed_is_the_same_picture_and_another_seed_another() -> None:
    (first, one), (again, two), (other, three) = (glyph_picture(seed, 5, LEVELS[0]) for seed in (1, 1, 2))
    assert first.shape == (SIDE, SIDE, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert one == two == three == 5


def test_a_harder_level_has_more_noise_and_less_contrast() -> None:
    rough = [np.mean([np.abs(np.diff(glyph_picture(3, i, level)[0].astype(float), axis=0)).mean() for i in range(20)])
             for level in LEVELS]  # fmt: skip
    assert rough == sorted(rough)
    assert [level.contrast for level in LEVELS] == sorted((level.contrast for level in LEVELS), reverse=True)


def test_the_codes_of_a_scene_are_inside_it_and_apart() -> None:
    sizes, kinds = [], set()
    for i in range(40):
        pixels, found = scene(7, i)
        assert pixels.shape == (SCENE, SCENE, 3)
        for which, box in found:
            kinds.add(NAMES[which])
            assert (box >= 0).all()
            assert (box <= SCENE).all()
            sizes.append(float((box[2:] - box[:2]).max()))
            assert pixels[slice(*box[1::2].astype(int)), slice(*box[::2].astype(int))].std() > 5
        assert all(overlap(a, b) <= OVERLAP for i, (_, a) in enumerate(found) for _, b in found[:i])
    assert kinds == {*NAMES}
    assert min(sizes) < 20
    assert max(sizes) > 80  # so that every scale of a detector has work


def test_a_data_set_of_glyphs_tells_classes_by_its_paths(tmp_path: Path) -> None:
    data = write_glyphs(tmp_path, 40, 36, LEVELS[0])
    labels = read_class_labels(data)
    assert labels == tuple(f"glyph_{c}" for c in CLASSES)
    for split, count in (("train", 40), ("valid", 36)):
        paths = list_pictures(data, split)
        assert [class_of(str(path), labels) for path in paths] == [i % 36 for i in range(count)]
    assert LEARNED != UNSEEN


def test_a_data_set_of_scenes_has_labels_without_faults(tmp_path: Path) -> None:
    data = open_dataset(write_scenes(tmp_path, 6, 4), "train")
    assert len(data) == 6
    for example in data.examples:
        labels, faults = example.read(NAMES)
        assert not faults
        assert len(labels)


# -- cfgs --------------------------------------------------------------------------------------------------------


def test_the_grid_has_all_rows_and_three_seeds() -> None:
    assert len(CLASSIFIERS) == 12
    assert {n.removesuffix(GIOU) for n in DETECTORS} >= {f"yolov3-csppelee-{h}" for h in ("prn", "fpn", "cem", "gfm")}
    runs = [*FULL.runs()]
    assert len(runs) == len(set(runs)) == 3 * (14 + 8)


def test_all_seeds_of_what_settles_a_prediction_are_trained_before_the_next() -> None:
    assert sorted(name for names in ORDER for name in names) == sorted((*FULL.classifiers, *FULL.detectors))
    runs = [(run.name, run.seed) for run in FULL.runs()]
    first = {(name, seed) for name in ORDER[0] for seed in FULL.seeds}
    assert {*runs[: len(first)]} == first
    kinds = [run.kind for run in FULL.runs()]
    assert kinds == sorted(kinds)  # those that take minutes before those that take a third of an hour


@pytest.mark.parametrize("run", [run for run in FULL.runs() if run.seed == 0], ids=lambda run: run.name)
def test_a_cfg_of_the_grid_is_that_of_the_family_with_other_classes(run: Run) -> None:
    text = cfg_of(run, FULL.part(run.kind))
    graph = compile_cfg(text).check().graph
    side = SIDE if run.kind == "classifier" else SCENE
    family = compile_cfg(NETWORKS[run.name.removesuffix(GIOU)].text(), size=(side, side)).check().graph
    assert graph.image.shape == (3, side, side)
    changed = [a.index for a, b in zip(graph.layers, family.layers, strict=True) if a.output.shape != b.output.shape]
    if run.kind == "classifier":
        assert graph.outputs[-1].shape == (len(CLASSES),)
        assert len(changed) == 2  # the last convolution and its softmax
    else:
        assert len(changed) == 2 * len(graph.heads)
        assert all(graph.layers[i].output.shape[0] == 3 * (5 + len(NAMES)) for i in graph.heads)


def test_anchors_shrink_with_the_picture() -> None:
    run = Run("detector", "yolov3-csppelee-efm", 0)
    (first, *_) = re.findall(r"^anchors=(.+)$", cfg_of(run, FULL.detector), re.MULTILINE)
    numbers = [float(n) for n in first.split(",")]
    assert numbers[-2:] == pytest.approx([373 * 160 / 416, 326 * 160 / 416], abs=0.06)


def test_giou_changes_the_loss_and_nothing_else() -> None:
    plain, giou = (cfg_of(Run("detector", f"yolov3-csppelee-efm-plain{more}", 0), FULL.detector) for more in ("", GIOU))
    assert giou.count("iou_loss=giou") == 3
    assert giou.replace("iou_loss=giou\niou_normalizer=0.5\n", "") == plain


def test_a_detector_begins_with_all_layers_that_it_shares_with_a_classifier() -> None:
    for name in FULL.detectors:
        run = Run("detector", name, 1)
        assert run.backbone in {*FULL.runs()}
        own, other = (
            [(p.layer, p.role, p.value.shape) for p in compile_cfg(cfg_of(r, FULL.part(r.kind))).check().graph.params]
            for r in (run, run.backbone)
        )
        shared = [a for a, b in zip(own, other, strict=False) if a == b]
        assert shared == [p for p in own if p[0] < BACKBONE_LAYERS]
        assert max(layer for layer, *_ in shared) == BACKBONE_LAYERS - 1


def test_detectors_are_trained_at_one_size() -> None:
    for name in FULL.detectors:
        assert re.findall(r"random=(\d)", cfg_of(Run("detector", name, 0), FULL.detector)) in (["0"] * 2, ["0"] * 3)


# -- trainings ---------------------------------------------------------------------------------------------------

TINY = replace(QUICK, classifier=replace(QUICK.classifier, learned=40, unseen=36, batch=4, iterations=4))
CLASSIFIER = Run("classifier", "csresnet10", 0)


def test_a_training_is_measured_once_and_has_its_gradients_along_the_way(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs PyTorch: pip install 'darknet-compiler[torch]'")
    from tools.claims.runs import finish

    place = Place(tmp_path)
    found = finish(place, CLASSIFIER, TINY, 0, print)
    assert "failed" not in found
    assert 0 <= found["top1"] <= 1
    assert [*found["duplication"]] == ["0", "1", "2", "3", "4"]
    assert all(0 <= v <= 1 for state in found["duplication"].values() for v in state.values())
    kept = place.result(CLASSIFIER)
    kept.write_text(kept.read_text().replace('"top1"', '"was top1"'))
    assert "was top1" in finish(place, CLASSIFIER, TINY, 0, print)  # it is not measured again
    # What was measured has let go of its snapshots; where a crash takes the result as well, it is trained again.
    assert not [*place.run(CLASSIFIER).glob("backup/*_2.weights")]
    kept.write_text("")
    again = finish(place, CLASSIFIER, TINY, 0, print)
    assert (again["top1"], again["duplication"]) == (found["top1"], found["duplication"])
    (place.run(CLASSIFIER) / "classifier.cfg").write_text("[net]\n")
    kept.unlink()
    with pytest.raises(DataError, match="has a training of another cfg"):
        finish(place, CLASSIFIER, TINY, 0, print)


def test_a_training_whose_numbers_become_none_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs PyTorch: pip install 'darknet-compiler[torch]'")
    from darknet_py.apps.train.broken import NoNumberError
    from tools.claims import runs

    def broken(*_: object, **__: object) -> None:
        raise DataError("the loss is no number") from NoNumberError()

    monkeypatch.setattr(runs, "train", broken)
    place = Place(tmp_path)
    assert runs.finish(place, CLASSIFIER, TINY, 0, print)["failed"] == "the loss is no number"
    assert json.loads(place.result(CLASSIFIER).read_text())["failed"] == "the loss is no number"


@pytest.mark.parametrize(
    ("top1", "level"),
    [
        ([0.8], 0),
        ([0.3], 0),
        ([0.95, 0.7], 1),
        ([0.95, 0.92, 0.61], 2),
        ([0.95, 0.5, 0.7], 2),
        ([0.99] * 4, 3),
        ([0.95, 0.5, 0.4, 0.3], 3),
    ],
)
def test_the_level_is_the_first_that_is_neither_easy_nor_hard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, top1: list[float], level: int
) -> None:
    pytest.importorskip("torch", reason="needs PyTorch: pip install 'darknet-compiler[torch]'")
    from tools.claims import runs

    left = iter(top1)
    pilots: list[tuple[Run, int]] = []

    def finish(place: object, run: Run, budget: object, level: int, *_: object, **__: object) -> dict[str, float]:
        pilots.append((run, level))
        return {"top1": next(left)}

    monkeypatch.setattr(runs, "finish", finish)
    place = Place(tmp_path)
    assert runs.chosen_level(place, FULL, print) == level
    assert runs.chosen_level(place, FULL, print) == level  # from then on it is settled
    assert [*left] == []
    assert pilots == [(Run("classifier", "pelee", 100, i), i) for i in range(len(top1))]  # one seed, as was announced
    assert len({run.key for run, _ in pilots}) == len(pilots)


def test_a_result_that_a_crash_left_empty_is_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="needs PyTorch: pip install 'darknet-compiler[torch]'")
    from tools.claims import runs

    place = Place(tmp_path)
    place.result(CLASSIFIER).parent.mkdir(parents=True)
    place.result(CLASSIFIER).write_text("")
    settle(place, TINY, 0)
    assert gathered(Results(budget=TINY), place).trainings == {}
    monkeypatch.setattr(runs, "trained", lambda *_: tmp_path)
    monkeypatch.setattr(runs, "data_of", lambda *_: tmp_path)
    monkeypatch.setattr(runs, "measured", lambda *_: {"top1": 0.5})
    assert runs.finish(place, CLASSIFIER, TINY, 0, print)["top1"] == 0.5


def test_trainings_of_two_budgets_do_not_share_a_folder(tmp_path: Path) -> None:
    place = Place(tmp_path)
    settle(place, QUICK)
    settle(place, QUICK)
    with pytest.raises(DataError, match=r"has trainings of another budget\n  hint: move it away"):
        settle(place, TINY)


def test_a_level_that_was_chosen_elsewhere_is_the_level(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs PyTorch: pip install 'darknet-compiler[torch]'")
    from tools.claims.runs import chosen_level

    settle(Place(tmp_path), QUICK, 2)
    assert chosen_level(Place(tmp_path), QUICK, print) == 2
