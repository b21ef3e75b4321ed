"""The performance benchmark: `python -m tools.bench.performance [NETWORK...] [--part PART...] [--write]`.

Every network in darknet-py's back ends and in what a user would pick instead, each contestant in its own process and
environment: outputs are compared, then all are timed in interleaved rounds with the machine's own peaks.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from darknet_py.errors import DarknetError
from darknet_py.machine import cpu, features

from ..environments import DARKNET_PY, OPENVINO, ROOT
from . import kept, measure
from .bars import bars
from .machines import TELLING
from .networks import EIGHT, NETWORKS, Entry, find_cfg
from .prepare import made_up_photo
from .report import markdown
from .throughput import PICTURES

HERE = Path(__file__).parent
SHARED = ROOT.parent / "shared"
CFGS, WEIGHTS = (SHARED / "cfgs",), (SHARED / "weights", ROOT / "weights")
BUDGET, QUICK = 40.0, 5.0  # seconds of rounds for a network
PARTS = ("networks", "around", "int8", "growth", "ceilings")
MANY = ("yolo-fastest-1.1", "yolov4-tiny")  # networks that many pictures are sent through
FIRST = "yolo-fastest-1.1"  # the network whose first picture's imports are counted
AROUND = ("yolov4-tiny", "yolo-fastest-1.1", "yolov4")  # networks whose whole process and export are timed

Result = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What is measured, and on what.

    `sides` are parts of the names of the contestants that take part (none: all), `budget` is seconds of rounds for each
    network, `eight` names the networks whose int8 is measured, on `photos`, of which `pictures` are sent.
    """

    entries: Sequence[Entry]
    cfgs: Sequence[Path]
    weights: Sequence[Path]
    photo: Path | None
    threads: int
    budget: float
    sides: Sequence[str] = ()
    parts: Collection[str] = PARTS
    photos: Path | None = None
    pictures: int = PICTURES
    eight: Sequence[str] = ()

    def measured(self, each: Callable[[Result], None] = lambda _: None) -> Result:
        """What was measured, and what could not be, as plain data; `each` gets what there is after each part."""
        started, load = time.time(), os.getloadavg()[0]
        result: Result = {part: [] for part in kept.ROWS} | {part: {} for part in kept.WHOLES} | {"missing": {}}
        has = features()
        known = None if has is None else sorted(has.intersection(TELLING))
        machine = {"cpu": cpu(), "features": known, "cores": os.cpu_count(), "threads": self.threads}

        def done() -> None:
            loads = {"load before": load, "load after": os.getloadavg()[0], "seconds": round(time.time() - started)}
            result[kept.MACHINE] = {**machine, **loads}
            each(result)

        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            os.environ[measure.CACHE] = str(Path(folder, "cache"))  # of compiled networks, for all processes
            if not {"networks", "around"}.isdisjoint(self.parts):
                self._networks(Path(folder), result, done)
        if "ceilings" in self.parts:
            result["ceilings"] = measure.program_of(OPENVINO, "ceilings", str(self.threads), threads=self.threads)
            done()
        for name in self.eight if "int8" in self.parts else ():
            result["int8"].append(measure.eight(name, [*self.weights, *self.cfgs], self.photos))
            done()
        if "growth" in self.parts:
            result["growth"] = measure.program_of(DARKNET_PY, "growth", str(self.threads), threads=self.threads)
        done()
        return {**result, "bars": bars(result)}

    def _networks(self, folder: Path, result: Result, done: Callable[[], None]) -> None:
        """All networks, and what is around some of them."""
        pixels, file = _photo(self.photo, folder)
        with measure.peaks(folder, self.threads) as peak:
            for number, entry in enumerate(self.entries):
                around = "around" in self.parts and not entry.sides
                if not ("networks" in self.parts or (around and entry.name in {*AROUND, *MANY})):
                    continue
                click.echo(f"{entry.title} …", err=True)
                own = folder / str(number)
                try:
                    files = measure.prepared(entry, self.cfgs, self.weights, own, pixels, self.threads)
                except (DarknetError, OSError, ValueError) as e:
                    result["missing"][entry.title] = str(e)
                    continue
                allowed = [*self.sides, *entry.sides]
                result["networks"].append(measure.network(entry, files, peak, self.threads, self.budget, allowed))
                done()
                if around and entry.name in AROUND:
                    result["processes"].append(measure.processes(entry, files, file, self.threads))
                    result["exports"].append(measure.export(entry, files, self.threads))
                if around and entry.name in MANY:
                    many = folder / "many"
                    sent = measure.sending(entry, files, self.photos, many, self.pictures, self.threads)
                    result["throughput"].append(sent)
                if around and entry.name == FIRST:
                    given = files.job["cfg"], files.job["weights"], str(file)
                    result["around"] = measure.program_of(DARKNET_PY, "around", *given, threads=self.threads)
                done()


