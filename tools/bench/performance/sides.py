"""The contestants: who they are, in which environment, and how their processes are started."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darknet_py.apps.bench.process import Side, SideError
from darknet_py.backends.backend import backends, find_backend
from darknet_py.backends.precision import BF16, F32, Precision

from ..environments import (
    DARKNET_PY,
    MNN,
    NCNN,
    OPENCV_4,
    OPENVINO,
    Environment,
    NotInstalled,
    debian_darknet,
    library_path,
    make,
    variables,
)  # fmt: skip
from .foreign import mnn_file, ncnn_files
from .networks import OURS
from .prepare import Prepared

CONVERTING = 300  # seconds that a converter may take
BY_C = ("yolov3-tiny",)  # what Debian's Darknet of 2018 runs, and the NumPy executor is measured against


@dataclass(frozen=True)
class Contestant:
    """A row of the tables. `backend` is ours, `engine` one of `foreign.ENGINES`; `only` names its networks.

    `precision` is what ours computes in; it is left out where the processor lacks it.
    """

    name: str
    environment: Environment
    backend: str = ""
    engine: str = ""
    only: tuple[str, ...] = ()
    precision: str = F32

    @property
    def measures(self) -> tuple[str, ...]:
        """What is timed of it."""
        return ("network",) if self.engine == "darknet" else ("network", "detect")

    def takes(self, network: str, allowed: Sequence[str]) -> bool:
        """Whether it runs that network; `allowed` are parts of names, or nothing for all."""
        if self.backend and self.backend not in backends():
            return False
        if self.backend and Precision.of(self.precision).find_lack(find_backend(self.backend)):
            return False
        return (not self.only or network in self.only) and (not allowed or any(a in self.name for a in allowed))

    def wanted(self, files: Prepared) -> list[np.ndarray]:
        """The reference that its outputs are held against."""
        if self.engine == "opencv-darknet":
            return files.before or files.wanted
        return files.wanted[-1:] if self.engine == "darknet" else files.wanted

    def start(self, files: Prepared, folder: Path, threads: int) -> Side:
        """Start its process, and ask it to open the network; the caller takes the answer. Raises `SideError`."""
        try:
            python = str(make(self.environment).python)
            own = variables(threads)
            if self.engine == "darknet":
                root = debian_darknet()
                own["LD_LIBRARY_PATH"] = library_path(root)
                files.job["libdarknet"] = str(root / "usr" / "lib" / "darknet" / "libdarknet.so")
        except NotInstalled as e:
            raise SideError(f"cannot be installed here: {e}") from None
        if self.engine in CONVERTERS:
            CONVERTERS[self.engine](files)
        folder.mkdir(parents=True)
        if self.backend:
            command = [python, "-m", "darknet_py.apps.bench.worker"]
            network = {name: files.job[name] for name in ("cfg", "weights", "threads")}
            network |= {"backend": self.backend, "folder": str(folder), "precision": self.precision}
            if self.backend == "onnxruntime":
                _fill_cache(Side(command, own, folder / "first.log"), network)
            side = Side(command, own, folder / "log")
            side.post("open", **network)
            return side
        path = folder / "job.json"
        path.write_text(files.text(), "utf-8")
        side = Side([python, "-m", "tools.bench.performance.foreign", self.engine, str(path)], own, folder / "log")
        side.post("open", folder=str(folder))
        return side


CONTESTANTS = (
    Contestant(OURS, DARKNET_PY, backend="onnxruntime"),
    Contestant("darknet-py on OpenVINO", OPENVINO, backend="openvino"),
    Contestant("darknet-py on ncnn", NCNN, backend="ncnn"),
    Contestant("darknet-py on OpenVINO, bfloat16", OPENVINO, backend="openvino", precision=BF16),
    Contestant("darknet-py on ncnn, bfloat16", NCNN, backend="ncnn", precision=BF16),
    Contestant("darknet-py on OpenCV 5", DARKNET_PY, backend="opencv"),
    Contestant("darknet-py on OpenCV 4", OPENCV_4, backend="opencv"),
    Contestant("darknet-py on NumPy", DARKNET_PY, backend="numpy", only=BY_C),
    Contestant("OpenCV 4, Darknet importer", OPENCV_4, engine="opencv-darknet"),
    Contestant("onnxruntime, plain ONNX", DARKNET_PY, engine="onnxruntime"),
    Contestant("OpenVINO, plain ONNX", OPENVINO, engine="openvino"),
    Contestant("OpenVINO, plain ONNX, its own precision", OPENVINO, engine="openvino-default"),
    Contestant("OpenCV 5, plain ONNX", DARKNET_PY, engine="opencv-onnx"),
    Contestant("ncnn, by pnnx", NCNN, engine="ncnn"),
    Contestant("MNN, by its converter", MNN, engine="mnn"),
    Contestant("Darknet, Debian's", DARKNET_PY, engine="darknet", only=BY_C),
)


def convert(files: Prepared) -> None:
    """Make ncnn's files of the plain ONNX. Raises `SideError` if pnnx cannot."""
    site = next((make(NCNN).python.parents[1] / "lib").glob("python*/site-packages"))
    program = site / "pnnx" / "pnnx"
    if not program.is_file():
        raise SideError("the package pnnx has no program for this system")
    program.chmod(0o755)
    shape = ",".join(map(str, (1, *files.graph.image.shape)))
    _convert(
        files, "pnnx", [str(program), files.job["onnx"], f"inputshape=[{shape}]f32", "fp16=0"], ncnn_files(files.job)
    )


def convert_to_mnn(files: Prepared) -> None:
    """Make MNN's file of the plain ONNX. Raises `SideError` if its converter cannot.

    Not by its command, which installs another package and reports to its makers.
    """
    target = mnn_file(files.job)
    words = ["mnnconvert", "-f", "ONNX", "--modelFile", files.job["onnx"], "--MNNModel", target, "--bizCode", "bench"]
    program = f"import _tools; _tools.mnnconvert({words!r})"
    _convert(files, "MNN's converter", [str(make(MNN).python), "-c", program], (target,))


def _convert(files: Prepared, title: str, command: Sequence[str], wanted: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, cwd=files.folder, capture_output=True, text=True, timeout=CONVERTING, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise SideError(f"{title}: {e}") from None
    if done.returncode or not all(Path(p).is_file() for p in wanted):
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise SideError(f"{title} ends with {done.returncode}: {' '.join(last)}")


CONVERTERS = {"ncnn": convert, "mnn": convert_to_mnn}  # of the engines that do not read ONNX


def _fill_cache(side: Side, network: Mapping[str, object]) -> None:
    """Compile the network once: others read what was converted for them, and we what was compiled before."""
    try:
        side.ask("open", **network)
    finally:
        side.close()


def close(sides: Mapping[str, Side]) -> None:
    """End the processes."""
    for side in sides.values():
        side.close()
