"""Groups and their seats: who may create and change a group, who gets a seat, who leaves.

Invariant: never more seats taken than the group has. A paused seat is a taken seat. Every rule that takes or frees one
locks the group's row first, so that of two people on the last seat one gets it and the other is told so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, cards, deliveries, members
from peerbot.access import SEATED
from peerbot.deliveries import Priority
from peerbot.errors import (
    AgreementNeeded,
    AlreadyMember,
    GroupClosed,
    GroupFull,
    GroupUnknown,
    NameTaken,
    NotAllowed,
    NotMember,
    NotValid,
    WasRemoved,
)
from peerbot.models import Delivery, Facilitator, Grant, Group, Guild, Member, Membership
from peerbot.rights import Actor, guild_of, require_facilitator, require_group_facilitator
from peerbot.setup import agreement_of
from peerbot.text import Text, _, clean

PAUSE = timedelta(weeks=12)
"""How long a paused seat is kept."""
RETURN = timedelta(days=7)
"""How long the seat of somebody who left the server is kept."""
MOST_SEATS = 15
LONGEST = {"name": 60, "about": 600, "topic": 40}
MEETS_BY = ("voice", "text", "both")
REASONS = ("none", "agreement", "asked", "other")


@dataclass(frozen=True)
class Details:
    """What a facilitator writes about a group."""

    name: str
    about: str
    topic: str
    meets_by: str
    capacity: int

    @classmethod
    def checked(cls, *, name: str, about: str, topic: str, meets_by: str, capacity: str) -> Details:
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
        return cls(name, about, topic, meets_by, int(capacity))


@dataclass(frozen=True)
class SeatChange:
    """A seat that was just taken or given up, and the delivery of the access that follows it."""

    name: str
    room_id: int | None
    access_id: int


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
    await _require_free_room(session, guild, room_id)
    await _require_free_role(session, guild, actor, role_id)
    group = Group(guild_id=actor.guild_id, created_at=now, state="open", room_id=room_id, role_id=role_id)
    _describe(group, details)
    session.add(group)
    await _flush_name(session, details.name)
    me = await members.of(session, actor.guild_id, actor.user_id, now=now, locale=actor.locale)
    session.add(Facilitator(group_id=group.group_id, member_id=me.member_id, since=now))
    await session.flush()
    if room_id is None:
        planned = await plan_room(session, group, now=now)
    else:
        planned = await access.follow(session, group, me.member_id, now=now)
    await cards.mark(session, actor.guild_id, None, now=now)
    return group, planned


async def edit(session: AsyncSession, actor: Actor, group_id: int, details: Details, *, now: datetime) -> Group:
    """Change a group's details. Raises NotAllowed, GroupUnknown, NameTaken, or NotValid below the seats taken."""
    group = await locked_for(session, actor, group_id)
    taken = await seats_taken(session, group_id)
    if details.capacity < taken:
        raise NotValid(_("{taken} seats are taken. Please give that many or more.", taken=taken))
    _describe(group, details)
    await _flush_name(session, details.name)
    await cards.mark(session, group.guild_id, None, group_id, now=now)
    return group


