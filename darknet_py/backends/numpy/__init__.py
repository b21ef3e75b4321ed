"""NumPy, the reference: what the others are held to."""

from ..backend import Backend

BACKEND = Backend("numpy", "NumPy", f"{__name__}.session", "numpy", ("numpy",), threads="none", fast=False)
