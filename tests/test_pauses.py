"""Whoever rests is asked once, four weeks later; by then they may be back, gone, or rest anew."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from builders import GUILD, LEO, MAYA, actor, facilitator, make_group, seat
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from cogs.groups._resting import letter
from peerbot import groups, members, pauses
from peerbot.database import Database
from peerbot.errors import GroupClosed, GroupUnknown, NotMember
from peerbot.models import Delivery, Group, Guild, Membership
from peerbot.pauses import Rest
from peerbot.text import PSEUDO, Reader

WEEK = timedelta(weeks=1)
Happens = Callable[[AsyncSession, int, datetime], Awaitable[object]]


@pytest.fixture
async def group(db: Database, guild: Guild, now: datetime) -> Group:
    async with db.begin() as session:
        return await make_group(session, now=now)


async def asks(session: AsyncSession) -> list[Delivery]:
    found = select(Delivery).where(Delivery.kind == pauses.ASKS).order_by(Delivery.due_at)
    return list(await session.scalars(found))


@pytest.mark.both_databases
async def test_whoever_rests_is_asked_once_after_four_weeks(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
        until = await pauses.pause(session, actor(), group.group_id, now=now)
        await pauses.pause(session, actor(), group.group_id, now=now + WEEK)
        (letter,) = await asks(session)
        assert (letter.due_at, letter.not_after) == (now + 4 * WEEK, until)
        assert letter.channel_id is None
        rest = await pauses.still(session, letter, now=now + 4 * WEEK)
        assert rest == Rest(group.group_id, "Tuesday", until)
        assert until == now.replace(microsecond=0) + 12 * WEEK
        assert await pauses.still(session, letter, now=until) is None, "the seat is on its way to somebody else"


async def test_who_is_back_and_rests_anew_in_one_second_has_an_end_of_it(
    db: Database, group: Group, now: datetime
) -> None:
    now = now.replace(microsecond=200_000)
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        await pauses.pause(session, actor(), group.group_id, now=now)
        await pauses.resume(session, actor(), group.group_id)
        until = await pauses.pause(session, actor(), group.group_id, now=now.replace(microsecond=900_000))
        (over,) = await session.scalars(select(Delivery).where(Delivery.kind == pauses.OVER))
        assert over.due_at == until
        await pauses.end_pause(session, over, over.due_at)
        assert await session.scalar(select(Membership)) is None


async def back(session: AsyncSession, group_id: int, _now: datetime) -> None:
    await pauses.resume(session, actor(), group_id)


async def back_and_resting_anew(session: AsyncSession, group_id: int, now: datetime) -> None:
    await pauses.resume(session, actor(), group_id)
    await pauses.pause(session, actor(), group_id, now=now)


async def left(session: AsyncSession, group_id: int, now: datetime) -> None:
    await groups.leave(session, actor(), group_id, now=now)


async def left_and_somebody_else_rests(session: AsyncSession, group_id: int, now: datetime) -> None:
    await groups.leave(session, actor(), group_id, now=now)
    await pauses.pause(session, actor(LEO), group_id, now=now)


async def closed(session: AsyncSession, group_id: int, now: datetime) -> None:
    await groups.close(session, facilitator(), group_id, now=now)


@pytest.mark.parametrize("happens", [back, back_and_resting_anew, left, left_and_somebody_else_rests, closed])
async def test_nothing_is_asked_of_whoever_is(db: Database, group: Group, now: datetime, happens: Happens) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
        await pauses.pause(session, actor(), group.group_id, now=now)
        await happens(session, group.group_id, now + WEEK)
        first, *others = await asks(session)
        assert await pauses.still(session, first, now=first.due_at) is None
        assert [await pauses.still(session, each, now=each.due_at) is not None for each in others] in ([], [True])


async def test_what_is_ones_own_is_asked_of_members_and_no_stranger_learns_a_name(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await members.of(session, GUILD, LEO, now=now)
    for who, refusal in ((LEO, NotMember), (MAYA, GroupUnknown)):
        for rule in (pauses.resume, partial(pauses.pause, now=now), partial(groups.leave, now=now)):
            with pytest.raises(refusal):
                async with db.begin() as session:
                    await rule(session, actor(who), group.group_id)


async def test_nobody_comes_back_to_a_group_that_has_closed(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        await pauses.pause(session, actor(), group.group_id, now=now)
        await groups.close(session, facilitator(), group.group_id, now=now)
    with pytest.raises(GroupClosed):
        async with db.begin() as session:
            await pauses.resume(session, actor(), group.group_id)


def test_the_letter_is_short_and_neutral_and_can_be_translated() -> None:
    rest = Rest(1, "Tuesday", datetime(2026, 12, 1, tzinfo=UTC))
    words = letter(rest, Reader())
    assert len(words) <= 250
    assert re.search(r"depress|sick|ill\b|why", words, re.IGNORECASE) is None
    assert re.sub(r"⟦[^⟧]*⟧", "", letter(rest, Reader(PSEUDO))).strip() == ""