async def close(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> Group:
    """Close a group: nobody joins any more, and its room stays readable for a week. Raises NotAllowed, GroupUnknown."""
    group = await locked_for(session, actor, group_id)
    group.state = "closed"
    group.closed_at = now
    await session.flush()
    if group.room_id is not None:
        await deliveries.plan(
            session, "groups.closed", str(group_id), guild_id=group.guild_id, now=now, channel_id=group.room_id,
            group_id=group_id,
        )  # fmt: skip
    await deliveries.plan(
        session, "groups.farewell", str(group_id), guild_id=group.guild_id, now=now, due_at=now + access.FAREWELL,
        group_id=group_id,
    )  # fmt: skip
    await cards.take_down(session, group.guild_id, group_id, now=now)
    await cards.mark(session, group.guild_id, None, now=now)
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
    session: AsyncSession, actor: Actor, group_id: int, *, agreed: str | None = None, now: datetime
) -> SeatChange:
    """Give the actor a seat; `agreed` is the version of the agreement that they have just agreed to.

    Raises GroupUnknown, GroupClosed, AlreadyMember, WasRemoved, GroupFull, or AgreementNeeded (asked last, so that
    nobody reads an agreement for a group that they cannot join).
    """
    guild = await guild_of(session, actor.guild_id)
    group = await _locked(session, actor.guild_id, group_id)
    if group.state != "open":
        raise GroupClosed(group.name)
    member = await members.of(session, actor.guild_id, actor.user_id, now=now, locale=actor.locale)
    await _require_no_seat(session, group, member)
    if await seats_taken(session, group_id) >= group.capacity:
        raise GroupFull(group.name)
    _agree(guild, member, agreed, now)
    membership = Membership(group_id=group_id, member_id=member.member_id, state="active", joined_at=now)
    session.add(membership)
    await session.flush()
    access_id = await access.follow(session, group, member.member_id, now=now)
    if group.room_id is not None:
        await deliveries.plan(
            session,
            "groups.welcome",
            f"{group_id}:{member.member_id}:{now.date().isoformat()}",  # coming and going greets once a day
            guild_id=guild.guild_id,
            now=now,
            not_after=now + timedelta(days=1),
            channel_id=group.room_id,
            group_id=group_id,
            member_id=member.member_id,
        )
    await cards.mark(session, guild.guild_id, None, group_id, now=now)
    return SeatChange(group.name, group.room_id, access_id)


