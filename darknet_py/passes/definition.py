"""What a pass is: a named function from graph to graph that says how exact it is.

Decision: a pass is a value, so that messages call it by its name, and two that do the same are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..ir.graph import Graph


@dataclass(frozen=True)
class Pass:
    """A pass: `function(graph, *parameters)`.

    `exact` is True where no number changes, else says in words how far results may be off. It is pure, and needs the
    parameters loaded: what reads others is left alone.
    """

    name: str
    exact: Literal[True] | str
    function: Callable[..., Graph]
    parameters: tuple[Any, ...] = ()

    def __call__(self, graph: Graph) -> Graph:
        """The graph after this pass."""
        return self.function(graph, *self.parameters)
