"""`darknet_py.train`: a training as an iterator of what happens, and what one would be like before it begins."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...darknet.reading import Reading
from ...errors import BackendError, Say, counted, to_nobody
from ...version import requirement
from .data.source import PictureSource
from .events import Event
from .plan import Plan, Settings, read_plan

if TYPE_CHECKING:
    from .learning import Learning

FLOAT = 4  # bytes
TIMED = 3  # iterations of a rehearsal, the first of which warms up
SMALL = 2.0  # seconds of an iteration, up to which a rehearsal takes the time to try one thread as well
FASTER = 0.9  # of the time: less is within what measurements differ by


def train(
    cfg: str | Path,
    data: str | Path | PictureSource,
    weights: str | Path | None = None,
    *,
    backup: str | Path | None = None,
    valid: str | Path | None = None,
    names: str | Path | None = None,
    say: Say | None = None,
    reading: Reading | None = None,
    **settings: Any,
) -> Iterator[Event]:
    r"""Train a cfg on labelled pictures as Darknet does; to iterate is to train.

    `data` is a .data file, a list, a folder, a COCO file, or a `PictureSource`, which makes pictures; `weights` those
    to begin with, of all layers or of the first ones (`yolov4.conv.137`), or None for random numbers. `settings` are
    the fields of `Settings`: `seed`, `device`, `map_` (on the pictures `valid`, or those of the .data file),
    `iterations`, `freeze` … Weights, logs and charts go into `backup` (default: what the .data file says, or the folder
    backup); the same call goes on where it was stopped or killed. Raises `DarknetError`.

    >>> from darknet_py import train
    >>> for event in train("my.cfg", "my.data", map_=True):  # doctest: +SKIP
    ...     print(event)
    """
    need_torch()
    from .trainer import Trainer

    plan = read_plan(
        cfg, data, weights, backup=backup, valid=valid, names=names, reading=reading, settings=Settings(**settings),
        say=say,
    )  # fmt: skip
    return iter(Trainer(plan, say))


def need_torch() -> None:
    """Raise `BackendError` with what to install where PyTorch is missing."""
    try:
        import torch  # noqa: F401 - whether it is there
    except ModuleNotFoundError:
        raise BackendError(f"training needs PyTorch: pip install {requirement('torch')}") from None


@dataclass(frozen=True)
class Rehearsal:
    """What a training will take: seconds for an iteration, bytes of memory, and its length.

    `parameters` and `activations` are what the arithmetic of the network says: numbers that are learned, and numbers
    that are kept for the backward pass of one mini-batch. `peak` is the most memory that this process has had. `alone`
    are the seconds of an iteration with one thread, None where that was not tried: it is for small networks, which are
    often faster so.
    """

    iterations: int
    pictures: int
    size: tuple[int, int]
    parameters: int
    activations: int
    seconds: float
    waited: float
    peak: int
    alone: float | None = None

    def __str__(self) -> str:
        from .lines import duration

        height, width = self.size
        held = 3 * FLOAT * self.parameters + FLOAT * self.activations
        return "\n".join([
            f"{counted(self.iterations, 'iteration')} of {counted(self.pictures, 'picture')}, {width}x{height}",
            f"{self.parameters:,} parameters; with gradients, momentum and {self.activations:,} activations of a "
            f"mini-batch about {held / 2**20:,.0f} MiB; with PyTorch itself this process had at most "
            f"{self.peak / 2**20:,.0f} MiB",
            f"{self.seconds:.2f} s an iteration, {self.waited:.2f} s of it waiting for pictures: "
            f"{duration(self.seconds * self.iterations)} in all",
            *self._advice(),
        ])  # fmt: skip

    def _advice(self) -> list[str]:
        if self.alone is None or self.alone > FASTER * self.seconds:
            return []
        return [f"with one thread {self.alone:.2f} s an iteration: train with --threads 1"]


def rehearse(plan: Plan, say: Say | None = None) -> Rehearsal:
    """A few iterations in memory, of which nothing is kept: what the training will take. Raises `DarknetError`."""
    from .learning import Learning, loader_of
    from .processes import Processes, chosen_device
    from .validation import Validation

    say, device = say or to_nobody, chosen_device(plan.settings.device)
    loader = loader_of(plan, say)
    loader.examples.look_over()
    learning = Learning(plan, loader, device, Processes(), say)
    Validation.of(plan, say)  # what is wrong with it is to be known now
    begin = learning.tally.iteration
    steps = [*learning.steps(begin + TIMED)]
    warm = steps[1:] or steps
    seconds = sum(s.seconds for s in warm) / len(warm)
    alone = _alone(learning) if seconds < SMALL and plan.settings.threads is None else None
    graph = plan.compilation.graph
    return Rehearsal(
        plan.net.max_batches - begin, plan.net.batch, learning.sizes.largest(),
        sum(p.size for p in graph.params), plan.mini_batch * sum(math.prod(op.output.shape) for op in graph.ops),
        seconds, sum(s.waited for s in warm) / len(warm), _peak(), alone,
    )  # fmt: skip


def _alone(learning: Learning) -> float | None:
    """Seconds of an iteration with one thread, the best of a few more; None where there is one in any case."""
    import torch

    threads = torch.get_num_threads()
    if threads == 1 or learning.device.type != "cpu":
        return None
    torch.set_num_threads(1)
    try:
        return min(s.seconds for s in learning.steps(learning.tally.iteration + TIMED))
    finally:
        torch.set_num_threads(threads)


def _peak() -> int:
    """The most bytes of memory that this process has had; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def show_data(plan: Plan, count: int, *, replace: bool = False) -> Path:
    """Write a sheet of the first `count` pictures that the network would see, with boxes; its path, in the folder.

    Raises `DarknetError`, also for a file of that name which this package did not write, unless `replace`.
    """
    from .data.sheet import write_sheet
    from .learning import loader_of

    path = plan.backup / f"{plan.name}_data.png"
    write_sheet(loader_of(plan, to_nobody), path, count, plan.names, replace=replace)
    return path
