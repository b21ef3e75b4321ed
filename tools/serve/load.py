"""`make serve-load`: the server against a loop over the same model, its delays, and three times more than it can do.

Decision: both sides run in turn, several times, because the machine is shared; the client's processor time is counted
out, as the server's users bring machines of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from darknet_py.machine import cores, cpu

from .client import Client, closed_loop, open_loop, post
from .started import Started, started, write_section

ROUNDS, PICTURES = 3, 150
DELAYED, OVERLOAD = 400, 10_000
AT, OVER = 0.7, 3.0  # of what the server can do
CLIENTS = 16
LOOP = """
import sys, time
from darknet_py import load
cfg, weights, picture, count, workers, batch = *sys.argv[1:4], *map(int, sys.argv[4:])
model = load(cfg, weights, quiet=True)
data = open(picture, "rb").read()
run = lambda n: sum(1 for _ in model((data for _ in range(n)), workers=workers, batch=batch))
run(4)
start, cpu = time.perf_counter(), time.process_time()
run(count)
print(count / (time.perf_counter() - start), count / (time.process_time() - cpu))
"""


@dataclass(frozen=True)
class Rate:
    """Pictures a second, by the clock and by the processor's time."""

    clock: float
    processor: float


def loop_rate(options: argparse.Namespace) -> Rate:
    """The model called in a loop with workers."""
    given = (options.cfg, options.weights, options.picture, options.pictures, cores(), 1)
    done = subprocess.run([sys.executable, "-c", LOOP, *map(str, given)], capture_output=True, text=True, check=True)
    return Rate(*map(float, done.stdout.split()))


def client_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def server_rate(server: Started, request: bytes, count: int) -> Rate:
    """The server, kept busy by some clients, without the client's time."""
    client = Client(server.port)

    async def run() -> Rate:
        await closed_loop(client, request, CLIENTS, CLIENTS)
        start, own, theirs = time.perf_counter(), client_seconds(), server.seconds
        answers = await closed_loop(client, request, count, CLIENTS)
        clock = time.perf_counter() - start - (client_seconds() - own) / cores()
        await client.close()
        assert {status for status, _ in answers} == {200}, "all of them fit into the queue"
        return Rate(count / clock, count / (server.seconds - theirs))

    return asyncio.run(run())


def delays(server: Started, request: bytes, gaps: Callable[[], float], count: int) -> tuple[list[float], int]:
    """The seconds of requests that come some seconds after each other, and how many were refused."""
    client = Client(server.port)

    async def run() -> list[tuple[int, float]]:
        answers = await open_loop(client, request, gaps, count)
        await client.close()
        return answers

    answers = asyncio.run(run())
    answered = [seconds for status, seconds in answers if status == 200]
    return answered, len(answers) - len(answered)


def _tail(seconds: list[float]) -> float:
    """What 99 of 100 stay below."""
    return quantiles(seconds, n=100)[98]


def overload(server: Started, request: bytes, rate: float, count: int) -> tuple[dict[int, int], list[float]]:
    """How often each status came when more requests come than can be done, and the memory of the server on the way."""
    client = Client(server.port)
    memory: list[float] = []

    async def run() -> dict[int, int]:
        found: dict[int, int] = {}
        for _ in range(10):
            for status, _ in await open_loop(client, request, lambda: 1 / rate, count // 10):
                found[status] = found.get(status, 0) + 1
            memory.append(server.memory)
        await client.close()
        return found

    return asyncio.run(run()), memory


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cfg")
    parser.add_argument("weights")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--delayed", type=int, default=DELAYED)
    parser.add_argument("--overload", type=int, default=OVERLOAD)
    parser.add_argument("--serve", default="", help="more options of `darknet-py serve`")
    parser.add_argument("--write", action="store_true", help="write the page too")
    options = parser.parse_args(arguments)
    request = post("/detect", options.picture.read_bytes())
    with started(options.cfg, options.weights, *options.serve.split()) as server:
        pairs = []
        for _ in range(options.rounds):
            pairs.append((loop_rate(options), server_rate(server, request, options.pictures)))
            print(f"loop {pairs[-1][0].clock:.1f}, server {pairs[-1][1].clock:.1f} pictures/s", flush=True)
        ratio = median(s.clock / m.clock for m, s in pairs)
        by_processor = median(s.processor / m.processor for m, s in pairs)
        rate = median(s.clock for _, s in pairs)
        lines = [
            f"- In a loop with `workers={cores()}`: {median(m.clock for m, _ in pairs):.1f} pictures/s; the server:"
            f" {rate:.1f}, **{ratio:.2f}** of it (bar 0.85; each pair: "
            f"{', '.join(f'{s.clock / m.clock:.2f}' for m, s in pairs)}). By processor time: {by_processor:.2f}.",
        ]
        print(lines[-1], flush=True)
        if options.delayed:
            moments = random.Random(0)
            measured = []
            wanted = AT * rate
            for how, gaps in (("evenly", lambda: 1 / wanted), ("at random", lambda: moments.expovariate(wanted))):
                rounds = [delays(server, request, gaps, options.delayed) for _ in range(options.rounds)]
                both = [(_tail(slow), median(slow)) for slow, _ in rounds]
                times = sorted(late / middle for late, middle in both)
                refused = sum(count for _, count in rounds)
                measured.append(
                    f"{how}: median {1000 * median(m for _, m in both):.0f} ms, p99"
                    f" {1000 * median(late for late, _ in both):.0f} ms, **{median(times):.1f}** times that (each:"
                    f" {', '.join(f'{t:.1f}' for t in times)}){f', {refused} refused' if refused else ''}"
                )
            lines.append(
                f"- At {AT:g} of that, {options.rounds} times {options.delayed} requests (bar 3), "
                f"{'; '.join(measured)}."
            )
            print(lines[-1], flush=True)
        if options.overload:
            before = server.memory
            found, memory = overload(server, request, OVER * rate, options.overload)
            loop, after = loop_rate(options), server_rate(server, request, options.pictures)
            told = ", ".join(f"{count} with {status or 'nothing'}" for status, count in sorted(found.items()))
            lines.append(
                f"- {options.overload} requests at {OVER:g} times that: {told}. Memory {before:.0f} MB before, on the"
                f" way {', '.join(f'{m:.0f}' for m in memory)} MB. Afterwards {after.clock / loop.clock:.2f} of the"
                " loop."
            )
            print(lines[-1], flush=True)
    if options.write:
        name = Path(options.cfg).stem
        head = f"A JPEG of {options.picture.stat().st_size // 1000} kB, {cores()} cores of {cpu()}, shared with"
        write_section(f"Load, {name}", "\n".join([f"{head} others: figures within a line belong together.\n", *lines]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
