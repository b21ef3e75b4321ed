"""`export --format triton`: a folder that Triton reads, as far as its own protocol buffers can say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import said
from networks import picture, write_classifier, write_detector, write_recurrent
from serving import encoded, triton_config

from darknet_py import load
from darknet_py.errors import DataError
from darknet_py.model.formats import find_format


def export(*arguments: str | Path, fails: bool = False) -> str:
    return said("export", *arguments, "--format", "triton", fails=fails)


def test_the_configuration_is_tritons(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    (tmp_path / "net.names").write_text('röd\n"blue"\n')
    export(cfg, "-o", tmp_path / "models", "--max-batch", "4", "--max-det", "5")
    made = triton_config()()
    from google.protobuf import text_format

    config = text_format.Parse((tmp_path / "models/net/config.pbtxt").read_text(), made)
    assert (config.name, config.backend, config.max_batch_size) == ("net", "onnxruntime", 4)
    assert config.dynamic_batching.max_queue_delay_microseconds == 2000
    assert [(i.name, list(i.dims)) for i in config.input] == [("images", [3, 32, 32])]
    kinds = made.DESCRIPTOR.file.enum_types_by_name["DataType"].values_by_number
    outputs = [(o.name, kinds[o.data_type].name, list(o.dims)) for o in config.output]
    assert outputs == [
        ("num_dets", "TYPE_INT32", [1]), ("boxes", "TYPE_FP32", [5, 4]), ("scores", "TYPE_FP32", [5]),
        ("classes", "TYPE_INT32", [5]),
    ]  # fmt: skip
    assert json.loads(config.parameters["names"].string_value) == ["röd", '"blue"']


def test_the_model_finds_what_the_cfg_finds(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    export(cfg, "-o", tmp_path / "models")
    pixels = picture((1, 2, "red"), (3, 0, "blue"))
    exported = load(tmp_path / "models/net/1/model.onnx")
    found, wanted = exported(pixels)[0].boxes, load(cfg)(pixels)[0].boxes
    assert found.cls.tolist() == wanted.cls.tolist()
    np.testing.assert_allclose(found.xyxy, wanted.xyxy, atol=1e-3)
    with pytest.warns(UserWarning, match="export it again with --conf 0.1"):
        exported(pixels, conf=0.1)


def test_what_eight_bits_lose_is_said(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for i in range(4):
        (tmp_path / f"pictures/{i}.png").write_bytes(encoded(picture((i, 2, "red"))))
    told = export(write_detector(tmp_path), "-o", tmp_path / "models", "--int8", tmp_path / "pictures")
    assert "int8 against float32, pictures held out" in told
    assert "input images 3x32x32" in told


def test_a_version_lies_beside_another_and_is_written_again(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    for version in ("1", "2", "2"):
        export(cfg, "-o", tmp_path / "models", "--model-version", version)
    assert sorted(p.parent.name for p in (tmp_path / "models").rglob("model.onnx")) == ["1", "2"]
    (tmp_path / "models/net/config.pbtxt").write_text("mine")
    assert "--replace" in export(cfg, "-o", tmp_path / "models", fails=True)


def test_a_classifier_ends_in_its_scores(tmp_path: Path) -> None:
    export(write_classifier(tmp_path), "-o", tmp_path / "models")
    assert load(tmp_path / "models/colour/1/model.onnx")(picture((1, 2, "red")))[0].pred_class in (
        "red",
        "green",
        "blue",
    )


def test_what_triton_cannot_batch_is_refused(tmp_path: Path) -> None:
    format_ = find_format(Path("models"), "triton")
    with pytest.raises(DataError, match="no batch axis"):
        load(write_detector(tmp_path)).export(tmp_path / "a", "triton", boxes="nms")
    with pytest.raises(DataError, match="recurrent"):
        load(write_recurrent(tmp_path)).export(tmp_path / "a", "triton")
    with pytest.raises(DataError, match="no option batch"):
        load(write_detector(tmp_path)).export(tmp_path / "a", "triton", batch=1)
    assert format_.suffix == ""
    with pytest.raises(DataError, match=r"use .*\.onnx \(onnx\), .*or name the format"):
        find_format(Path("models"))


def test_a_version_of_another_form_does_not_change_what_describes_the_others(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    export(cfg, "-o", tmp_path / "models")
    before = (tmp_path / "models" / "net" / "config.pbtxt").read_bytes()
    words = (cfg, "-o", tmp_path / "models", "--model-version", "2", "--boxes", "decoded")
    assert "is of version 1 too" in export(*words, fails=True)
    assert (tmp_path / "models" / "net" / "config.pbtxt").read_bytes() == before
    export(*words, "--replace")
    assert (tmp_path / "models" / "net" / "config.pbtxt").read_bytes() != before
