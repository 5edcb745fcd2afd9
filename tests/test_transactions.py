"""Transactions: all or nothing, and nobody waits long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from builders import GUILD, LEO, MAYA, make_group
from sqlalchemy import Connection, event, func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from peerbot import deliveries, members
from peerbot.config import Settings
from peerbot.database import BACKGROUND, Database, connect, transaction_open
from peerbot.errors import DatabaseBusy, GroupUnknown, OutcomeUnknown
from peerbot.models import Delivery, Guild, Member

pytestmark = pytest.mark.both_databases

ROOT = Path(__file__).parent.parent
PATIENCE = 1.5
"""Seconds that a person's press may wait."""
SLACK = 1.0
"""Seconds that a busy machine may add."""


async def count_members(db: Database) -> int:
    async with db.read() as session:
        return (await session.scalars(select(func.count()).select_from(Member))).one()


async def terminate(session: AsyncSession, engine: AsyncEngine) -> None:
    """Cut the connection of a session, as a server does that goes down."""
    pid = await session.scalar(text("SELECT pg_backend_pid()"))
    async with engine.connect() as other:
        await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


async def test_what_a_block_wrote_is_kept_when_it_ends(db: Database, guild: Guild, now: datetime) -> None:
    async with db.begin() as session:
        await members.of(session, GUILD, MAYA, now=now)
    assert await count_members(db) == 1


async def test_nothing_is_kept_when_the_block_raises(db: Database, guild: Guild, now: datetime) -> None:
    with pytest.raises(GroupUnknown):
        async with db.begin() as session:
            await members.of(session, GUILD, MAYA, now=now)
            raise GroupUnknown
    assert await count_members(db) == 0


async def test_nothing_is_kept_when_the_task_is_cancelled(db: Database, guild: Guild, now: datetime) -> None:
    written = asyncio.Event()

    async def write() -> None:
        async with db.begin() as session:
            await members.of(session, GUILD, MAYA, now=now)
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await written.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert await count_members(db) == 0
    async with db.begin() as session:
        await members.of(session, GUILD, LEO, now=now)
    assert await count_members(db) == 1


async def test_a_cancel_while_a_connection_is_given_back_is_no_error(
    db: Database, guild: Guild, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    def cancel(*_: object) -> None:
        task = asyncio.current_task()
        if task is not None and task.get_name() == "cancelled":
            task.cancel()

    async def write() -> None:
        async with db.begin() as session:
            await members.of(session, GUILD, MAYA, now=now)

    event.listen(db.writer.sync_engine, "reset", cancel)
    task = asyncio.create_task(write(), name="cancelled")
    with suppress(asyncio.CancelledError):
        await task
    assert await count_members(db) == 1, "the commit was through"
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_row_that_the_database_refuses_is_no_busy_database(db: Database, guild: Guild, now: datetime) -> None:
    with pytest.raises(IntegrityError):
        async with db.begin() as session:
            session.add(Member(guild_id=404, sealed_user_id=b"x", created_at=now))
    assert await count_members(db) == 0


async def test_what_is_written_while_reading_is_not_kept(db: Database, guild: Guild, now: datetime) -> None:
    with suppress(DatabaseBusy):
        async with db.read() as session:
            await members.of(session, GUILD, MAYA, now=now)
    assert await count_members(db) == 0


async def test_a_task_knows_that_its_transaction_is_open(db: Database, guild: Guild) -> None:
    assert not transaction_open.get()
    for way_in in (db.begin, db.read):
        async with way_in():
            assert transaction_open.get()
        assert not transaction_open.get()
    with pytest.raises(GroupUnknown):
        async with db.begin():
            raise GroupUnknown
    assert not transaction_open.get()


async def test_what_was_planned_is_announced_after_the_commit(db: Database, guild: Guild, now: datetime) -> None:
    announced: list[int] = []
    db.after_commit = announced.extend
    async with db.begin() as session:
        soon = await deliveries.plan(session, "x", "soon", guild_id=GUILD, now=now)
        await deliveries.plan(session, "x", "later", guild_id=GUILD, now=now, due_at=now + timedelta(hours=1))
        assert announced == []
    assert announced == [soon]
    with suppress(GroupUnknown):
        async with db.begin() as session:
            await deliveries.plan(session, "x", "never", guild_id=GUILD, now=now)
            raise GroupUnknown
    assert announced == [soon]


async def test_whoever_cannot_begin_in_time_reads_that_nothing_was_changed(
    db: Database, settings: Settings, guild: Guild, now: datetime
) -> None:
    other = connect(settings)
    loop = asyncio.get_running_loop()
    async with _everything_held(other):
        began = loop.time()
        with pytest.raises(DatabaseBusy, match="Nothing was changed"):
            async with db.begin() as session:
                await session.execute(select(Guild).with_for_update())
                await members.of(session, GUILD, MAYA, now=now)
        assert loop.time() - began < PATIENCE + SLACK
    await other.close()
    assert await count_members(db) == 0
    async with db.begin() as session:
        await members.of(session, GUILD, MAYA, now=now)
    assert await count_members(db) == 1


@asynccontextmanager
async def _everything_held(db: Database) -> AsyncGenerator[None]:
    """Hold the writer's lock on SQLite, the server's row on PostgreSQL."""
    async with db.begin() as session:
        await session.execute(select(Guild).with_for_update())
        yield


async def test_nothing_is_written_outside_of_a_transaction_that_could_not_begin(
    db: Database, settings: Settings, guild: Guild, now: datetime
) -> None:
    if db.writer.dialect.name != "sqlite":
        pytest.skip("PostgreSQL begins by itself")
    other = connect(settings)
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as session:
            async with _everything_held(other):
                with pytest.raises(OperationalError):
                    await session.execute(select(Guild))
            await members.of(session, GUILD, MAYA, now=now)
            raise ZeroDivisionError
    await other.close()
    assert await count_members(db) == 0


async def test_whoever_gets_no_connection_in_time_is_told_so(db: Database, guild: Guild) -> None:
    loop = asyncio.get_running_loop()
    enough = asyncio.Event()

    async def hold(ready: asyncio.Event) -> None:
        async with db.begin():
            ready.set()
            await enough.wait()

    signs = [asyncio.Event() for _ in range(1 if db.writer.dialect.name == "sqlite" else 10)]
    holders = [asyncio.create_task(hold(sign)) for sign in signs]
    await asyncio.gather(*(sign.wait() for sign in signs))
    began = loop.time()
    with pytest.raises(DatabaseBusy):
        async with db.begin():
            pass
    assert PATIENCE / 2 < loop.time() - began < PATIENCE + SLACK
    enough.set()
    await asyncio.gather(*holders)
    async with db.begin():
        pass


async def test_reading_goes_on_while_somebody_writes(db: Database, guild: Guild, now: datetime) -> None:
    async with db.begin() as session:
        await members.of(session, GUILD, MAYA, now=now)
        await session.flush()
        assert await count_members(db) == 0
    assert await count_members(db) == 1


async def test_background_work_waits_longer_for_a_lock(
    db: Database, settings: Settings, guild: Guild, now: datetime
) -> None:
    if db.writer.dialect.name == "sqlite":
        pytest.skip("one process, so only its own transactions are waited for")
    async with db.begin(wait=BACKGROUND) as session:
        assert await session.scalar(text("SHOW lock_timeout")) == "10s"
    async with db.begin() as session:
        assert await session.scalar(text("SHOW lock_timeout")) == "1500ms"


async def test_a_lost_connection_changes_nothing_and_is_replaced(db: Database, guild: Guild, now: datetime) -> None:
    if db.writer.dialect.name == "sqlite":
        pytest.skip("SQLite has no connection to lose")
    with pytest.raises(DatabaseBusy):
        async with db.begin() as session:
            await members.of(session, GUILD, MAYA, now=now)
            await terminate(session, db.writer)
            await members.of(session, GUILD, LEO, now=now)
    assert await count_members(db) == 0


async def test_connections_that_died_while_nobody_used_them_are_replaced(
    db: Database, guild: Guild, settings: Settings
) -> None:
    if db.writer.dialect.name == "sqlite":
        pytest.skip("SQLite has no connection to lose")
    other = connect(settings)
    async with other.begin() as session:
        await session.execute(
            text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                 " WHERE datname = current_database() AND pid != pg_backend_pid()")
        )  # fmt: skip
    await other.close()
    async with db.begin() as session:
        assert await session.scalar(select(func.count()).select_from(Guild)) == 1


