"""Series: a wall time that comes round, and the meetings that are made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import timetabling
from builders import (
    GUILD,
    MAYA,
    OTHER_GUILD,
    PANEL,
    ROLE,
    ROOM,
    STAFF,
    actor,
    facilitator,
    make_group,
    owner,
    seat,
)  # fmt: skip
from in_turn import begun
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from timetabling import NOW, meetings_of, pending, run_due
from timetabling import plan as tuesdays

from peerbot import (
    agenda,
    breaks,
    cards,
    deliveries,
    groups,
    making,
    meetings,
    members,
    remains,
    series,
    setup,
    timetables,
)
from peerbot.clock import Clock
from peerbot.config import Settings
from peerbot.database import Database, connect
from peerbot.dispatcher import Dispatcher
from peerbot.errors import NotAllowed, NotValid, PeerbotError
from peerbot.models import Card, Debrief, Delivery, Group, Guild, Host, Meeting, Response, Series
from peerbot.outbox import Outbox, Sent
from peerbot.recurrence import Rule, occurrences


async def all_meetings(db: Database) -> list[Meeting]:
    async with db.read() as session:
        return list(await session.scalars(select(Meeting).order_by(Meeting.starts_at)))


async def test_the_next_meetings_of_a_series_are_made_at_once(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        await timetables.create(session, facilitator(), tuesdays(group.group_id), now=NOW)
    assert [m.starts_at for m in await all_meetings(db)] == [
        datetime(2026, 3, day, 17, 30, tzinfo=UTC) for day in (3, 10)
    ]


async def test_a_series_keeps_its_wall_time_when_clocks_change(db: Database, guild: Guild) -> None:
    later = datetime(2026, 3, 24, 12, tzinfo=UTC)
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        await timetables.create(session, facilitator(), tuesdays(group.group_id), now=NOW)
    async with db.begin() as session:
        assert await series.materialise(session, now=later) == 1
    made = await all_meetings(db)
    assert [m.starts_at for m in made[-2:]] == [
        datetime(2026, 3, 31, 16, 30, tzinfo=UTC), datetime(2026, 4, 7, 16, 30, tzinfo=UTC),
    ]  # fmt: skip


async def test_skipped_weeks_are_off_and_come_back(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        made = await timetables.create(session, facilitator(), tuesdays(group.group_id), now=NOW)
        kept = await breaks.skip(session, facilitator(), made.series_id, date(2026, 3, 30), date(2026, 4, 12), now=NOW)
        assert [m.original_local for m in kept.meetings] == ["2026-03-31T18:30", "2026-04-07T18:30"]
        back = await breaks.unskip(session, facilitator(), kept.break_id, now=NOW)
        assert {m.state for m in back} == {"planned"}


async def test_whoever_does_not_look_after_the_group_changes_nothing(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        with pytest.raises(NotAllowed):
            await timetables.create(session, actor(), tuesdays(group.group_id), now=NOW)
        once = {"first": NOW.replace(tzinfo=None) - timedelta(days=1), "rule": Rule("once")}
        with pytest.raises(NotValid):
            await timetables.create(session, facilitator(), tuesdays(group.group_id, **once), now=NOW)


@pytest.mark.both_databases
async def test_members_answer_and_counts_are_seen(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        await seat(session, group, MAYA, now=NOW)
        await timetables.create(session, facilitator(), tuesdays(group.group_id), now=NOW)
        first = (await meetings.coming(session, GUILD, now=NOW))[0]
        await meetings.respond(session, actor(), first.meeting_id, meetings.GOING, now=NOW)
        seen = await meetings.view(session, GUILD, first.meeting_id)
        assert (seen.going, seen.cant, seen.next_at) == (1, 0, datetime(2026, 3, 10, 17, 30, tzinfo=UTC))
        await meetings.cancel(session, facilitator(), first.meeting_id, now=NOW)
        moved = await meetings.move(
            session,
            facilitator(),
            first.meeting_id,
            datetime(2026, 3, 4, 19),
            now=NOW,
        )
        assert (moved.state, moved.starts_at) == ("planned", datetime(2026, 3, 4, 18, tzinfo=UTC))
        await meetings.undo(session, facilitator(), first.meeting_id, now=NOW)
        assert moved.starts_at == first.starts_at


async def test_a_meeting_is_looked_after_at_each_of_its_moments(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        await timetables.create(session, facilitator(), tuesdays(group.group_id), now=NOW)
        turn = (await session.scalars(select(Delivery).where(Delivery.kind == series.TURN))).first()
        assert turn is not None
        await agenda.turn(session, turn, NOW)
        await session.refresh(turn)
        assert NOW < turn.next_at <= datetime(2026, 3, 3, 18, 30, tzinfo=UTC), "its next moment, its end at the latest"


ZONES: dict[str, Any] = {
    "facilitator_role_id": ROLE, "panel_channel_id": PANEL, "staff_channel_id": STAFF, "locale": "en-US",
}  # fmt: skip


async def set_zone(db: Database, zone: str, now: datetime) -> None:
    async with db.begin() as session:
        await setup.save(session, owner(), time_zone=zone, now=now, **ZONES)


@pytest.mark.both_databases
async def test_another_zone_of_the_server_moves_what_is_ahead_and_tells_of_what_moved(
    db: Database, guild: Guild
) -> None:
    async with db.begin() as session:
        await timetabling.tuesdays(session)
    before = await all_meetings(db)
    at = before[0].starts_at - timedelta(minutes=1)
    await set_zone(db, "Europe/Paris", at)  # the same time as in Berlin
    await run_due(db, at, series.EXTEND)
    async with db.begin() as session:
        assert [(m.starts_at, m.rev) for m in await meetings_of(session)][:2] == [(m.starts_at, 1) for m in before]
        assert not await pending(session, series.TELL), "nothing is told of what did not move"
    await set_zone(db, "Europe/London", at)
    assert series.EXTEND in await run_due(db, at, series.EXTEND), "even the first is right, a minute before"
    async with db.begin() as session:
        moved = await meetings_of(session)
        assert [m.starts_at.hour for m in moved[:2]] == [18, 18]
        assert [row.due_at for row in await pending(session, series.TELL)] == [at], "it is near, so at once"
        assert all(m.told != series.standing(m) for m in moved[:2])
    await set_zone(db, "Europe/Berlin", at)
    await run_due(db, at, series.EXTEND)
    async with db.begin() as session:
        back = (await meetings_of(session))[:2]
        assert [m.starts_at for m in back] == [m.starts_at for m in before]
        assert all(m.told == series.standing(m) for m in back), "who heard nothing hears nothing"


async def test_in_a_zone_far_away_no_day_is_left_out_and_none_comes_twice(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        await timetabling.tuesdays(session, rule=Rule("daily"), first=datetime(2026, 3, 2, 23))
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "Pacific/Auckland"):
        await set_zone(db, zone, NOW)
        await run_due(db, NOW, series.EXTEND, series.TURN)
        async with db.begin() as session:
            ahead = [m for m in await meetings_of(session) if m.starts_at > NOW]
            row = await session.scalar(select(Series))
            assert row is not None
            first = datetime(2026, 3, 2, 23)
            expected = occurrences(Rule("daily"), first, zone, after=NOW, limit=len(ahead))
            assert [(m.original_local, m.starts_at) for m in ahead] == [
                (each.local.strftime(making.LOCAL), each.at) for each in expected
            ]
            assert expected[-1].at > NOW + timedelta(days=14)


async def test_new_rules_of_a_zone_move_what_is_ahead(
    db: Database, guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with db.begin() as session:
        await timetabling.tuesdays(session)
        for meeting in await meetings_of(session):
            meeting.starts_at += timedelta(hours=1)  # as older rules had it
        (await session.scalars(select(Series))).one().tz_version = "older"
        await series.look_everywhere(session, [GUILD], now=NOW)
    assert await run_due(db, NOW, series.EXTEND) == [series.EXTEND]
    assert [m.starts_at.hour for m in await all_meetings(db)] == [17, 17]
    assert await run_due(db, NOW, series.EXTEND) == [], "the next look is tomorrow"


def test_the_rules_of_a_zone_are_told_from_others() -> None:
    assert len({series.tz_version(zone) for zone in ("Europe/Berlin", "Africa/Cairo", "UTC")}) == 3


async def test_two_meetings_are_always_ahead_however_rare_they_are(db: Database, guild: Guild) -> None:
    rare = {"rule": Rule("monthly", 2, nth=1, weekday=1)}
    async with db.begin() as session:
        await timetabling.tuesdays(session, **rare)
    now = NOW
    for _look in range(22):
        now += timedelta(days=6)
        await run_due(db, now, series.EXTEND)
        ahead = [m for m in await all_meetings(db) if m.starts_at > now]
        assert len(ahead) in {2, 3}, now


async def test_the_look_of_each_day_goes_on_whatever_became_of_it(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await timetabling.tuesdays(session)
        assert [row.due_at for row in await pending(session, series.EXTEND)] == [NOW + series.LOOK]
        await session.execute(update(Delivery).where(Delivery.kind == series.EXTEND).values(state=deliveries.DEAD))
        await series.look_daily(session, made.guild_id, now=NOW)
        assert len(await pending(session, series.EXTEND)) == 1
        await session.execute(delete(Delivery).where(Delivery.kind == series.EXTEND))
        await series.look_everywhere(session, [GUILD, OTHER_GUILD], now=NOW)
        assert [row.guild_id for row in await pending(session, series.EXTEND)] == [GUILD]
    late = NOW + timedelta(days=40)
    assert await run_due(db, late, series.EXTEND) == [series.EXTEND], "once, however long nobody looked"
    async with db.begin() as session:
        assert [row.due_at for row in await pending(session, series.EXTEND)] == [late + series.LOOK]


@pytest.mark.both_databases
async def test_what_has_no_more_meetings_ends_by_itself(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await timetabling.tuesdays(session, rule=Rule("once"))
        (meeting,) = await meetings_of(session)
        at = meeting.ends_at
    await run_due(db, at - timedelta(seconds=1), series.TURN)
    async with db.read() as session:
        assert await session.scalar(select(Series.state)) == "active"
    await run_due(db, at, series.TURN, series.EXTEND)
    async with db.begin() as session:
        assert await session.scalar(select(Series.state)) == "ended"
        with pytest.raises(NotValid):
            await timetables.go_on(session, facilitator(), made.series_id, now=at)


@pytest.mark.both_databases
async def test_a_month_after_its_end_no_more_is_left_than_that_a_group_has_met(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await timetabling.tuesdays(session, rule=Rule("once"))
        (meeting,) = await meetings_of(session)
        me = await members.of(session, GUILD, MAYA, now=NOW)
        keys = {"meeting_id": meeting.meeting_id, "member_id": me.member_id, "at": NOW}
        answer = Response(answer="going", starts_at=meeting.starts_at, **keys)
        session.add_all([answer, Host(part="away", **keys), Debrief(word="fine", **keys)])
        end = meeting.ends_at
    await run_due(db, end, series.TURN)
    for days, left in ((3, 1), (29, 1), (31, 0)):
        async with db.begin() as session:
            await series.look_again(session, GUILD, now=end + timedelta(days=days))
        await run_due(db, end + timedelta(days=days), series.EXTEND)
        async with db.read() as session:
            for table in (Response, Host, Debrief):
                assert len((await session.scalars(select(table))).all()) == left, (table, days)
            assert len(await meetings_of(session)) == 1, "by it, it is known for whom the next one is the first"
            assert not (await session.scalars(select(Card).where(Card.subject.startswith("meeting:")))).all()
    end += timedelta(days=40)
    async with db.begin() as session:
        again = timetabling.plan(made.group_id, first=end.replace(tzinfo=None), rule=Rule("once"))
        newer = await timetables.create(session, facilitator(), again, now=end - timedelta(hours=3))
        (meeting,) = await meetings_of(session, series_id=newer.series_id)
        await session.execute(update(Meeting).where(Meeting.meeting_id == meeting.meeting_id).values(state="over"))
        assert await remains.purge(session, GUILD, now=end) == 1
        assert await session.get(Series, made.series_id) is None, "nor of its series"
        await groups.close(session, facilitator(), made.group_id, now=end)
        assert await remains.purge(session, GUILD, now=end + timedelta(days=40)) == 1
        assert await meetings_of(session) == [], "nor of a group that has closed"


@pytest.mark.both_databases
async def test_series_of_many_groups_are_looked_at_in_chunks(
    db: Database, guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "CHUNK", 2)
    async with db.begin() as session:
        for number in range(5):
            group = await make_group(session, now=NOW, name=f"Group {number}", room_id=ROOM + number)
            await timetables.create(session, facilitator(), tuesdays(group.group_id), now=NOW)
    later = NOW + timedelta(days=9)
    assert await run_due(db, later, series.EXTEND) == [series.EXTEND] * 3
    assert {m.starts_at.date() for m in await all_meetings(db)} == {date(2026, 3, day) for day in (3, 10, 17, 24)}


@pytest.mark.both_databases
async def test_two_processes_make_each_meeting_once(db: Database, guild: Guild, settings: Settings) -> None:
    async with db.begin() as session:
        for number in range(4):
            group = await make_group(session, now=NOW, name=f"Group {number}", room_id=ROOM + number)
            await timetables.create(session, facilitator(), tuesdays(group.group_id), now=NOW)
    other = db if db.writer.dialect.name == "sqlite" else connect(settings)
    later = NOW + timedelta(days=9)

    async def work(one: Database) -> int:
        async with one.begin(wait=10) as session:
            return await series.materialise(session, now=later)

    try:
        assert sorted(await asyncio.gather(work(db), work(other), work(other))) == [0, 0, 4]
    finally:
        await other.close()
    assert len(await all_meetings(db)) == 16


async def acknowledge(dispatcher: Dispatcher, delivery: Delivery) -> int | None:
    """Run a step as the dispatcher does, but once: of two that wait for each other, it would try again."""
    async with dispatcher.db.begin(wait=10) as session:
        return await dispatcher._write(session, delivery, Sent())


@pytest.mark.both_databases
async def test_a_press_and_a_step_about_one_meeting_wait_for_each_other_in_one_order(
    db: Database, guild: Guild, settings: Settings
) -> None:
    if db.writer.dialect.name == "sqlite":
        pytest.skip("one transaction writes at a time")
    async with db.begin() as session:
        await timetabling.tuesdays(session)
        (meeting, _next) = await meetings_of(session)
        await series.look_again(session, GUILD, now=NOW)
    outbox = Outbox()
    for kind, rule in timetabling.STEPS.items():
        outbox.step(kind, rule)
    for kind in (series.TURN, series.EXTEND):
        async with db.begin() as session:
            due = [row.delivery_id for row in await pending(session, kind)]
            (claimed, *_rest) = await deliveries.claim_these(session, due, now=NOW, owner="1")
        dispatcher = Dispatcher(db, Clock(), outbox, owner="1")
        other = connect(settings)
        try:
            async with other.begin(wait=10) as press:
                await press.scalar(select(Group).where(Group.group_id == meeting.group_id).with_for_update())
                acknowledging = await begun(press, acknowledge(dispatcher, claimed))
                await meetings.cancel(press, facilitator(), meeting.meeting_id, now=NOW)
                await timetables.create(press, facilitator(), tuesdays(meeting.group_id, topic="Two"), now=NOW)
            assert await acknowledging is not None
        finally:
            await other.close()


@pytest.mark.both_databases
async def test_two_facilitators_at_once_are_one_after_the_other(db: Database, guild: Guild, settings: Settings) -> None:
    async with db.begin() as session:
        made = await timetabling.tuesdays(session)
        (meeting, _next) = await meetings_of(session)
    other = db if db.writer.dialect.name == "sqlite" else connect(settings)

    async def press(one: Database, rule: Callable[[AsyncSession], Awaitable[object]]) -> str:
        try:
            async with one.begin(wait=10) as session:
                await rule(session)
        except PeerbotError as refused:
            return type(refused).__name__
        return "done"

    try:
        cancels = [lambda s: meetings.cancel(s, facilitator(), meeting.meeting_id, now=NOW)] * 2
        assert await asyncio.gather(press(db, cancels[0]), press(other, cancels[1])) == ["done", "done"]
        seven = tuesdays(made.group_id, first=datetime(2026, 3, 3, 19))
        changes = [lambda s: timetables.change(s, facilitator(), made.series_id, seven, now=NOW)] * 2
        told = await asyncio.gather(press(db, changes[0]), press(other, changes[1]))
        assert sorted(told) == ["MeetingUnknown", "done"]
    finally:
        await other.close()
    async with db.read() as session:
        assert (await session.get_one(Meeting, meeting.meeting_id)).rev == 2, "a double tap is one change"
        assert len((await session.scalars(select(Series).where(Series.state == "active"))).all()) == 1


async def test_a_series_whose_channel_was_deleted_meets_in_the_groups_room(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        made = await timetabling.tuesdays(session, channel_id=77)
        meeting = (await meetings_of(session))[0]
        of_it = cards.of_meeting(meeting.meeting_id)
        session.add(Card(guild_id=GUILD, subject=of_it, group_id=made.group_id, channel_id=ROOM, posts=1, message_id=6))
        await session.flush()
        await series.place_gone(session, OTHER_GUILD, 77, now=NOW)
        await series.place_gone(session, GUILD, 78, now=NOW)
        await session.refresh(made)
        assert made.channel_id == 77
        now = meeting.starts_at + timedelta(minutes=1)
        await series.place_gone(session, GUILD, 77, now=now)
        await session.refresh(made)
        assert (made.channel_id, made.version) == (None, 2)
        assert (await meetings.view(session, GUILD, meeting.meeting_id)).place_id == ROOM
        assert len(await pending(session, "card.draw")) == 1
