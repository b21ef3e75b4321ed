"""Many pictures go through by the way that was measured, once; what comes out is what one after the other gives."""

from __future__ import annotations

import json
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import enumerate as enumerate_threads
from typing import Any

import numpy as np
import pytest
from networks import write_recurrent

from darknet_py import DataError, Model, load
from darknet_py.backends import auto
from darknet_py.backends.auto import measurements
from darknet_py.backends.backend import find_backend
from darknet_py.model import throughput
from darknet_py.model.at_once import Several, opener_of
from darknet_py.model.stream import FEW
from darknet_py.model.throughput import HOPELESS, LEAD, Team, Way, quickest, ways_of

CFG = """[net]\nwidth=16\nheight=16\nchannels=3
[convolutional]\nfilters=4\nsize=3\nstride=2\npad=1\nactivation=leaky\n[avgpool]\n[softmax]\n"""
COUNT = FEW + 20


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DARKNET_PY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("darknet_py.model.at_once.cores", lambda: 2)
    monkeypatch.setattr("darknet_py.model.throughput.cores", lambda: 2)
    monkeypatch.setattr("darknet_py.model.stream.cores", lambda: 2)
    monkeypatch.setattr(throughput, "SECONDS", 0.005)


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    path = tmp_path / "net.cfg"
    path.write_text(CFG)
    return path


def opened(cfg: Path, told: list[str] | None = None, **options: Any) -> Model:
    return load(cfg, random_weights=1, say=[].append if told is None else told.append, **options)


def frames(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (12, 9, 3), np.uint8) for _ in range(count)]


def scores(results: Any) -> np.ndarray:
    return np.array([one.scores for one in results])


class Fake:
    """Plans that take so many seconds for a picture, by a clock that they move."""

    def __init__(self, seconds: dict[Way, float]) -> None:
        self.seconds, self.now = seconds, 0.0
        self.sent: list[Way] = []

    def open(self, runs: int, threads: int) -> Any:
        return "session" if any(way[:2] == (runs, threads) for way in self.seconds) else None

    def send(self, way: Way, session: str, count: int) -> None:
        self.sent.append(way)
        self.now += self.seconds[way] * count

    def quickest(self) -> Way | None:
        found = quickest(ways_of(2, True), self.open, self.send, clock=lambda: self.now)
        return found[0].way if found else None


ALL, EACH, ALL_4, EACH_4 = (Way(1, 2, 1), Way(2, 1, 1), Way(1, 2, 4), Way(2, 1, 4))


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ((0.02, 0.01, 0.03, 0.011), EACH), ((0.01, 0.02, 0.03, 0.04), ALL), ((0.02, 0.01, 0.02, 0.009), EACH_4),
        ((0.01, 0.01 / LEAD * 1.001, 0.02, 0.02), ALL),
    ],
)  # fmt: skip
def test_the_quickest_plan_is_taken_and_of_equals_the_one_that_needs_least(
    seconds: tuple[float, ...], best: Way
) -> None:
    assert Fake(dict(zip((ALL, EACH, ALL_4, EACH_4), seconds, strict=True))).quickest() == best


def test_who_is_far_behind_has_no_second_turn() -> None:
    fake = Fake({ALL: 0.01 * HOPELESS * 1.1, EACH: 0.01, ALL_4: 0.05, EACH_4: 0.0101})
    assert fake.quickest() == EACH
    assert fake.sent.count(ALL) < fake.sent.count(EACH)


def test_what_cannot_be_opened_is_left_out() -> None:
    assert Fake({ALL: 0.02, ALL_4: 0.03}).quickest() == ALL
    assert Fake({}).quickest() is None


def test_every_core_has_something_to_do_in_every_plan() -> None:
    for count in (1, 2, 3, 6, 8, 96):
        for way in ways_of(count, True):
            assert count - way.runs < way.runs * way.threads <= count


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "ncnn"])
@pytest.mark.parametrize("way", [ALL, EACH, EACH_4], ids=str)
def test_a_plan_changes_nothing(cfg: Path, way: Way, backend: str) -> None:
    pytest.importorskip(backend, reason=f"needs {backend}")
    model = opened(cfg, backend=backend)
    wanted = scores(model(frames(COUNT)))
    opener = opener_of(model)
    session = opener(way.runs, way.threads) if opener else None
    assert session
    model.findings.team, model.findings.has_looked = Team(way, session, 2), True
    np.testing.assert_allclose(scores(model(frames(COUNT), workers="auto")), wanted, atol=1e-6)


