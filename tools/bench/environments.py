"""The environments of contestants, made under `.bench/` from the package index and Debian's archive.

Decision: contestants that cannot be installed together, or that this package does not depend on, get their own; each is
made once, and anew when its list of packages changes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from darknet_py.machine import thread_environment

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".bench"
OPENCV = "opencv-python"


class NotInstalled(Exception):
    """An environment that cannot be made here, and why."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment: packages, and whether it also has what this package and some of its extras depend on."""

    name: str
    packages: tuple[str, ...]
    ours: bool = False
    extras: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()  # installed without their dependencies

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return HOME / self.name / "bin" / "python"

    def make(self) -> Environment:
        """Install what is missing. Raises `NotInstalled`."""
        wanted = [*self.packages, *(dependencies(*self.extras) if self.ours else ())]
        mark, text = HOME / self.name / ".ready", "\n".join([*wanted, *self.bare])
        if mark.is_file() and mark.read_text("utf-8") == text:
            return self
        HOME.mkdir(exist_ok=True)
        _call(sys.executable, "-m", "venv", "--clear", str(HOME / self.name))
        pip = (str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _call(*pip, *wanted)
        if self.bare:
            _call(*pip, "--no-deps", *self.bare)
        mark.write_text(text, "utf-8")
        return self


DARKNET_PY = Environment("darknet-py", (f"{OPENCV}>=5",), ours=True)
OPENCV_4 = Environment("opencv4", (f"{OPENCV}<5",), ours=True)
# Without their dependencies, of which one reports to its makers; what else NNCF needs is listed.
_FOR_NNCF = ("networkx", "ninja", "psutil", "pydot", "rich", "safetensors", "scikit-learn", "scipy", "tabulate")
# int8 is judged there, by COCO's numbers.
OPENVINO = Environment(
    "openvino", ("packaging", f"{OPENCV}>=5", *_FOR_NNCF), ours=True, extras=("eval",), bare=("openvino", "nncf")
)
# Without its dependencies, which are for its language models.
MNN = Environment("mnn", ("numpy", f"{OPENCV}>=5"), bare=("MNN",))
NCNN = Environment("ncnn", ("ncnn", f"{OPENCV}>=5"), ours=True, bare=("pnnx",))


@cache
def make(environment: Environment) -> Environment:
    """The environment, made once a run; `NotInstalled` if it cannot be."""
    return environment.make()


@cache
def debian_darknet() -> Path:
    """The folder with Debian's `darknet` and all libraries that it needs, unpacked; `NotInstalled` elsewhere."""
    folder = HOME / "debian"
    library = folder / "usr" / "lib" / "darknet" / "libdarknet.so"
    if library.is_file():
        return folder
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise NotInstalled("needs apt-get and dpkg")
    plan = _call("apt-get", "install", "--simulate", "--no-install-recommends", "darknet")
    names = re.findall(r"^Inst (\S+)", plan, re.M) or ["darknet"]
    archive = HOME / "debs"
    archive.mkdir(parents=True, exist_ok=True)
    _call("apt-get", "download", *names, cwd=archive)
    for package in sorted(archive.glob("*.deb")):
        _call("dpkg", "-x", str(package), str(folder))
    if not library.is_file():
        raise NotInstalled("Debian's darknet has no libdarknet.so")
    return folder


def variables(threads: int) -> dict[str, str]:
    """What the processes of contestants find in their environment: the checkout, the number of threads, bytecode kept.

    What a package manager installs is compiled; a checkout is when it runs for the second time, unless that is off.
    """
    return {**thread_environment(threads), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}


def library_path(folder: Path) -> str:
    """Where the loader finds the libraries of unpacked packages."""
    return os.pathsep.join(sorted({str(p.parent) for p in folder.rglob("*.so*")}))


def dependencies(*extras: str) -> tuple[str, ...]:
    """What this package and some of its extras need, but for OpenCV, whose version is the environment's choice."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    needed = [setup["options"]["install_requires"], *(setup["options.extras_require"][e] for e in extras)]
    listed = " ".join(needed).split()
    return tuple(r for r in listed if not r.startswith(OPENCV))


def _call(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstalled(f"`{' '.join(command[:4])} …` failed: {lines[-1] if lines else done.returncode}")
    return done.stdout
