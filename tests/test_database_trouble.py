"""The database in trouble: a disk that is full, a server that crashes and comes back. Nothing is lost or half done."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import datetime, timedelta

import postgres_server
import psycopg
import pytest
from builders import GUILD, MAYA, make_guild
from dispatching import PATIENCE, Running, noticing
from sqlalchemy import text

from peerbot import deliveries, dispatcher, members, schema
from peerbot.clock import Clock
from peerbot.config import Secret, engine_url
from peerbot.database import BACKGROUND, Database, connect
from peerbot.errors import DatabaseBusy, OutcomeUnknown
from peerbot.models import Guild
from tests.conftest import settings_for

TEXT = "x" * 4000


@pytest.fixture
async def file(sqlite_url: str) -> Database:
    return connect(settings_for(sqlite_url))


async def fill_up(db: Database, *, full: bool) -> None:
    """Let the disk be full, or have room again."""
    async with db.writer.connect() as connection:
        used = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await connection.execute(text(f"PRAGMA max_page_count = {used if full else 1_000_000}"))


async def test_a_full_disk_changes_nothing_and_is_outlasted(file: Database, now: datetime) -> None:
    async with file.begin() as session:
        guild = await make_guild(session, now=now)
    await fill_up(file, full=True)
    with pytest.raises(DatabaseBusy):
        async with file.begin() as session:
            for number in range(200):
                await deliveries.plan(session, "x", f"{number}-{TEXT[:80]}", guild_id=GUILD, now=now)
    async with file.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM deliveries WHERE kind = 'x'"))).scalar_one() == 0
    await fill_up(file, full=False)
    async with file.begin() as session:
        assert await members.of(session, guild.guild_id, MAYA, now=now)
    await file.close()


async def test_deliveries_go_on_when_the_disk_has_room_again(
    file: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "SWEEP", 0.05)
    async with file.begin() as session:
        await make_guild(session, now=clock.now())
        await session.execute(text("DELETE FROM deliveries"))
        # A claim changes a row where it stands; here it needs room as well.
        await session.execute(text("CREATE TABLE ballast (bytes)"))
        heavy = (
            "CREATE TRIGGER heavy AFTER UPDATE ON deliveries BEGIN INSERT INTO ballast VALUES (zeroblob(50000)); END"
        )
        await session.execute(text(heavy))
    running = Running(file, clock)
    running.dispatcher.start(running.courier)
    delivery_id = await running.plan("waits", due_at=clock.now() + timedelta(hours=1))
    await fill_up(file, full=True)
    with noticing() as noticed:
        clock.move(timedelta(hours=1))
        await noticed()
    assert running.courier.sent == []
    await fill_up(file, full=False)
    await running.courier.has_sent("waits")
    assert (await running.row(delivery_id)).state in (deliveries.LEASED, deliveries.DONE)
    await running.dispatcher.stop()
    await file.close()


@pytest.fixture
async def own_server() -> Database:
    """A PostgreSQL of this test's own, which it may let crash."""
    folder = postgres_server.binaries()
    if folder is None:
        pytest.skip("no PostgreSQL on this machine that could be started")
    url = postgres_server.start(folder, os.getpid()).format(name="postgres")
    with psycopg.connect(url, autocommit=True) as connection:  # the server of tests is told to be quick, not careful
        connection.execute("ALTER DATABASE postgres SET synchronous_commit = on")
    await asyncio.to_thread(schema.bring_up, engine_url(Secret(url)))
    return connect(settings_for(url))


async def crash(db: Database) -> None:
    """Let the server crash and come back, as after a power cut."""
    url = db.writer.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
        assert row is not None
        os.kill(int(row[0]), signal.SIGKILL)  # all of its processes go down with one that dies like this


async def test_a_postgresql_that_crashes_loses_nothing(
    own_server: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "SWEEP", 0.05)
    async with own_server.begin(wait=BACKGROUND) as session:
        guild: Guild = await make_guild(session, now=clock.now())
        await session.execute(text("DELETE FROM deliveries"))
    running = Running(own_server, clock)
    running.dispatcher.start(running.courier)
    await running.plan("before")
    await running.courier.has_sent("before")
    await running.plan("after", due_at=clock.now() + timedelta(hours=1))
    with pytest.raises((DatabaseBusy, OutcomeUnknown)):
        async with own_server.begin() as session:
            await members.of(session, guild.guild_id, MAYA, now=clock.now())
            await crash(own_server)
            while True:  # until the server has noticed
                await session.execute(text("SELECT 1"))
    clock.move(timedelta(hours=1))
    await running.courier.has_sent("after")
    async with asyncio.timeout(PATIENCE), own_server.begin(wait=BACKGROUND) as session:
        assert await members.find(session, GUILD, MAYA) is None
    await running.dispatcher.stop()
    await own_server.close()
