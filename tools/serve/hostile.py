"""`make serve-hostile`: thousands of malformed requests, each of which is to be refused, and a server as before.

Decision: every kind is made from a seed and counted by itself; a request is one that no client means, so any answer but
4xx (503 of a full queue or of all memory) is a fault, and so is none at all. Damaged pictures are apart: what a decoder
makes of a JPEG with a wrong bit is a picture.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import random
import socket
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tools.markdown import table

from .client import post
from .started import started, write_section

COUNT, THREADS, SLOW = 10_000, 8, 16
WAIT = 60.0  # seconds in which an answer comes, or there is none
MODEL = "/v2/models/{}/infer"
Make = Callable[[random.Random, bytes, str], bytes]  # from a good picture and the name of the model to bytes


def infer(model: str, data: Any, tail: bytes = b"", head_length: object = None) -> bytes:
    head = json.dumps(data).encode() if not isinstance(data, bytes) else data
    said = len(head) if head_length is None else head_length
    return post(MODEL.format(model), head + tail, f"Inference-Header-Content-Length: {said}")


def tensor(**change: Any) -> dict[str, Any]:
    whole = {"name": "images", "shape": [1, 3, 416, 416], "datatype": "FP32", "parameters": {"binary_data_size": 16}}
    return {"inputs": [{**whole, **change}]}


def wrong_length(r: random.Random, picture: bytes, model: str) -> bytes:
    said = r.choice(["-1", "x", "1e9", str(10**30), "99999999", "", " "])
    return infer(model, tensor(), bytes(16), said or "?")


def wrong_size(r: random.Random, picture: bytes, model: str) -> bytes:
    size = r.choice([-1, 17, 10**12, "16", 1.5, None, True, [16]])
    return infer(model, tensor(parameters={"binary_data_size": size}), bytes(16))


def wrong_content_length(r: random.Random, picture: bytes, model: str) -> bytes:
    return post("/detect", picture, length=r.choice(["-1", "x", "1, 2", "0x10", str(10**20)]))


def truncated(r: random.Random, picture: bytes, model: str) -> bytes:
    whole = post("/detect", picture)
    return whole[: r.randrange(20, len(whole) - 1)]


def wrong_datatype(r: random.Random, picture: bytes, model: str) -> bytes:
    kind = r.choice(["FP31", "BF16", "BYTES", "INT32", "fp32", "", None, 3, "FP32" * 999])
    return infer(model, tensor(datatype=kind), bytes(16))


def wrong_shape(r: random.Random, picture: bytes, model: str) -> bytes:
    shapes = [[-1, 3, 8, 8], [1 << 62] * 4, [], [0, 3, 416, 416], "1", None, [1.5], [1] * 99, [[1]], [4], [10**300]]
    return infer(model, tensor(shape=r.choice(shapes)), bytes(16))


def wrong_json(r: random.Random, picture: bytes, model: str) -> bytes:
    texts = [
        b"", b"{", b"[]", b"null", b"[" * 200_000, b'{"inputs":' * 20_000, b'{"inputs":[]}', b'{"inputs":[[]]}',
        b"\xff\xfe{}", b'{"a":1e999}', b'{"inputs":' + b"9" * 100_000 + b"}", b'{"inputs":[{"name":"\\ud800"}]}',
        json.dumps(tensor(data=[1])).encode(), json.dumps({"inputs": [{}] * 9999}).encode(),
        json.dumps({"inputs": [{"name": "images", "shape": [2], "datatype": "FP32", "data": [[1], [1, 2]]}]}).encode(),
        json.dumps({"inputs": [{"name": "images", "shape": [1], "datatype": "FP32", "data": ["1"]}]}).encode(),
        json.dumps({"inputs": [{"name": "images", "shape": [1], "datatype": "UINT8", "data": [10**400]}]}).encode(),
    ]  # fmt: skip
    return post(MODEL.format(model), r.choice(texts))


def wrong_elements(r: random.Random, picture: bytes, model: str) -> bytes:
    given = r.choice([b"\xff\xff\xff\xff", struct.pack("<I", 100) + b"abc", b"\1\0", struct.pack("<I", 0), bytes(400)])
    data = tensor(name="pictures", datatype="BYTES", shape=[1], parameters={"binary_data_size": len(given)})
    return infer(model, data, given)


def wrong_parameters(r: random.Random, picture: bytes, model: str) -> bytes:
    change = r.choice([
        {"conf": "nan"}, {"conf": -1}, {"conf": []}, {"iou": 9}, {"classes": {}}, {"max_det": 10**9}, {"x": 1},
        {"classes": ["no such class"] * 2000}, {"conf": 10**400}, {"max_det": True}, {"sequence_id": 1},
    ])  # fmt: skip
    given = tensor(name="pictures", datatype="BYTES", shape=[1], data=[base64.b64encode(picture).decode()])
    del given["inputs"][0]["parameters"]
    return post(MODEL.format(model), json.dumps({**given, "parameters": change}).encode())


def packed_bomb(r: random.Random, picture: bytes, model: str) -> bytes:
    packing = r.choice(["gzip", "deflate"])
    return post("/detect", BOMBS[packing], f"Content-Encoding: {packing}")


def damaged_packing(r: random.Random, picture: bytes, model: str) -> bytes:
    body = bytearray(gzip.compress(picture[:2000]))
    body[r.randrange(2)] ^= 0xFF
    kind = r.choice(["gzip", "deflate", "br", "zstd", "gzip, gzip", "x" * 300])
    return post("/detect", bytes(body[: r.randrange(1, len(body))]), f"Content-Encoding: {kind}")


def picture_bomb(r: random.Random, picture: bytes, model: str) -> bytes:
    sides = r.choice([(100_000, 100_000), (1 << 31, 1), (0, 0), (8000, 8000), (0xFFFFFFFF, 0xFFFFFFFF)])
    head = struct.pack(">II", *sides) + bytes((8, 2, 0, 0, 0))
    chunk = b"IHDR" + head
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    bmp = b"BM" + bytes(12) + struct.pack("<Iii", 40, 60_000, -60_000) + bytes(28)
    jpeg = (
        b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 65_000, 65_000) + b"\3\1\x22\0\2\x11\1\3\x11\1" + bytes(99)
    )
    webp = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\xff\x3f\xff\xff\x3f" + bytes(20)
    return post("/detect", r.choice([png + bytes(r.randrange(99)), bmp, jpeg, webp]))


def no_picture(r: random.Random, picture: bytes, model: str) -> bytes:
    body = r.choice([
        b"", r.randbytes(999), b"http://127.0.0.1/", b"<svg/>", b"%PDF-1.7", b"GIF89a" + bytes(9), b"II*\0" + bytes(9),
        picture[:3], picture[:20], b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff" + r.randbytes(50),
    ])  # fmt: skip
    return post("/detect", body)


def wrong_form(r: random.Random, picture: bytes, model: str) -> bytes:
    kind = r.choice(["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=a" * 99,
                     "multipart/form-data; boundary=here"])  # fmt: skip
    body = r.choice([b"", b"--here", b"--here\r\n\r\n", b"--here\r\nA: b" * 999, picture[:999], b"--here\r\n" * 9999])
    return post("/detect", body, f"Content-Type: {kind}")


def wrong_query(r: random.Random, picture: bytes, model: str) -> bytes:
    query = r.choice(["conf=", "conf=inf", "iou=%00", "max_det=-0", "x=1", "format=../", "model=%2e%2e%2f", "version=0",
                      "classes=%ff", "conf=1&conf=2&conf=x", "=" * 5000])  # fmt: skip
    return post(f"/detect?{query}", picture)


def wrong_address(r: random.Random, picture: bytes, model: str) -> bytes:
    path = r.choice(["/..", "/%00", "//", "/v2/models/%2e%2e/infer", f"/v2/models/{'a' * 5000}/infer", "/detect/", "*",
                     "/v2/models/a/versions/-1/infer", "/v2/repository/models/x/load", "/page/../app.py"])  # fmt: skip
    return post(path, b"{}")


def huge_headers(r: random.Random, picture: bytes, model: str) -> bytes:
    return post("/detect", b"", *(f"X-{i}: {'a' * 1000}" for i in range(r.randrange(20, 60))))


def no_http(r: random.Random, picture: bytes, model: str) -> bytes:
    return r.choice([
        r.randbytes(300) + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/3\r\n\r\n", b"\r\n" * 99 + b"\0\r\n\r\n",
        b"\x16\x03\x01\x02\0\1\0\1\xfc" + bytes(99) + b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n",
        b"POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /detect HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n",
        b"POST /detect HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n",
    ])  # fmt: skip


def damaged_picture(r: random.Random, picture: bytes, model: str) -> bytes:
    body = bytearray(picture)
    for _ in range(r.randrange(1, 20)):
        body[r.randrange(len(body))] = r.randrange(256)
    return post("/detect", bytes(body[: r.randrange(len(body) // 2, len(body))]))


KINDS: dict[str, Make] = {
    make.__name__.replace("_", " "): make
    for make in (
        wrong_length, wrong_size, wrong_content_length, truncated, wrong_datatype, wrong_shape, wrong_json,
        wrong_elements, wrong_parameters, packed_bomb, damaged_packing, picture_bomb, no_picture, wrong_form,
        wrong_query, wrong_address, huge_headers, no_http,
    )
}  # fmt: skip
BOMBS = {"gzip": gzip.compress(bytes(256 << 20), 1), "deflate": zlib.compress(bytes(256 << 20), 1)}


def status_of(port: int, data: bytes, ends: bool = False) -> int:
    """The status of the answer to some bytes, 0 where there was none; `ends`: the client sends no more."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as connection:
            try:
                connection.sendall(data)
                if ends:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before it was read
            head = b""
            while len(head) < 12 and (part := connection.recv(4096)):
                head += part
            return int(head[9:12] or 0)
    except (OSError, ValueError):
        return 0


