"""What wakes the dispatcher, and what clocks that jump do to it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders import GUILD
from dispatching import PATIENCE, Running, at_rest, at_work
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, dispatcher
from peerbot.clock import FOLLOWS, Clock
from peerbot.deliveries import DONE, LEASED
from peerbot.dispatcher import Outcome, Retry, Sent, Uncertain
from peerbot.models import Delivery

__all__ = ["at_rest", "at_work"]  # pytest finds fixtures by their names here

HOUR = timedelta(hours=1)


async def test_moving_the_clock_wakes_it(at_work: Running) -> None:
    await at_work.plan("tomorrow", due_at=at_work.clock.now() + 24 * HOUR)
    assert await at_work.dispatcher.is_idle()
    at_work.clock.move(24 * HOUR)
    await at_work.courier.has_sent("tomorrow")


async def test_a_clock_that_another_process_moves_is_followed(tmp_path: Path) -> None:
    ours, theirs = (Clock(tmp_path / "clock-offset") for _ in range(2))
    told = asyncio.Event()
    ours.watch(told.set)
    following = asyncio.create_task(ours.follow())
    async with asyncio.timeout(PATIENCE):
        while not told.is_set():  # what was moved before the first look is no news
            theirs.move(HOUR)
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), 2 * FOLLOWS)
    following.cancel()


async def test_it_wakes_when_the_next_row_is_due(at_work: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "SWEEP", 3600)
    due_at = at_work.clock.now() + timedelta(seconds=1)
    await at_work.plan("soon", due_at=due_at)
    await at_work.plan("now")  # it looks at what is next after this one
    await at_work.courier.has_sent("soon")
    assert at_work.clock.now() >= due_at


async def test_it_wakes_by_itself_when_the_scheduler_is_dead(at_rest: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "SWEEP", 0.05)
    at_rest.dispatcher.start(at_rest.courier)
    at_rest.dispatcher._scheduler.pause()
    await at_rest.plan("soon", due_at=at_rest.clock.now() + timedelta(milliseconds=300))
    await at_rest.courier.has_sent("soon")


async def test_tidying_up_that_fails_stops_nothing(at_rest: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = asyncio.Event()

    async def fails(*_: object, **__: object) -> int:
        tried.set()
        raise RuntimeError("a mistake")

    monkeypatch.setattr(deliveries, "purge", fails)
    monkeypatch.setattr(dispatcher, "FIRST_TIDY", timedelta())
    at_rest.dispatcher.start(at_rest.courier)
    async with asyncio.timeout(PATIENCE):
        await tried.wait()
    await at_rest.plan("soon", due_at=at_rest.clock.now() + timedelta(milliseconds=100))
    await at_rest.plan("now")
    await at_rest.courier.has_sent("soon")


async def test_a_machine_clock_that_jumps_ahead_is_followed_and_nothing_goes_out_twice(
    at_rest: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "SWEEP", 0.05)
    at_rest.dispatcher.start(at_rest.courier)
    let_go = asyncio.Event()

    async def slow(_delivery: Delivery) -> Outcome:
        await let_go.wait()
        return Sent()

    at_rest.courier.answers["under way"] = [slow]
    under_way = await at_rest.plan("under way")
    await at_rest.courier.has_sent("under way")
    await at_rest.plan("in half an hour", due_at=at_rest.clock.now() + HOUR / 2)
    async with at_rest.db.begin() as session:  # the lease has run out by a clock that is an hour ahead
        past = datetime.now(UTC) - HOUR
        await session.execute(update(Delivery).where(Delivery.state == LEASED).values(next_at=past))
    at_rest.clock._offset += HOUR  # nobody is told, as when the machine's clock is set
    await at_rest.courier.has_sent("in half an hour")
    let_go.set()
    assert await at_rest.outcome(under_way) == Sent()
    assert at_rest.courier.keys().count("under way") == 1


async def test_a_machine_clock_that_jumps_back_stops_nothing(at_rest: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "SWEEP", 0.05)
    at_rest.dispatcher.start(at_rest.courier)
    at_rest.clock._offset -= HOUR
    assert await at_rest.outcome(await at_rest.plan("planned after it")) is not None
    at_rest.clock._offset -= HOUR
    tenth = timedelta(milliseconds=100)
    await at_rest.plan("in a moment", due_at=at_rest.clock.now() + tenth)
    await at_rest.courier.has_sent("in a moment")


async def test_what_may_have_been_sent_is_searched_for_when_the_clock_was_set_back(at_work: Running) -> None:
    at_work.courier.answers["x"] = [Uncertain("lost")]
    delivery_id = await at_work.plan("x")
    await at_work.courier.has_sent("x")
    await at_work.acknowledged()
    at_work.courier.found["x"] = 77
    at_work.clock.move(-HOUR)
    at_work.dispatcher._tried[delivery_id] -= HOUR.total_seconds()  # an hour passes
    at_work.clock.move(HOUR + timedelta(seconds=3))
    async with asyncio.timeout(PATIENCE):
        while (await at_work.row(delivery_id)).state != DONE:
            await at_work.acknowledged()
    assert (at_work.courier.keys(), at_work.courier.searched) == (["x"], ["x"])


@pytest.mark.both_databases
async def test_what_another_process_may_have_sent_is_searched_for_first(at_rest: Running) -> None:
    delivery_id = await at_rest.plan("x")
    async with at_rest.db.begin() as session:
        await deliveries.claim(session, now=at_rest.clock.now(), owner="killed", limit=1, lease=timedelta())
    at_rest.courier.found["x"] = 77
    at_rest.dispatcher.start(at_rest.courier)
    at_rest.dispatcher.wake()
    async with asyncio.timeout(PATIENCE):
        while (await at_rest.row(delivery_id)).state != DONE:
            await at_rest.acknowledged()
    assert at_rest.courier.sent == []


async def test_a_step_that_was_due_is_due_although_the_clock_was_set_back_meanwhile(at_work: Running) -> None:
    moments: list[datetime] = []
    due_at = at_work.clock.now()

    async def rule(_session: AsyncSession, _delivery: Delivery, now: datetime) -> None:
        moments.append(now)

    at_work.outbox.step("step", rule)
    at_work.clock._offset -= HOUR
    async with at_work.db.begin() as session:
        await deliveries.plan(session, "step", "x", guild_id=GUILD, now=due_at, due_at=due_at)
        await session.execute(update(Delivery).values(next_at=at_work.clock.now()))
    at_work.dispatcher.wake()
    async with asyncio.timeout(PATIENCE):
        while not moments:
            await at_work.acknowledged()
            assert not await at_work.dispatcher.is_idle() or moments
    assert moments == [due_at]


@pytest.mark.both_databases
async def test_what_another_process_carried_out_is_known_too(at_rest: Running) -> None:
    delivery_id = await at_rest.plan("by somebody else")
    async with at_rest.db.begin() as session:
        [claimed] = await deliveries.claim(session, now=at_rest.clock.now(), owner="other", limit=1)
        await deliveries.finish(session, claimed, DONE, now=at_rest.clock.now(), message_id=7)
    assert await at_rest.dispatcher.outcome(delivery_id, within=0.01) == Sent(7)


async def test_nothing_is_remembered_of_what_nobody_asks_for(at_rest: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "REMEMBERED", 0)
    at_rest.db.after_commit = at_rest.dispatcher._planned
    for number in range(3):
        await at_rest.plan(str(number))
    assert len(at_rest.dispatcher._waiting) == 3
    at_rest.dispatcher._forget_unasked()
    assert at_rest.dispatcher._waiting == {}


async def test_a_row_that_was_tried_very_often_can_still_be_claimed(at_work: Running) -> None:
    at_work.courier.answers["stubborn"] = [Retry("outage"), Sent()]
    row = await at_work.run("stubborn")
    async with at_work.db.begin() as session:
        often = update(Delivery).where(Delivery.delivery_id == row.delivery_id).values(attempts=1_000_000)
        await session.execute(often)
    at_work.clock.move(HOUR)
    await at_work.courier.has_sent("stubborn", 2)


def test_it_looks_by_itself_every_five_seconds() -> None:
    assert dispatcher.SWEEP == 5
