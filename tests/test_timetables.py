"""Timetables: what facilitators type, what a change keeps, what a skip may ask, and whose series it is."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from builders import GUILD, OTHER_GUILD, actor, facilitator, make_guild, owner
from sqlalchemy import event, select
from timetabling import NOW, TUESDAYS, meetings_of, pending, plan, run_due, tuesdays

from peerbot import breaks, cards, groups, meetings, series, timetables
from peerbot.database import Database
from peerbot.errors import GroupUnknown, MeetingUnknown, NotAllowed, NotValid
from peerbot.models import Card, Guild, Series
from peerbot.recurrence import Rule

LONG_AGO, FAR_AHEAD = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59)


@pytest.fixture
def queries(db: Database) -> list[str]:
    """What is asked of the database."""
    seen: list[str] = []

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(db.writer.sync_engine, "before_cursor_execute", look)
    return seen


@pytest.mark.parametrize(
    "typed",
    [
        {"minutes": ""}, {"minutes": "0"}, {"minutes": "-60"}, {"minutes": "6e1"}, {"minutes": "60.0"},
        {"minutes": "00605"}, {"minutes": "0060" + "0" * 5_000}, {"minutes": "1" * 4_000}, {"minutes": "²"},
        {"topic": "x" * 4_000}, {"link": "https://a.org/" + "x" * 4_000},
        {"link": "http://a.org"}, {"link": "javascript:alert(1)"}, {"link": "https://"}, {"link": "https://localhost/"},
        {"link": "https://user:pass@a.org/"}, {"link": "https://a.org@b.org/"}, {"link": "https://a.org /x"},
        {"link": "https://a.org/x\nhttps://b.org"}, {"link": "https://a\u3002org/"}, {"link": "https://\u0430pple.com/"},
        {"link": "https://a\uff0eorg"}, {"link": "https://a.org/)[b](https://c.org"}, {"link": "https://a.org/>@everyone"},
        {"link": "https://a.org\\@b.org"}, {"link": "https://1.2.3.4/"}, {"link": "https://-a.org"},
        {"link": "https://" + "a." * 140 + "-"}, {"link": "https://a.org/\u202egpj.exe" + "\u0301"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_at_once(typed: dict[str, str]) -> None:
    begun = time.perf_counter()
    with pytest.raises(NotValid):
        plan(1, **typed)
    assert time.perf_counter() - begun < 0.05, "5 ms, and what a busy machine takes"


def test_what_makes_sense_is_kept() -> None:
    link = "https://Meet.example.org:8443/room-1?pwd=a%20b&x=1#y"
    made = plan(1, minutes=" 45 ", topic="  Sleep\u200b ", link=link)
    assert (made.minutes, made.topic, made.link) == (45, "Sleep", link)
    assert plan(1, minutes="٦٠").minutes == 60, "digits of any script"


@pytest.mark.parametrize("first", [LONG_AGO, FAR_AHEAD, datetime(2026, 3, 1), datetime(2028, 6, 1)])
async def test_a_day_that_has_passed_or_is_far_away_is_refused(db: Database, guild: Guild, first: datetime) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        once = plan(made.group_id, first=first, rule=Rule("once"))
        for rule in (timetables.look, timetables.create):
            with pytest.raises(NotValid):
                await rule(session, facilitator(), once, now=NOW)
        with pytest.raises(NotValid):
            await timetables.change(session, facilitator(), made.series_id, once, now=NOW)
        meeting = (await meetings_of(session))[0]
        with pytest.raises(NotValid):
            await meetings.move(session, facilitator(), meeting.meeting_id, first, now=NOW)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 3, 4), date(2026, 3, 9)), (date(2026, 4, 2), date(2026, 4, 1)), (date.min, date.max),
        (date(9998, 12, 31), date.max), (date(2028, 6, 1), date(2028, 6, 8)), (date.min, date(1, 2, 1)),
        (date(2026, 2, 1), date(2026, 3, 1)),
    ],
)  # fmt: skip
async def test_days_without_a_meeting_are_no_days_to_skip(db: Database, guild: Guild, first: date, last: date) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        for rule in (breaks.look, breaks.skip):
            with pytest.raises(NotValid):
                await rule(session, facilitator(), made.series_id, first, last, now=NOW)
        assert {each.state for each in await meetings_of(session)} == {"planned"}


async def test_a_year_without_meetings_costs_as_many_queries_as_a_week(
    db: Database, guild: Guild, queries: list[str]
) -> None:
    asked: list[int] = []
    async with db.begin() as session:
        made = await tuesdays(session, rule=Rule("daily"))
    for days in (7, 365):
        async with db.begin() as session:
            queries.clear()
            first = date(2026, 3, 3)
            kept = await breaks.skip(
                session, facilitator(), made.series_id, first, first + timedelta(days=days - 1), now=NOW
            )
            asked.append(len(queries))
            back = await breaks.unskip(session, facilitator(), kept.break_id, now=NOW)
            assert len(kept.meetings) == len(back) == days
    assert asked[1] <= asked[0] + 12, "many rows go in a few statements"


async def test_what_does_not_concern_the_time_keeps_the_meetings(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        ids = [each.meeting_id for each in await meetings_of(session)]
        # As the desk fills the form: the plan begins with the next meeting.
        words: dict[str, Any] = {"minutes": "90", "topic": "Sleep"}
        old, seen = plan(made.group_id, **words), made.version
        await timetables.change(session, facilitator(), made.series_id, old, version=seen, now=NOW)
        assert not await pending(session, series.TELL), "nobody is written to about a topic"
        other = plan(made.group_id, link="https://a.org/x", channel_id=5, **words)
        with pytest.raises(NotValid):
            await timetables.change(session, facilitator(), made.series_id, other, version=seen, now=NOW)
        same = await timetables.change(session, facilitator(), made.series_id, other, version=seen + 1, now=NOW)
        await timetables.change(session, facilitator(), made.series_id, other, version=seen + 1, now=NOW)
        assert (same.series_id, same.version) == (made.series_id, seen + 2), "twice is once"
        assert (same.minutes, same.topic, same.link, same.channel_id) == (90, "Sleep", "https://a.org/x", 5)
        assert [each.meeting_id for each in await meetings_of(session)] == ids
        assert {each.ends_at - each.starts_at for each in await meetings_of(session)} == {timedelta(minutes=90)}
        assert len(await pending(session, series.TELL)) == 1


@pytest.mark.parametrize("rule", [TUESDAYS, Rule("once")])
async def test_another_link_stands_at_once_on_the_card_of_a_meeting_that_goes_on(
    db: Database, guild: Guild, rule: Rule
) -> None:
    now = datetime(2026, 3, 3, 17, 31, tzinfo=UTC)
    async with db.begin() as session:
        made = await tuesdays(session, rule=rule, link="https://a.org/wrong")
        first, *_ = await meetings_of(session)
        of_it = cards.of_meeting(first.meeting_id)
        session.add(Card(guild_id=GUILD, subject=of_it, group_id=made.group_id, channel_id=5, posts=1, message_id=6))
        await session.flush()
        shown = await timetables.plan_of(session, facilitator(), made.series_id, now=now)
        assert not await pending(session, "card.draw")
        other = replace(shown, link="https://a.org/right")
        same = await timetables.change(session, facilitator(), made.series_id, other, now=now)
        assert (same.series_id, same.link) == (made.series_id, "https://a.org/right")
        assert len(await pending(session, "card.draw")) == 1
        assert first.rev == 1, "whoever is looked for there is still looked for"


@pytest.mark.both_databases
async def test_another_time_is_another_series_and_skipped_days_stay_off(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        days = (date(2026, 4, 6), date(2026, 4, 8))
        await breaks.skip(session, facilitator(), made.series_id, *days, now=NOW)
    await run_due(db, NOW + series.UNDO, series.TELL)
    async with db.begin() as session:
        later = plan(made.group_id, first=datetime(2026, 3, 3, 19))
        new = await timetables.change(session, facilitator(), made.series_id, later, now=NOW)
        assert new.series_id != made.series_id
        old = await meetings_of(session, series_id=made.series_id)
        assert {each.state for each in old} == {"cancelled"}
        at_seven = await meetings_of(session, series_id=new.series_id)
        off = [each for each in at_seven if each.state == "cancelled"]
        assert [(each.original_local, each.why, each.told) for each in off] == [
            ("2026-04-07T19:00", "skipped", "cancelled"),
        ]
        shown = await meetings.coming(session, GUILD, now=NOW, states=("cancelled",))
        assert [each.local for each in shown if each.why == "skipped"] == [datetime(2026, 4, 7, 19)], "shown once"
        with pytest.raises(MeetingUnknown):
            await timetables.change(session, facilitator(), made.series_id, later, now=NOW)


@pytest.mark.both_databases
async def test_another_end_keeps_the_meetings_before_it(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        until = plan(made.group_id, rule=Rule("weekly", weekdays=(1,), until=date(2026, 3, 4)))
        assert (await timetables.change(session, facilitator(), made.series_id, until, now=NOW)) is made
        assert [each.state for each in await meetings_of(session)] == ["planned", "cancelled"]
        await timetables.change(session, facilitator(), made.series_id, plan(made.group_id), now=NOW)
        assert [each.state for each in await meetings_of(session)] == ["planned", "planned"]
        assert made.rule == TUESDAYS.text()


async def test_an_end_is_taken_back_whole(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        first, second = await meetings_of(session)
        await meetings.cancel(session, facilitator(), first.meeting_id, now=NOW)
        await timetables.end(session, facilitator(), made.series_id, now=NOW)
        with pytest.raises(MeetingUnknown):
            await meetings.undo(session, facilitator(), second.meeting_id, now=NOW)
        with pytest.raises(MeetingUnknown):
            await meetings.move(session, facilitator(), second.meeting_id, datetime(2026, 3, 5, 18), now=NOW)
        await timetables.go_on(session, facilitator(), made.series_id, now=NOW)
        assert [each.state for each in await meetings_of(session)] == ["cancelled", *3 * ["planned"]]


@pytest.mark.both_databases
async def test_whoever_ends_a_meeting_that_is_near_has_it_told_at_once(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        at = (await meetings_of(session))[0].starts_at - timedelta(minutes=10)
        await timetables.end(session, facilitator(), made.series_id, now=at)
        assert [each.due_at for each in await pending(session, series.TELL)] == [at]


async def test_an_id_of_another_server_is_no_id(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        await make_guild(session, guild_id=OTHER_GUILD, now=NOW)
        made = await tuesdays(session)
        meeting = (await meetings_of(session))[0]
        day = date(2026, 3, 3)
        kept = await breaks.skip(session, facilitator(), made.series_id, day, day, now=NOW)
        for stranger in (owner(guild_id=OTHER_GUILD), facilitator(guild_id=OTHER_GUILD)):
            for attempt in (
                timetables.look(session, stranger, plan(made.group_id), now=NOW),
                timetables.create(session, stranger, plan(made.group_id), now=NOW),
                timetables.change(session, stranger, made.series_id, plan(made.group_id), now=NOW),
                breaks.skip(session, stranger, made.series_id, day, day, now=NOW),
                breaks.look(session, stranger, made.series_id, day, day, now=NOW),
                breaks.unskip(session, stranger, kept.break_id, now=NOW),
                timetables.end(session, stranger, made.series_id, now=NOW),
                timetables.go_on(session, stranger, made.series_id, now=NOW),
                meetings.cancel(session, stranger, meeting.meeting_id, now=NOW),
                meetings.move(session, stranger, meeting.meeting_id, datetime(2026, 3, 4), now=NOW),
                meetings.undo(session, stranger, meeting.meeting_id, now=NOW),
                meetings.respond(session, stranger, meeting.meeting_id, "going", now=NOW),
                meetings.answered(session, stranger, meeting.meeting_id),
                meetings.view(session, OTHER_GUILD, meeting.meeting_id),
            ):
                with pytest.raises((MeetingUnknown, GroupUnknown)) as refused:
                    await attempt
                assert not refused.value.text.params, "nothing of another server is said"
            assert await meetings.coming(session, OTHER_GUILD, now=NOW) == ()
            assert await meetings.choices(session, stranger, like="", now=NOW) == ()


async def test_a_member_of_the_group_changes_none_of_it(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        meeting = (await meetings_of(session))[0]
        day = date(2026, 3, 3)
        kept = await breaks.skip(session, facilitator(), made.series_id, day, day, now=NOW)
        for attempt in (
            timetables.look(session, actor(), plan(made.group_id), now=NOW),
            timetables.change(session, actor(), made.series_id, plan(made.group_id), now=NOW),
            breaks.look(session, actor(), made.series_id, day, day, now=NOW),
            breaks.skip(session, actor(), made.series_id, day, day, now=NOW),
            breaks.unskip(session, actor(), kept.break_id, now=NOW),
            timetables.end(session, actor(), made.series_id, now=NOW),
            timetables.go_on(session, actor(), made.series_id, now=NOW),
            meetings.cancel(session, actor(), meeting.meeting_id, now=NOW),
            meetings.answered(session, actor(), meeting.meeting_id),
        ):
            with pytest.raises(NotAllowed):
                await attempt


@pytest.mark.both_databases
async def test_a_group_that_closes_takes_its_series_along(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        meeting = (await meetings_of(session))[0]
        await groups.close(session, facilitator(), made.group_id, now=NOW)
        assert await meetings.coming(session, GUILD, now=NOW) == (), "at once, not when the step has run"
        with pytest.raises(MeetingUnknown):
            await meetings.respond(session, facilitator(), meeting.meeting_id, "going", now=NOW)
    await run_due(db, NOW)
    async with db.begin() as session:
        assert await session.scalar(select(Series.state)) == "ended"
        assert {each.state for each in await meetings_of(session)} == {"cancelled"}
        assert await meetings.choices(session, owner(), like="", now=NOW) == ()
        assert await meetings.mine(session, GUILD, facilitator().user_id, now=NOW, limit=5) == ()


@pytest.mark.both_databases
async def test_meetings_at_once_are_pointed_out(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        at_seven = plan(made.group_id, first=datetime(2026, 3, 3, 19))
        seen = await timetables.look(session, facilitator(), at_seven, now=NOW)
        assert [(each.same_group, each.starts_at) for each in seen.clashes] == [
            (True, datetime(2026, 3, 3, 17, 30, tzinfo=UTC))
        ], "the first of each series"
        instead = await timetables.look(session, facilitator(), at_seven, now=NOW, instead_of=made.series_id)
        assert instead.clashes == ()
        after = plan(made.group_id, first=datetime(2026, 3, 3, 19, 30))
        assert (await timetables.look(session, facilitator(), after, now=NOW)).clashes == ()


async def test_a_change_of_clocks_among_the_next_dates_is_pointed_out(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await tuesdays(session)
        night = plan(made.group_id, first=datetime(2026, 3, 29, 2, 30), rule=Rule("once"))
        seen = await timetables.look(session, facilitator(), night, now=NOW)
        assert (seen.wall, seen.next[0].at) == ("gap", datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
        later = plan(made.group_id, first=datetime(2026, 3, 24, 18, 30))
        seen = await timetables.look(session, facilitator(), later, now=NOW)
        assert seen.change_at == datetime(2026, 3, 31, 16, 30, tzinfo=UTC)
