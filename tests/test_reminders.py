"""Reminders: when each is due, and who gets which of them, whatever happens between planning and sending."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from builders import FACILITATOR, GUILD, LEO, MAYA, actor, facilitator, make_group, seat
from hypothesis import given
from hypothesis import strategies as st
from passing import Passing
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import groups, meetings, members, pauses, reach, remains, reminders, series, timetables
from peerbot.database import Database
from peerbot.errors import NotKnown, NotMember, NotValid
from peerbot.models import Delivery, Group, Guild, Meeting, Member, Membership
from peerbot.quiet import after_quiet
from peerbot.recurrence import Rule
from peerbot.reminders import DAY, HOUR, TEN

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""A Sunday."""
STARTS = datetime(2026, 3, 3, 17, 30, tzinfo=UTC)
"""Half past six in the evening in Berlin."""
MINUTE, DAYS = timedelta(minutes=1), timedelta(days=1)
ALL = (DAY, HOUR, TEN)


@cache
def zones() -> list[str]:
    return sorted(available_timezones())


async def prefer(db: Database, user_id: int, *minutes: int, now: datetime = NOW) -> None:
    async with db.begin() as session:
        await reminders.choose(session, actor(user_id), minutes, is_here=True, now=now)


async def change(db: Database, user_id: int, **values: Any) -> None:
    async with db.begin() as session:
        member = await members.find(session, GUILD, user_id)
        assert member is not None
        await session.execute(update(Member).where(Member.member_id == member.member_id).values(**values))


async def meet(db: Database, group: Group, at: datetime = STARTS, *, now: datetime = NOW, **changes: Any) -> int:
    """Have a group meet once, at an instant; return the meeting's id."""
    local = at.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
    usual: dict[str, Any] = {"group_id": group.group_id, "first": local, "rule": Rule("once")}
    plan = timetables.Plan.checked(**usual | changes)
    async with db.begin() as session:
        made = await timetables.create(session, facilitator(), plan, now=now)
        return (await session.scalars(select(Meeting.meeting_id).where(Meeting.series_id == made.series_id))).one()


@pytest.fixture
async def group(db: Database, guild: Guild) -> Group:
    """A group of Maya's, who is reminded at all times, and Leo's, who was not asked."""
    async with db.begin() as session:
        made = await make_group(session, now=NOW)
        await seat(session, made, MAYA, LEO, now=NOW)
    await prefer(db, MAYA, *ALL)
    return made


