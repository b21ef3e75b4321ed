"""Files that an earlier version wrote are read as what they were: their heads had options of the cfg, not decoders."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from goldens import goldens
from onnx import TensorProto, helper

from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.network import open_network
from darknet_py.darknet.program import program_of
from darknet_py.errors import DarknetError, DataError
from darknet_py.model.export import export_onnx
from darknet_py.model.opening import load
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


ODD = (
    None, True, -1, 0, 3, 10**12, 10**400, 1.5, float("nan"), float("inf"), "", "x", [], [1], [[1, 2]], ["a", "b"], {},
    {"kind": "yolo"}, [None], "raw", "nms", "padded", "decoded", "input",
)  # fmt: skip


def spoiled(value: object, rng: random.Random) -> object:
    """The value with something of it replaced, left out or added."""
    if not isinstance(value, list | dict) or not value or rng.random() < 0.3:
        return rng.choice(ODD)
    copy = dict(value) if isinstance(value, dict) else list(value)
    key: Any = rng.choice(list(copy) if isinstance(copy, dict) else range(len(copy)))
    if rng.random() < 0.2:
        del copy[key]
    else:
        copy[key] = spoiled(copy[key], rng)
    return copy


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("exported")
    (folder / "net.cfg").write_text(ONE)
    network = open_network(folder / "net.cfg", random=0)
    for boxes in ("raw", "decoded", "nms", "padded"):
        export_onnx(network, folder / f"{boxes}.onnx", boxes=boxes)
    return {boxes: folder / f"{boxes}.onnx" for boxes in ("raw", "decoded", "nms", "padded")}


@pytest.mark.fault("onnx-metadata")
@pytest.mark.parametrize("boxes", ["raw", "decoded", "nms", "padded"])
def test_no_metadata_raises_anything_but_our_errors(tmp_path: Path, exported: dict[str, Path], boxes: str) -> None:
    rng, written = random.Random(boxes), onnx.load(exported[boxes])
    refused = 0
    for _ in range(120):
        changed = onnx.ModelProto()
        changed.CopyFrom(written)
        entry = rng.choice([p for p in changed.metadata_props if p.key.startswith("darknet.")])
        entry.value = json.dumps(spoiled(json.loads(entry.value), rng))
        path = tmp_path / "changed.onnx"
        path.write_bytes(changed.SerializeToString())
        try:
            load(path)(np.zeros((20, 30, 3), np.uint8))
        except DarknetError:
            refused += 1
    assert refused > 60


@pytest.mark.fault("onnx-metadata")
@pytest.mark.parametrize("value", ["", "{", "[" * 100_000, "nul"])
def test_metadata_that_is_no_json_is_a_data_error(tmp_path: Path, exported: dict[str, Path], value: str) -> None:
    changed = onnx.load(exported["raw"])
    changed.metadata_props[0].value = value
    (tmp_path / "changed.onnx").write_bytes(changed.SerializeToString())
    with pytest.raises(DataError, match="not exported by darknet-py"):
        load(tmp_path / "changed.onnx")


@pytest.mark.fault("onnx-metadata")
def test_a_network_without_inputs_or_of_other_ones_is_a_data_error(tmp_path: Path, exported: dict[str, Path]) -> None:
    path = tmp_path / "changed.onnx"
    for count, told in ((0, "not exported"), (2, "its inputs are")):
        changed = onnx.load(exported["raw"])
        images = changed.graph.input.pop()
        for i in range(count):
            images.name = f"images{i}"
            changed.graph.input.append(images)
        path.write_bytes(changed.SerializeToString())
        with pytest.raises(DataError, match=told):
            load(path)
