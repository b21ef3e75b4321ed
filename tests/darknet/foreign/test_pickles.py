"""A pickle is read without running anything, and a hostile one is an error that costs nothing."""

from __future__ import annotations

import collections
import io
import os
import pickle
import struct
import time
import tracemalloc
from typing import Any

import pytest

from darknet_py.darknet.foreign.pickles import BUILTINS, Bounded, Inert, read_pickle
from darknet_py.errors import DataError


def read(data: bytes) -> Any:
    file = Bounded(io.BytesIO(data), len(data))
    return read_pickle(file, Inert, lambda key: key)


PLAIN = {
    "text": "café", "bytes": b"\0\xff", "numbers": [0, 1, -1, 255, 65536, -(2**70), 1.5, float("inf")],
    "nested": {"tuple": (1, (2, 3), (4, 5, 6, 7)), "empty": [(), [], {}, None, True, False], 3: "three"},
}  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_what_pickle_reads(protocol: int) -> None:
    # Before protocol 3 bytes are a call of _codecs.encode.
    wanted = {k: v for k, v in PLAIN.items() if k != "bytes" or protocol > 2}
    assert read(pickle.dumps(wanted, protocol)) == wanted


def test_a_value_that_is_used_twice_is_one() -> None:
    shared = [1]
    first, second = read(pickle.dumps([shared, shared]))
    assert first is second


class Command:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/darknet-py-was-here",)


class Evaluate:
    def __reduce__(self) -> Any:
        return eval, ("1/0",)


@pytest.mark.parametrize("bad", [Command(), Evaluate(), {"state_dict": [Command()]}])
def test_what_would_run_something_is_an_error(bad: Any, tmp_path: Any) -> None:
    with pytest.raises(DataError, match=r"asks for \w+\.(system|eval), .* nothing was executed"):
        read(pickle.dumps(bad))


def test_a_name_with_dots_leads_nowhere() -> None:
    found = read(b"\x80\x04\x8c\x05torch\x8c\x0cos.system.__\x93)R.")
    assert isinstance(found, Inert)


def test_builtins_that_are_harmless_alone_are_known() -> None:
    assert not BUILTINS & {"eval", "exec", "getattr", "__import__", "open", "compile", "globals", "type"}


def test_an_unknown_object_is_noted() -> None:
    found = read(b"\x80\x02cmodels.yolo\nModel\n)\x81}(X\x01\x00\x00\x00aK\x01ub.")
    assert isinstance(found, Inert)
    assert (found.name, found.args, found.state) == ("models.yolo.Model", (), {"a": 1})


def test_an_ordered_dictionary_of_another_module_is_refused() -> None:
    assert isinstance(read(pickle.dumps(collections.OrderedDict(a=1))), Inert)
    with pytest.raises(DataError, match=r"asks for posixpath\.join"):
        read(b"\x80\x02cposixpath\njoin\n)R.")


LIES = {
    "text of 4 GB": b"\x80\x02X\xff\xff\xff\xff.",
    "bytes of 2**62": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".",
    "number of 2 GB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "frame of 2**62": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b".",
    "memory at 2**32": b"\x80\x02]r\xff\xff\xff\xff0j\xff\xff\xff\xfe.",
    "nothing": b"",
    "no end": b"\x80\x02]",
    "empty stack": b"\x80\x02.",
    "no mark": b"\x80\x02]t.",
    "mark only": b"\x80\x02(.",
    "call of a number": b"\x80\x02K\x01)R.",
    "extension": b"\x80\x02\x82\x01.",
    "list as key": b"\x80\x02}]K\x01s.",
    "items of a number": b"\x80\x02K\x01K\x02K\x03s.",
    "pop of nothing": b"\x80\x0200.",
    "text that is none": b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",
    "protocol 99": b"\x80\x63]\xfa.",
}


@pytest.mark.parametrize("data", LIES.values(), ids=LIES)
def test_a_lie_is_an_error_that_costs_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_nesting_without_an_end_is_read_or_refused_in_no_time() -> None:
    begun = time.process_time()
    deep = b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    read(deep)
    # Each list has the one before twice: as values 2 ** 60 of them, as objects 60; as a key it is refused.
    doubled = b"\x80\x02]" + b"2\x86" * 60
    read(doubled + b".")
    with pytest.raises(DataError):
        read(b"\x80\x02}" + doubled[2:] + b"K\x01s.")
    assert time.process_time() - begun < 30
