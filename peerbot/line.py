"""Who is next: how many seats of a group are taken, and whose a free one can be.

Invariants: an offered seat is a taken seat; a free seat is for the first in line who is there and has not let this seat
go, and for anyone once there is nobody like that. The rules that call this hold the group's lock.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Executable, ScalarSelect, Select, bindparam, delete, exists, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, members
from peerbot.access import SEATED
from peerbot.deliveries import Priority
from peerbot.models import Facilitator, Grant, Group, Member, Membership, Task

HOLDING = (*SEATED, "offered")
"""States that count against the seats of a group."""
IN_LINE = ("waiting", "offered")


@dataclass(frozen=True)
class Hope:
    """What somebody is to a group, as they ask for a seat.

    `has_grant` says that peerbot gave them something of the group, as far as is on record. `before_anyone` counts the
    seats that are not for somebody new: those taken, and those that others are next for.
    """

    member: Member | None
    held: Membership | None
    is_listed: bool
    has_task: bool
    has_grant: bool
    before_anyone: int


async def hope_of(session: AsyncSession, group: Group, user_id: int) -> Hope:
    """Return what somebody is to a locked group."""
    sealed = members.seal_of(session).close(group.guild_id, user_id)
    found = await session.execute(_hopes(), {"group_id": group.group_id, "sealed": sealed})
    return Hope(*found.one())


@cache
def _hopes() -> Executable:
    of_group = {table: table.group_id == Group.group_id for table in (Membership, Facilitator, Task, Grant)}
    task = exists().where(of_group[Task], Task.member_id == Member.member_id, Task.done_at.is_(None))
    grant = exists().where(of_group[Grant], Grant.member_id == Member.member_id)
    is_listed, before_anyone = Facilitator.member_id.is_not(None), taken_of_group() + ahead_in_group()
    return (
        select(Member, Membership, is_listed, task, grant, before_anyone)
        .select_from(Group)
        .outerjoin(Member, (Member.guild_id == Group.guild_id) & (Member.sealed_user_id == bindparam("sealed")))
        .outerjoin(Membership, of_group[Membership] & (Membership.member_id == Member.member_id))
        .outerjoin(Facilitator, of_group[Facilitator] & (Facilitator.member_id == Member.member_id))
        .where(Group.group_id == bindparam("group_id"))
    )


async def seats_taken(session: AsyncSession, group_id: int) -> int:
    """Return how many seats of a group are taken, those included that are offered to somebody."""
    taken = select(func.count()).where(Membership.group_id == group_id, Membership.state.in_(HOLDING))
    return (await session.scalars(taken)).one()


def taken_of_group() -> ScalarSelect[int]:
    """Return how many seats of the group of a query are taken, for that query."""
    taken = select(func.count(Membership.membership_id)).where(Membership.group_id == Group.group_id)
    return taken.where(Membership.state.in_(HOLDING)).correlate(Group).scalar_subquery()


def ahead_in_group() -> ScalarSelect[int]:
    """Return how many people in the line of the group of a query would be offered a free seat, for that query."""
    ahead = eligible().with_only_columns(func.count(Membership.membership_id))
    return ahead.where(Membership.group_id == Group.group_id).correlate(Group).scalar_subquery()


async def can_have_seat(session: AsyncSession, group: Group, membership: Membership | None) -> bool:
    """Return whether a seat of a locked group can be this person's now; None is somebody whom the group does not know.

    It can when it is offered to them, when they would be the next to be offered one, or when it is open to anyone.
    """
    if membership is not None and membership.state == "offered":
        return True
    ahead = eligible().where(Membership.group_id == group.group_id)
    if membership is not None and membership.state == "waiting" and not membership.passed:
        mine = tuple_(membership.line_at, membership.membership_id)
        ahead = ahead.where(tuple_(Membership.line_at, Membership.membership_id) < mine)
    first = (await session.scalars(ahead.with_only_columns(func.count()))).one()
    return await seats_taken(session, group.group_id) + first < group.capacity


async def next_in_line(session: AsyncSession, group_id: int, limit: int) -> list[tuple[Membership, Member]]:
    """Return those to whom a free seat is to be offered, in order."""
    order = (Membership.line_at, Membership.membership_id)
    rows = await session.execute(eligible().where(Membership.group_id == group_id).order_by(*order).limit(limit))
    return [(membership, member) for membership, member in rows]


def eligible() -> Select[Membership, Member]:
    """Return a query for people in line to whom a free seat may be offered: they are here, and did not let it go."""
    return (
        select(Membership, Member)
        .join(Member, Member.member_id == Membership.member_id)
        .where(
            Membership.state == "waiting",
            Membership.passed.is_(False),
            Member.away_since.is_(None),
        )
    )


def numbers(group_id: int) -> Select[int, int]:
    """Return a query for who is in a group's line, as member ids with their numbers."""
    number = func.row_number().over(order_by=(Membership.line_at, Membership.membership_id))
    return select(Membership.member_id, number).where(Membership.group_id == group_id, Membership.state.in_(IN_LINE))


async def seat_freed(session: AsyncSession, group: Group, *, now: datetime) -> None:
    """Have another seat of a locked group offered to the line: to all of it anew, whatever they let go before."""
    line = (Membership.group_id == group.group_id, Membership.state.in_(IN_LINE))
    anew = update(Membership).where(*line).values(passed=False).returning(Membership.membership_id)
    if (await session.scalars(anew)).all():
        await plan_offers(session, group, now=now)


async def plan_offers(session: AsyncSession, group: Group, *, now: datetime) -> None:
    """Have the free seats of a locked group offered to whoever is next."""
    # A new row each time, and not one that runs again: whoever frees a seat holds the group and would wait for the row,
    # while the step that runs it holds the row and waits for the group.
    await deliveries.plan(
        session, "seats.free", f"{group.group_id}:{secrets.token_hex(8)}", guild_id=group.guild_id, now=now,
        priority=Priority.ACCESS, group_id=group.group_id,
    )  # fmt: skip


async def end(session: AsyncSession, group: Group, *, now: datetime) -> None:
    """Take everybody out of a closed group who is in line, and have each told, with the way to other groups."""
    hoping = (Membership.group_id == group.group_id, Membership.state.in_(IN_LINE))
    gone = await session.scalars(delete(Membership).where(*hoping).returning(Membership.member_id))
    for member_id in sorted(gone.all()):
        await deliveries.plan(
            session, "seats.closed", f"{group.group_id}:{member_id}", guild_id=group.guild_id, now=now,
            group_id=group.group_id, member_id=member_id,
        )  # fmt: skip
