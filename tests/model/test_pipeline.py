"""Reading, computing and decoding at the same time gives what one after the other gives, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from networks import picture, write_detector, write_recurrent

from darknet_py.errors import DataError
from darknet_py.model.model import Model
from darknet_py.model.opening import load
from darknet_py.model.pipeline import ordered, overlapped


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return load(write_detector(tmp_path), backend="numpy")


def frames(count: int) -> list[np.ndarray]:
    return [picture((i % 4, 0, "red")) for i in range(count)]


def tops(results: list[object]) -> list[float]:
    return [float(r.boxes.xyxy[0, 1]) for r in results]  # type: ignore[attr-defined]


def test_slow_items_do_not_lose_their_place() -> None:
    first = threading.Event()

    def work(i: int) -> int:
        first.wait(10) if i == 0 else first.set()
        return i

    with ThreadPoolExecutor(2) as pool:
        assert list(ordered(pool, work, range(5), ahead=2)) == [0, 1, 2, 3, 4]


def test_no_more_is_read_than_allowed() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            read.append(i)
            yield i

    with ThreadPoolExecutor(2) as pool:
        results = ordered(pool, str, items(), ahead=3)
        assert next(results) == "0"
        assert len(read) == 3


def test_what_overlaps_is_no_longer_at_work_when_it_is_left() -> None:
    at_work = 0

    def work(i: int) -> int:
        nonlocal at_work
        at_work += 1
        time.sleep(0.01)
        at_work -= 1
        return i

    results = overlapped(count(), int, partial(map, work), 2)
    assert [next(results), next(results)] == [0, 1]
    results.close()
    assert at_work == 0


def test_an_error_in_either_step_comes_in_order() -> None:
    for first, then in ((lambda i: 6 // (3 - i), int), (int, lambda i: 6 // (3 - i))):
        results = overlapped(range(9), first, partial(map, then), 2)
        assert [next(results) for _ in range(3)] == [2, 3, 6]
        with pytest.raises(ZeroDivisionError):
            next(results)


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("batch", [1, 3])
def test_workers_change_nothing(model: Model, workers: int, batch: int) -> None:
    wanted = tops(model(frames(8)))
    assert tops(model(frames(8), batch=batch, workers=workers)) == wanted


def test_a_generator_is_read_as_results_are_taken_a_little_ahead(model: Model) -> None:
    read: list[int] = []

    def stream() -> Iterator[np.ndarray]:
        for i in range(1000):
            read.append(i)
            yield picture((0, 0, "red"))

    results = model(stream(), workers=2, batch=2)
    assert read == []
    next(results)
    assert len(read) <= 2 * (2 * 2 + 2)
    results.close()
    assert len(read) <= 2 * (2 * 2 + 2)


def test_an_error_comes_where_its_picture_was(model: Model) -> None:
    results = model(iter([*frames(3), "missing.jpg", *frames(2)]), workers=2)
    assert [next(results).path for _ in range(3)] == ["image0", "image1", "image2"]
    with pytest.raises(DataError, match=r"missing\.jpg"):
        next(results)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch", [1, 2, 9])
def test_what_is_no_picture_can_be_left_out(model: Model, workers: int, batch: int) -> None:
    told: list[DataError] = []
    results = model([*frames(2), b"no picture", *frames(1)], workers=workers, batch=batch, skip=told.append)
    assert [r.path for r in results] == ["image0", "image1", "image3"]
    assert len(told) == 1


def test_a_picture_with_other_channels_is_named_and_can_be_left_out(model: Model) -> None:
    two_channels = np.zeros((4, 4, 2), np.uint8)
    with pytest.raises(DataError, match="image1: the image has 2 channels, and the network wants 3"):
        model([*frames(1), two_channels])
    told: list[DataError] = []
    assert [r.path for r in model([*frames(1), two_channels, *frames(1)], skip=told.append)] == ["image0", "image2"]
    assert len(told) == 1


def test_nothing_but_broken_pictures_is_no_result(model: Model) -> None:
    assert model([b"", b""], batch=2, skip=lambda _: None) == []


def test_recurrent_networks_remember_in_order(tmp_path: Path) -> None:
    cfg = write_recurrent(tmp_path)
    pixels = [np.full((2, 2, 3), 40 * i, np.uint8) for i in range(6)]
    wanted, found = (load(cfg, backend="numpy")(pixels, workers=n) for n in (0, 3))
    assert [r.pred_score for r in wanted] == [r.pred_score for r in found]


def test_fewer_than_no_workers_are_an_error(model: Model) -> None:
    with pytest.raises(DataError, match="at least 0"):
        model(frames(1), workers=-1)
