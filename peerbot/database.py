"""One way in to write, one way in to read.

`begin()` is one transaction: it commits when its block ends and rolls back when the block raises. Rules flush and never
commit. SQLite has one writing connection (`BEGIN IMMEDIATE`) and a few reading ones, and one process, held by a lock
file; PostgreSQL has a pool. Nobody waits long for either: whoever cannot begin in time reads that nothing was changed.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from sqlalchemy import URL, Connection, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from peerbot.config import Settings
from peerbot.errors import AlreadyRunning, ConfigurationWrong, DatabaseBusy, OutcomeUnknown
from peerbot.members import Seal
from peerbot.sqlite import connect as open_sqlite

log = logging.getLogger(__name__)

INTERACTIVE = 1.5
"""Seconds that a person's press may wait for a connection or a lock."""
BACKGROUND = 10.0
"""Seconds that the dispatcher and other work of our own may wait."""
LOOK_AFTER = 20.0
"""Seconds between two looks at the process lock."""
PAGES_KEPT = 512
"""KiB of the file that each connection to SQLite keeps; the rest is in the system's memory, a call away."""
GIVEN_BACK: dict[str, Any] = {"pool_reset_on_return": None}
"""A session ends its transaction by itself. One more rollback would cost a way to the database after each commit, and a
task that is cancelled during it would leave an error in the log."""
SCHEMA_LOCK = 0x7065_6572
"""The advisory lock that guards schema and key on PostgreSQL."""

saved: ContextVar[bool] = ContextVar("saved", default=False)
"""Whether this task has committed something; set to False by whoever wants to know."""
transaction_open: ContextVar[bool] = ContextVar("transaction_open", default=False)
"""Whether this task holds a transaction; nothing may be asked of Discord while it is so."""


class Database:
    """The database of one process."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine, seal: Seal) -> None:
        self.writer = writer
        self.reader = reader
        self.seal = seal
        self.after_commit: Callable[[list[int]], None] = lambda _planned: None
        self.claims_as: Callable[[], str | None] = lambda: None
        """The name under which a transaction may claim what it plans, while somebody is there to carry it out."""
        self.carry: Callable[[list[Any], float], None] = lambda _claimed, _claimed_at: None
        """Whoever carries it out, given the loop's time before it was claimed."""

    @asynccontextmanager
    async def begin(self, *, wait: float = INTERACTIVE) -> AsyncGenerator[AsyncSession]:
        """Open a transaction to write; `wait` in seconds.

        Raises DatabaseBusy (nothing was changed) or OutcomeUnknown (the commit may or may not have happened).
        """
        planned: list[int] = []
        claimed: list[Any] = []
        async with self._session(self.writer, wait) as session:
            claimed_at = asyncio.get_running_loop().time()
            session.info.update(planned=planned, claimed=claimed, claims_as=self.claims_as())
            if wait != INTERACTIVE and self.writer.dialect.name == "postgresql":
                await session.execute(text(f"SET LOCAL lock_timeout = {int(wait * 1000)}"))
            yield session
            await session.flush()  # what fails here is known not to have been saved
            try:
                with _translated(OutcomeUnknown):
                    await session.commit()
            except OutcomeUnknown:
                await session.invalidate()  # a rollback on this connection would fail too, and hide what happened
                raise
        saved.set(True)
        if claimed:
            self.carry(claimed, claimed_at)
        if planned:
            self.after_commit(planned)

    @asynccontextmanager
    async def read(self, *, wait: float = INTERACTIVE) -> AsyncGenerator[AsyncSession]:
        """Open a transaction that only reads; `wait` in seconds. Raises DatabaseBusy."""
        async with self._session(self.reader, wait) as session:
            yield session

    @asynccontextmanager
    async def _session(self, engine: AsyncEngine, wait: float) -> AsyncGenerator[AsyncSession]:
        with _translated(DatabaseBusy):  # around all of it: a rollback on a dead connection fails as well
            async with AsyncSession(engine, expire_on_commit=False, autoflush=False) as session:
                session.info["seal"] = self.seal
                async with asyncio.timeout(wait):
                    await session.connection()
                token = transaction_open.set(True)
                try:
                    yield session
                finally:
                    transaction_open.reset(token)

    async def close(self) -> None:
        """Give all connections back."""
        await self.writer.dispose()
        await self.reader.dispose()


@contextmanager
def _translated(error: type[DatabaseBusy | OutcomeUnknown]) -> Generator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout, TimeoutError, OSError) as problem:
        if is_away(problem):
            raise error from problem
        raise


def is_away(problem: Exception) -> bool:
    """Return whether a problem is that the database does not answer, or not in time."""
    if isinstance(problem, OperationalError | InterfaceError | PoolTimeout | TimeoutError | OSError):
        return True
    return isinstance(problem, DBAPIError) and problem.connection_invalidated


def connect(settings: Settings) -> Database:
    """Return the database of the settings; nothing is opened before it is used.

    Raises ConfigurationWrong when PostgreSQL's driver is not installed.
    """
    seal = Seal(settings.key)
    if settings.url.get_backend_name() == "sqlite":
        writer = _sqlite(settings.url, writes=True)
        return Database(writer, _sqlite(settings.url, writes=False), seal)
    try:
        engine = _postgres(settings.url)
    except ModuleNotFoundError:
        raise ConfigurationWrong(
            "PEERBOT_DATABASE_URL names a PostgreSQL, and its driver is missing. Install peerbot[postgres]."
        ) from None
    return Database(engine, engine, seal)


