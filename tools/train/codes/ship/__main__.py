"""`make codes-ship` (`python -m tools.train.codes.ship`): from the end of the training to what ships, in one run.

It takes the best weights of a training that has ended into `weights/`, scores them on the photos of `../shared/images`
beside all other contestants, measures the exported forms, and writes the tables of the model card anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darknet_py import files, load
from darknet_py.analysis.evaluate.record import Detected
from darknet_py.darknet.network import open_network
from darknet_py.errors import DarknetError

from ..score import table
from ..score.bars import bars, bars_table
from ..score.contestants import OTHERS, ours
from ..score.page import page
from ..score.photos import SETS, read_set
from ..score.results import Score, score
from ..sheet import encoded
from ..source import Drawn
from ..train import CFG, folder
from .card import procedure, reading, results, rewritten
from .exports import Exports, measure
from .failures import MOST, names_table, worst_drawn
from .manifest import ship
from .training import Training, read_training

ROOT = Path(__file__).parents[4]
NAME = CFG.stem
SIZES = (416, 320)
COMMAND = "make codes-ship"
QUICK = 64  # of so many photos one
NPM = ROOT / ".web-npm"
SECTIONS = ("bars", "procedure", "results", "exports", "reading", "failures")  # of the card


@dataclass(frozen=True)
class Places:
    """Where everything is written, below a checkout."""

    root: Path

    @property
    def manifest(self) -> Path:
        """What ships, with sizes and hashes."""
        return self.root / "darknet_py" / "zoo" / "shipped.toml"

    def weights(self, suffix: str) -> Path:
        """A file about the weights."""
        return self.root / "weights" / f"{NAME}{suffix}"

    @property
    def contestants(self) -> Path:
        """The tables of all contestants."""
        return self.root / "tools" / "train" / "codes" / "CONTESTANTS.md"

    @property
    def numbers(self) -> Path:
        """All numbers of these, and of the exported forms."""
        return self.contestants.with_name("contestants.json")


def scored(weights: Path, each: int) -> Score:
    """Our network at both sizes and everybody else, on each so many photos of both sets."""
    own = [one for size in SIZES for one in ours(str(CFG), str(weights), "onnxruntime", size)]
    sets = {name: read_set(name)[::each] for name in SETS}
    return score([*own, *OTHERS], sets, say)


def write_tables(to: Places, found: Score, exports: Exports, first: str) -> None:
    """Write the page of the contestants, and all numbers."""
    text = page(found.numbers, found.failed, COMMAND, first)
    numbers = {**found.numbers, "exports": exports.plain()}
    write(to.contestants, text.encode())
    write(to.numbers, (json.dumps(table.plain(numbers), indent=1) + "\n").encode())


def write_card(to: Places, training: Training, found: Score, exports: Exports, first: str) -> None:
    """Write the card with its curve, its log and the sheet of failures."""
    model = load(CFG, to.weights(".weights"), quiet=True)
    write(to.weights(".svg"), training.chart().encode())
    write(to.weights(".csv"), training.csv().encode())
    say("the worst of the drawn pictures")
    write(to.weights("-failures.webp"), encoded(worst_drawn(model, SIZES[0]), MOST))
    digest = hashlib.sha256(to.weights(".weights").read_bytes()).hexdigest()
    drawn = hashlib.sha256(Drawn(training.run["settings"]["seed"]).fingerprint().encode()).hexdigest()
    is_same = drawn == training.run["data_sha256"]  # which the trainer makes of it in this way
    missed = "\n".join(
        f"{result.name}:\n\n{names_table(found_by(found, result.name, first), result.photos)}"
        for result in found.results
    )
    texts = (
        bars_table(bars(found.numbers, first), first), procedure(training, digest, is_same), results(found.numbers),
        exports.markdown(), reading(found.numbers), missed,
    )  # fmt: skip
    card = (ROOT / "weights" / f"{NAME}.md").read_text("utf-8")
    write(to.weights(".md"), rewritten(card, dict(zip(SECTIONS, texts, strict=True))).encode())


def found_by(found: Score, name: str, contestant: str) -> tuple[Detected, ...]:
    """What a contestant found in a set of photos."""
    (rows,) = (result.rows for result in found.results if result.name == name)
    return next(row.run.found for row in rows if row.contestant.name == contestant)


def write(path: Path, data: bytes) -> None:
    """Write a file of this command's, and say so."""
    say(f"wrote {files.write_whole(path, data, replace=True)}")


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Ship, score, measure, and write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backup", type=Path, default=folder(), help="where the training is (default: %(default)s)")
    parser.add_argument("--unfinished", action="store_true", help="take the weights of a training that has not ended")
    parser.add_argument("--into", type=Path, default=ROOT, help="write below this folder instead, to try it")
    parser.add_argument("--quick", action="store_true", help=f"one of {QUICK} photos, to try it: with --into")
    given = parser.parse_args(arguments)
    if given.quick and given.into == ROOT:
        parser.error("tables of a few photos are not for the checkout: --quick needs --into FOLDER")
    to = Places(given.into)
    training = read_training(given.backup, NAME)
    say(f"from {ship(training, CFG, to.weights('.weights'), to.manifest, unfinished=given.unfinished)}")
    found = scored(to.weights(".weights").resolve(), QUICK if given.quick else 1)
    first = found.results[0].rows[0].contestant.name
    exports = measure(
        open_network(CFG, to.weights(".weights")), found_by(found, SETS[0], first), found.results[0].photos,
        files.cache_dir() / "codes-ship", NPM if NPM.is_dir() else None, say,
    )  # fmt: skip
    write_tables(to, found, exports, first)
    write_card(to, training, found, exports, first)
    print(bars_table(bars(found.numbers, first), first))


if __name__ == "__main__":
    try:
        main()
    except DarknetError as e:
        sys.exit(f"error: {e}")
