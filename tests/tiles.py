"""Winograd's method switched on whether it pays or not, for tests."""

from __future__ import annotations

import pytest

from darknet_py.passes.winograd import TILES, Tile, TileCosts

FREE = TileCosts(1, point=0, product=0, result=0, weight=0)

each_tile = pytest.mark.parametrize("tile", TILES, ids=lambda t: f"{t.length}x{t.length}")


def force(monkeypatch: pytest.MonkeyPatch, *tiles: Tile) -> None:
    """Compute every 3x3 convolution by the best of these tiles."""
    monkeypatch.setattr("darknet_py.passes.winograd.TILES", tiles)
    monkeypatch.setattr("darknet_py.passes.winograd.WORTH", 0)
