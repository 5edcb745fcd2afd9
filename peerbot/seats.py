"""The line for a seat: who is offered a seat that is free, until when, and what becomes of the offer.

Invariants: an offered seat is held, so there is never one too many; free seats go to the first in line who is there
and has not let this seat go; no seat is free and unoffered while somebody like that waits. An offer waits for the end
of the quiet hours and stands for 48 hours from the moment at which it can be read, or until shortly before the group's
next meeting, so that the seat goes on in time. Every rule locks the group first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from peerbot import cards, deliveries, members
from peerbot.deliveries import LEASED, PENDING
from peerbot.errors import GroupUnknown, NotInLine
from peerbot.line import IN_LINE, can_have_seat, next_in_line, seats_taken
from peerbot.models import Delivery, Group, Meeting, Member, Membership
from peerbot.quiet import after_quiet
from peerbot.rights import Actor, guild_of, locked
from peerbot.types import KEEPS_KEY

ANSWER = timedelta(hours=48)
"""How long somebody has to answer an offer."""
BEFORE_MEETING = timedelta(minutes=10)
"""How long before a meeting an offer ends, so that whoever takes it can be there."""
AT_LEAST = timedelta(hours=1)
"""How long somebody has to answer, however near a meeting is: one that is nearer makes the offer no shorter."""
LATE = timedelta(hours=1)
"""How late an offer may arrive without being made longer."""
HARDLY = timedelta(hours=12)
"""An offer that a meeting makes shorter than this is made once more when that has begun. A longer one is seen by who
looks once a day; and a group that meets daily writes to nobody each day."""
PATIENCE = 2
"""The offer in a row without an answer that ends a place in line."""


@dataclass(frozen=True)
class Place:
    """Somebody's own place in line: nobody else but facilitators sees it.

    `number` counts from 1. An offer stands until `offered_until`. `can_take` says that a seat can be theirs right now.
    `reach` is how they want to be written to.
    """

    group_id: int
    name: str
    number: int
    offered_until: datetime | None
    can_take: bool
    reach: str | None


@dataclass(frozen=True)
class Offer:
    """What the letter of an offer says; `is_last` says that no answer ends the place in line this time."""

    name: str
    until: datetime
    is_last: bool
    locale: str | None
    zone: str | None


async def offer(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: offer the free seats of a group to whoever is next."""
    group = await _open_group(session, delivery)
    if group is not None:
        await offer_free(session, group, now=now)


async def offer_free(session: AsyncSession, group: Group, *, now: datetime) -> None:
    """Offer the free seats of a locked group to whoever is next."""
    await cards.mark(session, group.guild_id, *cards.PUBLIC, cards.of_group(group.group_id), now=now)
    free = group.capacity - await seats_taken(session, group.group_id)
    if free <= 0:
        return
    guild = await guild_of(session, group.guild_id)
    for membership, member in await next_in_line(session, group.group_id, free):
        membership.state = "offered"
        membership.offer_no += 1
        told_at = after_quiet(now, member.zone or guild.time_zone)
        await _stand(session, group, membership, await _until(session, group, told_at), now)
        await deliveries.plan(
            session, "seats.offer", _letter_key(membership), guild_id=group.guild_id, now=now, due_at=told_at,
            group_id=group.group_id, member_id=member.member_id, subject_id=membership.membership_id,
        )  # fmt: skip


