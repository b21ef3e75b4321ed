"""The intermediate representation: tensors and primitives, no Darknet."""

from .check import InvalidGraph, check
from .graph import Graph, LayerInfo, Op, Param, State, Value
from .ops import PRIMITIVES, ShapeError

__all__ = ["PRIMITIVES", "Graph", "InvalidGraph", "LayerInfo", "Op", "Param", "ShapeError", "State", "Value", "check"]
