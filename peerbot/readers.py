"""Who may read private threads, and who is taken out of them again.

A task's thread is read by its person, by the group's facilitators while they hold the role, and by whoever has the task
and manages the server. Discord keeps everybody in a thread whom nobody takes out: so whoever loses that right is taken
out, and when a task is forgotten its person keeps the thread alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, union, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import board, deliveries, members, rights
from peerbot.deliveries import DEAD, DONE, LEASED, Priority
from peerbot.models import Delivery, Facilitator, Group, Member, Task


@dataclass(frozen=True)
class ShutOut:
    """Somebody who may no longer read a group's threads, unless they are listed and hold the role.

    `had` are those of the threads that they read while they manage the server, because they have the task.
    `too_early`: a thread is being opened at this moment, perhaps with them in it.
    """

    user_id: int
    is_listed: bool
    thread_ids: tuple[int, ...]
    had: frozenset[int]
    too_early: bool


@dataclass(frozen=True)
class ReaderOf:
    """Somebody who may be in the private threads of a group: a facilitator who is listed, or who has a task."""

    group_id: int
    member_id: int
    user_id: int
    is_listed: bool


async def shut_out(session: AsyncSession, group: Group, member_id: int, *, now: datetime) -> None:
    """Have somebody taken out of the private threads of a group, which is locked; others can claim what they had."""
    is_open = (Task.guild_id == group.guild_id, Task.group_id == group.group_id, Task.done_at.is_(None))
    await session.execute(
        update(Task).where(*is_open, Task.claimed_by == member_id).values(claimed_by=None, claimed_at=None),
        execution_options={"synchronize_session": "fetch"},
    )
    for task in (await session.scalars(select(Task).where(*is_open).order_by(Task.task_id))).all():
        await board.redraw(session, task, now=now)
    await deliveries.plan(
        session, "desk.shut_out", f"{group.group_id}:{member_id}", guild_id=group.guild_id, now=now,
        priority=Priority.ACCESS, again=True, group_id=group.group_id, member_id=member_id,
    )  # fmt: skip


async def shut_out_of(session: AsyncSession, delivery: Delivery) -> ShutOut | None:
    """Return who is to be taken out of which threads; None when they are not known any more."""
    member = await session.get(Member, delivery.member_id)
    if member is None:
        return None
    threads = select(Task.thread_id, Task.claimed_by).where(
        Task.group_id == delivery.group_id, Task.thread_id.is_not(None), Task.member_id != member.member_id
    )
    found = (await session.execute(threads)).all()
    opening = select(func.count()).where(
        Delivery.group_id == delivery.group_id, Delivery.kind == "desk.thread", Delivery.state == LEASED
    )
    return ShutOut(
        members.user_id(session, member),
        await session.get(Facilitator, (delivery.group_id, member.member_id)) is not None,
        tuple(thread_id for thread_id, _by in found if thread_id is not None),
        frozenset(thread_id for thread_id, by in found if thread_id is not None and by == member.member_id),
        too_early=(await session.scalars(opening)).one() > 0,
    )


async def to_compare(session: AsyncSession, guild_id: int) -> list[ReaderOf]:
    """Return who may be in a server's private threads: not who was shut out after the last of them was opened."""
    listed = select(Facilitator.group_id, Facilitator.member_id)
    have = select(Task.group_id, Task.claimed_by).where(Task.thread_id.is_not(None), Task.claimed_by.is_not(None))
    who = union(listed, have).subquery()
    group_id, member_id = who.c
    of_group = Delivery.group_id == group_id
    opened_at = (
        select(func.max(Delivery.ended_at)).where(of_group, Delivery.kind == "desk.thread").correlate(who)
    ).scalar_subquery()
    shut_out_at = (
        select(func.max(Delivery.ended_at))
        .where(of_group, Delivery.member_id == member_id, Delivery.kind == "desk.shut_out")
        .where(Delivery.state.in_((DONE, DEAD)))
        .correlate(who)
    ).scalar_subquery()
    has_threads = select(Task.task_id).where(Task.group_id == group_id, Task.thread_id.is_not(None)).correlate(who)
    found = (
        select(group_id, Member, Facilitator.member_id.is_not(None))
        .join_from(who, Member, Member.member_id == member_id)
        .outerjoin(Facilitator, (Facilitator.group_id == group_id) & (Facilitator.member_id == member_id))
        .where(Member.guild_id == guild_id, Member.away_since.is_(None), has_threads.exists())
        .where(shut_out_at.is_(None) | (shut_out_at < opened_at))
        .order_by(group_id, Member.member_id)
    )
    return [
        ReaderOf(of, member.member_id, members.user_id(session, member), is_listed)
        for of, member, is_listed in await session.execute(found)
    ]


async def shut_out_all(session: AsyncSession, guild_id: int, whom: Sequence[ReaderOf], *, now: datetime) -> None:
    """Have people taken out of the threads of groups, who may not read them any more."""
    for reader in sorted(whom, key=lambda each: (each.group_id, each.member_id)):
        group = await rights.locked(session, guild_id, reader.group_id)
        await shut_out(session, group, reader.member_id, now=now)


async def keeper(session: AsyncSession, delivery: Delivery) -> int | None:
    """Return the user who keeps the thread of a task that is forgotten; None when nobody knows them any more."""
    member = await session.get(Member, delivery.member_id)
    return members.user_id(session, member) if member is not None else None
