"""ncnn: the parts of a graph that it has layers for, written in its own format, and NumPy for the others."""

from ..backend import Backend

BACKEND = Backend(
    "ncnn", "ncnn", f"{__name__}.session", package="ncnn", distributions=("ncnn",), extra="ncnn", reads=(".param",)
)
