"""What a message says goes by meaning: other programs' words, look-alike characters, units, sizes, repeats, options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from darknet_py.darknet.codes import EXPLANATIONS
from darknet_py.darknet.compile import Compilation, compile_cfg
from darknet_py.darknet.network import open_network
from darknet_py.darknet.weights import random_weights, write_weights
from darknet_py.errors import Code, DataError, WeightsError, told_once

NET = "[net]\nwidth={0}\nheight={0}\nchannels=3\n"
CONV = "[convolutional]\nfilters=8\nsize=3\nstride={}\npad=1\nactivation=leaky\n"
HEAD = "[convolutional]\nfilters=21\nactivation=linear\n[yolo]\nmask=0,1,2\nanchors={}\nclasses=2\nnum=3\n"
ANCHORS = "10,14, 23,27, 37,58"


def detector(size: int, anchors: str = ANCHORS, more: str = "") -> str:
    return NET.format(size) + CONV.format(2) * 5 + more + HEAD.format(anchors)


def hints(text: str, **options: object) -> list[str]:
    return [d.hint or "" for d in compile_cfg(text, **options).diagnostics]  # type: ignore[arg-type]  # as they come


def told(compiled: Compilation) -> list[tuple[str, str]]:
    return [(d.code, d.severity) for d in compiled.diagnostics]


@pytest.mark.fault("foreign-stride-hints")
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("stride_w=1", "did you mean 'stride_x'?"), ("strideW=1", "did you mean 'stride_x'?"),
        ("stride_width=1", "did you mean 'stride_x'?"), ("stride_h=2", "did you mean 'stride_y'?"),
        ("strideH=2", "did you mean 'stride_y'?"), ("w_stride=2", "did you mean 'stride_x'?"),
        ("kernel_size=3", ""), ("padding_w=1", "did you mean 'padding'? It holds for both axes"),
        ("group=2", "did you mean 'groups'?"), ("dilate=2", "did you mean 'dilation'?"),
        ("out_channels=8", ""), ("bn=1", "did you mean 'batch_normalize'?"), ("bias=0", "a convolution always has"),
        ("kernel_w=3", "'size' holds for both axes"),
    ],
)  # fmt: skip
def test_an_option_of_another_program_is_named_by_meaning_and_never_one_that_is_there(written: str, meant: str) -> None:
    (hint,) = hints(NET.format(32) + CONV.format(1) + written + "\n")
    assert hint.startswith(meant)
    assert bool(hint) == bool(meant)


@pytest.mark.fault("foreign-stride-hints")
def test_a_pair_for_one_number_is_two_options() -> None:
    (hint,) = hints(NET.format(32) + "[maxpool]\nsize=2\nstride=2,1\n")
    assert hint == "this is one number; for a pair write stride_y=2 and stride_x=1"
    assert "both axes: write size=3" in hints(NET.format(32) + "[maxpool]\nstride=1\nsize=3x3\n")[0]


@pytest.mark.fault("depthwise-section-hint")
@pytest.mark.parametrize(
    ("section", "meant"),
    [
        ("depthwise_convolutional", "filters=8 and groups=8"), ("conv_dw", "groups=8"), ("DWConv", "groups=8"),
        ("Focus", "[reorg3d]"), ("gap", "'avgpool'"), ("offload", "other hardware"), ("bn", "'batchnorm'"),
        ("relu", "activation=relu"), ("concat", "'route'"), ("fc", "'connected'"), ("maxpol", "'maxpool'"),
        ("SEBlock", "scale_channels"), ("conv2d", "'convolutional'"), ("split", "group_id"),
    ],
)  # fmt: skip
def test_a_section_of_a_fork_is_named_by_meaning(section: str, meant: str) -> None:
    (hint,) = hints(NET.format(32) + CONV.format(1) + f"[{section}]\nsize=3\n")
    assert meant in hint


@pytest.mark.fault("fullwidth-comma")
def test_a_head_whose_mask_was_not_read_whole_gets_no_advice_on_filters() -> None:
    found = compile_cfg(detector(64).replace("mask=0,1,2", "mask=0\uff0c1\uff0c2")).diagnostics
    assert [d.code for d in found] == ["DK203", "DK308"]
    assert "U+FF0C" in (found[0].hint or "")
    assert "filters" not in (found[1].hint or "")
    assert "first mend 'mask'" in (found[1].hint or "")


@pytest.mark.fault("fullwidth-comma")
@pytest.mark.parametrize(
    "line",
    ["classes\uff1d2", "\u3000classes=2", "\ufeffclasses=2", "cl\u0430sses=2", "clases=2", "classes: 2", "classes 2"],
)
def test_a_head_whose_classes_were_passed_over_gets_no_advice_on_filters(line: str) -> None:
    text = detector(64)
    assert "classes=2\n" in text
    found = compile_cfg(text.replace("classes=2\n", line + "\n")).diagnostics
    (mismatch,) = [d for d in found if d.code == "DK308"]
    assert "first mend" in (mismatch.hint or ""), mismatch
    assert "which is ignored" in (mismatch.hint or ""), mismatch


@pytest.mark.fault("fullwidth-comma")
def test_a_list_that_a_semicolon_cut_short_is_mended_first() -> None:
    found = compile_cfg(detector(64).replace("mask=0,1,2", "mask=0;1;2")).diagnostics
    (mismatch,) = [d for d in found if d.code == "DK308"]
    assert "first mend 'mask'" in (mismatch.hint or ""), mismatch


@pytest.mark.fault("foreign-stride-hints")
@pytest.mark.parametrize(
    ("line", "code", "hint"),
    [
        ("stride=2 1", "DK207", "stride_y=2 and stride_x=1"), ("size=3 3", "DK207", "write size=3"),
        ("pad=1,1", "DK203", "write pad=1"),
        ("filters=8,16", "DK203", "this is one number"),
    ],
)  # fmt: skip
def test_a_pair_in_the_place_of_one_number_is_told(line: str, code: str, hint: str) -> None:
    found = compile_cfg(NET.format(64) + "[convolutional]\n" + line + "\n").diagnostics
    assert [(d.hint or "")[-len(hint) :] for d in found if d.code == code] == [hint]


@pytest.mark.fault("depthwise-section-hint")
@pytest.mark.parametrize("name", ["upconv", "convtranspose", "transposed_conv"])
def test_a_section_of_another_dialect_is_offered_by_its_meaning(name: str) -> None:
    found = compile_cfg(NET.format(32) + f"[{name}]\nfilters=8\n").diagnostics
    assert any("'deconvolutional', which is a section of another dialect" in (d.hint or "") for d in found)


@pytest.mark.fault("fullwidth-comma")
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("filters\uff1d8", "U+FF1D"), ("siz\u0435=3", "U+0435"), ("pad\u200b=1", "U+200B"), ("size=\uff13", "U+FF13"),
        ("padding=\u22121", "U+2212"), ("size=\u201c3\u201d", "U+201C"), ("size=3\u00d73", "U+00D7"),
        ("\u3000size=3", "U+3000"), ("batch_normalize=1\u00a0", "U+00A0"), ("activation=le\u0430ky", "U+0430"),
    ],
)  # fmt: skip
def test_a_character_that_looks_like_another_is_named(text: str, number: str) -> None:
    found = compile_cfg(NET.format(32) + "[convolutional]\n" + text + "\n").diagnostics
    assert any(number in (d.hint or "") for d in found), found


@pytest.mark.fault("unknown-option-flood")
def test_what_many_lines_have_is_told_once_with_their_number() -> None:
    found = compile_cfg(NET.format(32) + (CONV.format(1) + "use_target=0\n") * 12).diagnostics
    assert len(found) == 12
    (once,) = told_once(found)
    assert once.message.endswith("and 11 more lines")


@pytest.mark.fault("unknown-option-flood")
def test_an_option_that_the_section_has_is_not_offered() -> None:
    assert hints("[net]\nwidth=32\nheight=32\ntest_width=96\nchannels=3\n" + CONV.format(1)) == [""]


@pytest.mark.fault("anchors-wrong-unit")
def test_anchors_of_a_yolo_in_parts_or_cells_are_told() -> None:
    parts, cells = (
        compile_cfg(detector(416, a)) for a in ("0.02,0.03, 0.06,0.07, 0.14,0.17", "1.08,1.19, 3,4, 6.63,11")
    )
    assert told(parts) == [("DK311", "warning")]
    assert "multiply by 416" in (parts.diagnostics[0].hint or "")
    assert told(cells) == [("DK311", "note")]
    assert "multiply by 32" in (cells.diagnostics[0].hint or "")
    assert not compile_cfg(detector(416)).diagnostics


@pytest.mark.fault("anchors-wrong-unit")
def test_a_threshold_in_percent_is_a_note_that_stops_nobody() -> None:
    (found,) = compile_cfg(detector(416) + "ignore_thresh=70\n", strict=True).diagnostics
    assert (found.severity, found.hint) == ("note", "write 0.7 for 70 %")


@pytest.mark.fault("size-not-multiple")
def test_a_size_between_the_multiples_of_the_stride_is_a_warning_with_sizes_that_fit() -> None:
    (found,) = compile_cfg(detector(412)).diagnostics
    assert (found.code, found.severity, found.hint) == ("DK311", "warning", "384 or 416 fits")


@pytest.mark.fault("size-not-multiple")
@pytest.mark.parametrize(("size", "fits"), [(8, "32"), (31, "32"), (33, "32 or 64")])
def test_the_stride_is_the_same_at_a_size_that_leaves_the_deepest_layers_a_pixel(size: int, fits: str) -> None:
    (found,) = compile_cfg(detector(416), size=(size, size)).diagnostics
    assert f"{size} is not a multiple of 32, the stride of the deepest layer" in found.message
    assert found.hint == f"{fits} fits"


@pytest.mark.fault("size-not-multiple")
def test_a_route_that_only_another_size_mends_names_that_size() -> None:
    text = NET.format(40) + CONV.format(2) * 4 + "[upsample]\nstride=2\n[route]\nlayers=-1,2\n"
    (found,) = compile_cfg(text).diagnostics
    assert found.code == "DK305"
    assert found.hint == "40 is not a multiple of 16, the stride of the deepest layer: 32 or 48 fits"
    assert compile_cfg(text.replace("=40", "=48")).check()


@pytest.mark.fault("size-that-cannot-be")
def test_a_size_that_was_asked_for_is_blamed_itself() -> None:
    text = NET.format(32) + CONV.format(2) * 4 + "[upsample]\nstride=2\n[route]\nlayers=-1,2\n"
    (found,) = compile_cfg(text, size=(40, 40)).diagnostics
    assert (found.code, found.severity, found.span) == ("DK502", "error", None)
    assert "40 is not a multiple of 16" in found.message
    assert found.hint == "48 or the cfg's own 32 fits"


@pytest.mark.fault("size-that-cannot-be")
def test_weights_that_fit_only_at_the_cfgs_size_are_not_blamed(tmp_path: Path) -> None:
    cfg, weights = tmp_path / "net.cfg", tmp_path / "net.weights"
    cfg.write_text(NET.format(16) + CONV.format(2) + "[connected]\noutput=10\nactivation=linear\n[softmax]\n")
    graph = compile_cfg(cfg.read_text()).check().graph
    write_weights(weights, graph, random_weights(graph, 0))
    with pytest.raises(WeightsError, match=r"changes what \[connected\] \(layer 1\) takes: only the cfg's 16x16 fits"):
        open_network(cfg, weights, size=(32, 32))


@pytest.mark.fault("size-that-cannot-be")
@pytest.mark.parametrize("size", [400, 0, True, 32.5, "x", (32,), (32.0, 32), (1 << 20, 32), ()])
def test_a_size_that_is_none_is_an_error_that_says_what_one_is(size: Any) -> None:
    with pytest.raises(DataError, match=r"size is \(height, width\)"):
        compile_cfg(NET.format(32), size=size)


def test_a_dialect_that_was_asked_for_is_blamed_where_the_file_is_sound_without() -> None:
    (found,) = compile_cfg(NET.format(32) + CONV.format(1) + "[sam]\nfrom=-1\n", dialect="pjreddie").errors
    assert "--dialect" in (found.hint or "")


@pytest.mark.fault("strided-shortcut-dialect")
def test_a_shortcut_that_only_pjreddies_darknet_samples_gives_the_file_away() -> None:
    text = NET.format(32) + CONV.format(1) + CONV.format(2) + "[shortcut]\nfrom=-2\n"
    compiled = compile_cfg(text)
    assert told(compiled) == [("DK310", "warning")]
    assert compiled.dialect.name == "pjreddie"
    assert compile_cfg(text, dialect="alexeyab").dialect.name == "alexeyab"


@pytest.mark.fault("strided-shortcut-dialect")
def test_what_only_alexeyabs_darknet_reads_outweighs_a_strided_shortcut() -> None:
    text = NET.format(32) + CONV.format(1).replace("leaky", "mish") + CONV.format(2) + "[shortcut]\nfrom=-2\n"
    assert told(compile_cfg(text)) == [("DK311", "warning")]


def test_every_code_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Code)


@pytest.mark.parametrize("code", [c for c, text in EXPLANATIONS.items() if text.example], ids=str)
def test_the_example_of_a_code_brings_it(code: Code) -> None:
    assert code in {d.code for d in compile_cfg(EXPLANATIONS[code].example).diagnostics}


@pytest.mark.fault("quadratic-layers")
def test_names_of_classes_are_not_made_for_an_output_that_is_an_image() -> None:
    from darknet_py.contract.trust import MAX_NUMBERED
    from darknet_py.darknet.program import program_of
    from darknet_py.zoo.names import ByNumber, find_names

    compiled = compile_cfg(NET.format(256) + CONV.format(1)).check()
    classes = program_of(compiled).contract.classes
    assert classes > MAX_NUMBERED
    assert find_names(classes).names == ()
    assert ByNumber(())[classes - 1] == str(classes - 1)
