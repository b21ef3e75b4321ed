"""`load` and `Model`: every kind of source, batches, thresholds, memory, ONNX files."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from networks import picture, write_classifier, write_detector, write_recurrent

import darknet_py
from darknet_py import export_onnx
from darknet_py.analysis.dump import dump_layers
from darknet_py.analysis.verify import verify
from darknet_py.backends.backend import available_backends
from darknet_py.darknet.network import open_network
from darknet_py.errors import BackendError, DataError, WeightsError
from darknet_py.model.model import Model
from darknet_py.model.opening import load

RED = picture((1, 2, "red"))
BOX = [12, 4, 28, 20]  # 16x16 around the centre (20, 12) of the cell in row 1, column 2


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    return write_detector(tmp_path)


@pytest.fixture
def model(cfg: Path) -> Model:
    return load(cfg, backend="numpy")


def test_finds_the_box_that_was_worked_out_by_hand(model: Model) -> None:
    (results,) = model(RED)
    np.testing.assert_allclose(results.boxes.xyxy, [BOX], atol=1e-3)
    assert results.boxes.cls.tolist() == [0]
    assert results.boxes.conf[0] == pytest.approx(0.99995, abs=1e-4)
    assert results.names == {0: "red", 1: "blue"}
    assert results.orig_shape == (32, 32)


@pytest.mark.parametrize("backend", ["onnxruntime", "opencv", "onnx.reference"])
def test_every_back_end_finds_the_same(cfg: Path, backend: str) -> None:
    (results,) = load(cfg, backend=backend)(RED)
    np.testing.assert_allclose(results.boxes.xyxy, [BOX], atol=1e-3)


def test_arrays_are_bgr(model: Model) -> None:
    (results,) = model(picture((0, 0, "blue")))
    assert results.boxes.cls.tolist() == [1]


class FakePil:
    """As much of a PIL image as is looked at: RGB."""

    mode, filename = "RGB", "photo.png"

    def convert(self, mode: str) -> np.ndarray:
        assert mode == "RGB"
        return RED[:, :, ::-1]


def sources(folder: Path) -> dict[str, object]:
    path = folder / "photo.png"
    cv2.imwrite(str(path), RED)
    return {
        "path": path, "str": str(path), "folder": folder, "glob": f"{folder}/*.png", "bytes": path.read_bytes(),
        "array": RED, "stack": RED[None], "list": [RED], "nested": [[path]], "pil": FakePil(),
        "bgra": cv2.cvtColor(RED, cv2.COLOR_BGR2BGRA),
    }  # fmt: skip


@pytest.mark.parametrize("kind", "path str folder glob bytes array stack list nested pil bgra".split())
def test_takes_pictures_from(kind: str, model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (results,) = model(sources(folder)[kind])
    np.testing.assert_allclose(results.boxes.xyxy, [BOX], atol=1e-3)


def test_a_generator_is_read_as_results_are_taken(model: Model) -> None:
    read = []

    def stream() -> Iterator[np.ndarray]:
        for i in range(3):
            read.append(i)
            yield RED

    results = model(stream())
    assert not isinstance(results, list)
    assert read == []
    next(results)
    assert read == [0]


def test_arrays_are_numbered_and_files_keep_their_path(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), RED)
    assert [r.path for r in model([RED, path, RED])] == ["image0", str(path), "image2"]


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_batch_changes_nothing(model: Model, batch: int) -> None:
    frames = [picture((i % 4, 0, "red")) for i in range(5)]
    tops = [r.boxes.xyxy[0, 1] for r in model(frames, batch=batch)]
    np.testing.assert_allclose(tops, [-4, 4, 12, 20, -4], atol=1e-3)


def test_boxes_are_in_pixels_of_the_picture(model: Model) -> None:
    large = np.kron(RED, np.ones((3, 2, 1), np.uint8))
    (results,) = model(large)
    np.testing.assert_allclose(results.boxes.xyxy[0], np.multiply(BOX, (2, 3, 2, 3)), atol=0.1)


def test_letterbox_is_undone(model: Model) -> None:
    wide = np.zeros((32, 64, 3), np.uint8)
    wide[8:24, 16:32, 2] = 255
    for results in model([wide], letterbox=True):
        box = results.boxes.xyxy[0]
        assert box[2] - box[0] == pytest.approx(32, abs=0.1)  # 16 of 32 network pixels for 64 of the picture
        assert box[3] - box[1] == pytest.approx(32, abs=0.1)


def test_conf_is_the_lowest_probability(model: Model) -> None:
    dim = (RED * 0.55).astype(np.uint8)
    assert len(model(dim, conf=0.25)[0]) == 1
    assert len(model(dim, conf=0.9)[0]) == 0


def test_classes_thresholds_and_number_are_chosen(model: Model) -> None:
    both = picture((1, 1, "red"), (1, 2, "blue"))
    assert model(both)[0].boxes.cls.tolist() == [0, 1]
    assert model(both, classes="blue")[0].boxes.cls.tolist() == [1]
    assert model(both, classes=[0], batch=2, workers=1)[0].boxes.cls.tolist() == [0]
    assert model(both, conf={"red": 1.0})[0].boxes.cls.tolist() == [1]
    assert model(both, conf={None: 1.0, 1: 0.3})[0].boxes.cls.tolist() == [1]
    assert len(model(both, max_det=1)[0].boxes) == 1
    assert len(model(both, iou=0.2, agnostic=True)[0].boxes) == 1
    assert model(both, iou=0.2, agnostic=True, classes="blue")[0].boxes.cls.tolist() == [1]
    with pytest.raises(DataError, match="did you mean 'red'"):
        model(both, classes=["rde"])


def test_a_classifier_has_no_boxes_to_choose_from(tmp_path: Path) -> None:
    model = load(write_classifier(tmp_path), backend="numpy")
    for given in ({"classes": "red"}, {"conf": {"red": 0.5}}, {"max_det": 1}, {"agnostic": True}):
        with pytest.raises(DataError, match="is a classifier"):
            model(RED, **given)  # type: ignore[call-overload]  # of one keyword or another


def test_conf_and_batch_out_of_range_are_errors(model: Model) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        model(RED, conf=25)
    with pytest.raises(DataError, match="at least 1"):
        model(RED, batch=0)
    for given, said in (
        ({"batch": None}, "batch is at least 1"),
        ({"workers": None}, "workers is"),
        ({"workers": 1.5}, "workers is"),
    ):
        with pytest.raises(DataError, match=said):
            model(RED, **given)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.jpg", "cannot read the picture missing.jpg"),
        (b"no picture", "not a picture"),
        (b"", "not a picture"),
        (RED.astype(np.float32), "must be uint8"),
        (np.zeros(5, np.uint8), "is no picture"),
        (3.5, "cannot take pictures from 'float'"),
        ("*.none", "no pictures or videos match"),
    ],
)
def test_what_is_no_picture_is_an_error(model: Model, source: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        model(source)


def test_a_folder_without_pictures_is_an_error(model: Model, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures or videos in the folder"):
        model(tmp_path)


def test_names_come_from_a_given_file(cfg: Path, tmp_path: Path) -> None:
    (tmp_path / "my.names").write_text("rot\nblau\n\n")
    (tmp_path / "my.data").write_text("classes = 2\nnames = my.names\n")
    for file in ("my.names", "my.data"):
        assert load(cfg, backend="numpy", names=tmp_path / file).names == {0: "rot", 1: "blau"}


def test_too_few_names_are_an_error(cfg: Path, tmp_path: Path) -> None:
    (tmp_path / "my.names").write_text("rot\n")
    with pytest.raises(DataError, match=r"holds 1 name, and the network has 2 classes"):
        load(cfg, backend="numpy", names=tmp_path / "my.names")


def test_numbers_stand_in_for_names_and_say_so(tmp_path: Path) -> None:
    model = load(write_detector(tmp_path, names=False), backend="numpy")
    assert model.names == {0: "0", 1: "1"}
    assert model.contract.names_origin.startswith("numbers")


def test_missing_weights_list_every_place(cfg: Path) -> None:
    cfg.with_suffix(".weights").unlink()
    with pytest.raises(WeightsError, match=r"looked at(.|\n)*net\.weights(.|\n)*random-weights"):
        load(cfg)


def test_weights_of_darknets_trainer_are_found(cfg: Path) -> None:
    cfg.with_suffix(".weights").rename(cfg.with_name("net_best.weights"))
    assert len(load(cfg, backend="numpy")(RED)[0]) == 1


def test_weights_are_found_in_the_folder_weights(cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cfg.parent)
    Path("weights").mkdir()
    cfg.with_suffix(".weights").rename(Path("weights", "net.weights"))
    assert len(load(cfg, backend="numpy")(RED)[0]) == 1


def test_random_weights_are_only_used_when_asked_for(cfg: Path) -> None:
    cfg.with_suffix(".weights").unlink()
    first, again = (
        load(cfg, backend="numpy", random_weights=7).forward(np.ones((1, 3, 32, 32), np.float32)) for _ in "ab"
    )
    np.testing.assert_array_equal(first[0], again[0])


def test_another_size_is_another_network(cfg: Path) -> None:
    model = load(cfg, backend="numpy", size=(64, 96))
    assert model.contract.shape == (3, 64, 96)


@pytest.mark.parametrize(("size", "hint"), [(320, "hint: size=(320, 320)"), (0, "not 0"), ("64x96", "not 64x96")])
def test_a_size_that_is_no_pair_is_told_what_one_is(cfg: Path, size: object, hint: str) -> None:
    with pytest.raises(DataError, match=rf"{re.escape(hint)}$"):
        load(cfg, size=size)  # type: ignore[arg-type]  # what people write


def test_unknown_names_get_a_hint(cfg: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'yolov4-tiny'"):
        load("yolov4-tin")
    with pytest.raises(DataError, match="did you mean 'pjreddie'"):
        load(cfg, dialect="pjredie")
    with pytest.raises(BackendError, match="did you mean 'onnxruntime'"):
        load(cfg, backend="onnxruntim")


def test_a_classifier_gives_class_and_score(tmp_path: Path) -> None:
    green = np.zeros((4, 4, 3), np.uint8)
    green[:, :, 1] = 255
    (results,) = load(write_classifier(tmp_path), backend="numpy")(green)
    e = np.exp([0, 1, 0])
    assert (results.pred_label, results.pred_class) == (1, "green")
    assert results.pred_score == pytest.approx(e[1] / e.sum(), abs=1e-6)
    assert [name for name, _ in results.top5] == ["green", "red", "blue"]
    assert len(results) == 0


def test_a_classifier_sees_the_middle_of_a_picture(tmp_path: Path) -> None:
    wide = np.zeros((4, 12, 3), np.uint8)
    wide[:, 4:8, 0] = 255
    (results,) = load(write_classifier(tmp_path), backend="numpy")(wide)
    assert results.pred_class == "blue"
    assert results.pred_score == pytest.approx(np.e / (np.e + 2), abs=1e-5)


@pytest.mark.fault("model-not-picklable")
@pytest.mark.parametrize("backend", ["onnxruntime", "opencv", "numpy"])
def test_a_model_travels_as_what_was_said_to_load(cfg: Path, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cfg.parent)
    model = load(cfg.name, backend=backend, say=print)
    text = pickle.dumps(model)
    monkeypatch.chdir("/")
    again = pickle.loads(text)
    assert type(again.session) is type(model.session) or backend == "onnxruntime"
    (wanted,), (found,) = model(RED), again(RED)
    np.testing.assert_allclose(found.boxes.xyxy, wanted.boxes.xyxy)
    assert again.names == model.names


@pytest.mark.fault("model-not-picklable")
@pytest.mark.parametrize(
    "options", [{}, {"backend": "numpy"}, {"random_weights": 0}], ids=["default", "numpy", "random"]
)
def test_another_process_opens_the_model_it_is_sent(cfg: Path, options: dict[str, Any]) -> None:
    model = load(cfg, **options)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        (results,) = pool.submit(model, RED).result()
    np.testing.assert_allclose(results.boxes.xyxy, model(RED)[0].boxes.xyxy, atol=1e-3)


@pytest.mark.fault("weights-file-rewritten")
@pytest.mark.parametrize("how", ["written over", "cut", "removed"])
@pytest.mark.parametrize("backend", [name for name in available_backends() if name != "auto"])
def test_a_loaded_model_stays_what_it_was(backend: str, how: str, cfg: Path, tmp_path: Path) -> None:
    weights = cfg.with_suffix(".weights")
    model, network = load(cfg, backend=backend, cache=False), open_network(cfg)
    x = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)

    def answers() -> list[np.ndarray]:
        return [*model.run(x), *(layers[name] for layers in dump_layers(network.graph, x) for name in sorted(layers))]

    wanted = [np.array(array) for array in answers()]
    model.export(tmp_path / "before.onnx")
    if how == "removed":
        weights.unlink()
    else:
        with weights.open("r+b") as file:
            file.truncate(20) if how == "cut" else file.write(b"\xff" * weights.stat().st_size)
    for found, before in zip(answers(), wanted, strict=True):
        np.testing.assert_allclose(found, before, rtol=1e-6)
    model.export(tmp_path / "after.onnx")
    assert (tmp_path / "after.onnx").read_bytes() == (tmp_path / "before.onnx").read_bytes()
    assert not verify(network.graph, [x], [backend]).failures


def test_a_model_made_of_parts_says_that_it_cannot_travel(model: Model) -> None:
    with pytest.raises(DataError, match="open it in each process"):
        pickle.dumps(Model(model.session, model.contract))


def test_threads_step_through_sequences_of_their_own(tmp_path: Path) -> None:
    model = load(write_recurrent(tmp_path), backend="numpy")
    rng = np.random.default_rng(0)
    sequences = rng.random((8, 5, 1, *model.contract.shape), np.float32)

    def last(sequence: np.ndarray) -> np.ndarray:
        states: list[np.ndarray] = []
        for x in sequence:
            (y,), states = model.step(x, states)
        return y

    alone = [last(s) for s in sequences]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(last, sequences))
    np.testing.assert_array_equal(alone, together)
    assert not np.allclose(alone[0], alone[1])


def test_a_recurrent_network_remembers_until_reset(tmp_path: Path) -> None:
    model = load(write_recurrent(tmp_path), backend="numpy")
    frame = np.full((2, 2, 3), 200, np.uint8)
    first, second = (model(frame)[0].scores for _ in range(2))
    model.reset()
    again = model(frame)[0].scores
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (np.zeros((1, 3, 8, 8), np.float32), r"not \(1, 3, 8, 8\)"),
        (np.zeros((0, 3, 32, 32), np.float32), r"not \(0, 3, 32, 32\)"),
        ([[[1.0]]], "not list"),
        (None, "not NoneType"),
        (SimpleNamespace(shape=(1, 3, 32, 32), dtype="float32"), "not SimpleNamespace"),  # as a tensor of PyTorch
    ],
)
def test_forward_wants_an_array_of_the_networks_shape(model: Model, inputs: Any, told: str) -> None:
    with pytest.raises(DataError, match=f"wants an array of inputs .*{told}"):
        model.forward(inputs)


@pytest.mark.parametrize("kind", ["c8", "U1", object, "M8[s]", [("a", "f4")]])
def test_forward_wants_real_numbers(model: Model, kind: Any) -> None:
    """Of complex ones the half would be left out, and of the others some are taken for numbers."""
    with pytest.raises(DataError, match="wants an array of real numbers, not of "):
        model.forward(np.zeros((1, *model.contract.shape), kind))


@pytest.mark.parametrize("kind", ["?", "u1", "i8", "f2", "f8", "bfloat16"])
def test_forward_takes_any_kind_of_real_numbers(model: Model, kind: str) -> None:
    if kind == "bfloat16":  # NumPy knows it by this package, as one of its own
        pytest.importorskip("ml_dtypes")
    ones = np.ones((1, *model.contract.shape), np.float32)
    for a, b in zip(model.forward(ones.astype(kind)), model.forward(ones), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("boxes", ["raw", "decoded", "nms", "padded"])
@pytest.mark.parametrize("batch", [None, 2])
def test_an_exported_file_finds_the_same(cfg: Path, tmp_path: Path, boxes: str, batch: int | None) -> None:
    path = tmp_path / "net.onnx"
    export_onnx(cfg, path, boxes=boxes, batch=batch)
    results = load(path)([RED, picture((3, 3, "blue")), RED], batch=3)
    assert [r.boxes.cls.tolist() for r in results] == [[0], [1], [0]]
    np.testing.assert_allclose(results[2].boxes.xyxy, [BOX], atol=1e-3)
    assert results[1].names[1] == "blue"


@pytest.mark.parametrize("backend", ["opencv", "onnx.reference"])
def test_an_exported_file_runs_elsewhere(cfg: Path, tmp_path: Path, backend: str) -> None:
    path = tmp_path / "net.onnx"
    load(cfg, backend="numpy").export(path, boxes="decoded")
    results = load(path, backend=backend)([RED, RED])
    np.testing.assert_allclose(results[1].boxes.xyxy, [BOX], atol=1e-3)


def test_an_exported_file_cannot_be_changed(cfg: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    export_onnx(cfg, path)
    with pytest.raises(DataError, match="size cannot be changed"):
        load(path, size=(64, 64))
    with pytest.raises(BackendError, match="does not run ONNX files"):
        load(path, backend="numpy")


def test_another_onnx_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\xff\xff nonsense")
    with pytest.raises(DataError):
        load(tmp_path / "bad.onnx")
    with pytest.raises(DataError, match="there is no such file"):
        load(tmp_path / "none.onnx")


def test_every_public_name_exists() -> None:
    for name in darknet_py.__all__:
        assert getattr(darknet_py, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = darknet_py.nothing


def test_yolov4_tiny_finds_the_dog(shared: Path) -> None:
    (results,) = load(shared / "weights/yolov4-tiny/yolov4-tiny.cfg")(shared / "images/dog.jpg")
    found = {results.names[int(c)] for c in results.boxes.cls}
    assert {"dog", "bicycle", "truck"} <= found


def test_load_says_on_stderr_what_it_does_unasked_unless_told_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = write_detector(tmp_path)
    weights = tmp_path / "net.conv.1"
    weights.write_bytes(cfg.with_suffix(".weights").read_bytes()[:20])
    load(cfg, weights, "numpy", allow_partial=True)
    assert "the parameters from there on are random" in capsys.readouterr().err
    load(cfg, weights, "numpy", allow_partial=True, quiet=True)
    assert capsys.readouterr().err == ""
    said: list[str] = []
    load(cfg, weights, "numpy", allow_partial=True, say=said.append)
    assert len(said) == 1
    assert capsys.readouterr().err == ""
