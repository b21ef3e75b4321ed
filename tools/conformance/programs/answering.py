"""How a program of this folder is called: once for each case, or once for all of them (`serve`)."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

Answer = Callable[[list[str]], str]  # of the words of a call: why it was refused, '' where it was answered


class Refused(Exception):
    """Why a program does not take a network or an input."""


# Of the cfg, the weights where there are any, and a batch of one picture: what layers give, by their numbers.
Infer = Callable[[Path, Path | None, np.ndarray], Mapping[int, np.ndarray]]


def of_pictures(infer: Infer) -> Answer:
    """The answers of a program that reads networks and runs them on pictures, and does nothing else."""

    def call(words: list[str]) -> str:
        action, *rest = words
        if action != "infer":
            return "it does not train"
        cfg, weights, given, out = map(Path, rest)
        x = np.load(given)
        if x.ndim != 3:
            return "it takes pictures"
        try:
            found = infer(cfg, weights if weights.is_file() else None, x[None])
        except Refused as e:
            return str(e)
        for layer, array in found.items():
            np.save(out / f"layer_{layer}.npy", array)
        return ""

    return call


def answer(call: Answer, before: int = 0) -> int:
    """Answer the call on the command line, after `before` words of its own, or those on stdin; the status."""
    own, words = sys.argv[1 : 1 + before], sys.argv[1 + before :]
    if words != ["serve"]:
        said = call([*own, *words])
        if said:
            print(said, file=sys.stderr)
        return int(bool(said))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            said = call([*own, *json.loads(line)])
        print(json.dumps([int(bool(said)), said]), file=answers, flush=True)
    return 0
