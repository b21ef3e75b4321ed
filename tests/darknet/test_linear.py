"""Work grows with a cfg, not with its square: counted in calls, because time is no matter for a test."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from darknet_py.darknet.compile import compile_cfg
from tools.bench.linear import CASES

ROUGHLY = 4.6  # times the calls for 4 times as much


def calls(text: str) -> int:
    """Calls of functions of Python while a text is compiled."""
    count = 0

    def tell(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(tell)
    try:
        compile_cfg(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.fault("quadratic-layers")
@pytest.mark.parametrize("name", CASES)
def test_four_times_as_much_is_four_times_the_calls(name: str) -> None:
    n, make = CASES[name]
    few = max(20, n // 100)
    compile_cfg("[net]\nwidth=32\nheight=32\nchannels=3\n[conv]\nsiez=3\n[convo]\n")  # what is read once
    once = calls(make(few))  # first: hints are remembered, and the words of the few are among those of the many
    assert calls(make(4 * few)) <= ROUGHLY * once


@pytest.mark.fault("redos-list")
@pytest.mark.parametrize("text", ["1" * 300_000, "1" + " " * 300_000 + "x", "1,\n" + "\n" * 300_000, "." * 300_000])
def test_a_run_of_characters_in_a_list_is_read_at_once(text: str) -> None:
    net = "[net]\nwidth=32\nheight=32\nchannels=3\n[conv]\n"
    assert compile_cfg(f"{net}[route]\nlayers={text}\n").errors or compile_cfg(net).check()


def test_the_cases_are_made_as_large_as_they_say() -> None:
    sizes: list[Callable[[int], str]] = [make for _, make in CASES.values()]
    assert all(len(make(40)) > len(make(10)) for make in sizes)
