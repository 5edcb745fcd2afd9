"""Who can see a group's room, and what peerbot itself gave.

Access follows the seat: whoever holds one, and whoever facilitates, gets a permission of their own on the room (and the
group's role, where the owner chose one); whoever covers at one meeting gets the room until that is over. A grant is
written down before it is given, in most cases with the seat, and forgotten after it is taken: so everything that
peerbot ever gave is on record, and only that is ever taken away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Executable, bindparam, delete, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, members
from peerbot.deliveries import Priority
from peerbot.models import Delivery, Facilitator, Grant, Group, Host, Meeting, Member, Membership
from peerbot.types import insert_for

FAREWELL = timedelta(days=7)
"""How long a closed group's room stays readable."""
COVERED = timedelta(hours=1)
"""How long after a meeting its room stays open to somebody who covered for a facilitator."""
SEATED = ("active", "paused")
ROLE_ABOVE = "role above mine"
"""The problem of somebody whom their room lets in, but whose group's role is not for peerbot to give."""

_seated = exists().where(
    Membership.group_id == Group.group_id, Membership.member_id == Member.member_id, Membership.state.in_(SEATED)
)
_listed = exists().where(Facilitator.group_id == Group.group_id, Facilitator.member_id == Member.member_id)
_covers = exists().where(
    Host.meeting_id == Meeting.meeting_id, Host.member_id == Member.member_id, Host.part == "cover",
    Meeting.group_id == Group.group_id, Meeting.state != "cancelled", Meeting.ends_at > bindparam("over_since"),
)  # fmt: skip
DECIDED = (
    select(Group, Member, or_(_seated, _listed), _covers, Grant.kind, Grant.target_id)
    .join_from(Group, Member, Member.member_id == bindparam("member_id"))
    .outerjoin(Grant, (Grant.group_id == Group.group_id) & (Grant.member_id == Member.member_id))
    .where(Group.group_id == bindparam("group_id"), Group.guild_id == bindparam("guild_id"))
)


@dataclass(frozen=True)
class Wanted:
    """What one person should have, and what peerbot gave them."""

    user_id: int
    wanted: frozenset[tuple[str, int]]
    held: frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Room:
    """Who should see a group's room, and whom peerbot let in: user ids with their member ids.

    `away` are those of them who left the server: nothing is given to them now, and nothing of theirs is strange.
    """

    group_id: int
    room_id: int
    role_id: int | None
    wanted: dict[int, int]
    held: dict[int, int]
    away: frozenset[int]


async def follow(
    session: AsyncSession,
    group: Group,
    member_id: int,
    *,
    at_once: bool = False,
    decided: Wanted | None = None,
    now: datetime,
) -> int:
    """Plan that a person's access follows their seat; return the delivery's id.

    `at_once`: they wait for it. What it will do is then read here, because all that decides it has been written, unless
    the caller has `decided` it.
    """
    planned = await deliveries.plan(
        session,
        "groups.access",
        f"{group.group_id}:{member_id}",
        guild_id=group.guild_id,
        now=now,
        priority=Priority.ACCESS,
        again=True,
        at_once=at_once,
        group_id=group.group_id,
        member_id=member_id,
    )
    for row in session.info["claimed"] if at_once else ():
        if row.delivery_id == planned:
            row.decided = decided or await decide(session, row, now=now)
    return planned


async def follow_all(session: AsyncSession, group: Group, *, now: datetime) -> None:
    """Plan that everyone's access to a group follows their seat."""
    for member_id in sorted(await _member_ids(session, group.group_id)):  # one order, so that nobody deadlocks
        await follow(session, group, member_id, now=now)


async def mend(session: AsyncSession, group_id: int, member_ids: list[int], *, now: datetime) -> None:
    """Plan that the access of these people follows their seats."""
    group = await session.get(Group, group_id)
    if group is not None:
        for member_id in sorted(member_ids):
            await follow(session, group, member_id, now=now)


async def decide(session: AsyncSession, delivery: Delivery, *, now: datetime) -> Wanted | None:
    """Return what the person of a delivery should have now; None when they or the group are gone."""
    given = {"group_id": delivery.group_id, "member_id": delivery.member_id, "guild_id": delivery.guild_id}
    given |= {"over_since": now - COVERED}
    rows = (await session.execute(DECIDED, given)).all()
    if not rows:
        return None
    group, member, entitled, covers, *_ = rows[0]
    wanted = frozenset[tuple[str, int]]()
    if (entitled or covers) and _is_readable(group, now):
        wanted = wanted_in(group) if entitled else frozenset({("room", group.room_id)} if group.room_id else ())
    return Wanted(
        user_id=members.user_id(session, member),
        wanted=wanted,
        held=frozenset((row.kind, row.target_id) for row in rows if row.target_id is not None),
    )