def before(came: list[Any], starts_at: datetime = STARTS) -> list[tuple[int, int]]:
    """Return who was reminded, and how many minutes before the start."""
    return [(each.user_id, (starts_at - each.at) // MINUTE) for each in came if each.kind == reminders.REMINDER]


def near(minutes: int, chosen: int) -> bool:
    return chosen <= minutes <= chosen + reminders.EARLY[chosen] // MINUTE


# when


@given(
    zone=st.sampled_from(zones()),
    starts_at=st.datetimes(datetime(2026, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC)),
    minutes=st.sampled_from(ALL),
    spread=st.floats(0, 1),
)
def test_a_reminder_is_never_due_at_night_nor_when_it_is_of_no_use(
    zone: str, starts_at: datetime, minutes: int, spread: float
) -> None:
    due = reminders.due_at(starts_at, minutes, zone, spread)
    wanted = starts_at - minutes * MINUTE - reminders.EARLY[minutes] * spread
    assert after_quiet(due, zone) == due
    assert due < reminders.of_use_until(starts_at, minutes)
    assert starts_at - reminders.WINDOW <= due
    if after_quiet(wanted, zone) == wanted:
        assert due == wanted


@pytest.mark.parametrize(
    ("starts_at", "minutes", "due"),
    [
        ("2026-03-03T18:30", DAY, "2026-03-02T18:30"),
        ("2026-03-03T08:30", HOUR, "2026-03-03T08:00"),  # half an hour before is still good
        ("2026-03-03T08:04", HOUR, "2026-03-02T21:55"),  # four minutes are not
        ("2026-03-03T23:30", HOUR, "2026-03-03T21:55"),  # an evening meeting
        ("2026-03-03T22:30", HOUR, "2026-03-03T21:30"),
        ("2026-03-03T22:30", TEN, "2026-03-03T21:55"),
        ("2026-03-03T23:30", DAY, "2026-03-03T08:00"),
        ("2026-03-29T09:30", HOUR, "2026-03-29T08:30"),
        ("2026-03-29T18:30", DAY, "2026-03-28T17:30"),  # elapsed time: clocks went forward in that night
        ("2026-10-25T18:30", DAY, "2026-10-24T19:30"),
    ],
)
def test_a_reminder_in_the_night_waits_for_the_morning_or_comes_before_it(
    starts_at: str, minutes: int, due: str
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    starts, then = (datetime.fromisoformat(each).replace(tzinfo=berlin).astimezone(UTC) for each in (starts_at, due))
    assert reminders.due_at(starts, minutes, "Europe/Berlin") == then


# what a person chooses


async def test_what_somebody_chooses_is_kept_and_each_can_be_switched(db: Database, guild: Guild) -> None:
    async def kept() -> str | None:
        async with db.read() as session:
            return (await reach.habits(session, GUILD, MAYA)).reminders

    assert await kept() is None
    async with db.begin() as session:
        with pytest.raises(NotKnown):
            await reminders.choose(session, actor(), [HOUR], is_here=False, now=NOW)
        with pytest.raises(NotValid):
            await reminders.choose(session, actor(), [61], is_here=True, now=NOW)
    await prefer(db, MAYA, TEN, DAY, HOUR)
    assert await kept() == "1440 60 10"
    async with db.begin() as session:
        for _twice in range(2):
            await reminders.switch(session, actor(), HOUR, on=False, is_here=False, now=NOW)
    assert await kept() == "1440 10"
    await prefer(db, MAYA)
    assert await kept() == "", "never is not the same as not asked"
    async with db.begin() as session:
        await reminders.switch(session, actor(), HOUR, on=True, is_here=False, now=NOW)
    assert await kept() == "60"


# who gets which


@pytest.mark.both_databases
async def test_everyone_is_reminded_as_they_chose_facilitators_too_and_nobody_who_was_not_asked(
    db: Database, group: Group
) -> None:
    await prefer(db, FACILITATOR, TEN)
    await meet(db, group)
    passing = Passing(db, NOW)
    came = before(await passing.until(STARTS + DAYS))
    assert len(came) == 4
    mine = [minutes for user_id, minutes in came if user_id == MAYA]
    assert all(map(near, mine, ALL)), mine
    assert (FACILITATOR, 10) in came


LATER = STARTS - 2 * HOUR * MINUTE


async def test_nothing_comes_to_whoever_is_not_there_any_more_or_does_not_want_it(db: Database, guild: Guild) -> None:
    paused, left, away, off, silent, cant, here = people = range(MAYA, MAYA + 7)
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        await seat(session, group, *people, now=NOW)
    for user_id in people:
        await prefer(db, user_id, HOUR)
    meeting_id = await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(LATER)
    async with db.begin() as session:
        planned = select(func.count()).where(Delivery.kind == reminders.REMINDER)
        assert await session.scalar(planned) == len(people)
        await pauses.pause(session, actor(paused), group.group_id, now=LATER)
        await groups.leave(session, actor(left), group.group_id, now=LATER)
        (await members.of(session, GUILD, away, now=LATER)).away_since = LATER
        await reminders.switch(session, actor(off), HOUR, on=False, is_here=True, now=LATER)
        await reach.choose(session, actor(silent), "none", is_here=True, now=LATER)
        await meetings.respond(session, actor(cant), meeting_id, "cant", now=LATER)
        await meetings.respond(session, actor(here), meeting_id, "going", now=LATER)
    assert [user_id for user_id, _minutes in before(await passing.until(STARTS + DAYS))] == [here]


async def cancel(session: AsyncSession, meeting: Meeting) -> None:
    await meetings.cancel(session, facilitator(), meeting.meeting_id, now=LATER)


async def move(session: AsyncSession, meeting: Meeting) -> None:
    await meetings.move(session, facilitator(), meeting.meeting_id, datetime(2026, 3, 9, 18, 30), now=LATER)


async def close(session: AsyncSession, meeting: Meeting) -> None:
    await groups.close(session, facilitator(), meeting.group_id, now=LATER)


@pytest.mark.parametrize("happens", [cancel, move, close], ids=lambda rule: rule.__name__)
async def test_nothing_comes_of_a_meeting_that_is_off_or_elsewhere(
    db: Database, group: Group, happens: Callable[[AsyncSession, Meeting], Awaitable[None]]
) -> None:
    meeting_id = await meet(db, group)
    passing = Passing(db, NOW)
    assert len(before(await passing.until(LATER))) == 1
    async with db.begin() as session:
        await happens(session, await session.get_one(Meeting, meeting_id))
    assert before(await passing.until(STARTS + DAYS)) == []


async def test_whoever_can_come_after_all_is_reminded(db: Database, group: Group) -> None:
    meeting_id = await meet(db, group)
    async with db.begin() as session:
        await meetings.respond(session, actor(), meeting_id, "cant", now=NOW)
    passing = Passing(db, NOW)
    assert before(await passing.until(STARTS - 2 * HOUR * MINUTE)) == []
    async with db.begin() as session:
        await meetings.respond(session, actor(), meeting_id, None, now=passing.now)
    assert len(before(await passing.until(STARTS))) == 2


async def test_a_meeting_made_shortly_before_its_start_is_not_reminded_of_late(db: Database, group: Group) -> None:
    now = STARTS - 20 * MINUTE
    await meet(db, group, now=now)
    assert before(await Passing(db, now).until(STARTS + DAYS)) == [(MAYA, 10)]


@pytest.mark.both_databases
@pytest.mark.parametrize("planned", [True, False])
async def test_after_an_outage_over_three_reminders_one_comes(db: Database, group: Group, *, planned: bool) -> None:
    await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - (timedelta(hours=24, minutes=15) - timedelta(seconds=1 if planned else -60)))
    came = await passing.until(STARTS - 5 * MINUTE, asleep=True)
    assert before(came) == [(MAYA, 5)]
    assert before(await passing.until(STARTS + DAYS)) == []


@pytest.mark.parametrize("late", [timedelta(0), MINUTE, timedelta(hours=1)])
async def test_after_an_outage_beyond_the_start_none_comes(db: Database, group: Group, late: timedelta) -> None:
    await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - 2 * DAYS)
    came = before(await passing.until(STARTS + late + timedelta(seconds=1), asleep=True))
    assert came == []


async def test_a_meeting_that_moved_is_reminded_of_at_its_new_time_alone(db: Database, group: Group) -> None:
    meeting_id = await meet(db, group)
    passing = Passing(db, NOW)
    assert len(before(await passing.until(LATER))) == 1
    async with db.begin() as session:
        await meetings.move(session, facilitator(), meeting_id, datetime(2026, 3, 3, 20), now=passing.now)
    moved_to = STARTS + 90 * MINUTE
    came = [minutes for _user, minutes in before(await passing.until(moved_to + DAYS), moved_to)]
    assert len(came) == 2
    assert all(map(near, came, (HOUR, TEN))), came


async def test_moving_there_and_back_neither_loses_nor_doubles_a_reminder(db: Database, group: Group) -> None:
    meeting_id = await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - 2 * HOUR * MINUTE)
    for local in (datetime(2026, 3, 10, 20), datetime(2026, 3, 3, 18, 30)):
        async with db.begin() as session:
            await meetings.move(session, facilitator(), meeting_id, local, now=passing.now)
        await passing.until(passing.now + 2 * MINUTE)
    assert len(before(await passing.until(STARTS + DAYS))) == 2


