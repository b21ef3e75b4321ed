"""Every format: what is written is run before it is done, says what it is, and finds the same without this package."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from inspect import signature
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from commands import invoke, said
from networks import picture, write_classifier, write_detector, write_recurrent
from pages import Block, blocks

from darknet_py import load
from darknet_py.backends import backend as table
from darknet_py.backends.backend import readers_of
from darknet_py.backends.session import open_file
from darknet_py.darknet.network import open_network
from darknet_py.errors import BackendError, DarknetError, DataError
from darknet_py.model import agreement
from darknet_py.model.formats import find_exported, find_format, formats
from darknet_py.model.options import SHARED
from darknet_py.zoo.find import EXPORTED

SUFFIXES = tuple(f.suffix for f in formats().values() if f.suffix and f.contract)
SEEN = picture((1, 2, "red"), (3, 0, "blue"))


def need(suffix: str) -> None:
    """Skip where nothing is installed that reads such files."""
    able = readers_of(suffix)
    if not any(b.installed for b in able):
        pytest.skip(f"needs {able[0].title}: pip install {able[0].install}")


def export(cfg: Path, path: Path, *options: str) -> str:
    return said("export", cfg, "-o", path, *options)


def test_all_formats_that_run_here_are_known() -> None:
    assert {".onnx", ".xml", ".param", ".torchscript", ".pt2", ".tflite"} <= {*SUFFIXES}


@pytest.mark.parametrize("boxes", ["raw", "decoded"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_finds_what_the_cfg_finds(tmp_path: Path, suffix: str, boxes: str) -> None:
    need(suffix)
    cfg = write_detector(tmp_path)
    said = export(cfg, tmp_path / f"made{suffix}", "--boxes", boxes)
    assert "checked: " in said
    model = load(tmp_path / f"made{suffix}")
    (found,), (wanted,) = model(SEEN), load(cfg)(SEEN)
    assert len(wanted.boxes) == 2
    assert found.boxes.cls.tolist() == wanted.boxes.cls.tolist()
    np.testing.assert_allclose(found.boxes.xyxy, wanted.boxes.xyxy, atol=1e-3)
    assert [r.boxes.cls.tolist() for r in model([SEEN, SEEN, SEEN], batch=2)] == [wanted.boxes.cls.tolist()] * 3


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_says_what_goes_in_and_what_it_is(tmp_path: Path, suffix: str) -> None:
    need(suffix)
    cfg = write_detector(tmp_path)
    (tmp_path / "net.names").write_text("röd\nblå\n")
    path = tmp_path / f"made{suffix}"
    export(cfg, path, "--boxes", "decoded", "--conf", "0.5", "--iou", "0.4", "--letterbox")
    contract = load(path).contract
    assert contract.names == ("röd", "blå")
    assert (contract.threshold, contract.iou, contract.resize, contract.colour) == (0.5, 0.4, "letterbox", "RGB")
    assert contract.shape == (3, 32, 32)
    assert contract.weights_sha256
    assert json.loads(invoke("summary", path, "--json").stdout)["names"] == ["röd", "blå"]


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if s != ".onnx"])
def test_a_classifier_and_a_network_that_remembers_are_written_too(tmp_path: Path, suffix: str) -> None:
    need(suffix)
    assert "checked: " in export(write_classifier(tmp_path), tmp_path / f"a{suffix}")
    assert "checked: " in export(write_recurrent(tmp_path), tmp_path / f"b{suffix}")
    model, wanted = load(tmp_path / f"b{suffix}"), load(write_recurrent(tmp_path))
    frames = np.random.default_rng(0).random((3, 1, *wanted.contract.shape), np.float32)
    for frame in frames:
        np.testing.assert_allclose(model.forward(frame)[0], wanted.forward(frame)[0], atol=1e-5)


@pytest.mark.parametrize("suffix", [".xml", ".param", ".tflite"])
def test_weights_in_float16_take_half_the_room(tmp_path: Path, suffix: str) -> None:
    need(suffix)
    cfg = tmp_path / "big.cfg"
    layer = "[convolutional]\nfilters=64\nsize=3\npad=1\nactivation=leaky\n"
    cfg.write_text(f"[net]\nwidth=16\nheight=16\nchannels=32\n{layer}{layer}[avgpool]\n")
    sizes = []
    for name, options in (("whole", ()), ("half", ("--half",))):
        export(cfg, tmp_path / f"{name}{suffix}", "--random-weights", "0", *options)
        sizes.append(sum(p.stat().st_size for p in tmp_path.glob(f"{name}.*")))
    assert sizes[1] < 0.6 * sizes[0]
    assert load(tmp_path / f"half{suffix}").contract.half


def test_weights_that_float16_cuts_are_told_of(tmp_path: Path) -> None:
    cfg = tmp_path / "large.cfg"
    cfg.write_text("[net]\nwidth=4\nheight=4\nchannels=1\n[convolutional]\nfilters=1\nsize=1\nactivation=linear\n")
    (tmp_path / "large.weights").write_bytes(struct.pack("<iiiqff", 0, 2, 5, 0, 0.0, 1e5))
    for suffix in (".param", ".tflite"):
        assert "1 of 1 weights of layer 0 [convolutional] are beyond 65504" in export(
            cfg, tmp_path / f"large{suffix}", "--half"
        )


def test_a_finished_network_in_the_place_of_a_cfg_is_known_by_its_suffix(tmp_path: Path) -> None:
    assert {*EXPORTED} == {*SUFFIXES}
    export(write_detector(tmp_path), tmp_path / "a.tflite", "--no-check")
    told = said("bench", tmp_path / "a.tflite", fails=True)
    assert "a.tflite is a network of TensorFlow Lite, and a cfg was expected" in told
    assert "`bench` take them beside the cfg, with --exported" in told


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_verify_holds_a_file_to_its_cfg(tmp_path: Path, suffix: str) -> None:
    need(suffix)
    cfg, path = write_detector(tmp_path), tmp_path / f"a{suffix}"
    export(cfg, path)
    done = invoke("verify", cfg, "--exported", path, "--json")
    assert json.loads(done.stdout)[str(path)]["right"], done.output
    told = said("verify", "yolov3-tiny", "--random-weights", "0", "--exported", path, fails=True)
    assert "it was written from another network" in told


def test_bench_times_a_file_beside_the_back_ends(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    export(cfg, tmp_path / "mine.onnx")
    options = ["--exported", str(tmp_path / "mine.onnx"), "--backend", "onnxruntime", "--rounds", "1", "--json"]
    done = invoke("bench", cfg, *options)
    assert done.exit_code == 0, done.output
    assert {row["backend"] for row in json.loads(done.stdout)["rows"]} == {"onnxruntime", "mine.onnx"}


@pytest.mark.parametrize("command", ["verify", "bench"])
def test_what_was_not_exported_is_neither_verified_nor_timed(tmp_path: Path, command: str) -> None:
    cfg = write_detector(tmp_path)
    for name, message in (
        ("nothing.onnx", "cannot read the exported file"),
        ("net.weights", "is no file that `darknet-py export`"),
    ):
        done = invoke(command, cfg, "--exported", tmp_path / name)
        assert done.exit_code == 1
        assert message in done.stderr


def test_a_format_has_other_names_too() -> None:
    assert find_format(Path("a"), "tflite") is formats()["litert"]
    assert find_format(Path("a"), "torch") is formats()["pt2"]
    with pytest.raises(DataError, match=r"no format 'ncn'; .*ncnn"):
        find_format(Path("a"), "ncn")


def test_where_no_runtime_is_installed_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table.Backend, "installed", property(lambda self: self.package != "ai_edge_litert"))
    said = export(write_detector(tmp_path), tmp_path / "net.tflite")
    assert "not checked: that needs LiteRT (pip install " in said
    assert "checked" not in export(write_detector(tmp_path), tmp_path / "net.tflite", "--no-check")


def test_a_file_that_computes_something_else_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "random_inputs", lambda contract: [np.full((1, 3, 32, 32), 0.5, np.float32)])
    real = agreement._expected
    monkeypatch.setattr(agreement, "_expected", lambda *given: [y * 1.01 for y in real(*given)])
    told = said("export", write_detector(tmp_path), "-o", tmp_path / "net.onnx", fails=True)
    assert "computes something else: 9.9e-03 of the scale" in told


def test_scores_that_are_all_next_to_0_may_be_rounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In random numbers a trained network finds nothing: its scores are probabilities, and their scale is 1."""
    need(".onnx")
    real = agreement._expected
    off = 1e-6

    def expected(*given: Any) -> list[np.ndarray]:
        boxes, scores = real(*given)
        return [boxes, np.float32(1e-7) * scores]

    class Near:
        def run(self, feed: Any) -> list[np.ndarray]:
            boxes, scores = open_file(tmp_path / "net.onnx", "onnxruntime").run(feed)
            return [boxes, np.float32(1e-7) * scores + np.float32(off)]

    monkeypatch.setattr(agreement, "_expected", expected)
    monkeypatch.setattr(agreement, "open_file", lambda *given: Near())
    cfg = write_detector(tmp_path)
    assert "checked: " in export(cfg, tmp_path / "net.onnx", "--boxes", "decoded")
    off = 1e-3
    told = said("export", cfg, "-o", tmp_path / "net.onnx", "--boxes", "decoded", "--replace", fails=True)
    assert "computes something else: 1.0e-03 of the scale" in told


