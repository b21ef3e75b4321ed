"""A network beside a video: how many threads compute it is found out on the first frames, unless somebody said it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from threading import enumerate as enumerate_threads
from typing import Any

import numpy as np
import pytest

from darknet_py import DataError, Video, load
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import random_weights, write_weights
from darknet_py.model import beside
from darknet_py.model.beside import FIRST, LEAD, SETTLE, SLOW, TURNS, WINDOW, Sharing, computed, single_opener
from darknet_py.vision.video.ahead import BACK, step_back
from darknet_py.vision.video.writer import writing

CFG = "[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n"


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("beside", "at_once"):
        monkeypatch.setattr(f"darknet_py.model.{module}.cores", lambda: 4)


class Fake:
    """Sessions by name, and a clock that goes on by what a run of the last one took."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds, self.now, self.opened = seconds, 0.0, 0
        self.order: list[str] = []
        self.counts: set[tuple[str, int]] = set()

    def open_single(self) -> Any:
        self.opened += 1
        return "single"

    def sharing(self, *, choice: bool = True) -> Sharing:
        return Sharing(self.open_single if choice else None, clock=lambda: self.now)

    def run(self, sharing: Sharing, count: int) -> None:
        for _ in range(count):
            session, at_once = sharing.next()
            name = str(session or "all")
            self.counts.add((name, at_once))
            self.order.append(name)
            self.now += self.seconds[name]


@pytest.mark.parametrize(
    ("all_cores", "single", "best"),
    [(0.02, 0.015, "single"), (0.02, 0.02 * LEAD * 0.99, "single"), (0.02, 0.02 * LEAD * 1.01, "all")],
)
def test_the_quicker_way_goes_on_once_both_had_their_turns(all_cores: float, single: float, best: str) -> None:
    fake = Fake({"all": all_cores, "single": single})
    trial = SETTLE + TURNS * WINDOW
    fake.run(fake.sharing(), trial + 10)
    assert fake.order[: SETTLE + WINDOW] == ["all"] * (SETTLE + WINDOW)
    assert fake.order[SETTLE + WINDOW : SETTLE + 2 * WINDOW] == ["single"] * WINDOW
    assert fake.order[trial:] == [best] * 10
    assert fake.opened == 1
    assert fake.counts == {("all", 1), ("single", 4)}


def test_what_the_other_left_on_its_way_does_not_count() -> None:
    fake = Fake({"all": 0.02, "single": 0.02})
    sharing = fake.sharing()
    for run in range(SETTLE + TURNS * WINDOW + 1):
        turn, place = divmod(run - SETTLE, WINDOW)
        fake.now += 1.0 if turn >= 0 and turn % 2 and place < FIRST else 0.0
        fake.run(sharing, 1)
    assert fake.order[-1] == "single"


def test_a_disturbed_turn_does_not_count() -> None:
    fake = Fake({"all": 0.02, "single": 0.02})
    sharing = fake.sharing()
    for run in range(SETTLE + TURNS * WINDOW + 1):
        fake.now += 1.0 if (run - SETTLE) // WINDOW in (1, 3) else 0.0
        fake.run(sharing, 1)
    assert fake.order[-1] == "single"


def test_a_slow_network_has_all_cores_and_no_session_is_opened() -> None:
    fake = Fake({"all": SLOW * 1.01, "single": 0.0})
    fake.run(fake.sharing(), 300)
    assert fake.order == ["all"] * 300
    assert not fake.opened


def test_without_a_choice_there_are_no_turns() -> None:
    fake = Fake({"all": 0.001})
    fake.run(fake.sharing(choice=False), 300)
    assert fake.counts == {("all", 1)}


def test_runs_under_way_come_in_order_and_no_more_than_a_core_has_one() -> None:
    fake = Fake({"all": 0.02, "single": 0.01})
    at_work, most, lock = 0, 0, Lock()

    def work(item: int, session: Any) -> tuple[int, str]:
        nonlocal at_work, most
        name = session or "all"
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.001 * (item % 3))
        with lock:
            at_work -= 1
            fake.now += fake.seconds[name]
        return item, name

    last = SETTLE + TURNS * WINDOW + 40
    found = list(computed(range(last), work, fake.sharing()))
    assert [item for item, _ in found] == list(range(last))
    assert {session for _, session in found[:SETTLE]} == {"all"}
    assert {session for _, session in found[-40:]} == {"single"}
    assert 2 <= most <= 4


def _numbers(count: int) -> Iterator[int]:
    yield from range(count)
    raise DataError("the next one is broken")


