"""What tests of series and meetings need: a group that meets on Tuesdays, and steps that run as the dispatcher does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from builders import facilitator, make_group
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import agenda, closings, deliveries, series, timetables
from peerbot.database import Database
from peerbot.models import Delivery, Meeting, Series
from peerbot.outbox import Step
from peerbot.recurrence import Rule

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday; clocks in Berlin change on March 29."""
TUESDAYS = Rule("weekly", weekdays=(1,))
FIRST = datetime(2026, 3, 3, 18, 30)


async def tell(session: AsyncSession, delivery: Delivery, _now: datetime) -> None:
    """Stand in for the letters of news: whoever reads one knows how things stand."""
    for meeting in await session.scalars(select(Meeting).where(Meeting.series_id == delivery.subject_id)):
        meeting.told = series.standing(meeting)
    await session.flush()


STEPS: dict[str, Step] = {
    series.TURN: agenda.turn,
    agenda.ACT: agenda.act_again,
    series.EXTEND: series.extend,
    series.TELL: tell,
    "meetings.group": series.look_at_group,
    "meetings.closed": closings.follow,
}


def plan(group_id: int, **changes: Any) -> timetables.Plan:
    usual: dict[str, Any] = {"group_id": group_id, "first": FIRST, "rule": TUESDAYS}
    return timetables.Plan.checked(**(usual | changes))


async def tuesdays(session: AsyncSession, **changes: Any) -> Series:
    """Create a group and the series in which it meets on Tuesdays at 6:30 pm in Berlin."""
    group = await make_group(session, now=NOW)
    return await timetables.create(session, facilitator(), plan(group.group_id, **changes), now=NOW)


async def run_due(db: Database, now: datetime, *kinds: str) -> list[str]:
    """Run the steps that are due, as the dispatcher does, until none is; return their kinds."""
    ran: list[str] = []
    while True:
        async with db.begin() as session:
            due = select(Delivery.delivery_id).where(
                Delivery.kind.in_(kinds or STEPS), Delivery.state == deliveries.PENDING, Delivery.next_at <= now
            )
            claimed = await deliveries.claim_these(session, (await session.scalars(due)).all(), now=now, owner="1")
        if not claimed:
            return ran
        for delivery in claimed:
            async with db.begin() as session:
                await deliveries.hold_group(session, delivery)
                if await deliveries.finish(session, delivery, deliveries.DONE, now=now) is not None:
                    await STEPS[delivery.kind](session, delivery, now)
            ran.append(delivery.kind)


async def meetings_of(session: AsyncSession, *, series_id: int | None = None) -> list[Meeting]:
    """Return all meetings, or those of one series, the soonest first."""
    every = select(Meeting).order_by(Meeting.starts_at, Meeting.meeting_id)
    every = every if series_id is None else every.where(Meeting.series_id == series_id)
    return list(await session.scalars(every.execution_options(populate_existing=True)))


async def pending(session: AsyncSession, kind: str) -> list[Delivery]:
    """Return what is planned of a kind, the soonest first."""
    which = (Delivery.kind == kind, Delivery.state == deliveries.PENDING)
    found = select(Delivery).where(*which).order_by(Delivery.next_at, Delivery.delivery_id)
    return list(await session.scalars(found.execution_options(populate_existing=True)))
