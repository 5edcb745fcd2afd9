"""What becomes of who hosts when a meeting has another time, or those who host it may not or do not any more."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from builders import FACILITATOR, GUILD, MAYA, actor, facilitator, seat
from hosted import NOW, OTHER, START, THIRD, VOICE, meeting, planned, turn_at
from passing import Came, Passing
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import duty, handovers, hosting, meetings, members, news, reminders, series, timetables
from peerbot.database import Database
from peerbot.models import Group, Host, Meeting, Member
from peerbot.recurrence import Rule

__all__ = ["meeting"]  # pytest finds fixtures by their names here

THURSDAY = datetime(2026, 3, 5, 18, 30)
SOON = NOW + timedelta(minutes=5)


async def covered(session: AsyncSession, meeting: Meeting) -> None:
    """Let somebody need cover, and another, who looks after no group, accept."""
    await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
    await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)


def who(came: list[Came], kind: str) -> list[int]:
    return sorted(each.user_id for each in came if each.kind == kind)


@pytest.mark.both_databases
async def test_what_was_said_of_hosting_does_not_hold_for_another_time_and_they_are_told(
    db: Database, meeting: Meeting
) -> None:
    time = Passing(db, NOW)
    async with db.begin() as session:
        await covered(session, meeting)
    async with db.begin() as session:
        await meetings.move(session, facilitator(OTHER), meeting.meeting_id, THURSDAY, now=NOW)
    came = await time.until(SOON)
    assert who(came, "meetings.hosts_anew") == [FACILITATOR, THIRD]
    told = {each.user_id: each.what for each in came if each.kind == "meetings.hosts_anew"}
    assert (told[THIRD].covered, told[FACILITATOR].covered) == (True, False)
    assert {each.at for each in told.values()} == {START}
    async with db.begin() as session:
        hosts = await hosting.hosts_of(session, GUILD, meeting.meeting_id)
        assert (hosts.user_ids, hosts.wanted) == ((FACILITATOR, OTHER), False)
        await covered(session, meeting)  # for the new time
        await meetings.cancel(session, facilitator(OTHER), meeting.meeting_id, now=SOON)
    came = await time.until(SOON + timedelta(minutes=5))
    assert THIRD in who(came, news.NEWS), "who covers hears that it is off"
    assert who(came, "meetings.hosts_anew") == []


async def test_a_move_that_is_undone_at_once_changes_nothing_about_hosts(db: Database, meeting: Meeting) -> None:
    time = Passing(db, NOW)
    async with db.begin() as session:
        await covered(session, meeting)
    async with db.begin() as session:
        await meetings.move(session, facilitator(OTHER), meeting.meeting_id, THURSDAY, now=NOW)
    await time.until(NOW + timedelta(seconds=10))
    async with db.begin() as session:
        await meetings.undo(session, facilitator(OTHER), meeting.meeting_id, now=time.now)
    assert who(await time.until(SOON), "meetings.hosts_anew") == []
    async with db.read() as session:
        assert (await hosting.hosts_of(session, GUILD, meeting.meeting_id)).user_ids == (OTHER, THIRD)


async def test_a_word_for_the_new_time_is_not_taken_for_one_of_the_old(db: Database, meeting: Meeting) -> None:
    time = Passing(db, NOW)
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        await hosting.come_after_all(session, facilitator(), meeting.meeting_id, now=NOW)
        await meetings.move(session, facilitator(OTHER), meeting.meeting_id, THURSDAY, now=NOW)
    await time.until(SOON)
    async with db.begin() as session:
        await covered(session, meeting)
        await series.touch(session, await session.get_one(Meeting, meeting.meeting_id), now=SOON)
    assert who(await time.until(SOON + timedelta(minutes=5)), "meetings.hosts_anew") == []
    async with db.read() as session:
        assert len((await session.scalars(select(Host))).all()) == 2


@pytest.mark.both_databases
async def test_when_the_series_has_other_times_who_covers_hears_that_it_is_off(db: Database, meeting: Meeting) -> None:
    time = Passing(db, NOW)
    async with db.begin() as session:
        await covered(session, meeting)
    async with db.begin() as session:
        first = datetime(2026, 3, 3, 19)
        plan = timetables.Plan.checked(
            group_id=meeting.group_id, first=first, rule=Rule("weekly", weekdays=(1,)), channel_id=VOICE
        )
        await timetables.change(session, facilitator(OTHER), meeting.series_id, plan, now=NOW)
    came = await time.until(SOON)
    assert who(came, "meetings.hosts_anew") == [FACILITATOR, THIRD]
    (told, _other) = [each.what for each in came if each.kind == "meetings.hosts_anew"]
    assert (told.at, told.meeting.state) == (START, "cancelled")


@pytest.mark.both_databases
async def test_who_covers_is_reminded_as_they_chose_and_who_asked_for_cover_is_not(
    db: Database, meeting: Meeting
) -> None:
    time = Passing(db, NOW)
    async with db.begin() as session:
        await seat(session, await session.get_one(Group, meeting.group_id), MAYA, now=NOW)
        for person in (actor(), facilitator(), facilitator(OTHER), facilitator(THIRD)):
            await reminders.choose(session, person, [60, 1440], is_here=True, now=NOW)
    await time.until(START - timedelta(hours=2))
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=time.now)
        await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=time.now)
    came = await time.until(START)
    assert who(came, reminders.REMINDER) == sorted([MAYA, OTHER, THIRD])


async def test_who_comes_after_all_is_reminded_again(db: Database, meeting: Meeting) -> None:
    time = Passing(db, NOW)
    async with db.begin() as session:
        await reminders.choose(session, facilitator(), [60], is_here=True, now=NOW)
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        await hosting.come_after_all(session, facilitator(), meeting.meeting_id, now=NOW)
    assert who(await time.until(START), reminders.REMINDER) == [FACILITATOR]


async def test_a_letter_about_a_meeting_that_changed_again_is_not_sent(db: Database, meeting: Meeting) -> None:
    time = Passing(db, NOW)
    async with db.begin() as session:
        await covered(session, meeting)
    async with db.begin() as session:
        await meetings.move(session, facilitator(OTHER), meeting.meeting_id, THURSDAY, now=NOW)
    await time.until(SOON)
    async with db.begin() as session:
        (row, _other) = await planned(session, "meetings.hosts_anew")
        assert await handovers.said_before(session, row) is not None
        await meetings.cancel(session, facilitator(OTHER), meeting.meeting_id, now=SOON)
        assert await handovers.said_before(session, row) is None


# who may not host any more


async def off_duty(session: AsyncSession, user_id: int) -> None:
    await duty.go_off(session, facilitator(user_id), for_a_week=True, now=NOW)
    step = (await planned(session, duty.LISTED))[-1]
    await handovers.listed_anew(session, step, NOW)


@pytest.mark.both_databases
async def test_who_is_off_duty_at_a_meeting_does_not_host_it_and_cover_is_asked(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await off_duty(session, FACILITATOR)
        (mine,) = await handovers.off_for(session, facilitator(), now=NOW)
        assert mine.meeting_id == meeting.meeting_id, "not the one of the week after"
        hosts = await hosting.hosts_of(session, GUILD, meeting.meeting_id)
        assert (hosts.user_ids, hosts.wanted) == ((OTHER,), True)
        (asks,) = await planned(session, "meetings.cover")
        assert asks.subject_id == meeting.meeting_id
        await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        assert not (await hosting.hosts_of(session, GUILD, meeting.meeting_id)).wanted
        await hosting.accept(session, facilitator(), meeting.meeting_id, hosting.SECOND, now=NOW)
        hosts = await hosting.hosts_of(session, GUILD, meeting.meeting_id)
        assert FACILITATOR in hosts.user_ids, "they said that they host this one"
        assert await handovers.off_for(session, facilitator(), now=NOW) == ()


async def test_who_is_on_duty_again_hosts_again(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await off_duty(session, FACILITATOR)
        await duty.come_back(session, facilitator(), now=NOW)
        hosts = await hosting.hosts_of(session, GUILD, meeting.meeting_id)
        assert (hosts.user_ids, hosts.wanted) == ((FACILITATOR, OTHER), False)


async def ahead(session: AsyncSession, meeting: Meeting, *unfit: int) -> bool:
    """Look at a meeting's hosts an hour before it."""
    at = START - handovers.AHEAD
    await turn_at(session, meeting, at)
    look = (await planned(session, "meetings.look_hosts"))[-1]
    return await handovers.looked_ahead(session, look, unfit, now=at)


