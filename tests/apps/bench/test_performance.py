"""The performance benchmark without its timings: which files, which weights, which bars, what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from networks import DETECTOR

from darknet_py.apps.bench.race import compare
from darknet_py.backends.session import open_session
from darknet_py.contract.thresholds import CONF, IOU
from darknet_py.darknet.compile import compile_file
from darknet_py.model.opening import load
from darknet_py.vision.datasets import open_dataset
from tools.bench import precision
from tools.bench.environments import DARKNET_PY, NotInstalled, dependencies, library_path
from tools.bench.performance import __main__ as command
from tools.bench.performance import around, kept, machines, measure
from tools.bench.performance.bars import IMPORTER, PLAIN, bars, best_of, ratio_of
from tools.bench.performance.foreign import Contestant as Foreign
from tools.bench.performance.machines import results_in, side_by_side, slug
from tools.bench.performance.many import Contestant as Sending
from tools.bench.performance.networks import NETWORKS, OURS, Entry, find_cfg, find_weights
from tools.bench.performance.plot import draw, speeds
from tools.bench.performance.prepare import BOXES, Prepared, made_up_photo, plain_onnx, prepare, resized
from tools.bench.performance.report import markdown
from tools.bench.performance.sides import CONTESTANTS
from tools.bench.performance.throughput import folder_of_pictures

# -- files -----------------------------------------------------------------------------------------------------------


def test_cfgs_come_from_their_authors_first(tmp_path: Path) -> None:
    for name in ("ZZ+darknet/net.cfg", "AlexeyAB+darknet/cfg__net.cfg", "AlexeyAB+darknet/cfg__my-net.cfg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_cfg("net", [tmp_path]) == tmp_path / "AlexeyAB+darknet/cfg__net.cfg"
    assert find_cfg("nothing", [tmp_path]) is None


def test_our_own_cfgs_are_found_without_a_folder() -> None:
    missing = {e.name for e in NETWORKS if find_cfg(e.name, []) is None}
    assert missing == {"yolov4-tiny", "yolo-fastest-1.1", "enet-coco", "yolov4", "yolov4-csp-swish"}


def test_weights_lie_beside_the_cfg_or_in_a_folder_of_their_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/a.weights").touch()
    assert find_weights(Path("a.cfg"), "a", [tmp_path]) == tmp_path / "a/a.weights"
    assert find_weights(Path("b.cfg"), "b", [tmp_path]) is None


def test_a_size_is_changed_in_the_net_only() -> None:
    cfg = b"[net]\nheight = 608 # tall\nmax_width=1\nwidth=608\n[local]\nwidth=3"
    assert resized(cfg, 32) == b"[net]\nheight=32 # tall\nmax_width=1\nwidth=32\n[local]\nwidth=3"
    assert resized(cfg, None) == cfg


def test_environments_have_what_the_package_needs() -> None:
    assert {r.split(">")[0] for r in dependencies()} >= {"numpy", "onnx", "onnxruntime", "lark", "click"}
    assert not [r for r in dependencies() if r.startswith("opencv")]


def test_the_loader_finds_libraries_wherever_they_were_unpacked(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/x").mkdir(parents=True)
    (tmp_path / "usr/lib/x/liba.so.3").touch()
    assert library_path(tmp_path) == str(tmp_path / "usr/lib/x")


# -- what all contestants share ----------------------------------------------------------------------------------------


BLOCK = """
[convolutional]
batch_normalize=1
filters=4
size=3
pad=1
activation=mish
[maxpool]
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "tiny.cfg").write_text(DETECTOR.replace("[maxpool]", BLOCK))
    return prepare(folder / "tiny.cfg", None, 64, folder / "files", made_up_photo(), 1)


def test_random_weights_find_few_boxes(files: Prepared) -> None:
    model = load(files.job["cfg"], files.job["weights"], "numpy")
    found = model(np.load(files.folder / "photo.npy"), CONF, IOU)[0]
    assert 0 < len(found.boxes) < 8 * BOXES


