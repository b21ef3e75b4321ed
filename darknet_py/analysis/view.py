"""A network in Netron, the viewer for models: it reads Darknet's cfgs and ONNX files itself."""

from __future__ import annotations

from pathlib import Path

from ..errors import BackendError, DataError
from ..files import is_file
from ..version import requirement

SUFFIXES = (".cfg", ".onnx")


def view(path: str | Path, *, port: int | None = None, browse: bool = True) -> str:
    """Serve a .cfg or .onnx file with Netron, open a browser unless told not to, and return the address.

    Serving goes on until `wait`, or the end of the program. Raises `DataError` for a file that is not there or of
    another kind, `BackendError` if Netron is not installed.
    """
    file = Path(path)
    if not is_file(file):
        raise DataError(f"no file {str(file)!r}")
    if file.suffix.lower() not in SUFFIXES:
        raise DataError(f"cannot view {file.name!r}\n  hint: a file that ends in {' or '.join(SUFFIXES)}")
    try:
        import netron
    except ImportError as e:
        message = f"viewing needs Netron, which is not installed\n  hint: pip install {requirement('view')}"
        raise BackendError(f"{message}, or write a picture with `darknet-py graph`") from e
    host, number = netron.start(str(file), address=port, browse=browse)
    return f"http://{host}:{number}"


def wait() -> None:
    """Go on serving until Ctrl-C."""
    import netron

    netron.wait()
