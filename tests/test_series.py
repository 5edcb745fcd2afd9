"""Series: a wall time that comes round, and the meetings that are made of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from builders import GUILD, MAYA, actor, facilitator, make_group, seat
from sqlalchemy import select

from peerbot import agenda, meetings, series, timetables
from peerbot.database import Database
from peerbot.errors import NotAllowed, NotValid
from peerbot.models import Delivery, Guild, Meeting
from peerbot.recurrence import Rule

TUESDAYS = Rule("weekly", weekdays=(1,))
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday; clocks in Berlin change on March 29."""


def tuesdays(group_id: int, **changes: object) -> timetables.Plan:
    usual = {"group_id": group_id, "first": datetime(2026, 3, 3, 18, 30), "rule": TUESDAYS}
    return timetables.Plan.checked(**{**usual, **changes})  # type: ignore[arg-type]


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
        off = await timetables.skip(
            session, facilitator(), made.series_id, date(2026, 3, 30), date(2026, 4, 12), now=NOW
        )
        assert [m.original_local for m in off] == ["2026-03-31T18:30", "2026-04-07T18:30"]
        back = await timetables.unskip(
            session, facilitator(), made.series_id, date(2026, 3, 30), date(2026, 4, 12), now=NOW
        )
        assert {m.state for m in back} == {"planned"}


async def test_whoever_does_not_look_after_the_group_changes_nothing(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        with pytest.raises(NotAllowed):
            await timetables.create(session, actor(), tuesdays(group.group_id), now=NOW)
        once = {"first": NOW.replace(tzinfo=None) - timedelta(days=1), "rule": Rule("once")}
        with pytest.raises(NotValid):
            await timetables.create(session, facilitator(), tuesdays(group.group_id, **once), now=NOW)


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
        assert turn.next_at == datetime(2026, 3, 3, 18, 30, tzinfo=UTC), "its card stands, so its end is next"
