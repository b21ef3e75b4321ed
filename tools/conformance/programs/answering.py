"""How a program of this folder is called: once for each case, or once for all of them (`serve`)."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable

Answer = Callable[[list[str]], str]  # of the words of a call: why it was refused, '' where it was answered


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
