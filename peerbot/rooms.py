"""The rooms of groups: the private channel that a group has, made by peerbot or given by whoever created the group.

Invariant: a channel is the room of one group at most, and of none while it is the panel or the staff channel.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, cards, deliveries
from peerbot.deliveries import Priority
from peerbot.errors import NotAllowed, NotValid
from peerbot.models import Grant, Group, Guild, Meeting, Response
from peerbot.rights import Actor, locked_for
from peerbot.text import _
from peerbot.types import KEEPS_KEY

SILENT = {"synchronize_session": False}


async def plan_room(session: AsyncSession, group: Group, *, now: datetime) -> int:
    """Have a group's private channel made; return the delivery's id."""
    return await deliveries.plan(
        session, "groups.room", str(group.group_id), guild_id=group.guild_id, now=now, priority=Priority.ACCESS,
        again=True, group_id=group.group_id,
    )  # fmt: skip


async def room_made(session: AsyncSession, group_id: int, room_id: int, *, now: datetime) -> None:
    """Remember a group's room and let everyone in who has a seat or facilitates."""
    group = await session.get(Group, group_id, with_for_update=KEEPS_KEY)
    if group is not None:
        group.room_id = room_id
        await session.flush()
        await access.follow_all(session, group, now=now)
        await plan_meetings(session, group, "meetings.group", now=now)


async def plan_meetings(session: AsyncSession, group: Group, kind: str, *, now: datetime) -> None:
    """Have the meetings of a locked group follow: it has closed, or its name or its room is another."""
    await deliveries.plan(
        session, kind, str(group.group_id), guild_id=group.guild_id, now=now, again=True, group_id=group.group_id,
        priority=Priority.ACCESS,
    )  # fmt: skip


async def forget_answers(session: AsyncSession, group: Group, member_id: int, *, now: datetime) -> None:
    """Forget what somebody answered to meetings of a locked group of which they are no part any more."""
    theirs = select(Meeting.meeting_id).where(Meeting.group_id == group.group_id)
    gone = delete(Response).where(Response.member_id == member_id, Response.meeting_id.in_(theirs))
    answered = await session.scalars(gone.returning(Response.meeting_id), execution_options=SILENT)
    shown = [cards.of_meeting(meeting_id) for meeting_id in answered]
    if shown:
        await cards.mark(session, group.guild_id, *shown, now=now)


async def new_room(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> int:
    """Have a new room made for a group that lost its own; return the delivery. Raises NotAllowed, GroupUnknown."""
    group = await locked_for(session, actor, group_id)
    if group.room_id is not None:
        raise NotValid(_("**{name}** has a room already.", name=group.name))
    return await plan_room(session, group, now=now)


async def require_free_room(session: AsyncSession, guild: Guild, room_id: int | None) -> None:
    """Raise NotValid when a channel has another use here."""
    if room_id is None:
        return
    if room_id in (guild.panel_channel_id, guild.staff_channel_id):
        raise NotValid(_("That channel has another use here. Please choose another one."))
    held = select(Group.name).where(Group.guild_id == guild.guild_id, Group.room_id == room_id)
    granted = select(Group.name).join(Grant).where(Group.guild_id == guild.guild_id, Grant.target_id == room_id)
    name = await session.scalar(held.union(granted).limit(1))
    if name is not None:
        raise NotValid(_("That channel is the room of **{name}**. Please choose another one.", name=name))


async def require_free_role(session: AsyncSession, guild: Guild, actor: Actor, role_id: int | None) -> None:
    """Raise NotAllowed unless the actor may give a role away, or NotValid when it has another use here."""
    if role_id is None:
        return
    if not actor.manages:
        raise NotAllowed(_("Only someone with the Manage Server permission can tie a role to a group."))
    held = select(Group.name).where(Group.guild_id == guild.guild_id, Group.role_id == role_id)
    if role_id in (guild.facilitator_role_id, guild.guild_id) or await session.scalar(held) is not None:
        raise NotValid(_("That role has another use here. Please choose another one."))
