"""People who leave the server, and who come back.

A seat and a place in line wait for seven days: people leave on bad days. After that they go to somebody else. A seat
that was only offered goes on to the next at once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, delete, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, cards, deliveries, duty, members, rooms, seats, tasks
from peerbot.groups import RETURN
from peerbot.line import HOLDING, plan_offers, seat_freed
from peerbot.models import Delivery, Facilitator, Group, Member, Membership, Task

BATCH = 100
"""User ids that Discord answers for in one request (gateway-events.mdx, "Request Guild Members")."""


async def leave(session: AsyncSession, guild_id: int, user_id: int, *, now: datetime) -> None:
    """Note that a person has left the server; their seats wait for seven days."""
    member = await members.find(session, guild_id, user_id)
    if member is None or member.away_since is not None:
        return
    groups_of = await _groups_of(session, member.member_id)  # before the member: rules lock in this order
    member.away_since = now
    await session.flush()
    for group in groups_of:
        membership = await session.scalar(_membership(group, member))
        if membership is not None:
            await seats.step_aside(session, group, membership, now=now)
    await deliveries.plan(
        session, "groups.seat_lapses", f"{member.member_id}:{int(now.timestamp())}", guild_id=guild_id, now=now,
        due_at=now + RETURN, member_id=member.member_id,
    )  # fmt: skip
    await tasks.follow(session, guild_id, member_id=member.member_id, now=now)


async def come_back(session: AsyncSession, guild_id: int, user_id: int, *, now: datetime) -> None:
    """Welcome a person back: their seats are theirs, their access is made whole, and reminders are planned again."""
    member = await members.find(session, guild_id, user_id)
    if member is None or member.away_since is None:
        return
    groups_of = await _groups_of(session, member.member_id)
    member.away_since = None
    await session.flush()
    for group in groups_of:
        await plan_offers(session, group, now=now)  # a free seat may be theirs now
        await access.follow(session, group, member.member_id, now=now)
    await tasks.follow(session, guild_id, member_id=member.member_id, now=now)
    await deliveries.plan(
        session, "meetings.back", str(member.member_id), guild_id=guild_id, now=now, again=True,
        member_id=member.member_id,
    )  # fmt: skip


async def lapse(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Give the seats of somebody up who has been away for seven days."""
    member = await session.get(Member, delivery.member_id)
    if member is None or member.away_since is None:
        return
    groups_of = await _groups_of(session, member.member_id)
    if not await _is_long_gone(session, member, now):
        return
    for group in groups_of:
        membership = await session.scalar(_membership(group, member))
        if membership is not None:
            frees = membership.state in HOLDING
            await session.delete(membership)
            await session.flush()
            if frees:
                await seat_freed(session, group, now=now)
        which = (Facilitator.group_id == group.group_id, Facilitator.member_id == member.member_id)
        struck = delete(Facilitator).where(*which).returning(Facilitator.group_id)
        if (await session.scalars(struck)).all():
            await duty.tell_if_nobody(session, group, now=now)
        await rooms.forget_answers(session, group, member.member_id, now=now)
        await access.follow(session, group, member.member_id, now=now)
        await duty.listed_anew(session, group, now=now)
        await cards.mark(session, group.guild_id, *cards.PUBLIC, cards.of_group(group.group_id), now=now)
    await tasks.end(session, member.guild_id, "left", member_id=member.member_id, now=now)


async def _is_long_gone(session: AsyncSession, member: Member, now: datetime) -> bool:
    """Return whether somebody is away for seven days, as the database says at this moment: they may just be back."""
    await session.refresh(member)
    return member.away_since is not None and now >= member.away_since + RETURN


async def known(session: AsyncSession, guild_id: int, *, after: int = 0) -> list[tuple[int, int]]:
    """Return member id and user id of our next hundred members of a server who are to be looked for, in order.

    Those who hold or hope for something, and those who are away: nobody else would see that they are back.
    """
    is_of_interest = or_(
        Member.away_since.is_not(None),
        exists().where(Membership.member_id == Member.member_id),
        exists().where(Facilitator.member_id == Member.member_id),
        exists().where(Task.member_id == Member.member_id, Task.done_at.is_(None)),
    )
    ours = (
        select(Member)
        .where(Member.guild_id == guild_id, Member.member_id > after, is_of_interest)
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
    """Return the groups in which somebody is, or hopes to be, or that they look after; locked."""
    own = select(Membership.group_id).where(Membership.member_id == member_id, Membership.state != "removed")
    listed = select(Facilitator.group_id).where(Facilitator.member_id == member_id)
    # One order, so that two people who leave at once do not wait for each other.
    found = select(Group).where(Group.group_id.in_(own.union(listed))).order_by(Group.group_id)
    return list((await session.scalars(found.with_for_update(key_share=True))).all())


def _membership(group: Group, member: Member) -> Select[Membership]:
    return select(Membership).where(
        Membership.group_id == group.group_id,
        Membership.member_id == member.member_id,
        Membership.state != "removed",
    )
