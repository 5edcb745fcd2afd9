"""The send budget: an even rate, the most urgent first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from peerbot.budget import SendBudget, not_after, require_in_time, urgency


class Loop:
    """Time that passes when it is told to, for what asks the event loop for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.alarms: list[tuple[float, Callable[[], Any]]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self.now)
        monkeypatch.setattr(
            loop, "call_later", lambda delay, call: self.alarms.append((self.now + delay, call)) or call
        )

    async def pass_by(self, seconds: float) -> None:
        await run_on()
        end = self.now + seconds
        while self.alarms and min(at for at, _call in self.alarms) <= end:
            at, call = min(self.alarms, key=lambda alarm: alarm[0])
            self.alarms.remove((at, call))
            self.now = max(self.now, at)
            call()
            await run_on()
        self.now = end
        await run_on()


async def run_on() -> None:
    """Let every task that can go on go on."""
    for _ in range(5):
        await asyncio.wait({asyncio.ensure_future(_nothing())})


async def _nothing() -> None:
    return


@pytest.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> Loop:
    return Loop(monkeypatch)


async def begin(budget: SendBudget, begun: list[int], number: int, urgent: int = 5) -> None:
    urgency.set(urgent)
    await budget.take()
    begun.append(number)


async def test_a_second_lets_no_more_begin_than_the_rate_and_a_small_burst(time: Loop) -> None:
    budget, begun = SendBudget(rate=45, burst=4), list[int]()
    tasks = [asyncio.create_task(begin(budget, begun, number)) for number in range(200)]
    await run_on()
    assert len(begun) == 4
    await time.pass_by(1.0)
    assert 47 <= len(begun) <= 49
    await time.pass_by(1.0)
    assert 91 <= len(begun) <= 94
    await time.pass_by(10.0)
    assert begun == list(range(200))
    await asyncio.gather(*tasks)


async def test_after_a_long_pause_only_a_small_burst_begins_at_once(time: Loop) -> None:
    budget, begun = SendBudget(rate=45, burst=4), list[int]()
    await time.pass_by(3600)
    tasks = [asyncio.create_task(begin(budget, begun, number)) for number in range(20)]
    await run_on()
    assert len(begun) == 4
    await time.pass_by(1.0)
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("processes", [1, 3, 4])
async def test_no_second_of_discords_sees_too_many_though_some_arrive_late(time: Loop, processes: int) -> None:
    begun: list[float] = []
    budgets = [SendBudget() for _ in range(processes)]

    async def note(budget: SendBudget) -> None:
        await budget.take()
        begun.append(time.now)

    for budget in budgets:
        budget.share_with(processes)
    tasks = [asyncio.create_task(note(budget)) for _ in range(300 // processes) for budget in budgets]
    await time.pass_by(10)
    await asyncio.gather(*tasks)
    seen = max(sum(start <= each < start + 1.1 for each in begun) for start in begun)
    assert 47 <= seen <= 49
    assert max(begun) - begun[0] < 300 / 45 + 1.1


async def test_the_most_urgent_of_those_who_wait_begins_first(time: Loop) -> None:
    budget, begun = SendBudget(rate=10, burst=1), list[int]()
    tasks = [asyncio.create_task(begin(budget, begun, number, urgent=6)) for number in range(5)]
    await run_on()
    tasks += [asyncio.create_task(begin(budget, begun, 77, urgent=0))]
    await run_on()
    assert begun == [0]
    await time.pass_by(0.11)
    assert begun == [0, 77]
    await time.pass_by(2)
    assert begun == [0, 77, 1, 2, 3, 4]
    await asyncio.gather(*tasks)


async def test_processes_share_the_rate(time: Loop) -> None:
    budget, begun = SendBudget(rate=40, burst=4), list[int]()
    budget.share_with(4)
    tasks = [asyncio.create_task(begin(budget, begun, number)) for number in range(30)]
    await time.pass_by(1.0)
    assert 10 <= len(begun) <= 12
    budget.share_with(1)
    await time.pass_by(1.0)
    await asyncio.gather(*tasks)


async def test_who_gives_up_takes_nothing(time: Loop) -> None:
    budget, begun = SendBudget(rate=10, burst=1), list[int]()
    tasks = [asyncio.create_task(begin(budget, begun, number)) for number in range(3)]
    await run_on()
    tasks[1].cancel()
    await time.pass_by(0.11)
    assert begun == [0, 2]
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_task_whose_lease_is_over_asks_nothing_more_of_discord(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Loop(monkeypatch)
    require_in_time()  # without a lease there is no end
    not_after.set(time.now + 30)
    await time.pass_by(30)
    require_in_time()
    await time.pass_by(1)
    with pytest.raises(TimeoutError):
        require_in_time()