async def expire(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: an offer has had no answer, and the seat goes to the next; the first time, the place in line stays.

    An offer of which nobody was told, because nothing could be sent, is made longer instead. One whose letter can't
    arrive at all, or is not wanted, goes on and is not counted, nor is one that a meeting made short; one that it left
    hardly any time is made once more when it has begun, and not again after that.
    """
    group = await _open_group(session, delivery)
    membership = await session.get(Membership, delivery.subject_id, populate_existing=True)
    if group is None or membership is None or membership.state != "offered":
        return
    if membership.offered_until is None or now < membership.offered_until:
        return  # it was made longer, or is a newer one; that has a step of its own
    letter = await session.scalar(
        select(Delivery).where(
            Delivery.dedupe_key == f"{group.guild_id}:seats.offer:{_letter_key(membership)}",
        )
    )
    if letter is not None and letter.state in (PENDING, LEASED):
        guild, member = await guild_of(session, group.guild_id), await session.get_one(Member, membership.member_id)
        told_at = after_quiet(now, member.zone or guild.time_zone)
        await _stand(session, group, membership, await _until(session, group, told_at), now)
        return
    told_at = letter.ended_at if letter is not None else None
    was_told = letter is None or letter.state == deliveries.DONE
    is_hardly_any = told_at is not None and membership.offered_until - told_at < HARDLY
    if letter is not None and is_hardly_any and not await _is_once_more(session, group, membership, letter):
        await _once_more(session, group, membership, membership.offered_until + BEFORE_MEETING, now)
    elif was_told and (told_at is None or _is_whole(membership.offered_until, told_at)):
        membership.unanswered += 1
    _let_go(membership)
    if membership.unanswered >= PATIENCE:
        await session.delete(membership)
    await session.flush()
    await offer_free(session, group, now=now)


async def _is_once_more(session: AsyncSession, group: Group, membership: Membership, letter: Delivery) -> bool:
    """Return whether an offer is itself the one that was made once more: meetings may be hours apart."""
    before = f"{group.guild_id}:seats.again:{membership.membership_id}:{membership.offer_no - 1}"
    due_at = await session.scalar(select(Delivery.due_at).where(Delivery.dedupe_key == before))
    return due_at is not None and due_at <= letter.created_at


async def _once_more(session: AsyncSession, group: Group, membership: Membership, at: datetime, now: datetime) -> None:
    await deliveries.plan(
        session, "seats.again", _letter_key(membership), guild_id=group.guild_id, now=now, due_at=at,
        group_id=group.group_id, member_id=membership.member_id, subject_id=membership.membership_id,
    )  # fmt: skip


async def offer_again(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: the meeting has begun for which an offer was cut short; who had hardly time to answer is asked again."""
    group = await _open_group(session, delivery)
    membership = await session.get(Membership, delivery.subject_id, populate_existing=True)
    if group is None or membership is None or membership.state != "waiting":
        return
    if delivery.dedupe_key != f"{group.guild_id}:seats.again:{_letter_key(membership)}":
        return  # they have had another offer since
    membership.passed = False
    await session.flush()
    await offer_free(session, group, now=now)


async def announce(session: AsyncSession, delivery: Delivery, *, now: datetime) -> Offer | None:
    """Return what the letter of an offer is to say now; None when the offer is over.

    A letter that comes late makes the offer longer: the time to answer begins when it can be read.
    """
    group = await _open_group(session, delivery)
    membership = await session.get(Membership, delivery.subject_id, populate_existing=True)
    if group is None or membership is None or membership.state != "offered" or membership.offered_until is None:
        return None
    if delivery.dedupe_key != f"{group.guild_id}:seats.offer:{_letter_key(membership)}":
        return None  # of an offer before this one
    until = await _until(session, group, now)
    if membership.offered_until < until - LATE:
        await _stand(session, group, membership, until, now)
    member = await session.get_one(Member, membership.member_id)
    is_last = membership.unanswered + 1 >= PATIENCE and _is_whole(membership.offered_until, now)
    return Offer(group.name, membership.offered_until, is_last, member.locale, member.zone)


async def pass_on(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> Place:
    """Let an offered seat go to the next person and keep the place in line; without an offer, only return the place.

    Raises GroupUnknown or NotInLine.
    """
    group, membership = await _mine(session, actor, group_id)
    if membership.state == "offered":
        _let_go(membership)
        membership.unanswered = 0
        await session.flush()
        await offer_free(session, group, now=now)
    return await _place(session, group, membership)


async def leave_line(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> Group:
    """Give the actor's place in line up, and an offer with it; leave no row of it. Raises GroupUnknown or NotInLine."""
    group, membership = await _mine(session, actor, group_id)
    await session.delete(membership)
    await session.flush()
    await offer_free(session, group, now=now)
    return group


async def step_aside(session: AsyncSession, group: Group, membership: Membership, *, now: datetime) -> None:
    """Offer the seat of somebody who has left the server to the next; their place in line is kept."""
    if membership.state == "offered":
        membership.state = "waiting"
        membership.offered_until = None
        await session.flush()
        await offer_free(session, group, now=now)


async def place(session: AsyncSession, actor: Actor, group_id: int) -> Place:
    """Return the actor's place in line for a group. Raises GroupUnknown or NotInLine."""
    group, membership = await _mine(session, actor, group_id, locks=False)
    return await _place(session, group, membership)


async def places(session: AsyncSession, guild_id: int, user_id: int) -> tuple[Place, ...]:
    """Return a person's places in line in a server: offers first, then by name."""
    me = await members.find(session, guild_id, user_id)
    if me is None:
        return ()
    lines = (
        select(Group, Membership)
        .join(Membership, Membership.group_id == Group.group_id)
        .where(Membership.member_id == me.member_id, Membership.state.in_(IN_LINE), Group.state == "open")
        .order_by(Membership.state != "offered", Group.name_key)
    )
    rows = (await session.execute(lines)).all()
    return tuple([await _place(session, group, membership) for group, membership in rows])


async def _place(session: AsyncSession, group: Group, membership: Membership) -> Place:
    # Who holds an offer stays in the count, so that nobody's number goes up when an offer is passed on.
    ahead = aliased(Membership)
    mine = tuple_(membership.line_at, membership.membership_id)
    before = select(func.count()).where(
        ahead.group_id == group.group_id,
        ahead.state.in_(IN_LINE),
        tuple_(ahead.line_at, ahead.membership_id) < mine,
    )
    member = await session.get_one(Member, membership.member_id)
    return Place(
        group_id=group.group_id,
        name=group.name,
        number=(await session.scalars(before)).one() + 1,
        offered_until=membership.offered_until if membership.state == "offered" else None,
        can_take=await can_have_seat(session, group, membership),
        reach=member.reach,
    )


async def _mine(session: AsyncSession, actor: Actor, group_id: int, *, locks: bool = True) -> tuple[Group, Membership]:
    group = await locked(session, actor.guild_id, group_id) if locks else await session.get(Group, group_id)
    member = await members.find(session, actor.guild_id, actor.user_id)
    membership = await session.scalar(
        select(Membership).where(
            Membership.group_id == group_id,
            Membership.member_id == (member.member_id if member else 0),
            Membership.state.in_(IN_LINE),
        )
    )
    if group is None or group.guild_id != actor.guild_id or member is None:
        raise GroupUnknown  # whoever the server does not know learns no group's name
    if membership is None:
        raise NotInLine(group.name)
    return group, membership


async def _open_group(session: AsyncSession, delivery: Delivery) -> Group | None:
    group = await session.get(Group, delivery.group_id, with_for_update=KEEPS_KEY)
    return group if group is not None and group.guild_id == delivery.guild_id and group.state == "open" else None


async def _until(session: AsyncSession, group: Group, told_at: datetime) -> datetime:
    """Return until when an offer is to stand that can be read from a moment on."""
    next_start = select(func.min(Meeting.starts_at)).where(
        Meeting.group_id == group.group_id,
        Meeting.state == "planned",
        Meeting.starts_at >= told_at + AT_LEAST + BEFORE_MEETING,
    )
    starts_at = await session.scalar(next_start)
    until = told_at + ANSWER
    return until if starts_at is None else min(until, starts_at - BEFORE_MEETING)


def _is_whole(until: datetime, told_at: datetime) -> bool:
    """Return whether an offer stands for as long as offers do, and is not cut short by a meeting."""
    return until - told_at >= ANSWER - LATE


async def _stand(session: AsyncSession, group: Group, membership: Membership, until: datetime, now: datetime) -> None:
    """Let an offer stand until a moment, and have it looked at then."""
    membership.offered_until = until
    await session.flush()
    await deliveries.plan(
        session, "seats.expire", f"{_letter_key(membership)}:{int(until.timestamp() * 1e6)}", guild_id=group.guild_id,
        now=now, due_at=until, group_id=group.group_id, member_id=membership.member_id,
        subject_id=membership.membership_id,
    )  # fmt: skip


def _let_go(membership: Membership) -> None:
    membership.state = "waiting"
    membership.passed = True
    membership.offered_until = None


def _letter_key(membership: Membership) -> str:
    return f"{membership.membership_id}:{membership.offer_no}"
