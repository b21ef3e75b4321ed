"""The class tree of YOLO9000: which classes are kinds of which.

Decision: a group of siblings is what Darknet makes it, a run of consecutive nodes with the same parent (tree.c
read_tree).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

ROOT = -1  # the parent of a node that has none


@dataclass(frozen=True)
class Tree:
    """Nodes in file order: their names, and the index of the parent of each, or -1."""

    names: tuple[str, ...]
    parents: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.parents)

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """The length of each run of consecutive siblings."""
        return tuple(len(list(run)) for _, run in groupby(self.parents))

    @cached_property
    def levels(self) -> tuple[np.ndarray, ...]:
        """The indices of the nodes below the roots, one array for each depth."""
        depths = np.zeros(len(self), int)
        for node, parent in enumerate(self.parents):
            depths[node] = 0 if parent == ROOT else depths[parent] + 1
        return tuple(np.flatnonzero(depths == d) for d in range(1, depths.max() + 1))

    def absolute(self, conditional: np.ndarray) -> np.ndarray:
        """(n, nodes) probabilities given the parent, as products along the path (tree.c hierarchy_predictions)."""
        result = conditional.copy()
        parents = np.array(self.parents)
        for level in self.levels:
            result[:, level] *= result[:, parents[level]]
        return result


def tree_of(data: dict[str, Any]) -> Tree:
    """The tree of its fields, which may come from JSON; `ValueError`, `KeyError` or `TypeError` where it is none.

    A parent comes before its children, as in Darknet's files: so no branch has an end at its own beginning.
    """
    names, parents = tuple(data["names"]), tuple(data["parents"])
    if len(names) != len(parents) or not all(isinstance(n, str) for n in names):
        raise ValueError("a tree has a name and a parent for each node")
    if not all(type(p) is int and ROOT <= p < node for node, p in enumerate(parents)):
        raise ValueError("the parent of a node of a tree is a node before it")
    return Tree(names, parents)
