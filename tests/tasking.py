"""A group with tasks, for tests of rules about them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from builders import (
    GUILD,
    ROLE,
    actor,
    facilitator,
    make_group,
)
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import board, deliveries, facilitators, hello, tasks
from peerbot.database import Database
from peerbot.models import Delivery, Group, Guild

OTHER = 1_200_000_000_000_000_009
THREAD, BOARD, CARD = 1_300_000_000_000_000_001, 1_300_000_000_000_000_002, 1_300_000_000_000_000_003
NEW_CARD = 9_000_000_000_000_000_000
"""The id of a message of the far future, so that it counts as new."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def group(db: Database, guild: Guild, now: datetime) -> Group:
    """A group with two facilitators."""
    async with db.begin() as session:
        made = await make_group(session, now=now)
        await facilitators.add(session, facilitator(), made.group_id, OTHER, frozenset({ROLE}), now=now)
        return made


@pytest.fixture
async def task_id(db: Database, group: Group, now: datetime) -> int:
    """A question of Maya's."""
    async with db.begin() as session:
        return (await hello.ask(session, actor(), group.group_id, now=now)).task_id


async def planned(session: AsyncSession, kind: str) -> list[Delivery]:
    return list(await session.scalars(select(Delivery).where(Delivery.kind == kind).order_by(Delivery.delivery_id)))


async def ended(session: AsyncSession) -> None:
    """Carry out whatever is planned."""
    await session.execute(update(Delivery).values(state=deliveries.DONE))


async def shown(session: AsyncSession, task_id: int, now: datetime, *, card: int = CARD) -> None:
    """Write down that a task has its thread and its card."""
    await tasks.thread_opened(session, task_id, THREAD, now=now)
    await board.board_ready(session, GUILD, BOARD, now=now)
    (post, *_more) = [one for one in await planned(session, "desk.post") if one.subject_id == task_id]
    post.message_id = card
    await board.card_posted(session, post, now)