def test_boxes_without_a_width_to_speak_of_are_the_same_where_their_places_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(".onnx")
    cfg = write_detector(tmp_path)
    cfg.write_text(cfg.read_text().replace("anchors=16,16", "anchors=0.00001,16"))
    real = agreement._expected
    monkeypatch.setattr(agreement, "_expected", lambda *given: [y + np.float32(1e-5) for y in real(*given)])
    assert " of random numbers are NumPy's" in export(cfg, tmp_path / "net.onnx", "--boxes", "nms")
    monkeypatch.setattr(agreement, "_expected", lambda *given: [y + np.float32(0.05) for y in real(*given)])
    told = said("export", cfg, "-o", tmp_path / "net.onnx", "--boxes", "nms", fails=True)
    assert "computes something else: 0 of " in told


@pytest.mark.parametrize(
    ("name", "taken"),
    [("net.param", "net.param"), ("net.param", "net.json"), ("net.cfg", "net.cfg"), ("net.cfg", "net.names"),
     ("net.xml", "net.xml"), ("net.onnx", "net.onnx"), ("net.onnx", "net.onnx.data")],
)  # fmt: skip
def test_where_a_folder_is_in_the_way_of_one_file_none_is_written(tmp_path: Path, name: str, taken: str) -> None:
    cfg, made = write_detector(tmp_path, "first"), tmp_path / "made"
    (made / taken).mkdir(parents=True)
    if find_format(Path(name)).written_by == "openvino":
        need(".xml")
    options = ["--external"] if name == "net.onnx" else []
    told = said("export", cfg, "-o", made / name, *options, fails=True)
    assert told.startswith(f"error: cannot write {made / taken}: it is a folder")
    assert [p.name for p in made.iterdir()] == [taken]