def test_the_reference_is_what_the_files_give(files: Prepared) -> None:
    graph = compile_file(files.job["cfg"]).check().graph
    assert graph.image.shape == (3, 64, 64)
    assert [w.shape[1:] for w in files.wanted] == [v.shape for v in graph.outputs]
    found = load(files.job["cfg"], files.job["weights"], "numpy").forward(np.load(files.folder / "input.npy"))
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(found, files.wanted, strict=True))


@pytest.mark.parametrize("engine", ["onnxruntime", "opencv-onnx"])
def test_engines_on_the_plain_onnx_agree_and_detect(files: Prepared, engine: str, tmp_path: Path) -> None:
    contestant = Foreign(engine, files.job)
    assert contestant.open(str(tmp_path))["version"]
    assert compare(tmp_path, files.wanted) < 1e-3
    assert contestant.detect()["found"] > 0
    assert contestant.network()["seconds"] > 0


def test_the_plain_onnx_is_not_optimized(files: Prepared) -> None:
    kinds = {node.op_type for node in plain_onnx(files.graph).graph.node}
    assert kinds >= {"BatchNormalization", "Softplus", "Tanh"}


def test_contestants_take_what_they_are_there_for() -> None:
    named = {c.name: c for c in CONTESTANTS}
    assert named["Darknet, Debian's"].takes("yolov3-tiny", [])
    assert not named["Darknet, Debian's"].takes("yolov4", [])
    assert [c.name for c in CONTESTANTS if c.takes("yolov4", [OURS])] == [OURS]


def test_the_importer_is_compared_before_the_heads(files: Prepared) -> None:
    importer = next(c for c in CONTESTANTS if c.name == IMPORTER)
    assert importer.wanted(files) is files.before
    raw, out = files.before[0], files.wanted[0]
    assert raw.shape == out.shape
    assert np.allclose(raw[:, 2:4], out[:, 2:4], atol=1e-5)  # width and height stay as they are


# -- bars and reports --------------------------------------------------------------------------------------------------


