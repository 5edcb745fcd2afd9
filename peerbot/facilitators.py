"""Who looks after a group.

Being listed gives the room and, together with the server's facilitator role, the right. A group may be without
facilitators for a while; whoever manages the server can always act.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, cards, duty, groups, members, readers, rooms, tasks
from peerbot.errors import NotValid
from peerbot.line import HOLDING, seat_freed
from peerbot.models import Facilitator, Group, Membership
from peerbot.rights import Actor, facilitates, guild_of, locked
from peerbot.text import _


@dataclass(frozen=True)
class Struck:
    """Somebody who was struck off a group's list; `sees_on` says whether who did it may still see who is in it."""

    name: str
    access_id: int
    sees_on: bool


@dataclass(frozen=True)
class Leaving:
    """A group that somebody stops looking after; `is_last` says that nobody else does."""

    group_id: int
    name: str
    is_last: bool
    access_id: int = 0


async def add(
    session: AsyncSession, actor: Actor, group_id: int, user_id: int, role_ids: frozenset[int], *, now: datetime
) -> int:
    """List a person as a group's facilitator, a member of it until then or not; return the delivery of their access.

    Raises NotAllowed, GroupUnknown, or NotValid unless the person holds the facilitator role.
    """
    guild = await guild_of(session, actor.guild_id)
    group = await groups.locked_for(session, actor, group_id)
    if guild.facilitator_role_id not in role_ids:
        raise NotValid(_("They need the facilitator role first. Please give it to them, then try again."))
    member = await members.of(session, actor.guild_id, user_id, now=now)
    if await session.get(Facilitator, (group_id, member.member_id)) is None:
        session.add(Facilitator(group_id=group_id, member_id=member.member_id, since=now))
    seat = await session.scalar(
        select(Membership).where(Membership.group_id == group_id, Membership.member_id == member.member_id)
    )
    if seat is not None:
        frees = seat.state in HOLDING
        await session.delete(seat)
        await session.flush()
        if frees:
            await seat_freed(session, group, now=now)
    await session.flush()
    await tasks.end(session, guild.guild_id, "left", group_id=group_id, member_id=member.member_id, now=now)
    await tasks.follow(session, guild.guild_id, group_ids=[group_id], now=now)
    await cards.mark(session, guild.guild_id, *cards.PUBLIC, cards.of_group(group_id), now=now)
    await duty.listed_anew(session, group, now=now)
    return await access.follow(session, group, member.member_id, now=now)


async def remove(session: AsyncSession, actor: Actor, group_id: int, member_id: int, *, now: datetime) -> Struck:
    """Strike a facilitator of a group off its list, the actor too, who needs no reason. Raises like `add`."""
    guild = await guild_of(session, actor.guild_id)
    group = await groups.locked_for(session, actor, group_id, closed_too=True)
    listed = await session.get(Facilitator, (group_id, member_id))
    if listed is None:
        raise NotValid(_("They do not look after this group any more. Nothing was changed."))
    access_id = await _strike(session, group, listed, now=now)
    return Struck(group.name, access_id, sees_on=await facilitates(session, guild, group, actor))


async def may_step_back(session: AsyncSession, actor: Actor, group_id: int) -> Leaving:
    """Return the group that the actor looks after and would leave. Raises GroupUnknown or NotValid."""
    group, listed = await _own(session, actor, group_id)
    return Leaving(group.group_id, group.name, await _is_last(session, listed))


async def step_back(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> Leaving:
    """Let the actor go who looks after a group, with or without the role, and without a reason.

    If nobody is left, whoever manages the server is told in the staff channel. Raises like `may_step_back`.
    """
    group, listed = await _own(session, actor, group_id)
    last = await _is_last(session, listed)
    access_id = await _strike(session, group, listed, now=now)
    await duty.tell_if_nobody(session, group, now=now)
    return Leaving(group.group_id, group.name, last, access_id)


async def lacks(session: AsyncSession, guild_id: int, group_id: int | None) -> Group | None:
    """Return an open group of a server, if nobody looks after it."""
    found = select(Group).where(Group.group_id == group_id, Group.guild_id == guild_id, Group.state == "open")
    listed = select(Facilitator.member_id).where(Facilitator.group_id == group_id)
    return await session.scalar(found.where(~listed.exists()))


async def _own(session: AsyncSession, actor: Actor, group_id: int) -> tuple[Group, Facilitator]:
    group = await locked(session, actor.guild_id, group_id)
    me = await members.find(session, actor.guild_id, actor.user_id)
    listed = await session.get(Facilitator, (group_id, me.member_id)) if me is not None else None
    if listed is None:
        raise NotValid(_("You do not look after this group any more. Nothing was changed."))
    return group, listed


async def _is_last(session: AsyncSession, listed: Facilitator) -> bool:
    others = (Facilitator.group_id == listed.group_id, Facilitator.member_id != listed.member_id)
    return await session.scalar(select(Facilitator.member_id).where(*others).limit(1)) is None


async def _strike(session: AsyncSession, group: Group, listed: Facilitator, *, now: datetime) -> int:
    member_id = listed.member_id
    await session.delete(listed)
    await session.flush()
    await readers.shut_out(session, group, member_id, now=now)
    await cards.mark(session, group.guild_id, cards.of_group(group.group_id), now=now)
    await duty.listed_anew(session, group, now=now)
    await rooms.forget_answers(session, group, member_id, now=now)
    return await access.follow(session, group, member_id, now=now)