async def test_a_change_of_place_while_reminders_are_due_neither_loses_nor_doubles_one(
    db: Database, group: Group
) -> None:
    meeting_id = await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - (HOUR + 4) * MINUTE)
    changed_at = STARTS - (HOUR - 1) * MINUTE
    async with db.begin() as session:
        await series.touch(session, await session.get_one(Meeting, meeting_id), now=changed_at)
    assert len(before(await passing.until(changed_at, asleep=True))) == 1
    async with db.begin() as session:
        await series.touch(session, await session.get_one(Meeting, meeting_id), now=changed_at)
    assert before(await passing.until(STARTS + DAYS)) == [(MAYA, 10)]


# nights, and choices that come late


async def test_whoever_lives_where_it_is_night_is_reminded_in_their_evening_once(db: Database, group: Group) -> None:
    await change(db, MAYA, zone="Asia/Tokyo")  # it begins at half past two there
    await meet(db, group)
    came = await Passing(db, NOW).until(STARTS + DAYS)
    tokyo = [each.at.astimezone(ZoneInfo("Asia/Tokyo")) for each in came if each.kind == reminders.REMINDER]
    assert [(at.day, at.hour) for at in tokyo] == [(3, 8), (3, 21)]
    assert 45 <= tokyo[1].minute <= 55


