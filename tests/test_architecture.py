"""The order of the rooms: each imports only from itself and from rooms below, inside functions and for types too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import darknet_py

PACKAGE = Path(darknet_py.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

# From the ground up; what stands in one line is one floor.
FLOORS = (
    ("errors", "machine", "version"),
    ("files", "spelling"),
    ("holding", "page"),
    ("ir",),
    ("passes",),
    ("contract",),
    ("zoo",),
    ("find",),
    ("darknet",),
    ("onnx", "coreml"),
    ("backends",),
    ("vision",),
    ("analysis",),
    ("model",),
    ("compat", "cv2_compat", "torch"),
    ("apps",),
    ("cli",),
    ("__init__", "__main__"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Floors below that are none of a room's business all the same.
NEVER = {"onnx": {"darknet", "zoo"}, "coreml": {"darknet", "zoo"}, "backends": {"darknet", "zoo"}}

# What leaves the order, each with its reason; the list may only shrink.
EXCEPTIONS: dict[tuple[str, str], str] = {}

# What these rooms may import from outside, besides the standard library.
OUTSIDE = {
    "errors": set(), "files": set(), "holding": set(), "machine": set(), "page": set(), "spelling": set(),
    "version": set(),
    "ir": {"numpy"}, "passes": {"numpy"},
    "contract": {"numpy"}, "zoo": set(), "darknet": {"numpy", "lark"}, "onnx": {"numpy", "onnx"},
    "coreml": {"numpy", "coremltools"},
}  # fmt: skip
RUNTIMES = {
    "numpy",
    "onnx",
    "onnxruntime",
    "cv2",
    "openvino",
    "ncnn",
    "lark",
    "click",
    "torch",
    "matplotlib",
    "coremltools",
}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, those of this package as paths below it, with a dot in front."""
    package = ["darknet_py", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("darknet_py") if name.startswith("darknet_py.") else name for name in names)


def target(name: str) -> str:
    """The module of an imported name: what is left when the names defined in it are cut off."""
    parts = name.strip(".").split(".")
    while parts and not (PACKAGE.joinpath(*parts).with_suffix(".py").is_file() or PACKAGE.joinpath(*parts).is_dir()):
        parts.pop()
    return ".".join(parts) or "__init__"


def climbing() -> set[tuple[str, str]]:
    """(module, module) for each import within the package that does not go down to another room."""
    pairs = {(module_of(p), target(name)) for p in SOURCES for name in imports(p) if name.startswith(".")}
    return {(a, b) for a, b in pairs if not may_import(room_of(a), room_of(b))}


def may_import(room: str, other: str) -> bool:
    return room == other or (FLOOR[room] > FLOOR[other] and other not in NEVER.get(room, ()))


def test_every_file_lives_in_a_room() -> None:
    assert len(SOURCES) > 100
    assert {room_of(module_of(path)) for path in SOURCES} == set(FLOOR)


def test_a_room_imports_only_rooms_below_it() -> None:
    assert climbing() == set(EXCEPTIONS)


def test_few_modules_stand_outside_the_rooms() -> None:
    modules = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert len(modules) <= 8


@pytest.mark.parametrize("room", OUTSIDE)
def test_a_room_knows_only_the_libraries_of_its_job(room: str) -> None:
    known = {name.partition(".")[0] for p in SOURCES if room_of(module_of(p)) == room for name in imports(p)}
    assert known & RUNTIMES <= OUTSIDE[room]


def test_no_application_imports_another() -> None:
    for path in (PACKAGE / "apps").rglob("*.py"):
        own = module_of(path).split(".")[1]
        used = {name.split(".")[2] for name in imports(path) if name.startswith(".apps.")}
        assert used <= {own}, path
