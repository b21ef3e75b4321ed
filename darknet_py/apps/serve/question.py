"""What a client wants to know of pictures: from which probability on, which classes, how many at most, one a place.

Decision: the words and meanings are those of `model(...)`, wherever they come from: a query, or parameters of the
protocol. Each has a limit, because what is below it costs seconds of computing and is noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...contract.contract import Contract
from ...contract.selection import ALL, Conf, Selection, conf_of, select
from ...errors import DataError, shorten
from ...spelling import did_you_mean

LEAST_CONF = 0.005  # where `darknet detector map` begins (detector.c validate_detector_map)
MAX_DET, MOST_DET = 300, 1000
FORMATS = ("json", "image")  # of an answer of `/detect`
CHOICES = ("classes", "max_det", "agnostic")  # of the objects that are found
SWITCH = {"true": True, "1": True, "false": False, "0": False}
MAX_CLASSES = 1000  # that a request names
MAX_CONFS = 16  # different ones: the heads are decoded for each


@dataclass(frozen=True)
class Question:
    """The thresholds, and which of the objects are wanted; a classifier is asked nothing."""

    conf: float
    iou: float
    selection: Selection = ALL


def question_of(contract: Contract, given: Mapping[str, Any], others: Sequence[str] = ()) -> Question:
    """The question in `CHOICES` and the thresholds, texts or values. Raises `DataError` for what is none.

    `others` are names that there are beside these, of which nothing is given any more.

    >>> question_of(Contract((3, 8, 8), 2, names=("red", "blue")), {"conf": "0.5"}).conf
    0.5
    """
    known = ("conf", "iou", *CHOICES)
    for name in given:
        if name not in known:
            hint = did_you_mean(name, (*known, *others)) or f"there are {', '.join((*known, *others))}"
            raise DataError(f"no parameter {shorten(repr(name), 40)}; {hint}")
    conf = _conf(given.get("conf", contract.threshold))
    iou = _number(given.get("iou", contract.iou), "iou", 0)
    if not contract.decoders:
        chosen = [name for name in CHOICES if name in given]
        if chosen or isinstance(conf, Mapping):
            which = chosen[0] if chosen else "conf of classes"
            raise DataError(f"the network is a classifier, which finds no objects to choose from: no {which}")
        return Question(conf, iou)
    most = _count(given.get("max_det", MAX_DET))
    agnostic = _switch(given.get("agnostic", False), "agnostic")
    threshold, selection = select(
        contract.names, contract.classes, conf=conf, default=contract.threshold,
        classes=_classes(given.get("classes")), max_det=most, agnostic=agnostic,
    )  # fmt: skip
    least = min((threshold, *(own for _, own in selection.thresholds)))
    if beyond := contract.beyond(least, iou, agnostic):
        raise DataError("; ".join(beyond))
    return Question(threshold, iou, selection)


def _conf(value: Any) -> Conf:
    """A threshold, or one for each of some classes, in a text as the command line has it."""
    if not isinstance(value, str) or "=" not in value:
        return _number(value, "conf", LEAST_CONF)
    found = conf_of(value)
    if not isinstance(found, Mapping) or len(found) > MAX_CLASSES or len(set(found.values())) > MAX_CONFS:
        raise DataError(f"conf has at most {MAX_CONFS} thresholds, each of some classes: person=0.5,car=0.3")
    for least in found.values():
        _number(least, "conf", LEAST_CONF)
    return found


def _number(value: Any, name: str, least: float) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not least <= number <= 1:
        raise DataError(f"{name} is between {least:g} and 1, not {shorten(str(value), 40)}")
    return number


def _switch(value: Any, name: str) -> bool:
    found = SWITCH.get(str(value).lower())
    if found is None:
        raise DataError(f"{name} is true or false, not {shorten(str(value), 40)}")
    return found


def _count(value: Any) -> int:
    text = str(value)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if not 1 <= number <= MOST_DET:
        raise DataError(f"max_det is a number from 1 to {MOST_DET}, not {shorten(text, 40)}")
    return number


def _classes(value: Any) -> list[str | int] | None:
    if value is None:
        return None
    found = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or len(found) > MAX_CLASSES:
        raise DataError("classes are names or numbers with commas between: person,car")
    if not all(isinstance(c, str) or type(c) is int for c in found):
        raise DataError("classes are names or numbers, and nothing else")
    return found
