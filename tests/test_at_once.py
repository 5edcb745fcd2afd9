"""What somebody waits for: claimed where it is planned, carried out first, told before it is written down."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import GUILD
from dispatching import Running, at_rest, at_work
from sqlalchemy import update

from peerbot import deliveries, dispatcher
from peerbot.deliveries import DONE, LEASED, PENDING, Priority
from peerbot.dispatcher import Outcome, Retry, Sent
from peerbot.models import Delivery

pytestmark = pytest.mark.both_databases

__all__ = ["at_rest", "at_work"]  # pytest finds fixtures by their names here

AT_ONCE: dict[str, Any] = {"kind": "effect", "again": True, "at_once": True, "priority": Priority.ACCESS}


class Held:
    """An answer of the courier that comes when it is let go."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.let_go = asyncio.Event()

    async def __call__(self, _delivery: Delivery) -> Outcome:
        await self.let_go.wait()
        return self.outcome


@pytest.fixture
def taken(at_rest: Running) -> list[Delivery]:
    """What transactions claim, with nobody there to carry it out."""
    found: list[Delivery] = []
    at_rest.db.claims_as = lambda: "me"
    at_rest.db.carry = lambda claimed, _at: found.extend(claimed)
    return found


@pytest.mark.both_databases
async def test_it_is_claimed_in_the_transaction_that_plans_it(at_rest: Running, taken: list[Delivery]) -> None:
    delivery_id = await at_rest.plan("room", **AT_ONCE)
    row = await at_rest.row(delivery_id)
    assert (row.state, row.owner, row.claim_no, row.attempts, row.again) == (LEASED, "me", 1, 1, False)
    left = row.next_at - datetime.now(UTC)
    assert timedelta(seconds=40) < left <= deliveries.LEASE
    [claimed] = taken
    names = [column.name for column in Delivery.__table__.columns]
    assert [getattr(claimed, name) for name in names] == [getattr(row, name) for name in names]
    async with at_rest.db.begin() as session:
        assert await deliveries.finish(session, claimed, DONE, now=at_rest.clock.now()) == DONE
    await at_rest.plan("room", **AT_ONCE)
    assert [each.claim_no for each in taken] == [1, 2]
    assert (await at_rest.row(delivery_id)).attempts == 1


@pytest.mark.both_databases
async def test_what_is_being_carried_out_elsewhere_runs_once_more_after_that(
    at_rest: Running, taken: list[Delivery]
) -> None:
    delivery_id = await at_rest.plan("room", kind="effect", again=True)
    async with at_rest.db.begin() as session:
        [elsewhere] = await deliveries.claim(session, now=at_rest.clock.now(), owner="another", limit=1)
    await at_rest.plan("room", **AT_ONCE)
    row = await at_rest.row(delivery_id)
    assert (row.state, row.owner, row.claim_no, row.again) == (LEASED, "another", elsewhere.claim_no, True)
    assert row.next_at == elsewhere.next_at
    assert not taken
    async with at_rest.db.begin() as session:
        assert await deliveries.finish(session, elsewhere, DONE, now=at_rest.clock.now()) == PENDING


async def test_what_waits_for_another_try_is_tried_now(at_rest: Running, taken: list[Delivery]) -> None:
    delivery_id = await at_rest.plan("room", kind="effect", again=True)
    async with at_rest.db.begin() as session:
        [row] = await deliveries.claim(session, now=at_rest.clock.now(), owner="another", limit=1)
        until = at_rest.clock.now() + timedelta(hours=1)
        await deliveries.postpone(session, row, until=until, problem="outage")
    await at_rest.plan("room", **AT_ONCE)
    assert [(each.delivery_id, each.claim_no, each.problem) for each in taken] == [(delivery_id, 2, None)]


