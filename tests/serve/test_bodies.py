"""Bodies that come packed: unpacked within the size of one and the memory of all."""

from __future__ import annotations

import asyncio
import random
import zlib

import pytest

pytest.importorskip("python_multipart", reason="needs python-multipart: pip install -e '.[serve]'")

from darknet_py.apps.serve.bodies import pack, unpack  # after the check for what it needs
from darknet_py.apps.serve.limits import Budget, Limits, Portion, Refusal
from darknet_py.errors import DataError

MEBI = 1 << 20


def unpacked(body: bytes, packing: str, portion: Portion | None = None, most: int = 4 * MEBI) -> bytes:
    return asyncio.run(unpack(body, packing, Limits(body=most), portion or Portion(Budget(64 * MEBI))))


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
@pytest.mark.parametrize("size", [0, 1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 300_000, 4 * MEBI])
def test_what_was_packed_is_what_comes_out(packing: str, size: int) -> None:
    for body in (bytes(size), random.Random(size).randbytes(size)):
        packed, kind = pack(body, packing)
        assert kind == packing
        assert unpacked(packed, packing) == body


def test_a_body_that_is_cut_or_goes_on_is_damaged() -> None:
    packed, _ = pack(random.Random(0).randbytes(200_000), "gzip")
    for wrong in (packed[:-1], packed[:1000], b"", packed + b"!", b"no", packed + packed):
        with pytest.raises(DataError, match="the body"):
            unpacked(wrong, "gzip")


def test_one_byte_more_than_a_body_may_have_is_too_large() -> None:
    with pytest.raises(Refusal) as e:
        unpacked(zlib.compress(bytes(4 * MEBI + 1)), "deflate")
    assert e.value.status == 413


def test_what_is_unpacked_is_held_like_what_came() -> None:
    """Small bodies that unpack to large ones count as large ones, in the memory of all requests together."""
    bomb = zlib.compress(bytes(4 * MEBI))
    budget = Budget(7 * MEBI)
    with budget.portion() as first:
        unpacked(bomb, "deflate", first)
        assert budget.held >= 4 * MEBI
        with budget.portion() as second, pytest.raises(Refusal) as e:
            unpacked(bomb, "deflate", second)
        assert e.value.status == 503
    assert budget.held == 0
