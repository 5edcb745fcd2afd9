"""Tasks: what waits for a facilitator, who has it, and how it ended.

A task is a hello or a question before joining. It has a private thread in which the person and the group's facilitators
talk, and a card in the staff channel's task thread, which never names the person. There is one open task for each group
and person. Rights are those of the moment of the press. A task holds no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from peerbot import board, deliveries, duty, members
from peerbot.deliveries import Priority
from peerbot.errors import NotValid, TaskDone, TaskTaken, TaskUnknown
from peerbot.models import Delivery, Facilitator, Group, Guild, Member, Task
from peerbot.permissions import threads_channel
from peerbot.rights import Actor, guild_of, require_facilitator, require_group_facilitator
from peerbot.text import _

CLAIM = timedelta(days=1)
"""How long a claim keeps others from claiming; whoever is ill must not keep a person waiting."""
KEEP = timedelta(days=30)
"""How long a task is kept after its end."""
MOST_A_DAY = 5
"""Tasks that one person may open in a day: each opens a thread and calls somebody."""
LISTED = 5
"""Tasks on one desk; with their buttons, Discord takes 40 components."""
TOLD = frozenset({"welcomed", "fit", "done", "closed"})
"""Outcomes that are told in the private thread; the others are the person's own doing."""

Claimer = aliased(Member)


@dataclass(frozen=True)
class Begun:
    """A task that is open now, and the delivery of its private thread."""

    task_id: int
    thread_id: int | None
    planned: int


@dataclass(frozen=True)
class TaskView:
    """A task as facilitators see it: not whose it is."""

    task_id: int
    kind: str
    group_id: int
    group_name: str
    created_at: datetime
    thread_id: int | None
    claimed_by: int | None
    claimed_at: datetime | None
    done_at: datetime | None
    outcome: str | None
    is_away: bool
    channel_id: int | None
    message_id: int | None


@dataclass(frozen=True)
class Desk:
    """What waits for one facilitator, and whether they are on duty."""

    tasks: tuple[TaskView, ...]
    more: int
    off_until: datetime | None
    others_on_duty: int


@dataclass(frozen=True)
class ThreadWanted:
    """A private thread that a task needs: where, who is let in, and the one that it had.

    `listed` are facilitators who are let in only while they hold the role: those on duty, and who has the task. Anybody
    else who has it is let in only while they manage the server.
    """

    view: TaskView
    parent_id: int
    user_id: int
    listed: tuple[int, ...]


async def begin(
    session: AsyncSession, guild: Guild, group: Group, member: Member, kind: str, *, now: datetime
) -> Begun:
    """Open a task about a person, whose group is locked, or return the one that is open.

    A question becomes a hello when its asker wants to join. Raises NotValid for one task too many in a day.
    """
    task = await session.scalar(select(Task).where(*_open(group_id=group.group_id, member_id=member.member_id)))
    if task is None:
        await _require_few(session, member, now)
        task = Task(
            guild_id=guild.guild_id, group_id=group.group_id, member_id=member.member_id, kind=kind, created_at=now
        )
        session.add(task)
        await session.flush()
    elif kind == "hello" and task.kind == "ask":
        task.kind = "hello"
        await session.flush()
        await board.redraw(session, task, now=now)
    return Begun(task.task_id, task.thread_id, await plan_thread(session, guild, task, now=now))


async def pressed(session: AsyncSession, actor: Actor, task_id: int) -> tuple[Guild, Group, Task]:
    """Return a task that is open, its group locked, if the actor may deal with it.

    Raises TaskUnknown, NotAllowed, or TaskDone.
    """
    guild = await guild_of(session, actor.guild_id)
    mine = (Task.task_id == task_id, Task.guild_id == actor.guild_id)
    group_id = await session.scalar(select(Task.group_id).where(*mine))
    group = await session.scalar(select(Group).where(Group.group_id == group_id).with_for_update(key_share=True))
    if group is None:
        raise TaskUnknown
    await require_group_facilitator(session, guild, group, actor)
    task = await session.scalar(select(Task).where(*mine).execution_options(populate_existing=True))
    if task is None:
        raise TaskUnknown
    if task.done_at is not None:
        raise TaskDone(task.outcome or "")
    return guild, group, task


async def claim(session: AsyncSession, actor: Actor, task_id: int, *, now: datetime) -> Begun:
    """Note that the actor has a task, and let them into its thread. Raises like `pressed`, or TaskTaken."""
    guild, _group, task = await pressed(session, actor, task_id)
    me = await members.of(session, actor.guild_id, actor.user_id, now=now, locale=actor.locale)
    if task.claimed_by != me.member_id:
        claimer = await session.get(Member, task.claimed_by) if task.claimed_by is not None else None
        if claimer is not None and task.claimed_at is not None and now < task.claimed_at + CLAIM:
            raise TaskTaken(members.user_id(session, claimer))
        task.claimed_by, task.claimed_at = me.member_id, now
        await session.flush()
        await board.redraw(session, task, now=now)
    return Begun(task.task_id, task.thread_id, await plan_thread(session, guild, task, now=now))


