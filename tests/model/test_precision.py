"""`load(precision=…)`: calibrated on some pictures, measured on others, remembered, told, and refused with a reason."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import invoke, said
from networks import picture, write_classifier, write_detector

from darknet_py import batch, load
from darknet_py.analysis.evaluate.loss import PrecisionLoss
from darknet_py.backends.session import open_session
from darknet_py.darknet.network import open_network
from darknet_py.errors import BackendError, DataError
from darknet_py.model import precision as module

DEEP = (
    "[net]\nwidth=32\nheight=32\nchannels=3\n"
    + 3 * "[convolutional]\nfilters=8\nsize=3\npad=1\nactivation=leaky\n"
    + "[avgpool]\n[connected]\noutput=3\nactivation=linear\n[softmax]\n"
)
LABEL = "0 0.125 0.125 0.5 0.5\n"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(6):
        cv2.imwrite(str(folder / f"{i}.png"), picture((0, 0, "red"), (i % 4, 3, "blue")))
    return folder


@pytest.fixture
def labelled(photos: Path) -> Path:
    for path in sorted(photos.glob("*.png")):
        path.with_suffix(".txt").write_text(LABEL)
    return photos


def deep(folder: Path) -> Path:
    cfg = folder / "deep.cfg"
    cfg.write_text(DEEP)
    return cfg


def loaded(cfg: Path, **options: object) -> tuple[object, list[str]]:
    said: list[str] = []
    return load(cfg, say=said.append, **options), said  # type: ignore[arg-type]  # as the test says


def test_int8_says_what_it_costs_in_map_and_on_how_few_pictures(tmp_path: Path, labelled: Path) -> None:
    _, said = loaded(write_detector(tmp_path), precision="int8", data=labelled)
    assert "calibrating int8 for onnxruntime on 3 pictures" in said[0]
    assert said[-1].startswith("precision: int8 in onnxruntime: mAP 1.000 to 1.000")
    assert said[-1].endswith("on 3 pictures, which are few: a hundredth is chance")


def test_pictures_are_let_go_of_once_they_were_looked_at(
    tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the 5000 of a whole data set the pixels are 5 GB, and twice that in two precisions."""
    kept: list[int] = []
    whole = module.Search._results

    def seen(self: module.Search, session: object) -> list[object]:
        found = list(whole(self, session))  # type: ignore[arg-type]  # as it is called
        kept.extend(one.orig_img.base.nbytes for one in found)
        return found

    monkeypatch.setattr(module.Search, "_results", seen)
    loaded(write_detector(tmp_path), precision="int8", data=labelled)
    assert len(kept) == 6  # three pictures, in either precision
    assert set(kept) == {1}


def test_without_labels_it_says_how_many_answers_are_the_same(tmp_path: Path, photos: Path) -> None:
    _, said = loaded(write_detector(tmp_path), precision="int8", data=photos)
    assert said[-1] == "precision: int8 in onnxruntime: 100.0% of the answers are the same on 3 pictures without labels"


def test_a_classifier_has_8_bits_too(tmp_path: Path, photos: Path) -> None:
    small, said = loaded(deep(tmp_path), precision="int8", data=photos, random_weights=1)
    whole, _ = loaded(deep(tmp_path), random_weights=1)
    x = np.random.default_rng(0).random((2, 3, 32, 32), np.float32)
    off = np.abs(small.forward(x)[0] - whole.forward(x)[0]).max()  # type: ignore[attr-defined]  # both are models
    assert 0 < off < 0.05
    assert "of the answers are the same" in said[-1]


def test_the_second_start_remembers_and_says_so_again(tmp_path: Path, labelled: Path) -> None:
    cfg = write_detector(tmp_path)
    _, first = loaded(cfg, precision="int8", data=labelled)
    _, second = loaded(cfg, precision="int8", data=labelled)
    assert second == first[-1:]


def test_a_session_of_other_threads_is_calibrated_by_what_is_remembered(tmp_path: Path, labelled: Path) -> None:
    cfg = write_detector(tmp_path)
    for threads in (2, 1):
        _, said = loaded(cfg, precision="int8", data=labelled, threads=threads)
    assert len(said) == 1


