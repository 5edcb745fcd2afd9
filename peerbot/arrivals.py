"""Whether a facilitator is there when a meeting begins, and what happens when nobody is.

Somebody is there who says so, or is seen in the meeting's voice channel; kept is when, not who, and nothing about
members. After five minutes without anybody, others are called and members are told; after fifteen the meeting is
cancelled, where the owner keeps that on. Where it takes place in no voice channel, nobody can be seen: hosts are asked,
then others, members read just that, and nothing is ever cancelled. Whoever says that they come gives it ten minutes
from then on, until the twentieth at least and the twenty-fifth at most. It is never cancelled when nobody was called in
time, or when the bot could not have seen somebody come; and until its end, a host who is there after all puts it on
again.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, hosting, meetings, members
from peerbot.deliveries import Priority
from peerbot.errors import MeetingUnknown, NotValid
from peerbot.hosting import AWAY, COVER, Asking
from peerbot.meetings import MeetingView, Scene
from peerbot.models import Delivery, Facilitator, Group, Host, Meeting, Series
from peerbot.rights import Actor, guild_of
from peerbot.series import cancelled, planned_again
from peerbot.text import _
from peerbot.types import KEEPS_KEY

EARLY = timedelta(minutes=15)
"""How long before a meeting somebody counts as there."""
LATE = timedelta(minutes=5)
CALL_OF_USE = timedelta(minutes=6)
EMPTY = timedelta(minutes=15)
ON_THE_WAY = timedelta(minutes=10)
"""How long a meeting waits for somebody who says that they come, from then on."""
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=20), timedelta(minutes=25)
"""How long that is at least and at most, from the start on."""
OTHERS = "others"
"""What the key of a call ends with that asks others because no host of a place that nobody sees has answered."""
ON_TIME = timedelta(minutes=2)
"""How late a meeting may be found empty to be cancelled: later, nobody knows what went on meanwhile."""


async def here(session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime) -> MeetingView:
    """Note that a facilitator is at a meeting, because they say so.

    Raises MeetingUnknown, CalledOff, NotAllowed unless they may host it, or NotValid long before it.
    """
    guild, _group, meeting = await hosting.pressed(session, actor, meeting_id, now=now)
    await hosting.require_host(session, guild, meeting, actor)
    if now < meeting.starts_at - EARLY:
        raise NotValid(_("Thank you. It is a bit early. Please press this from 15 minutes before the start."))
    await _arrived(session, meeting, now=now)
    return await meetings.view(session, actor.guild_id, meeting_id)


async def here_after_all(session: AsyncSession, actor: Actor, meeting_id: int, *, now: datetime) -> MeetingView:
    """Put a meeting on again that is off because nobody came: one of its hosts is there now, and says so.

    Whoever was told that it is off is told that it is on. Raises MeetingUnknown, also after its end and when it is off
    for another reason, or NotAllowed unless they may host it.
    """
    guild = await guild_of(session, actor.guild_id)
    meeting = await _locked(session, actor.guild_id, meeting_id)
    group = await session.get(Group, meeting.group_id) if meeting is not None else None
    if meeting is None or group is None or group.state != "open":
        raise MeetingUnknown
    await hosting.require_host(session, guild, meeting, actor)
    if meetings.was_empty(meeting, now):
        meeting.here_at = now
        await planned_again(session, meeting, now=now)
        await _to_room(session, "meetings.on_again", meeting, now=now, not_after=meeting.ends_at)
    elif meeting.state != "planned" or not meeting.starts_at <= now < meeting.ends_at:
        raise MeetingUnknown
    return await meetings.view(session, actor.guild_id, meeting_id)


async def answered(
    session: AsyncSession, actor: Actor, meeting_id: int, answer: str | None, *, now: datetime
) -> Asking | None:
    """Do what follows when a host has answered to a meeting; return how others are asked like hosting.answered."""
    asking = await hosting.answered(session, actor, meeting_id, answer, now=now)
    if asking is not None:
        await left(session, actor.guild_id, meeting_id, now=now)
    return asking


async def left(session: AsyncSession, guild_id: int, meeting_id: int, *, now: datetime) -> None:
    """Take back that a facilitator is at a meeting if nobody hosts it any more, and have members told."""
    meeting = await _locked(session, guild_id, meeting_id)
    if meeting is None or meeting.state != "planned" or meeting.here_at is None:
        return
    if await hosting.hosting(session, meeting):
        return
    meeting.here_at = None
    await hosting.redraw(session, meeting, now=now)
    if meeting.starts_at <= now < meeting.ends_at:
        await _to_room(session, "meetings.left", meeting, now=now, not_after=meeting.ends_at)


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
    # Who asks for cover during the meeting is going, and may be seen still; who had asked before has come after all.
    goes = select(Host.member_id).where(
        Host.meeting_id == meeting_id, Host.part == AWAY, Host.at >= meeting.starts_at - EARLY
    )
    covers = select(Host.member_id).where(Host.meeting_id == meeting_id, Host.part == COVER)
    usual = (await session.scalars(listed.where(Facilitator.member_id.not_in(goes)))).all()
    hosts = {*usual, *(await session.scalars(covers)).all()}
    if hosts.isdisjoint(ids):
        return False
    await _arrived(session, meeting, now=now)
    return True


async def look_late(session: AsyncSession, scene: Scene) -> None:
    """Have somebody look whether a facilitator is there, five minutes after the start."""
    if scene.meeting.here_at is None:
        until = scene.at + CALL_OF_USE
        await _plan_look(session, "meetings.look_late", scene.meeting, now=scene.now, not_after=until)


async def look_empty(session: AsyncSession, scene: Scene) -> None:
    """Have somebody look whether a facilitator has come, a quarter of an hour after the start."""
    if scene.meeting.here_at is None:
        until = scene.at + ON_TIME
        await _plan_look(session, "meetings.look_empty", scene.meeting, now=scene.now, not_after=until)


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


async def nobody_came(
    session: AsyncSession, delivery: Delivery, *, looking_since: datetime, by_voice: bool, now: datetime
) -> bool:
    """Cancel a meeting to which nobody came, if the owner keeps this on; return whether it was cancelled.

    Not if nobody was called in time, or the bot has looked only since after that; nor where it sees nobody, without a
    voice channel of Discord (`by_voice`): there, others are asked to look in. If somebody is on the way, it is looked
    once more when their time is over.
    """
    meeting = await _locked_look(session, delivery)
    guild = await guild_of(session, delivery.guild_id)
    if meeting is None:
        return False
    until = await _waits_until(session, meeting)
    if not by_voice or await _is_elsewhere(session, meeting):
        if until is None:
            name = f"{hosting.key(meeting)}:{OTHERS}"
            of_use = now + CALL_OF_USE
            await hosting.to_thread(session, "meetings.call", name, meeting, now=now, not_after=of_use)
        return False
    call = await hosting.planned(session, "meetings.call", meeting)
    if call is None or call.state != deliveries.DONE or looking_since > meeting.starts_at + LATE:
        return False
    if not guild.cancels_empty:
        return False
    if until is not None and now < until:
        await _plan_look(session, "meetings.look_empty", meeting, now=now, due_at=until)
        return False
    await cancelled(session, meeting, "nobody", now=now)
    await _to_room(session, "meetings.nobody", meeting, now=now, not_after=now + timedelta(hours=1))
    return True


async def on_the_way(session: AsyncSession, guild_id: int, meeting_id: int, *, now: datetime) -> datetime | None:
    """Tell members that somebody is coming, if they were told that nobody was there; return until when they wait."""
    meeting = await meetings.find(session, guild_id, meeting_id)
    until = await _waits_until(session, meeting) if meeting is not None and meeting.here_at is None else None
    if meeting is None or until is None:
        return None
    if await _were_told(session, meeting):
        await _to_room(session, "meetings.on_way", meeting, now=now, not_after=until)
    return until


async def is_on_the_way(session: AsyncSession, delivery: Delivery, *, now: datetime) -> bool:
    """Return whether the members of a delivery's meeting wait for somebody who says that they come."""
    meeting = await hosting.still(session, delivery)
    until = await _waits_until(session, meeting) if meeting is not None and meeting.here_at is None else None
    return until is not None and now < until