def slow(port: int, picture: bytes, count: int) -> Counter[int]:
    """The answers to clients that begin a head or a body and then do nothing."""

    def one(i: int) -> int:
        return status_of(port, post("/detect", picture)[: 30 if i % 2 else -1])

    with ThreadPoolExecutor(SLOW) as pool:
        return Counter(pool.map(one, range(count)))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cfg")
    parser.add_argument("weights")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--slow", type=int, default=SLOW, help="clients that never end what they begin")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write the page too")
    options = parser.parse_args(arguments)
    picture, model = options.picture.read_bytes(), Path(options.cfg).stem
    found: dict[str, Counter[int]] = {}
    with started(options.cfg, options.weights) as server, ThreadPoolExecutor(THREADS) as pool:
        good = post("/detect", picture)
        assert status_of(server.port, good) == 200
        each = -(-options.count // len(KINDS))
        memory = []
        for name, make in [*KINDS.items(), ("damaged picture", damaged_picture)]:
            generator = random.Random(f"{options.seed} {name}")
            made = (make(generator, picture, model) for _ in range(each))
            ends = name in ("truncated", "no http")
            found[name] = Counter(pool.map(lambda data, ends=ends: status_of(server.port, data, ends), made))
            memory.append(server.memory)
            print(f"{name}: {dict(found[name])}, {memory[-1]:.0f} MB, {server.open_files} open", flush=True)
        found["slow"] = slow(server.port, picture, options.slow)
        print(f"slow: {dict(found['slow'])}", flush=True)
        assert server.process.poll() is None, "the server has died"
        alive = status_of(server.port, good)
    faults = {name: wrong for name, statuses in found.items() if (wrong := sorted(filter(is_fault(name), statuses)))}
    total = sum(sum(statuses.values()) for statuses in found.values())
    print(f"{total} requests, faults: {faults or 'none'}; afterwards {alive}")
    if options.write:
        lines = [
            f"{total} malformed requests; faults: {faults or 'none'}; afterwards a good one is answered with {alive}.",
            f"Memory after each kind, in MB: {', '.join(f'{m:.0f}' for m in memory)}.",
        ]  # fmt: skip
        told = [(name, ", ".join(f"{n} x {s}" for s, n in sorted(some.items()))) for name, some in found.items()]
        write_section("Hostile", "\n".join([*lines, "", table(("kind", "answers"), told, words=2)]))
    return 1 if faults or alive != 200 else 0


def is_fault(kind: str) -> Callable[[int], bool]:
    """Whether a status is a fault for a kind of request."""
    fine = {503, *range(400, 500), *([200] if kind == "damaged picture" else [])}
    return lambda status: status not in fine


if __name__ == "__main__":
    sys.exit(main())
