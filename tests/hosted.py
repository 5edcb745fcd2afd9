"""A group that meets on Tuesdays, for tests of rules about who hosts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from builders import ROLE, facilitator, make_group
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import agenda, deliveries, facilitators, series, timetables
from peerbot.database import Database
from peerbot.models import Delivery, Group, Guild, Meeting
from peerbot.recurrence import Rule
from peerbot.rights import Actor

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday; the group meets on Tuesdays at half past six in Berlin."""
START = datetime(2026, 3, 3, 17, 30, tzinfo=UTC)
OTHER, THIRD = 1_200_000_000_000_000_009, 1_200_000_000_000_000_010
THREAD, VOICE = 1_300_000_000_000_000_001, 1_300_000_000_000_000_002


@pytest.fixture
async def meeting(db: Database, guild: Guild) -> Meeting:
    """The next meeting of a group with two facilitators, in a voice channel."""
    async with db.begin() as session:
        group = await make_group(session, now=NOW)
        await facilitators.add(session, facilitator(), group.group_id, OTHER, frozenset({ROLE}), now=NOW)
        return await meeting_of(session, group)


async def meeting_of(session: AsyncSession, group: Group, *, by: Actor | None = None) -> Meeting:
    """Have a group meet on Tuesdays; return the first meeting."""
    plan = timetables.Plan.checked(
        group_id=group.group_id,
        first=datetime(2026, 3, 3, 18, 30),
        rule=Rule("weekly", weekdays=(1,)),
        channel_id=VOICE,
    )
    made = await timetables.create(session, by or facilitator(), plan, now=NOW)
    first = select(Meeting).where(Meeting.series_id == made.series_id).order_by(Meeting.starts_at).limit(1)
    return (await session.scalars(first)).one()


async def planned(session: AsyncSession, kind: str) -> list[Delivery]:
    return list(await session.scalars(select(Delivery).where(Delivery.kind == kind).order_by(Delivery.delivery_id)))


async def done(session: AsyncSession, kind: str, *, message_id: int | None = None) -> None:
    for row in await planned(session, kind):
        row.state, row.message_id = deliveries.DONE, message_id
    await session.flush()


async def turn_at(session: AsyncSession, meeting: Meeting, at: datetime) -> None:
    """Let a meeting be looked after at a moment."""
    (turn,) = [row for row in await planned(session, series.TURN) if row.subject_id == meeting.meeting_id]
    await agenda.turn(session, turn, at)
