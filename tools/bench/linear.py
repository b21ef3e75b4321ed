"""Whether parsing and compiling stay linear: processor time of n and of 4 n of everything that a cfg can repeat.

`make bench-linear` prints the table of LINEAR.md; the bar is 4.6 times the time for 4 times as much.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from darknet_py.darknet.compile import compile_cfg
from tools.markdown import table

BAR = 4.6
ROUNDS = 5

NET = "[net]\nwidth=32\nheight=32\nchannels=3\n"
CONV = "[convolutional]\nfilters=2\nactivation=leaky\n"
HEAD = (
    "[convolutional]\nfilters=21\nactivation=linear\n"
    "[yolo]\nmask=0,1,2\nanchors=10,14, 23,27, 37,58\nclasses=2\nnum=3\n[route]\nlayers=-3\n"
)

# What is repeated: its name, how many make a measurable time, and the text of n of them.
CASES: dict[str, tuple[int, Callable[[int], str]]] = {
    "sections": (2000, lambda n: NET + "[conv]\n" * n),
    "sections nobody knows": (2000, lambda n: NET + "".join(f"[layer{i:06}]\n" for i in range(n))),
    "list items": (40_000, lambda n: NET + CONV + "[route]\nlayers=" + "0," * n + "0\n"),
    "digits of a list": (200_000, lambda n: NET + CONV + "[route]\nlayers=" + "1" * n + "\n"),
    "blanks in a list": (200_000, lambda n: NET + CONV + "[route]\nlayers=0" + " " * n + "0\n"),
    "commas at the end of a list": (10_000, lambda n: NET + CONV + "[route]\nlayers=0" + "," * n + "\n"),
    "options": (5000, lambda n: NET + CONV + "".join(f"option{i:06}=1\n" for i in range(n))),
    "blank lines": (400_000, lambda n: NET + "\n" * n + CONV),
    "blank lines before the first section": (400_000, lambda n: "x=1\n" + "\n" * n + NET),
    "comments": (50_000, lambda n: NET + "# comment\n" * n + CONV),
    "repeated keys": (5000, lambda n: NET + CONV + "filters=2\n" * n),
    "variables": (2000, lambda n: NET + "".join(f"v{i:06}=1\n" for i in range(n)) + "[conv]\nfilters=$v000001\n" * n),
    "lines without =": (5000, lambda n: NET + CONV + "pad 1\n" * n),
    "[rnn]": (800, lambda n: NET + "[rnn]\n" * n),
    "[gru]": (400, lambda n: NET + "[gru]\n" * n),
    "[lstm]": (300, lambda n: NET + "[lstm]\n" * n),
    "[crnn]": (800, lambda n: NET + "[crnn]\npad=1\n" * n),
    "[conv_lstm]": (200, lambda n: NET + "[conv_lstm]\npad=1\nsize=3\n" * n),
    "[yolo] with its convolution": (500, lambda n: NET + HEAD * n),
    "[shortcut]": (1000, lambda n: NET + CONV + (CONV + "[shortcut]\nfrom=0\n") * n),
    "share_index": (1500, lambda n: NET + "[conv]\nfilters=3\n" + "[conv]\nfilters=3\nshare_index=-1\n" * n),
}


def processor_seconds(text: str) -> float:
    """Processor time of parsing and compiling a text, which may be full of errors."""
    start = time.process_time()
    compile_cfg(text)
    return time.process_time() - start


def growth(make: Callable[[int], str], n: int, rounds: int = ROUNDS) -> tuple[float, float]:
    """Medians for n and for 4 n, measured in turn so that a slower minute slows both."""
    texts = make(n), make(4 * n)
    pairs = [tuple(map(processor_seconds, texts)) for _ in range(rounds)]
    return median(p[0] for p in pairs), median(p[1] for p in pairs)


def measured(rounds: int = ROUNDS) -> str:
    """Every case as a row of Markdown."""
    compile_cfg(NET + HEAD)  # imports, and the tables of the grammar
    rows = []
    for name, (n, make) in CASES.items():
        once, four = growth(make, n, rounds)
        rows.append((name, f"{n:,}", f"{once * 1e3:.0f}", f"{four * 1e3:.0f}", f"{four / once:.2f}"))
    return table(("what", "n", "n, ms", "4 n, ms", "times"), rows)


def main() -> None:
    """Print the table, or with `--write` put it into LINEAR.md."""
    found = measured()
    print(found)
    if "--write" in sys.argv:
        title = "# Time that a cfg takes, by what it repeats"
        text = f"Processor time of `compile_cfg`, medians of {ROUNDS}, by `make bench-linear`. The bar is {BAR} times."
        Path(__file__).with_name("LINEAR.md").write_text(f"{title}\n\n{text}\n\n{found}\n")


if __name__ == "__main__":
    main()
