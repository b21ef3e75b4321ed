"""`darknet-py cut`: the short name of `darknet-py weights cut`, for what Darknet calls `partial`."""

from .weights import cut as command

__all__ = ["command"]
