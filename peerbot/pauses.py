"""Resting: a pause keeps somebody's seat for twelve weeks, and no reason is asked.

After four weeks they are asked once how they would like to go on; whoever does not answer keeps the seat for as long.
Invariants: a paused seat is a taken seat; what was planned with a pause is done for that pause only, not for one that
began after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, groups
from peerbot.errors import GroupClosed
from peerbot.models import Delivery, Group, Membership
from peerbot.rights import Actor, locked
from peerbot.types import KEEPS_KEY

PAUSE = timedelta(weeks=12)
"""How long a paused seat is kept."""
ASKED = timedelta(weeks=4)
"""How long after its beginning somebody is asked whether their pause goes on."""
OVER, ASKS = "groups.pause_over", "groups.still_resting"


@dataclass(frozen=True)
class Rest:
    """A pause: of which group, and until when the seat is kept."""

    group_id: int
    name: str
    until: datetime


async def pause(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> datetime:
    """Keep the actor's seat while they rest; return until when. Raises GroupUnknown, NotMember or GroupClosed."""
    group = await locked(session, actor.guild_id, group_id)
    membership = await groups.seat_of(session, group, actor)
    if group.state != "open":
        raise GroupClosed(group.name)
    if membership.state == "paused" and membership.paused_until is not None:
        return membership.paused_until
    until = now.replace(microsecond=0) + PAUSE  # by the second, as what is planned with it is named
    membership.state = "paused"
    membership.paused_until = until
    await session.flush()
    about: dict[str, Any] = {
        "guild_id": group.guild_id, "now": now, "group_id": group_id, "member_id": membership.member_id,
        "subject_id": membership.membership_id,
    }  # fmt: skip
    await deliveries.plan(session, OVER, _key(membership, until), due_at=until, **about)
    await deliveries.plan(session, ASKS, _key(membership, until), due_at=now + ASKED, not_after=until, **about)
    return until


async def resume(session: AsyncSession, actor: Actor, group_id: int) -> Group:
    """End the actor's pause. Raises GroupUnknown, NotMember or GroupClosed."""
    group = await locked(session, actor.guild_id, group_id)
    membership = await groups.seat_of(session, group, actor)
    if group.state != "open":
        raise GroupClosed(group.name)
    membership.state = "active"
    membership.paused_until = None
    await session.flush()
    return group


async def still(session: AsyncSession, delivery: Delivery, *, now: datetime) -> Rest | None:
    """Return the pause with which a delivery was planned, if it goes on and the group does too."""
    group = await groups.find(session, delivery)
    membership = await session.get(Membership, delivery.subject_id or 0)
    if group is None or group.state != "open" or membership is None:
        return None
    until = membership.paused_until if membership.state == "paused" else None
    if until is None or until <= now or membership.member_id != delivery.member_id:
        return None
    is_this_one = delivery.dedupe_key == f"{delivery.guild_id}:{delivery.kind}:{_key(membership, until)}"
    return Rest(group.group_id, group.name, until) if is_this_one else None


def _key(membership: Membership, until: datetime) -> str:
    return f"{membership.membership_id}:{int(until.timestamp())}"


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
