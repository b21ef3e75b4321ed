"""PyTorch: a graph as a differentiable `nn.Module`, and as a session like those of the other back ends.

It is not timed by `auto`: nothing is installed for its speed, and to import it takes longer than most networks run.
"""

from ..backend import Backend

BACKEND = Backend(
    "torch",
    "PyTorch",
    f"{__name__}.session",
    package="torch",
    distributions=("torch",),
    extra="torch",
    threads="process",
    fast=False,
    reads=(".torchscript", ".pt2"),
    devices={"cuda": "torch", "mps": "torch"},
)