def _sqlite(url: URL, *, writes: bool) -> AsyncEngine:
    # Parameters stay out of errors, because errors go to the log.
    pool: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": 1 if writes else 4,
        "max_overflow": 0,
        "pool_timeout": BACKGROUND,
        "pool_use_lifo": True,  # a connection keeps statements and pages; what one can do, several need not hold
        **GIVEN_BACK,
    }
    opens = {"async_creator_fn": open_sqlite, "only_reads": not writes}
    engine = create_async_engine(url, connect_args=opens, **pool)
    # FULL: a commit that was told to somebody survives a power cut. secure_delete: what is erased is overwritten.
    pragmas = ["journal_mode=wal", "synchronous=full", "foreign_keys=on", "busy_timeout=1000", "secure_delete=on"]
    pragmas.append(f"cache_size=-{PAGES_KEPT}")

    def set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours to say
        cursor = connection.cursor()
        for pragma in [*pragmas, *([] if writes else ["query_only=on"])]:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", set_up)

    def begin(connection: Connection) -> None:
        opened: Any = connection.connection.driver_connection
        opened.begins = "BEGIN IMMEDIATE" if writes else "BEGIN"

    event.listen(engine.sync_engine, "begin", begin)
    return engine


def _postgres(url: URL) -> AsyncEngine:
    options = "-c lock_timeout=1500 -c statement_timeout=10000 -c idle_in_transaction_session_timeout=15000"
    network = {"connect_timeout": 5, "keepalives_idle": 10, "tcp_user_timeout": 8000}
    engine = create_async_engine(
        url,
        pool_size=5,
        max_overflow=5,
        pool_timeout=BACKGROUND,
        **GIVEN_BACK,
        hide_parameters=True,  # they would stand in every error that is logged
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={"options": options, "application_name": "peerbot", **network},
    )
    event.listen(engine.sync_engine, "connect", _arrays_in_binary)
    return engine


def _arrays_in_binary(connection: Any, _record: Any) -> None:
    """Send arrays as PostgreSQL keeps them: as text, a row that is made takes both sides five times as long."""
    from psycopg.types.array import ListBinaryDumper  # where there is PostgreSQL there is its driver

    connection.driver_connection.adapters.register_dumper(list, ListBinaryDumper)


class ProcessLock:
    """Hold the database for this process: alone on SQLite, together with other running ones on PostgreSQL."""

    def __init__(self, settings: Settings) -> None:
        self.owner = secrets.randbelow(2**31 - 1)
        self._settings = settings
        self._file: IO[str] | None = None
        self._engine: AsyncEngine | None = None
        self._connection: AsyncConnection | None = None

    async def take(self, *, alone: bool) -> None:
        """Take the lock; raise AlreadyRunning when another process is in the way."""
        if self._settings.url.get_backend_name() == "sqlite":
            self._file = _lock_file(Path(str(self._settings.url.database)))
            return
        self._engine = create_async_engine(self._settings.url, pool_size=1, isolation_level="AUTOCOMMIT")
        self._connection = await self._engine.connect()
        verb = "pg_try_advisory_lock" if alone else "pg_try_advisory_lock_shared"
        if not await self._connection.scalar(text(f"SELECT {verb}({SCHEMA_LOCK})")):
            await self.release()
            raise AlreadyRunning("Another peerbot process is using this database, or changing it. Stop it first.")
        # PostgreSQL lets go of this one with the connection: that is how others know whose leases are free.
        await self._connection.execute(text(f"SELECT pg_advisory_lock({SCHEMA_LOCK}, {self.owner})"))

    async def keep(self, check: Callable[[], Awaitable[None]]) -> None:
        """Look after the lock while the process runs: PostgreSQL forgets it when the connection ends.

        After it was lost and taken again, `check` says whether the database is still ours. Raises AlreadyRunning, or
        what `check` raises.
        """
        while self._settings.url.get_backend_name() == "postgresql":
            await asyncio.sleep(LOOK_AFTER)  # noqa: TID251 - how often it is looked after
            try:
                if self._connection is None:
                    raise ConnectionError
                await self._connection.execute(text("SELECT 1"))
            except (DBAPIError, OSError):
                await self._retake(check)

    async def _retake(self, check: Callable[[], Awaitable[None]]) -> None:
        with suppress(DBAPIError, OSError):
            await self.release()
        try:
            await self.take(alone=False)
            await check()
        except (DBAPIError, OSError, DatabaseBusy):
            log.warning("The database is away, and its lock with it. Trying again.")

    async def release(self) -> None:
        """Let the lock go."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None


def _lock_file(database: Path) -> IO[str]:
    database.parent.mkdir(parents=True, exist_ok=True)
    file = database.with_name(database.name + ".lock").open("a")  # not emptied before it is ours
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise AlreadyRunning(
            "Another peerbot process is using this database file. SQLite takes one process; PostgreSQL takes several."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
