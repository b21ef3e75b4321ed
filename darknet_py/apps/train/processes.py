"""Several processes that train one network: each computes some of the mini-batches, and gradients are added up.

Decision: `torchrun` starts them and says who is who. The gradients of Darknet are sums over images, so the sum over
processes is that of one process with as many mini-batches as `subdivisions`. Statistics of batch normalization are
each process's own, of its mini-batches; those of the first are kept. Darknet's way, to average weights every 4
iterations, is not copied.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from ...backends.device import Device
from ...backends.torch.session import device_of
from ...errors import BackendError, DataError, first_line

HERE = torch.device("cpu")
# The others wait while the first one measures, or while all are paused; that one has ended is known at once.
PATIENCE = timedelta(days=30)


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this one is."""

    rank: int = 0
    count: int = 1
    device: torch.device = HERE  # where what they exchange lies

    @property
    def first(self) -> bool:
        """Whether this one prints, measures and writes."""
        return self.rank == 0

    def parts(self, subdivisions: int) -> range:
        """The mini-batches of a batch that this process computes. Raises `DataError` where they cannot be shared out.

        >>> list(Processes(1, 2).parts(4))
        [1, 3]
        """
        if subdivisions % self.count:
            raise DataError(
                f"{self.count} processes cannot share {subdivisions} mini-batches evenly\n"
                f"  hint: set subdivisions to a multiple of {self.count} (--subdivisions)"
            )
        return range(self.rank, subdivisions, self.count)

    def add_up(self, module: torch.nn.Module) -> None:
        """The gradients of all processes, added up, in each of them."""
        if self.count == 1:
            return
        found = [p.grad if p.grad is not None else torch.zeros_like(p) for p in module.parameters() if p.requires_grad]
        flat = torch.cat([g.reshape(-1) for g in found])
        with _together():
            distributed.all_reduce(flat)
        at = 0
        for p in (p for p in module.parameters() if p.requires_grad):
            p.grad = flat[at : at + p.numel()].view_as(p)
            at += p.numel()

    def sum_of(self, number: float) -> float:
        """A number, added up over the processes."""
        if self.count == 1:
            return number
        tensor = torch.tensor(number, dtype=torch.float64, device=self.device)
        with _together():
            distributed.all_reduce(tensor)
        return float(tensor)

    def any_of(self, yes: bool) -> bool:
        """Whether it is so in any of the processes: all of them get the same answer at the same time."""
        return self.sum_of(float(yes)) > 0

    def copy_statistics(self, module: torch.nn.Module) -> None:
        """The statistics of batch normalization of the first process, in all of them."""
        if self.count > 1:
            with _together():
                for buffer in module.buffers():
                    distributed.broadcast(buffer, 0)


@contextmanager
def _together() -> Iterator[None]:
    """Raise `BackendError` where not all processes are there any more."""
    try:
        yield
    except RuntimeError as e:  # of PyTorch, whatever the transport calls it
        raise BackendError(
            f"another process of this training has ended, or cannot be reached ({first_line(str(e))})\n"
            "  hint: see what it said; the same command goes on from the last state that was kept"
        ) from None


def chosen_device(name: str) -> torch.device:
    """PyTorch's device of that name: of several processes on "cuda" each its own. Raises `BackendError`."""
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    return device_of(Device.of(name))


@contextmanager
def started(device: torch.device) -> Iterator[Processes]:
    """The processes that `torchrun` started, connected; one alone without it."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _together():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(int(os.environ["RANK"]), count, device)
    finally:
        distributed.destroy_process_group()
