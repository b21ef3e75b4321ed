"""The layer table against what Darknet records and prints for the golden networks."""

from __future__ import annotations

import json

import pytest
from goldens import Golden, goldens

from darknet_py.analysis.summary import summarize
from darknet_py.darknet.compile import compile_cfg

RECORDED = json.loads((next(iter(goldens().values())).folder.parent / "BFLOPS.json").read_text())
CASES = [c for c in goldens().values() if c.name in RECORDED and not c.compile(as_darknet=True).errors]


def test_there_are_records() -> None:
    assert len(CASES) >= 280


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_bflops_and_parameters_are_darknets(case: Golden) -> None:
    summary = summarize(case.compile(as_darknet=True))
    wanted = RECORDED[case.name]
    assert [row.bflops for row in summary.rows] == pytest.approx(wanted["layers"], rel=1e-6)
    assert summary.bflops == pytest.approx(wanted["total"], abs=1e-6)  # recorded with six digits
    assert summary.params == wanted["params"]


@pytest.mark.parametrize(
    ("case", "line"),
    [
        ("conv_basic", "   0 conv      8       3 x 3/ 1     32 x  24 x   3 ->   32 x  24 x   8 0.000 BF"),
        ("comp_effnet", "   2 conv     16/  16  3 x 3/ 1     16 x  12 x  16 ->   16 x  12 x  16 0.000 BF"),
        ("conv_dilation2", "   0 conv      6       3 x 3/ 1(2)  32 x  24 x   3 ->   32 x  24 x   6 0.000 BF"),
        ("conv_stride_x1_y2", "   0 conv      6       3x 3/ 1x 2   32 x  24 x   3 ->   32 x  12 x   6 0.000 BF"),
        ("max_3_2", "   1 max                3x 3/ 2     32 x  24 x   8 ->   16 x  12 x   8 0.000 BF"),
        ("lavg_2_2", "   1 avg                2x 2/ 2     32 x  24 x   8 ->   16 x  12 x   8 0.000 BF"),
    ],
)
def test_lines_are_as_darknet_prints_them(case: str, line: str) -> None:
    assert line in summarize(goldens()[case].compile()).format_table().splitlines()


CFG = "[net]\nwidth=416\nheight=320\nchannels=3\n\n[conv]\nfilters=32\nsize=3\nstride=2\npad=1\n\n[softmax]\n"


def test_the_table_as_data() -> None:
    data = summarize(compile_cfg(CFG)).to_json()
    first, second = data["layers"]
    assert first == {
        "index": 0, "type": "convolutional", "filters": 32, "size": 3, "stride": [2, 2], "dilation": 1, "groups": 1,
        "from": [-1], "in": [3, 320, 416], "out": [32, 160, 208], "bflops": 2 * 27 * 32 * 160 * 208 / 1e9,
        "params": 32 * 28, "line": 6,
    }  # fmt: skip
    assert (second["type"], second["out"], second["line"]) == ("softmax", [32 * 160 * 208, 1, 1], 12)
    assert data["params"] == 32 * 28
    assert json.loads(json.dumps(data)) == data


def test_a_network_with_errors_shows_what_could_be_built() -> None:
    rows = summarize(compile_cfg(CFG + "[foo]\n[conv]\n")).rows
    assert [row.index for row in rows] == [0, 1]


def test_the_official_yolov4_tiny_has_its_published_bflops(shared: object) -> None:
    from darknet_py.darknet.compile import compile_file

    summary = summarize(compile_file(f"{shared}/weights/yolov4-tiny/yolov4-tiny.cfg"))
    assert round(summary.bflops, 2) == 6.91  # AlexeyAB's README says 6.9
    assert summary.params == 6_062_814


def test_a_route_of_a_part_says_which_in_place_of_its_input_as_darknet_prints() -> None:
    cfg = compile_cfg(
        "[net]\nwidth=8\nheight=8\nchannels=8\n[conv]\nfilters=8\n[route]\nlayers=-1\ngroups=4\ngroup_id=3\n[route]\nlayers=0\n"
    )
    summary = summarize(cfg)
    _, _, part, whole, _ = summary.format_table().splitlines()
    assert part.split() == "1 route 0 3/4 -> 8 x 8 x 2".split()
    assert part.index("->") == whole.index("->")
    assert [row.get("group") for row in summary.to_json()["layers"]] == [None, 3, None]
