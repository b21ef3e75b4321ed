"""The class trees of a network: its file carries them, and a cfg names a file for each.

Decision: they are written into a folder before anything is recognized, because a section with a tree is lowered with
the file that it names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...contract.decoders import Region
from ...contract.tree import Tree
from ...errors import DataError
from ...files import write_whole
from .reader import ReadNetwork


@dataclass(frozen=True)
class Trees:
    """The folder in which the files of class trees lie, and the name of each."""

    folder: Path
    names: Mapping[Tree, str]

    @property
    def files(self) -> dict[str, Path]:
        """The files by their names."""
        return {name: self.folder / name for name in self.names.values()}


def write_trees(network: ReadNetwork, folder: Path, stem: str) -> Trees:
    """Write the class trees of a network to STEM.tree, STEM_2.tree, … in a folder, without what a cfg cannot name.

    Raises `DataError` for one that no file says, with a space in a name.
    """
    decoders = network.contract.decoders if network.contract is not None else ()
    trees = dict.fromkeys(d.tree for d in decoders if isinstance(d, Region) and d.tree is not None)
    stem = re.sub(r"[^\w.-]", "_", stem)  # Darknet takes spaces out of a line
    names = {tree: f"{stem}.tree" if n == 1 else f"{stem}_{n}.tree" for n, tree in enumerate(trees, 1)}
    for tree, name in names.items():
        if any(node.split() != [node] for node in tree.names):
            raise DataError(f"{network.path}: names in its class tree have spaces, and Darknet's files none")
        lines = (f"{node} {parent}\n" for node, parent in zip(tree.names, tree.parents, strict=True))
        write_whole(folder / name, "".join(lines).encode(errors="replace"))
    return Trees(folder, names)
