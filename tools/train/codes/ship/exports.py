"""The exported forms of the network on the photos: what they weigh, what they lose, how fast one thread is.

Decision: what is compared are files as `export` writes them, opened as users open them. Times are of the processor, a
photo by one form after the other, so that other work on the machine changes both.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from darknet_py import Boxes, load
from darknet_py.analysis.evaluate.record import RECORDED, Detected
from darknet_py.analysis.quantize import Loss, loss
from darknet_py.darknet.network import Network
from darknet_py.errors import DarknetError, DataError, Say
from darknet_py.model.formats import find_format
from darknet_py.model.formats.web import MODEL, RUNTIME
from darknet_py.model.model import Model
from darknet_py.vision.results import Results
from tools.markdown import table

from ..score.arithmetic import SHOWN, Scored, interval, score_photos
from ..score.contestants import Contestant, Run
from ..score.photos import Photo
from ..score.table import Row, Value, precisions
from ..source import write_pictures

CALIBRATED, SEED = 84, 3  # drawn pictures, of which every fourth is held out; of another seed than the training's
TIMED = 4  # of so many photos one is timed, and looked at in JavaScript
FLOAT, INT8, WEB = "float32", "int8", "web"
SCRIPT = Path(__file__).with_name("web.mjs")


@dataclass(frozen=True)
class Form:
    """A form of the network: its bytes, its average precisions, what AP50 it has more than float32 (paired), and the
    milliseconds of a photo with one thread, with how many times as fast as float32 that is.
    """

    name: str
    size: int
    precision: Mapping[str, Value]
    more: Value | None
    milliseconds: float
    speed: float


@dataclass(frozen=True)
class Exports:
    """All forms, and how the page's own JavaScript agrees with Python, or why that is not known."""

    forms: tuple[Form, ...]
    page: str
    agreement: str

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {**{form.name: vars(form) for form in self.forms}, "page": self.page, "agreement": self.agreement}

    def markdown(self) -> str:
        """The table, and the sentences below it."""
        keys = ("AP50 any code", "AP any code")
        rows = [
            (
                form.name, f"{form.size / 1e6:.1f} MB", *(form.precision[key] for key in keys), form.more or "",
                f"{form.milliseconds:.1f}", f"{form.speed:.2f}",
            )
            for form in self.forms
        ]  # fmt: skip
        head = ("form", "size", *keys, "AP50 more than float32", "ms, one thread", "speed")
        return f"{table(head, rows)}\n\n{self.page}\n{self.agreement}\n"


def measure(
    network: Network, found: Sequence[Detected], photos: Sequence[Photo], folder: Path, npm: Path | None, say: Say
) -> Exports:  # fmt: skip
    """Write the forms into `folder` and measure them; `found` is what float32 finds in the photos."""
    pictures = [read(photo.path) for photo in photos]
    files, page, agreement = _written(network, folder, npm, say)
    models = {name: load(file, quiet=True, threads=1) for name, file in files.items()}
    milliseconds = timed(models, pictures[::TIMED])
    base = np.array(milliseconds[FLOAT])
    forms = []
    for name, model in models.items():
        say(f"exports: {name}")
        own = found if name == FLOAT else [Detected.of(model(picture, RECORDED)[0]) for picture in pictures]
        own = [Detected(one.shape, one.cls, one.conf, one.boxes, 0.0) for one in own]
        row = Row(Contestant(name, scored=True), Run(tuple(own), ((),) * len(own), ""), 0.0)
        forms.append(
            Form(
                name, files[name].stat().st_size, precisions(row, photos),
                None if name == FLOAT else more_precise(own, found, photos), median(milliseconds[name]),
                float(np.median(base / np.array(milliseconds[name]))),
            )
        )  # fmt: skip
    if WEB in models and not agreement:
        agreement = in_node(files[WEB].parent, models[WEB], pictures[::TIMED])
    return Exports(tuple(forms), page, agreement)


