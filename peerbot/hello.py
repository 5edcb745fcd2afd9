"""Hellos: a person and a facilitator talk before there is a seat.

A group may ask for one; anybody may ask something first. No reason is asked for a yes, and none is told for a no.
Whoever says hello holds no seat and stands in no line until a facilitator of the group, or whoever manages the server,
says welcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import groups, members, tasks
from peerbot.errors import GroupClosed, GroupUnknown, NotValid, WasRemoved
from peerbot.groups import SeatChange
from peerbot.models import Delivery, Facilitator, Group, Guild, Member, Membership, Task
from peerbot.rights import Actor, guild_of
from peerbot.tasks import Begun
from peerbot.text import _


@dataclass(frozen=True)
class Welcomed:
    """Somebody who was welcomed: with a seat, or in line while there is none."""

    group_name: str
    seat: SeatChange | None


@dataclass(frozen=True)
class Standing:
    """What became of a task, for its person: the outcome, and what they are to the group now."""

    outcome: str
    group_name: str
    room_id: int | None
    state: str | None


async def ask(session: AsyncSession, actor: Actor, group_id: int, *, now: datetime) -> Begun:
    """Open a talk between the actor and a group's facilitators, or return the one that is open.

    Raises GroupUnknown, GroupClosed, WasRemoved, or NotValid for a facilitator of the group or one talk too many.
    """
    guild, group = await _open_group(session, actor, group_id)
    member = await members.of(session, actor.guild_id, actor.user_id, now=now, locale=actor.locale)
    if await session.get(Facilitator, (group_id, member.member_id)) is not None:
        raise NotValid(_("You look after **{name}**, so there is nobody else to ask.", name=group.name))
    held = await _held(session, group_id, member.member_id)
    if held is not None and held.state == "removed":
        raise WasRemoved(group.name)
    kind = "hello" if held is not None and held.state == "hello" else "ask"
    return await tasks.begin(session, guild, group, member, kind, now=now)


async def say(session: AsyncSession, actor: Actor, group_id: int, *, agreed: str | None = None, now: datetime) -> Begun:
    """Have the actor say hello to a group that asks for it; `agreed` is what they agreed to, as in `groups.sign_up`.

    Raises like `groups.ready_to_join`, or NotValid when the group asks for no hello, or for one talk too many.
    """
    ready = await groups.ready_to_join(session, actor, group_id, agreed=agreed, now=now)
    guild, group, member, held = ready.guild, ready.group, ready.member, ready.held
    if not groups.needs_hello(group, held):
        raise NotValid(_("**{name}** needs no hello any more. Press *Join* on its card.", name=group.name))
    if held is None:
        session.add(Membership(group_id=group_id, member_id=member.member_id, state="hello", joined_at=now))
        await session.flush()
    return await tasks.begin(session, guild, group, member, "hello", now=now)


async def welcome(session: AsyncSession, actor: Actor, task_id: int, *, now: datetime) -> Welcomed:
    """Let the person of a hello in: they get a seat, or a place in line.

    Raises TaskUnknown, NotAllowed, TaskDone, or NotValid for a question, or when the person has left the server.
    """
    guild, group, task, held = await _pressed(session, actor, task_id)
    held.welcomed_at = now
    seat = await groups.admit(session, guild, group, held, now=now)
    await tasks.finish(session, guild, task, "welcomed", actor, now=now)
    return Welcomed(group.name, seat)


async def decline(session: AsyncSession, actor: Actor, task_id: int, *, now: datetime) -> str:
    """Say that this is not the group for the person of a hello; return the group's name. Raises like `welcome`."""
    guild, group, task, held = await _pressed(session, actor, task_id)
    held.state, held.removed_for = "removed", "fit"
    await tasks.finish(session, guild, task, "fit", actor, now=now)
    return group.name


async def standing(session: AsyncSession, delivery: Delivery) -> Standing | None:
    """Return what there is to tell the person of a task that ended; None when there is nothing any more."""
    found = await session.execute(
        select(Task, Group)
        .join_from(Task, Group)
        .where(Task.task_id == delivery.subject_id, Task.guild_id == delivery.guild_id, Task.done_at.is_not(None))
    )
    row = found.one_or_none()
    if row is None:
        return None
    task, group = row
    held = await _held(session, group.group_id, task.member_id)
    return Standing(task.outcome or "", group.name, group.room_id, held.state if held is not None else None)


async def _open_group(session: AsyncSession, actor: Actor, group_id: int) -> tuple[Guild, Group]:
    guild = await guild_of(session, actor.guild_id)
    which = (Group.group_id == group_id, Group.guild_id == actor.guild_id)
    group = await session.scalar(select(Group).where(*which).with_for_update(key_share=True))
    if group is None:
        raise GroupUnknown
    if group.state != "open":
        raise GroupClosed(group.name)
    return guild, group


async def _pressed(session: AsyncSession, actor: Actor, task_id: int) -> tuple[Guild, Group, Task, Membership]:
    guild, group, task = await tasks.pressed(session, actor, task_id)
    member = await session.get_one(Member, task.member_id)
    if member.away_since is not None:
        raise NotValid(_("They have left the server. If they come back within a week, their hello still waits here."))
    held = await _held(session, group.group_id, task.member_id)
    if task.kind != "hello" or held is None or held.state != "hello":
        raise NotValid(_("This person only asked something. Press *Done* when it is answered."))
    return guild, group, task, held


async def _held(session: AsyncSession, group_id: int, member_id: int) -> Membership | None:
    which = (Membership.group_id == group_id, Membership.member_id == member_id)
    return await session.scalar(select(Membership).where(*which))
