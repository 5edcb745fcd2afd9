"""Who is on duty: whom a task may ping.

Everyone who facilitates is on duty unless they said otherwise, and off it for no longer than they said. Being off duty
takes no right away; it only keeps a phone quiet.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, members
from peerbot.models import Facilitator, Group, Member
from peerbot.rights import Actor, guild_of, require_facilitator

MORNING = time(8)
WEEK = timedelta(weeks=1)
LISTED = "meetings.listed"
"""The step after which a group's meetings are hosted by who looks after it now, and is on duty then."""


async def go_off(session: AsyncSession, actor: Actor, *, for_a_week: bool, now: datetime) -> datetime:
    """Take the actor off duty until tomorrow at eight in the server's zone, or for a week; return until when.

    Raises NotSetUp or NotAllowed.
    """
    guild = await guild_of(session, actor.guild_id)
    require_facilitator(guild, actor)
    me = await members.of(session, actor.guild_id, actor.user_id, now=now, locale=actor.locale)
    until = me.off_duty_until = now + WEEK if for_a_week else tomorrow(now, guild.time_zone)
    await session.flush()
    await _plan_return(session, me, until, now)
    await _look_at_hosts(session, me, now)
    return until


async def come_back(session: AsyncSession, actor: Actor, *, now: datetime) -> None:
    """Put the actor on duty again. Raises NotSetUp or NotAllowed."""
    require_facilitator(await guild_of(session, actor.guild_id), actor)
    me = await members.of(session, actor.guild_id, actor.user_id, now=now, locale=actor.locale)
    me.off_duty_until = None
    await session.flush()
    await _plan_return(session, me, now, now)
    await _look_at_hosts(session, me, now)


async def off_until(session: AsyncSession, actor: Actor, *, now: datetime) -> datetime | None:
    """Return until when the actor is off duty; None when they are on duty."""
    me = await members.find(session, actor.guild_id, actor.user_id)
    until = me.off_duty_until if me is not None else None
    return until if until is not None and until > now else None


async def on_duty(session: AsyncSession, group_id: int, *, now: datetime) -> Sequence[Member]:
    """Return the facilitators of a group who are on duty, the longest listed first."""
    listed = select(Member).join(Facilitator).where(Facilitator.group_id == group_id, *_is_on(now))
    return (await session.scalars(listed.order_by(Facilitator.since, Member.member_id))).all()


async def others_on_duty(session: AsyncSession, actor: Actor, *, now: datetime) -> int:
    """Return how many other facilitators of the server's open groups are on duty."""
    me = await members.find(session, actor.guild_id, actor.user_id)
    others = (
        select(func.count(func.distinct(Member.member_id)))
        .join(Facilitator, Facilitator.member_id == Member.member_id)
        .join(Group, Group.group_id == Facilitator.group_id)
        .where(Group.guild_id == actor.guild_id, Group.state == "open", *_is_on(now))
        .where(Member.member_id != (me.member_id if me else 0))
    )
    return (await session.scalars(others)).one()


async def in_server(session: AsyncSession, guild_id: int, *, now: datetime, limit: int) -> Sequence[int]:
    """Return the members who facilitate in a server's open groups and are on duty, in the order of their ids."""
    listed = (
        select(Facilitator.member_id)
        .join(Group, Group.group_id == Facilitator.group_id)
        .where(Group.guild_id == guild_id, Group.state == "open")
    )
    found = select(Member.member_id).where(Member.guild_id == guild_id, Member.member_id.in_(listed), *_is_on(now))
    return (await session.scalars(found.order_by(Member.member_id).limit(limit))).all()


async def listed_anew(session: AsyncSession, group: Group, *, now: datetime) -> None:
    """Plan the step that follows when somebody looks after a group anew or no more, or is off duty or on again."""
    await deliveries.plan(
        session, LISTED, str(group.group_id), guild_id=group.guild_id, now=now, again=True, group_id=group.group_id,
    )  # fmt: skip


async def tell_if_nobody(session: AsyncSession, group: Group, *, now: datetime) -> None:
    """Have whoever manages the server told in the staff channel if nobody looks after an open group any more."""
    listed = select(Facilitator.member_id).where(Facilitator.group_id == group.group_id).limit(1)
    guild = await guild_of(session, group.guild_id)
    if group.state == "open" and await session.scalar(listed) is None:
        await deliveries.plan(
            session, "staff.nobody_left", f"{group.group_id}:{int(now.timestamp())}", guild_id=group.guild_id, now=now,
            channel_id=guild.staff_channel_id, group_id=group.group_id,
        )  # fmt: skip


def is_on(member: Member, now: datetime) -> bool:
    """Return whether somebody who facilitates is on duty."""
    return member.away_since is None and (member.off_duty_until is None or member.off_duty_until <= now)


def tomorrow(now: datetime, zone: str) -> datetime:
    """Return tomorrow's eight o'clock of a zone, in UTC."""
    day = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
    return datetime.combine(day, MORNING, ZoneInfo(zone)).astimezone(UTC)


async def _look_at_hosts(session: AsyncSession, me: Member, now: datetime) -> None:
    """Plan the steps after which the meetings of their groups show whether they host."""
    tended = select(Group).join(Facilitator, Facilitator.group_id == Group.group_id)
    tended = tended.where(Facilitator.member_id == me.member_id, Group.state == "open").order_by(Group.group_id)
    for group in (await session.scalars(tended)).all():
        await listed_anew(session, group, now=now)


async def _plan_return(session: AsyncSession, me: Member, at: datetime, now: datetime) -> None:
    """Plan the step after which they are in the threads that were opened meanwhile."""
    await deliveries.plan(
        session, "desk.back", str(me.member_id), guild_id=me.guild_id, now=now, due_at=at, again=True,
        member_id=me.member_id,
    )  # fmt: skip


def _is_on(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Member.away_since.is_(None), Member.off_duty_until.is_(None) | (Member.off_duty_until <= now)
