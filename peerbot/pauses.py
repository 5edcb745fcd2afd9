"""Resting: a pause keeps somebody's seat for twelve weeks, and no reason is asked.

Invariant: a paused seat is a taken seat; it goes to somebody else only at the end of the pause that holds now, not of
one that was ended before.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, groups
from peerbot.errors import GroupClosed
from peerbot.models import Delivery, Group, Membership
from peerbot.rights import Actor, locked
from peerbot.types import KEEPS_KEY

PAUSE = timedelta(weeks=12)
"""How long a paused seat is kept."""


async def pause(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> datetime:
    """Keep the actor's seat while they rest; return until when. Raises GroupUnknown, NotMember or GroupClosed."""
    group = await locked(session, actor.guild_id, group_id)
    membership = await groups.seat_of(session, group, actor)
    if group.state != "open":
        raise GroupClosed(group.name)
    if membership.state == "paused" and membership.paused_until is not None:
        return membership.paused_until
    until = now + PAUSE
    membership.state = "paused"
    membership.paused_until = until
    await session.flush()
    await deliveries.plan(
        session, "groups.pause_over", f"{membership.membership_id}:{int(until.timestamp())}",
        guild_id=group.guild_id, now=now, due_at=until, group_id=group_id,
        member_id=membership.member_id, subject_id=membership.membership_id,
    )  # fmt: skip
    return until


async def resume(session: AsyncSession, actor: Actor, group_id: int) -> Group:
    """End the actor's pause. Raises GroupUnknown or NotMember."""
    group = await locked(session, actor.guild_id, group_id)
    membership = await groups.seat_of(session, group, actor)
    membership.state = "active"
    membership.paused_until = None
    await session.flush()
    return group


async def end_pause(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: a pause has reached its end, and the seat goes to somebody else."""
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    membership = await session.get(Membership, delivery.subject_id)
    if group is None or membership is None or membership.state != "paused":
        return
    if membership.paused_until is not None and membership.paused_until <= now:
        await session.delete(membership)
        await session.flush()
        await groups.let_out(session, group, membership.member_id, now=now)