@pytest.mark.parametrize(("backend", "way", "hands"), [
    ("onnxruntime", EACH, 2), ("onnxruntime", ALL, 2), ("openvino", EACH, 3),
])  # fmt: skip
def test_a_thread_more_than_runs_has_a_picture_where_others_compute_them(
    cfg: Path, backend: str, way: Way, hands: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(backend, reason=f"needs {backend}")
    monkeypatch.setattr(throughput, "ways_of", lambda count, is_any_batch: (way,))
    model = opened(cfg, backend=backend)
    assert len(model(frames(COUNT), workers="auto")) == COUNT
    assert model.findings.team
    assert model.findings.team.hands == hands


def test_the_plan_is_measured_once_and_remembered(cfg: Path) -> None:
    told: list[str] = []
    model = opened(cfg, told)
    wanted = scores(model(frames(COUNT)))
    for _ in range(2):
        np.testing.assert_allclose(scores(model(frames(COUNT), workers="auto")), wanted, atol=1e-6)
    model = opened(cfg, told)
    np.testing.assert_allclose(scores(model(frames(COUNT), workers="auto")), wanted, atol=1e-6)
    (line,) = (line for line in told if "many pictures" in line)
    (kept,) = measurements().iterdir()
    assert str(kept) in line
    assert tuple(json.loads(kept.read_text())["way"]) == model.findings.team.way  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"way": [2, 2, 1], "rates": {}}', '{"way": ["a", 1, 1]}', '{"way": 3}']
)
def test_what_is_no_plan_is_measured_anew(cfg: Path, text: str) -> None:
    list(opened(cfg)(frames(COUNT), workers="auto"))
    (kept,) = measurements().iterdir()
    kept.write_text(text)
    told: list[str] = []
    list(opened(cfg, told)(frames(COUNT), workers="auto"))
    assert any("many pictures" in line for line in told)
    assert json.loads(kept.read_text())["way"]


def test_another_network_or_size_is_measured_for_itself(cfg: Path) -> None:
    list(opened(cfg)(frames(COUNT), workers="auto"))
    list(opened(cfg, size=(32, 32))(frames(COUNT), workers="auto"))
    cfg.write_text(CFG.replace("filters=4", "filters=5"))
    list(opened(cfg)(frames(COUNT), workers="auto"))
    assert len(list(measurements().iterdir())) == 3


