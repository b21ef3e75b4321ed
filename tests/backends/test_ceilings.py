"""What fewer bits gain at most, as the benchmark measures it: here only that there is such a number."""

from __future__ import annotations

import pytest

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from darknet_py.backends.openvino import BACKEND
from darknet_py.backends.precision import Precision
from tools.bench.performance import ceilings


def test_each_precision_of_the_processor_has_a_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, small in (("CHANNELS", 16), ("SIDE", 8), ("DEEP", 1), ("TURNS", 1)):
        monkeypatch.setattr(ceilings, name, small)
    found = ceilings.ceilings(1)
    assert {*found} == {kind for kind in ("bf16", "int8") if Precision(kind).find_lack(BACKEND) is None}
    assert all(gain > 0 for gain in found.values())
