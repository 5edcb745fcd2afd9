"""Who reads a private thread: who is let in, who is shut out, and what is forgotten."""

from __future__ import annotations

from datetime import datetime

import pytest
from builders import (
    FACILITATOR,
    GUILD,
    LEO,
    MAYA,
    OTHER_GUILD,
    OWNER,
    ROLE,
    actor,
    facilitator,
    owner,
)
from sqlalchemy import update
from tasking import DAY, HOUR, OTHER, THREAD, ended, group, planned, shown, task_id

from peerbot import deliveries, duty, facilitators, hello, members, readers, tasks
from peerbot.database import Database
from peerbot.models import Delivery, Group
from peerbot.readers import ReaderOf, ShutOut

__all__ = ["group", "task_id"]  # pytest finds fixtures by their names here


@pytest.mark.both_databases
async def test_a_facilitator_who_is_taken_off_the_list_leaves_the_threads(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await shown(session, task_id, now)
        gone = await members.of(session, GUILD, OTHER, now=now)
        await facilitators.remove(session, facilitator(), group.group_id, gone.member_id, now=now)
        (out,) = await planned(session, "desk.shut_out")
        assert await readers.shut_out_of(session, out) == ShutOut(
            OTHER, is_listed=False, thread_ids=(THREAD,), had=frozenset(), too_early=False
        )
        await facilitators.add(session, facilitator(), group.group_id, OTHER, frozenset({ROLE}), now=now)
        again = await readers.shut_out_of(session, out)
        assert again is not None
        assert again.is_listed, "they look after it again"


@pytest.mark.both_databases
async def test_what_a_facilitator_had_who_is_taken_off_the_list_is_free_again(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        asked = await hello.ask(session, actor(LEO), group.group_id, now=now)
        await tasks.claim(session, facilitator(OTHER), task_id, now=now)
        await tasks.claim(session, facilitator(), asked.task_id, now=now)
        gone = await members.of(session, GUILD, OTHER, now=now)
        await facilitators.remove(session, facilitator(), group.group_id, gone.member_id, now=now)
        for mine, had in ((task_id, None), (asked.task_id, FACILITATOR)):
            view = await tasks.find(session, GUILD, mine)
            assert view is not None
            assert (view.claimed_by, view.claimed_at) == (had, now if had else None)
        for delivery in await planned(session, "desk.thread"):
            wanted = await tasks.thread_wanted(session, delivery, now=now)
            assert wanted is not None
            assert wanted.listed == (FACILITATOR,)
    async with db.begin() as session:
        await tasks.claim(session, facilitator(), task_id, now=now)


@pytest.mark.both_databases
async def test_who_was_shut_out_is_compared_again_only_after_a_thread_was_opened(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        assert await readers.to_compare(session, GUILD) == [], "there is no thread yet"
        await shown(session, task_id, now)
        await session.execute(update(Delivery).values(state=deliveries.DONE, ended_at=now))
        mine, other = await readers.to_compare(session, GUILD)
        assert (mine.user_id, other.user_id) == (FACILITATOR, OTHER)
        await tasks.claim(session, facilitator(OTHER), task_id, now=now)
        await readers.shut_out_all(session, GUILD, [other], now=now)
        view = await tasks.find(session, GUILD, task_id)
        assert view is not None
        assert view.claimed_by is None
        await session.execute(update(Delivery).values(state=deliveries.DONE, ended_at=now + HOUR))
        assert await readers.to_compare(session, GUILD) == [mine]
        thread = update(Delivery).where(Delivery.kind == "desk.thread")
        await session.execute(thread.values(ended_at=now + 2 * HOUR))
        assert await readers.to_compare(session, GUILD) == [mine, other]
        assert await readers.to_compare(session, OTHER_GUILD) == []


async def test_who_has_a_task_without_being_listed_is_compared_too(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await shown(session, task_id, now)
        await tasks.claim(session, owner(), task_id, now=now)
        (claimer,) = [each for each in await readers.to_compare(session, GUILD) if not each.is_listed]
        assert claimer == ReaderOf(group.group_id, claimer.member_id, OWNER, is_listed=False)


async def test_the_thread_of_a_task_that_is_forgotten_is_left_to_its_person(
    db: Database, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await shown(session, task_id, now)
        await tasks.answer(session, facilitator(), task_id, now=now)
        await tasks.purge(session, now=now + tasks.KEEP + HOUR)
        (let_go,) = await planned(session, "desk.let_go")
        assert let_go.channel_id == THREAD
        assert await readers.keeper(session, let_go) == MAYA
        assert await tasks.find(session, GUILD, task_id) is None


@pytest.mark.both_databases
async def test_shutting_out_waits_for_a_thread_that_is_being_opened(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await shown(session, task_id, now)
        gone = await members.of(session, GUILD, OTHER, now=now)
        (thread,) = await planned(session, "desk.thread")
        thread.state = deliveries.LEASED
        await facilitators.remove(session, facilitator(), group.group_id, gone.member_id, now=now)
        (out,) = await planned(session, "desk.shut_out")
        assert await readers.shut_out_of(session, out) == ShutOut(
            OTHER, is_listed=False, thread_ids=(THREAD,), had=frozenset(), too_early=True
        )
        await ended(session)
        assert await readers.shut_out_of(session, out) == ShutOut(
            OTHER, is_listed=False, thread_ids=(THREAD,), had=frozenset(), too_early=False
        )


async def test_who_has_a_task_off_duty_is_let_in_as_listed_and_who_manages_the_server_is_not(
    db: Database, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await duty.go_off(session, facilitator(), for_a_week=True, now=now)
        await tasks.claim(session, facilitator(), task_id, now=now)
        (delivery,) = await planned(session, "desk.thread")
        wanted = await tasks.thread_wanted(session, delivery, now=now)
        assert wanted is not None
        assert wanted.listed == (OTHER, FACILITATOR)
        await tasks.claim(session, owner(), task_id, now=now + DAY)
        wanted = await tasks.thread_wanted(session, delivery, now=now)
        assert wanted is not None
        assert (wanted.listed, wanted.view.claimed_by) == ((OTHER,), OWNER)