def _photo(path: Path | None, folder: Path) -> tuple[np.ndarray, Path]:
    """The pixels (BGR) and a file of them."""
    import cv2

    pixels = cv2.imread(str(path)) if path else made_up_photo()
    if pixels is None:
        raise click.ClickException(f"{path} is no picture")
    file = folder / "photo.jpg"
    cv2.imwrite(str(file), pixels)
    return pixels, file


@click.command()
@click.argument("names", nargs=-1, metavar="[NETWORK]...")
@click.option(
    "--cfgs", multiple=True, type=click.Path(path_type=Path), help="A folder with cfgs (default: ../shared/cfgs)."
)
@click.option("--weights", multiple=True, type=click.Path(path_type=Path), help="A folder with weights.")
@click.option(
    "--photo", type=click.Path(path_type=Path, exists=True), help="The photo (default: one of ../shared, or made up)."
)
@click.option("--size", type=click.IntRange(32), help="Another input size, for all networks.")
@click.option("--threads", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True)
@click.option("--side", "sides", multiple=True, help="Only contestants with this in their name.")
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(PARTS),
    help="Only this part (may be repeated): the networks one by one; what is around them (whole processes, exports, "
    "many pictures, the resize); int8; growth; the most that fewer bits gain.",
)
@click.option("--quick", is_flag=True, help="A few small networks and few rounds.")
@click.option("--budget", type=click.FloatRange(0), help="Seconds of rounds for each network.")
@click.option(
    "--photos",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder of JPEGs that are sent through many times (default: ../shared/images/coco64/images, or made up).",
)
@click.option("--pictures", type=click.IntRange(1), default=PICTURES, show_default=True, help="How many are sent.")
@click.option("--write", is_flag=True, help="Write the results of this machine into results/, and RESULTS.md of all.")
def main(
    names: tuple[str, ...], cfgs: tuple[Path, ...], weights: tuple[Path, ...], photo: Path | None, size: int | None,
    threads: int, sides: tuple[str, ...], parts: tuple[str, ...], quick: bool, budget: float | None,
    photos: Path | None, pictures: int, write: bool,
) -> None:  # fmt: skip
    """Time networks in darknet-py and in what a user would pick instead."""
    if write and (sides or size or quick):
        raise click.UsageError(
            "--write keeps what all contestants do at the usual size: leave out --side, --size, --quick"
        )
    results, told = HERE / "results", HERE / "RESULTS.md"
    if write:
        try:
            kept.check(results, told)
        except DarknetError as e:
            raise click.ClickException(str(e)) from None
    unknown = [n for n in names if n not in {e.name for e in NETWORKS}]
    folders = [p for p in (*(weights or WEIGHTS), *(cfgs or CFGS)) if p.is_dir()]
    if lost := [n for n in unknown if find_cfg(n, folders) is None]:
        known = ", ".join(dict.fromkeys(e.name for e in NETWORKS))
        raise click.UsageError(f"no cfg of the name {lost[0]}; the benchmark's own are {known}")
    entries = [e for e in NETWORKS if (e.name in names if names else e.quick or not quick)]
    entries += [Entry(n) for n in unknown]
    if size:
        entries = [Entry(e.name, size, e.quick, e.sides) for e in entries if not e.sides]
    dog, coco = SHARED / "images" / "dog.jpg", SHARED / "images" / "coco64" / "images"
    run = Run(
        entries, cfgs or CFGS, weights or WEIGHTS,
        photo or (dog if dog.is_file() else None), threads, budget or (QUICK if quick else BUDGET), sides,
        parts or (PARTS[:1] if quick else PARTS), photos or (coco if coco.is_dir() else None), pictures,
        [n for n in EIGHT if not names or n in names],
    )  # fmt: skip

    def keep(result: Result) -> None:
        kept.write(result, results, told)

    click.echo(markdown(run.measured(keep) if write else run.measured()))


if __name__ == "__main__":
    sys.exit(main())
