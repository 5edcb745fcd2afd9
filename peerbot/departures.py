"""People who leave the server, and who come back.

A seat waits for seven days: people leave on bad days. After that it goes to somebody else.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, cards, deliveries, members
from peerbot.access import SEATED
from peerbot.groups import RETURN
from peerbot.models import Delivery, Facilitator, Group, Member, Membership

BATCH = 100
"""User ids that Discord answers for in one request (gateway-events.mdx, "Request Guild Members")."""


async def leave(session: AsyncSession, guild_id: int, user_id: int, *, now: datetime) -> None:
    """Note that a person has left the server; their seats wait for seven days."""
    member = await members.find(session, guild_id, user_id)
    if member is None or member.away_since is not None:
        return
    member.away_since = now
    await session.flush()
    await deliveries.plan(
        session, "groups.seat_lapses", f"{member.member_id}:{int(now.timestamp())}", guild_id=guild_id, now=now,
        due_at=now + RETURN, member_id=member.member_id,
    )  # fmt: skip


async def come_back(session: AsyncSession, guild_id: int, user_id: int, *, now: datetime) -> None:
    """Welcome a person back: their seats are theirs, and their access is made whole."""
    member = await members.find(session, guild_id, user_id)
    if member is None or member.away_since is None:
        return
    member.away_since = None
    await session.flush()
    for group in await _groups_of(session, member.member_id):
        await access.follow(session, group, member.member_id, now=now)


async def lapse(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Give the seats of somebody up who has been away for seven days."""
    member = await session.get(Member, delivery.member_id)
    if member is None or member.away_since is None or now < member.away_since + RETURN:
        return
    for group in await _groups_of(session, member.member_id):
        await session.get(Group, group.group_id, with_for_update=True)
        mine = (Membership.group_id == group.group_id, Membership.member_id == member.member_id)
        await session.execute(delete(Membership).where(*mine, Membership.state.in_(SEATED)))
        await session.execute(
            delete(Facilitator).where(Facilitator.group_id == group.group_id, Facilitator.member_id == member.member_id)
        )
        await access.follow(session, group, member.member_id, now=now)
        await cards.mark(session, group.guild_id, None, group.group_id, now=now)


async def known(session: AsyncSession, guild_id: int, *, after: int = 0) -> list[tuple[int, int]]:
    """Return member id and user id of our next hundred members of a server who hold or keep a seat, in order."""
    seated = select(Membership.member_id).union(select(Facilitator.member_id))
    ours = (
        select(Member)
        .where(Member.guild_id == guild_id, Member.member_id > after, Member.member_id.in_(seated))
        .order_by(Member.member_id)
        .limit(BATCH)
    )
    return [(member.member_id, members.user_id(session, member)) for member in await session.scalars(ours)]


async def compare(
    session: AsyncSession, guild_id: int, asked: Collection[int], present: Collection[int], *, now: datetime
) -> None:
    """Note who of the asked users left or came back while peerbot was not looking."""
    for member in await members.find_all(session, guild_id, asked):
        user_id = members.user_id(session, member)
        if user_id in present:
            await come_back(session, guild_id, user_id, now=now)
        else:
            await leave(session, guild_id, user_id, now=now)


async def _groups_of(session: AsyncSession, member_id: int) -> list[Group]:
    seats = select(Membership.group_id).where(Membership.member_id == member_id, Membership.state.in_(SEATED))
    listed = select(Facilitator.group_id).where(Facilitator.member_id == member_id)
    found = await session.scalars(select(Group).where(Group.group_id.in_(seats.union(listed))))
    return list(found.all())
