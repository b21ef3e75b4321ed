"""Names and sentences: no two public things of the package share a name, and every file says what it is."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import darknet_py

PACKAGE = Path(darknet_py.__file__).parent

TESTS = Path(__file__).parent

# What several modules define on purpose, and why.
SHARED = {
    "command": "what the command line looks for in the file of a command",
    "open_session": "what each back end has, and the function that chooses one",
    "open_file": "the same for files",
    "batch_norm": "a primitive: its rule, and how layers of Darknet write it",
    "conv": "a primitive: its rule, and its kernel",
    "conv_transpose": "a primitive: its rule, and its kernel",
    "write_weights": "of arrays, and of a module of PyTorch",
    "Dropout": "a section of a cfg, and what it does in training",
    "Training": "the options of sections, and the graph, that training is about",
    "Detection": "a section of a cfg, and the decoder that its lowering returns",
    "Region": "a section of a cfg, and the decoder that its lowering returns",
    "Yolo": "a section of a cfg, and the decoder that its lowering returns",
}


def homes() -> dict[str, list[str]]:
    """The modules that define each public name."""
    found = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(PACKAGE)))
    return found


def test_no_two_public_things_have_one_name() -> None:
    found = homes()
    assert len(found) > 400
    several = {name: modules for name, modules in found.items() if len(set(modules)) > 1}
    assert {name: modules for name, modules in several.items() if name not in SHARED} == {}
    assert set(SHARED) <= set(several), "SHARED may only shrink"


def test_every_file_opens_with_a_sentence() -> None:
    files = [*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")]
    assert len(files) > 200
    assert [path for path in files if not opening(path).endswith((".", ":", "?"))] == []


def opening(path: Path) -> str:
    """The first paragraph of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n\n")[0]
