"""Hellos: what stands before a seat in a group that asks for one, a yes, a no, and a change of mind."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from builders import (
    AGREED,
    FACILITATOR,
    GUILD,
    LEO,
    MAYA,
    OTHER_GUILD,
    ROOM,
    actor,
    details,
    facilitator,
    make_group,
    make_guild,
    owner,
    seat,
)
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import departures, directory, facilitators, groups, hello, members, pauses, tasks
from peerbot.database import Database
from peerbot.errors import (
    AgreementNeeded,
    AlreadyMember,
    GroupClosed,
    GroupFull,
    GroupUnknown,
    HelloFirst,
    NotMember,
    NotValid,
    TaskDone,
    WasRemoved,
)
from peerbot.models import Delivery, Group, Guild, Membership, Task

HOUR = timedelta(hours=1)


@pytest.fixture
async def group(db: Database, guild: Guild, now: datetime) -> Group:
    """A group with two seats that asks for a hello."""
    async with db.begin() as session:
        return await make_group(session, now=now, capacity=2, hello="yes")


@pytest.fixture
async def task_id(db: Database, group: Group, now: datetime) -> int:
    """Maya's hello."""
    async with db.begin() as session:
        return (await hello.say(session, actor(), group.group_id, agreed=AGREED, now=now)).task_id


async def held(session: AsyncSession, group: Group, user_id: int = MAYA) -> Membership | None:
    member = await members.find(session, GUILD, user_id)
    assert member is not None
    which = (Membership.group_id == group.group_id, Membership.member_id == member.member_id)
    return await session.scalar(select(Membership).where(*which))


async def task(session: AsyncSession, task_id: int) -> Task:
    return await session.get_one(Task, task_id, populate_existing=True)


async def test_the_agreement_comes_first_then_the_hello(db: Database, group: Group, now: datetime) -> None:
    with pytest.raises(AgreementNeeded):
        async with db.begin() as session:
            await groups.sign_up(session, actor(), group.group_id, now=now)
    with pytest.raises(HelloFirst):
        async with db.begin() as session:
            await groups.sign_up(session, actor(), group.group_id, agreed=AGREED, now=now)
    with pytest.raises(AgreementNeeded):
        async with db.begin() as session:
            await hello.say(session, actor(), group.group_id, now=now)


