"""Where PyTorch is missing, every way to it says what to install, in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HIDDEN = "import sys; sys.modules['torch'] = None\n"  # an import of it fails then, whether it is installed or not
CFG = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=2\nsize=1\n"
WAYS = {
    "train": "import darknet_py; darknet_py.train('a.cfg', 'a.data')",
    "module": "from darknet_py.torch import module",
    "back end": "import darknet_py; darknet_py.load('a.cfg', 'a.weights', backend='torch')",
    "command": "sys.argv[1:] = ['train', 'a.data', 'a.cfg']; from darknet_py.__main__ import program; program()",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_missing_pytorch_is_one_line_with_the_package(tmp_path: Path, way: str) -> None:
    from darknet_py.darknet.compile import compile_cfg
    from darknet_py.darknet.weights import random_weights, write_weights

    (tmp_path / "a.cfg").write_text(CFG)
    graph = compile_cfg(CFG).check().graph
    write_weights(tmp_path / "a.weights", graph, random_weights(graph, 0))
    done = subprocess.run([sys.executable, "-c", HIDDEN + way], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode
    last = done.stderr.splitlines()[-1]
    assert "PyTorch" in last or "'torch'" in last
    assert "pip install " in last
    assert last.endswith("[torch]'")
