"""What each engine does in its own way: SQLite's settings and its one process, PostgreSQL's several."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from pathlib import Path

import pytest
from builders import settings_for
from sqlalchemy import text

from peerbot.config import Settings
from peerbot.database import ProcessLock, connect
from peerbot.errors import AlreadyRunning

ROOT = Path(__file__).parent.parent


async def test_sqlite_loses_no_commit_and_keeps_nothing_that_was_erased(settings: Settings) -> None:
    database = connect(settings)
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    async with database.begin() as session:
        for pragma, value in expected.items():
            assert await session.scalar(text(f"PRAGMA {pragma}")) == value
    await database.close()


async def test_a_second_process_on_a_sqlite_file_is_refused(settings: Settings) -> None:
    first, second = ProcessLock(settings), ProcessLock(settings)
    await first.take(alone=False)
    with pytest.raises(AlreadyRunning, match="one process"):
        await second.take(alone=False)
    await first.release()
    await second.take(alone=True)
    await second.release()


def test_a_killed_process_lets_a_sqlite_file_go(settings: Settings) -> None:
    script = (
        "import asyncio, sys; from peerbot import config, database\n"
        "lock = database.ProcessLock(config.load(discord_token='x', data_key=sys.argv[1], database_url=sys.argv[2]))\n"
        "asyncio.run(lock.take(alone=False)); print('held', flush=True); sys.stdin.read()"
    )
    secrets = (settings.data_key.reveal(), settings.database_url.reveal())
    with subprocess.Popen(
        [sys.executable, "-c", script, *secrets], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning):
            asyncio.run(ProcessLock(settings).take(alone=False))
        process.kill()
    lock = ProcessLock(settings)
    asyncio.run(lock.take(alone=False))
    asyncio.run(lock.release())


async def test_processes_share_a_postgresql_unless_one_needs_it_alone(postgres_url: str, settings: Settings) -> None:
    settings = settings_for(postgres_url)
    running, also_running, changing = (ProcessLock(settings) for _ in range(3))
    await running.take(alone=False)
    await also_running.take(alone=False)
    with pytest.raises(AlreadyRunning):
        await changing.take(alone=True)
    await running.release()
    with pytest.raises(AlreadyRunning):
        await changing.take(alone=True)
    await also_running.release()
    await changing.take(alone=True)
    with pytest.raises(AlreadyRunning):
        await running.take(alone=False)
    await changing.release()
    gc.collect()  # a lock that is left behind would be complained about here