async def test_nothing_is_claimed_for_later_or_where_nobody_carries_or_once_rolled_back(
    at_rest: Running, taken: list[Delivery]
) -> None:
    await at_rest.plan("later", due_at=at_rest.clock.now() + timedelta(hours=1), **AT_ONCE)
    with pytest.raises(ZeroDivisionError):
        async with at_rest.db.begin() as session:
            await deliveries.plan(session, "effect", "room", guild_id=GUILD, now=at_rest.clock.now(), again=True,
                                  at_once=True)  # fmt: skip
            _ = 1 / 0
    at_rest.db.claims_as = lambda: None
    delivery_id = await at_rest.plan("room", **AT_ONCE)
    assert (await at_rest.row(delivery_id)).state == PENDING
    assert not taken


async def test_one_whose_process_died_runs_when_its_lease_is_over(at_rest: Running, taken: list[Delivery]) -> None:
    delivery_id = await at_rest.plan("room", **AT_ONCE)
    async with at_rest.db.begin() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await session.execute(update(Delivery).where(Delivery.delivery_id == delivery_id).values(next_at=past))
    at_rest.dispatcher.start(at_rest.courier)
    at_rest.dispatcher.wake()
    await at_rest.courier.has_sent("room")
    assert at_rest.courier.sent == [("room", 2)]


async def test_whoever_waits_is_told_before_it_is_written_down(at_work: Running) -> None:
    held = Held(Sent())
    at_work.courier.answers["room"] = [held]
    delivery_id = await at_work.plan("room", **AT_ONCE)
    await at_work.courier.has_sent("room")
    async with at_work.db.begin():  # on SQLite nobody else writes meanwhile
        held.let_go.set()
        assert await at_work.outcome(delivery_id) == Sent()
    await at_work.acknowledged()
    assert (await at_work.row(delivery_id)).state == DONE
    assert at_work.courier.keys() == ["room"]


async def test_whoever_asked_during_a_run_waits_for_the_run_after_it(at_work: Running) -> None:
    before, after = Held(Sent(1)), Held(Sent(2))
    at_work.courier.answers["room"] = [before, after]
    delivery_id = await at_work.plan("room", **AT_ONCE)
    await at_work.courier.has_sent("room")
    await at_work.plan("room", **AT_ONCE)
    before.let_go.set()
    await at_work.courier.has_sent("room", 2)
    assert await at_work.dispatcher.outcome(delivery_id, within=0) is None
    after.let_go.set()
    assert await at_work.outcome(delivery_id) == Sent(2)


async def test_what_did_not_work_is_told_and_tried_again_like_any_other(at_work: Running) -> None:
    at_work.courier.answers["room"] = [Retry("outage")]
    delivery_id = await at_work.plan("room", **AT_ONCE)
    assert await at_work.outcome(delivery_id) == Retry("outage")
    await at_work.acknowledged()
    assert (await at_work.row(delivery_id)).state == PENDING


async def test_what_nobody_waits_for_goes_after_it(at_work: Running) -> None:
    held = Held(Sent())
    at_work.courier.answers["room"] = [held]
    async with at_work.db.begin() as session:
        given: dict[str, Any] = {"guild_id": GUILD, "now": at_work.clock.now()}
        await deliveries.plan(session, "message", "greeting", **given)
        await deliveries.plan(session, "effect", "room", again=True, at_once=True, **given)
    await at_work.courier.has_sent("room")
    assert at_work.courier.keys() == ["room"]
    held.let_go.set()
    await at_work.courier.has_sent("greeting")


async def test_no_place_is_taken_that_there_is_not(at_work: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "BATCH", 1)
    held = Held(Sent())
    at_work.courier.answers["slow"] = [held]
    await at_work.plan("slow")
    await at_work.courier.has_sent("slow")
    delivery_id = await at_work.plan("room", **AT_ONCE)
    assert (await at_work.row(delivery_id)).state == PENDING
    held.let_go.set()
    assert isinstance(await at_work.outcome(delivery_id), Sent)