def test_the_fastest_back_end_is_looked_for_and_explained_together_with_int8(tmp_path: Path, labelled: Path) -> None:
    _, said = loaded(write_detector(tmp_path), backend="auto", precision="int8", data=labelled, explain=str)
    assert "precision: int8 in " in said[-1]


def test_other_pictures_and_other_weights_are_measured_anew(tmp_path: Path, labelled: Path) -> None:
    cfg = deep(tmp_path)
    for seed in (1, 2):
        _, said = loaded(cfg, precision="int8", data=labelled, random_weights=seed)
        assert "calibrating" in said[0]
    cv2.imwrite(str(labelled / "0.png"), picture((2, 2, "blue")))
    _, said = loaded(cfg, precision="int8", data=labelled, random_weights=2)
    assert "calibrating" in said[0]


def test_what_cannot_be_kept_is_told(tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DARKNET_PY_CACHE", str(tmp_path / "file"))
    _, said = loaded(write_detector(tmp_path), precision="int8", data=labelled)
    assert any("cannot remember" in line for line in said)


def test_auto_takes_the_fastest_that_loses_little(tmp_path: Path, labelled: Path) -> None:
    _, said = loaded(write_detector(tmp_path), precision="auto", data=labelled)
    assert sum(line.endswith(": taken") for line in said) == 1
    assert "ms" in said[-1]


@pytest.mark.parametrize("taken", ["int8", "f32"])
def test_what_was_found_is_not_looked_for_again_where_the_model_is_opened_again(
    tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    """For several runs at once, on other threads or in another process: the same network, and nothing is timed."""
    ways = [("onnxruntime", taken, 0.001), ("numpy", "f32", 0.002)]
    monkeypatch.setattr(module.Search, "_timed", lambda *_: ways)
    model = load(write_detector(tmp_path), precision="auto", data=labelled, max_loss=1, quiet=True)

    def searched(*_: object) -> None:
        raise AssertionError("it was looked for again")

    monkeypatch.setattr(module.Search, "fastest", searched)
    assert model.again is not None
    assert model.again.keywords["precision"] == taken
    noise = np.random.default_rng(0).random((1, *model.contract.shape), np.float32)
    for other in (model.again(threads=1), pickle.loads(pickle.dumps(model))):
        for a, b in zip(other.run(noise), model.run(noise), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_auto_goes_on_to_float32_where_all_else_loses(
    tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.Search, "_compared", lambda *_: PrecisionLoss(3, 1.0, 0.5, is_map=True))
    monkeypatch.setattr(module.Search, "_timed", lambda *_: [("onnxruntime", "int8", 0.001), ("numpy", "f32", 0.002)])
    _, said = loaded(write_detector(tmp_path), precision="auto", data=labelled)
    assert "(-0.500)" in said[-2]
    assert said[-2].endswith("more than 0.005 is lost")
    assert said[-1] == "precision: f32 in numpy 2.0 ms: taken"


def test_a_loss_beyond_the_limit_is_an_error(tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Search, "_compared", lambda *_: PrecisionLoss(3, 1.0, 0.5, is_map=True))
    with pytest.raises(DataError, match=r"more than 0.1 is lost\n  hint: a larger --max-loss"):
        load(write_detector(tmp_path), precision="int8", data=labelled, max_loss=0.1, quiet=True)


def test_a_data_file_calibrates_on_train_and_measures_on_valid(tmp_path: Path, labelled: Path) -> None:
    files = sorted(labelled.glob("*.png"))
    for name, some in (("train", files[:4]), ("valid", files[4:])):
        (tmp_path / f"{name}.txt").write_text("".join(f"{p}\n" for p in some))
    data = tmp_path / "my.data"
    data.write_text(f"classes=2\ntrain={tmp_path}/train.txt\nvalid={tmp_path}/valid.txt\n")
    _, said = loaded(write_detector(tmp_path), precision="int8", data=data)
    assert "on 4 pictures" in said[0]
    assert "on 2 pictures" in said[-1]


def test_pictures_are_asked_for(tmp_path: Path, photos: Path) -> None:
    cfg = write_detector(tmp_path)
    for kind, error in (("int8", BackendError), ("auto", DataError)):
        with pytest.raises(error, match="--data"):
            load(cfg, precision=kind, quiet=True)
    with pytest.raises(DataError, match="f32 is not calibrated"):
        load(cfg, data=photos)
    for path in list(photos.glob("*.png"))[1:]:
        path.unlink()
    with pytest.raises(DataError, match="has one picture"):
        load(cfg, precision="int8", data=photos, quiet=True)


def test_a_session_without_its_calibration_is_refused(tmp_path: Path) -> None:
    network = open_network(write_detector(tmp_path))
    with pytest.raises(BackendError, match="calibrated on pictures"):
        open_session(network.graph, precision="int8")


def test_batch_work_names_its_precision(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(DataError, match="one precision"):
        batch(write_detector(tmp_path), photos, tmp_path / "out", precision="auto", data=photos)


def test_a_command_that_wants_a_named_precision_does_not_offer_to_find_one(tmp_path: Path, photos: Path) -> None:
    """Timing back ends beside each other, or many pictures on many days, has to be in one."""
    for given in (("bench", "my.cfg"), ("batch", "my.cfg", photos, "out")):
        done = invoke(*given, "--precision", "auto")
        assert done.exit_code == 2
        assert "'auto' is not one of 'f32'" in done.stderr
        assert "|auto]" not in invoke(given[0], "--help").stdout


def test_the_commands_take_it(tmp_path: Path, labelled: Path) -> None:
    cfg = write_detector(tmp_path)
    run = partial(invoke, "run", cfg, labelled / "0.png", "--no-save", "--precision")
    done = run("int8", "--data", labelled)
    assert done.exit_code == 0
    assert "precision: int8 in onnxruntime: mAP" in done.stderr
    done = invoke("eval", labelled, cfg, "--precision", "int8", "--data", labelled, "--json")
    assert '"map_present": 1' in done.stdout
    done = run("bf16")
    assert done.exit_code == 1
    assert "computes in f32 or int8" in done.stderr


def test_export_takes_it_and_the_older_words_mean_the_same(tmp_path: Path, labelled: Path) -> None:
    cfg = write_classifier(tmp_path)
    pairs = ((["--precision", "f16"], ["--half"]), (["--precision", "int8", "--data", labelled], ["--int8", labelled]))
    for pair in pairs:
        outputs = [tmp_path / f"{i}.onnx" for i in (0, 1)]
        for words, output in zip(pair, outputs, strict=True):
            said("export", cfg, "-o", output, "--replace", *words)
        sizes = [output.stat().st_size for output in outputs]
        assert abs(sizes[0] - sizes[1]) < 64  # the measured speed is a number with more or fewer digits
    done = invoke("export", cfg, "--precision", "int8")
    assert done.exit_code == 2
    assert "--data PICTURES" in done.stderr


@pytest.mark.parametrize("change", [("anchors=", "anchors=9"), ("[yolo]", "[yolo]\nnms_kind=diounms")])
def test_what_makes_other_boxes_of_the_same_outputs_is_measured_anew(
    tmp_path: Path, labelled: Path, change: tuple[str, str]
) -> None:
    cfg = write_detector(tmp_path)
    loaded(cfg, precision="int8", data=labelled)
    assert change[0] in cfg.read_text()
    cfg.write_text(cfg.read_text().replace(*change))
    _, said = loaded(cfg, precision="int8", data=labelled)
    assert "calibrating" in said[0]


def test_what_is_kept_is_known_by_labels_and_not_by_the_order_of_a_set(tmp_path: Path) -> None:
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((8, 8, 3), 40 * i, np.uint8))
        (tmp_path / f"{i}.txt").write_text("0 .5 .5 .5 .5\n")
    before = module._Pictures.of(tmp_path).stamp
    assert before == module._Pictures.of(tmp_path).stamp
    (tmp_path / "1.txt").write_text("")
    assert before != module._Pictures.of(tmp_path).stamp
    (tmp_path / "1.txt").unlink()
    assert str(tmp_path / "1.txt") not in module._Pictures.of(tmp_path).stamp


def test_a_back_end_without_int8_names_one_that_has_it(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(BackendError, match=r"'opencv' computes in f32\n  hint: .*int8"):
        load(write_detector(tmp_path), backend="opencv", precision="int8", data=photos)


def test_where_there_is_one_way_nothing_is_timed(tmp_path: Path, photos: Path) -> None:
    _, told = loaded(write_detector(tmp_path), backend="numpy", precision="auto", data=photos)
    assert told == ["precision: f32 in numpy: taken"]
