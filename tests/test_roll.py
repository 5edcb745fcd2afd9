"""Who is in a server is asked of Discord once, for everyone who wants to know."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from peerbot import budget, roll
from peerbot.clock import Clock
from peerbot.roll import Roll

HERE, THERE = 1, 2
PATIENCE = 5


@dataclass
class Discord:
    """Answers questions when it is told to: users with even ids are there. It fails while `broken`."""

    asked: list[tuple[int, list[int]]] = field(default_factory=list[tuple[int, list[int]]])
    answers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    broken: bool = False
    given_up: int = 0

    async def ask(self, guild_id: int, user_ids: list[int]) -> dict[int, str]:
        self.asked.append((guild_id, user_ids))
        try:
            await self.answers.acquire()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.broken:
            raise OSError("no connection")
        return {user_id: f"{user_id} of {guild_id}" for user_id in user_ids if user_id % 2 == 0}

    def answer(self, times: int = 1) -> None:
        for _time in range(times):
            self.answers.release()


@dataclass
class Asking:
    """A roll, its Discord and its clock."""

    clock: Clock
    discord: Discord
    roll: Roll[str]

    async def ask(self, *user_ids: int, guild_id: int = HERE, afresh: bool = False) -> asyncio.Task[list[str]]:
        """Begin to ask, and let all that can go on by itself go on."""
        task = asyncio.create_task(self.roll.present(guild_id, user_ids, afresh=afresh))
        await turns()
        return task


async def turns(number: int = 10) -> None:
    """Let what can go on go on, so many turns of the loop."""
    loop = asyncio.get_running_loop()
    for _turn in range(number):
        ahead: asyncio.Future[None] = loop.create_future()
        loop.call_soon(ahead.set_result, None)
        await ahead


@pytest.fixture
async def asking() -> Asking:
    clock, discord = Clock(), Discord()
    return Asking(clock, discord, Roll(clock, discord.ask))


async def got(task: asyncio.Task[list[str]]) -> list[str]:
    return await asyncio.wait_for(task, PATIENCE)


async def test_what_comes_while_a_question_is_under_way_is_asked_together_in_the_next(asking: Asking) -> None:
    first = await asking.ask(2, 3)
    others = [await asking.ask(*some) for some in ((4,), (6, 4), (2, 8))]
    elsewhere = await asking.ask(4, guild_id=THERE)
    assert asking.discord.asked == [(HERE, [2, 3]), (THERE, [4])], "one under way in each server"
    asking.discord.answer(3)
    assert await got(first) == ["2 of 1"]
    assert [await got(other) for other in others] == [["4 of 1"], ["6 of 1", "4 of 1"], ["2 of 1", "8 of 1"]]
    assert await got(elsewhere) == ["4 of 2"]
    assert asking.discord.asked[2:] == [(HERE, [4, 6, 8])]


async def test_a_question_is_as_urgent_as_the_most_urgent_who_waits_and_too_late_for_nobody(asking: Asking) -> None:
    given: list[tuple[int, float]] = []

    async def ask(_guild_id: int, _user_ids: list[int]) -> dict[int, str]:
        given.append((budget.urgency.get(), budget.not_after.get()))
        return await asking.discord.ask(_guild_id, _user_ids)

    together = replace(asking, roll=Roll(asking.clock, ask))
    budget.not_after.set(1.0)
    waiting: list[asyncio.Task[list[str]]] = []
    for urgency, user_id in ((4, 2), (6, 4), (2, 6), (6, 8), (1, 4)):
        budget.urgency.set(urgency)
        waiting.append(await together.ask(user_id))
    asking.discord.answer(2)
    await asyncio.gather(*waiting)
    assert given == [(4, math.inf), (1, math.inf)]
    assert asking.discord.asked == [(HERE, [2]), (HERE, [4, 6, 8])]


async def test_more_than_a_hundred_are_asked_in_several_questions(asking: Asking) -> None:
    asking.discord.answer(3)
    there = await got(await asking.ask(*range(1, 251)))
    assert [len(user_ids) for _guild_id, user_ids in asking.discord.asked] == [100, 100, 50]
    assert there == [f"{user_id} of 1" for user_id in range(2, 251, 2)]


async def test_an_answer_is_used_again_for_less_than_a_minute_also_that_somebody_is_not_there(asking: Asking) -> None:
    asking.discord.answer(2)
    assert await got(await asking.ask(2, 3)) == ["2 of 1"]
    asking.clock.move(roll.REMEMBERED - timedelta(seconds=5))
    assert await got(await asking.ask(3, 2)) == ["2 of 1"]
    assert len(asking.discord.asked) == 1
    asking.clock.move(timedelta(seconds=6))
    assert await got(await asking.ask(3)) == []
    assert asking.discord.asked[1:] == [(HERE, [3])]


async def test_a_clock_that_is_set_back_makes_nothing_last(asking: Asking) -> None:
    asking.discord.answer(2)
    await got(await asking.ask(2))
    asking.clock.move(-timedelta(days=1))
    await got(await asking.ask(2))
    assert len(asking.discord.asked) == 2


async def test_who_must_not_be_told_something_old_asks_after_what_is_under_way(asking: Asking) -> None:
    first, again = await asking.ask(2), await asking.ask(2)
    afresh = [await asking.ask(2, afresh=True) for _time in range(2)]
    asking.discord.answer(2)
    assert [await got(task) for task in (first, again, *afresh)] == [["2 of 1"]] * 4
    assert asking.discord.asked == [(HERE, [2])] * 2, "those who ask afresh share a question too"
    asking.discord.answer()
    await got(await asking.ask(2, afresh=True))
    assert len(asking.discord.asked) == 3


async def test_whoever_changed_is_asked_about_anew_and_nobody_else(asking: Asking) -> None:
    asking.discord.answer(1)
    await got(await asking.ask(2, 4))
    asking.roll.has_changed(HERE, 4)
    asking.roll.has_changed(THERE, 2)
    asking.discord.answer(1)
    await got(await asking.ask(2, 4))
    assert asking.discord.asked[1:] == [(HERE, [4])]


async def test_who_changes_while_asked_about_is_not_remembered_as_before(asking: Asking) -> None:
    first = await asking.ask(2, 4)
    asking.roll.has_changed(HERE, 4)
    second = await asking.ask(4)
    asking.discord.answer(2)
    assert await got(first) == ["2 of 1", "4 of 1"]
    assert await got(second) == ["4 of 1"]
    assert asking.discord.asked[1:] == [(HERE, [4])]
    assert await got(await asking.ask(2, 4)) == ["2 of 1", "4 of 1"]
    assert len(asking.discord.asked) == 2
    third = await asking.ask(6, 8)
    asking.roll.has_changed(HERE, 8)
    asking.discord.answer(2)
    await got(third)
    await got(await asking.ask(6, 8))
    assert asking.discord.asked[2:] == [(HERE, [6, 8]), (HERE, [8])]


async def test_a_question_that_fails_fails_those_who_waited_for_it_alone(asking: Asking) -> None:
    waited = [await asking.ask(2), await asking.ask(2, 3)]
    later = await asking.ask(4)
    asking.discord.broken = True
    asking.discord.answer()
    assert [type(error) for error in await asyncio.gather(waited[0], return_exceptions=True)] == [OSError]
    asking.discord.broken = False
    asking.discord.answer()
    assert await got(later) == ["4 of 1"]
    with pytest.raises(OSError, match="no connection"):
        await got(waited[1])
    asking.discord.answer()
    assert await got(await asking.ask(2)) == ["2 of 1"], "a failure is not remembered"


async def test_who_gives_up_takes_nothing_from_others_and_the_last_one_ends_the_question(asking: Asking) -> None:
    impatient, patient = await asking.ask(2), await asking.ask(2)
    impatient.cancel()
    await turns()
    asking.discord.answer()
    assert await got(patient) == ["2 of 1"]
    alone = await asking.ask(4)
    unsent = await asking.ask(6)
    unsent.cancel()
    alone.cancel()
    await turns()
    assert asking.discord.given_up == 1
    asking.discord.answer()
    assert await got(await asking.ask(4, 6)) == ["4 of 1", "6 of 1"]
    assert asking.discord.asked == [(HERE, [2]), (HERE, [4]), (HERE, [4, 6])]
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("turn", range(6))
async def test_nobody_waits_for_a_question_that_was_given_up(asking: Asking, turn: int) -> None:
    alone = await asking.ask(2)
    alone.cancel()
    await turns(turn)
    later = await asking.ask(2)
    asking.discord.answer()
    assert await got(later) == ["2 of 1"]


async def test_after_a_gap_nothing_is_known_and_no_answer_of_before_is_waited_for(asking: Asking) -> None:
    asking.discord.answer(2)
    await got(await asking.ask(2))
    await got(await asking.ask(2, guild_id=THERE))
    lost, next_one = await asking.ask(4), await asking.ask(6)
    asking.roll.begin_anew({HERE})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lost, PATIENCE)
    asking.discord.answer(2)
    assert await got(next_one) == ["6 of 1"]
    assert await got(await asking.ask(2)) == ["2 of 1"]
    await got(await asking.ask(2, guild_id=THERE))
    assert asking.discord.asked[2:] == [(HERE, [4]), (HERE, [6]), (HERE, [2])]


async def test_it_remembers_no_more_than_so_many(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll, "MOST_REMEMBERED", 10)
    asking.discord.answer(100)
    for user_id in range(30):
        await got(await asking.ask(user_id))
    assert len(asking.roll._known) == 10
    await got(await asking.ask(*range(20, 30)))
    await got(await asking.ask(20, afresh=True))
    await got(await asking.ask(1))
    await got(await asking.ask(20, *range(22, 30)))
    assert len(asking.discord.asked) == 32, "what was heard last is forgotten last"
    asking.clock.move(timedelta(hours=1))
    await got(await asking.ask(1))
    assert len(asking.roll._known) == 1, "what is too old is let go of"
