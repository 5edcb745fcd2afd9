"""Let something begin on another connection while a transaction is open, up to where it is done or waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

WAITS_FOR_US = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
"""PostgreSQL's count of those who wait for this connection: tests share its server, and have locks of their own."""
Made = TypeVar("Made")


async def begun(session: AsyncSession, happening: Coroutine[Any, Any, Made]) -> asyncio.Task[Made]:
    """Let something begin; return it when it is done or waits for what the session's transaction holds."""
    task = asyncio.create_task(happening)
    async with asyncio.timeout(5):
        while not task.done() and not await session.scalar(text(WAITS_FOR_US)):
            await asyncio.wait({task}, timeout=0.005)
    return task
