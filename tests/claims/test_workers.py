"""Work given to processes: in order, a few at a time, once more where one ended badly, and none left at the end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from subprocess import Popen

import pytest

from tools.claims.workers import STARTS, work_off


class Office:
    """Starts small programs and remembers them."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.started: list[str] = []
        self.processes: list[Popen[bytes]] = []

    def start(self, work: str) -> Popen[bytes]:
        self.started.append(work)
        self.processes.append(subprocess.Popen([sys.executable, "-c", self.program, work]))
        return self.processes[-1]


def test_all_work_is_done_in_order_and_each_is_told() -> None:
    office, done = Office("pass"), []
    assert work_off(office.start, ["a", "b", "c"], 2, done=lambda: done.append(len(office.started))) == []
    assert office.started == ["a", "b", "c"]
    assert len(done) == 3


def test_what_ends_badly_is_tried_again_and_then_left_and_the_others_go_on(tmp_path: Path) -> None:
    """`b` never goes well, `c` the second time."""
    program = (
        f"import sys, pathlib; work = sys.argv[1]; seen = pathlib.Path({str(tmp_path)!r}) / work\n"
        "again = seen.exists(); seen.touch(); sys.exit(work == 'b' or work == 'c' and not again)"
    )
    office, done = Office(program), []
    assert work_off(office.start, ["a", "b", "c", "d"], 2, done=lambda: done.append(1)) == ["b"]
    assert office.started.count("b") == office.started.count("c") == STARTS
    assert len(done) == 3


def test_nothing_is_begun_after_the_time_is_over_and_what_was_begun_ends() -> None:
    office = Office("pass")
    assert work_off(office.start, ["a"], 1, until=time.monotonic() - 1) == []
    assert office.started == []
    office = Office("import time; time.sleep(1)")
    assert work_off(office.start, ["a", "b"], 1, until=time.monotonic() + 0.1) == []
    assert office.started == ["a"]
    assert office.processes[0].returncode == 0


def test_what_needs_another_waits_for_it_and_not_for_one_that_came_to_nothing() -> None:
    office = Office("import time, sys; time.sleep(sys.argv[1] == 'a'); sys.exit(sys.argv[1] == 'a')")
    needs = {"b": "a", "c": "elsewhere"}
    assert work_off(office.start, ["a", "b", "c", "d"], 2, needs=needs) == ["a"]
    assert office.started == ["a", "c", "d", "a", "b"]


def test_nobody_is_left_where_it_is_stopped() -> None:
    office = Office("import time, sys; time.sleep(60 if sys.argv[1] == 'long' else 0)")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_off(office.start, ["long", "short"], 2, done=stop)
    assert all(process.returncode is not None for process in office.processes)


def test_a_worker_ends_with_who_started_it_even_if_that_is_killed() -> None:
    """A process starts a worker that would sleep for a minute, says so, and is killed; the worker says nothing more."""
    worker = "import time; from tools.claims.workers import end_with_starter; end_with_starter(); time.sleep(60)"
    starter = (
        "import subprocess, sys, time; from tools.claims.workers import lifeline\n"
        f"subprocess.Popen([sys.executable, '-c', {worker!r}], stdin=lifeline())\n"
        "print('.', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b".\n"
    process.kill()
    begin = time.monotonic()
    assert process.stdout.read() == b""  # which both have open: the last of them has ended
    assert time.monotonic() - begin < 30
    process.stdout.close()
    process.wait()
