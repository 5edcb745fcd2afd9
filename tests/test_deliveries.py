"""The outbox: each row once, in the right order, and never by two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import GUILD, OTHER_GUILD, make_guild
from sqlalchemy import select, text, update
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries
from peerbot.config import Settings
from peerbot.database import BACKGROUND, Database, connect
from peerbot.deliveries import CANCELLED, DEAD, DONE, LEASED, PENDING, Planned, Priority
from peerbot.models import Delivery, Guild

pytestmark = pytest.mark.both_databases

KIND = "test.kind"
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
async def empty_outbox(db: Database, guild: Guild) -> None:
    """What setting a server up has planned is out of the way."""
    async with db.begin() as session:
        await session.execute(text("DELETE FROM deliveries"))


@pytest.fixture
async def two(db: Database, settings: Settings) -> AsyncIterator[Database]:
    """The same database from a second process."""
    if db.writer.dialect.name == "sqlite":
        pytest.skip("SQLite takes one process")
    second = connect(settings)
    yield second
    await second.close()


async def plan(session: AsyncSession, key: str, now: datetime, **changes: Any) -> int:
    return await deliveries.plan(session, KIND, key, guild_id=GUILD, now=now, **changes)


async def claim(db: Database, now: datetime, *, limit: int = 10, owner: str = "me", **changes: Any) -> list[Delivery]:
    async with db.begin() as session:
        return await deliveries.claim(session, now=now, owner=owner, limit=limit, **changes)


async def row(db: Database, delivery_id: int) -> Delivery:
    async with db.read() as session:
        return await session.get_one(Delivery, delivery_id)


async def run_out(db: Database) -> None:
    """Let every lease run out."""
    async with db.begin() as session:
        past = datetime.now(UTC) - MINUTE
        await session.execute(update(Delivery).where(Delivery.state == LEASED).values(next_at=past))


async def test_the_same_key_is_planned_once(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        first = await plan(session, "a", now)
        assert await plan(session, "a", now + MINUTE) == first
        assert await plan(session, "b", now) != first
    assert len(await claim(db, now)) == 2
    async with db.begin() as session:
        assert await plan(session, "a", now) == first
    assert await claim(db, now) == [], "not even when it has run"


async def test_two_servers_may_plan_the_same_key(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        await make_guild(session, guild_id=OTHER_GUILD, now=now)
        one = await plan(session, "a", now)
        assert await deliveries.plan(session, KIND, "a", guild_id=OTHER_GUILD, now=now) != one


async def test_a_state_to_be_reached_is_planned_anew_as_one_row(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        first = await plan(session, "a", now, again=True)
        assert await plan(session, "a", now, again=True) == first
    [claimed] = await claim(db, now)
    async with db.begin() as session:
        assert await deliveries.finish(session, claimed, DONE, now=now)
    assert await claim(db, now) == []
    async with db.begin() as session:
        assert await plan(session, "a", now, again=True) == first
    assert [delivery.delivery_id for delivery in await claim(db, now)] == [first]


async def test_what_is_asked_during_a_run_makes_one_more_run_after_it(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        await plan(session, "a", now, again=True)
    [claimed] = await claim(db, now)
    for _ in range(3):
        async with db.begin() as session:
            await plan(session, "a", now, again=True)
    assert await claim(db, now) == [], "nobody else runs it meanwhile"
    async with db.begin() as session:
        assert await deliveries.finish(session, claimed, DONE, now=now) == PENDING
    [rerun] = await claim(db, now)
    assert rerun.attempts == 1
    async with db.begin() as session:
        assert await deliveries.finish(session, rerun, DONE, now=now)
    assert await claim(db, now) == []


async def test_a_rerun_that_was_asked_for_later_waits_until_then(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        await plan(session, "a", now, again=True)
    [claimed] = await claim(db, now)
    async with db.begin() as session:
        await plan(session, "a", now, again=True, due_at=now + MINUTE)
        await deliveries.finish(session, claimed, DONE, now=now)
    assert await claim(db, now) == []
    assert len(await claim(db, now + MINUTE)) == 1


async def test_many_are_planned_as_one_after_another_would_be(db: Database, now: datetime) -> None:
    later = now + MINUTE
    first = Planned("1", GUILD, now, channel_id=7, subject_id=9)
    many = [first, Planned("2", GUILD, later), replace(first, guild_id=OTHER_GUILD), replace(first, channel_id=8)]
    async with db.begin() as session:
        await make_guild(session, guild_id=OTHER_GUILD, now=now)
        session.info["planned"].clear()
        await deliveries.plan_many(session, KIND, many, now=now)
        assert len(session.info["planned"]) == 2, "those that are due now"
        await deliveries.plan_many(session, KIND, [Planned("2", GUILD, now)], now=now)
        await deliveries.plan_many(session, KIND, [Planned("1", GUILD, later, channel_id=5)], now=now, again=True)
    async with db.read() as session:
        found = (await session.scalars(select(Delivery).where(Delivery.kind == KIND))).all()
    kept = {each.dedupe_key: (each.due_at, each.next_at, each.channel_id, each.subject_id) for each in found}
    assert kept == {
        f"{GUILD}:{KIND}:1": (later, later, 5, 9),
        f"{GUILD}:{KIND}:2": (later, later, None, None),
        f"{OTHER_GUILD}:{KIND}:1": (now, now, 7, 9),
    }


async def test_many_with_a_naive_time_are_refused(db: Database, now: datetime) -> None:
    with pytest.raises((TypeError, StatementError), match="naive"):
        async with db.begin() as session:
            naive = Planned("1", GUILD, now + MINUTE, not_after=now.replace(tzinfo=None))
            await deliveries.plan_many(session, KIND, [naive], now=now)


async def test_a_dead_row_lives_again_when_it_is_planned_again(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        await plan(session, "a", now, again=True)
    [claimed] = await claim(db, now)
    async with db.begin() as session:
        await deliveries.finish(session, claimed, DEAD, now=now, problem="forbidden")
        await plan(session, "a", now, again=True)
    [alive] = await claim(db, now)
    assert (alive.attempts, alive.problem) == (1, None)


async def test_expired_leases_go_first_then_the_most_urgent_then_the_oldest(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        expired = await plan(session, "expired", now, priority=Priority.CARD)
    await claim(db, now)
    async with db.begin() as session:
        late_card = await plan(session, "card", now - 3 * MINUTE, priority=Priority.CARD)
        new_note = await plan(session, "new note", now, priority=Priority.NOTE)
        old_note = await plan(session, "old note", now - MINUTE, priority=Priority.NOTE)
        alert = await plan(session, "alert", now, priority=Priority.HELP)
    await run_out(db)
    order: list[int] = []
    while claimed := await claim(db, now, limit=1):
        order += [delivery.delivery_id for delivery in claimed]
    assert order == [expired, alert, old_note, new_note, late_card]


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_never_more_are_claimed_than_asked_for(db: Database, now: datetime, limit: int) -> None:
    async with db.begin() as session:
        for number, priority in enumerate([*Priority, *Priority]):
            await plan(session, str(number), now, priority=priority)
    first = await claim(db, now, limit=4)
    await run_out(db)
    assert len(first) == 4
    assert len(await claim(db, now, limit=limit)) == limit


async def test_nothing_is_claimed_before_it_is_due(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        await plan(session, "a", now, due_at=now + MINUTE)
    assert await claim(db, now + MINUTE - timedelta(microseconds=1)) == []
    assert len(await claim(db, now + MINUTE)) == 1


async def test_a_claim_names_its_owner_and_counts_the_attempt(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        await plan(session, "a", now)
    for attempt in (1, 2):
        [claimed] = await claim(db, now, owner=f"process {attempt}")
        assert (claimed.state, claimed.owner, claimed.attempts, claimed.claim_no) == (
            LEASED, f"process {attempt}", attempt, attempt,
        )  # fmt: skip
        assert claimed.first_send_at == now
        assert timedelta(seconds=40) < claimed.next_at - datetime.now(UTC) <= deliveries.LEASE
        await run_out(db)


async def test_a_lease_holds_until_it_runs_out_whatever_the_wall_clock_says(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        await plan(session, "a", now)
    await claim(db, now)
    assert await claim(db, now + timedelta(days=1)) == []
    await run_out(db)
    assert len(await claim(db, now)) == 1


@pytest.mark.parametrize("late", ["finish", "postpone"])
async def test_a_late_acknowledgement_changes_nothing(db: Database, now: datetime, late: str) -> None:
    async with db.begin() as session:
        await plan(session, "a", now)
    [old] = await claim(db, now)
    await run_out(db)
    [new] = await claim(db, now, owner="other")
    async with db.begin() as session:
        if late == "finish":
            assert not await deliveries.finish(session, old, DONE, now=now, message_id=1)
        else:
            assert not await deliveries.postpone(session, old, until=now, problem="late")
    after = await row(db, new.delivery_id)
    assert (after.state, after.owner, after.claim_no, after.message_id) == (LEASED, "other", new.claim_no, None)
    async with db.begin() as session:
        assert await deliveries.finish(session, new, DONE, now=now, message_id=2)
        assert not await deliveries.finish(session, new, DEAD, now=now)
    assert (await row(db, new.delivery_id)).message_id == 2


async def test_a_postponed_row_waits_and_remembers_when_it_was_first_tried(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        await plan(session, "later", now)
    for tries in range(2):
        [delivery] = await claim(db, now + tries * MINUTE)
        assert delivery.first_send_at == now, "an earlier try may have been sent"
        async with db.begin() as session:
            assert await deliveries.postpone(session, delivery, until=now + (tries + 1) * MINUTE, problem="503")
        assert await claim(db, now + tries * MINUTE) == []
        assert (await row(db, delivery.delivery_id)).problem == "503"


async def test_an_ended_row_says_how_and_when(db: Database, now: datetime) -> None:
    for state in (DONE, CANCELLED, DEAD):
        async with db.begin() as session:
            await plan(session, str(state), now)
        [claimed] = await claim(db, now)
        async with db.begin() as session:
            await deliveries.finish(session, claimed, state, now=now + MINUTE, message_id=7, problem="why")
        ended = await row(db, claimed.delivery_id)
        assert (ended.state, ended.ended_at, ended.message_id, ended.problem) == (state, now + MINUTE, 7, "why")


async def test_of_several_due_messages_of_one_subject_only_the_latest_is_claimed(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        one_day, one_hour, tomorrow = [
            await plan(session, key, now - 3 * MINUTE, due_at=at, collapse="meeting:1")
            for key, at in (("a", now - 2 * MINUTE), ("b", now - MINUTE), ("c", now + MINUTE))
        ]
        other = await plan(session, "d", now, collapse="meeting:2")
        plain = await plan(session, "e", now)
    claimed = {delivery.delivery_id for delivery in await claim(db, now)}
    assert claimed == {one_hour, other, plain}
    assert (await row(db, one_day)).state == CANCELLED
    assert (await row(db, tomorrow)).state == PENDING


async def test_the_latest_is_sent_also_when_a_claim_has_no_place_for_it(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        for number in range(5):
            at = now - (9 - number) * MINUTE
            await plan(session, str(number), now - 10 * MINUTE, due_at=at, collapse="meeting:1")
    claimed = [*await claim(db, now, limit=2), *await claim(db, now, limit=2)]
    assert [delivery.dedupe_key.rsplit(":", 1)[-1] for delivery in claimed] == ["4"]
    assert await claim(db, now) == []


async def test_what_need_not_be_exact_is_spread_over_the_time_before_it_is_due(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        ids = [
            await plan(session, str(number), now, due_at=now + 60 * MINUTE, early=15 * MINUTE) for number in range(200)
        ]
    due = [((await row(db, delivery_id)).due_at - now) / MINUTE for delivery_id in ids]
    assert all(45 < minutes <= 60 for minutes in due)
    in_each_minute = [sum(minute < minutes <= minute + 1 for minutes in due) for minute in range(45, 60)]
    assert max(in_each_minute) <= 30, "no minute has all of them"


async def test_two_processes_share_no_row(db: Database, two: Database, now: datetime) -> None:
    async with db.begin() as session:
        for number in range(60):
            await plan(session, str(number), now, priority=list(Priority)[number % 5])

    async def take(db: Database, owner: str) -> list[int]:
        taken: list[int] = []
        while claimed := await claim(db, now, limit=4, owner=owner):
            taken += [delivery.delivery_id for delivery in claimed]
        return taken

    takers = await asyncio.gather(take(db, "1"), take(two, "2"), take(two, "3"))
    taken = [delivery_id for ids in takers for delivery_id in ids]
    assert len(taken) == 60
    assert len(set(taken)) == 60


async def test_a_row_that_another_process_is_claiming_is_passed_over(
    db: Database, two: Database, now: datetime
) -> None:
    async with db.begin() as session:
        for number in range(6):
            await plan(session, str(number), now)
    async with db.begin() as session:
        held = await deliveries.claim(session, now=now, owner="1", limit=4)
        free = await claim(two, now, owner="2")
        assert len(held) == 4
        assert len(free) == 2


async def test_the_next_due_row_is_known(db: Database, now: datetime) -> None:
    async with db.read() as session:
        assert await deliveries.next_due(session) is None
    async with db.begin() as session:
        await plan(session, "later", now, due_at=now + 2 * MINUTE, priority=Priority.HELP)
        await plan(session, "sooner", now, due_at=now + MINUTE, priority=Priority.CARD)
        await plan(session, "now", now)
    await claim(db, now)
    async with db.read() as session:
        assert await deliveries.next_due(session) == now + MINUTE


async def test_the_outbox_is_drained_when_nothing_is_due_and_nothing_under_way(db: Database, now: datetime) -> None:
    async def drained() -> bool:
        async with db.read() as session:
            return await deliveries.is_drained(session, now=now)

    async with db.begin() as session:
        await plan(session, "later", now, due_at=now + MINUTE)
    assert await drained()
    async with db.begin() as session:
        await plan(session, "now", now)
    assert not await drained()
    [claimed] = await claim(db, now)
    assert not await drained()
    async with db.begin() as session:
        await deliveries.finish(session, claimed, DONE, now=now)
    assert await drained()


async def test_old_rows_are_purged_in_pieces_and_others_stay(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        for number in range(5):
            await plan(session, f"old {number}", now)
        for delivery in await deliveries.claim(session, now=now, owner="me", limit=5):
            await deliveries.finish(session, delivery, DONE, now=now)
        kept = [await plan(session, "waiting", now), await plan(session, "fresh", now)]
    week = deliveries.KEEP + MINUTE
    for expected in (2, 2, 1, 0):
        async with db.begin() as session:
            assert await deliveries.purge(session, now=now + week, limit=2) == expected
    async with db.read() as session:
        assert list(await session.scalars(select(Delivery.delivery_id).order_by(Delivery.delivery_id))) == kept


async def test_a_row_that_is_planned_anew_while_it_is_purged_stays(db: Database, now: datetime) -> None:
    later = now + timedelta(days=8)
    async with db.begin() as session:
        number = await plan(session, "a", now, again=True)
        [claimed] = await deliveries.claim(session, now=now, owner="me", limit=5)
        await deliveries.finish(session, claimed, DONE, now=now)

    async def purge() -> int:
        async with db.begin(wait=BACKGROUND) as session:
            return await deliveries.purge(session, now=later)

    async with db.begin() as session:
        await plan(session, "a", later, again=True)
        purging = asyncio.create_task(purge())
        await asyncio.wait({purging}, timeout=0.3)
    assert await purging == 0
    assert (await row(db, number)).state == PENDING


async def test_a_row_is_kept_for_a_week_after_its_end(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        await plan(session, "a", now)
        [claimed] = await deliveries.claim(session, now=now, owner="me", limit=1)
        await deliveries.finish(session, claimed, DONE, now=now)
        assert await deliveries.purge(session, now=now + deliveries.KEEP) == 0


async def test_leases_of_dead_processes_are_freed(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        for number in range(2):
            await plan(session, str(number), now)
    await claim(db, now, limit=1, owner="101")
    await claim(db, now, limit=1, owner="102")
    lock = 4711
    if db.writer.dialect.name == "sqlite":
        async with db.begin() as session:
            await deliveries.release_dead(session, lock=lock)
        assert len(await claim(db, now)) == 2, "there is one process, so nobody else can hold a lease"
        return
    async with db.begin() as alive:
        await alive.execute(text("SELECT pg_advisory_xact_lock(:lock, 102)"), {"lock": lock})
        async with db.begin() as session:
            await deliveries.release_dead(session, lock=lock)
        assert [delivery.dedupe_key[-1] for delivery in await claim(db, now)] == ["0"]
    async with db.begin() as session:
        await deliveries.release_dead(session, lock=lock)
    assert "1" in {delivery.dedupe_key[-1] for delivery in await claim(db, now)}
