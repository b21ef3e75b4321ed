"""`python -m tools.formats.known`: networks that people use in each format, with what fewer bits lose on pictures, and
what it takes to write one.

Decision: what is right is decided by the same comparison that `export` makes; what fewer bits lose is told, and
bounded, as objects that the file of float32 finds in real pictures.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2

from darknet_py import load
from darknet_py.analysis.quantize import loss, split_pictures
from darknet_py.darknet.network import Network, open_network
from darknet_py.errors import DarknetError
from darknet_py.model.agreement import compare_exported
from darknet_py.model.formats import Format, formats, read_exported
from darknet_py.vision.results import Results
from tools.markdown import table
from tools.train.mnist import read_digits

from .page import NPM, PAGE, ROOT, SHARED, put, rows_of

COMMAND = "make formats-known"
SEED = 1
DIGITS = 64  # pictures
BOUNDS = {"float16": 0.97, "int8": 0.8}  # at least, of the objects: found too, and of what is found
FORMS: dict[str, dict[str, Any]] = {
    "raw": {}, "decoded": {"boxes": "decoded"}, "float16": {"half": True}, "int8": {},
}  # fmt: skip


@dataclass(frozen=True)
class Known:
    """A network, by what people call it; without `weights` they are random, and without `pictures` it sees none."""

    title: str
    cfg: Path
    weights: Path | None = None
    pictures: Path | None = None

    def open(self) -> Network:
        """The network with its weights."""
        return open_network(self.cfg, self.weights) if self.weights else open_network(self.cfg, random=SEED)


def known(pictures: Path) -> Iterator[Known]:
    """The networks whose files are there."""
    weights, cfgs, own = SHARED / "weights", SHARED / "cfgs" / "AlexeyAB+darknet", ROOT / "cfgs"
    coco = SHARED / "images" / "coco64" / "images"
    for name in ("yolov4-tiny", "yolo-fastest-1.1"):
        yield Known(name, weights / name / f"{name}.cfg", weights / name / f"{name}.weights", coco)
    yield Known("csppelee-efm", own / "yolov3-csppelee-efm.cfg")
    yield Known("csresnext50", own / "csresnext50.cfg")
    yield Known("Gaussian_yolov3_BDD", cfgs / "cfg__Gaussian_yolov3_BDD.cfg")
    yield Known("yolov2-voc (region)", cfgs / "build__darknet__x64__yolo-voc.cfg")
    lenet = weights / "mnist_lenet"
    yield Known("LeNet", lenet / "mnist_lenet.cfg", lenet / "mnist_lenet.weights", pictures)
    yield Known("gru (recurrent)", cfgs / "cfg__gru.cfg")


@dataclass(frozen=True)
class Cell:
    """What became of a network in a form of a format, and whether that is what it is to be."""

    told: str
    is_right: bool = True


def cell(one: Known, network: Network, kind: Format, form: str, options: dict[str, Any]) -> Cell:
    """Write a network, and hold the file against NumPy, or against float32 on pictures; empty for a form it has not."""
    options = {"int8": one.pictures} if form == "int8" else options
    if not {*options} <= {*kind.options} or None in options.values():
        return Cell("")
    common: dict[str, Any] = {"runtime": NPM} if "runtime" in kind.options else {}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, f"net{kind.suffix}")
        try:
            kind.write(network, path, check=False, **options, **common)
        except DarknetError as e:
            return Cell(f"refused: {str(e).splitlines()[0]}")
        try:
            if kind.agreement is not None:
                return Cell(kind.agreement(network, path))
            return _judged(one, network, kind, path, form, common)
        except DarknetError as e:
            return Cell(f"wrong: {str(e).splitlines()[0]}", False)


def _judged(
    one: Known, network: Network, kind: Format, path: Path, form: str, common: dict[str, Any]
) -> Cell:  # fmt: skip
    file, contract = read_exported(path)
    if form not in BOUNDS or one.pictures is None:
        found = compare_exported(network, file, contract)
        off = str(found) if found.off is None else f"{found.off:.0e}"
        return Cell(off, found.is_right or form in BOUNDS)
    whole = path.with_name(f"whole{path.suffix}")
    kind.write(network, whole, check=False, **common)
    lost = loss(found_by(read_exported(whole)[0], one.pictures), found_by(file, one.pictures))
    rates = lost.recall or 0.0, lost.precision or 0.0
    return Cell("{:.3f}, {:.3f}".format(*rates), min(rates) >= BOUNDS[form])


def found_by(file: Path, pictures: Path) -> list[Results]:
    """What a file finds in the pictures that nothing was calibrated on."""
    _, held_out = split_pictures(pictures)
    model = load(file)
    return [result for picture in held_out for result in model(picture)]


def write_digits(folder: Path) -> None:
    """Some of MNIST's pictures, if these are there."""
    if (SHARED / "images" / "mnist").is_dir():
        for i, pixels in enumerate(read_digits(SHARED / "images" / "mnist")[0][:DIGITS]):
            cv2.imwrite(str(folder / f"{i:03}.png"), pixels)


def rows(one: Known, wanted: list[Format]) -> Iterator[tuple[str, str, list[Cell]]]:
    """A network in all forms of each format."""
    network = one.open()
    detects = bool(network.program().contract.decoders)
    for kind in wanted:
        forms = {name: options for name, options in FORMS.items() if detects or name != "decoded"}
        found = {name: cell(one, network, kind, name, options) for name, options in forms.items()}
        yield one.title, kind.name, [found.get(name, Cell("")) for name in FORMS]


def main() -> int:
    """Write the tables; 1 if a file is not what it is to be."""
    parser = argparse.ArgumentParser(prog="python -m tools.formats.known", description=__doc__)
    parser.add_argument("--format", action="append", choices=tuple(formats()), help="only these")
    parser.add_argument("--match", default="", help="only networks with this in their name")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    able = [f for f in formats().values() if f.contract or f.entry or f.agreement]  # Core ML's nobody runs here
    wanted = [f for f in able if f.name in (options.format or formats())]
    wrong, lines = 0, dict[tuple[str, str], tuple[str, ...]]()
    with TemporaryDirectory() as folder:
        write_digits(Path(folder))
        for one in known(Path(folder)):
            if options.match not in one.title:
                continue
            if not one.cfg.is_file():
                print(f"{one.title}: there is no {one.cfg}", file=sys.stderr)
                continue
            for title, name, cells in rows(one, wanted):
                lines[title, name] = (title, name, *(c.told for c in cells))
                wrong += sum(not c.is_right for c in cells)
                print("  ".join(lines[title, name]), "" if all(c.is_right for c in cells) else "WRONG", flush=True)
    if not lines:
        return 2
    if options.write:  # rows that were not measured now stay
        before = {(line[0], line[1]): line for line in rows_of(COMMAND)}
        put(COMMAND, table(("network", "format", *FORMS), {**before, **lines}.values(), words=2))
    print(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
