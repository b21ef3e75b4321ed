"""Two cfgs, and where they part."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from darknet_py.analysis.diff import Difference, diff
from darknet_py.cli import main
from darknet_py.darknet.compile import compile_cfg

NET = "[net]\nwidth=8\nheight=8\nchannels=3\n"
CONV = "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\nactivation=leaky\n"
YOLO = "[convolutional]\nfilters=12\nactivation=linear\n[yolo]\nmask=0,1\nanchors=10,14, 23,27\nclasses=1\nnum=2\n"


def compare(a: str, b: str, head: str = NET) -> Difference | None:
    return diff(compile_cfg(head + a).check().graph, compile_cfg(head + b).check().graph)


def test_how_a_network_is_trained_does_not_count() -> None:
    assert compare(CONV + YOLO, CONV + YOLO + "ignore_thresh=.9\niou_loss=ciou\n") is None


def test_a_network_equals_itself() -> None:
    assert compare(CONV + YOLO, CONV + YOLO) is None


def test_an_identity_route_does_not_count() -> None:
    assert compare(CONV + CONV, CONV + "[route]\nlayers=-1\n" + CONV) is None


def test_absolute_and_relative_references_are_the_same() -> None:
    assert compare(CONV + CONV + "[route]\nlayers=-1,-2", CONV + CONV + "[route]\nlayers=1,0") is None


def test_a_number_that_shifts_by_an_extra_layer_does_not_count() -> None:
    a = CONV + CONV + "[shortcut]\nfrom=-2\nactivation=linear"
    b = CONV + "[dropout]\nprobability=.5\n" + CONV + "[shortcut]\nfrom=-3\nactivation=linear"
    assert compare(a, b) is None


def test_the_order_of_a_concatenation_counts() -> None:
    found = compare(CONV + CONV + "[route]\nlayers=-1,-2", CONV + CONV + "[route]\nlayers=-2,-1")
    assert found
    assert found.what.startswith("concat reads %1_convolutional")
    assert (found.layer_a, found.layer_b) == ("2_route", "2_route")


def test_a_stride_is_named_by_the_shape_it_makes() -> None:
    found = compare(CONV, CONV.replace("size", "stride=2\nsize"))
    assert found == Difference("conv gives 4x8x8 against 4x4x4", "0_convolutional", "0_convolutional")


def test_a_surplus_layer_is_named() -> None:
    found = compare(CONV, CONV + "[maxpool]\nsize=2\nstride=2")
    assert found == Difference("max_pool against nothing", "the end", "1_maxpool")


def test_constants_are_compared_by_value() -> None:
    found = compare("[upsample]\nstride=2\nscale=2", "[upsample]\nstride=2\nscale=3")
    assert found
    assert found.what == "mul with another constant"


def test_a_missing_normalization_is_named() -> None:
    found = compare(CONV, CONV.replace("batch_normalize=1\n", ""))
    assert found == Difference("conv reads 2 values against 3", "0_convolutional", "0_convolutional")


def test_the_storage_of_weights_counts() -> None:
    found = compare(CONV, CONV.replace("size", "flipped=1\nsize"))
    assert found
    assert found.what == "the weights file holds weights of 4x3x3x3 against weights of 4x3x3x3 transposed"


def test_anchors_count() -> None:
    found = compare(YOLO, YOLO.replace("10,14", "10,15"))
    assert found
    assert found.layer_a == "1_yolo"
    assert "anchors" in found.what


def test_another_input_is_the_first_difference() -> None:
    other = compile_cfg(NET.replace("width=8", "width=16") + CONV).check().graph
    assert diff(compile_cfg(NET + CONV).check().graph, other) == Difference(
        "an input of 3x8x8 against 3x8x16", "[net]", "[net]"
    )


def test_the_command_says_equal_or_shows_where_and_exits_with_1(tmp_path: Path) -> None:
    a, b = tmp_path / "a.cfg", tmp_path / "b.cfg"
    a.write_text(NET + CONV)
    b.write_text(NET.replace("8", "16") + CONV.replace("leaky", "relu"))
    same = CliRunner().invoke(main, ["diff", str(a), str(a)])
    assert (same.exit_code, same.stdout) == (0, "equal\n")
    other = CliRunner().invoke(main, ["diff", str(a), str(b)])
    assert other.exit_code == 1
    assert "leaky_relu against relu" in other.stdout
