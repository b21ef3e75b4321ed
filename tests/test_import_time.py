"""What must not be imported for a name, for help, or for a usage error: time is not measured, causes are."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "cv2", "onnx", "onnxruntime", "lark", "urllib.request", "subprocess")
SCRIPT = """
import sys
{code}
print([m for m in {heavy} if m in sys.modules])
"""
HELP = """
from darknet_py.cli import main
try:
    main({args}, prog_name="darknet-py")
except SystemExit:
    pass
"""


@pytest.mark.parametrize(
    "code",
    [
        "import darknet_py",
        "import darknet_py; darknet_py.__version__; dir(darknet_py)",
        HELP.format(args=["--help"]),
        HELP.format(args=["--version"]),
        HELP.format(args=["run", "--help"]),
        HELP.format(args=["lint"]),
    ],
)
def test_nothing_heavy_is_imported_by(code: str) -> None:
    script = SCRIPT.format(code=code, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