@pytest.mark.both_databases
async def test_an_hour_before_a_meeting_that_nobody_hosts_others_are_called_and_who_asked_is_told(
    db: Database, meeting: Meeting
) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        assert not await ahead(session, meeting)
        await hosting.need_cover(session, facilitator(OTHER), meeting.meeting_id, now=NOW)
        assert await ahead(session, meeting)
        assert len(await planned(session, "meetings.unhosted")) == 1
        told = {row.member_id for row in await planned(session, "meetings.not_found")}
        assert told == {host.member_id for host in await session.scalars(select(Host))}
        assert len(told) == 2


@pytest.mark.both_databases
async def test_who_holds_the_role_no_more_is_no_host(db: Database, meeting: Meeting) -> None:
    async with db.begin() as session:
        await hosting.need_cover(session, facilitator(), meeting.meeting_id, now=NOW)
        await hosting.accept(session, facilitator(THIRD), meeting.meeting_id, hosting.ASK, now=NOW)
        assert await ahead(session, meeting, OTHER, THIRD)
        hosts = await hosting.hosts_of(session, GUILD, meeting.meeting_id)
        assert (hosts.user_ids, hosts.wanted) == ((), True)
        (asked,) = await planned(session, "meetings.not_found")
        me = await session.get_one(Member, asked.member_id)
        assert members.user_id(session, me) == FACILITATOR, "those who lost the role cannot call it off"
