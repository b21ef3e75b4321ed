"""A single chart as a PNG: what applications draw with matplotlib, an optional extra."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import BackendError
from ..files import write_whole

SIZE, DPI = (7.2, 5.4), 150  # inches


def save_chart(path: Path, draw: Callable[[Any], None], *, replace: bool = False) -> Path:
    """Write what `draw` puts into matplotlib's axes; its path. Raises `BackendError` without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise BackendError("charts need matplotlib\n  hint: pip install 'darknet-compiler[eval]'") from None
    figure = Figure(figsize=SIZE, layout="constrained")
    draw(figure.add_subplot())
    FigureCanvasAgg(figure)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI)
    return write_whole(path, data.getvalue(), replace=replace)
