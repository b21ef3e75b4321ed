"""The zoo's entries are of their cfgs: a weights file has as many bytes as its network has parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from darknet_py.darknet.compile import compile_file
from darknet_py.holding.hashes import sha256_of
from darknet_py.zoo.models import models

HEADER, OLD_HEADER = 20, 16  # bytes
ORIGINS = ("AlexeyAB+darknet", "pjreddie+darknet")


@pytest.mark.parametrize("name", ["yolov4", "yolov3", "yolov3-spp", "yolov3-tiny", "yolov4-tiny"])
def test_an_entry_fits_its_cfg(name: str, shared: Path) -> None:
    model = models()[name]
    places = [shared / "cfgs" / origin / f"cfg__{name}.cfg" for origin in ORIGINS]
    places.append(shared / f"weights/{name}/{name}.cfg")
    cfg = next((p for p in places if p.is_file() and sha256_of(p) == model.cfg.sha256), None)
    if cfg is None:
        pytest.skip(f"needs the very cfg of the entry {name} in {shared / 'cfgs'}")
    graph = compile_file(cfg).check().graph
    floats = 4 * sum(p.size for p in graph.params)
    assert model.weights.size in (floats + HEADER, floats + OLD_HEADER)
    assert cfg.stat().st_size == model.cfg.size
