"""Who looks after a group.

Being listed gives the room and, together with the server's facilitator role, the right. A group may be without
facilitators for a while; whoever manages the server can always act.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, cards, groups, members, readers, tasks
from peerbot.errors import NotValid
from peerbot.line import HOLDING, seat_freed
from peerbot.models import Facilitator, Membership
from peerbot.rights import Actor, facilitates, guild_of
from peerbot.text import _


@dataclass(frozen=True)
class Struck:
    """Somebody who was struck off a group's list; `sees_on` says whether who did it may still see who is in it."""

    name: str
    access_id: int
    sees_on: bool


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
    return await access.follow(session, group, member.member_id, now=now)


async def remove(session: AsyncSession, actor: Actor, group_id: int, member_id: int, *, now: datetime) -> Struck:
    """Strike a facilitator of a group off its list, the actor too, who needs no reason. Raises like `add`."""
    guild = await guild_of(session, actor.guild_id)
    group = await groups.locked_for(session, actor, group_id, closed_too=True)
    listed = await session.get(Facilitator, (group_id, member_id))
    if listed is None:
        raise NotValid(_("They do not look after this group any more. Nothing was changed."))
    await session.delete(listed)
    await session.flush()
    await readers.shut_out(session, group, member_id, now=now)
    await cards.mark(session, group.guild_id, cards.of_group(group_id), now=now)
    access_id = await access.follow(session, group, member_id, now=now)
    return Struck(group.name, access_id, sees_on=await facilitates(session, guild, group, actor))