@pytest.mark.parametrize("name", ["net.torchscript", "net.pt2"])
def test_pytorch_which_ends_the_process_on_a_full_disk_is_not_let_onto_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(Path(name).suffix)
    cfg, usage = write_detector(tmp_path), shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5000))
    told = said("export", cfg, "-o", tmp_path / name, fails=True)
    assert told.startswith(f"error: cannot write {tmp_path / name}: No space left on device")
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("suffix", [".onnx", ".param"])
def test_a_network_whose_output_is_a_map_has_no_list_of_names(tmp_path: Path, suffix: str) -> None:
    need(suffix)
    cfg = tmp_path / "map.cfg"
    cfg.write_text("[net]\nwidth=160\nheight=160\nchannels=3\n[maxpool]\nsize=1\nstride=1\n")
    assert "checked: " in export(cfg, tmp_path / f"map{suffix}")
    assert load(tmp_path / f"map{suffix}").contract.classes == 3 * 160 * 160


def test_what_a_format_cannot_hold_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = write_detector(tmp_path)
    for suffix in (".param", ".tflite"):
        with pytest.raises(DataError, match="this format has no suppression; 'raw' and 'decoded' are to be had"):
            find_format(Path(f"a{suffix}")).write(open_network(cfg), tmp_path / f"a{suffix}", boxes="nms")
    mixing = tmp_path / "mixing.cfg"
    mixing.write_text("[net]\nwidth=8\nheight=8\nchannels=6\n[reorg]\nstride=2\n")
    monkeypatch.setattr("darknet_py.backends.ncnn.writer.MOST_FOUND", 100)
    message = r"layer 0 \[reorg\] cannot be written: ncnn's float32 coordinates tell 100 places apart, not the 384 of a"
    with pytest.raises(BackendError, match=message):
        find_format(Path("a.param")).write(open_network(mixing), tmp_path / "a.param")
    with pytest.raises(DataError, match="ONNX has no option version"):
        load(cfg).export(tmp_path / "a.onnx", version=1)
    assert not (tmp_path / "a.param").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("-o a.cfg --boxes raw", "Darknet has no --boxes"),
        ("-o a.param --precision int8 --data pictures", "ncnn has no --precision int8"),
        ("-o a.pt2 --half", "an exported program of PyTorch has no --half"),
        (
            "-o a.tflite --max-det 5 --batch 2",
            "LiteRT has no --max-det, --batch\n  hint: that is for --format onnx, openvino",
        ),
        ("-o a.xml --external", "OpenVINO has no --external\n  hint: that is for --format onnx"),
        ("--format web --boxes raw", "a page for browsers has no --boxes"),
        ("-o a.onnx --model-version 2", "ONNX has no --model-version\n  hint: that is for --format triton"),
    ],
)
def test_an_option_that_a_format_lacks_is_refused_as_it_was_given(tmp_path: Path, options: str, message: str) -> None:
    done = invoke("export", write_detector(tmp_path), *options.split())
    assert done.exit_code == 1
    assert message in done.stderr


