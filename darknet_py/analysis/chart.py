"""A single chart as a PNG: what applications draw with matplotlib, an optional extra."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import BackendError, DataError, first_line
from ..files import check_output, write_whole

SIZE, DPI = (7.2, 5.4), 150  # inches


def check_chart(path: Path, *, replace: bool = False) -> None:
    """Raise what `save_chart` would, but for the disk's errors: to be called before the work that is to be drawn."""
    if path.suffix.lower() != ".png":
        raise DataError(f"cannot write a chart as {path.name!r}\n  hint: a name that ends in .png")
    if find_spec("matplotlib") is None:
        raise BackendError("charts need matplotlib\n  hint: pip install 'darknet-compiler[eval]'")
    check_output(path, replace=replace)


def save_chart(path: Path, draw: Callable[[Any], None], *, replace: bool = False) -> Path:
    """Write what `draw` puts into matplotlib's axes; its path.

    Raises `BackendError` without a matplotlib that works, and `DataError` for another ending than .png, or where there
    is a file that this package did not write (unless `replace`).
    """
    check_chart(path, replace=replace)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as e:  # it is there, and was made for another NumPy, say
        raise BackendError(f"matplotlib is installed, and cannot be imported: {first_line(e)}") from None
    figure = Figure(figsize=SIZE, layout="constrained")
    draw(figure.add_subplot())
    FigureCanvasAgg(figure)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI)
    return write_whole(path, data.getvalue(), replace=replace)
