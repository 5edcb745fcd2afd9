"""Whether a facilitator is there when a meeting begins, and what happens when nobody is.

Somebody is there who says so, or is seen in the meeting's voice channel; kept is when, not who, and nothing about
members. After five minutes without anybody, others are called and members are told; after fifteen the meeting is
cancelled, where the owner keeps that on. It is never cancelled when nobody was called in time, or when the bot could
not have seen somebody come.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, hosting, meetings, members
from peerbot.deliveries import Priority
from peerbot.errors import NotValid
from peerbot.hosting import COVER
from peerbot.meetings import MeetingView, Scene
from peerbot.models import Delivery, Facilitator, Group, Host, Meeting, Series
from peerbot.rights import Actor, guild_of
from peerbot.series import cancelled
from peerbot.text import _
from peerbot.types import KEEPS_KEY

EARLY = timedelta(minutes=15)
"""How long before a meeting somebody counts as there."""
LATE = timedelta(minutes=5)
CALL_OF_USE = timedelta(minutes=6)
EMPTY = timedelta(minutes=15)
ON_TIME = timedelta(minutes=2)
"""How late a meeting may be found empty to be cancelled: later, nobody knows what went on meanwhile."""


async def here(session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime) -> MeetingView:
    """Note that a facilitator is at a meeting, because they say so.

    Raises MeetingUnknown, NotAllowed unless they may host it, or NotValid long before it.
    """
    guild, _group, meeting = await hosting.pressed(session, actor, meeting_id, now=now)
    await hosting.require_host(session, guild, meeting, actor)
    if now < meeting.starts_at - EARLY:
        raise NotValid(_("Thank you. It is a bit early. Please press this from 15 minutes before the start."))
    await _arrived(session, meeting, now=now)
    return await meetings.view(session, actor.guild_id, meeting_id)


async def in_channel(session: AsyncSession, guild_id: int, channel_id: int, *, now: datetime) -> list[int]:
    """Return the meetings in a channel at which nobody was seen yet, and somebody might be now."""
    open_now = select(Meeting.meeting_id).join(Series, Series.series_id == Meeting.series_id).where(
        Meeting.guild_id == guild_id, Meeting.starts_at.between(now - meetings.LATELY, now + EARLY),
        Meeting.ends_at > now, Meeting.state == "planned", Meeting.here_at.is_(None), Series.channel_id == channel_id,
    )  # fmt: skip
    return list((await session.scalars(open_now)).all())


async def seen(
    session: AsyncSession, guild_id: int, meeting_id: int, user_ids: Collection[int], *, now: datetime
) -> bool:
    """Note that a facilitator is at a meeting if one of these people is, who are in its channel and hold the role."""
    meeting = await _locked(session, guild_id, meeting_id)
    if meeting is None or meeting.state != "planned" or not meeting.starts_at - EARLY <= now < meeting.ends_at:
        return False
    ids = [member.member_id for member in await members.find_all(session, guild_id, user_ids)]
    listed = select(Facilitator.member_id).where(Facilitator.group_id == meeting.group_id)
    covers = select(Host.member_id).where(Host.meeting_id == meeting_id, Host.part == COVER)
    hosts = {*(await session.scalars(listed)).all(), *(await session.scalars(covers)).all()}
    if hosts.isdisjoint(ids):
        return False
    await _arrived(session, meeting, now=now)
    return True


async def look_late(session: AsyncSession, scene: Scene) -> None:
    """Have somebody look whether a facilitator is there, five minutes after the start."""
    await _plan_look(session, "meetings.look_late", scene, not_after=scene.at + CALL_OF_USE)


async def look_empty(session: AsyncSession, scene: Scene) -> None:
    """Have somebody look whether a facilitator has come, a quarter of an hour after the start."""
    await _plan_look(session, "meetings.look_empty", scene, not_after=scene.at + ON_TIME)


async def waited_for(session: AsyncSession, delivery: Delivery) -> MeetingView | None:
    """Return the meeting that a look is about, if nobody was seen there yet."""
    meeting = await hosting.still(session, delivery)
    if meeting is None or meeting.here_at is not None:
        return None
    return await meetings.view(session, meeting.guild_id, meeting.meeting_id)


async def nobody_yet(session: AsyncSession, delivery: Delivery, *, now: datetime) -> bool:
    """Call the others on duty and tell members, because nobody is there five minutes after the start."""
    meeting = await _locked_look(session, delivery)
    if meeting is None:
        return False
    until = meeting.starts_at + EMPTY
    name = hosting.key(meeting)
    await hosting.to_thread(session, "meetings.call", name, meeting, now=now, not_after=until)
    await _to_room(session, "meetings.late", meeting, now=now, not_after=until)
    return True


async def nobody_came(session: AsyncSession, delivery: Delivery, *, looking_since: datetime, now: datetime) -> bool:
    """Cancel a meeting to which nobody came, if the owner keeps this on; return whether it was cancelled.

    Not if somebody is on the way, nobody was called in time, or the bot has looked only since after that; nor where it
    sees nobody, behind a link, while those who are there may see nothing of Discord.
    """
    meeting = await _locked_look(session, delivery)
    guild = await guild_of(session, delivery.guild_id)
    if meeting is None or not guild.cancels_empty:
        return False
    call = await hosting.planned(session, "meetings.call", meeting)
    if call is None or call.state != deliveries.DONE or looking_since > meeting.starts_at + LATE:
        return False
    if await _is_on_the_way(session, meeting) or await _is_elsewhere(session, meeting):
        return False
    await cancelled(session, meeting, "nobody", now=now)
    await _to_room(session, "meetings.nobody", meeting, now=now, not_after=now + timedelta(hours=1))
    return True


async def on_the_way(session: AsyncSession, guild_id: int, meeting_id: int, *, now: datetime) -> None:
    """Tell members that somebody is coming, if they were told that nobody was there."""
    meeting = await meetings.find(session, guild_id, meeting_id)
    if meeting is not None and await hosting.planned(session, "meetings.late", meeting) is not None:
        await _to_room(session, "meetings.on_way", meeting, now=now, not_after=meeting.ends_at)


async def was_told(session: AsyncSession, delivery: Delivery) -> bool:
    """Return whether members have read that nobody was at a delivery's meeting, and may read now what came of it."""
    meeting = await hosting.still(session, delivery)
    told = await hosting.planned(session, "meetings.late", meeting) if meeting is not None else None
    return told is not None and told.message_id is not None


