"""Entries of the start cache: a damaged one is dropped, and the network computes what it would without it."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from darknet_py.errors import DarknetError
from darknet_py.model.opening import load

from ..mutate import WORDS, apply_edits, edits, split_edits
from ..target import Case, Mismatch, Target

CFGS = {
    "detector": "[net]\nwidth=16\nheight=16\nchannels=3\n[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3"
    "\nstride=2\npad=1\nactivation=leaky\n[convolutional]\nfilters=14\nactivation=linear\n[yolo]\nclasses=2\nnum=2\nmask=0,1\n"
    "anchors=4,4,8,8\n",
    "classifier": "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=5\nsize=3\n[avgpool]\n[softmax]\n",
    "recurrent": "[net]\nwidth=4\nheight=4\nchannels=3\n[gru]\noutput=3\n",
}
FOREIGN = ("", "{}", "[]", "null", "nan", "{" * 2000, '{"a": ' * 2000, "0", '"os.system"', "\ud7ff", "\x1b[2J")
MOST_FILES = 8
ALIKE = 1e-5


def make(rng: Random) -> Case:
    """Which network, which file of its entry, and what is changed in it."""
    kind = rng.random()
    if kind < 0.8:
        lines = edits(rng, rng.choice((400, 2000, 6000)))
    elif kind < 0.95:
        lines = [f"whole {rng.choice((*FOREIGN, *WORDS)).encode('utf-8', 'replace').hex()}"]
    else:
        lines = [rng.choice(("gone", "folder", "link"))]
    return {"edits.txt": "\n".join([f"{rng.choice([*CFGS])} {rng.randrange(MOST_FILES)}", *lines]).encode()}


def build(case: Case, folder: Path) -> None:
    """The cfg, and the edits: the entry itself is made where it is checked, because it belongs to this very folder."""
    first, _ = split_edits(case["edits.txt"])
    (folder / "net.cfg").write_text(CFGS[first.split()[0]])
    (folder / "edits.txt").write_bytes(case["edits.txt"])


def check(folder: Path) -> str:
    """Make the entry, damage it, open the network again, and compare."""
    first, lines = split_edits((folder / "edits.txt").read_bytes())
    name, number = first.split()
    before = os.environ.get("DARKNET_PY_CACHE")
    os.environ["DARKNET_PY_CACHE"] = str(_fresh(folder, name))
    try:
        place = Path(os.environ["DARKNET_PY_CACHE"])
        files = sorted(p for p in place.rglob("*") if p.is_file())
        if not files:
            raise Mismatch("no entry was made", str(place))
        _damage(files[int(number) % len(files)], lines)
        got = _answer(folder)
    finally:
        if before is not None:
            os.environ["DARKNET_PY_CACHE"] = before
    wanted = _wanted(name)
    if len(got) != len(wanted) or any(a.shape != b.shape for a, b in zip(got, wanted, strict=True)):
        raise Mismatch("a damaged entry gives other shapes", str([a.shape for a in got]))
    if any(not np.allclose(a, b, ALIKE, ALIKE, equal_nan=True) for a, b in zip(got, wanted, strict=True)):
        raise Mismatch("a damaged entry gives other numbers", str(files))
    return "right"


def _fresh(folder: Path, name: str) -> Path:
    """A cache that holds the whole entry of the cfg in the folder: a copy of what was made for it once."""
    kept = folder.parent / f"entry-{name}"
    place = folder / "cache"
    if not kept.exists():
        before, os.environ["DARKNET_PY_CACHE"] = os.environ.get("DARKNET_PY_CACHE"), str(place)
        _answer(folder)
        os.environ["DARKNET_PY_CACHE"] = before or str(place)
        shutil.copytree(place, kept, symlinks=True)
        return place
    shutil.copytree(kept, place, symlinks=True)
    return place


def _damage(file: Path, lines: list[str]) -> None:
    for line in lines:
        word, *rest = line.split()
        if word == "whole":
            file.write_bytes(bytes.fromhex(rest[0]) if rest else b"")
        elif word == "gone":
            file.unlink(missing_ok=True)
        elif word == "folder":
            file.unlink(missing_ok=True)
            file.mkdir()
        elif word == "link":
            file.unlink(missing_ok=True)
            file.symlink_to("/dev/null")
        else:
            file.write_bytes(apply_edits(file.read_bytes(), [line]))


def _answer(folder: Path, **options: object) -> list[np.ndarray]:
    try:
        model = load(folder / "net.cfg", backend="onnxruntime", random_weights=1, threads=1, **options)  # type: ignore[arg-type]
        shape = model.contract.shape
        return model.forward(np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(1, *shape))
    except DarknetError as e:
        raise Mismatch("a damaged entry is the network's fault", str(e)) from None


@cache
def _wanted(name: str) -> list[np.ndarray]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "net.cfg").write_text(CFGS[name])
        return _answer(Path(folder), cache=False)


TARGET = Target("cache", __doc__, make, check, "edits.txt", build, chunk=50)
