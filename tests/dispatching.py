"""A dispatcher at work with a courier that writes down what it was given, and a database that can be taken away."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

import psycopg
import pytest
from builders import GUILD
from psycopg import sql
from sqlalchemy import text

from peerbot import deliveries, dispatcher
from peerbot.clock import Clock
from peerbot.config import Settings
from peerbot.database import Database
from peerbot.dispatcher import Dispatcher, Outbox, Outcome, Sent
from peerbot.models import Delivery, Guild

PATIENCE = 10.0
Answer = Callable[[Delivery], Awaitable[Outcome]]


class Recorder:
    """A courier that records, and answers as it is told for each key."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.searched: list[str] = []
        self.found: dict[str, int] = {}
        self.answers: dict[str, list[Outcome | Exception | Answer]] = {}
        self.changed = asyncio.Condition()

    async def send(self, delivery: Delivery) -> Outcome:
        key = delivery.dedupe_key.rsplit(":", 1)[-1]
        self.sent.append((key, delivery.claim_no))
        answers = self.answers.get(key, [])
        answer = answers.pop(0) if answers else Sent(1000 + delivery.delivery_id)
        async with self.changed:
            self.changed.notify_all()
        if isinstance(answer, Exception):
            raise answer
        return await answer(delivery) if callable(answer) else answer

    async def find(self, delivery: Delivery) -> int | None:
        key = delivery.dedupe_key.rsplit(":", 1)[-1]
        self.searched.append(key)
        return self.found.get(key)

    def keys(self) -> list[str]:
        return [key for key, _ in self.sent]

    async def has_sent(self, key: str, times: int = 1) -> None:
        """Wait until something was sent so many times."""
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: self.keys().count(key) >= times)


class Running:
    """A dispatcher at work, with what a test needs around it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self.db = db
        self.clock = clock
        self.outbox = Outbox()
        self.courier = Recorder()
        self.dispatcher = Dispatcher(db, clock, self.outbox, owner="101")
        self.outbox.message("message", self._nothing)
        self.outbox.effect("effect", self.courier.send)

    async def _nothing(self, delivery: Delivery) -> Any:
        """A message's renderer, which only the real courier asks."""

    async def plan(self, key: str, *, kind: str = "message", **changes: Any) -> int:
        async with self.db.begin() as session:
            return await deliveries.plan(session, kind, key, guild_id=GUILD, now=self.clock.now(), **changes)

    async def outcome(self, delivery_id: int) -> Outcome | None:
        return await self.dispatcher.outcome(delivery_id, within=PATIENCE)

    async def row(self, delivery_id: int) -> Delivery:
        async with self.db.read() as session:
            return await session.get_one(Delivery, delivery_id)

    async def acknowledged(self) -> None:
        """Wait until what was handed to the courier is written down."""
        async with asyncio.timeout(PATIENCE):
            while self.dispatcher._running:
                await asyncio.wait(set(self.dispatcher._running))

    async def run(self, key: str, **changes: Any) -> Delivery:
        """Plan something, wait until it has been tried once, and return its row."""
        delivery_id = await self.plan(key, **changes)
        await self.outcome(delivery_id)
        await self.acknowledged()
        return await self.row(delivery_id)


@pytest.fixture
async def at_rest(db: Database, guild: Guild, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    """A dispatcher that has not begun, and an empty outbox. It never looks by itself, unless a test says so."""
    monkeypatch.setattr(dispatcher, "SWEEP", 3600)
    async with db.begin() as session:
        await session.execute(text("DELETE FROM deliveries"))
    running = Running(db, clock)
    yield running
    await running.dispatcher.stop()


@pytest.fixture
async def at_work(at_rest: Running) -> Running:
    """A dispatcher at work."""
    at_rest.dispatcher.start(at_rest.courier)
    return at_rest


@asynccontextmanager
async def away(settings: Settings) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """Take the database away; what is yielded waits until the dispatcher has met with it."""
    with noticing() as noticed, _locked(settings) if settings.url.get_backend_name() == "sqlite" else _closed(settings):
        yield noticed


@contextmanager
def noticing() -> Generator[Callable[[], Awaitable[None]]]:
    """Yield what waits until the dispatcher has said that something is wrong."""
    met = asyncio.Event()
    handler = logging.Handler()
    handler.emit = lambda _record: met.set()  # pyright: ignore[reportAttributeAccessIssue]
    dispatcher.log.addHandler(handler)

    async def noticed() -> None:
        async with asyncio.timeout(PATIENCE):
            await met.wait()

    try:
        yield noticed
    finally:
        dispatcher.log.removeHandler(handler)


@contextmanager
def _locked(settings: Settings) -> Generator[None]:
    """Hold the lock of a SQLite file, as a backup might."""
    with closing(sqlite3.connect(str(settings.url.database), isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("ROLLBACK")


@contextmanager
def _closed(settings: Settings) -> Generator[None]:
    """Cut every connection to a PostgreSQL database and let nobody in."""
    name = str(settings.url.database)
    server = settings.url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    let_in = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(server, autocommit=True) as administrator:
        try:
            administrator.execute(let_in.format(sql.Identifier(name), sql.SQL("false")))
            administrator.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            yield
        finally:
            administrator.execute(let_in.format(sql.Identifier(name), sql.SQL("true")))
