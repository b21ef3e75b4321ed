"""The choice of the fastest back end: what is timed, what is remembered, what tells networks apart. No real clock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from agree import network, random_inputs
from networks import picture, write_detector

from darknet_py import export_onnx, load
from darknet_py.backends import auto
from darknet_py.backends.session import open_session
from darknet_py.errors import BackendError

SHAPES = [(3,)]


class Clock:
    """A clock that only sessions and rests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Fake:
    """A session that takes some seconds, and computes `factor` times its input."""

    def __init__(self, clock: Clock, seconds: float, factor: float = 1.0) -> None:
        self.clock, self.seconds, self.factor, self.runs = clock, seconds, factor, 0

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.runs += 1
        self.clock.now += self.seconds
        return [inputs[0] * self.factor]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DARKNET_PY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(auto, "time", made)
    return made


def broken() -> Fake:
    raise BackendError("not today")


def choose(seconds: dict[str, float], clock: Clock, **known: object) -> auto.Choice:
    return auto.measure({name: lambda s=s: Fake(clock, s) for name, s in seconds.items()}, SHAPES)[0]


def test_the_fastest_wins(clock: Clock) -> None:
    choice = choose({"a": 0.5, "b": 0.375, "c": 0.4}, clock)
    assert choice.backend == "b"
    assert choice.seconds == {"a": 0.5, "b": 0.375, "c": pytest.approx(0.4)}


def test_the_default_wins_unless_another_leads_clearly(clock: Clock) -> None:
    assert choose({"a": 1.02, "b": 1.0}, clock).backend == "a"
    assert choose({"a": 1.04, "b": 1.0}, clock).backend == "b"


def test_who_is_hopeless_is_not_timed_again(clock: Clock) -> None:
    slow, fast, other = Fake(clock, 3.0), Fake(clock, 1.0), Fake(clock, 1.5)
    choice, session = auto.measure({"slow": lambda: slow, "fast": lambda: fast, "other": lambda: other}, SHAPES)
    assert session is fast
    assert choice.seconds["slow"] == 3.0
    assert (slow.runs, fast.runs) == (3, 3 + 2 * auto.ROUNDS[0])


def test_alone_there_is_nothing_to_time(clock: Clock) -> None:
    only = Fake(clock, 1.0)
    assert auto.measure({"only": lambda: only, "none": broken}, SHAPES)[0].left_out == {"none": "not today"}
    assert only.runs == 3


def test_what_computes_something_else_is_left_out(clock: Clock) -> None:
    openers = {"a": lambda: Fake(clock, 1.0), "b": lambda: Fake(clock, 0.1, factor=1.01)}
    choice, _ = auto.measure(openers, SHAPES)
    assert choice.backend == "a"
    assert "differ from those of a by 1.0e-02" in str(choice)


def test_it_is_an_error_if_nothing_runs() -> None:
    with pytest.raises(BackendError, match="a: not today; b: not today"):
        auto.measure({"a": broken, "b": broken}, SHAPES)


def test_a_network_is_measured_once(clock: Clock, cache: Path) -> None:
    made: list[Fake] = []

    def opener() -> Fake:
        made.append(Fake(clock, 1.0))
        return made[-1]

    said: list[str] = []
    for network_ in ("one", "one", "other"):
        auto.fastest({"a": opener, "b": opener}, SHAPES, network_, said.append)
    assert [fake.runs > 0 for fake in made] == [True, True, False, True, True]
    assert ["measured before" in text for text in said] == [False, True, False]
    assert len(list((cache / "backends").iterdir())) == 2


def test_without_remember_nothing_is_read_or_written(clock: Clock, cache: Path) -> None:
    auto.fastest({"a": lambda: Fake(clock, 1.0)}, SHAPES, "network", remember=False)
    assert not cache.exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"backend": "a"}', '{"backend": 1, "seconds": 2, "left_out": 3}'])
def test_a_broken_memory_is_measured_anew(text: str, clock: Clock, cache: Path) -> None:
    auto.fastest({"a": lambda: Fake(clock, 1.0)}, SHAPES, "network")
    (path,) = (cache / "backends").iterdir()
    path.write_text(text)
    auto.fastest({"a": lambda: Fake(clock, 1.0)}, SHAPES, "network")
    assert json.loads(path.read_text())["backend"] == "a"


def test_a_folder_that_cannot_be_written_is_told_of(clock: Clock, cache: Path) -> None:
    cache.write_text("a file")
    said: list[str] = []
    auto.fastest({"a": lambda: Fake(clock, 1.0)}, SHAPES, "network", said.append)
    assert "cannot remember" in said[-1]


def test_what_no_longer_opens_is_measured_anew(clock: Clock) -> None:
    openers = {"a": lambda: Fake(clock, 1.0), "b": lambda: Fake(clock, 2.0)}
    auto.fastest(openers, SHAPES, "network")
    assert isinstance(auto.fastest({**openers, "a": broken}, SHAPES, "network"), Fake)


def test_other_versions_and_processors_are_other_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    openers = {"a": broken}
    places = {auto._place("network", 1, openers), auto._place("network", 2, openers), auto._place("other", 1, openers)}
    monkeypatch.setattr(auto, "_version", lambda name: "0.0")
    places.add(auto._place("network", 1, openers))
    monkeypatch.setattr(auto, "cpu", lambda: "abacus")
    places.add(auto._place("network", 1, openers))
    monkeypatch.setattr(auto, "cores", lambda: 99)
    places.add(auto._place("network", 1, openers))
    assert len(places) == 6


def test_real_back_ends_agree_with_the_choice(cache: Path) -> None:
    graph = network("[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=4\nsize=3\npad=1\n")
    feed = random_inputs(graph, 2)
    said: list[str] = []
    (got,) = open_session(graph, "auto", threads=1, explain=said.append).run(feed)
    (wanted,) = open_session(graph, "numpy").run(feed)
    assert np.abs(got - wanted).max() < 1e-4
    assert "onnxruntime" in said[0]
    open_session(graph, "auto", threads=1, explain=said.append)
    assert "measured before" in said[1]


def test_cfgs_and_onnx_files_are_loaded_with_it(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    export_onnx(cfg, tmp_path / "net.onnx")
    export_onnx(cfg, tmp_path / "one.onnx", batch=1)
    for source in (cfg, tmp_path / "net.onnx", tmp_path / "one.onnx"):
        (results,) = load(source, backend="auto")(picture((1, 1, "red")))
        assert len(results) == 1
