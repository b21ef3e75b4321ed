"""`export --format web`: a page that computes what darknet-py computes, in Node and in Chromium."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browsing import ROOT, browse, hosted, node, package
from commands import said
from networks import picture, write_classifier, write_detector, write_recurrent

from darknet_py import load, page
from darknet_py.contract.contract import Contract
from darknet_py.contract.nms import NMS_KINDS
from darknet_py.errors import DataError
from darknet_py.model.formats import find_format
from darknet_py.model.formats.web import RUNTIME, runtime_files
from darknet_py.vision.preprocess import to_center, to_input

SHARED = ROOT.parent / "shared"
TINY = SHARED / "weights/yolo-fastest-1.1/yolo-fastest-1.1.cfg"
PHOTOS = ("dog", "eagle", "person")


def export(cfg: Path, *arguments: str | Path, fails: bool = False) -> str:
    return said("export", cfg, *arguments, "--format", "web", fails=fails)


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """A folder that looks as npm leaves it."""
    folder = tmp_path / "node_modules/onnxruntime-web/dist"
    folder.mkdir(parents=True)
    for name in RUNTIME:
        (folder / name).write_bytes(name.encode())
    return tmp_path


def test_the_folder_is_whole_and_asks_nobody_else(tmp_path: Path, runtime: Path) -> None:
    cfg = write_detector(tmp_path)
    assert "python -m http.server --directory" in export(cfg, "-o", tmp_path / "web", "--runtime", runtime)
    names = {path.name for path in (tmp_path / "web").iterdir()} - {".darknet-py.jsonl"}
    own = {"index.html", "page.js", "look.js", "look.css", "network.js", "boxes.js"}
    assert names == {*own, "contract.json", "model.onnx", *RUNTIME}
    for name in own:
        text = (tmp_path / "web" / name).read_text()
        assert not re.search(r"https?:|@import|eval\(|innerHTML|document.write", text), name
        assert "<!--" not in text
        for asked in re.findall(r"""(?:from |src=|href=)["']([^"']+)""", text):
            assert asked.startswith("data:") or (tmp_path / "web" / asked).is_file(), asked
    contract = json.loads((tmp_path / "web/contract.json").read_text())
    assert contract["names"] == ["red", "blue"]
    assert contract["boxes"] == "decoded"
    assert not contract["origin"], "where it lay is nobody's business"


def test_it_is_written_again_over_itself_and_over_nothing_else(tmp_path: Path, runtime: Path) -> None:
    cfg = write_detector(tmp_path)
    for _ in range(2):
        export(cfg, "-o", tmp_path / "web", "--runtime", runtime)
    (tmp_path / "web/index.html").write_text("mine")
    assert "index.html" in export(cfg, "-o", tmp_path / "web", "--runtime", runtime, fails=True)
    export(cfg, "-o", tmp_path / "web", "--runtime", runtime, "--replace")
    assert "mine" not in (tmp_path / "web/index.html").read_text()


def test_the_runtime_is_found_above_or_asked_for(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (runtime / "a/b").mkdir(parents=True)
    monkeypatch.chdir(runtime / "a/b")
    assert [path.name for path in runtime_files()] == list(RUNTIME)
    (runtime / "node_modules/onnxruntime-web/dist" / RUNTIME[2]).unlink()
    with pytest.raises(DataError, match="npm install onnxruntime-web"):
        runtime_files()
    with pytest.raises(DataError, match="nowhere has no onnxruntime-web"):
        runtime_files("nowhere")


def test_what_a_page_cannot_feed_is_refused(tmp_path: Path, runtime: Path) -> None:
    from darknet_py.darknet.network import open_network

    def refused(cfg: Path) -> str:
        with pytest.raises(DataError) as error:
            find_format(Path("web"), "web").write(open_network(cfg), tmp_path / "web", runtime=runtime)
        assert not (tmp_path / "web").exists()
        return str(error.value)

    assert "remembers" in refused(write_recurrent(tmp_path))
    (tmp_path / "four.cfg").write_text("[net]\nwidth=4\nheight=4\nchannels=4\n[avgpool]\n")
    assert "1 or 3 channels" in refused(tmp_path / "four.cfg")


def in_node(cases: list[dict[str, Any]]) -> list[Any]:
    command = [node(), str(Path(__file__).with_name("arithmetic.mjs")), str(page.FOLDER / "boxes.js")]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


SHAPES = (((3, 32, 48), "stretch", 0), ((3, 33, 31), "letterbox", 0), ((3, 24, 24), "crop", 0),
          ((3, 20, 20), "crop", 28),
          ((1, 16, 40), "letterbox", 0), ((3, 64, 64), "crop", 40), ((3, 1, 1), "stretch", 0))  # fmt: skip
SIZES = ((37, 53), (64, 20), (32, 48), (1, 1), (5, 90))


def test_pictures_are_resized_to_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    cases, wanted = [], []
    for shape, resize, edge in SHAPES:
        for h, w in SIZES:
            pixels = rng.integers(0, 256, (h, w, 4), np.uint8)
            contract = Contract(shape, 1, resize, edge).to_dict()
            data = {"data": pixels.reshape(-1).tolist(), "width": w, "height": h}
            cases.append({"contract": contract, "pixels": data})
            rgb = np.ascontiguousarray(pixels[..., :3])
            wanted.append(
                to_center(rgb, shape, edge=edge) if resize == "crop" else to_input(rgb, shape, resize == "letterbox")
            )
    for case, found, right in zip(cases, in_node(cases), wanted, strict=True):
        one = 1e-6 if right.shape[0] == 3 else 1.01 / 255  # OpenCV rounds grey its own way
        np.testing.assert_allclose(np.reshape(found, right.shape), right, atol=one, err_msg=str(case["contract"]))


def test_boxes_are_suppressed_to_the_same_ones() -> None:
    rng = np.random.default_rng(1)
    cases, wanted = [], []
    for kind in NMS_KINDS:
        for resize, size in (("stretch", (480, 640)), ("letterbox", (640, 480)), ("letterbox", (100, 333))):
            contract = Contract(
                (3, 96, 128), 3, resize, names=("a", "b", "c"), boxes="decoded", nms_kind=kind, nms_beta=0.8,
                iou=float(np.float32(0.4)),
            )  # fmt: skip
            corner, side = rng.uniform(0, 90, (60, 2)), rng.uniform(5, 60, (60, 2))
            boxes = np.concatenate([corner, corner + side], 1).astype(np.float32)
            scores = rng.uniform(0, 1, (60, 3)).astype(np.float32)
            boxes[7] = 3e38  # which overflows on the way
            plain = {**contract.to_dict(), "decoders": []}
            cases.append({"contract": plain, "boxes": boxes.reshape(-1).tolist(),
                          "scores": scores.reshape(-1).tolist(), "size": size, "threshold": 0.3})  # fmt: skip
            wanted.append(decoded(contract, boxes, scores, size))
    for found, right in zip(in_node(cases), wanted, strict=True):
        assert 5 < len(right) < 150
        assert [one["class_id"] for one in found] == right.cls.tolist()
        np.testing.assert_allclose([one["confidence"] for one in found], right.conf, rtol=1e-6)
        np.testing.assert_allclose([one["box"] for one in found], right.xyxy, atol=1e-2)


def test_classes_that_are_not_to_be_shown_are_not() -> None:
    contract = Contract((3, 8, 8), 2, names=("dont_show a", "b"), boxes="decoded").to_dict()
    case = {"contract": contract, "boxes": [0, 0, 8, 8], "scores": [0.9, 0.8], "size": (8, 8), "threshold": 0.3}
    ((found,),) = in_node([case])
    assert found["name"] == "b"


def decoded(contract: Contract, boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int]) -> Any:
    from dataclasses import replace

    from darknet_py.contract.decoders import Detection

    whole = replace(contract, decoders=(Detection(contract.classes, 1, 1, False),))
    return whole.decode([boxes, scores], size, threshold=0.3)


def test_the_best_classes_come_first() -> None:
    contract = {**Contract((3, 4, 4), 7, "crop", names=("one",)).to_dict(), "decoders": []}
    (found,) = in_node([{"contract": contract, "scores": [0.1, 0.3, 0.05, 0.2, 0.01, 0.25, 0.09]}])
    assert [one["class_id"] for one in found] == [1, 5, 3, 0, 6]
    assert found[3]["name"] == "one"
    assert found[0]["name"] == "1"


def lawn(*cells: tuple[int, int, str]) -> np.ndarray:
    """A picture for the small detector, ten times its size and a little wider: what comes of it is resized."""
    return cv2.resize(picture(*cells), (360, 300), interpolation=cv2.INTER_NEAREST)


def look(folder: Path, pictures: list[Path], tmp_path: Path) -> dict[str, Any]:
    with hosted(folder) as url:
        seen = browse(Path(__file__).with_name("page.mjs"), url, tmp_path, *pictures)
    assert seen["errors"] == []
    assert all(one.startswith(f"GET {url}") for one in seen["asked"]), seen["asked"]
    assert seen["later"] == [], "pictures stay where they are"
    return seen


def assert_same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    assert [one["confidence"] for one in found] == sorted((one["confidence"] for one in found), reverse=True)
    found, wanted = (sorted(ones, key=lambda one: (one["name"], *map(round, one["box"]))) for ones in (found, wanted))
    assert [one["name"] for one in found] == [one["name"] for one in wanted]
    np.testing.assert_allclose([one["confidence"] for one in found], [one["confidence"] for one in wanted], atol=1e-4)
    np.testing.assert_allclose([one["box"] for one in found], [one["box"] for one in wanted], atol=0.05)


@pytest.mark.parametrize("letterbox", [False, True])
def test_in_chromium_it_finds_the_same_boxes(tmp_path: Path, letterbox: bool) -> None:
    cfg = write_detector(tmp_path)
    fitted = "--letterbox" if letterbox else "--no-letterbox"
    export(cfg, "-o", tmp_path / "web", "--runtime", package("onnxruntime-web"), fitted)
    scenes = (((1, 1, "red"), (2, 2, "blue")), ((0, 3, "blue"),), ())
    pictures = [tmp_path / f"{i}.png" for i in range(len(scenes))]
    for path, scene in zip(pictures, scenes, strict=True):
        cv2.imwrite(str(path), lawn(*scene))
    (tmp_path / "camera.mjpeg").write_bytes(cv2.imencode(".jpg", lawn(*scenes[0]))[1].tobytes() * 2)
    seen = look(tmp_path / "web", pictures, tmp_path)
    model = load(cfg, letterbox=letterbox)
    for path, found in zip(pictures, seen["pictures"], strict=True):
        assert_same(found["objects"], model(path, conf=0.01)[0].to_dict()["objects"])
    shown = [one["name"] for one in seen["pictures"][0]["objects"] if one["confidence"] > 0.25]
    assert sorted(seen["camera"]) == sorted(shown), "the film shows the first picture"
    assert seen["unlabelled"] == []
    assert seen["wide"] <= 360


def test_in_chromium_a_classifier_says_what_it_sees(tmp_path: Path) -> None:
    cfg = write_classifier(tmp_path)
    export(cfg, "-o", tmp_path / "web", "--runtime", package("onnxruntime-web"))
    cv2.imwrite(str(tmp_path / "red.png"), np.full((30, 40, 3), (0, 40, 250), np.uint8))
    seen = look(tmp_path / "web", [tmp_path / "red.png"], tmp_path)
    found, wanted = seen["pictures"][0]["classes"], load(cfg)(tmp_path / "red.png")[0].to_dict()["classes"]
    assert [one["name"] for one in found] == [one["name"] for one in wanted]
    np.testing.assert_allclose([one["confidence"] for one in found], [one["confidence"] for one in wanted], atol=1e-5)


def test_in_chromium_three_photos_have_the_boxes_that_python_finds(tmp_path: Path) -> None:
    if not TINY.is_file():
        pytest.skip("needs ../shared/weights/yolo-fastest-1.1 and ../shared/images")
    export(TINY, "-w", TINY.with_suffix(".weights"), "-o", tmp_path / "web", "--runtime", package("onnxruntime-web"))
    photos = [SHARED / f"images/{name}.jpg" for name in PHOTOS]
    seen = look(tmp_path / "web", photos, tmp_path)
    model = load(TINY, TINY.with_suffix(".weights"))
    for photo, found in zip(photos, seen["pictures"], strict=True):
        wanted = model(photo, conf=0.25)[0].to_dict()["objects"]
        assert_same([one for one in found["objects"] if one["confidence"] > 0.25], wanted)
        assert wanted