def _written(network: Network, folder: Path, npm: Path | None, say: Say) -> tuple[dict[str, Path], str, str]:
    """The files of all forms, how large the page is, and why its JavaScript is not run, if it is not."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = write_pictures(folder / "drawn", CALIBRATED, network.program().contract.shape[1], seed=SEED, held_out=False)
    onnx = find_format(Path("net.onnx"), None)
    files = {FLOAT: folder / "float32.onnx", INT8: folder / "int8.onnx"}
    onnx.write(network, files[FLOAT], replace=True, say=say)
    onnx.write(network, files[INT8], replace=True, say=say, int8=drawn)
    web = folder / "web"
    try:
        find_format(web, "web").write(network, web, replace=True, say=say, runtime=npm)
    except DarknetError as e:
        return files, f"The page was not written: {str(e).splitlines()[0]}.", "-"
    sizes = {path.name: path.stat().st_size for path in web.iterdir() if not path.name.startswith(".")}
    runtime = sum(sizes[name] for name in RUNTIME)
    page = (
        f"The page for browsers is {sum(sizes.values()) / 1e6:.1f} MB: the network, {runtime / 1e6:.1f} MB of "
        f"onnxruntime-web, and {(sum(sizes.values()) - sizes[MODEL] - runtime) / 1e3:.0f} KB of its own."
    )
    return {**files, WEB: web / MODEL}, page, "" if which("node") else "Its JavaScript was not run: Node is not here."


def read(path: Path) -> np.ndarray:
    """A photo, (h, w, 3) BGR uint8."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise DataError(f"{path} cannot be read as a picture")
    return picture


def timed(models: Mapping[str, Model], pictures: Sequence[np.ndarray]) -> dict[str, list[float]]:
    """Milliseconds of one thread of each picture, by each model in turn."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for model in models.values():
            model(pictures[0], SHOWN)
        taken: dict[str, list[float]] = {name: [] for name in models}
        for picture in pictures:
            for name, model in models.items():
                start = time.process_time()
                model(picture, SHOWN)
                taken[name].append(1000 * (time.process_time() - start))
        return taken
    finally:
        cv2.setNumThreads(threads)


def more_precise(own: Sequence[Detected], base: Sequence[Detected], photos: Sequence[Photo]) -> Value:
    """How much more AP50 of any code the first has, by the same draws of photos for both."""
    labels = [photo.labels for photo in photos]
    a, b = (score_photos(found, labels, 1, 0.5, any_class=True) for found in (own, base))

    def more(weight: np.ndarray, a: Scored = a, b: Scored = b) -> float:
        return a.drawn(weight).average_precision - b.drawn(weight).average_precision

    return Value(more(a.weight), *interval(len(photos), more))


def in_node(page: Path, model: Model, pictures: Sequence[np.ndarray]) -> str:
    """How what the page's JavaScript finds agrees with what Python finds with the same file, in a sentence."""
    wanted = [model(picture, SHOWN)[0] for picture in pictures]
    with TemporaryDirectory() as folder:
        cases = []
        for number, picture in enumerate(pictures):
            path = Path(folder, f"{number}.rgba")
            path.write_bytes(cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA).tobytes())
            cases.append({"file": str(path), "height": picture.shape[0], "width": picture.shape[1]})
        command = ["node", str(SCRIPT), str(page.resolve()), str(SHOWN)]
        done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        return f"Its JavaScript could not be run in Node: {last[0]}"
    got = [_results(found, one) for found, one in zip(json.loads(done.stdout), wanted, strict=True)]
    return _agreement(loss(wanted, got), sum(map(len, got)))


def _results(objects: Sequence[Mapping[str, Any]], like: Results) -> Results:
    boxes = Boxes(
        np.array([one["box"] for one in objects], np.float32).reshape(-1, 4),
        np.array([one["confidence"] for one in objects], np.float32),
        np.array([one["class_id"] for one in objects], int), like.orig_shape,
    )  # fmt: skip
    return Results(like.orig_img, like.path, like.names, boxes)


def _agreement(found: Loss, own: int) -> str:
    shared = round((found.recall or 0) * found.objects)
    off = "" if found.difference is None else f", probabilities {found.difference:.1e} apart on average"
    return (
        f"Its JavaScript, run by onnxruntime-web in Node on {found.pictures} of the photos: of {found.objects} boxes "
        f"that Python finds with the same file it finds {shared}, and {own - shared} others{off}."
    )
