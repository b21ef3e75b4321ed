"""Bar charts of what each layer costs, several networks over each other: Figures 7 and 8 of the CSPNet paper.

Decision: what is drawn is data first (`Series`), and matplotlib, an optional extra, only draws it. Layers are counted
as the paper does: a [route] computes nothing and has no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..darknet.layers.layer import layer_of
from ..errors import BackendError, DataError, printable
from ..files import replacing
from ..ir.graph import Graph
from ..version import requirement
from .cost import LayerCost, cost

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")
# Okabe and Ito's colours, in an order that also differs in lightness: grey copies stay readable.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7")
DASHES = ((0, (6, 2)), (0, (3, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
MILLION = 1e6
WIDEST_BAR, SLIMMEST_BAR = 0.96, 0.5  # of the room of a layer
WIDTH, HEIGHT = 7.2, 3.4  # inches: across both columns of a paper
STYLE = {
    "font.family": "sans-serif", "font.size": 9, "axes.labelsize": 10, "legend.fontsize": 8.5, "svg.fonttype": "none",
    "pdf.fonttype": 42, "svg.hashsalt": "darknet-py", "axes.spines.top": False, "axes.spines.right": False,
}  # fmt: skip


@dataclass(frozen=True)
class Quantity:
    """What is drawn: the title of the axis, the unit of sums, how sums are written, whether maxima are marked, and
    whether layers that have none of it are shown.
    """

    axis: str
    unit: str
    digits: str
    maxima: bool
    all_layers: bool

    def value(self, layer: LayerCost) -> float:
        """The height of the bar of a layer."""
        return layer.bflops_paper if self is QUANTITIES["bflops"] else layer.cio / MILLION


QUANTITIES = {
    "bflops": Quantity("BFLOPs", "BFLOPs", ".3g", maxima=True, all_layers=True),
    "cio": Quantity("input + output (million elements)", "M CIO", ".1f", maxima=False, all_layers=False),
}


@dataclass(frozen=True)
class Series:
    """The bars of one network."""

    label: str
    values: tuple[float, ...]

    @property
    def total(self) -> float:
        """The sum of all layers."""
        return sum(self.values)

    @property
    def maximum(self) -> float:
        """The highest bar: the bottleneck."""
        return max(self.values, default=0.0)


def layer_series(graph: Graph, what: str = "bflops", label: str = "") -> Series:
    r"""The BFLOPs of each layer that is no [route], as the paper counts; or the CIO, in millions, where there is any.

    Raises `DataError` if `what` is neither 'bflops' nor 'cio'.

    >>> from darknet_py.darknet.compile import compile_cfg
    >>> cfg = "[net]\nwidth=8\nheight=8\nchannels=3\n[conv]\nfilters=4\nsize=3\npad=1\n[route]\nlayers=-1\n[upsample]"
    >>> layer_series(compile_cfg(cfg).graph, "cio").values
    (0.000448,)
    """
    if what not in QUANTITIES:
        raise DataError(f"cannot plot {what!r}\n  hint: {' or '.join(QUANTITIES)}")
    layers = zip(cost(graph).layers, graph.layers, strict=True)
    quantity = QUANTITIES[what]
    values = (quantity.value(c) for c, info in layers if layer_of(info).family != "concatenation")
    return Series(label, tuple(v for v in values if v or quantity.all_layers))


def plot(
    networks: Mapping[str, Graph], path: str | Path, what: str = "bflops", *, title: str = "", replace: bool = False
) -> Path:
    """Draw networks over each other, the one with the highest bar behind; `path` ends in .png, .svg or .pdf.

    The keys of `networks` go to the legend, with the sum of each. Returns the path. Raises `DataError` for another
    ending or quantity, if there is nothing to draw, or where there is a file that this package did not write (unless
    `replace`); `BackendError` if matplotlib is not installed.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise DataError(f"cannot write a plot as {target.name!r}\n  hint: a name that ends in {', '.join(FORMATS)}")
    if not networks:
        raise DataError("nothing to plot: give at least one network")
    series = [layer_series(graph, what, label) for label, graph in networks.items()]
    with _canvas() as figure:
        axes = figure.add_subplot()
        _bars(axes, series, QUANTITIES[what])
        if QUANTITIES[what].maxima:
            _mark_maxima(axes, series)
        _finish(axes, series, QUANTITIES[what], title)
        suffix = target.suffix.lower()
        with replacing(target, replace=replace) as file:
            metadata = {"Date": None} if suffix == ".svg" else None
            figure.savefig(file, format=suffix.removeprefix("."), dpi=300, metadata=metadata)
    return target


@contextmanager
def _canvas() -> Iterator[Any]:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as e:
        message = f"plots need matplotlib, which is not installed\n  hint: pip install {requirement('plot')}"
        raise BackendError(message) from e
    with mpl.rc_context(STYLE):
        yield Figure(figsize=(WIDTH, HEIGHT), layout="constrained")


def _plain(text: str) -> str:
    """A text that matplotlib takes as it is: `$` begins a formula, and control characters make the SVG invalid."""
    return printable(text, lines=False).replace("$", r"\$")


def _bars(axes: Axes, series: Sequence[Series], quantity: Quantity) -> None:
    """At each layer lower bars before higher ones, and slimmer ones before wider ones, so that none hides another."""
    top = max(s.maximum for s in series) or 1.0
    for i, one in enumerate(series):
        label = f"{_plain(one.label)} ({one.total:{quantity.digits}} {quantity.unit})"
        width = WIDEST_BAR - (WIDEST_BAR - SLIMMEST_BAR) * i / max(len(series) - 1, 1)
        bars = axes.bar(
            range(len(one.values)), one.values, width, label=label, color=COLOURS[i % len(COLOURS)], linewidth=0
        )
        for bar, height in zip(bars, one.values, strict=True):
            bar.set_zorder(3 - height / top + i / 1000)


def _mark_maxima(axes: Axes, series: Sequence[Series]) -> None:
    """A dashed line at each highest bar, with its value and how far it is below the highest of all."""
    top = max(s.maximum for s in series)
    length = max(len(s.values) for s in series)
    for i, one in enumerate(series):
        colour = COLOURS[i % len(COLOURS)]
        axes.axhline(one.maximum, color=colour, linewidth=1.2, linestyle=DASHES[i % len(DASHES)], zorder=20)
        less = f" (−{1 - one.maximum / top:.0%})" if top and one.maximum < 0.995 * top else ""
        axes.annotate(
            f"{one.maximum:.3f}{less}", (length, one.maximum), xytext=(-2, 2), textcoords="offset points", ha="right",
            va="bottom", color="black", fontsize=8.5, zorder=21,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip


def _finish(axes: Axes, series: Sequence[Series], quantity: Quantity, title: str) -> None:
    length = max(len(s.values) for s in series)
    axes.set_xlim(-1, max(length, 1))
    axes.set_ylim(0, 1.12 * max(s.maximum for s in series) or 1.0)
    axes.set_xlabel("layer")
    axes.set_ylabel(quantity.axis)
    axes.set_title(_plain(title))
    axes.grid(axis="y", color="#d9d9d9", linewidth=0.5, zorder=0)
    axes.set_axisbelow(True)
    axes.legend(frameon=True, framealpha=0.9, edgecolor="none")
