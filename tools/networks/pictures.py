"""The pictures of `cfgs/FAMILY.md`, drawn from the cfgs by `darknet_py.analysis`.

Decision: a picture is a row of data, and `DRAWN` says the command that draws the same for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from darknet_py.analysis.drawing.drawing import draw
from darknet_py.analysis.drawing.part import part_of
from darknet_py.analysis.drawing.svg import to_svg
from darknet_py.analysis.plot import plot
from darknet_py.errors import BackendError

from .catalogue import NETWORKS
from .published import graph_of


@dataclass(frozen=True)
class Drawn:
    """A network, or those of its blocks that hold the layers from the first to the last of `layers`."""

    network: str
    layers: tuple[int, int] | None = None
    full: bool = False

    @property
    def command(self) -> str:
        """What draws the same picture."""
        layers = " --layers {}-{}".format(*self.layers) if self.layers else ""
        return f"darknet-py graph {self.network}{layers}{' --full' if self.full else ''}"

    def svg(self) -> str:
        """The picture."""
        graph = graph_of(self.network, NETWORKS[self.network].size)
        drawing = draw(graph, self.network, full=self.full)
        return to_svg(part_of(drawing, *self.layers) if self.layers else drawing)


@dataclass(frozen=True)
class Chart:
    """What each layer of some networks costs; the networks by their words in the legend."""

    quantity: str
    networks: dict[str, str]


DRAWN = {
    "pelee-stage3": Drawn("pelee", (60, 117)),
    "csppelee-stage3": Drawn("csppelee", (63, 125)),
    "fusion-first-stage3": Drawn("csppelee-fusion-first", (61, 122)),
    "fusion-last-stage3": Drawn("csppelee-fusion-last", (60, 121)),
    "dense-layer": Drawn("csppelee", (66, 72), full=True),
    "resnext50-stage3": Drawn("resnext50", (30, 53)),
    "csresnext50-stage3": Drawn("csresnext50", (39, 65)),
    "prn": Drawn("yolov3-csppelee-prn", (159, 173)),
    "efm": Drawn("yolov3-csppelee-efm", (159, 214)),
    "maxout": Drawn("yolov3-csppelee-efm", (164, 166)),
    "sam": Drawn("yolov3-csppelee-efm", (190, 194), full=True),
    "csppelee": Drawn("csppelee"),
    "csresnext50": Drawn("csresnext50"),
}
CHARTS = {
    "fig7": Chart("bflops", {
        "PeleeNet-YOLO": "yolov3-pelee", "PeleeNet-PRN": "yolov3-pelee-prn",
        "CSPPeleeNet-EFM": "yolov3-csppelee-efm-plain",
    }),
    "fig8": Chart("cio", {"ResNeXt-50": "resnext50", "CSPResNeXt-50": "csresnext50"}),
}  # fmt: skip


def write_charts(folder: Path) -> Iterator[Path]:
    """Draw the charts, which need matplotlib and differ a little between its versions."""
    for name, chart in CHARTS.items():
        graphs = {label: graph_of(cfg, NETWORKS[cfg].size) for label, cfg in chart.networks.items()}
        yield plot(graphs, folder / f"{name}.svg", chart.quantity)


def main(folder: Path) -> None:
    """Write all pictures, and remove those that are gone."""
    folder.mkdir(exist_ok=True)
    for name, picture in DRAWN.items():
        (folder / f"{name}.svg").write_text(picture.svg(), encoding="utf-8")
    for stale in {p.stem for p in folder.glob("*.svg")} - {*DRAWN, *CHARTS}:
        (folder / f"{stale}.svg").unlink()
    try:
        print(f"{len(DRAWN) + len(list(write_charts(folder)))} pictures in {folder}")
    except BackendError as e:
        print(f"the charts are as before: {e}")
