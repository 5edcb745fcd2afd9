"""Who has the places under way: a batch of all, some of each channel, and those that are kept for calls for help."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from builders import GUILD
from dispatching import PATIENCE, Running, at_rest, at_work

from peerbot import deliveries, dispatcher, pacing
from peerbot.deliveries import PENDING, Priority
from peerbot.dispatcher import Outcome, Sent
from peerbot.models import Delivery

pytestmark = pytest.mark.both_databases

__all__ = ["at_rest", "at_work"]  # pytest finds fixtures by their names here


async def test_no_more_than_a_batch_is_under_way_and_the_rest_follows(at_work: Running) -> None:
    let_go = asyncio.Event()
    under_way = most = 0

    async def count(_delivery: Delivery) -> Outcome:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await let_go.wait()
        under_way -= 1
        return Sent()

    number = dispatcher.BATCH + 5
    at_work.courier.answers = {str(key): [count] for key in range(number)}
    async with at_work.db.begin() as session:
        for key in range(number):
            await deliveries.plan(session, "message", str(key), guild_id=GUILD, now=at_work.clock.now())
    async with asyncio.timeout(PATIENCE), at_work.courier.changed:
        await at_work.courier.changed.wait_for(lambda: len(at_work.courier.sent) == dispatcher.BATCH)
    let_go.set()
    async with asyncio.timeout(PATIENCE), at_work.courier.changed:
        await at_work.courier.changed.wait_for(lambda: len(at_work.courier.sent) == number)
    assert most == dispatcher.BATCH


async def test_a_call_for_help_waits_for_nothing_that_is_slow(at_work: Running) -> None:
    let_go = asyncio.Event()

    async def hang(_delivery: Delivery) -> Outcome:
        await let_go.wait()
        return Sent()

    slow = [f"slow {number}" for number in range(dispatcher.BATCH + 5)]
    at_work.courier.answers = {key: [hang] for key in slow}
    async with at_work.db.begin() as session:
        for key in slow:
            await deliveries.plan(session, "message", key, guild_id=GUILD, now=at_work.clock.now())
    await at_work.courier.has_sent(slow[dispatcher.BATCH - 1])
    delivery_id = await at_work.plan("help", priority=Priority.HELP)
    assert isinstance(await at_work.outcome(delivery_id), Sent)
    assert len(at_work.courier.sent) == dispatcher.BATCH + 1
    let_go.set()
    for key in slow:
        await at_work.courier.has_sent(key)


async def test_many_messages_for_one_channel_leave_places_for_others(at_work: Running) -> None:
    let_go = asyncio.Event()

    async def hang(_delivery: Delivery) -> Outcome:
        await let_go.wait()
        return Sent()

    cards = [f"card {number}" for number in range(dispatcher.BATCH + 5)]
    at_work.courier.answers = {key: [hang] for key in cards}
    async with at_work.db.begin() as session:
        now = at_work.clock.now()
        planned = [
            await deliveries.plan(session, "message", key, guild_id=GUILD, now=now, channel_id=7) for key in cards
        ]
    await at_work.courier.has_sent(cards[pacing.PLACES - 1])
    others = [
        await at_work.plan("elsewhere", channel_id=8),
        await at_work.plan("effect", kind="effect", channel_id=7),
        await at_work.plan("help", channel_id=7, priority=Priority.HELP),
    ]
    for other in others:
        assert await at_work.outcome(other) is not None
    rows = [await at_work.row(delivery_id) for delivery_id in planned[pacing.PLACES :]]
    assert {(row.state, row.attempts, row.first_send_at, row.owner) for row in rows} == {(PENDING, 0, None, None)}
    assert at_work.courier.keys().count(cards[-1]) == 0
    let_go.set()
    for key in cards:
        if at_work.courier.keys().count(key) == 0:  # it was put back for some seconds
            at_work.clock.move(timedelta(minutes=1))
        await at_work.courier.has_sent(key)
        await at_work.acknowledged()
    assert max(Counter(at_work.courier.keys()).values()) == 1, "once each"
    assert not at_work.courier.searched, "nobody can have sent it yet"
