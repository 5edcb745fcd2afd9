"""SQLite's threads: whoever waits is told, and nobody else."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from peerbot.sqlite import Connection, connect

PATIENCE = 5.0


def test_a_thread_whose_loop_has_ended_tells_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, problems = threading.Event(), list[object]()
    monkeypatch.setattr(threading, "excepthook", problems.append)

    async def give_up() -> Connection:
        connection = connect(str(tmp_path / "some.db"))
        await connection
        asking = asyncio.create_task(connection._execute(go.wait))
        await asyncio.wait([asking], timeout=0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        connection.stop()
        return connection

    connection = asyncio.run(give_up())
    go.set()
    connection._thread.join(PATIENCE)
    assert not connection._thread.is_alive()
    assert problems == []


async def test_what_goes_wrong_is_told_and_the_thread_goes_on(tmp_path: Path) -> None:
    connection = connect(str(tmp_path / "some.db"))
    await connection
    cursor: Any = connection.cursor()
    with pytest.raises(sqlite3.OperationalError):
        await cursor.execute("SELECT * FROM nothing")
    await cursor.execute("SELECT 7")
    assert await cursor.fetchall() == [(7,)]
    await connection.close()
    with pytest.raises(ValueError, match="no active connection"):
        await cursor.execute("SELECT 7")


async def test_a_file_that_cannot_be_opened_is_told_and_leaves_no_thread(tmp_path: Path) -> None:
    opening = connect(str(tmp_path / "missing" / "some.db"))
    with pytest.raises(sqlite3.OperationalError):
        await opening
    await asyncio.to_thread(opening._thread.join, PATIENCE)
    assert not opening._thread.is_alive()


async def test_a_connection_that_was_let_go_of_leaves_no_thread(tmp_path: Path) -> None:
    connection = connect(str(tmp_path / "some.db"))
    await connection
    thread = connection._thread
    del connection
    gc.collect()
    await asyncio.to_thread(thread.join, PATIENCE)
    assert not thread.is_alive()
