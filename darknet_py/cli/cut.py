"""`darknet-py cut`: the short name of `darknet-py weights cut`, for what Darknet calls `partial`."""

from .weights import cut as command

PLACE = ("Convert", 3)

__all__ = ["command"]
