"""What data must be before it is taken for a contract or a decoder: files that carry them may be damaged, or lie.

Decision: each field has one test by its name, for the contract and all decoders together; what passes makes no later
step fail otherwise than with an error that says so, nor ask for more memory than a network has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from .nms import NMS_KINDS

MAX_CLASSES = 1 << 20  # ImageNet has 21,841
MAX_NUMBERED = 1 << 16  # classes: an output of more is an image or a map, and nobody wants a list of its numbers
MAX_COUNT = 1 << 20  # of boxes of a cell, cells along a side, samples
MAX_ELEMENTS = 1 << 31  # of one input: what the compiler allows

Test = Callable[[Any], bool]


def whole(low: int, high: int) -> Test:
    """Whether a value is a whole number from `low` to `high`; True and False are none."""
    return lambda v: type(v) is int and low <= v <= high


def number(low: float, high: float) -> Test:
    """Whether a value is a finite number from `low` to `high`."""
    return lambda v: type(v) in (int, float) and math.isfinite(v) and low <= v <= high


def flag(value: Any) -> bool:
    """Whether a value is True or False, as the cfg may write them too."""
    return type(value) is bool or (type(value) is int and value in (0, 1))


def text(value: Any) -> bool:
    """Whether a value is a text."""
    return isinstance(value, str)


def texts(value: Any) -> bool:
    """Whether a value is a tuple of texts."""
    return isinstance(value, tuple) and all(map(text, value))


def one_of(*choices: str) -> Test:
    """Whether a value is one of some words."""
    return lambda v: text(v) and v in choices


def or_none(test: Test) -> Test:
    """Whether a value is None, or passes a test."""
    return lambda v: v is None or test(v)


def shape(value: Any) -> bool:
    """Whether a value is the shape of one sample."""
    known = whole(1, MAX_ELEMENTS)
    return isinstance(value, tuple) and bool(value) and all(map(known, value)) and math.prod(value) <= MAX_ELEMENTS


def pairs(value: Any) -> bool:
    """Whether a value is a tuple of pairs of numbers, with at least one."""
    known = number(-1e9, 1e9)
    own = isinstance(value, tuple) and 0 < len(value) <= MAX_COUNT
    return own and all(isinstance(p, tuple) and len(p) == 2 and all(map(known, p)) for p in value)


DECODER: Mapping[str, Test] = {
    "classes": whole(0, MAX_CLASSES), "anchors": pairs, "stretch": number(-1e9, 1e9), "nms_kind": one_of(*NMS_KINDS),
    "nms_beta": number(-1e9, 1e9), "logistic": one_of("centre and scores", "nothing", "all"), "squared": flag,
    "point": one_of("center", "left_top", "right_bottom"), "side": whole(1, MAX_COUNT), "num": whole(1, MAX_COUNT),
    "sqrt": flag, "softmax": flag, "classfix": flag, "tree_file": or_none(text),
}  # fmt: skip

CONTRACT: Mapping[str, Test] = {
    "shape": shape, "classes": whole(0, MAX_ELEMENTS), "resize": one_of("stretch", "letterbox", "crop"),
    "names": texts, "names_origin": text, "outputs": texts,
    "boxes": one_of("raw", "input", "decoded", "nms", "padded", "tensorrt"),
    "threshold": number(0, 1), "iou": number(0, 1), "max_detections": or_none(whole(1, MAX_ELEMENTS)),
    "nms_kind": one_of(*NMS_KINDS), "nms_beta": number(-1e9, 1e9),
    "batch": or_none(whole(1, MAX_COUNT)), "input": text, "colour": one_of("RGB", "RGBA"), "scale": number(1e-12, 1e12),
    "half": flag, "int8": or_none(lambda v: isinstance(v, dict)), "origin": text, "producer": text, "cfg": text,
    "cfg_sha256": text, "weights_sha256": or_none(text), "dialect": text, "diagnostics": texts,
}  # fmt: skip

STATE: Mapping[str, Test] = {"input": text, "output": text, "shape": shape}


def believe(value: object, tests: Mapping[str, Test]) -> None:
    """Raise `ValueError` for the first field of a value that does not pass its test."""
    for name, own in vars(value).items():
        if name in tests and not tests[name](own):
            raise ValueError(f"{name} cannot be {str(own)[:60]!r}")
