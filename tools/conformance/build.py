"""The kit as a folder or a wheel: the package `darknet_conformance` with its cases as data.

Decision: the cases are the goldens of tests/, which are not kept twice; what the arrays cannot say (which layers are
the answer) is asked of our compiler here, so that the kit itself needs none. The wheel is written here too: it is a
zip of a pure package, and building it asks no tool and no network.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from darknet_py.darknet.compile import Compilation, compile_file
from darknet_py.errors import CfgError
from darknet_py.version import VERSION

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).with_name("darknet_conformance")
GOLDENS = {"golden": "alexeyab", "golden_pj": "pjreddie"}
WITHHELD = ("cpu-bug", "undefined")  # Darknet's CPU code is wrong there, or reads out of bounds
ITERATIONS = (1, 5)
COMPUTED = 1e-3  # of the largest number of an output: another epsilon passes where variances are not small
TRAINED = 1e-3  # of what the iterations changed: float32 in another order
SENSITIVE = {"lrn_strong": 1e-2, "lrn_size1": 1e-2, "act_conv_logistic_big": 1e-2}  # nearly 0, or large numbers
EPOCH = (2020, 1, 1, 0, 0, 0)  # of the files in a wheel, which so is the same each time


def build(output: Path, whole: Path | None = None) -> int:
    """Write the package `darknet_conformance` into a folder; how many cases it has.

    `whole` is a folder with all goldens (`golden`, `golden_pj`, `golden_train`), instead of those of tests/.
    """
    package = output / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "data"), dirs_exist_ok=True)
    source = whole or ROOT / "tests"
    count = sum(1 for _ in _inferences(source, package / "data")) + sum(1 for _ in _trainings(source, package / "data"))
    shutil.copy(PACKAGE.with_name("KIT.md"), output / "README.md")
    shutil.copy(ROOT / "LICENSE", output / "LICENSE")
    (output / "pyproject.toml").write_text(_pyproject(), "utf-8")
    return count


def _inferences(source: Path, data: Path) -> Iterator[Path]:
    """The cases of inference, and those that Darknet refuses."""
    for folder, dialect in GOLDENS.items():
        said = json.loads((source / folder / "INDEX.json").read_text("utf-8"))["cases"]
        if isinstance(said, list):
            said = {case["name"]: case for case in said}
        for cfg in sorted((source / folder).glob("*/net.cfg")):
            case = cfg.parent
            told = {"covers": said.get(case.name, {}).get("covers", ""), "dialect": dialect}
            semantics = said.get(case.name, {}).get("semantics", "normal")
            if semantics.startswith(WITHHELD):
                continue
            layers = sorted(case.glob("layers*.npz"))
            if not layers:
                yield _refusal(case, data, told)
            elif (answers := _answers(case, dialect)) is not None:
                tolerance = SENSITIVE.get(case.name, COMPUTED)
                yield _inference(case, data, layers, {**told, "answers": answers, "tolerance": tolerance})


def _inference(case: Path, data: Path, layers: list[Path], told: dict[str, Any]) -> Path:
    import numpy as np

    place = _place(data / "inference" / case.name, told, case, ("net.cfg", "net.weights", "input.npy"))
    steps = []
    for file in layers:
        with np.load(file) as arrays:
            steps.append({str(int(k[1:])): arrays[k] for k in arrays.files})
    joined = steps[0] if len(steps) == 1 else {k: np.stack([s[k] for s in steps]) for k in steps[0]}
    np.savez_compressed(place / "expected.npz", **joined)
    return place


def _refusal(case: Path, data: Path, told: dict[str, Any]) -> Path:
    return _place(data / "refusal" / case.name, told, case, ("net.cfg", "net.weights", "input.npy"))


def _trainings(source: Path, data: Path) -> Iterator[Path]:
    """The cases of training: whole iterations, of which the weights afterwards are known."""
    folder = source / "golden_train"
    said = json.loads((folder / "INDEX.json").read_text("utf-8"))["cases"]
    if isinstance(said, list):
        said = {case["name"].removeprefix("step/"): case for case in said}
    steps = folder / "step" if (folder / "step").is_dir() else folder
    for after in sorted(steps.glob(f"*/after_{ITERATIONS[-1]}.weights")):
        case = after.parent
        if said.get(case.name, {}).get("semantics", "normal") != "normal":
            continue
        names = ("net.cfg", "net.weights", "input.npy", "truth.npy", *(f"after_{n}.weights" for n in ITERATIONS))
        told = {"covers": said.get(case.name, {}).get("covers", ""), "iterations": ITERATIONS, "tolerance": TRAINED}
        yield _place(data / "training" / case.name, told, case, names)


def _place(place: Path, told: dict[str, Any], case: Path, names: tuple[str, ...]) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (case / name).is_file():
            shutil.copyfile(case / name, place / name)
    for tree in case.glob("*.tree"):
        shutil.copyfile(tree, place / tree.name)
    (place / "case.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return place


def _answers(case: Path, dialect: str) -> list[list[int]] | None:
    """The layers that have to be right, each before what may stand for it; None where our reading is another."""
    try:
        compilation = compile_file(case / "net.cfg", dialect=dialect, as_darknet=True).check()
    except CfgError:
        return None
    return [[info.index, *_before(compilation, info.index)] for info in compilation.graph.layers
            if info.index in _ends(compilation)]  # fmt: skip


def _ends(compilation: Compilation) -> set[int]:
    graph = compilation.graph
    if graph.heads:
        return {*graph.heads}
    (output,) = graph.outputs
    return {max(info.index for info in graph.layers if info.output is output)}


def _before(compilation: Compilation, layer: int) -> list[int]:
    """What a head reads: programs that make boxes of it keep no output of the head itself."""
    graph = compilation.graph
    return [i for i in graph.layer(layer).inputs if i >= 0] if layer in graph.heads else []


def _pyproject() -> str:
    return f"""[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "darknet-conformance"
version = "{VERSION}"
description = "What Darknet computes, as cases for any program that reads its files"
readme = "README.md"
requires-python = ">=3.9"
dependencies = ["numpy"]

[tool.setuptools]
packages = ["darknet_conformance"]

[tool.setuptools.package-data]
darknet_conformance = ["data/**"]
"""


def build_wheel(output: Path, whole: Path | None = None) -> Path:
    """Write the kit as a wheel into a folder; its path."""
    from tempfile import TemporaryDirectory

    name = f"darknet_conformance-{VERSION}"
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{name}-py3-none-any.whl"
    with TemporaryDirectory() as scratch, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        build(Path(scratch), whole)
        files = sorted(p for p in Path(scratch, PACKAGE.name).rglob("*") if p.is_file())
        contents = {str(p.relative_to(scratch)): p.read_bytes() for p in files}
        information = f"{name}.dist-info"
        readme = Path(scratch, "README.md").read_text("utf-8")
        contents[f"{information}/METADATA"] = (
            f"Metadata-Version: 2.1\nName: darknet-conformance\nVersion: {VERSION}\nRequires-Python: >=3.9\n"
            f"Requires-Dist: numpy\nDescription-Content-Type: text/markdown\n\n{readme}"
        ).encode()
        contents[f"{information}/WHEEL"] = (
            b"Wheel-Version: 1.0\nGenerator: darknet-py\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        contents[f"{information}/licenses/LICENSE"] = Path(scratch, "LICENSE").read_bytes()
        record = "".join(f"{n},sha256={_digest(data)},{len(data)}\n" for n, data in contents.items())
        contents[f"{information}/RECORD"] = f"{record}{information}/RECORD,,\n".encode()
        for member, data in contents.items():
            wheel.writestr(zipfile.ZipInfo(member, EPOCH), data, zipfile.ZIP_DEFLATED)
    return path


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
