"""People and deliveries at the same moment on one line, with real transactions and real commits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from datetime import datetime, timedelta
from typing import Any

import pytest
from builders import AGREED, GUILD, actor, make_group, seat
from lines import NOON, STEPS, run_due, states, wait

from peerbot import deliveries, departures, groups, seats
from peerbot.config import Settings
from peerbot.database import Database, connect
from peerbot.errors import PeerbotError
from peerbot.models import Group, Guild

pytestmark = pytest.mark.both_databases

ROUNDS = 8
TWO_DAYS = timedelta(hours=48)


@pytest.fixture
async def processes(db: Database, settings: Settings) -> AsyncIterator[list[Database]]:
    """The doors through which people come: two processes on PostgreSQL, one on SQLite."""
    if db.writer.dialect.name == "sqlite":
        yield [db, db]
        return
    second = connect(settings)
    yield [db, second]
    await second.close()


@pytest.fixture
async def group(processes: list[Database], guild: Guild) -> Group:
    """A group of one seat, which 100 has."""
    async with processes[0].begin() as session:
        made = await make_group(session, now=NOON, capacity=1)
        await seat(session, made, 100, now=NOON)
        return made


async def attempt(db: Database, what: Any) -> str:
    """Do one thing in a transaction of its own, as a press does; return "done" or what was said."""
    try:
        async with db.begin(wait=10) as session:
            done: Awaitable[Any] = what(session)
            await done
    except PeerbotError as refusal:
        return type(refusal).__name__
    return "done"


def takes(db: Database, group: Group, user_id: int, **changes: Any) -> Awaitable[str]:
    asked: dict[str, Any] = {"agreed": AGREED, "now": NOON, **changes}
    return attempt(db, lambda session: groups.sign_up(session, actor(user_id), group.group_id, **asked))


async def step(db: Database, now: datetime = NOON) -> str:
    """Carry one due step out as the dispatcher does: claim it, then acknowledge it and run its rule at once."""
    async with db.begin(wait=10) as session:
        claimed = await deliveries.claim(session, now=now, owner="1", limit=1)
    for delivery in claimed:
        async with db.begin(wait=10) as session:
            await deliveries.finish(session, delivery, deliveries.DONE, now=now)
            if delivery.kind in STEPS:
                await STEPS[delivery.kind](session, delivery, now)
    return "step"


async def test_of_many_on_one_freed_seat_the_first_in_line_gets_it_every_time(
    processes: list[Database], group: Group
) -> None:
    one, other = processes
    await run_due(one)
    line = [100, 101, 102]
    await wait(one, group, *line[1:])
    for round_number in range(ROUNDS):
        last, first, second = line
        async with one.begin() as session:
            await groups.leave(session, actor(last), group.group_id, now=NOON)
        results = await asyncio.gather(
            takes(one, group, 999), takes(other, group, second), step(one), takes(other, group, first)
        )
        assert results == ["GroupFull", "InLine", "step", "done"], f"round {round_number}"
        assert await states(one, group) == {first: "active", second: "waiting"}
        assert await takes(one, group, last, waits=True, now=NOON + timedelta(seconds=round_number + 1)) == "done"
        line = [first, second, last]


async def test_a_double_tap_on_an_offer_is_one_seat_every_time(processes: list[Database], group: Group) -> None:
    one, other = processes
    for round_number in range(ROUNDS):
        person, before = 101 + round_number, 100 + round_number
        await wait(one, group, person)
        async with one.begin() as session:
            await groups.leave(session, actor(before), group.group_id, now=NOON)
        await run_due(one)
        taps = await asyncio.gather(*(takes(each, group, person) for each in (one, other, one, other)))
        assert Counter(taps) == {"done": 1, "AlreadyMember": 3}, f"round {round_number}"
        assert await states(one, group) == {person: "active"}


async def test_take_not_now_and_the_end_of_an_offer_at_once_are_one_of_them(
    processes: list[Database], group: Group
) -> None:
    one, other = processes
    for round_number in range(ROUNDS // 2):
        now = NOON + 10 * round_number * TWO_DAYS
        holder = next(user_id for user_id, state in (await states(one, group)).items() if state == "active")
        first, second = 200 + 2 * round_number, 201 + 2 * round_number
        await wait(one, group, first, second, now=now)
        async with one.begin() as session:
            await groups.leave(session, actor(holder), group.group_id, now=now)
        await run_due(one, now)
        end = now + TWO_DAYS

        def passes(session: Any, person: int = first, at: Any = end) -> Awaitable[Any]:
            return seats.pass_on(session, actor(person), group.group_id, now=at)

        results = await asyncio.gather(
            takes(one, group, first, now=end), attempt(other, passes), step(one, end), step(other, end)
        )
        assert results[0] in {"done", "InLine"}, f"round {round_number}"
        assert results[1] in {"done", "NotInLine"}, f"round {round_number}"
        found = await states(one, group)
        expected = (
            {first: "active", second: "waiting"} if results[0] == "done" else {first: "waiting", second: "offered"}
        )
        assert found == expected, f"round {round_number}"
        async with one.begin() as session:  # the seat is taken, and the line is empty again
            if found[first] == "active":
                await seats.leave_line(session, actor(second), group.group_id, now=end)
            else:
                await groups.sign_up(session, actor(second), group.group_id, now=end)
                await seats.leave_line(session, actor(first), group.group_id, now=end)
        await run_due(one, end)


async def test_leaving_and_offering_at_once_wait_for_nobody_in_a_circle(
    processes: list[Database], group: Group
) -> None:
    one, other = processes
    people = list(range(300, 306))
    await wait(one, group, *people)

    async def comes_and_goes(db: Database, person: int) -> None:
        for _ in range(6):
            for what in (
                lambda session: groups.leave(session, actor(person), group.group_id, now=NOON),
                lambda session: departures.leave(session, GUILD, person, now=NOON),
                lambda session: departures.come_back(session, GUILD, person, now=NOON),
                lambda session: groups.sign_up(
                    session, actor(person), group.group_id, agreed=AGREED, waits=True, now=NOON
                ),
            ):
                assert await attempt(db, what) != "DatabaseBusy"

    async def delivers(db: Database) -> None:
        for _ in range(20):
            await step(db)

    everyone = [comes_and_goes(processes[person % 2], person) for person in [100, *people]]
    await asyncio.gather(*everyone, delivers(one), delivers(other))
    await run_due(one)
    found = Counter((await states(one, group)).values())
    assert found["active"] + found["offered"] == 1
