"""An export in 8 bits: what is refused, before minutes of calibration are spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from commands import invoke
from networks import write_classifier, write_detector, write_photos

from darknet_py import export_onnx
from darknet_py.analysis import quantize
from darknet_py.errors import BackendError, DataError
from darknet_py.model.formats.web import RUNTIME


@pytest.fixture(autouse=True)
def nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize, "quantize", lambda *_: pytest.fail("calibrated"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"boxes": "no"}, "boxes='no' is none of raw, decoded"),
        ({"threshold": 25}, "threshold is between 0 and 1, not 25"),
        ({"iou": -1}, "iou is between 0 and 1, not -1"),
        ({"max_detections": 0}, "max_detections is at least 1, not 0"),
    ],
)
def test_what_no_file_can_be(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    with pytest.raises(DataError, match=said):
        export_onnx(write_detector(tmp_path), tmp_path / "a.onnx", int8=photos, **options)


def test_boxes_of_a_classifier(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    with pytest.raises(BackendError, match="no layer that gives boxes"):
        export_onnx(write_classifier(tmp_path), tmp_path / "a.onnx", int8=photos, boxes="nms")


@pytest.mark.parametrize(
    ("form", "mine"), [("triton", "net/config.pbtxt"), ("web", "index.html"), ("web", "contract.json")]
)
def test_a_file_of_the_users_in_a_folder(tmp_path: Path, form: str, mine: str) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    out, runtime = tmp_path / "out", tmp_path / "runtime"
    (out / mine).parent.mkdir(parents=True)
    (out / mine).write_text("mine")
    runtime.mkdir()
    for name in RUNTIME:
        (runtime / name).write_text("")
    words = ["--runtime", runtime] if form == "web" else []
    done = invoke("export", write_detector(tmp_path), "-o", out, "--format", form, "--int8", photos, *words)
    assert done.exit_code == 1
    assert f"{mine} exists, and is not known to be written by darknet-py" in done.stderr