async def test_a_connection_that_dies_at_the_commit_leaves_the_outcome_unknown(
    db: Database, settings: Settings, guild: Guild, now: datetime
) -> None:
    if db.writer.dialect.name == "sqlite":
        pytest.skip("SQLite has no connection to lose")
    announced: list[int] = []
    db.after_commit = announced.extend

    def cut(connection: Connection) -> None:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with psycopg.connect(settings.database_url.reveal()) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    event.listen(db.writer.sync_engine, "commit", cut, once=True)
    with pytest.raises(OutcomeUnknown):
        async with db.begin() as session:
            await deliveries.plan(session, "x", "x", guild_id=GUILD, now=now)
    assert announced == []
    async with db.read() as session:
        assert await session.scalar(select(Delivery).where(Delivery.kind == "x")) is None


async def test_a_naive_time_is_refused(db: Database, guild: Guild) -> None:
    naive = datetime(2026, 3, 1, 12)
    with pytest.raises((TypeError, StatementError), match="naive"):
        async with db.begin() as session:
            await members.of(session, GUILD, MAYA, now=naive)


async def test_a_time_comes_back_as_the_same_moment_in_utc(db: Database, guild: Guild) -> None:
    moment = datetime(2026, 3, 1, 0, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    async with db.begin() as session:
        await members.of(session, GUILD, MAYA, now=moment)
    async with db.read() as session:
        member = await members.find(session, GUILD, MAYA)
        assert member is not None
        assert member.created_at == moment
        assert member.created_at.tzinfo is UTC
        assert await session.scalar(select(Member.member_id).where(Member.created_at == moment)) is not None


async def test_rows_go_with_the_server_that_they_belong_to(db: Database, guild: Guild, now: datetime) -> None:
    async with db.begin() as session:
        await make_group(session, now=now)
    async with db.begin() as session:
        await session.delete(await session.get_one(Guild, GUILD))
    assert await count_members(db) == 0


async def test_the_id_of_a_deleted_row_is_never_given_again(db: Database, guild: Guild, now: datetime) -> None:
    async with db.begin() as session:
        first = await members.of(session, GUILD, MAYA, now=now)
        await session.delete(first)
    async with db.begin() as session:
        assert (await members.of(session, GUILD, LEO, now=now)).member_id > first.member_id