def timed(*seconds: float) -> dict[str, Any]:
    ordered = sorted(seconds)
    return {"low": ordered[0], "median": ordered[len(ordered) // 2], "high": ordered[-1], "seconds": seconds}


def network(title: str, **sides: tuple[float, ...]) -> dict[str, Any]:
    names = {"ours": OURS, "importer": IMPORTER, "plain": PLAIN}
    rows = {
        names[k]: {
            "version": "1", "network": timed(*v), "detect": timed(*v), "difference": 1e-6, "memory": 1 << 20,
            "found": 2, "fraction": {"low": 0.5, "median": 0.6, "high": 0.7}, "decode": 0.002,
        }
        for k, v in sides.items()
    }  # fmt: skip
    return {
        "title": title, "gflops": 1.0, "share of 3x3": 0.9, "weights": "random", "rounds": 3, "peaks": {"copy": 1e9},
        "sides": {**rows, "ncnn, by pnnx": {"why": "the process ended with -11"}}, "layers": "layer",
    }  # fmt: skip


RESULT = {
    "machine": {"cpu": "a processor", "cores": 2, "threads": 2, "load before": 0, "load after": 1, "seconds": 9},
    "networks": [
        network("yolov4 (416)", ours=(1.0, 2.0, 1.0), importer=(3.0, 4.0, 1.0), plain=(2.0, 3.4, 1.7)),
        network("yolov4 (608)", ours=(1.0, 1.0, 1.0)),
    ],
    "processes": [
        {
            "title": "yolov4 (416)", "failed": {}, "first": {OURS: 2.0, IMPORTER: 1.0},
            "seconds": {OURS: timed(1.0), IMPORTER: timed(1.5)}, "ratios": {IMPORTER: timed(1.5)},
        }
    ],
    "exports": [
        {"title": "yolov4 (416)", "weights": 100.0, "seconds": 2.5, "copy": 0.3, "memory": 240.0, "before": 10.0}
    ],
    "growth": {
        "pixels": {"16": 1.0, "64": 2.0, "256": 8.0, "1024": 40.0}, "batch": {"1": 1.0, "2": 2.0, "4": 4.0},
        "frames": {"1000": 100 << 20, "2000": 100 << 20},
    },
    "missing": {"enet-coco": "no cfg of that name"},
}  # fmt: skip


def test_ratios_are_taken_inside_a_round() -> None:
    assert ratio_of(RESULT["networks"][0], OURS, IMPORTER, "network") == 2.0  # type: ignore[index]
    assert ratio_of(RESULT["networks"][1], OURS, IMPORTER, "network") is None  # type: ignore[index]
    assert best_of(RESULT["networks"][0], "detect", False) == PLAIN  # type: ignore[index]


def test_bars_are_met_missed_or_not_measured() -> None:
    found = {bar["title"]: (bar["value"], bar["met"]) for bar in bars(RESULT)}
    assert found["darknet-py (onnxruntime) / OpenCV 4 importer, image to detections, geometric mean"] == (2.0, True)
    assert found["the same, yolov4"] == (1.7, True)
    assert found["part of the SGEMM peak, 3x3-dominated networks"] == (0.6, False)
    assert found["decode + NMS, yolov4 at 608, ms"] == (2.0, False)
    assert found["whole process, one image / the same job as an OpenCV 4 script, geometric mean"] == (1.5, True)
    assert found["memory of that export / size of the weights"] == (2.4, True)
    assert found["NumPy executor / Debian's darknet"] == (None, None)
    assert found["time by pixels, for one of them"] == (1.25, False)
    assert found["time by batch, for one of them"] == (1.0, True)
    assert found["memory over 10,000 frames"] == (1.0, True)


def test_the_report_says_what_was_not_timed_and_why() -> None:
    text = markdown({**RESULT, "bars": bars(RESULT)})
    assert "- Not measured: enet-coco: no cfg of that name" in text
    assert "not timed: the process ended with -11" in text
    assert "| the same, yolov4 | >= 1.6 | 1.7 | yes | yolov4 (416) 1.7 |" in text
    assert "| pixels | 1,024 | 40000.00 | 3.91e+07 ns |" in text
    assert "| 2,000 | 100.0 |" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| ") and "not timed" in line}
    assert widths == {11}


def test_the_picture_shows_the_fastest_first(tmp_path: Path) -> None:
    assert [name for name, _ in speeds(RESULT["networks"][0])] == [OURS, PLAIN, IMPORTER]  # type: ignore[index]
    pytest.importorskip("matplotlib", reason="the extra [plot] draws")
    draw(RESULT, tmp_path / "performance.svg")
    assert "yolov4 (416): images a second" in (tmp_path / "performance.svg").read_text("utf-8")


def sent(*seconds: float, used: float = 0.01) -> dict[str, Any]:
    return {"seconds": list(seconds), "used": [used] * len(seconds), "found": 1234}


MANY_PICTURES = {
    "title": "yolov4 (416)", "pictures": 1000, "threads": 2, "failed": {"a pool": "the process ended with -9"},
    "sides": {
        OURS: sent(0.010, 0.020, 0.010), "OpenVINO, AsyncInferQueue": sent(0.012, 0.024, 0.013),
        "a loop": sent(0.03, 0.03, 0.03), f"stages of {OURS}": sent(0.02, 0.02, 0.02, used=0.016),
    },
}  # fmt: skip
AROUND = {
    "is exact": True, "resizes": {"a photo to 320": {"ratio": 1.7, "wall": 2.5, "off": 1.8e-7}},
    "imports": {"packages": {"numpy": 60.0}, "modules": {"darknet_py.errors": 1.5}, "count": 79},
}  # fmt: skip


def test_many_pictures_are_held_against_the_best_of_the_others_and_against_what_their_stages_take() -> None:
    found = {bar["title"]: bar for bar in bars({**RESULT, "throughput": [MANY_PICTURES], "around": AROUND})}
    beside = found["many JPEGs to boxes, darknet-py (best back end) / best other side"]
    assert (beside["value"], beside["met"]) == (pytest.approx(1.2), True)
    waste = found["wall time of that / processor seconds of its stages on one thread, by cores"]
    assert (waste["value"], waste["met"]) == (pytest.approx(1.25), False)
    assert found["resize / blobFromImage, with OpenCV 5"]["value"] == 1.7
    assert found["its numbers, off from Darknet's"]["met"]
    coarse = {bar["title"]: bar for bar in bars({**RESULT, "around": {**AROUND, "is exact": False}})}
    assert coarse["resize / blobFromImage, with OpenCV 5"]["value"] is None


def test_small_networks_have_a_bar_of_their_own() -> None:
    small = {**network("tiny (320)", ours=(1.0, 1.0, 1.0), plain=(0.95, 0.95, 0.95)), "gflops": 0.5}
    found = [bar for bar in bars({**RESULT, "networks": [*RESULT["networks"], small]}) if "smaller" in bar["title"]]
    assert [(bar["value"], bar["met"]) for bar in found] == [(0.95, True)]


def test_other_precisions_are_held_against_each_other_only() -> None:
    one = network("yolov4 (416)", ours=(1.0, 1.0, 1.0), plain=(0.5, 0.5, 0.5))
    one["sides"][PLAIN]["precision"] = "bf16"
    one["sides"]["darknet-py on OpenVINO"] = {**one["sides"][OURS], "precision": "bf16"}
    assert best_of(one, "network", False) is None
    assert ratio_of(one, "darknet-py on OpenVINO", PLAIN, "network") == 0.5
    found = {bar["title"]: bar["value"] for bar in bars({**RESULT, "networks": [one]}) if "bf16" in bar["title"]}
    assert found == {
        "darknet-py (best back end) / best other side, both in bf16, network, geometric mean": 0.5,
        "darknet-py (best back end) in bf16 / in f32, network, geometric mean": 1.0,
        "darknet-py (best back end) in bf16 / best other side in f32, image to detections, geometric mean": None,
    }


def eight(speed: float, *change: float, **more: Any) -> dict[str, Any]:
    return {"speed": speed, "change": change, "seconds": (1 / speed, 2 / speed, 3 / speed), "in float32": 3, **more}


INT8 = [
    {
        "name": "yolov4-tiny", "AP50": [0.5, 0.4],
        "backends": {
            "onnxruntime": eight(2.3, 0.001, -0.005), "OpenVINO": eight(3.2, 0.0, 0.0),
            "NNCF in OpenVINO": eight(4.0, -0.3, -0.3, other=True),
        },
    },
    {"name": "yolo-fastest-1.1", "AP50": [0.4, 0.4], "backends": {"onnxruntime": eight(0.8, 0.0, -0.02)}},
    {"name": "MobileNetV2-YOLOv3-Nano-coco", "AP50": [], "backends": {}, "why": "there are no photos"},
]  # fmt: skip


def test_int8_has_bars_of_speed_where_the_processor_is_made_for_it_and_of_what_it_loses() -> None:
    machine = {**RESULT["machine"], "features": ["avx2", "avx512_vnni"]}  # type: ignore[dict-item]
    found = {b["title"]: (b["bar"], b["value"], b["met"]) for b in bars({**RESULT, "int8": INT8, "machine": machine})}
    speed, lost = "int8 / f32 of the same back end, with VNNI", "AP50 that int8 loses"
    assert found[f"{speed}, yolov4-tiny, onnxruntime"] == (">= 2.2", 2.3, True)
    assert found[f"{speed}, yolov4-tiny, best back end"] == (">= 3.5", 3.2, False)
    assert found[f"{speed}, yolo-fastest-1.1, best back end"] == (">= 1.2", 0.8, False)
    assert found[f"{lost}, yolov4-tiny"] == ("<= 0.005", 0.005, True)
    assert found[f"{lost}, yolo-fastest-1.1"] == ("<= 0.01", 0.02, False)
    assert found[f"{lost}, MobileNetV2-YOLOv3-Nano-coco"] == ("<= 0.005", None, None)
    title = "darknet-py (best back end) / best other side, both in int8, network, geometric mean"
    assert found[title] == (">= 1", pytest.approx(0.8), False)
    without = {b["title"]: b["met"] for b in bars({**RESULT, "int8": INT8}) if "int8" in b["title"]}
    assert [met for title, met in without.items() if title.startswith(speed)] == [None] * 3
    assert without[f"{lost}, yolov4-tiny"]
    assert {b["met"] for b in bars(RESULT) if "int8" in b["title"]} == {None}


def test_the_report_says_what_int8_gains_and_costs() -> None:
    text = markdown({**RESULT, "int8": INT8, "bars": bars({**RESULT, "int8": INT8})})
    assert "| yolov4-tiny | OpenVINO | 3.20 | 625.00 | 3 | +0.0000 / +0.0000 | 0.5000 / 0.4000 |" in text
    assert "MobileNetV2-YOLOv3-Nano-coco: there are no photos" in text


def test_int8_is_measured_beside_float32_of_each_back_end(files: Prepared, tmp_path: Path) -> None:
    photos = folder_of_pictures([], tmp_path / "photos", 4)
    for photo in photos:
        Path(photo).with_suffix(".txt").write_text("0 0.5 0.5 0.5 0.5\n")
    own = files.folder / "net.cfg", files.folder / "net.weights"
    whole, *rows = precision.losses(*own, open_dataset(tmp_path / "photos"), kinds=["int8"])
    assert len(whole["AP50"]) == 2
    first = next(row for row in rows if row["backend"] == "onnxruntime")
    assert first["precision"] == "int8"
    assert first["speed"] > 0
    assert len(first["change"]) == 2
    assert precision.row_of("net", first).startswith("| net | onnxruntime int8, ")
    other = next(row for row in rows if row["backend"] == "onnxruntime's quantizer in onnxruntime")
    assert other["other"]
    assert {len(row["seconds"]) for row in rows} == {precision.PAIRS}
    assert precision.row_of("net", other).startswith("| net | onnxruntime's quantizer in onnxruntime int8 | ")


def test_int8_that_cannot_be_measured_says_why(tmp_path: Path) -> None:
    found = measure.eight("net", [tmp_path], tmp_path)
    assert found == {"name": "net", "AP50": [], "backends": {}, "why": "there is no cfg of that name"}
    (tmp_path / "net.cfg").write_text(DETECTOR)
    assert measure.eight("net", [tmp_path], tmp_path)["why"] == "there are no weights of training"
    (tmp_path / "net.weights").touch()
    assert measure.eight("net", [tmp_path], None)["why"] == "there are no photos"


def test_the_report_has_many_pictures_and_what_is_around_the_network() -> None:
    result = {**RESULT, "throughput": [MANY_PICTURES], "around": AROUND}
    text = markdown({**result, "bars": bars(result)})
    assert f"| {OURS} | 100.0 | 10.00 | 10.00 | 1,234 |" in text
    assert "a pool: the process ended with -9" in text
    assert "| a photo to 320 | 1.70 | 2.50 | 1.8e-07 |" in text
    assert "79 modules of ours" in text


def test_machines_stand_side_by_side_each_with_its_name() -> None:
    own: dict[str, Any] = RESULT["machine"]  # type: ignore[assignment]
    other = {**RESULT, "machine": {**own, "cpu": "Another (R) CPU @ 2 GHz", "features": ["avx2", "fma"]}}
    text = side_by_side([RESULT, other], "results")
    assert "**A**: a processor, 2 cores (features not recorded)" in text
    assert "**B**: Another (R) CPU @ 2 GHz, 2 cores (avx2, fma); [all numbers](results/another-2.md)" in text
    assert (
        "| darknet-py (onnxruntime) / OpenCV 4 importer, image to detections, geometric mean | >= 1.3 | 2 | 2 |" in text
    )
    assert "| part of the SGEMM peak, 3x3-dominated networks | >= 0.7 | **0.6** | **0.6** |" in text


def test_a_machine_with_more_precisions_keeps_its_bars_beside_those_of_the_others() -> None:
    more = network("yolov4 (416)", ours=(1.0, 1.0, 1.0))
    more["sides"]["darknet-py on OpenVINO"] = {**more["sides"][OURS], "precision": "bf16"}
    text = side_by_side([RESULT, {**RESULT, "networks": [*RESULT["networks"], more]}], "results")  # type: ignore[misc]
    whole, mean = "whole process, one image / the same job as an OpenCV 4 script", "geometric mean"
    assert [line for line in text.splitlines() if whole in line] == [f"| {whole}, {mean} | >= 1 | 1.5 | 1.5 |"]


CEILINGS = {"ceilings": {"bf16": 2.05, "int8": 3.714}}


def test_a_machine_says_what_fewer_bits_gain_at_most() -> None:
    said = "3x3 convolutions alone are so many times as fast as in float32: 2.05 in bf16 and 3.71 in int8"
    assert said in markdown({**RESULT, **CEILINGS, "bars": []})
    assert said in side_by_side([RESULT, {**RESULT, **CEILINGS}], "results")
    for nothing in ({}, {"ceilings": {}}, {"ceilings": {"why": "not installed"}}):
        assert "3x3 convolutions alone" not in markdown({**RESULT, **nothing, "bars": []})


def test_what_a_run_did_not_measure_stays() -> None:
    """Another network, and one again; int8 that cannot be measured any more; what was missing and is there."""
    own: dict[str, Any] = RESULT["machine"]  # type: ignore[assignment]
    before = kept.merged({}, {**RESULT, "int8": INT8, "around": AROUND, **CEILINGS})
    slower, new = network("yolov4 (608)", ours=(2.0, 2.0, 2.0)), network("enet-coco", ours=(1.0, 1.0, 1.0))
    now = {
        "machine": {**own, "seconds": 7}, "networks": [slower, new], "processes": [], "exports": [],
        "int8": [{"name": "yolov4-tiny", "AP50": [], "backends": {}, "why": "no environment"}],
        "around": {"why": "no environment"}, "growth": {}, "ceilings": {"bf16": 2.0}, "missing": {"x": "no cfg"},
    }  # fmt: skip
    found = kept.merged(before, now)
    assert [n["title"] for n in found["networks"]] == ["yolov4 (416)", "yolov4 (608)", "enet-coco"]
    assert found["networks"][1] == slower
    assert {key: found[key] for key in ("int8", "around", "growth", "exports", "processes")} == {
        "int8": INT8, "around": AROUND, **{key: RESULT[key] for key in ("growth", "exports", "processes")},
    }  # fmt: skip
    assert found["ceilings"] == {"bf16": 2.0}
    assert found["missing"] == {"x": "no cfg"}
    assert found["machine"]["seconds"] == 7
    assert found["bars"] == bars(found)
    assert kept.merged(found, found) == found


def test_a_network_without_a_size_is_not_missing_once_it_was_measured() -> None:
    lost = {**RESULT, "networks": [], "missing": {"enet-coco": "no cfg", "yolov4 (512)": "no cfg"}}
    found = kept.merged({**RESULT, "networks": [network("enet-coco (416)", ours=(1.0, 1.0, 1.0))]}, lost)
    assert found["missing"] == {"yolov4 (512)": "no cfg"}


def test_an_export_that_failed_has_no_bar() -> None:
    failed = {**RESULT, "exports": [{"title": "yolov4 (416)", "why": "no environment"}]}
    found = {bar["title"]: bar["met"] for bar in bars(failed)}
    assert found["memory of that export / size of the weights"] is None
    assert "## Export" not in markdown({**failed, "bars": bars(failed)})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": {}}', '{"machine": 1, "networks": [{}]}', "\udcff"])
def test_damaged_results_are_told_before_hours_of_measuring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    kept.write(RESULT, tmp_path / "results", tmp_path / "RESULTS.md")
    kept.check(tmp_path / "results", tmp_path / "RESULTS.md")
    (tmp_path / "results" / "other-2.json").write_bytes(text.encode(errors="surrogateescape"))
    monkeypatch.setattr(command, "HERE", tmp_path)
    monkeypatch.setattr(command.Run, "measured", lambda *_: pytest.fail("measured"))
    done = CliRunner().invoke(command.main, ["--write", "--part", "ceilings"])
    assert done.exit_code == 1
    assert "other-2.json is not what this program writes" in done.output


def test_the_files_of_a_machine_are_written_after_each_part(tmp_path: Path) -> None:
    first, second = RESULT["networks"]  # type: ignore[misc]
    for networks in ([first], [second]):
        kept.write({**RESULT, "networks": networks}, tmp_path / "results", tmp_path / "RESULTS.md")
    (result,) = results_in(tmp_path / "results")
    assert [n["title"] for n in result["networks"]] == ["yolov4 (416)", "yolov4 (608)"]
    assert "## yolov4 (608)" in (tmp_path / "results/a-processor-2.md").read_text("utf-8")
    assert (tmp_path / "RESULTS.md").read_text("utf-8") == side_by_side([result], "results")


def test_what_some_contestants_did_is_not_written_over_what_all_did() -> None:
    done = CliRunner().invoke(command.main, ["--write", "--side", "OpenVINO"])
    assert done.exit_code == 2
    assert "leave out --side, --size, --quick" in done.output


def test_a_network_that_is_none_is_refused_before_an_environment_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "make", lambda _: pytest.fail("an environment is made"))
    done = CliRunner().invoke(command.main, ["nonesuch"])
    assert done.exit_code == 2
    assert "no cfg of the name nonesuch; the benchmark's own are yolov4-tiny, " in done.output


def test_a_part_alone_is_measured_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "program_of", lambda _, name, *rest, threads: {name: threads})
    heard: list[int] = []
    run = command.Run([], [], [], None, 1, 1.0, parts=["ceilings", "growth"])
    found = run.measured(lambda result: heard.append(len(result["ceilings"]) + len(result["growth"])))
    assert (found["ceilings"], found["growth"]) == ({"ceilings": 1}, {"growth": 1})
    assert heard == [1, 2]
    assert not found["networks"]
    assert not found["int8"]


