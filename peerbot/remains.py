"""What remains of meetings that are over: all of it for a month, then that an open group has met, and nothing else.

Of the last meeting that a group has held, the bare row stays, so that it is known for whom the next one is the first.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, and_, cast, delete, exists, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from peerbot.models import Card, Debrief, Group, Host, Meeting, Response, Series

KEEP = timedelta(days=30)
"""How long a meeting stays after its end, with what belongs to it."""
KEEP_CARD = timedelta(days=2)
"""How long the card of a meeting that is over is still looked after."""
PURGED = 200
"""Meetings that are deleted in one transaction."""


async def purge(session: AsyncSession, guild_id: int, *, now: datetime, limit: int = PURGED) -> int:
    """Delete some meetings of a server that ended a month ago, with answers and debriefs; return how many.

    Cards of meetings that are over stay where they were posted, and are looked after no more.
    """
    ended = (Meeting.guild_id == guild_id, Meeting.ends_at < now - KEEP_CARD)
    unseen = select(literal("meeting:") + cast(Meeting.meeting_id, String)).where(*ended)
    silent = {"synchronize_session": False}
    await session.execute(
        delete(Card).where(Card.guild_id == guild_id, Card.subject.in_(unseen)), execution_options=silent
    )
    # By the start, which has an index; the longest meeting lasts hours.
    old = (Meeting.guild_id == guild_id, Meeting.starts_at < now - KEEP, Meeting.ends_at < now - KEEP)
    last = _is_last()
    for about in (Response, Host, Debrief):
        mine = delete(about).where(about.meeting_id.in_(select(Meeting.meeting_id).where(*old, last)))
        await session.execute(mine, execution_options=silent)
    which = select(Meeting.meeting_id).where(*old, ~last)
    some = which.order_by(Meeting.starts_at, Meeting.meeting_id).limit(limit)
    # A calendar takes a series for older than it was when its number of changes falls.
    changes = select(func.sum(Meeting.rev - 1)).where(
        Meeting.series_id == Series.series_id, Meeting.meeting_id.in_(some), Meeting.rev > 1
    )
    changed = select(Meeting.series_id).where(Meeting.meeting_id.in_(some), Meeting.rev > 1)
    kept = update(Series).where(Series.guild_id == guild_id, Series.series_id.in_(changed))
    await session.execute(kept.values(version=Series.version + changes.scalar_subquery()), execution_options=silent)
    gone = delete(Meeting).where(Meeting.meeting_id.in_(some)).returning(Meeting.meeting_id)
    deleted = len((await session.scalars(gone, execution_options=silent)).all())
    empty = (Series.guild_id == guild_id, Series.state == "ended")
    nothing_left = ~exists().where(Meeting.series_id == Series.series_id)
    await session.execute(delete(Series).where(*empty, nothing_left), execution_options=silent)
    return deleted


def _is_last() -> ColumnElement[bool]:
    """Return the condition that a meeting is the last one that its group, which is open, has held."""
    later = aliased(Meeting)
    after = (later.group_id == Meeting.group_id, later.state == "over", later.starts_at > Meeting.starts_at)
    is_open = exists().where(Group.group_id == Meeting.group_id, Group.state == "open")
    return and_(Meeting.state == "over", is_open, ~exists().where(*after))
