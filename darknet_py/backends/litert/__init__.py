"""LiteRT (TensorFlow Lite): a graph as its own kind of file, written here, with the channels of an image last.

It is not timed by `auto`: whoever wants it has a phone or a board in mind, not this machine.
"""

from ..backend import Backend

BACKEND = Backend(
    "litert",
    "LiteRT",
    f"{__name__}.session",
    package="ai_edge_litert",
    distributions=("ai-edge-litert",),
    extra="litert",
    reads=(".tflite",),
    fast=False,
    any_batch=False,
)
