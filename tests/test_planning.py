"""Timetables that are pressed twice, looked at as plans, or changed by two people."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from builders import facilitator, make_group, owner
from sqlalchemy import func, select

from peerbot import breaks, meetings, timetables
from peerbot.database import Database
from peerbot.errors import MeetingUnknown, NotValid
from peerbot.models import Group, Guild, Series
from peerbot.recurrence import Rule
from peerbot.timetables import Plan

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TUESDAYS = Rule("weekly", weekdays=(1,))
MONDAYS = Rule("weekly", weekdays=(0,))


@pytest.fixture
async def group(db: Database, guild: Guild) -> Group:
    async with db.begin() as session:
        return await make_group(session, now=NOW)


def tuesdays(group: Group) -> Plan:
    return Plan(group.group_id, datetime(2026, 3, 3, 18, 30), TUESDAYS, topic="Rest", channel_id=7)


@pytest.mark.both_databases
async def test_the_same_plan_twice_is_there_once(db: Database, group: Group) -> None:
    async with db.begin() as session:
        first = await timetables.create(session, facilitator(), tuesdays(group), now=NOW)
    async with db.begin() as session:
        again = await timetables.create(session, owner(), tuesdays(group), now=NOW.replace(minute=1))
        assert again.series_id == first.series_id
        assert await session.scalar(select(func.count(Series.series_id))) == 1
        await timetables.end(session, owner(), first.series_id, now=NOW)
        anew = await timetables.create(session, owner(), tuesdays(group), now=NOW)
        assert anew.series_id != first.series_id, "what has ended stands no more"


async def test_a_series_is_not_changed_into_one_of_another_group(db: Database, group: Group) -> None:
    async with db.begin() as session:
        other = await make_group(session, now=NOW, name="Owls", room_id=77)
        old = await timetables.create(session, facilitator(), tuesdays(group), now=NOW)
        with pytest.raises(MeetingUnknown):
            await timetables.change(session, facilitator(), old.series_id, tuesdays(other), now=NOW)


async def test_a_series_as_a_plan_begins_with_its_next_meeting(db: Database, group: Group) -> None:
    later = datetime(2026, 3, 12, tzinfo=UTC)
    async with db.begin() as session:
        made = await timetables.create(session, facilitator(), tuesdays(group), now=NOW)
        plan = await timetables.plan_of(session, facilitator(), made.series_id, now=later)
        assert plan == replace(tuesdays(group), first=datetime(2026, 3, 17, 18, 30))
        same = await timetables.change(session, facilitator(), made.series_id, replace(plan, minutes=90), now=later)
        assert same.series_id == made.series_id


async def test_a_meeting_that_somebody_else_changed_is_not_moved(db: Database, group: Group) -> None:
    friday, saturday = datetime(2026, 3, 6, 19), datetime(2026, 3, 7, 19)
    async with db.begin() as session:
        await timetables.create(session, facilitator(), tuesdays(group), now=NOW)
        first = (await meetings.choices(session, facilitator(), now=NOW))[0]
        moved = await meetings.move(session, facilitator(), first.meeting_id, friday, rev=first.rev, now=NOW)
        rev = moved.rev
        again = await meetings.move(session, facilitator(), first.meeting_id, friday, rev=first.rev, now=NOW)
        assert again.rev == rev, "twice is once"
        with pytest.raises(NotValid):
            await meetings.move(session, owner(), first.meeting_id, saturday, rev=first.rev, now=NOW)


@pytest.mark.both_databases
async def test_what_has_ended_is_listed_until_something_newer_takes_its_place(db: Database, group: Group) -> None:
    async with db.begin() as session:
        made = await timetables.create(session, facilitator(), tuesdays(group), now=NOW)
        await timetables.end(session, facilitator(), made.series_id, now=NOW)
        assert await meetings.choices(session, facilitator(), now=NOW) == ()
        listed = await meetings.choices(session, facilitator(), ended_too=True, now=NOW)
        assert [view.state for view in listed] == ["cancelled", "cancelled"]
        later = await meetings.choices(session, facilitator(), ended_too=True, offset=1, limit=1, now=NOW)
        assert later == listed[1:]
        assert await meetings.choices(session, facilitator(), group_id=0, ended_too=True, now=NOW) == ()
        mondays = replace(tuesdays(group), first=datetime(2026, 3, 9, 19), rule=MONDAYS)
        await timetables.create(session, facilitator(), mondays, now=NOW)
        listed = await meetings.choices(session, facilitator(), ended_too=True, now=NOW)
        assert {view.state for view in listed} == {"planned"}


@pytest.mark.both_databases
async def test_what_is_taken_back_does_not_come_upon_what_has_taken_its_place(db: Database, group: Group) -> None:
    by = facilitator()
    async with db.begin() as session:
        old = await timetables.create(session, by, tuesdays(group), now=NOW)
        await timetables.end(session, by, old.series_id, now=NOW)
        half_an_hour_later = replace(tuesdays(group), first=datetime(2026, 3, 3, 19))
        new = await timetables.create(session, by, half_an_hour_later, now=NOW)
        (next_one, *_later) = await meetings.choices(session, by, now=NOW)
    with pytest.raises(NotValid) as refused:
        async with db.begin() as session:
            await timetables.go_on(session, by, old.series_id, now=NOW)
    assert str(int(next_one.starts_at.timestamp())) in str(refused.value.text.params["when"])
    async with db.begin() as session:
        assert (await session.get_one(Series, old.series_id)).state == "ended", "nothing was changed"
        await timetables.end(session, by, new.series_id, now=NOW)
        assert (await timetables.go_on(session, by, old.series_id, now=NOW)).state == "active"


async def test_one_meeting_that_is_taken_back_does_not_come_upon_another(db: Database, group: Group) -> None:
    by, day = facilitator(), datetime(2026, 3, 3).date()
    async with db.begin() as session:
        made = await timetables.create(session, by, tuesdays(group), now=NOW)
        first = (await meetings.choices(session, by, now=NOW))[0]
        kept = await breaks.skip(session, by, made.series_id, day, day, now=NOW)
        instead = replace(tuesdays(group), rule=Rule("once"))
        await timetables.create(session, by, instead, now=NOW)
    for take_back in (
        lambda session: breaks.unskip(session, by, kept.break_id, now=NOW),
        lambda session: meetings.undo(session, by, first.meeting_id, now=NOW),
    ):
        with pytest.raises(NotValid):
            async with db.begin() as session:
                await take_back(session)
    async with db.begin() as session:
        evening = datetime(2026, 3, 3, 21)
        await meetings.move(session, by, first.meeting_id, evening, now=NOW)
        assert (await meetings.undo(session, by, first.meeting_id, now=NOW)).state == "cancelled", "as it was"
        with pytest.raises(NotValid):
            await meetings.undo(session, by, first.meeting_id, now=NOW)