async def leave(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> SeatChange:
    """Give the actor's seat up, and leave no row of it. Raises GroupUnknown or NotMember."""
    group = await _locked(session, actor.guild_id, group_id)
    membership = await _seat_of(session, group, actor)
    await session.delete(membership)
    await session.flush()
    return await _seat_freed(session, group, membership.member_id, now)


async def pause(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> datetime:
    """Keep the actor's seat while they rest; return until when. Raises GroupUnknown, NotMember or GroupClosed."""
    group = await _locked(session, actor.guild_id, group_id)
    membership = await _seat_of(session, group, actor)
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
    group = await _locked(session, actor.guild_id, group_id)
    membership = await _seat_of(session, group, actor)
    membership.state = "active"
    membership.paused_until = None
    await session.flush()
    return group


async def end_pause(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: a pause has reached its end, and the seat goes to somebody else."""
    group = await session.get(Group, delivery.group_id, with_for_update=True)
    membership = await session.get(Membership, delivery.subject_id)
    if group is None or membership is None or membership.state != "paused":
        return
    if membership.paused_until is not None and membership.paused_until <= now:
        await session.delete(membership)
        await session.flush()
        await _seat_freed(session, group, membership.member_id, now)


async def remove(
    session: AsyncSession, actor: Actor, group_id: int, member_id: int, *, reason: str = "none", now: datetime
) -> SeatChange:
    """Take a member out of a group until facilitators let them back. Raises NotAllowed, GroupUnknown, NotMember."""
    group = await locked_for(session, actor, group_id)
    membership = await session.scalar(
        select(Membership).where(
            Membership.group_id == group_id, Membership.member_id == member_id, Membership.state.in_(SEATED)
        )
    )
    if membership is None:
        raise NotMember(group.name)
    membership.state = "removed"
    membership.paused_until = None
    membership.removed_for = reason if reason in REASONS else "none"
    await session.flush()
    return await _seat_freed(session, group, member_id, now)


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


async def seats_taken(session: AsyncSession, group_id: int) -> int:
    """Return how many seats of a group are taken."""
    taken = select(func.count()).where(Membership.group_id == group_id, Membership.state.in_(SEATED))
    return (await session.scalars(taken)).one()


async def plan_room(session: AsyncSession, group: Group, *, now: datetime) -> int:
    """Have a group's private channel made; return the delivery's id."""
    return await deliveries.plan(
        session, "groups.room", str(group.group_id), guild_id=group.guild_id, now=now, priority=Priority.ACCESS,
        again=True, group_id=group.group_id,
    )  # fmt: skip


async def room_made(session: AsyncSession, group_id: int, room_id: int, *, now: datetime) -> None:
    """Remember a group's room and let everyone in who has a seat or facilitates."""
    group = await session.get(Group, group_id, with_for_update=True)
    if group is not None:
        group.room_id = room_id
        await session.flush()
        await access.follow_all(session, group, now=now)


async def new_room(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> int:
    """Have a new room made for a group that lost its own; return the delivery. Raises NotAllowed, GroupUnknown."""
    group = await locked_for(session, actor, group_id)
    if group.room_id is not None:
        raise NotValid(_("**{name}** has a room already.", name=group.name))
    return await plan_room(session, group, now=now)


async def _locked(session: AsyncSession, guild_id: int, group_id: int) -> Group:
    group = await session.scalar(
        select(Group).where(Group.group_id == group_id, Group.guild_id == guild_id).with_for_update()
    )
    if group is None:
        raise GroupUnknown
    return group


async def locked_for(session: AsyncSession, actor: Actor, group_id: int) -> Group:
    """Return an open group of the actor's server, locked, if they may change it.

    Raises NotAllowed, GroupUnknown or GroupClosed.
    """
    guild = await guild_of(session, actor.guild_id)
    group = await _locked(session, actor.guild_id, group_id)
    await require_group_facilitator(session, guild, group, actor)
    if group.state != "open":
        raise GroupClosed(group.name)
    return group


async def _seat_of(session: AsyncSession, group: Group, actor: Actor) -> Membership:
    member = await members.find(session, actor.guild_id, actor.user_id)
    if member is not None:
        membership = await session.scalar(
            select(Membership).where(
                Membership.group_id == group.group_id,
                Membership.member_id == member.member_id,
                Membership.state.in_(SEATED),
            )
        )
        if membership is not None:
            return membership
    raise NotMember(group.name)


async def _seat_freed(session: AsyncSession, group: Group, member_id: int, now: datetime) -> SeatChange:
    access_id = await access.follow(session, group, member_id, now=now)
    await cards.mark(session, group.guild_id, None, group.group_id, now=now)
    return SeatChange(group.name, group.room_id, access_id)


async def _require_no_seat(session: AsyncSession, group: Group, member: Member) -> None:
    listed = await session.get(Facilitator, (group.group_id, member.member_id))
    if listed is not None:
        raise NotValid(_("You look after **{name}**, so you are in already.", name=group.name))
    held = await session.scalar(
        select(Membership).where(Membership.group_id == group.group_id, Membership.member_id == member.member_id)
    )
    if held is not None:
        raise WasRemoved(group.name) if held.state == "removed" else AlreadyMember(group.name)


def _agree(guild: Guild, member: Member, agreed: str | None, now: datetime) -> None:
    current = agreement_of(guild).version
    if agreed == current:
        member.agreed, member.agreed_at = current, now
    elif member.agreed != current:
        raise AgreementNeeded(current)


async def _require_free_room(session: AsyncSession, guild: Guild, room_id: int | None) -> None:
    if room_id is None:
        return
    if room_id in (guild.panel_channel_id, guild.staff_channel_id):
        raise NotValid(_("That channel has another use here. Please choose another one."))
    held = select(Group.name).where(Group.guild_id == guild.guild_id, Group.room_id == room_id)
    granted = select(Group.name).join(Grant).where(Group.guild_id == guild.guild_id, Grant.target_id == room_id)
    name = await session.scalar(held.union(granted).limit(1))
    if name is not None:
        raise NotValid(_("That channel is the room of **{name}**. Please choose another one.", name=name))


async def _require_free_role(session: AsyncSession, guild: Guild, actor: Actor, role_id: int | None) -> None:
    if role_id is None:
        return
    if not actor.manages:
        raise NotAllowed(_("Only someone with the Manage Server permission can tie a role to a group."))
    held = select(Group.name).where(Group.guild_id == guild.guild_id, Group.role_id == role_id)
    if role_id in (guild.facilitator_role_id, guild.guild_id) or await session.scalar(held) is not None:
        raise NotValid(_("That role has another use here. Please choose another one."))


def _describe(group: Group, details: Details) -> None:
    group.name = details.name
    group.name_key = details.name.casefold()
    group.about = details.about
    group.topic = details.topic
    group.meets_by = details.meets_by
    group.capacity = details.capacity


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
