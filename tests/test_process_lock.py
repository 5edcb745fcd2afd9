"""The lock of a running process on PostgreSQL: it ends with its connection, so it is looked after."""

from __future__ import annotations

import asyncio

import pytest
from builders import settings_for
from sqlalchemy import text

from peerbot import database
from peerbot.config import Settings
from peerbot.database import ProcessLock
from peerbot.errors import AlreadyRunning, KeyWrong

PATIENCE = 10


@pytest.fixture
def postgres(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(database, "LOOK_AFTER", 0.02)
    return settings_for(postgres_url)


async def lose(lock: ProcessLock, settings: Settings) -> None:
    """End the connection of a lock, as a restart of the server does."""
    assert lock._connection is not None
    pid = await lock._connection.scalar(text("SELECT pg_backend_pid()"))
    other = database.create_async_engine(settings.url)
    async with other.connect() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    await other.dispose()


async def test_a_lock_that_was_lost_is_taken_again(postgres: Settings) -> None:
    lock, changing = ProcessLock(postgres), ProcessLock(postgres)
    await lock.take(alone=False)
    checked = asyncio.Event()

    async def check() -> None:
        checked.set()

    keeping = asyncio.create_task(lock.keep(check))
    await lose(lock, postgres)
    await asyncio.wait_for(checked.wait(), PATIENCE)
    with pytest.raises(AlreadyRunning):
        await changing.take(alone=True)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await lock.release()


async def test_a_process_whose_key_was_changed_meanwhile_stops(postgres: Settings) -> None:
    lock = ProcessLock(postgres)
    await lock.take(alone=False)

    async def check() -> None:
        raise KeyWrong("PEERBOT_DATA_KEY is not the key of this database.")

    keeping = asyncio.create_task(lock.keep(check))
    await lose(lock, postgres)
    with pytest.raises(KeyWrong):
        await asyncio.wait_for(keeping, PATIENCE)
    await lock.release()


async def test_a_process_stops_when_another_has_taken_the_database_for_itself(postgres: Settings) -> None:
    lock, changing = ProcessLock(postgres), ProcessLock(postgres)
    await lock.take(alone=False)
    await lose(lock, postgres)
    await changing.take(alone=True)

    async def check() -> None:
        raise AssertionError("nobody asks before the lock is held")

    with pytest.raises(AlreadyRunning):
        await asyncio.wait_for(lock.keep(check), PATIENCE)
    await changing.release()


async def test_a_file_needs_no_looking_after(sqlite_url: str) -> None:
    lock = ProcessLock(settings_for(sqlite_url))
    await lock.take(alone=False)

    async def check() -> None:
        raise AssertionError("a file's lock is not lost")

    await asyncio.wait_for(lock.keep(check), PATIENCE)
    await lock.release()
