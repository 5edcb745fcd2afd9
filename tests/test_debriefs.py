"""After a meeting: what a host says of it, who reads that, and how long; and whether somebody does too much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from builders import FACILITATOR, GUILD, MAYA, OTHER_GUILD, actor, facilitator, make_guild, seat
from hosted import NOW, OTHER, START, THIRD, meeting, planned, turn_at
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import debriefs, hosting, meetings, members
from peerbot.database import Database
from peerbot.errors import MeetingUnknown, NotAllowed
from peerbot.models import Debrief, Facilitator, Group, Host, Meeting, Member, Series

__all__ = ["meeting"]  # pytest finds fixtures by their names here


END = START + timedelta(hours=1)
WEEK = timedelta(weeks=1)


async def end(session: AsyncSession, meeting: Meeting, at: datetime = END) -> None:
    """Let a meeting come to its end."""
    await turn_at(session, meeting, at)


async def asked(session: AsyncSession) -> set[int]:
    """Return the users who are asked how it went."""
    people = [await session.get_one(Member, row.member_id) for row in await planned(session, "meetings.debrief")]
    return {members.user_id(session, each) for each in people}


async def test_whoever_hosted_is_asked_once_soon_after_the_end(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        await end(session, meeting)
        assert await asked(session) == {OTHER, THIRD}
        assert {row.due_at for row in await planned(session, "meetings.debrief")} == {END + debriefs.ASKED_AFTER}
        await end(session, meeting)
        assert len(await planned(session, "meetings.debrief")) == 2


@pytest.mark.parametrize("why", ["cancelled", "long ago"])
async def test_nobody_is_asked_about_a_meeting_that_was_not_or_is_long_over(
    db: Database, meeting: Meeting, why: str
) -> None:
    async with db.begin() as session:
        if why == "cancelled":
            await meetings.cancel(session, facilitator(), meeting.meeting_id, now=NOW)
        await end(session, meeting, END if why == "cancelled" else END + timedelta(days=1))
        assert await planned(session, "meetings.debrief") == []


@pytest.mark.both_databases
async def test_several_words_can_be_said_and_taken_back_by_who_hosts_alone(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await end(session, meeting)
        await debriefs.say(session, actor(FACILITATOR), meeting.meeting_id, debriefs.FINE, now=END)
        said = await debriefs.say(session, actor(FACILITATOR), meeting.meeting_id, debriefs.SAFETY, now=END)
        assert said.words == {debriefs.FINE, debriefs.SAFETY}
        await debriefs.say(session, actor(FACILITATOR), meeting.meeting_id, debriefs.FINE, now=END)
        said = await debriefs.take_back(session, actor(FACILITATOR), meeting.meeting_id, debriefs.FINE, now=END)
        assert said.words == {debriefs.SAFETY}
        assert (await debriefs.said(session, actor(OTHER), meeting.meeting_id, now=END)).words == frozenset()


async def test_nobody_else_says_anything(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await make_guild(session, now=NOW, guild_id=OTHER_GUILD)
        await seat(session, await session.get_one(Group, meeting.group_id), MAYA, now=NOW)
        for person, problem in (
            (actor(), NotAllowed),
            (facilitator(THIRD), NotAllowed),
            (facilitator(guild_id=OTHER_GUILD), MeetingUnknown),
        ):
            with pytest.raises(problem):
                await debriefs.say(session, person, meeting.meeting_id, debriefs.FINE, now=END)
        for at in (NOW, END + timedelta(days=31)):
            with pytest.raises(MeetingUnknown):
                await debriefs.say(session, facilitator(), meeting.meeting_id, debriefs.FINE, now=at)
        assert (await session.scalars(select(Debrief))).all() == []


@pytest.mark.both_databases
async def test_cover_next_time_is_asked_for_the_next_meeting_and_can_be_undone(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await end(session, meeting)
        said = await debriefs.say(session, actor(FACILITATOR), meeting.meeting_id, debriefs.NEEDS_COVER, now=END)
        assert said.next_at == datetime(2026, 3, 10, 17, 30, tzinfo=UTC)
        (row,) = (await session.scalars(select(Host))).all()
        assert row.part == hosting.AWAY
        assert row.meeting_id != meeting.meeting_id
        assert len(await planned(session, "meetings.cover")) == 1
        said = await debriefs.take_back(session, actor(FACILITATOR), meeting.meeting_id, debriefs.NEEDS_COVER, now=END)
        assert said.next_at is None
        assert (await session.scalars(select(Host))).all() == []


async def test_who_only_covered_hosts_no_next_meeting(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        await end(session, meeting)
        said = await debriefs.say(session, actor(THIRD), meeting.meeting_id, debriefs.NEEDS_COVER, now=END)
        assert said.next_at is None
        assert await session.scalar(select(func.count()).select_from(Host).where(Host.part == hosting.AWAY)) == 1


async def test_who_wants_to_talk_is_named_to_the_others_on_duty_until_taken_back(
    db: Database, meeting: Meeting
) -> None:
    async with db.begin() as session:
        await end(session, meeting)
        for _time in range(2):
            await debriefs.say(session, actor(FACILITATOR), meeting.meeting_id, debriefs.TALK, now=END)
        (line,) = await planned(session, "meetings.talk")
        person, others = await debriefs.wants_to_talk(session, line, now=END)
        assert members.user_id(session, person) == FACILITATOR
        assert [members.user_id(session, each) for each in others] == [OTHER]
        line.message_id = 7
        await session.flush()
        await debriefs.take_back(session, actor(FACILITATOR), meeting.meeting_id, debriefs.TALK, now=END)
        with pytest.raises(MeetingUnknown):
            await debriefs.wants_to_talk(session, line, now=END)
        (back,) = await planned(session, "meetings.talk_back")
        assert await debriefs.taken_back(session, back) == [line]
        later = END + timedelta(days=1)
        await debriefs.say(session, actor(FACILITATOR), meeting.meeting_id, debriefs.TALK, now=later)
        _old, new = await planned(session, "meetings.talk")
        new.message_id = 8
        await session.flush()
        await debriefs.wants_to_talk(session, new, now=later)
        assert await debriefs.taken_back(session, back) == [line], "said again, it stands there once"


@pytest.mark.both_databases
async def test_words_are_forgotten_after_thirty_days(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await debriefs.say(session, actor(FACILITATOR), meeting.meeting_id, debriefs.FINE, now=END)
        await debriefs.purge(session, now=END + timedelta(days=30))
        assert len((await session.scalars(select(Debrief))).all()) == 1
        await debriefs.purge(session, now=END + timedelta(days=30, minutes=1))
        assert (await session.scalars(select(Debrief))).all() == []


# who does too much


async def past(session: AsyncSession, meeting: Meeting, *ends: datetime) -> list[Meeting]:
    """Write meetings of the group down that are over."""
    made = await session.get_one(Series, meeting.series_id)
    several = [
        Meeting(
            series_id=made.series_id, guild_id=made.guild_id, group_id=made.group_id, starts_at=at - timedelta(hours=1),
            ends_at=at, state="over", original_local=f"past{at:%m%d%H%M}", turned_at=at,
        )
        for at in ends
    ]  # fmt: skip
    session.add_all(several)
    await session.flush()
    return several


async def listed_since(session: AsyncSession, meeting: Meeting, user_id: int, since: datetime) -> int:
    me = await members.find(session, GUILD, user_id)
    assert me is not None
    listed = await session.get_one(Facilitator, (meeting.group_id, me.member_id))
    listed.since = since
    await session.flush()
    return me.member_id


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("ends", "much"),
    [
        ([timedelta(days=number) for number in (0, 3)], False),
        ([timedelta(days=number) for number in (0, 3, 6)], True),
        ([timedelta(days=number) for number in (0, 3, 8)], False),
        ([WEEK * number for number in range(5)], False),
        ([WEEK * number for number in range(6)], True),
        ([WEEK * number for number in (0, 1, 2, 4, 5, 6)], False),
    ],
    ids=["two in a week", "three in a week", "three in two", "five weeks", "six weeks", "six weeks with a break"],
)
async def test_much_is_more_than_two_in_a_week_or_six_weeks_in_a_row(
    db: Database, meeting: Meeting, *, ends: list[timedelta], much: bool
) -> None:
    async with db.begin() as session:
        await past(session, meeting, *(NOW - before for before in ends))
        mine = await listed_since(session, meeting, FACILITATOR, NOW - WEEK * 20)
        assert await debriefs.is_much(session, GUILD, mine, now=NOW) is much
        fresh = await listed_since(session, meeting, OTHER, NOW)
        assert not await debriefs.is_much(session, GUILD, fresh, now=NOW), "they were not there then"


async def test_a_meeting_with_cover_counts_for_who_covered(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        over = await past(session, meeting, *(END - timedelta(days=number) for number in (1, 2, 3)))
        mine = await listed_since(session, meeting, FACILITATOR, NOW - WEEK)
        third = await members.of(session, GUILD, THIRD, now=NOW)
        for each in over:
            session.add(Host(meeting_id=each.meeting_id, member_id=mine, part=hosting.AWAY, at=NOW))
            session.add(Host(meeting_id=each.meeting_id, member_id=third.member_id, part=hosting.COVER, at=NOW))
        await session.flush()
        assert not await debriefs.is_much(session, GUILD, mine, now=END)
        assert await debriefs.is_much(session, GUILD, third.member_id, now=END)
        assert not await debriefs.is_much(session, OTHER_GUILD, third.member_id, now=END)


@pytest.mark.both_databases
async def test_the_note_comes_to_them_alone_and_once_in_four_weeks(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        mine = await listed_since(session, meeting, FACILITATOR, NOW - WEEK)
        await past(session, meeting, *(END - timedelta(days=number) for number in (1, 2)))
        await end(session, meeting)
        (note,) = await planned(session, "meetings.load")
        assert (note.member_id, note.due_at) == (mine, END + debriefs.NOTED_AFTER)
        later = [
            each for each in await session.scalars(select(Meeting).order_by(Meeting.starts_at)) if each.ends_at > END
        ]
        last = later[0]
        await past(session, meeting, *(last.ends_at - timedelta(days=number) for number in (1, 2)))
        await end(session, last, last.ends_at)
        assert [row.member_id for row in await planned(session, "meetings.load")].count(mine) == 1
        (rest,) = [row for row in await planned(session, debriefs.RESTED) if row.member_id == mine]
        assert rest.due_at == END + debriefs.QUIET_FOR
