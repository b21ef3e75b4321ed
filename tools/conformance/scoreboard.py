"""The scoreboard: the programs that can be run here on the kit, and the page that says what each gets right.

Decision: a program is one line of `PROGRAMS`; one that is not installed is left out with what it needs. Nothing is
timed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.markdown import table

from .build import ROOT

HERE = "tools/conformance/programs"
Row = dict[str, Any]  # a verdict of the kit, as data


@dataclass(frozen=True)
class Program:
    """A program: what it is, its file in the protocol and the words before the kit's, and where it is found.

    `python` and `path` name variables of the environment with another interpreter, and with folders for PYTHONPATH.
    """

    title: str
    file: str
    words: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("inference", "refusal")
    needs: str = ""  # a module without which it is left out
    python: str = ""
    path: str = ""

    def command(self) -> list[str]:
        """The words that the kit is given."""
        return [self.interpreter, str(ROOT / HERE / self.file), *self.words]

    @property
    def interpreter(self) -> str:
        """The Python that runs it."""
        return os.environ.get(self.python, sys.executable) if self.python else sys.executable

    def environment(self) -> dict[str, str]:
        """Its variables: what it is to be found in comes first."""
        folders = [os.environ.get(self.path, str(ROOT / ".runtimes")) if self.path else "", str(ROOT)]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}

    def is_here(self) -> bool:
        """Whether what it needs can be imported."""
        words = [self.interpreter, "-c", f"import {self.needs}"]
        done = subprocess.run(words, env=self.environment(), capture_output=True, check=False)
        return done.returncode == 0


TORCH, RUNTIMES, OTHERS = "CONFORMANCE_TORCH", "CONFORMANCE_RUNTIMES", "CONFORMANCE_OTHERS"

PROGRAMS: Mapping[str, Program] = {
    "numpy": Program("darknet-py, NumPy", "ours.py", ("numpy",), needs="darknet_py"),
    "onnxruntime": Program("darknet-py, onnxruntime", "ours.py", ("onnxruntime",), needs="onnxruntime"),
    "onnx": Program("darknet-py's ONNX in onnxruntime", "ours.py", ("onnx:onnxruntime",), needs="onnxruntime"),
    "opencv5": Program("darknet-py, OpenCV 5", "ours.py", ("opencv",), needs="cv2"),
    "openvino": Program("darknet-py, OpenVINO", "ours.py", ("openvino",), needs="openvino", path=RUNTIMES),
    "ncnn": Program("darknet-py, ncnn", "ours.py", ("ncnn",), needs="ncnn", path=RUNTIMES),
    "torch": Program(
        "darknet-py, PyTorch", "ours.py", ("torch",), ("inference", "training", "refusal"), "torch", TORCH
    ),
    "opencv4": Program("OpenCV 4, readNetFromDarknet", "opencv.py", needs="cv2.dnn", path=RUNTIMES),
    "darknet2any": Program(
        "darknet2any 0.7", "pytorch_reader.py", needs="darknet2any, torch", python=TORCH, path=OTHERS
    ),
}


def run_programs(
    kit: Path, results: Path, wanted: Sequence[str] | None = None, match: str = "*"
) -> dict[str, list[Row]]:
    """The verdicts of the programs that are here, by name; those that a folder has already are not asked for again."""
    results.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in wanted or PROGRAMS:
        program, verdicts = PROGRAMS[name], results / f"{name}.json"
        if not verdicts.is_file() and not program.is_here():
            print(f"{program.title}: left out, needs {program.needs}", file=sys.stderr)
            continue
        if not verdicts.is_file():
            _run(program, kit, verdicts, match)
        if verdicts.is_file():
            found[name] = json.loads(verdicts.read_text("utf-8"))
    return found


def _run(program: Program, kit: Path, verdicts: Path, match: str) -> None:
    kinds = [word for kind in program.kinds for word in ("--kind", kind)]
    words = [sys.executable, "-m", "darknet_conformance", *kinds, "--match", match, "--serve", "--json", str(verdicts)]
    own = program.environment()
    environment = {**own, "PYTHONPATH": f"{kit}{os.pathsep}{own['PYTHONPATH']}"}
    done = subprocess.run([*words, *program.command()], env=environment, stdout=subprocess.DEVNULL, check=False)
    if not verdicts.is_file():
        print(f"{program.title}: the runner ended with {done.returncode}", file=sys.stderr)


def write_scoreboard(results: Mapping[str, Sequence[Row]]) -> str:
    """The page: a row for each program, and what of inference each takes, by the kind of layer."""
    lines = [
        "# Who computes what Darknet computes",
        "",
        "Written by `make conformance`; what the cases are and how to add a program is in [KIT.md](KIT.md).",
        "*Right*: within 1e-3 of the largest number of the output (training: of what changed). *Wrong*: an answer",
        "that is not Darknet's, without a word. *Refused*: said so. A refusal is right where Darknet itself stops or",
        "crashes.",
        "",
    ]
    counts = []
    for name, rows in results.items():
        counted = Counter((row["kind"], row["status"]) for row in rows)
        total = Counter(row["kind"] for row in rows)
        others = [str(counted["inference", s]) for s in ("wrong", "refused", "crashed")]
        shares = [f"{counted[kind, 'right']} of {total[kind]}" if total[kind] else "" for kind in
                  ("inference", "training", "refusal")]  # fmt: skip
        counts.append((PROGRAMS[name].title, shares[0], *others, *shares[1:]))
    head = ("program", "inference: right", "wrong", "refused", "crashed", "training: right", "refusals: right")
    lines += [table(head, counts)]
    lines += ["", "Right by what the cases are about (the beginning of their names):", "", _families(results), ""]
    return "\n".join(lines)


def _families(results: Mapping[str, Sequence[Row]]) -> str:
    counts: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for name, rows in results.items():
        for row in rows:
            if row["kind"] == "inference":
                right, total = counts[row["name"].partition("_")[0]].setdefault(name, [0, 0])
                counts[row["name"].partition("_")[0]][name] = [right + (row["status"] == "right"), total + 1]
    cells = [
        (family, *(f"{own[n][0]} / {own[n][1]}" if n in own else "" for n in results))
        for family, own in sorted(counts.items())
    ]
    return table(("", *(PROGRAMS[name].title for name in results)), cells)
