"""Meetings among Discord's own events: only where the owner switched it on, and only the next one of each series.

Discord's events show who is interested, drift when clocks change, and know no exceptions; so none repeats, and each
belongs to one meeting. A series knows its event (`event_id`) and the meeting it is for (`event_for`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries
from peerbot.deliveries import Priority
from peerbot.making import EVENT
from peerbot.models import Delivery, Group, Guild, Meeting, Series
from peerbot.rights import Actor, guild_of, require_manager


@dataclass(frozen=True)
class Wanted:
    """The event that a series is to have. `room_id` is the channel in which it takes place."""

    meeting_id: int
    name: str
    room_id: int | None
    starts_at: datetime
    ends_at: datetime
    has_begun: bool


@dataclass(frozen=True)
class Mirror:
    """What there is of a series among Discord's events, and what there is to be (None: nothing)."""

    series_id: int
    event_id: int | None
    event_for: int | None
    wanted: Wanted | None


async def switch(session: AsyncSession, actor: Actor, *, on: bool, now: datetime) -> Guild:
    """Show meetings among Discord's events from now on, or take them away. Raises NotAllowed or NotSetUp."""
    require_manager(actor)
    guild = await guild_of(session, actor.guild_id)
    guild.native_events = on
    await session.flush()
    touched = Series.event_id.is_not(None) if not on else or_(Series.state == "active", Series.event_id.is_not(None))
    for series in (await session.scalars(select(Series).where(Series.guild_id == actor.guild_id, touched))).all():
        await deliveries.plan(
            session, EVENT, str(series.series_id), guild_id=series.guild_id, now=now, again=True,
            priority=Priority.CARD, group_id=series.group_id, subject_id=series.series_id,
        )  # fmt: skip
    return guild


async def mirror(session: AsyncSession, delivery: Delivery, *, now: datetime) -> Mirror | None:
    """Return what a series has and is to have among Discord's events; None when there is no such series."""
    series = await session.get(Series, delivery.subject_id)
    if series is None or series.guild_id != delivery.guild_id:
        return None
    guild = await guild_of(session, series.guild_id)
    group = await session.get_one(Group, series.group_id)
    wanted = None
    if guild.native_events and group.state == "open":
        ahead = select(Meeting).where(
            Meeting.series_id == series.series_id, Meeting.state == "planned", Meeting.ends_at > now,
            # Discord takes no event that begins in the past; one that has begun is left to end.
            or_(Meeting.starts_at > now, Meeting.meeting_id == series.event_for),
        )  # fmt: skip
        meeting = await session.scalar(ahead.order_by(Meeting.starts_at).limit(1))
        if meeting is not None:
            place_id = None if series.link else series.channel_id or group.room_id
            wanted = Wanted(
                meeting.meeting_id, group.name, place_id, meeting.starts_at, meeting.ends_at, meeting.starts_at <= now
            )
    return Mirror(series.series_id, series.event_id, series.event_for, wanted)


async def note(session: AsyncSession, series_id: int, event_id: int | None, meeting_id: int | None) -> None:
    """Remember which event a series has now, and for which meeting."""
    noted = {"event_id": event_id, "event_for": meeting_id}
    await session.execute(update(Series).where(Series.series_id == series_id).values(**noted))


async def known(session: AsyncSession, guild_id: int) -> Collection[int]:
    """Return the events that series of a server have."""
    ours = select(Series.event_id).where(Series.guild_id == guild_id, Series.event_id.is_not(None))
    return {event_id for event_id in await session.scalars(ours) if event_id is not None}
