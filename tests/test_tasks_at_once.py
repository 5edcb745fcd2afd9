"""A press and a delivery about one task at the same moment, with real transactions on two connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from builders import GUILD, actor, facilitator, make_group
from in_turn import begun
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import board, hello, tasks
from peerbot.config import Settings
from peerbot.database import Database, connect
from peerbot.models import Delivery, Group, Guild, Task

pytestmark = pytest.mark.both_databases

THREAD, CARD = 1_300_000_000_000_000_001, 1_300_000_000_000_000_003
Rule = Callable[[AsyncSession, int, datetime], Awaitable[None]]


async def opened(session: AsyncSession, task_id: int, now: datetime) -> None:
    await tasks.thread_opened(session, task_id, THREAD, now=now)


async def posted(session: AsyncSession, task_id: int, now: datetime) -> None:
    post = Delivery(subject_id=task_id, channel_id=THREAD, message_id=CARD)
    await board.card_posted(session, post, now)


async def ready(session: AsyncSession, _task_id: int, now: datetime) -> None:
    await board.board_ready(session, GUILD, THREAD, now=now)


async def lost(session: AsyncSession, task_id: int, now: datetime) -> None:
    await board.card_lost(session, task_id, CARD, now=now)


async def deleted(session: AsyncSession, _task_id: int, now: datetime) -> None:
    await board.thread_deleted(session, GUILD, THREAD, now=now)


@pytest.mark.parametrize("rule", [opened, posted, ready, lost, deleted])
async def test_a_delivery_waits_for_the_group_before_it_holds_the_task(
    db: Database, guild: Guild, settings: Settings, now: datetime, rule: Rule
) -> None:
    if db.writer.dialect.name == "sqlite":
        pytest.skip("one transaction writes at a time")
    async with db.begin() as session:
        group = await make_group(session, now=now)
        asked = await hello.ask(session, actor(), group.group_id, now=now)
        task = await session.get_one(Task, asked.task_id)
        task.channel_id, task.message_id, task.thread_id = THREAD, CARD, THREAD

    async def deliver() -> None:
        async with db.begin(wait=10) as session:
            await rule(session, asked.task_id, now)

    other = connect(settings)
    try:
        async with other.begin(wait=10) as press:
            # What a press does first, before it looks at the task.
            await press.scalar(select(Group).where(Group.group_id == group.group_id).with_for_update())
            delivering = await begun(press, deliver())
            await tasks.claim(press, facilitator(), asked.task_id, now=now)
        await delivering
    finally:
        await other.close()
