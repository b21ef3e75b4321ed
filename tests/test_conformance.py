"""Every golden case against the NumPy executor: adding a case is adding a folder.

The networks run as Darknet ran them, batch normalization folded into the weights and sums in its order (`exact`): a
few cases are so ill-conditioned that any other order of the same sums, or none, is further off than the tolerance.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from goldens import TOLERANCE, Golden, error, goldens, run_layers

CASES = [*goldens("golden").values(), *goldens("golden_pj").values()]
RAN = [c for c in CASES if c.ran and not c.buggy]
BUGGY = [c for c in CASES if c.ran and c.buggy]
REJECTED = [c for c in CASES if not c.ran]

# What Darknet reads silently wrong: an error by default, Darknet's numbers with `as_darknet`.
MISLEADING = {
    "act_conv_bogus_name": "DK206",
    "act_layer_bogus_name": "DK206",
    "parse_comments": "DK106",
}

# What AlexeyAB's Darknet crashes on and public files need: it runs here, with a warning.
LENIENT = {"net_inputs_only", "short_wh_mismatch"}

# Where the C code for the CPU is wrong: the layer that is, and the hand-written test of what is meant.
INTENDED = {
    "act_conv_relu6": (0, "darknet/layers/test_activations.py::test_each_activation_is_its_formula"),
    "act_layer_hard_mish": (1, "darknet/layers/test_passthrough.py::test_activations_that_the_cpu_code_forgets"),
    "act_layer_mish": (1, "darknet/layers/test_passthrough.py::test_activations_that_the_cpu_code_forgets"),
    "act_layer_normalize_channels_softmax": (
        1, "darknet/layers/test_passthrough.py::test_channel_softmax_that_the_cpu_code_forgets",
    ),
    "act_layer_normalize_channels_softmax_maxval": (
        1, "darknet/layers/test_passthrough.py::test_channel_softmax_that_the_cpu_code_forgets",
    ),
    "act_layer_relu6": (1, "darknet/layers/test_passthrough.py::test_activations_that_the_cpu_code_forgets"),
    "act_layer_swish": (1, "darknet/layers/test_passthrough.py::test_activations_that_the_cpu_code_forgets"),
    "conn_swish": (2, "darknet/layers/test_connected.py::test_swish_is_applied_although_the_cpu_code_forgets_it"),
    "conv_1x1_stride_x1_y2": (
        0, "darknet/layers/test_convolutional.py::"
        "test_a_1x1_kernel_takes_every_second_row_although_the_cpu_code_takes_none",
    ),
    "conv_xnor_c3_s2": (
        0, "darknet/layers/test_binary.py::test_stride_two_on_three_channels_although_the_cpu_code_gives_up",
    ),
    "sam_mish": (2, "darknet/layers/test_attention.py::test_sam_with_mish_applies_it"),
    "scale_se_swish": (4, "darknet/layers/test_attention.py::test_scale_channels_with_swish_applies_it"),
    "short_act_hard_mish": (2, "darknet/layers/test_shortcut.py::test_hard_mish_bends_the_sum"),
    "short_act_relu6": (2, "darknet/layers/test_shortcut.py::test_relu6_clips_the_sum"),
    "softmax_spatial": (
        2, "darknet/layers/test_softmax.py::test_spatial_is_over_channels_although_the_cpu_code_ignores_it",
    ),
    "pj_conv_1x1_s2": (
        1, "darknet/layers/test_convolutional.py::test_a_strided_1x1_kernel_skips_cells_in_pjreddies_dialect_too",
    ),
}  # fmt: skip


def test_there_are_goldens() -> None:
    assert len(goldens("golden")) >= 308
    assert len(goldens("golden_pj")) >= 14
    assert len(RAN) >= 280
    assert len(BUGGY) >= 16
    assert len(REJECTED) >= 25


def compare(case: Golden, *, layers: int | None = None, **options: bool) -> None:
    graph = case.graph(**options)
    recorded = case.layers()
    for step, (got, wanted) in enumerate(zip(run_layers(graph, case.steps(), exact=True), recorded, strict=True)):
        assert got.keys() == wanted.keys()
        for index in sorted(wanted)[:layers]:
            off = error(got[index], wanted[index])
            assert off < TOLERANCE, f"layer {graph.layers[index].name}, step {step}: {off:.2g} of its scale"


@pytest.mark.parametrize("case", RAN, ids=lambda c: c.name)
def test_every_layer_is_what_darknet_computed(case: Golden) -> None:
    compare(case, as_darknet=case.name in MISLEADING)


@pytest.mark.parametrize("case", BUGGY, ids=lambda c: c.name)
def test_layers_before_a_bug_of_darknet_match_and_the_meaning_is_tested_by_hand(case: Golden) -> None:
    layer, test = INTENDED[case.name]
    compare(case, layers=layer)
    file, _, name = test.partition("::")
    assert f"def {name}(" in (Path(__file__).parent / file).read_text()


@pytest.mark.parametrize("case", REJECTED, ids=lambda c: c.name)
def test_what_darknet_rejects_is_an_error_with_a_position(case: Golden) -> None:
    errors = case.compile(strict=case.name in LENIENT).errors
    assert errors
    assert all(d.message and d.span and d.span.line >= 1 for d in errors)


@pytest.mark.parametrize("name", MISLEADING)
def test_what_darknet_reads_silently_wrong_is_diagnosed(name: str) -> None:
    compiled = goldens()[name].compile()
    assert MISLEADING[name] in [d.code for d in compiled.diagnostics]
    assert len(compiled.graph.layers) == len(compiled.cfg.sections) - 1, "the shapes are still known"
