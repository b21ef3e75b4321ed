"""What all tests share: the folder of the tests on the path, and where the material outside the repository is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
sys.path[:0] = [str(TESTS), str(TESTS.parent)]  # for `goldens` and `tools`, whatever import mode pytest runs in

SHARED = TESTS.parent.parent / "shared"


@pytest.fixture(autouse=True)
def compiled_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds, or leaves, anything in the user's cache."""
    monkeypatch.setenv("DARKNET_PY_CACHE", str(tmp_path.with_name(f"{tmp_path.name}-cache")))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with other people's cfgs, weights and images; a test without it skips and says what is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"needs {SHARED}, the public cfgs, weights and photos that are not ours to publish")
    return SHARED
