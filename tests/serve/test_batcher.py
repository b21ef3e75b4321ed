"""The queue in front of a network: who is computed with whom, who is refused, and who is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from statistics import mode
from typing import Any

import numpy as np
import pytest

from darknet_py.apps.serve.batcher import Batcher, Computed, Rows
from darknet_py.apps.serve.limits import Budget, Refusal
from darknet_py.apps.serve.worth import Worth


class Doubler:
    """Doubles rows, when it may; remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.may = asyncio.Event()
        self.may.set()
        self.fails = False
        self.seconds: Callable[[int], float] = lambda count: 0.0  # that it says a batch took

    async def __call__(self, rows: np.ndarray, is_wanted: Callable[[], bool]) -> Computed | None:
        self.sizes.append(len(rows))
        await self.may.wait()
        if not is_wanted():
            self.sizes[-1] = 0
            return None
        if self.fails:
            raise ValueError("broken")
        doubled = 2 * rows
        return Computed(lambda first, last: [doubled[first:last]], self.seconds(len(rows)))


def rows(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)[:, None]


def run(test: Callable[[Doubler], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        await asyncio.wait_for(test(Doubler()), 60)

    asyncio.run(whole())


def batcher(compute: Doubler, **change: Any) -> Batcher:
    return Batcher(compute, **{"size": 4, "window": 0.0, "runners": 1, "limit": 100, **change})


def test_what_waits_while_another_is_computed_is_computed_together() -> None:
    async def test(double: Doubler) -> None:
        double.may.clear()
        queue = batcher(double)
        tasks = [asyncio.create_task(queue.submit(rows(i))) for i in range(6)]
        await asyncio.sleep(0.05)
        double.may.set()
        assert [float((await task)[0][0, 0]) for task in tasks] == [0, 2, 4, 6, 8, 10]
        assert max(double.sizes) == 4
        assert sum(double.sizes) == 6
        await queue.close()

    run(test)


@pytest.mark.parametrize(
    ("fixed", "each", "worth"), [(0.0, 1.0, 1), (0.2, 0.8, 4), (1.0, 0.0, 8)], ids=["processor", "between", "card"]
)
def test_rows_are_computed_together_as_far_as_that_saves_something(fixed: float, each: float, worth: int) -> None:
    async def test(double: Doubler) -> None:
        double.seconds = lambda count: fixed + each * count
        queue = batcher(double, size=8)
        await queue.submit(rows(0))
        for _ in range(3):
            double.sizes.clear()
            await asyncio.gather(*(queue.submit(rows(i)) for i in range(24)))
        assert mode(double.sizes) == worth
        assert sum(double.sizes) == 24
        (answer,) = await queue.submit(rows(*range(8)))
        assert len(answer) == 8, "a request is not cut"
        await queue.close()

    run(test)


def test_a_number_of_rows_is_not_for_ever() -> None:
    learnt = Worth(8)
    for count in (1, 4, 1, 4):
        learnt.learn(count, float(count))
    assert learnt.rows == 1
    for _ in range(2000):
        count = learnt.next()
        learnt.learn(count, 1.0)
    assert learnt.rows == 8


def test_a_batch_waits_for_others_as_long_as_its_first_may() -> None:
    async def test(double: Doubler) -> None:
        queue = batcher(double, window=30.0)
        tasks = [asyncio.create_task(queue.submit(rows(i, i))) for i in range(2)]
        await asyncio.gather(*tasks)  # it is full, so nobody waits any longer
        assert double.sizes == [4]
        await queue.close()

    run(test)


def test_rows_of_a_request_stay_together_and_in_order() -> None:
    async def test(double: Doubler) -> None:
        double.may.clear()
        queue = batcher(double)
        given = [rows(1, 2, 3), rows(4, 5), rows(6), rows(7, 8, 9, 10)]
        tasks = [asyncio.create_task(queue.submit(r)) for r in given]
        await asyncio.sleep(0.05)
        double.may.set()
        for task, own in zip(tasks, given, strict=True):
            np.testing.assert_array_equal((await task)[0], 2 * own)
        assert all(size <= 4 for size in double.sizes)
        await queue.close()

    run(test)


def test_who_is_gone_is_not_computed_for() -> None:
    async def test(double: Doubler) -> None:
        double.may.clear()
        queue = batcher(double, size=1)
        tasks = [asyncio.create_task(queue.submit(rows(i))) for i in range(4)]
        await asyncio.sleep(0.05)
        for task in tasks[1:3]:
            task.cancel()
        double.may.set()
        await tasks[3]
        assert double.sizes == [1, 1]
        await queue.close()

    run(test)


def test_a_batch_that_was_handed_over_is_not_computed_for_nobody() -> None:
    async def test(double: Doubler) -> None:
        double.may.clear()
        queue = batcher(double, runners=2)
        tasks = [asyncio.create_task(queue.submit(rows(i, i))) for i in range(2)]
        await asyncio.sleep(0.05)
        tasks[0].cancel()
        await asyncio.sleep(0.05)
        double.may.set()
        assert (await tasks[1])[0].tolist() == [[2.0], [2.0]]
        assert sorted(double.sizes) in ([0, 2], [4])
        await queue.close()

    run(test)


def test_a_network_that_fails_tells_who_asked_and_goes_on() -> None:
    async def test(double: Doubler) -> None:
        queue = batcher(double)
        double.fails = True
        with pytest.raises(ValueError, match="broken"):
            await queue.submit(rows(1))
        double.fails = False
        assert (await queue.submit(rows(1)))[0].tolist() == [[2.0]]
        await queue.close()

    run(test)


def test_a_full_queue_refuses_and_has_room_again() -> None:
    async def test(double: Doubler) -> None:
        queue = batcher(double, limit=3)
        with queue.admission(2):
            with pytest.raises(Refusal, match="queue is full") as caught, queue.admission(2):
                pass
            assert caught.value.status == 503
            assert int(caught.value.headers["Retry-After"]) >= 1
            with queue.admission(1):
                pass
        assert queue.admitted == 0
        await queue.close()

    run(test)


def test_who_waits_when_a_model_is_unloaded_is_refused() -> None:
    async def test(double: Doubler) -> None:
        double.may.clear()
        queue = batcher(double, size=1)
        tasks = [asyncio.create_task(queue.submit(rows(i))) for i in range(3)]
        await asyncio.sleep(0.05)
        await queue.close()
        for task in tasks:
            with pytest.raises(Refusal, match="unloaded"):
                await task

    run(test)


def test_what_was_admitted_before_a_model_is_unloaded_is_answered() -> None:
    async def test(double: Doubler) -> None:
        queue = batcher(double)

        async def later() -> Rows:
            with queue.admission(1):
                await asyncio.sleep(0.1)  # its picture is being decoded
                return await queue.submit(rows(3))

        task = asyncio.create_task(later())
        await asyncio.sleep(0.02)
        closing = asyncio.create_task(queue.close(30.0))
        await asyncio.sleep(0.02)
        with pytest.raises(Refusal, match="unloaded"), queue.admission(1):
            pass
        assert (await task)[0].tolist() == [[6.0]]
        await closing

    run(test)


def test_who_comes_when_a_model_is_unloaded_already_is_refused_and_does_not_wait() -> None:
    async def test(double: Doubler) -> None:
        queue = batcher(double)
        with queue.admission(1):
            await queue.close()
            with pytest.raises(Refusal, match="unloaded"):
                await queue.submit(rows(1))

    run(test)


def test_a_budget_is_given_back_whatever_happens() -> None:
    budget = Budget(10)
    with budget.portion() as one:
        one.grow(4)
        one.grow(3)
        assert budget.held == 4
        with pytest.raises(Refusal), budget.portion() as other:
            other.grow(7)
        assert budget.held == 4
    assert budget.held == 0
