"""A network beside a video: how many threads compute it is found out on the first frames, unless somebody said it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from darknet_py import Model, Video, load
from darknet_py.model import beside
from darknet_py.model.beside import FIRST, SETTLE, SLOW, TURNS, WINDOW, Sharing
from darknet_py.vision.video.ahead import BACK, step_back
from darknet_py.vision.video.writer import writing

CFG = "[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n"


class Fake:
    """A session by name, and a clock that goes on by what a run of the last one took."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds, self.now, self.opened = seconds, 0.0, 0
        self.order: list[str] = []

    def open_fewer(self) -> Any:
        self.opened += 1
        return "fewer"

    def run(self, sharing: Sharing, count: int) -> None:
        for _ in range(count):
            name: Any = sharing.session()
            self.order.append(name)
            self.now += self.seconds[name]


def _sharing(fake: Fake, fewer: Callable[[], Any] | None) -> Sharing:
    all_cores: Any = "all"
    return Sharing(all_cores, 2, fewer, clock=lambda: fake.now)


@pytest.mark.parametrize(("seconds", "best"), [((0.02, 0.015), "fewer"), ((0.02, 0.021), "all")])
def test_the_quicker_session_computes_once_both_had_their_turns(seconds: tuple[float, float], best: str) -> None:
    fake = Fake(dict(zip(("all", "fewer"), seconds, strict=True)))
    sharing = _sharing(fake, fake.open_fewer)
    trial = SETTLE + TURNS * WINDOW
    fake.run(sharing, trial + 10)
    assert fake.order[: SETTLE + WINDOW] == ["all"] * (SETTLE + WINDOW)
    assert fake.order[SETTLE + WINDOW : SETTLE + 2 * WINDOW] == ["fewer"] * WINDOW
    assert fake.order[trial:] == [best] * 10
    assert fake.opened == 1


def test_what_the_other_left_on_its_way_does_not_count() -> None:
    fake = Fake({"all": 0.02, "fewer": 0.019})
    sharing = _sharing(fake, fake.open_fewer)
    for turn in range(TURNS + 1):
        for place in range(SETTLE if not turn else WINDOW):
            if turn % 2 == 0 and turn and place < FIRST - 1:
                fake.now += 1.0
            fake.run(sharing, 1)
    fake.run(sharing, 1)
    assert fake.order[-1] == "fewer"


def test_a_slow_network_keeps_its_threads_and_no_session_is_opened() -> None:
    fake = Fake({"all": SLOW * 1.01, "fewer": 0.0})
    fake.run(_sharing(fake, fake.open_fewer), 300)
    assert fake.order == ["all"] * 300
    assert not fake.opened


def test_without_a_choice_there_are_no_turns() -> None:
    fake = Fake({"all": 0.001})
    fake.run(_sharing(fake, None), 300)
    assert fake.order == ["all"] * 300


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


def test_a_video_gives_the_same_whichever_session_computes(
    cfg: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, count in (("SETTLE", 6), ("WINDOW", 4), ("FIRST", 1)):
        monkeypatch.setattr(beside, name, count)
    monkeypatch.setattr("darknet_py.model.model.cores", lambda: 2)
    model = load(cfg, quiet=True)
    opened: list[int | None] = []
    fewer = Model._fewer
    monkeypatch.setattr(Model, "_fewer", lambda self, threads: _noted(opened, threads, fewer(self, threads)))
    found = [results.scores for results in model(Video(clip), workers=1)]
    plain = [results.scores for results in load(cfg, quiet=True)(Video(clip), workers=0)]
    assert opened == [1]
    assert len(found) == 60
    np.testing.assert_array_equal(found, plain)


def _noted(opened: list[int | None], threads: int, open_fewer: Callable[[], Any] | None) -> Callable[[], Any]:
    assert open_fewer

    def open_it() -> Any:
        opened.append(threads)
        return open_fewer()

    return open_it


@pytest.mark.parametrize("options", [{"threads": 2}, {"backend": "auto"}, {"backend": "numpy"}], ids=str)
def test_who_said_how_many_and_who_cannot_be_told_is_left_alone(cfg: Path, options: dict[str, Any]) -> None:
    assert load(cfg, quiet=True, **options)._fewer(1) is None


def test_a_single_core_is_all_there_is(cfg: Path) -> None:
    assert load(cfg, quiet=True)._fewer(0) is None


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
