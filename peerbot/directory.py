"""What can be seen of groups, and by whom.

Anyone sees what a group is like and how many seats it has; nobody but its facilitators sees who is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, Integer, ScalarSelect, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import line, members
from peerbot.access import ROLE_ABOVE, SEATED
from peerbot.deliveries import DEAD, LEASED, PENDING
from peerbot.errors import GroupUnknown
from peerbot.models import Delivery, Facilitator, Group, Member, Membership, Task
from peerbot.rights import Actor, guild_of, require_group_facilitator
from peerbot.text import clean

PAGE = 6
"""Groups on one page of a card; Discord takes 40 components."""
NOT_YET = frozenset({PENDING, LEASED, DEAD})
"""States of a delivery that has not happened."""
LONGEST_ID = 18
"""Digits of an id that both databases can count to."""
MOST_PEOPLE = 60
"""People of a group who are read at once: those with a seat, then those in line, then those who were removed."""
CHOICES = 25
"""Choices that Discord shows while somebody types."""


@dataclass(frozen=True)
class GroupView:
    """What anyone may see of a group. Of the people `waiting`, those `ahead` are to be offered a free seat first."""

    group_id: int
    name: str
    about: str
    topic: str
    meets_by: str
    capacity: int
    taken: int
    is_open: bool
    facilitator_ids: tuple[int, ...] = ()
    waiting: int = 0
    ahead: int = 0
    hello_first: bool = False

    @property
    def free(self) -> int:
        """Seats that somebody gets who comes now: not taken, and not to be offered to people in line first."""
        return max(self.capacity - self.taken - self.ahead, 0)


@dataclass(frozen=True)
class Page:
    """Some groups of a server, and whether there are more."""

    groups: tuple[GroupView, ...]
    number: int
    has_more: bool


@dataclass(frozen=True)
class Seat:
    """A seat of the person who asks, or their hello, which is one to be (`state`), and where they talk about it."""

    group_id: int
    name: str
    room_id: int | None
    is_open: bool
    is_let_in: bool
    paused_until: datetime | None
    state: str = "active"
    thread_id: int | None = None


@dataclass(frozen=True)
class Tended:
    """A group that the person who asks looks after; `may_act` says that they still hold the right to."""

    group_id: int
    name: str
    room_id: int | None
    is_open: bool
    may_act: bool


@dataclass(frozen=True)
class Person:
    """Somebody in a group, for its facilitators; `number` is their place in line."""

    member_id: int
    user_id: int
    state: str
    removed_for: str | None = None
    number: int | None = None


@dataclass(frozen=True)
class Roster:
    """Who is in a group, for its facilitators."""

    group: GroupView
    people: tuple[Person, ...]
    facilitators: tuple[Person, ...]
    has_room: bool = True


async def view(session: AsyncSession, guild_id: int, group_id: int) -> GroupView:
    """Return a group of a server; raise GroupUnknown."""
    row = (await session.execute(_one(), {"guild_id": guild_id, "group_id": group_id})).one_or_none()
    if row is None:
        raise GroupUnknown
    listed = await session.scalars(_listed(), {"group_id": group_id})
    return _view(*row, facilitator_ids=tuple(members.user_id(session, member) for member in listed))


async def several(session: AsyncSession, guild_id: int, group_ids: Sequence[int]) -> dict[int, GroupView]:
    """Return some groups of a server by their ids, without the names of their facilitators."""
    rows = await session.execute(_views().where(Group.group_id.in_(group_ids)), {"guild_id": guild_id})
    return {view.group_id: view for view in (_view(*row) for row in rows)}


async def page(
    session: AsyncSession,
    guild_id: int,
    *,
    number: int = 0,
    topic: str = "",
    free: bool = False,
    without: int | None = None,
    size: int = PAGE,
) -> Page:
    """Return one page of open groups by name, of a topic and with a free seat where that is asked.

    `without` leaves the groups of a member out: where they are or hope to be, that they look after, or where they were
    told no.
    """
    given = {"guild_id": guild_id, "topic": topic, "without": without, "start": number * size, "most": size + 1}
    wanted = _some(of_topic=bool(topic), free=free, without=without is not None)
    rows = (await session.execute(wanted, given)).all()
    return Page(tuple(_view(*row) for row in rows[:size]), number, len(rows) > size)


@cache
def _some(*, of_topic: bool, free: bool, without: bool) -> Select[Group, int, int, int]:
    asked: list[ColumnElement[bool]] = [Group.state == "open"]
    if of_topic:
        asked.append(func.lower(Group.topic) == func.lower(bindparam("topic")))  # SQLite folds no letter but A to Z
    if free:
        asked.append(line.taken_of_group() + line.ahead_in_group() < Group.capacity)
    if without:
        them = bindparam("without")
        known = select(Membership.group_id).where(Membership.member_id == them)
        asked.append(
            Group.group_id.not_in(known.union(select(Facilitator.group_id).where(Facilitator.member_id == them)))
        )
    found = _views().where(*asked).order_by(Group.name_key)
    return found.offset(bindparam("start", type_=Integer())).limit(bindparam("most", type_=Integer()))


@cache
def _one() -> Select[Group, int, int, int]:
    return _views().where(Group.group_id == bindparam("group_id"))


@cache
def _listed() -> Select[Member]:
    listed = select(Member).join(Facilitator).where(Facilitator.group_id == bindparam("group_id"))
    return listed.order_by(Facilitator.since)


async def others(session: AsyncSession, guild_id: int, user_id: int, *, size: int) -> Page:
    """Return the first groups with a free seat that somebody could go to instead."""
    me = await members.find(session, guild_id, user_id)
    return await page(session, guild_id, free=True, without=me.member_id if me is not None else None, size=size)


async def topics(session: AsyncSession, guild_id: int, *, like: str = "") -> Sequence[str]:
    """Return topics of open groups that contain some letters."""
    wanted = _topics().where(Group.topic.icontains(like, autoescape=True)) if like else _topics()
    return (await session.scalars(wanted, {"guild_id": guild_id})).all()


@cache
def _topics() -> Select[str]:
    found = select(Group.topic).where(Group.guild_id == bindparam("guild_id"), Group.state == "open", Group.topic != "")
    return found.distinct().order_by(Group.topic).limit(CHOICES)


async def choices(
    session: AsyncSession, actor: Actor, *, like: str = "", closed_since: datetime | None = None
) -> list[tuple[str, int]]:
    """Return name and id of the groups that the actor may change, whose names contain some letters.

    They are open, or closed after `closed_since` where that is given.
    """
    guild = await guild_of(session, actor.guild_id)
    wanted: ColumnElement[bool] = Group.state == "open"
    wanted = wanted if closed_since is None else wanted | (Group.closed_at > closed_since)
    named = select(Group).where(Group.guild_id == actor.guild_id, wanted, Group.name.icontains(like, autoescape=True))
    if not actor.manages:
        if guild.facilitator_role_id not in actor.role_ids:
            return []
        me = await members.find(session, actor.guild_id, actor.user_id)
        named = named.join(Facilitator).where(Facilitator.member_id == (me.member_id if me else 0))
    found = await session.scalars(named.order_by(Group.name_key).limit(CHOICES))
    return [(group.name, group.group_id) for group in found]


async def named(session: AsyncSession, guild_id: int, words: str, *, closed_since: datetime | None = None) -> int:
    """Return the id of the open group that somebody chose (its id) or typed (its name); raise GroupUnknown.

    One that closed after `closed_since` is meant when no open one is.
    """
    ways = [Group.group_id == int(words)] if words.isdecimal() and len(words) <= LONGEST_ID else []
    states = [Group.state == "open", *([Group.closed_at > closed_since] if closed_since is not None else [])]
    for state in states:
        for which in (*ways, _named(words)):
            is_it = select(Group.group_id).where(Group.guild_id == guild_id, state, which)
            found = await session.scalar(is_it.order_by(Group.closed_at.desc()).limit(1))
            if found is not None:
                return found
    raise GroupUnknown


async def seats(session: AsyncSession, guild_id: int, user_id: int) -> tuple[Seat, ...]:
    """Return the seats of a person in a server, and the groups that they said hello to."""
    me = await members.find(session, guild_id, user_id)
    if me is None:
        return ()
    mine = (
        select(Group, Membership, Delivery.state, Delivery.problem, Task.thread_id)
        .join(Membership, Membership.group_id == Group.group_id)
        .outerjoin(
            Delivery,
            (Delivery.group_id == Group.group_id)
            & (Delivery.member_id == Membership.member_id)
            & (Delivery.kind == "groups.access"),
        )
        .outerjoin(
            Task,
            (Task.group_id == Group.group_id) & (Task.member_id == Membership.member_id) & Task.done_at.is_(None),
        )
        .where(Membership.member_id == me.member_id, Membership.state.in_((*SEATED, "hello")))
        .order_by(Group.name_key)
    )
    return tuple(
        Seat(
            group.group_id,
            group.name,
            group.room_id,
            group.state == "open",
            group.room_id is not None and (access not in NOT_YET or problem == ROLE_ABOVE),
            membership.paused_until,
            membership.state,
            thread_id,
        )
        for group, membership, access, problem, thread_id in await session.execute(mine)
    )


async def tended(session: AsyncSession, actor: Actor) -> tuple[Tended, ...]:
    """Return the groups that the actor is listed for, by name."""
    me = await members.find(session, actor.guild_id, actor.user_id)
    if me is None:
        return ()
    may_act = actor.manages or (await guild_of(session, actor.guild_id)).facilitator_role_id in actor.role_ids
    listed = select(Group).join(Facilitator).where(Facilitator.member_id == me.member_id).order_by(Group.name_key)
    return tuple(
        Tended(group.group_id, group.name, group.room_id, group.state == "open", may_act)
        for group in await session.scalars(listed)
    )


async def room_of(session: AsyncSession, guild_id: int, group_id: int) -> int | None:
    """Return the channel of a group, if it has one."""
    return await session.scalar(select(Group.room_id).where(Group.guild_id == guild_id, Group.group_id == group_id))


async def roster(session: AsyncSession, actor: Actor, group_id: int) -> Roster:
    """Return who is in a group; raise NotAllowed unless the actor looks after it, or GroupUnknown."""
    guild = await guild_of(session, actor.guild_id)
    group = await session.get(Group, group_id)
    if group is None or group.guild_id != actor.guild_id:
        raise GroupUnknown
    await require_group_facilitator(session, guild, group, actor)
    people = (
        select(Member, Membership)
        .join(Membership, Membership.member_id == Member.member_id)
        .where(Membership.group_id == group_id, Membership.state != "hello")  # who says hello is a task
        .order_by(
            Membership.state == "removed", Membership.line_at.is_not(None), Membership.line_at, Membership.joined_at
        )
        .order_by(Membership.membership_id)
        .limit(MOST_PEOPLE)
    )
    numbers = dict((await session.execute(line.numbers(group_id))).all())
    listed = select(Member).join(Facilitator).where(Facilitator.group_id == group_id).order_by(Facilitator.since)
    return Roster(
        await view(session, actor.guild_id, group_id),
        tuple(
            Person(
                member.member_id,
                members.user_id(session, member),
                seat.state,
                seat.removed_for,
                numbers.get(member.member_id),
            )
            for member, seat in await session.execute(people)
        ),
        tuple(
            Person(member.member_id, members.user_id(session, member), "facilitator")
            for member in await session.scalars(listed)
        ),
        has_room=group.room_id is not None,
    )


def _count(*which: ColumnElement[bool]) -> ScalarSelect[int]:
    counted = select(func.count(Membership.membership_id)).where(Membership.group_id == Group.group_id, *which)
    return counted.correlate(Group).scalar_subquery()


def _views() -> Select[Group, int, int, int]:
    waiting = _count(Membership.state == "waiting")
    return select(Group, line.taken_of_group(), waiting, line.ahead_in_group()).where(
        Group.guild_id == bindparam("guild_id")
    )


def _named(words: str) -> ColumnElement[bool]:
    return Group.name_key == clean(words).casefold()


def _view(group: Group, taken: int, waiting: int, ahead: int, facilitator_ids: tuple[int, ...] = ()) -> GroupView:
    return GroupView(
        group_id=group.group_id,
        name=group.name,
        about=group.about,
        topic=group.topic,
        meets_by=group.meets_by,
        capacity=group.capacity,
        taken=taken,
        is_open=group.state == "open",
        facilitator_ids=facilitator_ids,
        waiting=waiting,
        ahead=ahead,
        hello_first=group.hello_first,
    )