def test_a_program_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise NotInstalled("no package index")

    monkeypatch.setattr(measure, "make", refuse)
    assert measure.program_of(DARKNET_PY, "growth", "1", threads=1) == {"why": "no package index"}


def test_what_is_written_of_machines_is_what_their_results_say() -> None:
    results = results_in(Path(machines.__file__).with_name("results"))
    assert results
    for result in results:
        assert Path(machines.__file__).with_name("results").joinpath(f"{slug(result['machine'])}.md").is_file()
    assert Path(machines.__file__).with_name("RESULTS.md").read_text("utf-8") == side_by_side(results, "results")


def test_the_folder_has_as_many_pictures_as_are_wanted(tmp_path: Path) -> None:
    made = folder_of_pictures([], tmp_path / "made", 3)
    copied = folder_of_pictures([Path(made[0])], tmp_path / "copied", 5)
    assert [Path(file).read_bytes() for file in copied] == [Path(made[0]).read_bytes()] * 5


@pytest.mark.parametrize("name", ["loop", "darknet-py on onnxruntime", "stages on onnxruntime"])
def test_who_sends_many_pictures_finds_what_is_on_them(files: Prepared, name: str, tmp_path: Path) -> None:
    pictures = folder_of_pictures([], tmp_path / "pictures", 4)
    contestant = Sending(name, files.job)
    contestant.open(pictures[:1])
    answer = contestant.send(pictures)
    assert answer["found"] == 4 * contestant.send(pictures[:1])["found"] > 0
    assert answer["seconds"] > 0


def test_the_resize_of_the_benchmark_is_near_darknets() -> None:
    photo = made_up_photo()
    assert around._resize(photo, 64)["off"] <= 1e-6


def test_a_result_is_plain_data() -> None:
    assert json.loads(json.dumps(RESULT))["networks"][0]["title"] == "yolov4 (416)"


def test_a_title_has_the_size_where_it_is_not_the_cfgs() -> None:
    assert [Entry("a").title, Entry("a", 416).title] == ["a", "a (416)"]


def test_prepared_weights_run_on_every_executor(files: Prepared) -> None:
    image = np.load(files.folder / "input.npy")
    found = open_session(files.graph, "onnxruntime").run([image])
    assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(found, files.wanted, strict=True))