async def answer(session: AsyncSession, actor: Actor, task_id: int, *, now: datetime) -> Task:
    """Note that a question was answered. Raises like `pressed`, or NotValid for a hello, which needs a yes or no."""
    guild, _group, task = await pressed(session, actor, task_id)
    if task.kind != "ask":
        raise NotValid(_("This person would like to join now. Please press *Welcome in* or *Not this group*."))
    await finish(session, guild, task, "done", actor, now=now)
    return task


async def finish(session: AsyncSession, guild: Guild, task: Task, outcome: str, by: Actor, *, now: datetime) -> int:
    """End a task that somebody dealt with, and have its outcome told; return the delivery that leads there."""
    me = await members.of(session, by.guild_id, by.user_id, now=now, locale=by.locale)
    if task.claimed_by != me.member_id:
        task.claimed_by, task.claimed_at = me.member_id, now
    task.done_at, task.outcome = now, outcome
    await session.flush()
    await board.redraw(session, task, now=now)
    return await plan_thread(session, guild, task, now=now)


async def end(
    session: AsyncSession,
    guild_id: int,
    outcome: str,
    *,
    group_id: int | None = None,
    member_id: int | None = None,
    now: datetime,
) -> None:
    """End the open tasks of a group, of a person, or of one in the other, with nobody having dealt with them."""
    guild = await session.get(Guild, guild_id)
    ended = select(Task).where(Task.guild_id == guild_id, *_open(group_id=group_id, member_id=member_id))
    for task in (await session.scalars(ended.order_by(Task.task_id))).all():
        task.done_at, task.outcome = now, outcome
        await session.flush()
        await board.redraw(session, task, now=now)
        if outcome in TOLD and guild is not None:
            await plan_thread(session, guild, task, now=now)


async def follow(
    session: AsyncSession, guild_id: int, *, group_ids: Sequence[int] = (), member_id: int | None = None, now: datetime
) -> None:
    """Have the cards of open tasks drawn again, a person's or those of groups, and threads let in who belongs there."""
    guild = await session.get(Guild, guild_id)
    person = await session.get(Member, member_id) if member_id is not None else None
    which = Task.group_id.in_(group_ids) if member_id is None else Task.member_id == member_id
    found = select(Task).where(Task.guild_id == guild_id, *_open(), which).order_by(Task.task_id)
    for task in (await session.scalars(found)).all():
        await board.redraw(session, task, now=now)
        if guild is not None and (person is None or person.away_since is None):
            await plan_thread(session, guild, task, now=now)


