"""What is undone is as it was: for whoever answered, for what was off before, and for one press only."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from builders import FACILITATOR, GUILD, LEO, MAYA, actor, facilitator, make_group, seat
from passing import Passing
from sqlalchemy import select
from test_news import NOW, THURSDAY, Tuesdays, plan, said, who

from peerbot import meetings, news, notices, reminders, timetables
from peerbot.database import Database
from peerbot.models import Guild, Meeting

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