async def _arrived(session: AsyncSession, meeting: Meeting, *, now: datetime) -> None:
    if meeting.here_at is not None:
        return
    meeting.here_at = now
    await hosting.redraw(session, meeting, now=now)
    if await hosting.planned(session, "meetings.late", meeting) is not None:
        await _to_room(session, "meetings.arrived", meeting, now=now, not_after=meeting.ends_at)


async def _is_on_the_way(session: AsyncSession, meeting: Meeting) -> bool:
    late = (Host.meeting_id == meeting.meeting_id, Host.part == COVER, Host.at >= meeting.starts_at)
    return await session.scalar(select(Host.member_id).where(*late).limit(1)) is not None


async def _is_elsewhere(session: AsyncSession, meeting: Meeting) -> bool:
    return bool(await session.scalar(select(Series.link).where(Series.series_id == meeting.series_id)))


async def _locked(session: AsyncSession, guild_id: int, meeting_id: int) -> Meeting | None:
    meeting = await meetings.find(session, guild_id, meeting_id)
    if meeting is not None:
        await session.get(Group, meeting.group_id, with_for_update=KEEPS_KEY)
        await session.refresh(meeting)
    return meeting


async def _locked_look(session: AsyncSession, delivery: Delivery) -> Meeting | None:
    """Return the meeting of a look, its group locked, if it is as it was and nobody is there."""
    await _locked(session, delivery.guild_id, delivery.subject_id or 0)
    meeting = await hosting.still(session, delivery)
    return meeting if meeting is not None and meeting.here_at is None else None


async def _plan_look(session: AsyncSession, kind: str, scene: Scene, *, not_after: datetime) -> None:
    meeting = scene.meeting
    if meeting.here_at is None:
        await deliveries.plan(
            session, kind, hosting.key(meeting), guild_id=meeting.guild_id, now=scene.now, not_after=not_after,
            priority=Priority.START, group_id=meeting.group_id, subject_id=meeting.meeting_id,
        )  # fmt: skip


async def _to_room(session: AsyncSession, kind: str, meeting: Meeting, *, now: datetime, **more: Any) -> None:
    group = await session.get_one(Group, meeting.group_id)
    if group.room_id is not None:
        await deliveries.plan(
            session, kind, hosting.key(meeting), guild_id=meeting.guild_id, now=now, priority=Priority.START,
            channel_id=group.room_id, group_id=group.group_id, subject_id=meeting.meeting_id, **more,
        )  # fmt: skip