async def let_back_in(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Step: somebody is on duty again, and gets into the threads that were opened meanwhile."""
    member = await session.get(Member, delivery.member_id)
    if member is not None and duty.is_on(member, now):
        groups = await session.scalars(select(Facilitator.group_id).where(Facilitator.member_id == member.member_id))
        await follow(session, member.guild_id, group_ids=groups.all(), now=now)


async def plan_thread(session: AsyncSession, guild: Guild, task: Task, *, now: datetime) -> int:
    """Have a task's private thread made, or what is new told in it; return the delivery's id."""
    return await deliveries.plan(
        session,
        "desk.thread",
        str(task.task_id),
        guild_id=guild.guild_id,
        now=now,
        priority=Priority.ACCESS,
        again=True,
        channel_id=threads_channel(guild),
        group_id=task.group_id,
        member_id=task.member_id,
        subject_id=task.task_id,
    )


async def thread_wanted(session: AsyncSession, delivery: Delivery, *, now: datetime) -> ThreadWanted | None:
    """Return the thread that a task needs now; None when it needs none."""
    found = await session.execute(_views(delivery.guild_id).where(Task.task_id == delivery.subject_id))
    row = found.one_or_none()
    guild = await session.get(Guild, delivery.guild_id)
    if row is None or guild is None:
        return None
    task, group, member, claimer = row
    if task.done_at is not None and task.outcome not in TOLD:
        return None
    called = list(await duty.on_duty(session, group.group_id, now=now)) if task.done_at is None else []
    if task.claimed_by is not None and all(each.member_id != task.claimed_by for each in called):
        is_listed = await session.get(Facilitator, (group.group_id, task.claimed_by)) is not None
        called += [claimer] if is_listed else []
    return ThreadWanted(
        _view(session, task, group, member, claimer),
        threads_channel(guild),  # as it is now: the one that was planned with may be what kept it from being opened
        members.user_id(session, member),
        tuple(members.user_id(session, each) for each in called),
    )


async def thread_opened(session: AsyncSession, task_id: int, thread_id: int, *, now: datetime) -> None:
    """Remember a task's thread and plan what is told in it; the card follows, so that it leads there."""
    task = await board.locked(session, Task.task_id == task_id)
    if task is None:
        return
    if task.thread_id != thread_id:
        task.thread_id = thread_id
        await session.flush()
        await board.redraw(session, task, now=now)
    kind, key = (
        ("desk.hello", f"{task_id}:{thread_id}:{task.kind}") if task.done_at is None else ("desk.answer", str(task_id))
    )
    await deliveries.plan(
        session, kind, key, guild_id=task.guild_id, now=now, channel_id=thread_id, group_id=task.group_id,
        member_id=task.member_id, subject_id=task_id,
    )  # fmt: skip
    if task.done_at is None and task.message_id is None:
        await board.plan(session, task.guild_id, now=now)


async def find(session: AsyncSession, guild_id: int, task_id: int | None) -> TaskView | None:
    """Return a task of a server, if it is there."""
    row = (await session.execute(_views(guild_id).where(Task.task_id == task_id))).one_or_none()
    return _view(session, *row) if row is not None else None


async def desk(session: AsyncSession, actor: Actor, *, now: datetime) -> Desk:
    """Return what waits for the actor: open tasks of their groups, of all groups for who manages the server.

    Raises NotSetUp or NotAllowed.
    """
    require_facilitator(await guild_of(session, actor.guild_id), actor)
    which = [*_open()]
    if not actor.manages:
        me = await members.find(session, actor.guild_id, actor.user_id)
        mine = select(Facilitator.group_id).where(Facilitator.member_id == (me.member_id if me else 0))
        which.append(Task.group_id.in_(mine))
    found = await session.execute(
        _views(actor.guild_id).where(*which).order_by(Task.created_at, Task.task_id).limit(LISTED)
    )
    listed = tuple(_view(session, *row) for row in found)
    count = select(func.count(Task.task_id)).where(Task.guild_id == actor.guild_id, *which)
    return Desk(
        listed,
        (await session.scalars(count)).one() - len(listed),
        await duty.off_until(session, actor, now=now),
        await duty.others_on_duty(session, actor, now=now),
    )


async def mine(session: AsyncSession, guild_id: int, user_id: int) -> list[tuple[int, str, int | None]]:
    """Return the groups, with id and name, of which a person has asked something, and where they talk about it."""
    me = await members.find(session, guild_id, user_id)
    asked = select(Group.group_id, Group.name, Task.thread_id).join_from(Task, Group).where(Task.kind == "ask")
    own = asked.where(*_open(member_id=me.member_id if me is not None else 0)).order_by(Group.name_key)
    return [(row[0], row[1], row[2]) for row in await session.execute(own)]


async def thread_of(session: AsyncSession, task_id: int) -> int | None:
    """Return the private thread of a task, once it is there."""
    return await session.scalar(select(Task.thread_id).where(Task.task_id == task_id))


async def purge(session: AsyncSession, *, now: datetime) -> None:
    """Delete tasks that ended a month ago, and leave their threads to the person alone."""
    old = select(Task).where(Task.done_at < now - KEEP).order_by(Task.group_id, Task.task_id)
    for task in (await session.scalars(old)).all():
        if task.thread_id is not None:
            await deliveries.plan(
                session, "desk.let_go", f"{task.task_id}:{task.thread_id}", guild_id=task.guild_id, now=now,
                channel_id=task.thread_id, group_id=task.group_id, member_id=task.member_id,
            )  # fmt: skip
        await session.delete(task)
    await session.flush()


async def _require_few(session: AsyncSession, member: Member, now: datetime) -> None:
    today = (Task.member_id == member.member_id, Task.created_at > now - timedelta(days=1))
    if (await session.scalars(select(func.count()).where(*today))).one() >= MOST_A_DAY:
        raise NotValid(_("You have asked a few times today. Please give them time to answer. Tomorrow works again."))


def _open(*, group_id: int | None = None, member_id: int | None = None) -> list[ColumnElement[bool]]:
    which: list[ColumnElement[bool]] = [Task.done_at.is_(None)]
    which += [Task.group_id == group_id] if group_id is not None else []
    return which + ([Task.member_id == member_id] if member_id is not None else [])


def _views(guild_id: int) -> Select[Task, Group, Member, Member]:
    whose = select(Task, Group, Member, Claimer).join_from(Task, Group).join(Member, Member.member_id == Task.member_id)
    return whose.outerjoin(Claimer, Claimer.member_id == Task.claimed_by).where(Task.guild_id == guild_id)


def _view(session: AsyncSession, task: Task, group: Group, member: Member, claimer: Member | None) -> TaskView:
    return TaskView(
        task_id=task.task_id,
        kind=task.kind,
        group_id=group.group_id,
        group_name=group.name,
        created_at=task.created_at,
        thread_id=task.thread_id,
        claimed_by=members.user_id(session, claimer) if claimer is not None else None,
        claimed_at=task.claimed_at,
        done_at=task.done_at,
        outcome=task.outcome,
        is_away=member.away_since is not None,
        channel_id=task.channel_id,
        message_id=task.message_id,
    )
