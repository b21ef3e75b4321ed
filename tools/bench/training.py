"""A training iteration beside plain PyTorch, and whether the loader keeps up: `python -m tools.bench.training`.

Forward, backward and update of a network as `darknet_py.train` computes them beside the same layers written by hand
(`plain.py`) and torch.optim.SGD, from the same weights, pictures and deltas; the gradients of both are compared first.
Then iterations of the trainer with its loader beside iterations with pictures that are in memory.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from darknet_py.apps.train.data.loader import MiniBatch
from darknet_py.apps.train.learning import Learning, loader_of
from darknet_py.apps.train.optimizer import DarknetOptimizer
from darknet_py.apps.train.plan import Settings, read_plan
from darknet_py.apps.train.processes import Processes
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.reading import Reading
from darknet_py.errors import to_nobody
from darknet_py.torch import DarknetModule, module

from .plain import PlainNetwork

CFGS = Path("../shared/cfgs/AlexeyAB+darknet/cfg__yolov4-tiny.cfg"), Path("cfgs/yolov3-csppelee-efm.cfg")
PICTURES = Path("../shared/images/coco64")
BAR = 0.95
CLOSE = 1e-4  # part of the largest gradient of a tensor by which the two sides may differ: other orders of sums
SIZE = 416, 416
RATE, MOMENTUM, DECAY = 1e-6, 0.9, 5e-4  # so small a rate leaves numbers as they are for the whole run
WARM = 2  # iterations before the clock counts
BLOCK = 6  # iterations in a row with one kind of loader

Side = Callable[[Tensor], None]


@dataclass(frozen=True)
class Compared:
    """A network on both sides: seconds of the processor for an iteration, and the median of theirs / ours in turns."""

    name: str
    ours: float
    theirs: float
    ratio: float
    quartiles: tuple[float, float]
    off: float


def compare(cfg: Path, batch: int, rounds: int, clock: Callable[[], float]) -> Compared:
    """Both sides in turn on the same pictures."""
    compilation = compile_file(cfg, Reading(size=SIZE)).check()
    ours, theirs = module(cfg, size=SIZE), PlainNetwork(compilation)
    _copy(ours, theirs)
    images = torch.rand(batch, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    off = gradient_difference(ours, theirs, images)
    if off > CLOSE:
        raise SystemExit(f"{cfg}: gradients differ by {off:.1e} of their scale")
    net = replace(compilation.net, learning_rate=RATE, momentum=MOMENTUM, decay=DECAY, batch=batch, burn_in=0,
                  policy="constant")  # fmt: skip
    mine = DarknetOptimizer.of(ours, net)
    plain = torch.optim.SGD(theirs.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY, fused=True)
    sides: tuple[Side, Side] = (lambda x: _our_step(ours, mine, x), lambda x: _their_step(theirs, plain, x))
    pairs = []
    for number in range(WARM + rounds):
        order = (0, 1) if number % 2 else (1, 0)
        took = [0.0, 0.0]
        for side in order:
            start = clock()
            sides[side](images)
            took[side] = clock() - start
        pairs.append((took[0], took[1]))
    pairs = pairs[WARM:]
    ratios = sorted(b / a for a, b in pairs)
    ends = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
    name = cfg.stem.removeprefix("cfg__")
    return Compared(name, median(a for a, _ in pairs), median(b for _, b in pairs), median(ratios), ends, off)


def loss(reads: list[Tensor]) -> Tensor:
    """Something whose gradients are of every number that heads read: half the sum of squares."""
    return torch.stack([(x * x).sum() for x in reads]).sum() / 2


def gradient_difference(ours: DarknetModule, theirs: PlainNetwork, images: Tensor) -> float:
    """The largest difference of two gradients of a tensor, as a part of the largest number in it."""
    ours.train()
    theirs.train()
    loss(_heads(ours, images)).backward()
    loss(theirs(images)).backward()
    pairs = [(_norm(a.grad, b.grad), float(b.grad.abs().max())) for a, b in _pairs(ours, theirs)]
    for network in (ours, theirs):
        for p in network.parameters():
            p.grad = None
    return max(difference / scale for difference, scale in pairs if scale)


def _norm(a: Tensor, b: Tensor) -> float:
    return float((a.reshape(b.shape) - b).abs().max())


def _heads(ours: DarknetModule, images: Tensor) -> list[Tensor]:
    graph = ours.graph
    return ours.values([images], [graph.layer_inputs(graph.layer(i))[0] for i in graph.heads])


def _our_step(ours: DarknetModule, optimizer: DarknetOptimizer, images: Tensor) -> None:
    loss(_heads(ours, images)).backward()
    optimizer.step(1)


def _their_step(theirs: PlainNetwork, optimizer: Any, images: Tensor) -> None:
    loss(theirs(images)).backward()
    optimizer.step()
    optimizer.zero_grad()


def _pairs(ours: DarknetModule, theirs: PlainNetwork) -> Iterator[tuple[Tensor, Tensor]]:
    """The parameters of both, layer by layer."""
    state = dict(ours.named_parameters())
    for i, layer in enumerate(theirs.layers):
        if theirs.kinds[i] != "convolutional":
            continue
        convolution, *others = layer
        name = f"{i}_convolutional"
        yield state[f"{name}.weights"], convolution.weight
        if convolution.bias is not None:
            yield state[f"{name}.biases"], convolution.bias
            continue
        yield state[f"{name}.scales"], others[0].weight
        yield state[f"{name}.biases"], others[0].bias


def _copy(ours: DarknetModule, theirs: PlainNetwork) -> None:
    with torch.no_grad():
        for a, b in _pairs(ours, theirs):
            b.copy_(a.reshape(b.shape))


# -- the loader ----------------------------------------------------------------------------------------------------


class Held:
    """The place of a loader whose mini-batches are in memory."""

    def __init__(self, loader: Any, batches: list[MiniBatch]) -> None:
        self.dataset, self._batches = loader.dataset, batches

    def from_sample(self, first: int, plan: Iterator[Any], **_: Any) -> Iterator[MiniBatch]:
        """The same few mini-batches again and again."""
        for number, _one in enumerate(plan):
            yield self._batches[number % len(self._batches)]


def keep_up(cfg: Path, pictures: Path, batch: int, blocks: int) -> tuple[float, float, float]:
    """Seconds of an iteration with the loader and without it, and the part that was waited for pictures."""
    settings = Settings(batch=batch, subdivisions=1, threads=torch.get_num_threads(), workers=1)
    plan = read_plan(cfg, pictures, settings=settings, reading=Reading(size=SIZE))
    loader: Any = loader_of(plan, to_nobody)
    run = Learning(plan, loader, torch.device("cpu"), Processes(), to_nobody)
    held: Any = Held(loader, [loader.batch(i) for i in range(BLOCK)])
    seconds: dict[bool, list[float]] = {True: [], False: []}
    waited: list[float] = []
    for number in range(2 * blocks):
        real = bool(number % 2)
        run.loader = loader if real else held
        steps = [*run.steps(run.tally.iteration + WARM + BLOCK)][WARM:]
        seconds[real].append(median(s.seconds for s in steps))
        waited += [s.waited / s.seconds for s in steps] if real else []
    return median(seconds[True]), median(seconds[False]), median(waited)


def main() -> None:
    """Print the tables of TRAINING.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--blocks", type=int, default=3, help="of 6 iterations with the loader; 0: without this part")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--wall", action="store_true", help="time by the clock instead of the processor's")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    clock = time.perf_counter if given.wall else time.process_time
    print("| network | ours, ms | plain PyTorch, ms | theirs / ours | quartiles | gradients differ by |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for cfg in CFGS:
        c = compare(cfg, given.batch, given.rounds, clock)
        low, high = c.quartiles
        print(f"| {c.name} | {1e3 * c.ours:.0f} | {1e3 * c.theirs:.0f} | {c.ratio:.3f} | {low:.3f} to {high:.3f} "
              f"| {c.off:.0e} |", flush=True)  # fmt: skip
    if given.blocks:
        real, held, waited = keep_up(CFGS[0], PICTURES, given.batch, given.blocks)
        print(f"\nwith the loader {1e3 * real:.0f} ms an iteration, with pictures in memory {1e3 * held:.0f} ms "
              f"({held / real:.3f}), waiting for pictures {waited:.1%} of the time")  # fmt: skip


if __name__ == "__main__":
    main()
