"""The dispatcher, with a courier that writes down what it was given; the database is real."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from builders import GUILD, MAYA
from dispatching import PATIENCE, Answer, Running, at_rest, at_work, away
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, dispatcher, members, reach
from peerbot.config import Settings
from peerbot.deliveries import CANCELLED, DEAD, DONE, EXPIRED, LEASED, PENDING, Priority
from peerbot.dispatcher import ATTEMPTS, Gone, NotNeeded, Outcome, Retry, Sent, Uncertain
from peerbot.models import Delivery, Guild
from peerbot.outbox import Outbox

pytestmark = pytest.mark.both_databases

__all__ = ["at_rest", "at_work"]  # pytest finds fixtures by their names here

HOUR = timedelta(hours=1)


async def test_what_is_planned_goes_out_at_once_after_the_commit(at_work: Running) -> None:
    delivery_id = await at_work.plan("hello")
    assert await at_work.outcome(delivery_id) == Sent(1000 + delivery_id)
    await at_work.acknowledged()
    row = await at_work.row(delivery_id)
    assert (row.state, row.message_id) == (DONE, 1000 + delivery_id)
    assert at_work.courier.keys() == ["hello"]
    assert await at_work.dispatcher.is_idle()


async def test_what_was_left_from_before_goes_out_at_the_start(at_rest: Running) -> None:
    await at_rest.plan("left")
    at_rest.dispatcher.start(at_rest.courier)
    at_rest.dispatcher._wake.set()
    await at_rest.courier.has_sent("left")


async def test_one_that_fails_does_not_stop_the_others(at_work: Running, caplog: pytest.LogCaptureFixture) -> None:
    at_work.courier.answers["bad"] = [RuntimeError("the renderer's mistake")]
    async with at_work.db.begin() as session:
        for key in ("before", "bad", "after"):
            await deliveries.plan(session, "message", key, guild_id=GUILD, now=at_work.clock.now())
    for key in ("before", "bad", "after"):
        await at_work.courier.has_sent(key)
    await at_work.courier.has_sent("bad", 2)
    assert "failed" in caplog.text


async def test_one_that_hangs_does_not_stop_the_others(at_work: Running) -> None:
    let_go = asyncio.Event()

    async def hang(_delivery: Delivery) -> Outcome:
        await let_go.wait()
        return Sent()

    at_work.courier.answers["slow"] = [hang]
    slow = await at_work.plan("slow")
    await at_work.courier.has_sent("slow")
    quick = await at_work.plan("quick", priority=Priority.HELP)
    assert isinstance(await at_work.outcome(quick), Sent)
    assert not await at_work.dispatcher.is_idle()
    let_go.set()
    assert await at_work.outcome(slow) == Sent()


async def test_what_is_no_longer_true_is_cancelled(at_work: Running) -> None:
    at_work.courier.answers["old news"] = [NotNeeded()]
    assert (await at_work.run("old news")).state == CANCELLED


async def test_what_would_come_too_late_is_not_sent(at_work: Running) -> None:
    row = await at_work.run("late", not_after=at_work.clock.now() - HOUR)
    assert row.state == EXPIRED
    assert at_work.courier.sent == []


async def test_what_cannot_be_done_is_buried_and_told_once(at_work: Running) -> None:
    told: list[tuple[int, str | None]] = []

    async def tell(_session: AsyncSession, delivery: Delivery, _now: datetime) -> None:
        told.append((delivery.delivery_id, delivery.problem))

    at_work.outbox.failed = tell
    at_work.courier.answers["gone"] = [Gone("not found 10003")]
    row = await at_work.run("gone")
    assert (row.state, row.problem) == (DEAD, "not found 10003")
    assert told == [(row.delivery_id, "not found 10003")]


async def test_what_failed_for_now_is_tried_again_after_a_longer_and_longer_while(at_work: Running) -> None:
    waits = [dispatcher._back_off(attempt).total_seconds() for attempt in range(1, ATTEMPTS + 4)]
    assert waits == sorted(waits)
    assert waits[0] == 2
    assert waits[-1] == 300
    at_work.courier.answers["later"] = [Retry("status 500")]
    row = await at_work.run("later")
    assert row.state == PENDING
    assert timedelta() < row.next_at - at_work.clock.now() <= timedelta(seconds=2)
    assert row.first_send_at is not None, "an earlier try may have been sent"


async def test_discord_may_say_when_to_try_again(at_work: Running) -> None:
    at_work.courier.answers["later"] = [Retry("status 429", HOUR)]
    row = await at_work.run("later")
    assert HOUR - timedelta(minutes=1) < row.next_at - at_work.clock.now() <= HOUR


@pytest.mark.parametrize("answer", [Retry("status 500"), Uncertain("ServerDisconnectedError")])
async def test_an_outage_of_any_length_is_outlasted(at_work: Running, answer: Outcome) -> None:
    at_work.courier.answers["patient"] = [answer] * 20
    delivery_id = await at_work.plan("patient", kind="effect")
    for attempt in range(1, 22):
        await at_work.courier.has_sent("patient", attempt)
        await at_work.acknowledged()
        at_work.clock.move(timedelta(minutes=10))
    assert (await at_work.row(delivery_id)).state == DONE


async def test_a_mistake_of_our_own_is_given_up_after_eight_tries_and_told(at_work: Running) -> None:
    answer = RuntimeError("mistake")
    told: list[int] = []

    async def tell(_session: AsyncSession, delivery: Delivery, _now: datetime) -> None:
        told.append(delivery.delivery_id)

    at_work.outbox.failed = tell
    at_work.courier.answers["never"] = [answer] * 20
    delivery_id = await at_work.plan("never", kind="effect")
    for attempt in range(1, ATTEMPTS + 1):
        await at_work.courier.has_sent("never", attempt)
        await at_work.acknowledged()
        if attempt < ATTEMPTS:
            assert told == []
        at_work.clock.move(timedelta(minutes=10))
    assert (await at_work.row(delivery_id)).state == DEAD
    assert told == [delivery_id]
    assert len(at_work.courier.sent) == ATTEMPTS


@pytest.mark.parametrize(("answer", "tries"), [(RuntimeError("mistake"), ATTEMPTS), (Gone("not found 10003"), 1)])
async def test_whoever_a_letter_could_not_be_brought_to_has_it_kept_for_their_my(
    at_work: Running, answer: Outcome | Exception, tries: int
) -> None:
    at_work.outbox.letter("letter", at_work._nothing)
    async with at_work.db.begin() as session:
        maya = await members.of(session, GUILD, MAYA, now=at_work.clock.now())
    at_work.courier.answers["lost"] = [answer] * tries
    letter = await at_work.plan("lost", kind="letter", member_id=maya.member_id)
    for attempt in range(1, tries + 1):
        await at_work.courier.has_sent("lost", attempt)
        await at_work.acknowledged()
        async with at_work.db.read() as session:
            problem = (await reach.habits(session, GUILD, MAYA)).problem
        assert problem == (None if attempt < tries else reach.UNREACHED)
        at_work.clock.move(timedelta(minutes=10))
    assert (await at_work.row(letter)).state == DEAD


async def test_a_mistake_after_a_long_outage_has_its_eight_tries(at_work: Running) -> None:
    outage: list[Outcome | Exception | Answer] = [Retry("no connection")] * 10
    at_work.courier.answers["x"] = [*outage, RuntimeError("once")]
    delivery_id = await at_work.plan("x")
    for tries in range(1, 12):
        await at_work.courier.has_sent("x", tries)
        await at_work.acknowledged()
        at_work.clock.move(HOUR)
    await at_work.courier.has_sent("x", 12)
    await at_work.acknowledged()
    assert (await at_work.row(delivery_id)).state == DONE


async def test_a_step_runs_in_the_transaction_that_acknowledges_it(at_work: Running) -> None:
    async def rule(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
        await session.execute(update(Guild).values(reading_hours="changed"))
        await deliveries.plan(session, "message", "from the step", guild_id=delivery.guild_id, now=now)

    at_work.outbox.step("step", rule)
    row = await at_work.run("a", kind="step")
    assert row.state == DONE
    await at_work.courier.has_sent("from the step")
    assert at_work.courier.keys() == ["from the step"], "a step needs no courier"
    async with at_work.db.read() as session:
        assert (await session.get_one(Guild, GUILD)).reading_hours == "changed"


async def test_a_step_that_fails_leaves_nothing_behind_and_is_tried_again(
    at_work: Running, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[datetime] = []

    async def rule(session: AsyncSession, _delivery: Delivery, now: datetime) -> None:
        runs.append(now)
        if len(runs) == 1:
            await session.execute(update(Guild).values(reading_hours="half done"))
            raise RuntimeError("the rule's mistake")

    at_work.outbox.step("step", rule)
    row = await at_work.run("a", kind="step")
    assert (row.state, row.problem, len(runs)) == (PENDING, "error 1", 1)
    async with at_work.db.read() as session:
        assert (await session.get_one(Guild, GUILD)).reading_hours == ""
    at_work.clock.move(HOUR)
    async with asyncio.timeout(PATIENCE):
        while (await at_work.row(row.delivery_id)).state != DONE:
            await at_work.acknowledged()
    assert len(runs) == 2
    assert "could not be acknowledged" in caplog.text


async def test_a_step_that_always_fails_is_told(at_work: Running) -> None:
    told: list[int] = []

    async def tell(_session: AsyncSession, delivery: Delivery, _now: datetime) -> None:
        told.append(delivery.delivery_id)

    async def rule(_session: AsyncSession, _delivery: Delivery, _now: datetime) -> None:
        raise RuntimeError("the rule's mistake")

    at_work.outbox.failed = tell
    at_work.outbox.step("step", rule)
    delivery_id = await at_work.plan("a", kind="step")
    async with asyncio.timeout(PATIENCE):
        while (await at_work.row(delivery_id)).state != DEAD:
            await at_work.acknowledged()
            at_work.clock.move(timedelta(minutes=10))
    assert told == [delivery_id]


async def test_what_follows_a_message_knows_its_id(at_work: Running) -> None:
    seen: list[int | None] = []

    async def after(_session: AsyncSession, delivery: Delivery, _now: datetime) -> None:
        seen.append(delivery.message_id)

    at_work.outbox.message("with after", at_work._nothing, after=after)
    row = await at_work.run("a", kind="with after")
    assert seen == [1000 + row.delivery_id]


async def test_an_uncertain_send_is_repeated_while_the_nonce_is_known(at_work: Running) -> None:
    at_work.courier.answers["unsure"] = [Uncertain("ServerDisconnectedError")]
    row = await at_work.run("unsure")
    assert row.first_send_at is not None
    at_work.clock.move(timedelta(seconds=30))
    await at_work.courier.has_sent("unsure", 2)
    assert at_work.courier.searched == []


async def test_an_uncertain_send_that_is_older_is_looked_for_first(at_work: Running) -> None:
    at_work.courier.answers["unsure"] = [Uncertain("ServerDisconnectedError")]
    at_work.courier.found["unsure"] = 4242
    row = await at_work.run("unsure")
    at_work.clock.move(timedelta(minutes=3))
    async with asyncio.timeout(PATIENCE):
        while (row := await at_work.row(row.delivery_id)).state != DONE:
            await at_work.acknowledged()
    assert row.message_id == 4242
    assert at_work.courier.keys() == ["unsure"], "it is there, so it is not sent again"


async def test_what_is_looked_for_and_not_found_is_sent(at_work: Running) -> None:
    at_work.courier.answers["unsure"] = [Uncertain("ServerDisconnectedError")]
    await at_work.run("unsure")
    at_work.clock.move(timedelta(minutes=3))
    await at_work.courier.has_sent("unsure", 2)
    assert at_work.courier.searched == ["unsure"]


async def test_a_row_whose_process_died_is_sent_again_with_the_same_nonce(at_rest: Running) -> None:
    delivery_id = await at_rest.plan("left")
    async with at_rest.db.begin() as session:
        await deliveries.claim(session, now=at_rest.clock.now(), owner="dead", limit=1)
        await deliveries.release_dead(session, lock=1)
    at_rest.dispatcher.start(at_rest.courier)
    at_rest.dispatcher._wake.set()
    await at_rest.courier.has_sent("left")
    assert at_rest.courier.sent == [("left", 2)]
    await at_rest.acknowledged()
    assert (await at_rest.row(delivery_id)).state == DONE


async def test_a_state_that_changes_while_it_is_carried_out_is_carried_out_again(at_work: Running) -> None:
    let_go = asyncio.Event()

    async def hang(_delivery: Delivery) -> Outcome:
        await let_go.wait()
        return Sent()

    at_work.courier.answers["access"] = [hang]
    await at_work.plan("access", kind="effect", again=True)
    await at_work.courier.has_sent("access")
    await at_work.plan("access", kind="effect", again=True)
    let_go.set()
    await at_work.courier.has_sent("access", 2)


async def test_the_end_comes_soon_and_leaves_the_rest_leased(at_work: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dispatcher.GRACE < 4, "a stop is over within five seconds"

    async def hang(_delivery: Delivery) -> Outcome:
        await asyncio.Event().wait()
        return Sent()

    monkeypatch.setattr(dispatcher, "GRACE", 0.3)
    at_work.courier.answers["endless"] = [hang]
    delivery_id = await at_work.plan("endless")
    await at_work.courier.has_sent("endless")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await at_work.dispatcher.stop()
    assert loop.time() - began < 0.3 + 1
    assert (await at_work.row(delivery_id)).state == LEASED
    await at_work.plan("too late")
    assert at_work.courier.keys() == ["endless"]


async def test_what_is_in_flight_at_the_end_is_written_down(at_work: Running) -> None:
    let_go = asyncio.Event()

    async def wait(_delivery: Delivery) -> Outcome:
        await let_go.wait()
        return Sent(7)

    at_work.courier.answers["last"] = [wait]
    delivery_id = await at_work.plan("last")
    await at_work.courier.has_sent("last")
    ending = asyncio.create_task(at_work.dispatcher.stop())
    let_go.set()
    await ending
    assert (await at_work.row(delivery_id)).message_id == 7


async def test_what_was_sent_while_the_database_was_away_is_written_down_afterwards(
    at_work: Running, settings: Settings
) -> None:
    let_go = asyncio.Event()

    async def wait(_delivery: Delivery) -> Outcome:
        await let_go.wait()
        return Sent(7)

    at_work.courier.answers["sent"] = [wait]
    delivery_id = await at_work.plan("sent")
    await at_work.courier.has_sent("sent")
    async with away(settings) as noticed:
        let_go.set()
        at_work.dispatcher.wake()
        await noticed()
    await at_work.acknowledged()
    row = await at_work.row(delivery_id)
    assert (row.state, row.message_id) == (DONE, 7)
    assert at_work.courier.keys() == ["sent"]


async def test_it_goes_on_when_the_database_is_back(
    at_work: Running, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "SWEEP", 0.1)
    await at_work.plan("waits", due_at=at_work.clock.now() + HOUR)
    async with away(settings) as noticed:
        at_work.clock.move(HOUR)
        await noticed()
        assert at_work.courier.sent == []
    await at_work.courier.has_sent("waits")
    assert "does not answer" in caplog.text


@pytest.mark.parametrize("then", [Retry("no connection"), Uncertain("slow"), RuntimeError("mistake")])
async def test_what_may_have_been_sent_is_searched_for_whatever_came_after(
    at_work: Running, then: Outcome | Exception
) -> None:
    at_work.courier.answers["lost"] = [Uncertain("ServerDisconnectedError"), then]
    delivery_id = await at_work.plan("lost")
    for tries in (1, 2):
        await at_work.courier.has_sent("lost", tries)
        await at_work.acknowledged()
        at_work.clock.move(timedelta(seconds=5))
    at_work.courier.found["lost"] = 77
    at_work.clock.move(HOUR)
    async with asyncio.timeout(PATIENCE):
        while (await at_work.row(delivery_id)).state != DONE:
            await at_work.acknowledged()
    assert (await at_work.row(delivery_id)).message_id == 77
    assert at_work.courier.searched


async def test_a_run_that_takes_too_long_is_ended_before_its_lease_is(
    at_work: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "LONGEST_RUN", timedelta(seconds=0.05))
    ended = asyncio.Event()

    async def hang(_delivery: Delivery) -> Outcome:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return Sent()

    at_work.courier.answers["slow"] = [hang]
    row = await at_work.run("slow")
    assert ended.is_set()
    assert (row.state, row.problem) == (PENDING, "slow")
    assert dispatcher.LONGEST_RUN < deliveries.LEASE


def test_a_kind_is_one_thing_alone() -> None:
    async def nothing(*_given: object) -> None:
        pass

    outbox = Outbox()
    outbox.step("kind", nothing)
    with pytest.raises(ValueError, match="kind"):
        outbox.message("kind", nothing)