async def test_a_hello_takes_no_seat_and_opens_no_room(db: Database, group: Group, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        mine = await held(session, group)
        assert mine is not None
        assert (mine.state, await groups.seats_taken(session, group.group_id)) == ("hello", 0)
        kinds = (Delivery.member_id == mine.member_id, Delivery.kind.in_(("groups.access", "groups.welcome")))
        assert (await session.scalars(select(Delivery).where(*kinds))).all() == []
        assert (await directory.roster(session, facilitator(), group.group_id)).people == ()
        (found,) = await directory.seats(session, GUILD, MAYA)
        assert (found.state, found.thread_id) == ("hello", None)


async def test_saying_hello_twice_is_saying_it_once(db: Database, group: Group, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        again = await hello.say(session, actor(), group.group_id, now=now)
        asked = await hello.ask(session, actor(), group.group_id, now=now)
        assert again.task_id == asked.task_id == task_id
        assert (await task(session, task_id)).kind == "hello"


@pytest.mark.both_databases
async def test_a_question_becomes_a_hello_when_they_want_to_join(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        asked = await hello.ask(session, actor(), group.group_id, now=now)
        said = await hello.say(session, actor(), group.group_id, agreed=AGREED, now=now)
        assert said.task_id == asked.task_id
        assert (await task(session, said.task_id)).kind == "hello"
        with pytest.raises(NotValid):
            await tasks.answer(session, facilitator(), said.task_id, now=now)


@pytest.mark.both_databases
async def test_welcome_gives_a_seat_access_and_a_greeting(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        welcomed = await hello.welcome(session, facilitator(), task_id, now=now + HOUR)
        assert welcomed.seat is not None
        mine = await held(session, group)
        assert mine is not None
        assert (mine.state, mine.joined_at, mine.welcomed_at) == ("active", now + HOUR, now + HOUR)
        done = await task(session, task_id)
        assert (done.outcome, done.done_at) == ("welcomed", now + HOUR)
        kinds = set(await session.scalars(select(Delivery.kind).where(Delivery.member_id == mine.member_id)))
        assert kinds == {"desk.thread", "groups.access", "groups.welcome"}
    with pytest.raises(AlreadyMember):
        async with db.begin() as session:
            await groups.sign_up(session, actor(), group.group_id, now=now)


async def test_welcome_to_a_full_group_is_a_place_in_line(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        said = [
            (await hello.say(session, actor(user_id), group.group_id, agreed=AGREED, now=now)).task_id
            for user_id in (MAYA, LEO, LEO + 1)
        ]
        seats = [(await hello.welcome(session, facilitator(), one, now=now)).seat for one in said]
        assert [seat is not None for seat in seats] == [True, True, False]
        waits = await held(session, group, LEO + 1)
        assert waits is not None
        assert (waits.state, waits.line_at, waits.welcomed_at) == ("waiting", now, now)
        assert await groups.seats_taken(session, group.group_id) == 2


async def test_a_full_group_still_takes_hellos(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await groups.edit(session, facilitator(), group.group_id, details(capacity=1), now=now)
        await seat(session, group, LEO, now=now)
        with pytest.raises(GroupFull):
            await groups.sign_up(session, actor(), group.group_id, agreed=AGREED, now=now)
        await groups.edit(session, facilitator(), group.group_id, details(capacity=1, hello="yes"), now=now)
        await hello.say(session, actor(), group.group_id, agreed=AGREED, now=now)


async def test_not_this_group_holds_and_shows_no_reason(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await hello.decline(session, facilitator(), task_id, now=now)
        mine = await held(session, group)
        assert mine is not None
        assert (mine.state, mine.removed_for) == ("removed", "fit")
        assert await directory.seats(session, GUILD, MAYA) == ()
    for rule in (groups.sign_up, hello.say, hello.ask):
        with pytest.raises(WasRemoved):
            async with db.begin() as session:
                await rule(session, actor(), group.group_id, now=now)
    async with db.begin() as session:
        await groups.let_back(session, facilitator(), group.group_id, mine.member_id)
        assert (await hello.say(session, actor(), group.group_id, now=now)).task_id != task_id


async def test_a_hello_can_be_taken_back(db: Database, group: Group, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await groups.leave(session, actor(), group.group_id, now=now)
        assert await held(session, group) is None
        assert (await task(session, task_id)).outcome == "left"
    for rule in (hello.welcome, hello.decline, tasks.claim):
        with pytest.raises(TaskDone):
            async with db.begin() as session:
                await rule(session, facilitator(), task_id, now=now)
    with pytest.raises(NotMember):
        async with db.begin() as session:
            await groups.leave(session, actor(), group.group_id, now=now)


async def test_a_hello_is_no_seat_to_rest_on(db: Database, group: Group, task_id: int, now: datetime) -> None:
    with pytest.raises(NotMember):
        async with db.begin() as session:
            await pauses.pause(session, actor(), group.group_id, now=now)


async def test_whoever_left_the_server_is_not_welcomed_until_they_are_back(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await departures.leave(session, GUILD, MAYA, now=now)
    for rule in (hello.welcome, hello.decline):
        with pytest.raises(NotValid):
            async with db.begin() as session:
                await rule(session, facilitator(), task_id, now=now)
    async with db.begin() as session:
        await departures.come_back(session, GUILD, MAYA, now=now)
        assert (await hello.welcome(session, facilitator(), task_id, now=now)).seat is not None


async def test_after_a_week_away_a_hello_is_gone(db: Database, group: Group, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await departures.leave(session, GUILD, MAYA, now=now)
        lapse = await session.scalar(select(Delivery).where(Delivery.kind == "groups.seat_lapses"))
        assert lapse is not None
        await departures.lapse(session, lapse, now + groups.RETURN)
        assert await held(session, group) is None
        assert (await task(session, task_id)).outcome == "left"


@pytest.mark.both_databases
async def test_a_group_that_closes_ends_its_hellos_and_questions(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        asked = (await hello.ask(session, actor(LEO), group.group_id, now=now)).task_id
        await groups.close(session, facilitator(), group.group_id, now=now)
        assert await held(session, group) is None
        assert [(await task(session, one)).outcome for one in (task_id, asked)] == ["closed", "closed"]
    with pytest.raises(TaskDone):
        async with db.begin() as session:
            await hello.welcome(session, facilitator(), task_id, now=now)
    for rule in (hello.ask, hello.say):
        with pytest.raises(GroupClosed):
            async with db.begin() as session:
                await rule(session, actor(LEO), group.group_id, now=now)


async def test_a_group_that_asks_for_no_hello_any_more_lets_one_join(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await groups.edit(session, facilitator(), group.group_id, details(capacity=2), now=now)
        with pytest.raises(NotValid):
            await hello.say(session, actor(), group.group_id, now=now)
        await groups.sign_up(session, actor(), group.group_id, now=now)
        mine = await held(session, group)
        assert mine is not None
        assert mine.state == "active"
        assert (await task(session, task_id)).outcome == "joined"


async def test_a_question_is_neither_welcomed_nor_declined(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        asked = (await hello.ask(session, actor(), group.group_id, now=now)).task_id
    for rule in (hello.welcome, hello.decline):
        with pytest.raises(NotValid):
            async with db.begin() as session:
                await rule(session, facilitator(), asked, now=now)


async def test_nobody_asks_their_own_group_or_one_of_another_server(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        with pytest.raises(NotValid):
            await hello.ask(session, facilitator(), group.group_id, now=now)
    async with db.begin() as session:
        await make_guild(session, guild_id=OTHER_GUILD, now=now)
        for rule in (hello.ask, hello.say):
            with pytest.raises(GroupUnknown):
                await rule(session, actor(guild_id=OTHER_GUILD), group.group_id, now=now)


@pytest.mark.both_databases
async def test_whoever_becomes_a_facilitator_needs_no_hello(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        role = frozenset({(await session.get_one(Guild, GUILD)).facilitator_role_id})
        await facilitators.add(session, facilitator(), group.group_id, MAYA, role, now=now)
        assert await held(session, group) is None
        assert (await task(session, task_id)).outcome == "left"


async def test_whoever_manages_the_server_may_welcome(db: Database, group: Group, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await hello.welcome(session, owner(), task_id, now=now)
        done = await tasks.find(session, GUILD, task_id)
        assert done is not None
        assert done.claimed_by != FACILITATOR
        assert (await directory.view(session, GUILD, group.group_id)).hello_first


async def test_another_group_is_not_touched(db: Database, group: Group, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        other = await make_group(session, now=now, name="Owls", room_id=ROOM + 1, hello="yes")
        theirs = (await hello.say(session, actor(), other.group_id, now=now)).task_id
        await groups.close(session, facilitator(), group.group_id, now=now)
        assert (await task(session, theirs)).done_at is None
        mine = await held(session, other)
        assert mine is not None
        assert mine.state == "hello"
