"""A program on a case: it is started, what it wrote is read, and compared with what Darknet computed.

The protocol, in which programs are called, is in the README of this package (KIT.md of its sources).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import numpy as np

from .cases import Case, difference, read_floats

STATUSES = ("right", "wrong", "refused", "crashed", "slow")
MOST_SAID = 300  # characters of what a program says


@dataclass(frozen=True)
class Verdict:
    """What a program made of a case: one of `STATUSES`, how far it is off, and in a sentence why."""

    name: str
    kind: str
    status: str
    off: float | None = None
    told: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The verdict as plain data."""
        return asdict(self)


class Slow(Exception):
    """A program that did not answer in time."""


# What asks a program: the words after its command, and the seconds that it has, to its status and what it says.
Ask = Callable[[Sequence[str], float], "tuple[int, str]"]


def started(command: Sequence[str]) -> Ask:
    """Ask a program by starting it each time."""

    def ask(words: Sequence[str], timeout: float) -> tuple[int, str]:
        try:
            done = subprocess.run([*command, *words], capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise Slow from None
        return done.returncode, _last_line(done.stderr)

    return ask


class Served:
    """A program that is started once, and again after it died: a function as `started` gives."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = [*command, "serve"]
        self._process: subprocess.Popen[str] | None = None
        self._lines: Queue[str] = Queue()

    def __call__(self, words: Sequence[str], timeout: float) -> tuple[int, str]:
        """Ask it, starting it where it does not run."""
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(list(words)) + "\n")
            process.stdin.flush()
            line = self._lines.get(timeout=timeout)
        except Empty:
            self.close()
            raise Slow from None
        except OSError:
            line = ""
        if not line:  # it is gone
            self._process = None
            return process.wait() or 1, "it ended"
        status, said = json.loads(line)
        return int(status), str(said)

    def close(self) -> None:
        """End the program."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._lines = Queue()
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            Thread(target=self._listen, args=(self._process, self._lines), daemon=True).start()
        return self._process

    def _listen(self, process: subprocess.Popen[str], lines: Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("["):  # what else a program prints is no answer
                lines.put(line)
        lines.put("")


def judge(ask: Ask, case: Case, *, timeout: float = 60.0, tolerance: float | None = None) -> Verdict:
    """Run a program on a case, and compare."""
    verdicts = []
    for iterations in case.iterations or (0,):
        with TemporaryDirectory() as folder:
            given, out = Path(folder, "given"), Path(folder, "out")
            given.mkdir()
            out.mkdir()
            ended = _run(ask, case, given, out, iterations, timeout)
            verdicts.append(ended or _compared(case, out, iterations, tolerance or case.tolerance))
        if verdicts[-1].status != "right":
            break
    return verdicts[-1]


def _run(ask: Ask, case: Case, given: Path, out: Path, iterations: int, timeout: float) -> Verdict | None:
    """The verdict where the program did not end well, or should not have; None where there is something to compare."""
    names = ["net.cfg", "net.weights", "input.npy", *(["truth.npy"] if case.kind == "training" else [])]
    for file in case.folder.iterdir():
        if file.name in names or file.suffix == ".tree":
            (given / file.name).write_bytes(file.read_bytes())
    (given / "dialect").write_text(case.dialect, "utf-8")
    for array in given.glob("*.npy"):
        array.with_suffix(".f32").write_bytes(np.load(array).astype("<f4").tobytes())
    told = [str(given / name) for name in names]
    words = ["train", *told, str(iterations), str(out)] if case.kind == "training" else ["infer", *told, str(out)]
    try:
        status, said = ask(words, timeout)
    except Slow:
        return Verdict(case.name, case.kind, "slow", told=f"no answer in {timeout:g} s")
    if status < 0:
        return Verdict(case.name, case.kind, "crashed", told=f"signal {-status}: {said}")
    if case.kind == "refusal":
        told_so = said if status else "taken, and Darknet stops at it"
        return Verdict(case.name, case.kind, "right" if status else "wrong", told=told_so)
    return Verdict(case.name, case.kind, "refused", told=said) if status else None


def _compared(case: Case, out: Path, iterations: int, tolerance: float) -> Verdict:
    if case.kind == "training":
        return _compared_weights(case, out, iterations, tolerance)
    expected = case.expected()
    written = {layer: array for layer in expected if (array := _read(out, layer)) is not None}
    worst, missing = 0.0, []
    for group in case.answers:
        layer = next((n for n in group if n in written), None)
        if layer is None:
            missing.append(group[0])
            continue
        worst = max(worst, difference(written[layer], expected[layer]))
    if missing:
        return Verdict(case.name, case.kind, "refused", told=f"it wrote no layer_{missing[0]}")
    if worst <= tolerance:
        return Verdict(case.name, case.kind, "right", worst)
    first = next((n for n in sorted(written) if not difference(written[n], expected[n]) <= tolerance), None)
    return Verdict(case.name, case.kind, "wrong", worst, f"from layer {first} on" if first is not None else "")


def _compared_weights(case: Case, out: Path, iterations: int, tolerance: float) -> Verdict:
    """Parameters against Darknet's, relative to what the iterations changed."""
    path = out / "after.weights"
    if not path.is_file():
        return Verdict(case.name, case.kind, "refused", told="it wrote no after.weights")
    got, wanted, before = read_floats(path), case.after(iterations), read_floats(case.folder / "net.weights")
    if got.shape != wanted.shape:
        return Verdict(case.name, case.kind, "wrong", told=f"{got.size} numbers, and Darknet writes {wanted.size}")
    changed = float(np.abs(wanted - before).max(initial=0)) or 1.0
    off = float(np.abs(got - wanted).max(initial=0)) / changed
    status = "right" if off <= tolerance else "wrong"
    return Verdict(case.name, case.kind, status, off, f"after {iterations} iterations")


def _read(out: Path, layer: int) -> np.ndarray | None:
    for name in (f"layer_{layer}", f"layer_{layer:03d}"):
        if (out / f"{name}.npy").is_file():
            return np.asarray(np.load(out / f"{name}.npy"))
        if (out / f"{name}.f32").is_file():
            return np.frombuffer((out / f"{name}.f32").read_bytes(), "<f4")
    return None


def _last_line(data: bytes) -> str:
    lines = data.decode("utf-8", "replace").strip().splitlines()
    return "".join(c for c in lines[-1] if c.isprintable())[:MOST_SAID] if lines else ""
