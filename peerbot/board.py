"""The task thread: where facilitators find what waits for them, one card for each task.

It is one public thread in the staff channel, made when the first card needs it and again when somebody deleted it. A
card is posted once (a message, so it is not doubled) and drawn again when its task changes (an effect).

Rows are locked in one order: groups, then the server, then tasks; a delivery that is planned needs its group's row.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import cards, deliveries
from peerbot.deliveries import Priority
from peerbot.models import Card, Delivery, Group, Guild, Task

READY = "desk.ready"
"""The step after which other cards than those of tasks are placed in the thread."""


async def plan(session: AsyncSession, guild_id: int, *, now: datetime) -> None:
    """Have the task thread made where it is missing, and open tasks shown in it."""
    guild = await session.get(Guild, guild_id)
    if guild is not None:
        await deliveries.plan(
            session, "desk.board", "0", guild_id=guild_id, now=now, priority=Priority.ACCESS, again=True,
            channel_id=guild.staff_channel_id,
        )  # fmt: skip


async def board_ready(session: AsyncSession, guild_id: int, thread_id: int, *, now: datetime) -> None:
    """Remember the task thread, and plan a card for every open task that has none in it."""
    elsewhere = Task.message_id.is_(None) | (Task.channel_id != thread_id)
    guild = await _locked_guild(session, guild_id, Task.done_at.is_(None))
    if guild is None:
        return
    guild.task_thread_id = thread_id
    found = select(Task).where(Task.guild_id == guild_id, Task.done_at.is_(None), elsewhere).order_by(Task.task_id)
    for task in (await session.scalars(found)).all():
        task.channel_id = task.message_id = None
        await _post(session, task, thread_id, f"{task.task_id}:{thread_id}", now)
    await session.flush()
    await deliveries.plan(session, READY, "0", guild_id=guild_id, now=now, again=True)


async def card_posted(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """After a task's card was posted: remember where, and draw it again if somebody was faster."""
    task = await locked(session, Task.task_id == delivery.subject_id)
    if task is not None and delivery.message_id is not None:
        task.channel_id, task.message_id = delivery.channel_id, delivery.message_id
        await session.flush()
        if task.claimed_at is not None or task.done_at is not None:
            await redraw(session, task, now=now)


async def card_lost(session: AsyncSession, task_id: int, message_id: int, *, now: datetime) -> None:
    """Post the card of an open task again whose message somebody deleted."""
    task = await locked(session, Task.task_id == task_id, Task.message_id == message_id, Task.done_at.is_(None))
    if task is not None and task.channel_id is not None:
        task.message_id = None
        await session.flush()
        await _post(session, task, task.channel_id, f"{task.task_id}:{task.channel_id}:{message_id}", now)


async def thread_deleted(session: AsyncSession, guild_id: int, thread_id: int, *, now: datetime) -> None:
    """Note that a thread was deleted.

    A new task thread is made while tasks are open; a private one when it is needed.
    """
    guild = await _locked_guild(session, guild_id, (Task.channel_id == thread_id) | (Task.thread_id == thread_id))
    if guild is None:
        return
    shown = update(Task).where(Task.guild_id == guild_id, Task.channel_id == thread_id)
    gone = shown.values(channel_id=None, message_id=None).returning(Task.done_at)
    ended = (await session.scalars(gone)).all()
    if guild.task_thread_id == thread_id:
        guild.task_thread_id = None
        await session.flush()
    stood = delete(Card).where(Card.guild_id == guild_id, Card.channel_id == thread_id).returning(Card.card_id)
    others = (await session.scalars(stood)).all()
    if others or any(done_at is None for done_at in ended):
        await plan(session, guild_id, now=now)
    private = select(Task).where(Task.guild_id == guild_id, Task.thread_id == thread_id)
    for task in (await session.scalars(private)).all():
        task.thread_id = None
        await session.flush()
        await redraw(session, task, now=now)


async def locked(session: AsyncSession, *which: ColumnElement[bool]) -> Task | None:
    """Return a task, its group locked before it, as presses lock them."""
    group_id = await session.scalar(select(Task.group_id).where(*which))
    await session.execute(_groups(Group.group_id == group_id))
    found = select(Task).where(*which).with_for_update(key_share=True)
    return await session.scalar(found.execution_options(populate_existing=True))


async def redraw(session: AsyncSession, task: Task, *, now: datetime) -> None:
    """Have a task's card drawn again, where it has one, as often as other cards at most."""
    if task.message_id is None:
        return
    drawn = await session.execute(
        select(Delivery.state, Delivery.ended_at).where(
            Delivery.dedupe_key == f"{task.guild_id}:desk.draw:{task.task_id}"
        )
    )
    state, drawn_at = drawn.one_or_none() or (None, None)
    if state == deliveries.LEASED:
        drawn_at = now  # it is being drawn at this moment
    spacing = cards.OLD_SPACING if now - cards.posted_at(task.message_id) > cards.OLD else cards.SPACING
    await deliveries.plan(
        session, "desk.draw", str(task.task_id), guild_id=task.guild_id, now=now, priority=Priority.CARD, again=True,
        due_at=now if drawn_at is None else max(now, drawn_at + spacing), channel_id=task.channel_id,
        group_id=task.group_id, subject_id=task.task_id,
    )  # fmt: skip


async def _locked_guild(session: AsyncSession, guild_id: int, which: ColumnElement[bool]) -> Guild | None:
    """Return a server, the groups of some of its tasks locked before it."""
    theirs = select(Task.group_id).where(Task.guild_id == guild_id, which)
    await session.execute(_groups(Group.group_id.in_(theirs)))
    return await session.get(Guild, guild_id, with_for_update={"key_share": True})


def _groups(which: ColumnElement[bool]) -> Select[int]:
    return select(Group.group_id).where(which).order_by(Group.group_id).with_for_update(key_share=True)


async def _post(session: AsyncSession, task: Task, thread_id: int, key: str, now: datetime) -> None:
    await deliveries.plan(
        session, "desk.post", key, guild_id=task.guild_id, now=now, channel_id=thread_id, group_id=task.group_id,
        subject_id=task.task_id,
    )  # fmt: skip
