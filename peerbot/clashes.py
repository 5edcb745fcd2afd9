"""Two meetings of one group at once: what comes back must not come upon what has taken its place.

Whoever makes something new is shown what is at the same time, and decides. Whoever takes something back sees no dates,
so it is not done.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from peerbot.errors import NotValid
from peerbot.models import Meeting
from peerbot.text import _, timestamp

LONGEST = timedelta(hours=8)
"""How long a meeting can be; by when others begin, which has an index, those are found that may still go on."""


async def require_free(session: AsyncSession, several: Sequence[Meeting]) -> None:
    """Raise NotValid when one of these meetings, planned by now, is at the time of another series of its group."""
    if not several:
        return
    await session.flush()
    first, last = min(each.starts_at for each in several), max(each.ends_at for each in several)
    other = aliased(Meeting)
    at_once = (
        select(other.starts_at)
        .join(Meeting, Meeting.group_id == other.group_id)
        .where(
            Meeting.meeting_id.in_([meeting.meeting_id for meeting in several]),
            Meeting.state == "planned",
            other.state == "planned",
            other.series_id != Meeting.series_id,
            other.starts_at.between(first - LONGEST, last),
            other.starts_at < Meeting.ends_at,
            other.ends_at > Meeting.starts_at,
        )
        .order_by(other.starts_at)
        .limit(1)
    )
    found = await session.scalar(at_once)
    if found is not None:
        raise NotValid(
            _(
                "This group has another meeting at that time: {when}. Nothing was changed. "
                "Cancel or move that one first, if you want this one back.",
                when=timestamp(found, "F"),
            )
        )
