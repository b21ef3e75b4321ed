"""From pictures to rows: one for each, in order, and a picture that cannot be read is a row that says why.

Decision: a row is plain data with the same fields for every network, so that a table of millions has one schema
(`SCHEMA` in `job`). It has no times and nothing of the machine: the same pictures give the same bytes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...errors import DataError, first_line, to_nobody
from ...model.pipeline import ordered
from ...vision.headers import pixel_limit
from ...vision.opening import Wanted
from ...vision.picture import Picture
from .addresses import Outage

if TYPE_CHECKING:
    from ...model.model import Model
    from ...vision.results import Results

Row = dict[str, Any]
Bytes = bytes | None | Callable[[], bytes | None]

TOP = 5  # classes of a classifier


def batch_rows(
    model: Model, pictures: Iterable[tuple[str, Bytes]], *, workers: int = 0, batch: int = 1,
    max_pixels: int | None = None, **options: Any,
) -> Iterator[Row]:  # fmt: skip
    """A row for each of the pictures, which are pairs of a name and encoded bytes (or a function that reads them; it
    may raise FileNotFoundError or DarknetError's DataError). None is a row without a picture, and an error as well.

    What `darknet-py batch` writes, for engines of your own: `path`, `width` and `height` in pixels, `boxes`
    (`class_id`, `name`, `score`, and the corners `x1, y1, x2, y2` in pixels, the surest first; None for a classifier),
    `classes` (the five best: `class_id`, `name`, `score`; None for a detector), and `error`, None for a picture that
    could be read; else the others are None. `warning` is that of its `Results`: what may be wrong all the same.
    `options` are those of the model: `conf`, `iou`, `classes` … `workers` threads read and decode ahead.

    >>> from darknet_py import batch_rows, load
    >>> for row in batch_rows(load("yolov4-tiny"), [("a.jpg", open("a.jpg", "rb").read())]):  # doctest: +SKIP
    ...     print(row["path"], row["error"] or len(row["boxes"]))
    """
    check_least(0, workers=workers)
    check_least(1, batch=batch)
    return _found(model, pictures, workers, batch, max_pixels, options)


def check_least(least: int, **numbers: int | None) -> None:
    """Raise `DataError` for the first of the numbers, by its name, that is less; None is none given."""
    for name, number in numbers.items():
        if number is not None and number < least:
            raise DataError(f"{name} is at least {least}, not {number}")


def _found(
    model: Model, pictures: Iterable[tuple[str, Bytes]], workers: int, batch: int, max_pixels: int | None,
    options: dict[str, Any],
) -> Iterator[Row]:  # fmt: skip
    open_it = partial(_opened, wanted=Wanted(model.contract.shape[0], pixel_limit(max_pixels), say=to_nobody))
    call = partial(model, batch=batch, max_pixels=max_pixels, **options)
    if not workers:
        yield from _rows(call, map(open_it, pictures), batch)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from _rows(call, ordered(pool, open_it, pictures, 2 * workers + batch), batch)


def _rows(model: Callable[..., Any], opened: Iterator[tuple[str, Picture | str]], batch: int) -> Iterator[Row]:
    while group := list(islice(opened, batch)):
        errors: list[DataError] = []
        good = [replace(p, path=str(i)) for i, (_, p) in enumerate(group) if isinstance(p, Picture)]
        found = {int(r.path): r for r in model(iter(good), skip=errors.append)} if good else {}
        unfit = map(first_line, errors)  # those that no input can be made of, in order
        for i, (path, picture) in enumerate(group):
            if isinstance(picture, str):
                yield broken_row(path, picture)
            elif i in found:
                yield row_of(path, found[i])
            else:
                yield broken_row(path, next(unfit).removeprefix(f"{i}: "))


def _opened(pair: tuple[str, Bytes], wanted: Wanted) -> tuple[str, Picture | str]:
    """A decoded picture, or what is wrong with it."""
    path, data = os.fspath(pair[0]), pair[1]
    try:
        found = data() if callable(data) else data
        if found is None:  # tables have such rows
            return path, f"{path}: the row has no picture"
        return path, wanted.decoded(bytes(found), path)
    except Outage:
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):  # of somebody's own function
        return path, f"cannot read {path}: there is no such file"
    except DataError as e:
        # How a person may go on is of no use in a table; a name may have line ends, and is no less of it.
        return path, first_line(str(e).replace(path, " ".join(path.splitlines())) if path else e)
    except MemoryError:
        return path, f"{path}: there is not enough memory to decode it"


def row_of(path: str, results: Results) -> Row:
    """The row of a picture that could be read."""
    height, width = results.orig_shape
    row = {
        "path": path, "width": width, "height": height, "boxes": None, "classes": None, "error": None,
        "warning": results.warning,
    }  # fmt: skip
    if results.scores is not None:
        best = results.scores.argsort(kind="stable")[::-1][:TOP].tolist()
        classes = [{**_class(results, i), "score": _number(results.scores[i], 6)} for i in best]
        return _sound(path, {**row, "classes": classes}, classes)
    boxes = results.boxes
    found = [
        {**_class(results, int(c)), "score": _number(score, 6), **_corners(box)}
        for c, score, box in zip(boxes.cls, boxes.conf, boxes.xyxy, strict=True)
    ]
    return _sound(path, {**row, "boxes": found}, found)


def _sound(path: str, row: Row, found: list[Row]) -> Row:
    """The row, unless something in it is no number: JSON has none of these, and nobody should count with them."""
    if all(math.isfinite(value) for one in found for value in one.values() if isinstance(value, float)):
        return row
    return broken_row(path, f"{path}: the network answers NaN or infinity: are its weights whole?")


def _class(results: Results, number: int) -> Row:
    return {"class_id": number, "name": results.names[number]}


def _corners(box: Any) -> Row:
    return {key: _number(value, 2) for key, value in zip(("x1", "y1", "x2", "y2"), box, strict=True)}


def _number(value: Any, digits: int) -> float:
    return round(float(value), digits)


def broken_row(path: str, error: str) -> Row:
    """The row of a picture that could not be read, or computed."""
    nothing = dict.fromkeys(("width", "height", "boxes", "classes"))
    return {"path": path, **nothing, "error": error, "warning": None}