def test_an_error_comes_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "SETTLE", 0)
    there = WINDOW + 5  # in a turn of several at a time
    fakes = [Fake({"all": 0.001, "single": 0.001}).sharing() for _ in range(2)]

    def of_the_run(item: int, _: Any) -> int:
        return 6 // (there - item)

    def of_the_items(item: int, _: Any) -> int:
        time.sleep(0.001 * (item % 3))
        return item

    failing = computed(range(2 * WINDOW), of_the_run, fakes[0]), computed(_numbers(there), of_the_items, fakes[1])
    for results, error in zip(failing, (ZeroDivisionError, DataError), strict=True):
        assert len([next(results) for _ in range(there)]) == there
        with pytest.raises(error):
            next(results)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.webm"
    with writing(path, 25) as file:
        for i in range(60):
            file.write(np.full((32, 32, 3), 4 * i, np.uint8))
    return path


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    path = tmp_path / "net.cfg"
    path.write_text(CFG)
    return path


def test_a_video_gives_the_same_whichever_way_it_is_computed(
    cfg: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, count in (("SETTLE", 6), ("WINDOW", 4), ("FIRST", 1)):
        monkeypatch.setattr(beside, name, count)
    model = load(cfg, quiet=True)
    opened: list[Any] = []
    again = model.again
    assert again
    model.again = partial(lambda **given: opened.append(given) or again.func(**given), **again.keywords)
    found = [results.scores for results in model(Video(clip), workers=1)]
    plain = [results.scores for results in model(Video(clip), workers=0)]
    assert [given["threads"] for given in opened] == [1]
    assert len(found) == 60
    np.testing.assert_array_equal(found, plain)


def test_a_model_may_see_two_videos_at_a_time(cfg: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("SETTLE", 6), ("WINDOW", 4), ("FIRST", 1)):
        monkeypatch.setattr(beside, name, count)
    model = load(cfg, quiet=True)
    plain = [results.scores for results in model(Video(clip), workers=0)]
    with ThreadPoolExecutor(2) as pool:
        both = pool.map(lambda _: [results.scores for results in model(Video(clip), workers=1)], range(2))
    for found in both:
        np.testing.assert_array_equal(found, plain)
    assert model.findings.sharing is not None


@pytest.mark.parametrize("change", ["gone", "another network", "other weights"])
@pytest.mark.parametrize("way", ["compiled", "kept", "no cache", "onnx"])
def test_files_that_changed_since_change_nothing(
    clip: Path, tmp_path: Path, way: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, count in (("SETTLE", 6), ("WINDOW", 4), ("FIRST", 1)):
        monkeypatch.setattr(beside, name, count)
    cfg, onnx = tmp_path / "net.cfg", tmp_path / "net.onnx"
    layer = "[convolutional]\nfilters={}\nactivation=linear\n"
    source, given = (onnx, {}) if way == "onnx" else (cfg, {"cache": way != "no cache"})

    def write(filters: int, seed: int) -> None:
        cfg.write_text(CFG.replace("[avgpool]", layer.format(filters) + "[avgpool]"))
        graph = compile_file(cfg).check().graph
        write_weights(cfg.with_suffix(".weights"), graph, random_weights(graph, seed), replace=True)
        if way == "onnx":
            load(cfg, cache=False, quiet=True).export(onnx, replace=True)

    write(3, seed=1)
    if way == "kept":
        load(source, quiet=True)
    model = load(source, quiet=True, **given)
    wanted = [results.scores for results in model(Video(clip), workers=0)]
    if change == "gone":
        source.unlink()
    else:
        write(*((4, 1) if change == "another network" else (3, 2)))
    found = [results.scores for results in model(Video(clip), workers=1)]
    np.testing.assert_array_equal(found, wanted)


def test_nothing_is_at_work_when_a_video_is_left(cfg: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("SETTLE", 6), ("WINDOW", 4), ("FIRST", 1)):
        monkeypatch.setattr(beside, name, count)
    for seen in (1, 12, 50):
        results = load(cfg, quiet=True)(Video(clip), workers=1)
        assert len([next(results) for _ in range(seen)]) == seen
        results.close()  # type: ignore[attr-defined]  # a generator
        assert not [thread for thread in enumerate_threads() if thread.name.startswith("darknet-py-frame")]


@pytest.mark.parametrize("options", [{"threads": 2}, {"backend": "numpy"}], ids=str)
def test_who_said_how_many_and_who_cannot_be_told_is_left_alone(cfg: Path, options: dict[str, Any]) -> None:
    assert single_opener(load(cfg, quiet=True, **options)) is None
    assert single_opener(load(cfg, quiet=True))


def test_a_single_core_is_all_there_is(cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darknet_py.model.at_once.cores", lambda: 1)
    assert single_opener(load(cfg, quiet=True)) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_a_thread_steps_back_and_the_main_one_does_not() -> None:
    own: list[int] = []

    def run() -> None:
        step_back()
        step_back()
        own.append(os.getpriority(os.PRIO_PROCESS, 0))

    before = os.getpriority(os.PRIO_PROCESS, 0)
    step_back()
    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
    assert own == [min(19, before + BACK)]
