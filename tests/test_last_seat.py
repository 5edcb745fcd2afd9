"""People at the same moment, with real transactions and real commits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from builders import AGREED, FACILITATOR, GUILD, MAYA, ROOM, STAFF, actor, details, facilitator, make_group, owner, seat
from sqlalchemy import func, select

from peerbot import groups, members, setup
from peerbot.config import Settings
from peerbot.database import Database, connect
from peerbot.errors import (
    AlreadyMember,
    DatabaseBusy,
    GroupFull,
    GroupUnknown,
    NameTaken,
    NotMember,
    NotValid,
    PeerbotError,
)
from peerbot.models import Card, Group, Guild, Member, Membership

pytestmark = pytest.mark.both_databases

ROUNDS = 20
PEOPLE = 4


@pytest.fixture
async def processes(db: Database, settings: Settings) -> AsyncIterator[list[Database]]:
    """The doors through which people come: two processes on PostgreSQL, one on SQLite."""
    if db.writer.dialect.name == "sqlite":
        yield [db]
        return
    second = connect(settings)
    yield [db, second]
    await second.close()


async def sign_up(db: Database, user_id: int, group_id: int, now: datetime) -> str:
    try:
        async with db.begin(wait=10) as session:
            await groups.sign_up(session, actor(user_id), group_id, agreed=AGREED, now=now)
    except PeerbotError as refusal:
        return type(refusal).__name__
    return "in"


async def test_of_four_people_on_the_last_seat_one_gets_it_every_time(
    processes: list[Database], guild: Guild, now: datetime
) -> None:
    db = processes[0]
    async with db.begin() as session:
        group = await make_group(session, now=now, capacity=2)
        await seat(session, group, MAYA, now=now)
    for round_number in range(ROUNDS):
        people = range(100 + round_number % 2 * PEOPLE, 100 + round_number % 2 * PEOPLE + PEOPLE)
        results = await asyncio.gather(
            *(sign_up(processes[person % len(processes)], person, group.group_id, now) for person in people)
        )
        assert Counter(results) == {"in": 1, "GroupFull": PEOPLE - 1}, f"round {round_number}"
        async with db.begin() as session:
            assert await groups.seats_taken(session, group.group_id) == 2
            winner = people[results.index("in")]
            await groups.leave(session, actor(winner), group.group_id, now=now)


async def test_a_double_tap_takes_one_seat(processes: list[Database], guild: Guild, now: datetime) -> None:
    async with processes[0].begin() as session:
        group = await make_group(session, now=now)
    for person in range(100, 110):
        taps = await asyncio.gather(*(sign_up(each, person, group.group_id, now) for each in processes * 2))
        assert Counter(taps) == {"in": 1, AlreadyMember.__name__: len(taps) - 1}


async def test_two_people_who_are_new_at_once_are_each_one_member(
    processes: list[Database], guild: Guild, now: datetime
) -> None:
    async def arrive(db: Database) -> int:
        async with db.begin(wait=10) as session:
            return (await members.of(session, GUILD, MAYA, now=now)).member_id

    assert len(set(await asyncio.gather(*(arrive(db) for db in processes * 3)))) == 1
    async with processes[0].read() as session:
        assert await session.scalar(select(func.count()).select_from(Member)) == 1


async def test_leaving_and_joining_at_once_never_takes_one_too_many(
    processes: list[Database], guild: Guild, now: datetime
) -> None:
    async with processes[0].begin() as session:
        group = await make_group(session, now=now, capacity=2)
        await seat(session, group, 100, 101, now=now)

    async def swap(db: Database, person: int) -> None:
        try:
            async with db.begin(wait=10) as session:
                await groups.leave(session, actor(person), group.group_id, now=now)
        except (GroupUnknown, NotMember):  # the server does not know them yet, or they have no seat
            await sign_up(db, person, group.group_id, now)

    for _ in range(10):
        await asyncio.gather(*(swap(processes[person % len(processes)], person) for person in range(100, 106)))
        async with processes[0].read() as session:
            assert await groups.seats_taken(session, group.group_id) <= 2


async def test_seats_are_not_cut_while_somebody_takes_one(
    processes: list[Database], guild: Guild, now: datetime
) -> None:
    async with processes[0].begin() as session:
        group = await make_group(session, now=now, capacity=3)
        await seat(session, group, 100, 101, now=now)

    async def cut() -> str:
        try:
            async with processes[-1].begin(wait=10) as session:
                await groups.edit(session, facilitator(), group.group_id, details(capacity=2), now=now)
        except NotValid:
            return "refused"
        return "cut"

    joined, changed = await asyncio.gather(sign_up(processes[0], MAYA, group.group_id, now), cut())
    assert (joined, changed) in {("in", "refused"), (GroupFull.__name__, "cut")}


async def test_two_groups_that_want_one_name_at_once_do_not_both_get_it(
    processes: list[Database], guild: Guild, now: datetime
) -> None:
    async def create(db: Database, number: int) -> str:
        try:
            async with db.begin(wait=10) as session:
                await make_group(session, now=now, room_id=ROOM + number)
        except NameTaken:
            return "taken"
        return "made"

    results = await asyncio.gather(*(create(db, number) for number, db in enumerate(processes * 2)))
    assert Counter(results) == {"made": 1, "taken": len(results) - 1}


async def test_setting_up_twice_at_once_makes_one_server_and_one_panel(
    processes: list[Database], now: datetime
) -> None:
    async def save(db: Database) -> None:
        async with db.begin(wait=10) as session:
            await setup.save(
                session, owner(), facilitator_role_id=5, panel_channel_id=ROOM, staff_channel_id=STAFF,
                time_zone="UTC", locale="en-US", now=now,
            )  # fmt: skip

    await asyncio.gather(*(save(db) for db in processes * 2))
    async with processes[0].read() as session:
        assert await session.scalar(select(func.count()).select_from(Guild)) == 1
        assert await session.scalar(select(func.count()).select_from(Card)) == 1


async def test_a_press_that_waits_too_long_for_the_seat_is_told_so(
    processes: list[Database], guild: Guild, now: datetime
) -> None:
    async with processes[0].begin() as session:
        group = await make_group(session, now=now)
    async with processes[0].begin() as session:
        await session.get(Group, group.group_id, with_for_update=True)
        with pytest.raises(DatabaseBusy):
            async with processes[-1].begin() as waiting:
                await groups.sign_up(waiting, actor(), group.group_id, agreed=AGREED, now=now)
    async with processes[0].read() as session:
        assert await session.scalar(select(func.count()).select_from(Membership)) == 0
        assert await members.find(session, GUILD, MAYA) is None
        assert await members.find(session, GUILD, FACILITATOR) is not None
