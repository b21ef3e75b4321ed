"""The side file of a class tree: its lines say `name parent`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ....contract.tree import ROOT, Tree
from ....errors import Code, DataError
from ....files import is_file, read_whole
from ..layer import LayerError

if TYPE_CHECKING:
    from ..lowering import Lowering

MAX_BYTES = 1 << 24


def read_tree(path: str | Path) -> Tree:
    """Read a tree file; `DataError` where it cannot be read, is empty, or a parent is not an earlier line."""
    text = read_whole(path, MAX_BYTES, "tree").decode("utf-8", "replace")
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"the tree {path} is empty")
    parents = []
    for index, words in enumerate(lines):
        parent = _parent(words)
        if parent is None or not ROOT <= parent < index:
            message = f"{' '.join(words)!r} is not a name and the number of an earlier line, or -1"
            raise DataError(f"{path}, line {index + 1}: {message}")
        parents.append(parent)
    return Tree(tuple(words[0] for words in lines), tuple(parents))


def _parent(words: list[str]) -> int | None:
    try:
        return int(words[1])
    except (IndexError, ValueError):
        return None


def find_side_file(folder: str | None, name: str) -> Path | None:
    """A file that an option names: in the folder of the cfg, its parent, or the working directory; None: nowhere."""
    own = [Path(folder), Path(folder, "..")] if folder else []
    return next((f / name for f in (*own, Path()) if is_file(f / name)), None)


def find_tree(b: Lowering, name: str, nodes: int) -> Tree | None:
    """The tree that the option `tree` names: in the folder of the cfg, its parent, or the working directory.

    The parent, because Darknet's cfgs lie in cfg/ and name data/9k.tree from the folder above. None, with a warning,
    where there is no such file: shapes do not depend on it. An error where it is not a tree of as many nodes as the
    layer has classes.
    """
    path = find_side_file(b.folder, name)
    if path is None:
        message = f"there is no file {name!r} beside the cfg or in the working directory; the class tree is left out"
        b.warn(Code.SIDE_FILE, message, "tree", "without it the classes do not mean what they were trained to mean")
        return None
    try:
        tree = read_tree(path)
    except DataError as e:
        raise LayerError(Code.SIDE_FILE, str(e), "tree") from None
    if len(tree) != nodes:
        raise LayerError(Code.SIDE_FILE, f"{path} has {len(tree)} nodes, and the layer {nodes} classes", "tree")
    return tree
