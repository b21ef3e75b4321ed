"""Where results go: lines on stdout, files in a folder. Each is an entry of `SINKS`, which makes the options of `run`.

Decision: a sink takes one result at a time and is done with it, so that a stream of any length can be piped and
stopped. At most one writes to stdout; without one, Darknet's lines are printed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .places import Destination

if TYPE_CHECKING:
    from ...vision.results import Results

Add = Callable[["Results", Destination], None]


@dataclass(frozen=True)
class Console:
    """How stdout is written to: `text` as it is, `line` a value as JSON in one line, `array` the next of an array.

    All are flushed, and a signal cuts none of them in two.
    """

    text: Callable[[str], None]
    line: Callable[[Any], None]
    array: Callable[[], AbstractContextManager[Callable[[Any], None]]]


@dataclass(frozen=True)
class Given:
    """What sinks are told: the console, whether files of the user's are replaced, and whether labels have scores."""

    console: Console
    replace: bool = False
    save_conf: bool = False


@dataclass(frozen=True)
class Sink:
    """A way to write results: its option and help, and how it is opened.

    `prints`: to stdout. `boxes`: of detectors only. `file` is what it writes for a picture, where that is known before.
    """

    option: str
    help: str
    begin: Callable[[Given], AbstractContextManager[Add]]
    prints: bool = False
    boxes: bool = False
    file: Callable[[Destination], Path] | None = None

    @property
    def name(self) -> str:
        """The option as a word of Python."""
        return self.option.replace("-", "_")


@contextmanager
def open_sinks(sinks: Sequence[Sink], given: Given) -> Iterator[Add]:
    """A function that gives a result to all of the sinks; they are closed however the block ends."""
    with ExitStack() as stack:
        adds = [stack.enter_context(sink.begin(given)) for sink in sinks]

        def add(results: Results, place: Destination) -> None:
            for one in adds:
                one(results, place)

        yield add


# -- stdout ------------------------------------------------------------------------------------------------------


@contextmanager
def _text(given: Given) -> Iterator[Add]:
    yield lambda results, _: given.console.text(f"{_named(results)}: {_summary(results)}\n{results.darknet_text()}")


def _named(results: Results) -> str:
    return results.path if results.frame is None else f"{results.path} frame {results.frame}, {results.time or 0:.3f} s"


def _summary(results: Results) -> str:
    what = "classes" if results.scores is not None else f"{len(results)} object{'' if len(results) == 1 else 's'}"
    height, width = results.orig_shape
    return f"{width}x{height}, {what}, {results.seconds * 1000:.1f} ms"


@contextmanager
def _json(given: Given) -> Iterator[Add]:
    with given.console.array() as add:
        yield lambda results, _: add(results.to_dict())


@contextmanager
def _jsonl(given: Given) -> Iterator[Add]:
    yield lambda results, _: given.console.line(results.to_dict())


@contextmanager
def _coco(given: Given) -> Iterator[Add]:
    with given.console.array() as add:

        def write(results: Results, _: Destination) -> None:
            for entry in results.to_coco():
                add(entry)

        yield write


COLUMNS = (
    "filename", "frame", "time", "track_id", "class_id", "name", "confidence", "left", "top", "right", "bottom",
    "format", "text",
)  # fmt: skip


@contextmanager
def _csv(given: Given) -> Iterator[Add]:
    given.console.text(_rows([COLUMNS]))

    def write(results: Results, _: Destination) -> None:
        data = results.to_dict()
        head = [results.path, data.get("frame", ""), data.get("time", "")]
        found = data.get("objects", data.get("classes", ()))
        rows = [
            [
                *head,
                _or_empty(o.get("track_id")),
                o["class_id"],
                o["name"],
                o["confidence"],
                *o.get("box", [""] * 4),
                _or_empty(o.get("format")),
                _or_empty(o.get("text")),
            ]
            for o in found
        ]
        if rows:
            given.console.text(_rows(rows))

    yield write


def _or_empty(value: object) -> object:
    return "" if value is None else value


def _rows(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


# -- files -------------------------------------------------------------------------------------------------------


@contextmanager
def _drawn(given: Given) -> Iterator[Add]:
    def write(results: Results, place: Destination) -> None:
        if results.frame is None:
            results.save(place.picture, replace=given.replace)

    yield write


@contextmanager
def _frames(given: Given) -> Iterator[Add]:
    def write(results: Results, place: Destination) -> None:
        if results.frame is not None:
            results.save(place.picture, replace=given.replace)

    yield write


@contextmanager
def _labels(given: Given) -> Iterator[Add]:
    def write(results: Results, place: Destination) -> None:
        results.save_txt(place.label, conf=given.save_conf, replace=given.replace)

    yield write


@contextmanager
def _crops(given: Given) -> Iterator[Add]:
    def write(results: Results, place: Destination) -> None:
        for i, number in enumerate(results.boxes.cls.tolist()):
            results.save_crop(i, place.crop(results.names[number], i + 1), replace=given.replace)

    yield write


TEXT = Sink("text", "Print Darknet's lines.", _text, prints=True)
DRAWN = Sink("save", "Write drawn pictures.", _drawn, file=lambda place: place.picture)

SINKS = (
    Sink("json", "Print a JSON array instead of Darknet's lines, an item for each picture.", _json, prints=True),
    Sink("jsonl", "Print a line of JSON for each picture instead.", _jsonl, prints=True),
    Sink("csv", "Print CSV instead, a line for each object.", _csv, prints=True),
    Sink("coco", "Print COCO's results JSON instead.", _coco, prints=True, boxes=True),
    Sink("save-txt", "Write YOLO label files, `class cx cy w h`, into DIR/labels.", _labels, file=lambda p: p.label),
    Sink("save-crop", "Write each object into DIR/crops/CLASS.", _crops, boxes=True),
    Sink("save-frames", "Videos: write drawn frames as pictures, DIR/NAME_NUMBER.jpg, and no video.", _frames),
)
