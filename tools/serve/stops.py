"""`make serve-stops`: a server that is asked to stop while many clients are busy, many times, and what they have lost.

Decision: lost is every request of which a byte was sent on an open connection and that has no whole answer, whatever
the reason; who is refused when it connects has lost nothing, and is done. Clients are of all kinds that there are: some
connect anew for each request, some keep their connection, some keep it and pause, and some send in two pieces.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tools.batch.scene import CFG
from tools.train.shapes import picture

from .client import post
from .started import Started, started, write_section

STOPS, CLIENTS, SEED = 40, 48, 1
BEFORE = (0.3, 1.0)  # seconds of work before the server is asked to stop
PAUSE = 0.2  # seconds at most between two requests of a client that pauses, and between two pieces
AFTER = 90.0  # seconds in which the server and all clients have to come to an end
KINDS = ("anew", "kept", "pausing", "in pieces")
LOST, REFUSED = "lost", "refused"


class Lost(Exception):
    """A request that was sent, and no whole answer came."""


async def answered(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """The status of an answer that has come whole, and whether it is the last one of its connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    except (OSError, asyncio.IncompleteReadError) as e:
        raise Lost(f"{type(e).__name__}, {len(getattr(e, 'partial', b''))} bytes of the answer came") from None
    return int(head[9:12]), b"connection: close" in head


async def busy(port: int, request: bytes, kind: str, chance: random.Random, found: Counter[str]) -> None:
    """A client that asks until it cannot connect any more."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            found[REFUSED] += 1
            return
        try:
            while not reader.at_eof():
                cut = chance.randrange(1, len(request)) if kind == "in pieces" else len(request)
                writer.write(request[:cut])
                if cut < len(request):
                    await asyncio.sleep(chance.uniform(0, PAUSE))
                    writer.write(request[cut:])
                status, last = await answered(reader)
                found[str(status)] += 1
                if last or kind == "anew":
                    break
                if kind == "pausing":
                    await asyncio.sleep(chance.uniform(0, PAUSE))
        except (Lost, OSError) as e:
            found[LOST] += 1
            found[f"{LOST}, {kind}: {e}"] += 1
        writer.close()


async def stopped(server: Started, request: bytes, clients: int, chance: random.Random) -> Counter[str]:
    """What becomes of the requests of some clients when the server is asked to stop."""
    found: Counter[str] = Counter()
    tasks = [
        asyncio.create_task(busy(server.port, request, KINDS[i % len(KINDS)], chance, found)) for i in range(clients)
    ]
    await asyncio.sleep(chance.uniform(*BEFORE))
    server.process.send_signal(signal.SIGTERM)
    done, hanging = await asyncio.wait(tasks, timeout=AFTER)
    for task in hanging:
        task.cancel()
    for task in done:
        task.result()
    found["hanging"] = len(hanging)
    found["exit status not 0"] = int(await asyncio.to_thread(server.process.wait, AFTER) != 0)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", nargs="*", default=[str(CFG), "--random-weights", "1"], metavar="CFG [WEIGHTS]")
    parser.add_argument("--picture", type=Path, help="default: a drawn one")
    parser.add_argument("--stops", type=int, default=STOPS)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--write", action="store_true", help="write the page too")
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    request = post("/detect", options.picture.read_bytes() if options.picture else drawn())
    found: Counter[str] = Counter()
    for i in range(options.stops):
        with started(*options.network, "--queue", str(options.clients)) as server:
            one = asyncio.run(stopped(server, request, options.clients, chance))
        found += one
        print(f"{i + 1:3} of {options.stops}: {dict(one)}", flush=True)
    answers = {status: count for status, count in sorted(found.items()) if status.isdigit()}
    told = ", ".join(f"{count} with {status}" for status, count in answers.items())
    line = (
        f"{options.stops} times a server was asked to stop (SIGTERM) while {options.clients} clients were busy: "
        f"{told}; lost: **{found[LOST]}** (bar 0); clients that waited in vain: {found['hanging']}; exit status other "
        f"than 0: {found['exit status not 0']}."
    )
    print(line)
    if options.write:
        write_section("Stopped", line)
    return int(bool(found[LOST] or found["hanging"] or found["exit status not 0"]))


def drawn() -> bytes:
    """A picture with some shapes, as PNG."""
    import cv2

    data: bytes = cv2.imencode(".png", picture(1, 0)[0])[1].tobytes()
    return data


if __name__ == "__main__":
    sys.exit(main())
