"""Files that an earlier version wrote are read as what they were: their heads had options of the cfg, not decoders."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from goldens import goldens
from onnx import TensorProto, helper

from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.program import program_of
from darknet_py.errors import DataError
from darknet_py.onnx.metadata import contract_of, to_metadata

# What `export_onnx` of the version before contracts wrote into `metadata_props`, by golden case or dialect.
BEFORE = json.loads((Path(__file__).parent / "written_before.json").read_text())
ONE = (
    "[net]\nwidth=32\nheight=32\nchannels=3\n[conv]\nfilters=7\nsize=16\nstride=16\nactivation=linear\n"
    "[yolo]\nclasses=2\nnum=3\nmask=1\nscale_x_y=1.05\nanchors=4,5, 9,8, 20,25\n"
)


def model(metadata: dict[str, str]) -> onnx.ModelProto:
    """A model of nothing with this metadata."""
    x = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, 8, 8])
    made = helper.make_model(helper.make_graph([], "none", [x], []))
    helper.set_model_props(made, metadata)
    return made


@pytest.mark.parametrize("name", sorted(set(BEFORE) & set(goldens())))
def test_what_was_written_before_decodes_as_the_cfg_does(name: str) -> None:
    wanted = program_of(goldens()[name].compile()).contract
    read = contract_of(model(BEFORE[name]))
    assert (read.shape, read.classes, read.resize) == (wanted.shape, wanted.classes, wanted.resize)
    assert (read.nms_kind, read.nms_beta, read.states) == (wanted.nms_kind, wanted.nms_beta, wanted.states)
    assert read.decoders == wanted.decoders
    assert len(read.outputs) == len(wanted.decoders)


@pytest.mark.parametrize("dialect", ["alexeyab", "pytorch"])
def test_the_dialect_of_an_old_file_says_how_it_is_decoded(dialect: str) -> None:
    wanted = program_of(compile_cfg(ONE, dialect=dialect).check()).contract
    read = contract_of(model(BEFORE[dialect]))
    assert read.decoders == wanted.decoders
    assert read.decoders[0].to_dict()["logistic"] == ("all" if dialect == "pytorch" else "centre and scores")


@pytest.mark.parametrize("name", sorted(BEFORE))
def test_a_contract_is_the_same_after_a_way_through_a_file(name: str) -> None:
    read = contract_of(model(BEFORE[name]))
    assert contract_of(model(to_metadata(read))) == read


@pytest.mark.parametrize("heads", ["nonsense", "[1]", '[{"section": "convolutional", "options": {}, "tree": null}]'])
def test_metadata_that_lies_is_one_error(heads: str) -> None:
    with pytest.raises(DataError, match="not exported by darknet-py"):
        contract_of(model({**BEFORE["yolo_two_heads"], "darknet.heads": heads}))
