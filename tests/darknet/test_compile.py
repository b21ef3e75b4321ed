"""Cfg to graph: all errors at once and no consequences, dialects by evidence, other sizes, strictness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darknet_py.darknet.compile import Compilation, compile_cfg, compile_file
from darknet_py.errors import CfgError, DataError

NET = "[net]\nwidth=64\nheight=32\nchannels=3\n"
CONV = "[convolutional]\nfilters=8\nsize=3\npad=1\nactivation={}\n"
HEAD = "[convolutional]\nfilters=18\nactivation=linear\n"
YOLO = "[yolo]\nmask=0,1,2\nanchors=1,2,3,4,5,6\nnum=3\nclasses=1\nscale_x_y={}\n"


def codes(compiled: Compilation, severity: str = "error") -> list[str]:
    return [d.code for d in compiled.diagnostics if d.severity == severity]


def test_all_errors_come_at_once_in_the_order_of_the_text() -> None:
    with pytest.raises(CfgError) as e:
        compile_cfg(NET + CONV.format("mishs") + "[foo]\n[route]\nlayers=-9\n[maxpool]\nstride=x\n").check()
    assert [d.code for d in e.value.diagnostics] == ["DK206", "DK303", "DK304", "DK202"]
    assert [d.span.line for d in e.value.diagnostics if d.span] == [9, 10, 12, 14]
    assert str(e.value).count("error[") == 4


def test_an_unknown_activation_does_not_hide_shapes_and_later_errors() -> None:
    compiled = compile_cfg(NET + CONV.format("prelu") + "[maxpool]\nsize=2\nstride=2\n[route]\nlayers=7\n")
    assert codes(compiled) == ["DK206", "DK304"]
    assert [i.output.shape for i in compiled.graph.layers] == [(8, 32, 64), (8, 16, 32)]


def test_a_layer_without_a_shape_silences_what_reads_it() -> None:
    compiled = compile_cfg(NET + "[convolutional]\nfilters=many\n" + HEAD + YOLO.format(1))
    assert codes(compiled) == ["DK202"]
    assert compiled.graph.layers == ()


def test_an_unusable_net_is_reported_once() -> None:
    assert codes(compile_cfg("[net]\nwidth=x\nheight=32\nchannels=3\n" + CONV.format("relu"))) == ["DK202"]


def test_another_size_is_another_compilation() -> None:
    compiled = compile_cfg(NET + CONV.format("relu"), size=(96, 128)).check()
    assert compiled.graph.image.shape == (3, 96, 128)
    assert (compiled.net.height, compiled.net.width) == (96, 128)


def test_a_size_that_is_too_large_is_said_as_it_was_asked_for() -> None:
    with pytest.raises(CfgError, match=r"the size 65536x16384 that was asked for .* an input of .* is too large"):
        compile_cfg(NET + CONV.format("relu"), size=(16384, 65536)).check()


def test_warnings_become_errors_on_request() -> None:
    text = NET + CONV.format("relu") + "colour=red\n"
    assert codes(compile_cfg(text), "warning") == ["DK201"]
    assert codes(compile_cfg(text, strict=True)) == ["DK201"]


def test_an_unknown_activation_is_relu_as_darknet_reads_it() -> None:
    compiled = compile_cfg(NET + CONV.format("prelu"), as_darknet=True)
    assert codes(compiled, "warning") == ["DK206"]
    assert compiled.check().graph.layers[0].layer.activation == "relu"  # type: ignore[attr-defined]


def test_silu_is_swish_with_one_warning_a_file() -> None:
    compiled = compile_cfg(NET + CONV.format("silu") * 3)
    assert codes(compiled, "warning") == ["DK206"]
    assert "3 places" in compiled.diagnostics[0].message
    assert compiled.check().graph.ops[1].kind == "swish"


def test_silu_is_relu_as_darknet_reads_it() -> None:
    compiled = compile_cfg(NET + CONV.format("silu"), as_darknet=True).check()
    assert compiled.graph.ops[1].kind == "relu"


def test_silu_is_at_home_in_pytorch() -> None:
    assert compile_cfg(NET + CONV.format("silu"), dialect="pytorch").diagnostics == ()


def test_a_file_is_alexeyabs_without_other_evidence() -> None:
    compiled = compile_cfg(NET + CONV.format("leaky") + HEAD + YOLO.format("1.05"))
    assert compiled.dialect.name == "alexeyab"
    assert compiled.diagnostics == ()


@pytest.mark.parametrize(("section", "dialect"), [("l2norm", "pjreddie"), ("shift_channels", "pytorch")])
def test_a_section_of_one_program_is_evidence_for_it(section: str, dialect: str) -> None:
    compiled = compile_cfg(NET + CONV.format("leaky") + f"[{section}]\nfrom=-1\n")
    assert compiled.dialect.name == dialect
    (found,) = [d for d in compiled.diagnostics if d.code == "DK310"]
    assert found.severity == "warning"
    assert found.span
    assert found.span.line == 10


def test_silu_with_scaled_heads_is_evidence_for_pytorch() -> None:
    text = NET + CONV.format("silu") + HEAD + YOLO.format("1.05")
    assert compile_cfg(text).dialect.name == "pytorch"
    assert compile_cfg(text + "new_coords=1\n").dialect.name == "alexeyab"
    assert compile_cfg(text.replace("1.05", "1.1")).dialect.name == "alexeyab"
    assert compile_cfg(text, dialect="alexeyab").dialect.name == "alexeyab"


def test_a_deep_network_with_scaled_heads_may_be_pytorchs_and_gets_a_note() -> None:
    compiled = compile_cfg(NET + CONV.format("mish") * 60 + (HEAD + YOLO.format("1.05")) * 3)
    assert compiled.dialect.name == "alexeyab"
    assert codes(compiled, "note") == ["DK310"]


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.cfg", tmp_path):
        with pytest.raises(DataError):
            compile_file(path)


def test_official_files_of_both_darknets_are_never_taken_for_pytorchs(shared: Path) -> None:
    entries = json.loads((shared / "cfgs" / "INDEX.json").read_text())["entries"]
    official = [e["file"] for e in entries if e["origin"]["repo"] in ("AlexeyAB/darknet", "pjreddie/darknet")]
    assert len(official) > 100
    dialects = {file: compile_file(shared / "cfgs" / file).dialect.name for file in official}
    assert {file: name for file, name in dialects.items() if name == "pytorch"} == {}


def test_yolors_own_files_are_taken_for_pytorchs(shared: Path) -> None:
    folder = shared / "cfgs" / "WongKinYiu+yolor"
    for name in ("yolor_p6", "yolor_w6", "yolor_csp", "yolor_csp_x", "yolov4_csp", "yolov4_csp_x"):
        assert compile_file(folder / f"cfg__{name}.cfg").dialect.name == "pytorch"
    for name in ("yolov4-csp", "yolov4-csp-x"):  # the same networks, translated to Darknet by their author
        assert compile_file(folder / f"darknet__cfg__{name}.cfg").dialect.name == "alexeyab"


@pytest.mark.parametrize("option", ["dontload", "dontloadscales"])
def test_weights_that_darknet_leaves_random_are_a_warning(option: str) -> None:
    (problem,) = compile_cfg(f"{NET}[convolutional]\nbatch_normalize=1\n{option}=1\n").diagnostics
    assert (problem.code, problem.severity, problem.span.line if problem.span else 0) == ("DK309", "warning", 7)
    assert not compile_cfg(f"{NET}[maxpool]\n{option}=1\n").diagnostics
    assert not compile_cfg(f"{NET}[convolutional]\n{option}=0\n").diagnostics
