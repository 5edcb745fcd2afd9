"""A group closes while meetings of it are planned: they end, and everyone who would have come is told.

Invariant: one letter to each, once: of the single meetings nobody is told. Whoever rests, is away or wants no messages
is not written to; the group's room says it too.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, deliveries, news, timetables
from peerbot.deliveries import Planned, Priority
from peerbot.models import Delivery, Group

CLOSED = "meetings.group_closed"


async def follow(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: a group has closed; its series end with it, and who takes part is told, if there were any."""
    if not await timetables.end_all(session, delivery, now):
        return
    group = await session.get_one(Group, delivery.group_id)
    letters = [
        Planned(
            f"{group.group_id}:{member_id}", group.guild_id, now, group.group_id, member_id=member_id,
            not_after=now + access.FAREWELL,
        )
        for member_id, _zone in await news.readers(session, group, (), ())
    ]  # fmt: skip
    await deliveries.plan_many(session, CLOSED, letters, now=now, priority=Priority.START)


async def letter(session: AsyncSession, delivery: Delivery) -> Group | None:
    """Return the closed group of which a letter tells; None when its reader takes no part any more."""
    group = await session.get(Group, delivery.group_id or 0)
    if group is None or group.state == "open" or not await news.takes_part(session, delivery):
        return None
    return group
