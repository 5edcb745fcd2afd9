"""Meetings: who may answer, and who is told who did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from builders import GUILD, LEO, MAYA, OTHER_GUILD, ROOM, actor, facilitator, make_group, make_guild, owner, seat
from sqlalchemy import select
from timetabling import NOW, meetings_of, tuesdays

from peerbot import groups, meetings
from peerbot.config import Settings
from peerbot.database import Database, connect
from peerbot.errors import MeetingOff, MeetingUnknown, NotAllowed, NotMember
from peerbot.models import Group, Guild, Meeting, Response

ELSEWHERE = datetime(2026, 3, 4, 18, 30)


async def test_only_who_has_part_in_a_group_answers_its_meetings(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        (meeting, *_later) = await meetings_of(session)
        group = await session.get_one(Group, made.group_id)
        other = await make_group(session, now=NOW, name="Other", room_id=ROOM + 9)
        await seat(session, group, MAYA, now=NOW)
        await seat(session, other, LEO, now=NOW)
        await meetings.respond(session, actor(MAYA), meeting.meeting_id, meetings.GOING, now=NOW)
        with pytest.raises(NotMember):  # known to the server, and in another of its groups
            await meetings.respond(session, actor(LEO), meeting.meeting_id, meetings.GOING, now=NOW)
        await make_guild(session, guild_id=OTHER_GUILD, now=NOW)
        with pytest.raises(MeetingUnknown):
            elsewhere = owner(guild_id=OTHER_GUILD)
            await meetings.respond(session, elsewhere, meeting.meeting_id, meetings.GOING, now=NOW)
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).going == 1
        await groups.leave(session, actor(MAYA), group.group_id, now=NOW)
        with pytest.raises(NotMember):
            await meetings.respond(session, actor(MAYA), meeting.meeting_id, meetings.CANT, now=NOW)


async def test_who_answered_is_for_facilitators_of_the_group(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        (meeting, *_later) = await meetings_of(session)
        await seat(session, await session.get_one(Group, made.group_id), MAYA, now=NOW)
        await meetings.respond(session, actor(MAYA), meeting.meeting_id, meetings.CANT, now=NOW)
        assert await meetings.answered(session, facilitator(), meeting.meeting_id) == {"going": [], "cant": [MAYA]}
        for stranger in (actor(MAYA), facilitator(LEO)):
            with pytest.raises(NotAllowed):
                await meetings.answered(session, stranger, meeting.meeting_id)


# an answer and a change at the same moment


@pytest.fixture
async def other(db: Database, settings: Settings) -> AsyncIterator[Database]:
    """Another process on PostgreSQL, the same on SQLite."""
    if db.writer.dialect.name == "sqlite":
        yield db
        return
    second = connect(settings)
    yield second
    await second.close()


@pytest.fixture
async def meeting(db: Database, guild: Guild) -> Meeting:
    """The next meeting of a group in which Maya has a seat."""
    async with db.begin() as session:
        made = await tuesdays(session)
        await seat(session, await session.get_one(Group, made.group_id), MAYA, now=NOW)
        return (await meetings_of(session))[0]


async def press(db: Database, rule: Any, *what: Any) -> None:
    async with db.begin(wait=10) as session:
        await rule(session, *what, now=NOW)


async def waits(task: asyncio.Task[None]) -> None:
    """Make sure that a task comes to no end while a transaction is open."""
    done, _pending = await asyncio.wait({task}, timeout=0.2)
    assert not done, "it does not wait for what has not been saved"


async def answers(db: Database) -> int:
    async with db.read() as session:
        (seen,) = await meetings.coming(session, GUILD, now=NOW, states=("planned", "cancelled"), limit=1)
        return seen.going + seen.cant


@pytest.mark.both_databases
async def test_an_answer_that_is_being_given_does_not_survive_a_move(
    db: Database, other: Database, meeting: Meeting
) -> None:
    async with db.begin(wait=10) as session:
        await meetings.respond(session, actor(MAYA), meeting.meeting_id, meetings.CANT, now=NOW)
        moves = asyncio.create_task(press(other, meetings.move, facilitator(), meeting.meeting_id, ELSEWHERE))
        await waits(moves)
    await moves
    assert await answers(db) == 0, "nobody was asked about the new time"


@pytest.mark.both_databases
async def test_an_answer_waits_for_a_cancellation_and_reads_of_it(
    db: Database, other: Database, meeting: Meeting
) -> None:
    async with db.begin(wait=10) as session:
        await meetings.cancel(session, facilitator(), meeting.meeting_id, now=NOW)
        comes = asyncio.create_task(press(other, meetings.respond, actor(MAYA), meeting.meeting_id, meetings.GOING))
        await waits(comes)
    with pytest.raises(MeetingOff):
        await comes
    assert await answers(db) == 0


async def test_an_answer_to_a_meeting_that_is_off_can_only_be_taken_back(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await meetings.respond(session, actor(MAYA), meeting.meeting_id, meetings.GOING, now=NOW)
        await meetings.cancel(session, facilitator(), meeting.meeting_id, now=NOW)
        with pytest.raises(MeetingOff):
            await meetings.respond(session, actor(MAYA), meeting.meeting_id, meetings.CANT, now=NOW)
        await meetings.respond(session, actor(MAYA), meeting.meeting_id, None, now=NOW)
        assert (await session.scalars(select(Response))).all() == []
