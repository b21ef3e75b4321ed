"""A picture of the performance benchmark: images a second of every contestant, a panel for each network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from darknet_py.analysis.plot import COLOURS, STYLE

COLUMNS = 3
PANEL = (4.6, 2.2)  # inches
OURS, THEIRS = COLOURS[0], "#b0b0b0"


def draw(result: dict[str, Any], path: Path) -> None:
    """Write the picture; nothing where matplotlib is not installed or nothing was timed."""
    try:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
        from matplotlib.style import context
    except ModuleNotFoundError:
        return
    panels = [(n["title"], bars) for n in result["networks"] if len(bars := speeds(n)) > 1]
    if not panels:
        return
    rows = -(-len(panels) // COLUMNS)
    with context(STYLE):
        figure = Figure(figsize=(PANEL[0] * COLUMNS, PANEL[1] * rows), layout="constrained")
        FigureCanvasSVG(figure)
        for number, (title, bars) in enumerate(panels):
            axes = figure.add_subplot(rows, COLUMNS, number + 1)
            names = [name for name, _ in bars]
            drawn = axes.barh(names, [v for _, v in bars], color=[_colour(n) for n in names])
            axes.bar_label(drawn, fmt="%.3g", padding=2, fontsize=7)
            axes.set_title(f"{title}: images a second", fontsize=9)
            axes.tick_params(labelsize=7)
            axes.margins(x=0.15)
            axes.invert_yaxis()
        figure.savefig(path, metadata={"Date": None})


def speeds(network: dict[str, Any]) -> list[tuple[str, float]]:
    """Contestant and images a second, from pixels to boxes, the fastest first."""
    timed = [(name, 1 / side["detect"]["median"]) for name, side in network["sides"].items() if "detect" in side]
    return sorted(timed, key=lambda bar: -bar[1])


def _colour(name: str) -> str:
    return OURS if name.startswith("darknet-py") else THEIRS