def test_a_limit_for_pictures_is_not_one_for_the_picture_that_is_sent(
    cfg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKNET_PY_MAX_PIXELS", "200")
    assert len(opened(cfg)(frames(COUNT), workers="auto")) == COUNT


def test_nothing_is_kept_where_nothing_is_to_be(cfg: Path) -> None:
    list(opened(cfg, cache=False)(frames(COUNT), workers="auto"))
    assert not measurements().exists()


def test_a_few_pictures_measure_nothing(cfg: Path) -> None:
    told: list[str] = []
    model = opened(cfg, told)
    assert len(model(frames(FEW), workers="auto")) == FEW
    assert not model.findings.has_looked
    assert not any("many pictures" in line for line in told)


@pytest.mark.parametrize("options", [{"threads": 1}, {"backend": "numpy"}], ids=str)
def test_without_a_choice_pictures_go_through_all_the_same(cfg: Path, options: dict[str, Any]) -> None:
    model = opened(cfg, **options)
    wanted = scores(model(frames(COUNT)))
    np.testing.assert_allclose(scores(model(frames(COUNT), workers="auto")), wanted, atol=1e-6)
    assert model.findings.team is None


@pytest.mark.parametrize("is_exported", [False, True])
def test_the_fastest_back_end_gets_a_plan_of_its_own(
    cfg: Path, monkeypatch: pytest.MonkeyPatch, is_exported: bool
) -> None:
    """It is chosen for one picture, and then opened by its name, however often."""
    monkeypatch.setattr(auto, "contenders", lambda *_: [find_backend("onnxruntime")])
    if is_exported:
        opened(cfg).export(cfg.with_suffix(".onnx"))
        model = load(cfg.with_suffix(".onnx"), backend="auto", quiet=True)
    else:
        model = opened(cfg, backend="auto", remember=False)
    wanted = scores(model(frames(COUNT)))
    monkeypatch.setattr(auto, "fastest", None)
    np.testing.assert_allclose(scores(model(frames(COUNT), workers="auto")), wanted, atol=1e-6)
    assert model.findings.team
    assert model.again
    assert model.again.keywords["backend"] == "onnxruntime"
    np.testing.assert_allclose(scores(pickle.loads(pickle.dumps(model))(frames(2))), wanted[:2], atol=1e-6)


def test_recurrent_networks_still_remember_in_order(tmp_path: Path) -> None:
    cfg = write_recurrent(tmp_path)
    pixels = [np.full((2, 2, 3), 4 * i, np.uint8) for i in range(COUNT)]
    wanted, found = (load(cfg, backend="numpy")(pixels, workers=n) for n in (0, "auto"))
    assert [one.pred_score for one in wanted] == [one.pred_score for one in found]


def test_files_that_changed_since_change_nothing_here_either(cfg: Path) -> None:
    model = load(cfg, random_weights=1, quiet=True)
    wanted = scores(model(frames(COUNT)))
    cfg.write_text(CFG.replace("filters=4", "filters=5"))
    np.testing.assert_allclose(scores(model(frames(COUNT), workers="auto")), wanted, atol=1e-6)


def test_an_error_comes_where_its_picture_was_and_may_be_passed_by(cfg: Path) -> None:
    model = opened(cfg)
    pictures = [*frames(COUNT), b"no picture", *frames(3)]
    results = model(iter(pictures), workers="auto")
    assert len([next(results) for _ in range(COUNT)]) == COUNT
    with pytest.raises(DataError):
        next(results)
    told: list[DataError] = []
    assert len(model(pictures, workers="auto", skip=told.append)) == COUNT + 3
    assert len(told) == 1


def test_no_more_is_read_than_is_at_work_and_nothing_is_left_at_work(cfg: Path) -> None:
    read = 0

    def stream() -> Iterator[np.ndarray]:
        nonlocal read
        for frame in frames(200):
            read += 1
            yield frame

    model = opened(cfg)
    results = model(stream(), workers="auto")
    for _ in range(COUNT):
        next(results)
    team = model.findings.team
    assert team
    assert read <= COUNT + team.way.batch * (team.hands + 2)
    results.close()  # type: ignore[attr-defined]  # a generator
    assert not [thread for thread in enumerate_threads() if thread.name.startswith("darknet-py-picture")]


def test_another_word_is_no_number_of_workers(cfg: Path) -> None:
    with pytest.raises(DataError, match="auto"):
        opened(cfg)(frames(1), workers="many")  # type: ignore[arg-type, call-overload]


def test_as_many_runs_go_at_once_as_there_are_sessions() -> None:
    lock = threading.Lock()
    at_work = most = 0

    class Slow:
        def run(self, inputs: Any) -> list[np.ndarray]:
            nonlocal at_work, most
            with lock:
                at_work += 1
                most = max(most, at_work)
            time.sleep(0.002)
            with lock:
                at_work -= 1
            return [np.array(inputs[0])]

    several = Several([Slow(), Slow(), Slow()])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: int(several.run([np.array(i)])[0]), range(40)))
    assert found == list(range(40))
    assert 1 < most <= 3


def test_a_session_that_fails_is_free_again() -> None:
    class Broken:
        def run(self, inputs: Any) -> list[np.ndarray]:
            raise DataError("no")

    several = Several([Broken()])
    for _ in range(2):
        with pytest.raises(DataError):
            several.run([])


def test_the_picture_that_is_sent_is_one() -> None:
    import cv2

    pixels = cv2.imdecode(np.frombuffer(throughput.made_up_file(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels.shape == (*throughput.PHOTO, 3)
