"""`python -m tools.tab OUT`: the page that compiles in a browser tab, as a folder for any static host.

Decision: everything that the page runs lies in the folder (Python for browsers, onnxruntime-web, lark, this compiler),
taken from where npm and pip have put it; only NumPy's build for Pyodide, which no registry has, is loaded from
Pyodide's own address where it does not lie beside Pyodide. Its hash is that of Pyodide's list either way.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lark

import darknet_py
from darknet_py import page
from darknet_py.errors import DarknetError, DataError
from darknet_py.files import read_whole, write_whole
from darknet_py.model.formats.web import PACKAGE, runtime_files

HERE = Path(__file__).parent
OWN = Path(darknet_py.__file__).parent
# What compiling, drawing and writing a network takes of this package.
ROOMS = tuple(
    """
    __init__.py errors.py version.py machine.py find.py files holding ir passes contract zoo darknet onnx analysis
    """.split()
)
KEPT = {".py", ".lark", ".toml", ".names"}
PYODIDE = ("pyodide.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
GLUE = ("pyodide.asm.js", "pyodide.asm.mjs")  # one of them, by its release
LIST = "pyodide-lock.json"
ADDRESS = "https://cdn.jsdelivr.net/pyodide/v{}/full/"  # where Pyodide publishes its packages
MAX_FILE = 1 << 27  # bytes of one file of a package


@dataclass(frozen=True)
class Python:
    """Python for browsers: its release, its files, the list of packages that the page reads, and where NumPy lies."""

    release: str
    files: tuple[Path, ...]
    packages: bytes
    address: str  # of NumPy; empty: it is one of the files


def main() -> None:
    """Build the folder, or say what is missing."""
    parser = argparse.ArgumentParser(prog="python -m tools.tab", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--npm", type=Path, default=Path(), help=f"where npm has put {PACKAGE} and pyodide")
    parser.add_argument(
        "--numpy", default=ADDRESS, help="address of the folder that has NumPy for it; {} is its release"
    )
    given = parser.parse_args()
    try:
        size = sum(len(data) for data in build(given.out, given.npm, given.numpy))
    except DarknetError as e:
        sys.exit(str(e))
    print(f"{given.out}: {size / 1e6:.1f} MB; look at it: python -m http.server --directory {given.out}")


def build(out: Path, npm: Path, numpy: str = ADDRESS) -> Iterator[bytes]:
    """Write the page to the folder `out`; what each file holds."""
    runtime = runtime_files(npm)
    python = python_of(npm / "node_modules/pyodide", numpy)
    copied = {file.name: read_whole(file, MAX_FILE, "file of a package") for file in (*runtime, *python.files)}
    index = page.complete((HERE / "index.html").read_bytes()).replace(b" NUMPY", f" {python.address}".rstrip().encode())
    parts = {
        **{name: page.part(name) for name in (*page.LOOK, *page.NETWORK)},
        **{name: (HERE / name).read_bytes() for name in ("page.js", "tab.css", "worker.js")},
        "index.html": index, "compiler.zip": compiler(), "packages.json": python.packages, "NOTICE.txt": notice(python),
    }  # fmt: skip
    for name, data in {**copied, **parts}.items():
        write_whole(out / name, data)
        yield data


def python_of(folder: Path, numpy: str) -> Python:
    """Pyodide as npm has put it into a folder; `DataError` where it is not there."""
    glue = tuple(name for name in GLUE if (folder / name).is_file())
    names = (*PYODIDE, *glue[:1])
    if not glue or any(not (folder / name).is_file() for name in (*names, LIST)):
        raise DataError(
            f"no pyodide in {folder}\n  hint: npm install pyodide {PACKAGE}, and name the folder with --npm"
        )
    whole = json.loads((folder / LIST).read_text("utf-8"))
    release = json.loads((folder / "package.json").read_text("utf-8"))["version"]
    entry = whole["packages"]["numpy"]
    wheel = folder / entry["file_name"]
    address = "" if wheel.is_file() else numpy.format(release) + entry["file_name"]
    entry = {**entry, "file_name": address or wheel.name}
    packages = json.dumps({**whole, "packages": {"numpy": entry}}).encode()
    files = (*names, *([] if address else [wheel.name]))
    return Python(release, tuple(folder / name for name in files), packages, address)


def compiler() -> bytes:
    """The compiler, lark and the page's own Python as an archive; the same bytes for the same sources."""
    files = dict(
        [*_sources(OWN, ROOMS), *_sources(Path(lark.__file__).parent, (".",)), *_sources(HERE / "browser", (".",))]
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for name, path in sorted(files.items()):
            target.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def _sources(package: Path, names: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for name in names:
        top = package / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.suffix in KEPT and path.is_file():
                yield f"{package.name}/{path.relative_to(package)}", path


def notice(python: Python) -> bytes:
    """Whose work lies in the folder, for whoever hosts it."""
    return (
        f"darknet-py (MIT), lark {lark.__version__} (MIT), onnxruntime-web (MIT), Pyodide {python.release} (MPL-2.0)\n"
        "with CPython (PSF-2.0), NumPy (BSD-3-Clause). Each is as its makers publish it.\n"
    ).encode()


if __name__ == "__main__":
    main()