def newly_in(group: Group, user_id: int) -> Wanted:
    """Return what somebody should have who gets a seat in an open group, and to whom nothing was given before."""
    return Wanted(user_id, wanted=wanted_in(group), held=wanted_in(group))  # as `promise` puts it on record


def wanted_in(group: Group) -> frozenset[tuple[str, int]]:
    """Return what whoever is in a group should have."""
    found = (("room", group.room_id), ("role", group.role_id))
    return frozenset((kind, target_id) for kind, target_id in found if target_id)


async def promise(session: AsyncSession, group: Group, member_id: int) -> None:
    """Write down what is given as soon as this is committed, to somebody who gets a seat."""
    wanted = [
        {"group_id": group.group_id, "member_id": member_id, "kind": kind, "target_id": target_id}
        for kind, target_id in sorted(wanted_in(group))
    ]
    if wanted:
        await session.execute(_promised(session.get_bind().dialect.name), wanted)


@cache
def _promised(engine: str) -> Executable:
    return insert_for(engine, Grant.__table__).on_conflict_do_nothing()


async def record(session: AsyncSession, delivery: Delivery, grants: frozenset[tuple[str, int]]) -> None:
    """Write down what is about to be given."""
    assert delivery.group_id is not None and delivery.member_id is not None  # noqa: S101, PT018 - its kind has both
    for kind, target_id in sorted(grants):
        grant = Grant(group_id=delivery.group_id, member_id=delivery.member_id, kind=kind, target_id=target_id)
        await session.merge(grant)
    await session.flush()


async def forget(session: AsyncSession, delivery: Delivery, grants: frozenset[tuple[str, int]]) -> None:
    """Strike out what has been taken away."""
    for kind, target_id in sorted(grants):
        await session.execute(
            delete(Grant).where(
                Grant.group_id == delivery.group_id,
                Grant.member_id == delivery.member_id,
                Grant.kind == kind,
                Grant.target_id == target_id,
            )
        )


async def rooms(session: AsyncSession, guild_id: int, *, group_id: int | None = None, now: datetime) -> list[Room]:
    """Return the rooms of a server, or of one group, with who should be in, to be compared with what Discord says."""
    found: list[Room] = []
    which = (Group.guild_id == guild_id, Group.room_id.is_not(None))
    which = which if group_id is None else (*which, Group.group_id == group_id)
    groups = await session.scalars(select(Group).where(*which))
    for group in groups.all():
        entitled = set[int]()
        if _is_readable(group, now):
            entitled = await _entitled(session, group.group_id) | await _covering(session, group.group_id, now)
        held = await session.scalars(
            select(Grant.member_id).where(Grant.group_id == group.group_id, Grant.target_id == group.room_id)
        )
        held_ids = set(held.all())
        people = (await session.scalars(select(Member).where(Member.member_id.in_(entitled | held_ids)))).all()
        users = {person.member_id: members.user_id(session, person) for person in people}
        found.append(
            Room(
                group_id=group.group_id,
                room_id=group.room_id or 0,
                role_id=group.role_id,
                wanted={users[member_id]: member_id for member_id in entitled if member_id in users},
                held={users[member_id]: member_id for member_id in held_ids if member_id in users},
                away=frozenset(users[person.member_id] for person in people if person.away_since is not None),
            )
        )
    return found


async def _entitled(session: AsyncSession, group_id: int) -> set[int]:
    seats = select(Membership.member_id).where(Membership.group_id == group_id, Membership.state.in_(SEATED))
    listed = select(Facilitator.member_id).where(Facilitator.group_id == group_id)
    return {*(await session.scalars(seats)).all(), *(await session.scalars(listed)).all()}


async def _covering(session: AsyncSession, group_id: int, now: datetime) -> set[int]:
    """Return who covers for a facilitator at a meeting of a group that is not long over; they get the room alone."""
    covers = (
        select(Host.member_id)
        .join(Meeting, Meeting.meeting_id == Host.meeting_id)
        .where(Meeting.group_id == group_id, Meeting.state != "cancelled", Meeting.ends_at > now - COVERED)
        .where(Host.part == "cover")
    )
    return set((await session.scalars(covers)).all())


async def _member_ids(session: AsyncSession, group_id: int) -> set[int]:
    granted = await session.scalars(select(Grant.member_id).where(Grant.group_id == group_id))
    return await _entitled(session, group_id) | set(granted.all())


def _is_readable(group: Group, now: datetime) -> bool:
    return group.state == "open" or (group.closed_at is not None and now < group.closed_at + FAREWELL)
