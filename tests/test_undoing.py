"""What is undone is as it was: for whoever answered, for what was off before, and for one press only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from builders import FACILITATOR, GUILD, LEO, MAYA, actor, facilitator, make_group, seat
from passing import Passing
from sqlalchemy import select
from test_news import DAY, HOUR, MINUTE, NOW, THURSDAY, Tuesdays, plan, said, who

from peerbot import meetings, news, notices, reminders, timetables
from peerbot.database import Database
from peerbot.errors import NotValid
from peerbot.models import Delivery, Guild, Meeting

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
