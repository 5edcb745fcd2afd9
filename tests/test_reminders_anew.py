"""Reminders that are planned anew: of whoever is in another zone, rested, or was not in the server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from builders import GUILD, LEO, MAYA, actor, facilitator, make_group, seat
from passing import Passing
from test_reminders import DAYS, MINUTE, NOW, STARTS, before, meet, near, prefer

from peerbot import departures, meetings, news, pauses, reach, reminders
from peerbot.database import Database
from peerbot.models import Group, Guild
from peerbot.reminders import DAY, HOUR, TEN

TOKYO, NEW_YORK = "Asia/Tokyo", "America/New_York"
HOURS = 60 * MINUTE
SAM = LEO + 1
EIGHT = datetime(2026, 3, 4, 7, tzinfo=UTC)
"""Eight in the morning in Berlin: who is to be reminded an hour before is reminded in the evening."""


@pytest.fixture
async def group(db: Database, guild: Guild) -> Group:
    """A group in which Maya and Leo are reminded one hour before."""
    async with db.begin() as session:
        made = await make_group(session, now=NOW)
        await seat(session, made, MAYA, LEO, now=NOW)
    for user_id in (MAYA, LEO):
        await prefer(db, user_id, HOUR)
    return made


async def move(db: Database, zone: str, now: datetime) -> None:
    """Do what the form with somebody's time zone does."""
    async with db.begin() as session:
        await reach.set_zone(session, actor(), zone, is_here=True, now=now)
        await reminders.follow(session, actor(), now=now)


def of_news(came: list[Any]) -> list[int]:
    return [each.user_id for each in came if each.kind == news.NEWS]


def to_maya(came: list[Any]) -> list[datetime]:
    return [each.at for each in came if (each.kind, each.user_id) == (reminders.REMINDER, MAYA)]


@pytest.mark.both_databases
async def test_who_is_in_another_zone_is_reminded_before_the_night_of_that_one(db: Database, group: Group) -> None:
    await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - 6 * HOURS)
    await move(db, TOKYO, passing.now)  # it begins at half past two there
    came = await passing.until(STARTS + DAYS)
    (at,) = to_maya(came)
    there = at.astimezone(ZoneInfo(TOKYO))
    assert (there.hour, there.minute >= 45) == (21, True)
    assert [near(minutes, HOUR) for user_id, minutes in before(came) if user_id == LEO] == [True], "as before"


async def test_a_zone_that_was_chosen_by_mistake_leaves_all_as_it_was(db: Database, group: Group) -> None:
    await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - 6 * HOURS)
    for zone in (TOKYO, ""):
        await move(db, zone, passing.now)
    came = before(await passing.until(STARTS + DAYS))
    assert sorted(user_id for user_id, _minutes in came) == [MAYA, LEO]
    assert all(near(minutes, HOUR) for _user, minutes in came)


async def test_what_waits_for_a_morning_comes_at_once_where_it_is_day(db: Database, group: Group) -> None:
    await prefer(db, MAYA, DAY)
    await meet(db, group, EIGHT + HOURS)
    passing = Passing(db, NOW)
    await passing.until(EIGHT - 23 * HOURS - 20 * MINUTE)
    night = EIGHT - 10 * HOURS
    assert to_maya(await passing.until(night, asleep=True)) == []
    await move(db, NEW_YORK, night)
    assert to_maya(await passing.until(night + MINUTE)) == [night]


@pytest.mark.both_databases
async def test_who_comes_back_to_the_server_is_reminded_as_everyone(db: Database, group: Group) -> None:
    await meet(db, group, EIGHT)
    passing = Passing(db, NOW)
    async with db.begin() as session:
        await departures.leave(session, GUILD, MAYA, now=NOW)
    await passing.until(EIGHT - 12 * HOURS)
    async with db.begin() as session:
        await departures.come_back(session, GUILD, MAYA, now=passing.now)
    (at,) = to_maya(await passing.until(EIGHT + DAYS))
    assert at.astimezone(ZoneInfo("Europe/Berlin")).hour == 21


async def test_who_rested_and_is_back_is_reminded_and_of_nothing_that_passed_meanwhile(
    db: Database, group: Group
) -> None:
    await prefer(db, MAYA, DAY, HOUR)
    await meet(db, group, EIGHT)
    passing = Passing(db, NOW)
    async with db.begin() as session:
        await pauses.pause(session, actor(), group.group_id, now=NOW)
    assert to_maya(await passing.until(EIGHT - 12 * HOURS)) == []
    async with db.begin() as session:
        await pauses.resume(session, actor(), group.group_id)
    (at,) = to_maya(await passing.until(EIGHT + DAYS))
    assert at.astimezone(ZoneInfo("Europe/Berlin")).hour == 21


async def test_what_was_due_before_somebody_joined_does_not_come_to_them_late(db: Database, group: Group) -> None:
    await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - 31 * MINUTE)
    async with db.begin() as session:
        await seat(session, group, SAM, now=passing.now)
    await prefer(db, SAM, HOUR, TEN, now=passing.now)
    came = before(await passing.until(STARTS + DAYS))
    assert [minutes for user_id, minutes in came if user_id == SAM] == [TEN]


async def test_a_reminder_that_is_switched_off_does_not_take_the_place_of_another(db: Database, group: Group) -> None:
    await prefer(db, MAYA, HOUR, TEN)
    await meet(db, group, EIGHT)  # both are due in the evening before
    passing = Passing(db, NOW)
    await passing.until(EIGHT - 12 * HOURS)
    await prefer(db, MAYA, HOUR, now=passing.now)
    (at,) = to_maya(await passing.until(EIGHT + DAYS))
    assert at.astimezone(ZoneInfo("Europe/Berlin")).hour == 21


async def test_news_that_wait_for_a_morning_come_at_once_where_it_is_day(db: Database, group: Group) -> None:
    meeting_id = await meet(db, group, EIGHT + 5 * DAYS)
    passing = Passing(db, NOW)
    night = EIGHT - 10 * HOURS
    await passing.until(night)
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), meeting_id, now=night)
    assert of_news(await passing.until(night + 10 * MINUTE)) == []
    await move(db, NEW_YORK, passing.now)
    assert of_news(await passing.until(night + 11 * MINUTE)) == [MAYA]
