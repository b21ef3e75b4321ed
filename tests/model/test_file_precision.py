"""`export --precision auto`: each precision that a format holds is written and run; the fastest good one is taken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import invoke
from networks import picture, write_detector, write_recurrent

from darknet_py import load
from darknet_py.analysis.evaluate.loss import PrecisionLoss
from darknet_py.analysis.quantize import Quantization, quantize
from darknet_py.backends.backend import available_backends, find_backend
from darknet_py.backends.precision import Precision
from darknet_py.backends.session import open_session
from darknet_py.darknet.network import open_network
from darknet_py.model import file_precision
from darknet_py.model.model import Model


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(8):
        cv2.imwrite(str(folder / f"{i}.png"), picture((0, 0, "red"), (i % 4, 3, "blue")))
        (folder / f"{i}.txt").write_text("0 0.125 0.125 0.5 0.5\n")
    return folder


def times(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
    monkeypatch.setattr(file_precision, "_timed", lambda models: {kind: seconds[kind] for kind in models})


def loses(monkeypatch: pytest.MonkeyPatch, *lost: float) -> None:
    """What each one that is tried loses, in the order in which they are."""
    left = list(lost)
    monkeypatch.setattr(
        file_precision, "precision_loss", lambda wanted, *_: PrecisionLoss(len(wanted), 0.5, 0.5 - left.pop(0), True)
    )


def export(tmp_path: Path, photos: Path, *options: object) -> tuple[Path, list[str]]:
    path = tmp_path / "net.onnx"
    done = invoke("export", write_detector(tmp_path), "-o", path, "--precision", "auto", "--data", photos, *options)
    assert done.exit_code == 0, done.stderr
    return path, [line for line in done.stderr.splitlines() if line.startswith("precision: ")]


def held(path: Path) -> str:
    contract = load(path, quiet=True).contract
    return "int8" if contract.int8 else "f16" if contract.half else "f32"


@pytest.mark.parametrize(
    ("seconds", "lost", "taken"),
    [
        ((3.0, 2.0, 1.0), (0.004,), "int8"), ((3.0, 2.0, 1.0), (0.006, 0.0), "f16"),
        ((3.0, 2.0, 1.0), (0.006, 0.5), "f32"), ((1.0, 2.0, 0.99), (), "f32"), ((2.0, 1.0, 1.5), (-0.1,), "f16"),
    ],
)  # fmt: skip
def test_the_fastest_that_loses_little_is_written(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, seconds: Sequence[float], lost: Sequence[float],
    taken: str,
) -> None:  # fmt: skip
    times(monkeypatch, **dict(zip(("f32", "f16", "int8"), seconds, strict=True)))
    loses(monkeypatch, *lost)
    path, said = export(tmp_path, photos)
    assert held(path) == taken
    assert said[-1].startswith(f"precision: {taken} in onnxruntime ")
    assert said[-1].endswith(": taken")
    assert all("more than 0.005 is lost" in line for line in said[:-1])


def test_how_much_may_be_lost_is_said(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times(monkeypatch, f32=3.0, f16=2.0, int8=1.0)
    loses(monkeypatch, 0.02)
    assert held(export(tmp_path, photos, "--max-loss", "0.03", "--boxes", "nms")[0]) == "int8"


def test_int8_that_loses_more_than_it_may_is_not_written(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loses(monkeypatch, 0.02, 0.02)
    path, cfg = tmp_path / "net.onnx", write_detector(tmp_path)
    asked = ("export", cfg, "-o", path, "--precision", "int8", "--data", photos, "--max-loss")
    done = invoke(*asked, "0.01")
    assert done.exit_code == 1
    assert "precision: int8 in onnxruntime: " in done.stderr
    assert "more than 0.01 is lost\n  hint: a larger --max-loss, more pictures, or --precision auto" in done.stderr
    assert not path.exists()
    assert invoke(*asked, "0.03").exit_code == 0
    assert held(path) == "int8"
    loses(monkeypatch, 0.02)
    short = invoke("export", cfg, "-o", tmp_path / "short.onnx", "--int8", photos, "--max-loss", "0.01")
    assert short.exit_code == 1
    assert "more than 0.01 is lost" in short.stderr


def test_all_of_it_is_measured(tmp_path: Path, photos: Path) -> None:
    for label in photos.glob("*.txt"):
        label.unlink()
    _, said = export(tmp_path, photos, "--batch", "2")
    assert sum(line.endswith(": taken") for line in said) == 1


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (("--format", "triton"), "a folder of models for Triton is not run here"),
        (("--format", "web"), "a page for browsers is not run here (a browser runs it)"),
        (("-o", "a.mlpackage"), "Core ML is not run here"),
    ],
)
def test_what_is_not_run_here_is_refused_with_the_reason(
    tmp_path: Path, photos: Path, output: tuple[str, str], message: str
) -> None:
    done = invoke("export", write_detector(tmp_path), *output, "--precision", "auto", "--data", photos)
    assert done.exit_code == 1
    assert message in done.stderr
    assert "hint: --precision auto -o net.onnx" in done.stderr


def test_what_int8_loses_in_what_is_not_run_here_is_not_known(tmp_path: Path, photos: Path) -> None:
    given = ("--format", "triton", "--precision", "int8", "--data", photos, "--max-loss", 0)
    done = invoke("export", write_detector(tmp_path), *given)
    assert "--precision int8 --max-loss runs what it compares" in done.stderr
    assert "; leave out --max-loss here" in done.stderr


def test_a_format_of_float32_alone_has_no_choice(tmp_path: Path, photos: Path) -> None:
    path = tmp_path / "written.cfg"
    done = invoke("export", write_detector(tmp_path), "-o", path, "--precision", "auto", "--data", photos)
    assert "precision: f32, for Darknet holds nothing else" in done.stderr
    assert path.is_file()


@pytest.mark.parametrize(
    "options", ["--precision auto", "--max-loss 0.1", "--precision f16 --max-loss 0.1", "--data x"]
)
def test_what_is_only_half_said_is_an_error(tmp_path: Path, options: str) -> None:
    done = invoke("export", write_detector(tmp_path), *options.split())
    assert done.exit_code == 2
    assert "--data PICTURES" in done.stderr or "--max-loss is for --precision int8 and auto" in done.stderr


def test_one_picture_is_too_few_and_a_file_that_stays_is_told_before(tmp_path: Path, photos: Path) -> None:
    cfg, path = write_detector(tmp_path), tmp_path / "mine.onnx"
    done = invoke("export", cfg, "-o", path, "--precision", "auto", "--data", photos / "0.png")
    assert "is one picture" in done.stderr
    path.write_text("mine")
    done = invoke("export", cfg, "-o", path, "--precision", "auto", "--data", photos)
    assert "--replace" in done.stderr
    assert "calibrating" not in done.stderr


@pytest.mark.parametrize(
    ("there", "output", "message"),
    [
        ("net.bin", ("-o", "net.param"), "net.bin exists"), ("net.onnx", ("-o", "net.onnx"), "net.onnx exists"),
        ("net.xml", ("-o", "net.param"), "net.bin belongs to net.xml"),
        ("", ("-o", "net.onnx", "--format", "ncnn"), "has the suffix of another format"),
        ("", ("-o", "net.param", "--boxes", "nms"), "this format has no suppression"),
    ],
)  # fmt: skip
def test_what_can_never_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, there: str, output: tuple[str, ...], message: str
) -> None:
    cfg = write_detector(tmp_path, "own")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file_precision, "_first", lambda *_: pytest.fail("it was measured"))
    if there:
        Path(there).write_text("mine")
    done = invoke("export", cfg, *output, "--precision", "auto", "--data", photos)
    assert done.exit_code == 1
    assert message in done.stderr
    assert "calibrating" not in done.stderr


@pytest.mark.parametrize(
    ("boxes", "measured"), [("raw", "raw"), ("decoded", "decoded"), ("nms", "raw"), ("efficient-nms", "raw")]
)
def test_what_is_measured_ends_as_what_is_written_unless_that_drops_boxes(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, boxes: str, measured: str
) -> None:
    def first(models: dict[str, Model], *_: object) -> str:
        assert {model.contract.boxes for model in models.values()} == {measured}
        return "f16"

    monkeypatch.setattr(file_precision, "_first", first)
    path, _ = export(tmp_path, photos, "--boxes", boxes)
    assert load(path, quiet=True).contract.boxes == ("padded" if boxes == "efficient-nms" else boxes)
    assert held(path) == "f16"


def test_a_picture_that_cannot_be_read_is_an_error_and_not_a_reason_for_float32(tmp_path: Path, photos: Path) -> None:
    listed = tmp_path / "listed.txt"
    listed.write_text(f"{tmp_path / 'gone.png'}\n" + "".join(f"{path}\n" for path in sorted(photos.glob("*.png"))))
    done = invoke(
        "export", write_detector(tmp_path), "-o", tmp_path / "net.onnx", "--precision", "auto", "--data", listed
    )
    assert done.exit_code == 1
    assert "gone.png" in done.stderr
    assert "left out" not in done.stderr
    assert not (tmp_path / "net.onnx").exists()


def test_what_is_no_picture_is_not_called_one_picture(tmp_path: Path) -> None:
    (tmp_path / "coco.json").write_text("{}")
    for name in ("coco.json", "gone.png"):
        done = invoke(
            "export", write_detector(tmp_path), "-o", "net.onnx", "--precision", "auto", "--data", tmp_path / name
        )
        assert done.exit_code == 1
        assert "one picture" not in done.stderr
        assert name in done.stderr


def test_a_precision_that_a_network_cannot_have_is_left_out_with_the_reason(tmp_path: Path, photos: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    done = invoke(
        "export", write_recurrent(tmp_path), "-o", tmp_path / "net.tflite", "--precision", "auto", "--data", photos
    )
    assert done.exit_code == 0, done.stderr
    assert "precision: int8 left out: int8 is for networks of single pictures" in done.stderr


DEEPER = (
    "[net]\nwidth=32\nheight=32\nchannels=3\n"
    + 2 * ("[convolutional]\nfilters=16\nsize=3\nstride=2\npad=1\nactivation=leaky\n")
    + "[avgpool]\n[connected]\noutput=3\nactivation=linear\n[softmax]\n"
)


@pytest.mark.skipif(
    "openvino" not in available_backends() or Precision("int8").find_lack(find_backend("openvino")) is not None,
    reason="needs OpenVINO, and a processor that computes in 8 bits there",
)
def test_a_file_for_openvino_is_calibrated_judged_and_run_as_the_graph_is_in_openvino(
    tmp_path: Path, photos: Path
) -> None:
    (cfg := tmp_path / "deeper.cfg").write_text(DEEPER)
    done = invoke("export", cfg, "-o", tmp_path / "int8.xml", "--int8", photos, "--random-weights", 1)
    assert done.stderr.startswith("calibrating int8 for openvino on 6 pictures of ")
    written = load(tmp_path / "int8.xml", quiet=True)
    assert written.contract.int8 is not None
    assert Quantization.of(written.contract.int8).runtime == "OpenVINO"
    program = open_network(cfg, random=1).program()
    calibration, _ = quantize(program, photos, backend="openvino")
    feed = [np.random.default_rng(0).random((1, 3, 32, 32), np.float32)]
    (whole,) = open_session(program.graph).run(feed)
    (small,) = open_session(program.graph, "openvino", precision=Precision("int8", calibration)).run(feed)
    assert np.abs(small - whole).max() > 1e-5  # it is not float32
    assert np.abs(written.session.run(feed)[0] - small).max() < 1e-6
