"""Several processes on one PostgreSQL: which one answers, and which is taken to be gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import func, select, update

from peerbot import processes
from peerbot.database import SCHEMA_LOCK, Database, connect
from peerbot.models import Process
from peerbot.processes import ALIVE, Presence, Standing
from tests.conftest import settings_for

ONE, TWO, THREE = "101", "102", "103"


@pytest.fixture
async def shared(postgres_url: str) -> AsyncIterator[Database]:
    database = connect(settings_for(postgres_url))
    yield database
    await database.close()


@pytest.fixture(autouse=True)
async def locks(postgres_url: str) -> AsyncIterator[Callable[[str], Awaitable[object]]]:
    """The processes of these tests hold their locks, as running ones do; what is yielded lets one go."""
    connection = await psycopg.AsyncConnection.connect(postgres_url, autocommit=True)
    for owner in (ONE, TWO, THREE):
        await connection.execute("SELECT pg_advisory_lock(%s, %s)", [SCHEMA_LOCK, int(owner)])

    async def let_go(owner: str) -> object:
        return await connection.execute("SELECT pg_advisory_unlock(%s, %s)", [SCHEMA_LOCK, int(owner)])

    yield let_go
    await connection.close()


async def beat(db: Database, owner: str) -> Standing:
    async with db.begin() as session:
        return await processes.beat(session, owner)


async def silence(db: Database, owner: str) -> None:
    """Let a process have said nothing for longer than it is taken to be alive."""
    async with db.begin() as session:
        long_ago = func.clock_timestamp() - timedelta(seconds=1)
        await session.execute(update(Process).where(Process.owner == owner).values(alive_until=long_ago))


async def test_one_of_several_answers_and_it_is_the_first(shared: Database) -> None:
    assert await beat(shared, ONE) == Standing(leads=True, living=1)
    assert await beat(shared, TWO) == Standing(leads=False, living=2)
    assert await beat(shared, THREE) == Standing(leads=False, living=3)
    assert await beat(shared, ONE) == Standing(leads=True, living=3)


async def test_one_that_is_silent_is_replaced_and_does_not_take_over_when_it_wakes(shared: Database) -> None:
    for owner in (ONE, TWO):
        await beat(shared, owner)
    await silence(shared, ONE)
    assert await beat(shared, TWO) == Standing(leads=True, living=1)
    assert await beat(shared, ONE) == Standing(leads=False, living=2)
    assert await beat(shared, TWO) == Standing(leads=True, living=2)


async def test_one_that_wakes_before_anybody_noticed_has_a_new_number_too(shared: Database) -> None:
    for owner in (ONE, TWO):
        await beat(shared, owner)
    await silence(shared, ONE)
    assert await beat(shared, ONE) == Standing(leads=False, living=2)


async def test_one_that_was_killed_is_replaced_at_the_next_beat(
    shared: Database, locks: Callable[[str], Awaitable[object]]
) -> None:
    for owner in (ONE, TWO):
        await beat(shared, owner)
    await locks(ONE)
    assert await beat(shared, TWO) == Standing(leads=True, living=1)


async def test_one_that_ends_is_replaced_at_once(shared: Database) -> None:
    for owner in (ONE, TWO):
        await beat(shared, owner)
    async with shared.begin() as session:
        await processes.leave(session, ONE)
    assert await beat(shared, TWO) == Standing(leads=True, living=1)


async def test_a_process_knows_when_it_was_frozen_for_too_long(
    shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Presence(shared, owner, lambda: True) for owner in (ONE, TWO))
    await one.say_alive()
    await other.say_alive()
    assert (one.leads, await one.may_answer()) == (True, True)
    assert (other.leads, await other.may_answer()) == (False, False)
    await silence(shared, ONE)
    one._until -= ALIVE.total_seconds()  # as if as much monotonic time had passed
    assert not one.leads
    assert not await one.may_answer(), "it asks, and learns that another one answers now"
    await other.say_alive()
    assert await other.may_answer()


async def test_while_the_database_is_away_a_process_that_knows_nothing_fresh_answers(postgres_url: str) -> None:
    nowhere = connect(settings_for(postgres_url.rsplit("/", 1)[0] + "/there_is_none"))
    presence = Presence(nowhere, ONE, lambda: True)
    assert await presence.may_answer()
    assert not presence.leads
    await nowhere.close()


async def test_one_that_discord_cannot_reach_does_not_say_that_it_is_alive(
    shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "BEAT", 0.01)
    reachable = [True]
    presence = Presence(shared, ONE, lambda: reachable[0])
    await presence.say_alive()
    reachable[0] = False
    presence.start()
    before = await _alive_until(shared)
    for _ in range(20):
        await beat(shared, TWO)
    assert await _alive_until(shared) == before
    await presence.stop()
    assert await beat(shared, TWO) == Standing(leads=True, living=1)


async def _alive_until(db: Database) -> object:
    async with db.read() as session:
        return await session.scalar(select(Process.alive_until).where(Process.owner == ONE))


async def test_on_sqlite_the_one_process_answers(sqlite_url: str) -> None:
    db = connect(settings_for(sqlite_url))
    presence = Presence(db, ONE, lambda: True)
    assert presence.leads
    assert await presence.may_answer()
    await db.close()
