"""Groups and their seats: who may create and change a group, who gets a seat, who leaves.

Invariant: never more seats taken than the group has. A paused seat and an offered seat are taken seats. Nobody jumps
the line: whoever is not in it gets a seat only when everyone in it could have one as well. Every rule that takes or
frees a seat locks the group's row first, so that of two people on the last seat one gets it and the other is told so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, cards, deliveries, line, members, rooms, tasks
from peerbot.access import SEATED
from peerbot.errors import (
    AgreementNeeded,
    AlreadyMember,
    GroupClosed,
    GroupFull,
    GroupUnknown,
    HelloFirst,
    InLine,
    NameTaken,
    NotMember,
    NotValid,
    WasRemoved,
)
from peerbot.line import HOLDING, IN_LINE, can_have_seat, seat_freed, seats_taken
from peerbot.models import Delivery, Facilitator, Group, Guild, Member, Membership
from peerbot.rights import Actor, guild_and_locked, guild_of, locked, locked_for, require_facilitator
from peerbot.setup import agreement_of
from peerbot.text import Text, _, clean

RETURN = timedelta(days=7)
"""How long the seat of somebody who left the server is kept."""
MOST_SEATS = 15
LONGEST = {"name": 60, "about": 600, "topic": 40}
MEETS_BY = ("voice", "text", "both")
CARD_DAYS = (1, 2, 3, 5, 7)
"""How many days before a meeting its card can be posted in the group's room."""
REASONS = ("none", "agreement", "asked", "other")


@dataclass(frozen=True)
class Details:
    """What a facilitator writes about a group; None for `card_days` leaves that as it is."""

    name: str
    about: str
    topic: str
    meets_by: str
    capacity: int
    hello_first: bool = False
    card_days: int | None = None

    @classmethod
    def checked(
        cls, *, name: str, about: str, topic: str, meets_by: str, capacity: str, hello: str = "", card: str = ""
    ) -> Details:
        """Return the details, cleaned; raise NotValid that names the field."""
        name, about, topic = clean(name), clean(about, lines=True), clean(topic)
        if sum(map(str.isalnum, name)) < 2:  # noqa: PLR2004 - one letter is no name
            raise NotValid(_("Please give the group a name of two letters or more."))
        for label, value in (("name", name), ("about", about), ("topic", topic)):
            if len(value) > LONGEST[label]:
                raise NotValid(_too_long(label))
        if meets_by not in MEETS_BY:
            raise NotValid(_("Please choose how the group meets."))
        if not capacity.strip().isdecimal() or not 1 <= int(capacity.strip()[:4]) <= MOST_SEATS:
            raise NotValid(_("Please give a number of seats from 1 to {most}.", most=MOST_SEATS))
        if card and card not in map(str, CARD_DAYS):
            raise NotValid(_("Please choose from the list how long before a meeting its card comes."))
        return cls(name, about, topic, meets_by, int(capacity), hello == "yes", int(card) if card else None)


@dataclass(frozen=True)
class SeatChange:
    """A seat that was just taken or given up, and the delivery of the access that follows it."""

    name: str
    room_id: int | None
    access_id: int
    member_id: int


async def create(
    session: AsyncSession,
    actor: Actor,
    details: Details,
    *,
    room_id: int | None = None,
    role_id: int | None = None,
    now: datetime,
) -> tuple[Group, int]:
    """Create a group with the actor as its facilitator, and have its room made unless one is given.

    Return it with the delivery of its room or of the facilitator's access. A role is for whoever manages the server to
    give away: everyone who joins gets it.

    Raises NotAllowed, NotSetUp, NameTaken, or NotValid when the room or the role has another use.
    """
    guild = await guild_of(session, actor.guild_id)
    require_facilitator(guild, actor)
    await rooms.require_free_room(session, guild, room_id)
    await rooms.require_free_role(session, guild, actor, role_id)
    group = Group(guild_id=actor.guild_id, created_at=now, state="open", room_id=room_id, role_id=role_id)
    _describe(group, details)
    session.add(group)
    await _flush_name(session, details.name)
    me = await members.of(session, actor.guild_id, actor.user_id, now=now, locale=actor.locale)
    session.add(Facilitator(group_id=group.group_id, member_id=me.member_id, since=now))
    await session.flush()
    if room_id is None:
        planned = await rooms.plan_room(session, group, now=now)
    else:
        planned = await access.follow(session, group, me.member_id, now=now)
    await cards.mark(session, actor.guild_id, *cards.PUBLIC, now=now)
    return group, planned