async def was_told(session: AsyncSession, delivery: Delivery) -> bool:
    """Return whether members have read that nobody was at a delivery's meeting, and may read now what came of it."""
    meeting = await hosting.still(session, delivery)
    told = await _were_told(session, meeting) if meeting is not None else []
    return any(each.message_id is not None for each in told)


async def _arrived(session: AsyncSession, meeting: Meeting, *, now: datetime) -> None:
    if meeting.here_at is not None:
        return
    meeting.here_at = now
    await hosting.redraw(session, meeting, now=now)
    if await _were_told(session, meeting):
        await _to_room(session, "meetings.arrived", meeting, now=now, not_after=meeting.ends_at)


async def _were_told(session: AsyncSession, meeting: Meeting) -> list[Delivery]:
    """Return what members were told of a meeting at which nobody was, or nobody any more."""
    found = [await hosting.planned(session, kind, meeting) for kind in ("meetings.late", "meetings.left")]
    return [each for each in found if each is not None]


async def _waits_until(session: AsyncSession, meeting: Meeting) -> datetime | None:
    """Return until when a meeting waits for somebody who has said since its start that they come; None for nobody."""
    late = (Host.meeting_id == meeting.meeting_id, Host.part == COVER, Host.at >= meeting.starts_at)
    said = await session.scalar(select(Host.at).where(*late).order_by(Host.at.desc()).limit(1))
    if said is None:
        return None
    return min(max(said + ON_THE_WAY, meeting.starts_at + SHORTEST_WAIT), meeting.starts_at + LONGEST_WAIT)


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


async def _plan_look(
    session: AsyncSession, kind: str, meeting: Meeting, *, now: datetime, due_at: datetime | None = None,
    not_after: datetime | None = None,
) -> None:  # fmt: skip
    """Have somebody look at a meeting, now or once more later."""
    name = hosting.key(meeting) if due_at is None else f"{hosting.key(meeting)}:{int(due_at.timestamp())}"
    await deliveries.plan(
        session, kind, name, guild_id=meeting.guild_id, now=now, due_at=due_at, priority=Priority.START,
        not_after=not_after or (due_at or now) + ON_TIME, group_id=meeting.group_id, subject_id=meeting.meeting_id,
    )  # fmt: skip


async def _to_room(session: AsyncSession, kind: str, meeting: Meeting, *, now: datetime, **more: Any) -> None:
    group = await session.get_one(Group, meeting.group_id)
    if group.room_id is not None:
        await deliveries.plan(
            session, kind, hosting.key(meeting), guild_id=meeting.guild_id, now=now, priority=Priority.START,
            channel_id=group.room_id, group_id=group.group_id, subject_id=meeting.meeting_id, **more,
        )  # fmt: skip