async def test_an_evening_reminder_is_planned_for_a_meeting_that_is_made_that_day(db: Database, group: Group) -> None:
    at, now = datetime(2026, 3, 3, 22, 30, tzinfo=UTC), datetime(2026, 3, 3, 15, tzinfo=UTC)
    await meet(db, group, at, now=now)  # half past eleven in the evening
    (came,) = await Passing(db, now).until(at - MINUTE)
    assert came.at.astimezone(ZoneInfo("Europe/Berlin")).hour == 21


@pytest.mark.both_databases
async def test_who_chooses_late_misses_nothing_that_is_still_to_come(db: Database, group: Group) -> None:
    await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - TEN * MINUTE - timedelta(seconds=30))  # after the last look at who wants one
    await prefer(db, LEO, DAY, HOUR, TEN, now=passing.now)
    assert (LEO, 10) in (came := before(await passing.until(STARTS + DAYS)))
    assert [user_id for user_id, _minutes in came].count(LEO) == 1


async def test_what_was_off_for_less_than_a_minute_is_still_reminded_of(db: Database, group: Group) -> None:
    meeting_id = await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - TEN * MINUTE - timedelta(seconds=20))
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), meeting_id, now=passing.now)
    assert before(await passing.until(STARTS - TEN * MINUTE + timedelta(seconds=20))) == []
    async with db.begin() as session:
        await meetings.undo(session, facilitator(), meeting_id, now=passing.now)
    assert before(await passing.until(STARTS + DAYS)) == [(MAYA, 9)]


async def test_who_joins_within_the_day_is_reminded_too(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
    await prefer(db, LEO, HOUR)
    await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - 2 * HOUR * MINUTE)
    async with db.begin() as session:
        await seat(session, group, LEO, now=passing.now)
    ((user_id, minutes),) = before(await passing.until(STARTS + DAYS))
    assert (user_id, near(minutes, HOUR)) == (LEO, True)


async def test_plans_of_one_server_never_reach_another(db: Database, group: Group) -> None:
    await meet(db, group)
    async with db.begin() as session:
        await reminders.follow(session, actor(guild_id=GUILD + 7), now=STARTS - HOUR * MINUTE)
        planned = select(func.count()).where(Delivery.kind == reminders.REMINDER)
        assert await session.scalar(planned) == 0


# the first time


