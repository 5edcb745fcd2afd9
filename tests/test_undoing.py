"""What is undone is as it was: for whoever answered, for what was off before, and for one press only."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from builders import FACILITATOR, GUILD, LEO, MAYA, actor, facilitator, make_group, seat
from passing import Passing
from sqlalchemy import select
from test_news import DAY, HOUR, MINUTE, NOW, THURSDAY, Tuesdays, plan, said, who

from cogs.meetings._forms import read_day
from peerbot import breaks, echoes, hosting, meetings, news, notices, reminders, timetables
from peerbot.database import Database
from peerbot.errors import NotValid
from peerbot.models import Delivery, Guild, Meeting
from peerbot.recurrence import Rule

FIRST = datetime(2026, 3, 3, 17, 30, tzinfo=UTC)


@pytest.fixture
async def tuesdays(db: Database, guild: Guild) -> Tuesdays:
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        await seat(session, group, MAYA, LEO, now=NOW)
        made = await timetables.create(session, facilitator(), plan(group.group_id), now=NOW)
        ids = (await session.scalars(select(Meeting.meeting_id).order_by(Meeting.starts_at))).all()
        for who in (MAYA, LEO):
            await reminders.choose(session, actor(who), [60], is_here=True, now=NOW)
    return Tuesdays(db, group, made, ids)


async def reminded(passing: Passing, then: datetime) -> list[int]:
    return [each.user_id for each in await passing.until(then) if each.kind == reminders.REMINDER]


async def answered(tuesdays: Tuesdays) -> tuple[int, int]:
    async with tuesdays.db.read() as session:
        seen = (await notices.notice(session, GUILD, tuesdays.ids[0], now=tuesdays.passing.now)).meeting
        given = await meetings.answered(session, facilitator(), tuesdays.ids[0])
    assert (len(given["going"]), len(given["cant"])) == (seen.going, seen.cant)
    return seen.going, seen.cant


@pytest.mark.both_databases
async def test_answers_outlive_a_move_that_is_undone_and_nobody_who_cannot_come_is_reminded(tuesdays: Tuesdays) -> None:
    await tuesdays.do(meetings.respond, tuesdays.ids[0], "cant", by=actor(MAYA))
    await tuesdays.do(meetings.respond, tuesdays.ids[0], "going", by=actor(LEO))
    await tuesdays.do(meetings.move, tuesdays.ids[0], THURSDAY)
    assert await answered(tuesdays) == (0, 0), "nobody was asked about Thursday"
    await tuesdays.do(meetings.undo, tuesdays.ids[0])
    assert await answered(tuesdays) == (1, 1)
    assert await reminded(tuesdays.passing, FIRST) == [LEO]


async def test_a_move_that_was_told_asks_anew_and_who_cannot_come_to_the_old_time_hears_of_both(
    tuesdays: Tuesdays,
) -> None:
    await tuesdays.do(meetings.respond, tuesdays.ids[0], "cant", by=actor(MAYA))
    await tuesdays.do(meetings.move, tuesdays.ids[0], THURSDAY)
    assert who(await tuesdays.told()) == [FACILITATOR, MAYA, LEO], "Maya may come on Thursday"
    async with tuesdays.db.read() as session:
        assert (await notices.choices(session, actor(MAYA), tuesdays.ids[0], now=tuesdays.passing.now)).answer is None
    await tuesdays.do(meetings.undo, tuesdays.ids[0])
    told = await tuesdays.told()
    assert who(told) == [FACILITATOR, MAYA, LEO], "else Maya would wait on Thursday"
    assert said(told)[0][0] == "03-03"
    assert said(told)[0][2][:1] == news.MOVED
    assert await reminded(tuesdays.passing, FIRST) == [LEO], "that Maya can't come on Tuesday is still so"


async def test_who_cannot_come_to_where_a_meeting_was_hears_nothing_when_it_is_off(tuesdays: Tuesdays) -> None:
    await tuesdays.do(meetings.respond, tuesdays.ids[0], "cant", by=actor(MAYA))
    await tuesdays.do(meetings.move, tuesdays.ids[0], THURSDAY)
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    assert who(await tuesdays.told()) == [FACILITATOR, LEO]
    await tuesdays.do(meetings.undo, tuesdays.ids[0])
    assert who(await tuesdays.told()) == [FACILITATOR, MAYA, LEO], "it is on Thursday, to which Maya said nothing"


async def standing(tuesdays: Tuesdays) -> tuple[str, bool]:
    async with tuesdays.db.read() as session:
        seen = await meetings.view(session, GUILD, tuesdays.ids[0])
        return seen.state, seen.was_moved


@pytest.mark.both_databases
async def test_undo_takes_back_one_change_once(tuesdays: Tuesdays) -> None:
    moved = await tuesdays.do(meetings.move, tuesdays.ids[0], THURSDAY)
    first = moved.rev
    off = await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    for rev in (off.rev, off.rev, first):
        if await standing(tuesdays) == ("cancelled", True):
            await tuesdays.do(meetings.undo, tuesdays.ids[0], rev=rev)
            continue
        with pytest.raises(NotValid, match="changed since"):
            await tuesdays.do(meetings.undo, tuesdays.ids[0], rev=rev)
        assert await standing(tuesdays) == ("planned", True)
    back = await tuesdays.do(meetings.undo, tuesdays.ids[0])
    with pytest.raises(NotValid, match="usual time already"):
        await tuesdays.do(meetings.undo, tuesdays.ids[0], rev=back.rev - 1)


async def test_an_end_that_was_undone_or_overtaken_is_not_undone_again(tuesdays: Tuesdays) -> None:
    series_id = tuesdays.series.series_id
    first = (await tuesdays.do(timetables.end, series_id)).version
    assert (await tuesdays.do(timetables.go_on, series_id, version=first)).state == "active"
    again = await tuesdays.do(timetables.go_on, series_id, version=first)
    assert again.state == "active", "a second tap finds that it goes on"
    later = plan(tuesdays.group.group_id, first=datetime(2026, 3, 3, 19))
    await tuesdays.do(timetables.change, series_id, later)
    with pytest.raises(NotValid, match="changed since"):
        await tuesdays.do(timetables.go_on, series_id, version=first)


@pytest.mark.both_databases
async def test_a_meeting_that_was_off_is_off_again_when_its_move_is_undone(tuesdays: Tuesdays) -> None:
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    assert len(await tuesdays.told()) == 3
    await tuesdays.do(meetings.move, tuesdays.ids[0], THURSDAY)
    undone = await tuesdays.do(meetings.undo, tuesdays.ids[0])
    assert (undone.state, undone.why, undone.starts_at) == ("cancelled", "one", FIRST)
    assert await tuesdays.told(DAY) == [], "that is what everyone knows"
    await tuesdays.do(meetings.undo, tuesdays.ids[0], rev=undone.rev)
    assert await standing(tuesdays) == ("planned", False)


async def test_that_it_is_off_again_can_be_taken_back_also_shortly_before_a_time_at_which_nobody_comes(
    tuesdays: Tuesdays,
) -> None:
    for rule, what in ((meetings.cancel, ()), (meetings.move, (THURSDAY,))):
        await tuesdays.do(rule, tuesdays.ids[0], *what)
        await tuesdays.told()
    await tuesdays.passing.until(FIRST - 20 * MINUTE)
    await tuesdays.do(meetings.undo, tuesdays.ids[0])
    assert await tuesdays.told(timedelta(seconds=59)) == []
    assert said(await tuesdays.told()) == [("03-03", "cancelled", news.MOVED)]


async def test_a_reminder_that_was_due_while_a_meeting_was_elsewhere_for_a_minute_is_not_lost(
    tuesdays: Tuesdays,
) -> None:
    await tuesdays.passing.until(FIRST - 2 * HOUR)
    async with tuesdays.db.read() as session:
        due = (await session.scalars(select(Delivery.due_at).where(Delivery.kind == reminders.REMINDER))).all()
    came = await reminded(tuesdays.passing, min(due) - timedelta(seconds=20))
    await tuesdays.do(meetings.move, tuesdays.ids[0], THURSDAY)
    came += await reminded(tuesdays.passing, min(due) + timedelta(seconds=20))
    assert came == []
    await tuesdays.do(meetings.undo, tuesdays.ids[0])
    assert sorted(await reminded(tuesdays.passing, FIRST)) == [MAYA, LEO]


async def test_a_meeting_that_has_begun_is_found_cancelled_and_taken_back_until_its_end(tuesdays: Tuesdays) -> None:
    await tuesdays.passing.until(FIRST + MINUTE)
    found = await tuesdays.do(meetings.choices)
    assert found[0].meeting_id == tuesdays.ids[0]
    off = await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    assert len(await tuesdays.told(MINUTE)) == 3
    back = await tuesdays.do(meetings.undo, tuesdays.ids[0], rev=off.rev)
    assert back.state == "planned"
    await tuesdays.passing.until(FIRST + HOUR)
    assert (await tuesdays.do(meetings.choices))[0].meeting_id == tuesdays.ids[1]


async def test_a_move_in_the_last_seconds_is_undone_after_them(tuesdays: Tuesdays) -> None:
    await tuesdays.passing.until(FIRST - timedelta(seconds=10))
    moved = await tuesdays.do(meetings.move, tuesdays.ids[0], THURSDAY)
    await tuesdays.passing.until(FIRST + timedelta(seconds=20))
    back = await tuesdays.do(meetings.undo, tuesdays.ids[0], rev=moved.rev)
    assert (back.state, back.starts_at) == ("planned", FIRST)


WEDNESDAYS = Rule("weekly", weekdays=(2,))


async def days(tuesdays: Tuesdays, series_id: int | None = None) -> list[str]:
    """Return the days of a series that are off, with why and what members know of them."""
    async with tuesdays.db.read() as session:
        which = Meeting.series_id == (series_id or tuesdays.series.series_id)
        found = (await session.scalars(select(Meeting).where(which).order_by(Meeting.starts_at))).all()
        return [
            f"{each.original_local[5:10]} {each.why} {each.told}".strip() for each in found if each.state != "planned"
        ]


@pytest.mark.both_databases
async def test_a_day_that_is_off_stays_off_at_another_time_of_it(tuesdays: Tuesdays) -> None:
    await tuesdays.do(meetings.cancel, tuesdays.ids[0])
    await tuesdays.told()
    later = plan(tuesdays.group.group_id, first=datetime(2026, 3, 3, 19))
    made = await tuesdays.do(timetables.change, tuesdays.series.series_id, later)
    assert await days(tuesdays, made.series_id) == ["03-03 one cancelled"]
    assert all(each.what.goes_on.local.day == 10 for each in await tuesdays.told())
    async with tuesdays.db.read() as session:
        mine = await notices.mine(session, GUILD, MAYA, now=tuesdays.passing.now)
    assert [each.local.day for each, _answer in mine].count(3) == 1, "shown once"


@pytest.mark.both_databases
async def test_a_break_holds_for_another_weekday_and_two_that_overlap_are_taken_back_one_by_one(
    tuesdays: Tuesdays,
) -> None:
    series_id = tuesdays.series.series_id
    first, second = (date(2026, 3, 3), date(2026, 3, 12)), (date(2026, 3, 10), date(2026, 3, 18))
    one = await tuesdays.do(breaks.skip, series_id, *first)
    again = await tuesdays.do(breaks.skip, series_id, *first)
    assert (again.break_id, len(again.meetings)) == (one.break_id, 2), "twice is once"
    two = await tuesdays.do(breaks.skip, series_id, *second)
    assert [day[:5] for day in await days(tuesdays)] == ["03-03", "03-10", "03-17"]
    back = await tuesdays.do(breaks.unskip, two.break_id)
    assert [each.original_local[5:10] for each in back] == ["03-17"]
    assert await tuesdays.do(breaks.unskip, two.break_id) == []
    wednesdays = plan(tuesdays.group.group_id, first=datetime(2026, 3, 4, 18, 30), rule=WEDNESDAYS)
    made = await tuesdays.do(timetables.change, series_id, wednesdays)
    assert await days(tuesdays, made.series_id) == ["03-04 skipped cancelled", "03-11 skipped cancelled"]
    await tuesdays.do(breaks.unskip, one.break_id)
    assert await days(tuesdays, made.series_id) == []


async def test_a_meeting_that_was_moved_out_of_a_break_that_is_taken_back_is_on_when_it_moves_back(
    tuesdays: Tuesdays,
) -> None:
    days = (date(2026, 3, 3), date(2026, 3, 3))
    kept = await tuesdays.do(breaks.skip, tuesdays.series.series_id, *days)
    await tuesdays.do(meetings.move, tuesdays.ids[0], THURSDAY)
    await tuesdays.do(breaks.unskip, kept.break_id)
    assert (await tuesdays.do(meetings.undo, tuesdays.ids[0])).state == "planned"


@pytest.mark.both_databases
async def test_what_was_said_to_a_moment_holds_when_another_series_meets_then_too(tuesdays: Tuesdays) -> None:
    await tuesdays.do(meetings.respond, tuesdays.ids[0], "cant", by=actor(MAYA))
    await tuesdays.do(meetings.respond, tuesdays.ids[0], "going", by=actor(LEO))
    await tuesdays.do(hosting.need_cover, tuesdays.ids[0])
    twice = plan(tuesdays.group.group_id, rule=Rule("weekly", weekdays=(1, 3)))
    made = await tuesdays.do(timetables.change, tuesdays.series.series_id, twice)
    assert made.series_id != tuesdays.series.series_id
    async with tuesdays.db.read() as session:
        seen = (await meetings.coming(session, GUILD, now=NOW))[0]
        assert (seen.series_id, seen.starts_at, seen.going, seen.cant) == (made.series_id, FIRST, 1, 1)
        assert (await hosting.hosts_of(session, GUILD, seen.meeting_id)).wanted
    assert await reminded(tuesdays.passing, FIRST) == [LEO]


@pytest.mark.both_databases
async def test_meetings_at_once_are_pointed_out_long_before_they_are_made(tuesdays: Tuesdays) -> None:
    async def clashes(**when: Any) -> list[datetime]:
        seen = await tuesdays.do(timetables.look, plan(tuesdays.group.group_id, **when))
        return [each.starts_at for each in seen.clashes]

    far = datetime(2026, 4, 28, 18, 45)
    assert await clashes(first=far, rule=Rule("once")) == [datetime(2026, 4, 28, 16, 30, tzinfo=UTC)]
    fortnightly = Rule("weekly", 2, weekdays=(1,))
    assert await clashes(first=far, rule=fortnightly) == [datetime(2026, 4, 28, 16, 30, tzinfo=UTC)]
    assert await clashes(first=far + timedelta(hours=1), rule=fortnightly) == []
    await tuesdays.do(breaks.skip, tuesdays.series.series_id, date(2026, 4, 28), date(2026, 4, 28))
    assert await clashes(first=far, rule=Rule("once")) == [], "that one is off"
    await tuesdays.do(meetings.move, tuesdays.ids[0], datetime(2026, 4, 29, 19))
    assert await clashes(first=datetime(2026, 3, 3, 18), rule=Rule("once")) == []
    assert len(await clashes(first=datetime(2026, 4, 29, 19), rule=Rule("once"))) == 1


@pytest.mark.both_databases
@pytest.mark.parametrize("rule", [Rule("weekly", weekdays=(1,)), Rule("monthly", nth=1, weekday=1)])
async def test_there_is_a_next_date_however_many_are_off(tuesdays: Tuesdays, rule: Rule) -> None:
    if rule.freq == "monthly":
        await tuesdays.do(timetables.end, tuesdays.series.series_id)
        await tuesdays.do(timetables.create, plan(tuesdays.group.group_id, rule=rule))
    for day in (1, 2, 9):
        found = await tuesdays.do(meetings.choices)
        on = [each for each in found if each.state == "planned"]
        await tuesdays.do(meetings.cancel, on[0].meeting_id)
        async with tuesdays.db.read() as session:
            seen = await notices.notice(session, GUILD, on[0].meeting_id, now=tuesdays.passing.now)
            assert seen.meeting.next_at is not None
            assert len(await notices.board(session, GUILD, now=tuesdays.passing.now)) == 1
            mine = await notices.mine(session, GUILD, MAYA, now=tuesdays.passing.now)
            assert "planned" in [each.state for each, _answer in mine]
            ahead = await meetings.coming(session, GUILD, now=tuesdays.passing.now)
            assert len(ahead) >= 2
        await tuesdays.passing.until(NOW + day * DAY)


async def test_what_becomes_near_while_days_are_off_is_made_by_the_look_of_each_day(tuesdays: Tuesdays) -> None:
    await tuesdays.do(meetings.cancel, tuesdays.ids[1])
    await tuesdays.passing.until(FIRST + DAY)
    async with tuesdays.db.read() as session:
        assert len(await meetings.coming(session, GUILD, now=tuesdays.passing.now)) >= 2


@pytest.mark.parametrize("typed", ["every tuesday", "daily", "mondays", "first tuesday"])
def test_what_comes_again_and_again_is_no_day_of_a_break(typed: str) -> None:
    with pytest.raises(NotValid):
        read_day(typed, now=NOW, zone="Europe/Berlin")
    assert read_day("mar 9", now=NOW, zone="Europe/Berlin") == date(2026, 3, 9)


async def test_what_falls_out_of_a_break_is_shown_as_it_will_be_and_nothing_else_falls_out(tuesdays: Tuesdays) -> None:
    series_id, days = tuesdays.series.series_id, (date(2026, 3, 10), date(2026, 3, 31))
    await tuesdays.do(meetings.move, tuesdays.ids[0], datetime(2026, 3, 12, 19))
    await tuesdays.do(meetings.move, tuesdays.ids[1], datetime(2026, 4, 2, 19))
    await tuesdays.do(breaks.skip, series_id, date(2026, 3, 24), date(2026, 3, 24))

    async def rows() -> list[tuple[str, str, int]]:
        async with tuesdays.db.read() as session:
            found = await session.scalars(select(Meeting).order_by(Meeting.starts_at))
            return [(each.original_local, each.state, each.rev) for each in found]

    before = await rows()
    seen = await tuesdays.do(breaks.look, series_id, *days)
    assert await rows() == before
    assert [each.local.day for each in seen.falls_out] == [12, 17, 31]
    assert [each.was_moved for each in seen.falls_out] == [True, False, False]
    assert [each.local.day for each in seen.off_already] == [24]
    assert [each.local.day for each in seen.stays_on] == [2]
    assert seen.goes_on == datetime(2026, 4, 2, 17, tzinfo=UTC)
    await tuesdays.do(meetings.undo, tuesdays.ids[0])
    with pytest.raises(NotValid, match="changed since"):
        await tuesdays.do(breaks.skip, series_id, *days, code=seen.code)
    seen = await tuesdays.do(breaks.look, series_id, *days)
    kept = await tuesdays.do(breaks.skip, series_id, *days, code=seen.code)
    assert [each.starts_at for each in kept.meetings] == [each.at for each in seen.falls_out]
    assert kept.goes_on == seen.goes_on
    again = await tuesdays.do(breaks.skip, series_id, *days, code=seen.code)
    assert again.break_id == kept.break_id, "twice is once"


def dates(several: Any) -> list[str]:
    return [each.local.strftime("%m-%d %H:%M") for each in several]


async def test_which_dates_a_change_of_a_series_takes_back_is_said_before(tuesdays: Tuesdays) -> None:
    series_id = tuesdays.series.series_id
    await tuesdays.do(meetings.move, tuesdays.ids[1], datetime(2026, 3, 12, 19))
    off = (date(2026, 3, 17), date(2026, 3, 18))
    await tuesdays.do(breaks.skip, series_id, *off)
    wednesdays = plan(tuesdays.group.group_id, first=datetime(2026, 3, 4, 18, 30), rule=WEDNESDAYS)
    seen = await tuesdays.do(echoes.change, series_id, wednesdays)
    assert dates(seen.falls_out) == ["03-03 18:30", "03-24 18:30", "03-31 18:30"]
    assert (dates(seen.moved), dates(seen.stays_off)) == (["03-12 19:00"], ["03-18 18:30"])
    made = await tuesdays.do(timetables.change, series_id, wednesdays)
    assert await days(tuesdays, made.series_id) == ["03-18 skipped cancelled"], "as it was said"

    same = plan(tuesdays.group.group_id, first=datetime(2026, 3, 4, 18, 30), rule=WEDNESDAYS, minutes="90")
    seen = await tuesdays.do(echoes.change, made.series_id, same)
    assert (seen.falls_out, seen.moved, seen.stays_off) == ((), (), ()), "the time stays"
    ends = Rule("weekly", weekdays=(2,), until=date(2026, 3, 10))
    ending = plan(tuesdays.group.group_id, first=datetime(2026, 3, 4, 18, 30), rule=ends)
    seen = await tuesdays.do(echoes.change, made.series_id, ending)
    assert dates(seen.falls_out)[:1] == ["03-11 18:30"]
    await tuesdays.do(timetables.change, made.series_id, ending)
    seen = await tuesdays.do(echoes.change, made.series_id, wednesdays)
    assert dates(seen.on_again)[:1] == ["03-11 18:30"]


async def state_of(tuesdays: Tuesdays, day: str) -> str:
    return next((each for each in await days(tuesdays) if each.startswith(day)), f"{day} on")


@pytest.mark.both_databases
async def test_a_break_gives_back_what_it_took_off_itself(tuesdays: Tuesdays) -> None:
    series_id = tuesdays.series.series_id
    by_hand = await tuesdays.do(meetings.cancel, tuesdays.ids[1])
    one = await tuesdays.do(breaks.skip, series_id, date(2026, 3, 3), date(2026, 3, 18))
    assert [each.original_local[5:10] for each in one.meetings] == ["03-03", "03-17"]
    await tuesdays.do(meetings.undo, one.meetings[1].meeting_id)
    two = await tuesdays.do(breaks.skip, series_id, date(2026, 3, 17), date(2026, 3, 25))
    back = await tuesdays.do(breaks.unskip, two.break_id)
    assert [each.original_local[5:10] for each in back] == ["03-17", "03-24"], "on by hand before the second break"
    same = await tuesdays.do(breaks.skip, series_id, date(2026, 3, 3), date(2026, 3, 18))
    assert same.break_id == one.break_id
    three = await tuesdays.do(breaks.skip, series_id, date(2026, 3, 17), date(2026, 3, 25))
    back = await tuesdays.do(breaks.unskip, three.break_id)
    assert [each.original_local[5:10] for each in back] == ["03-24"], "the first one holds it again"
    back = await tuesdays.do(breaks.unskip, one.break_id)
    assert [each.original_local[5:10] for each in back] == ["03-03", "03-17"]
    assert [day[:9] for day in await days(tuesdays)] == ["03-10 one"], "by hand it is put on"
    await tuesdays.do(meetings.undo, by_hand.meeting_id)


async def test_an_old_undo_takes_no_newer_break_back(tuesdays: Tuesdays) -> None:
    series_id, march = tuesdays.series.series_id, (date(2026, 3, 3), date(2026, 3, 18))
    old = await tuesdays.do(breaks.skip, series_id, *march)
    await tuesdays.do(breaks.unskip, old.break_id)
    for again in (march, (date(2026, 3, 10), date(2026, 3, 10))):
        new = await tuesdays.do(breaks.skip, series_id, *again)
        assert await tuesdays.do(breaks.unskip, old.break_id) == []
        assert await state_of(tuesdays, "03-10") == "03-10 skipped"
        await tuesdays.do(breaks.unskip, new.break_id)


async def test_a_meeting_that_was_moved_out_of_two_breaks_is_off_when_it_moves_back_into_the_one_that_is_left(
    tuesdays: Tuesdays,
) -> None:
    series_id = tuesdays.series.series_id
    one = await tuesdays.do(breaks.skip, series_id, date(2026, 3, 3), date(2026, 3, 12))
    await tuesdays.do(breaks.skip, series_id, date(2026, 3, 10), date(2026, 3, 18))
    await tuesdays.do(meetings.move, tuesdays.ids[1], datetime(2026, 3, 20, 19))
    await tuesdays.do(breaks.unskip, one.break_id)
    assert (await tuesdays.do(meetings.undo, tuesdays.ids[1])).state == "cancelled"


async def test_a_date_that_is_put_on_by_hand_in_a_break_is_on_in_the_series_that_comes_instead(
    tuesdays: Tuesdays,
) -> None:
    kept = await tuesdays.do(breaks.skip, tuesdays.series.series_id, date(2026, 3, 3), date(2026, 3, 18))
    await tuesdays.do(meetings.undo, tuesdays.ids[1])
    later = plan(tuesdays.group.group_id, first=datetime(2026, 3, 3, 19))
    seen = await tuesdays.do(echoes.change, tuesdays.series.series_id, later)
    assert dates(seen.stays_off) == ["03-03 19:00", "03-17 19:00"]
    made = await tuesdays.do(timetables.change, tuesdays.series.series_id, later)
    assert [day[:5] for day in await days(tuesdays, made.series_id)] == ["03-03", "03-17"]
    back = await tuesdays.do(breaks.unskip, kept.break_id)
    assert [each.original_local[5:10] for each in back] == ["03-03", "03-17"], "the new series has the break"
