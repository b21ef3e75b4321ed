"""What the tests of the server share: one server of the small detector, for all that only ask it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from networks import write_detector
from serving import Live, serving


@pytest.fixture(scope="session")
def server_extra() -> None:
    """What the server is made of is installed."""
    for module in ("starlette", "uvicorn", "prometheus_client", "python_multipart"):
        pytest.importorskip(module, reason=f"needs {module}: pip install -e '.[serve]'")


@pytest.fixture(scope="session")
def detector_cfg(tmp_path_factory: pytest.TempPathFactory, server_extra: None) -> Path:
    """The small detector, which finds red and blue cells."""
    return write_detector(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def live(detector_cfg: Path) -> Iterator[Live]:
    """A server of it, as it is without any option."""
    with serving(detector_cfg) as server:
        yield server