@pytest.mark.both_databases
async def test_the_first_meeting_is_the_first_that_is_held_after_joining(db: Database, group: Group) -> None:
    await meet(db, group, NOW + 2 * MINUTE * HOUR)
    passing = Passing(db, NOW)
    await passing.until(NOW + DAYS)
    async with db.begin() as session:
        await groups.leave(session, actor(), group.group_id, now=passing.now)
        await seat(session, group, MAYA, now=passing.now)
    off = await meet(db, group, passing.now + 2 * MINUTE * HOUR, now=passing.now)
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), off, now=passing.now)
    await meet(db, group, now=passing.now)
    await meet(db, group, STARTS + 7 * DAYS, now=passing.now)
    await prefer(db, MAYA, HOUR, now=passing.now)
    came = await passing.until(STARTS - MINUTE)
    (one,) = (each.what for each in came if each.kind == reminders.REMINDER)
    assert (one.is_first, one.says_new) == (True, False)
    async with db.begin() as session:
        await reminders.say_new(session, actor(), group.group_id, on=True)
        me = await members.of(session, GUILD, MAYA, now=NOW)
        assert await reminders.newcomers(session, one.meeting) == [me.member_id]
        with pytest.raises(NotMember):
            await reminders.say_new(session, facilitator(), group.group_id, on=True)
    came = await passing.until(STARTS + 7 * DAYS - MINUTE)
    (two,) = (each.what for each in came if each.kind == reminders.REMINDER)
    assert two.is_first is False
    async with db.begin() as session:
        assert await reminders.newcomers(session, one.meeting) == [me.member_id]
        assert await reminders.newcomers(session, two.meeting) == []
        await reminders.say_new(session, actor(), group.group_id, on=False)
        assert await reminders.newcomers(session, one.meeting) == []


@pytest.mark.parametrize(
    ("joined", "held", "new"),
    [(40, None, 1), (400, None, 1), (40, 41, 1), (40, 40, 0), (40, 35, 0), (90, 75, 0), (20, 10, 0)],
    ids=["a monthly group", "a year of rest", "held before", "at that moment", "since", "long ago", "lately"],
)
async def test_it_is_the_first_time_as_long_as_none_has_begun_since_joining(
    db: Database, guild: Guild, joined: int, held: int | None, new: int
) -> None:
    async with db.begin() as session:
        made = await make_group(session, now=NOW)
        await seat(session, made, MAYA, now=STARTS - joined * DAYS)
        await session.execute(update(Membership).values(says_new=True))
    if held is not None:
        at = STARTS - held * DAYS
        old = await meet(db, made, at, now=at - DAYS)
        async with db.begin() as session:
            await session.execute(update(Meeting).where(Meeting.meeting_id == old).values(state="over"))
            await remains.purge(session, GUILD, now=NOW)
    off = await meet(db, made, STARTS - (joined - 1) * DAYS, now=STARTS - (joined + 1) * DAYS)
    meeting_id = await meet(db, made)
    async with db.begin() as session:
        await session.execute(update(Meeting).where(Meeting.meeting_id == off).values(state="cancelled"))
        found = await reminders.newcomers(session, await session.get_one(Meeting, meeting_id))
        assert len(found) == new


# the start


@pytest.mark.parametrize(("late", "posts"), [(0, 1), (14, 1), (16, 0)])
async def test_the_start_is_said_once_in_the_room_unless_it_is_long_ago(
    db: Database, group: Group, late: int, posts: int
) -> None:
    await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - 5 * MINUTE)
    came = await passing.until(STARTS + late * MINUTE, asleep=True)
    came += await passing.until(STARTS + DAYS)
    assert [each.kind for each in came] == [reminders.START] * posts


async def test_a_meeting_cancelled_a_minute_before_does_not_start(db: Database, group: Group) -> None:
    meeting_id = await meet(db, group)
    passing = Passing(db, NOW)
    await passing.until(STARTS - MINUTE)
    async with db.begin() as session:
        await meetings.cancel(session, facilitator(), meeting_id, now=passing.now)
    assert [each.kind for each in await passing.until(STARTS + DAYS)] == ["meetings.news"] * 3