async def edit(session: AsyncSession, actor: Actor, group_id: int, details: Details, *, now: datetime) -> Group:
    """Change a group's details. Raises NotAllowed, GroupUnknown, NameTaken, or NotValid below the seats taken."""
    group = await locked_for(session, actor, group_id)
    taken = await seats_taken(session, group_id)
    if details.capacity < taken:
        raise NotValid(_("{taken} seats are taken. Please give that many or more.", taken=taken))
    has_more = details.capacity > group.capacity
    _describe(group, details)
    await _flush_name(session, details.name)
    if has_more:
        await seat_freed(session, group, now=now)
    await cards.mark(session, group.guild_id, *cards.PUBLIC, cards.of_group(group_id), now=now)
    await rooms.plan_meetings(session, group, "meetings.group", now=now)
    return group


async def close(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> Group:
    """Close a group: nobody joins any more, and its room stays readable for a week; who hoped for a seat is told.

    Raises NotAllowed or GroupUnknown.
    """
    group = await locked_for(session, actor, group_id)
    group.state = "closed"
    group.closed_at = now
    await session.flush()
    await line.end(session, group, now=now)
    await session.execute(delete(Membership).where(Membership.group_id == group_id, Membership.state == "hello"))
    await tasks.end(session, group.guild_id, "closed", group_id=group_id, now=now)
    if group.room_id is not None:
        await deliveries.plan(
            session, "groups.closed", str(group_id), guild_id=group.guild_id, now=now, channel_id=group.room_id,
            group_id=group_id,
        )  # fmt: skip
    await deliveries.plan(
        session, "groups.farewell", str(group_id), guild_id=group.guild_id, now=now, due_at=now + access.FAREWELL,
        group_id=group_id,
    )  # fmt: skip
    await rooms.plan_meetings(session, group, "meetings.closed", now=now)
    await cards.take_down(session, group.guild_id, cards.of_group(group_id), now=now)
    await cards.mark(session, group.guild_id, *cards.PUBLIC, now=now)
    return group


async def end_access(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: a week after a group closed, take everyone's access and give the seats up."""
    group = await session.get(Group, delivery.group_id)
    if group is None or group.state != "closed":
        return
    await access.follow_all(session, group, now=now)
    group.room_id = group.role_id = None  # what was given stands in the grants; both may have another use now
    await session.flush()
    await session.execute(delete(Membership).where(Membership.group_id == group.group_id))
    await session.execute(delete(Facilitator).where(Facilitator.group_id == group.group_id))


async def sign_up(
    session: AsyncSession,
    actor: Actor,
    group_id: int,
    *,
    agreed: str | None = None,
    waits: bool = False,
    now: datetime,
) -> SeatChange | None:
    """Give the actor a seat: a free one, or the one that is offered to them. Return None for a place in line.

    `agreed` is the version of the agreement that they have just agreed to. Whoever `waits` gets a place in line where
    there is no seat for them; somebody who is in line already keeps their place, and takes no offer by asking to wait.

    Raises HelloFirst for a group that asks for a hello, else like `ready_to_join`.
    """
    ready = await ready_to_join(session, actor, group_id, agreed=agreed, waits=waits, now=now)
    return await take_seat(session, actor, ready, waits=waits, now=now)


async def take_seat(
    session: AsyncSession, actor: Actor, ready: Ready, *, waits: bool = False, now: datetime
) -> SeatChange | None:
    """Give the actor, who is ready to join, a seat or a place in line, like `sign_up`. Raises HelloFirst."""
    group, member, held = ready.group, ready.member, ready.held
    if needs_hello(group, held):
        raise HelloFirst(group.name)
    if waits and held is not None and held.state in IN_LINE:
        return None
    membership = held or Membership(group_id=group.group_id, member_id=member.member_id, joined_at=now)
    decided = None if ready.has_grant else access.newly_in(group, actor.user_id)
    seat = await admit(session, ready.guild, group, membership, seated=ready.has_seat, decided=decided, now=now)
    if ready.has_task:
        await tasks.end(session, group.guild_id, "joined", group_id=group.group_id, member_id=member.member_id, now=now)
    return seat


@dataclass(frozen=True)
class Ready:
    """Somebody who may have a seat of a locked group or wait for one, and what they are to it now."""

    guild: Guild
    group: Group
    member: Member
    held: Membership | None
    has_seat: bool
    has_task: bool
    has_grant: bool


async def ready_to_join(
    session: AsyncSession, actor: Actor, group_id: int, *, agreed: str | None, waits: bool = False, now: datetime
) -> Ready:
    """Return server, group (locked), person, and their hello or place in line, once they may have a seat or wait.

    Raises GroupUnknown, GroupClosed, AlreadyMember, WasRemoved, GroupFull, InLine (they are waiting, and no seat is
    theirs yet), or AgreementNeeded (asked last, so that nobody reads an agreement for a group that they cannot join).
    """
    guild, group = await guild_and_locked(session, actor.guild_id, group_id)
    if group.state != "open":
        raise GroupClosed(group.name)
    hope = await line.hope_of(session, group, actor.user_id)
    held = hope.held
    if hope.is_listed:
        raise NotValid(_("You look after **{name}**, so you are in already.", name=group.name))
    if held is not None and held.state not in (*IN_LINE, "hello"):
        raise WasRemoved(group.name) if held.state == "removed" else AlreadyMember(group.name)
    in_line = held is not None and held.state in IN_LINE
    has_seat = await can_have_seat(session, group, held) if in_line else hope.before_anyone < group.capacity
    if not (waits or needs_hello(group, held) or has_seat):
        raise InLine(group.name) if in_line else GroupFull(group.name)
    member = await _agreed(
        session, actor, guild, group, hope.member, agreed=agreed, asks=not (waits and in_line), now=now
    )
    return Ready(guild, group, member, held, has_seat, hope.has_task, hope.has_grant)


def needs_hello(group: Group, held: Membership | None) -> bool:
    """Return whether a facilitator has to say welcome first; whoever is in line already need not say hello any more."""
    return group.hello_first and (held is None or (held.state == "hello" and held.welcomed_at is None))


async def admit(
    session: AsyncSession,
    guild: Guild,
    group: Group,
    membership: Membership,
    *,
    seated: bool | None = None,
    decided: access.Wanted | None = None,
    now: datetime,
) -> SeatChange | None:
    """Give a membership of a locked group a seat if one can be theirs, else a place in line; return None for that.

    `seated` is whether one can be theirs, and `decided` what they get with it, where that is known.
    """
    seated = await can_have_seat(session, group, membership) if seated is None else seated
    membership.state = "active" if seated else "waiting"
    membership.line_at = None if seated else membership.line_at or now
    membership.joined_at = now
    membership.offered_until = None
    membership.passed, membership.unanswered = False, 0
    session.add(membership)
    await session.flush()
    await cards.mark(session, group.guild_id, *cards.PUBLIC, cards.of_group(group.group_id), now=now)
    if not seated:
        return None
    await access.promise(session, group, membership.member_id)
    access_id = await access.follow(session, group, membership.member_id, at_once=True, decided=decided, now=now)
    if group.room_id is not None:
        greets = f"{group.group_id}:{membership.member_id}:{now.date().isoformat()}"  # once a day, for coming and going
        await deliveries.plan(
            session, "groups.welcome", greets, guild_id=guild.guild_id, now=now, not_after=now + timedelta(days=1),
            channel_id=group.room_id, group_id=group.group_id, member_id=membership.member_id,
        )  # fmt: skip
    return SeatChange(group.name, group.room_id, access_id, membership.member_id)


async def leave(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> SeatChange:
    """Give the actor's seat up, or take their hello back, and leave no row of it. Raises GroupUnknown or NotMember."""
    group = await locked(session, actor.guild_id, group_id)
    membership = await seat_of(session, group, actor, (*SEATED, "hello"))
    frees = membership.state in SEATED
    await session.delete(membership)
    await session.flush()
    await tasks.end(session, group.guild_id, "left", group_id=group_id, member_id=membership.member_id, now=now)
    return await let_out(session, group, membership.member_id, frees=frees, now=now)


async def remove(
    session: AsyncSession, actor: Actor, group_id: int, member_id: int, *, reason: str = "none", now: datetime
) -> SeatChange:
    """Take a member out of a group until facilitators let them back, out of a closed one too while its room is open.

    Raises NotAllowed, GroupUnknown or NotMember.
    """
    group = await locked_for(session, actor, group_id, closed_too=True)
    membership = await session.scalar(
        select(Membership).where(
            Membership.group_id == group_id,
            Membership.member_id == member_id,
            Membership.state.in_((*SEATED, *IN_LINE)),
        )
    )
    if membership is None:
        raise NotMember(group.name)
    frees = membership.state in HOLDING
    membership.state = "removed"
    membership.paused_until = membership.offered_until = membership.line_at = None
    membership.removed_for = reason if reason in REASONS else "none"
    await session.flush()
    return await let_out(session, group, member_id, frees=frees, now=now)


async def let_back(session: AsyncSession, actor: Actor, group_id: int, member_id: int) -> Group:
    """Let a removed person join again. Raises NotAllowed or GroupUnknown."""
    group = await locked_for(session, actor, group_id)
    removed = (Membership.group_id == group_id, Membership.member_id == member_id, Membership.state == "removed")
    await session.execute(delete(Membership).where(*removed))
    return group


async def find(session: AsyncSession, delivery: Delivery) -> Group | None:
    """Return the group that a delivery is about, if it is there."""
    group = await session.get(Group, delivery.group_id)
    return group if group is not None and group.guild_id == delivery.guild_id else None


async def seat_of(session: AsyncSession, group: Group, actor: Actor, states: tuple[str, ...] = SEATED) -> Membership:
    """Return what the actor is to a group, if that is one of some states; raise NotMember or GroupUnknown."""
    member = await members.find(session, actor.guild_id, actor.user_id)
    if member is None:
        raise GroupUnknown  # whoever the server does not know learns no group's name from a button's id
    membership = await session.scalar(
        select(Membership).where(
            Membership.group_id == group.group_id,
            Membership.member_id == member.member_id,
            Membership.state.in_(states),
        )
    )
    if membership is None:
        raise NotMember(group.name)
    return membership


async def let_out(
    session: AsyncSession, group: Group, member_id: int, *, frees: bool = True, now: datetime
) -> SeatChange:
    """See to what follows when somebody has no seat in a locked group any more: their access, and who is next."""
    if frees:
        await seat_freed(session, group, now=now)
    await rooms.forget_answers(session, group, member_id, now=now)
    access_id = await access.follow(session, group, member_id, at_once=True, now=now)
    await cards.mark(session, group.guild_id, *cards.PUBLIC, cards.of_group(group.group_id), now=now)
    return SeatChange(group.name, group.room_id, access_id, member_id)


async def _agreed(
    session: AsyncSession, actor: Actor, guild: Guild, group: Group, known: Member | None, *, agreed: str | None,
    asks: bool, now: datetime,
) -> Member:  # fmt: skip
    """Return the actor, who has agreed to the words that hold now; raise AgreementNeeded unless nothing `asks` it."""
    version, who = agreement_of(guild).version, (actor.guild_id, actor.user_id)
    if asks and agreed == version:
        return await members.agreeing(session, *who, version=version, locale=actor.locale, now=now)
    if asks and (known is None or known.agreed != version):
        raise AgreementNeeded(version, group.name)
    return await members.of(session, *who, locale=actor.locale, now=now)


def _describe(group: Group, details: Details) -> None:
    group.name = details.name
    group.name_key = details.name.casefold()
    group.about = details.about
    group.topic = details.topic
    group.meets_by = details.meets_by
    group.capacity = details.capacity
    group.hello_first = details.hello_first
    if details.card_days is not None:
        group.card_days = details.card_days


async def _flush_name(session: AsyncSession, name: str) -> None:
    try:
        await session.flush()
    except IntegrityError:  # the index on open names; the transaction ends here
        raise NameTaken(name) from None


def _too_long(label: str) -> Text:
    longest = LONGEST[label]
    return {
        "name": _("The name is too long. {limit} letters are the most.", limit=longest),
        "about": _("The description is too long. {limit} letters are the most.", limit=longest),
        "topic": _("The topic is too long. {limit} letters are the most.", limit=longest),
    }[label]