def test_the_options_that_a_format_states_are_there() -> None:
    for kind in formats().values():
        own = {*signature(kind.writer).parameters} - {"network", "path", "options"}
        assert {*kind.options} - SHARED == own, kind.name


def test_what_writes_its_files_itself_is_installed_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table.Backend, "installed", property(lambda self: False))
    for suffix, title in ((".xml", "OpenVINO"), (".torchscript", "PyTorch"), (".pt2", "PyTorch")):
        done = invoke("export", write_detector(tmp_path), "-o", tmp_path / f"a{suffix}")
        assert f"{title} writes its files itself, and is not installed: pip install " in done.stderr


def test_the_arrays_of_one_format_are_not_written_over_those_of_another(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    export(cfg, tmp_path / "a.param")
    with pytest.raises(DataError, match=r"a\.bin belongs to .*a\.param"):
        find_format(tmp_path / "a.xml").write(open_network(cfg), tmp_path / "a.xml")


def test_a_file_of_openvino_without_the_other_one_says_which(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    export(write_detector(tmp_path), tmp_path / "a.xml")
    (tmp_path / "a.bin").unlink()
    with pytest.raises(DarknetError, match=r"a\.xml belong beside it, and there is no a\.bin: copy both"):
        load(tmp_path / "a.xml")


def test_an_existing_file_of_the_users_stays(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(DataError, match="--replace"):
        find_format(tmp_path / "a.param").write(open_network(cfg), tmp_path / "a.param")
    assert not (tmp_path / "a.param").exists()
    assert (tmp_path / "a.json").read_text() == "mine"
    export(cfg, tmp_path / "a.param", "--replace")
    assert json.loads((tmp_path / "a.json").read_text())["darknet-py"]["shape"] == [3, 32, 32]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_somebody_else_is_one_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"theirs{suffix}"
    for data in (b"", b"<net></net>", b"PK\x03\x04", b"\x1c\x00\x00\x00TFL3" + bytes(100)):
        path.write_bytes(data)
        with pytest.raises(DarknetError):
            load(path)
    with pytest.raises(DarknetError):
        load(tmp_path / f"nothing{suffix}")


def test_a_cfg_is_no_exported_file_and_a_folder_of_models_is(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    assert find_exported(cfg) is None
    assert find_exported(tmp_path) is None
    export(cfg, tmp_path / "models", "--format", "triton")
    export(cfg, tmp_path / "models", "--format", "triton", "--model-version", "12")
    for folder in (tmp_path / "models", tmp_path / "models/net"):
        found = find_exported(folder)
        assert found is not None
        assert found[1] == tmp_path / "models/net/12/model.onnx"
    assert len(load(tmp_path / "models")(SEEN)[0].boxes) == 2


def test_a_wrong_back_end_is_told_who_reads_the_file(tmp_path: Path) -> None:
    export(write_detector(tmp_path), tmp_path / "a.tflite", "--no-check")
    with pytest.raises(BackendError, match=r"'opencv' does not run \.tflite files; use litert"):
        load(tmp_path / "a.tflite", backend="opencv")


def test_a_tflite_file_ends_in_an_archive_that_others_read(tmp_path: Path) -> None:
    (tmp_path / "net.names").write_text("red\nblue\n")
    export(write_detector(tmp_path), tmp_path / "a.tflite", "--no-check")
    assert (tmp_path / "a.tflite").read_bytes()[4:8] == b"TFL3"
    with zipfile.ZipFile(tmp_path / "a.tflite") as archive:
        assert archive.read("labels.txt") == b"red\nblue\n"
        assert json.loads(archive.read("darknet.json"))["darknet-py"]["shape"] == [3, 32, 32]


# -- without this package -------------------------------------------------------------------------------------------

PROGRAMS = [b for b in blocks() if b.page.stem == "formats" and b.kind == "python" and not b.file]
ALONE = """
import runpy, sys
sys.modules["darknet_py"] = None  # whoever imports it fails
runpy.run_path(sys.argv[1])
"""


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_the_program_of_a_page_finds_the_same_boxes_without_this_package(tmp_path: Path, block: Block) -> None:
    suffix = next(s for s in SUFFIXES if f'{s}"' in block.text)
    need(suffix)
    cfg = write_detector(tmp_path, "my")
    export(cfg, tmp_path / f"{'phone' if suffix == '.param' else 'my'}{suffix}", "--boxes", "decoded")
    cv2.imwrite(str(tmp_path / "dog.jpg"), SEEN, [cv2.IMWRITE_JPEG_QUALITY, 100])
    for other in blocks():
        if other.file in ("resize.py", "suppress.py"):
            (tmp_path / other.file).write_text(other.text)
    (tmp_path / "program.py").write_text(block.text)
    packages = [str(Path(p).absolute()) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *packages])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wanted,) = load(cfg)(tmp_path / "dog.jpg")
    rows = [line.split(" ", 2) for line in done.stdout.splitlines()]
    assert len(rows) == 2
    assert [int(row[0]) for row in rows] == wanted.boxes.cls.tolist()
    np.testing.assert_allclose([float(row[1]) for row in rows], wanted.boxes.conf, atol=1e-3)
    np.testing.assert_allclose([json.loads(row[2]) for row in rows], wanted.boxes.xyxy, atol=0.1)


@pytest.mark.parametrize(
    ("format_", "name", "message"),
    [
        ("ncnn", "x.onnx", "x.onnx has the suffix of another format: ONNX, not ncnn"),
        ("onnx", "x.tflite", "x.tflite has the suffix of another format: LiteRT, not ONNX"),
        ("web", "x.onnx", "x.onnx has the suffix of another format: ONNX, not a page for browsers"),
        ("openvino", "model", "model: a file of OpenVINO ends in .xml"),
        ("torchscript", "a.pt", "a.pt: a file of TorchScript ends in .torchscript"),
    ],
)
def test_a_file_has_the_suffix_of_its_format(tmp_path: Path, format_: str, name: str, message: str) -> None:
    cfg = write_detector(tmp_path, "my")
    before = sorted(tmp_path.iterdir())
    done = invoke("export", cfg, "--format", format_, "-o", tmp_path / name)
    assert done.exit_code == 1
    assert message in done.stderr
    assert sorted(tmp_path.iterdir()) == before
