"""Tasks: who may deal with one, who has it, how it ends; the desk, and who is on duty."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from builders import (
    FACILITATOR,
    GUILD,
    LEO,
    MAYA,
    OTHER_GUILD,
    ROOM,
    STAFF,
    actor,
    facilitator,
    make_group,
    make_guild,
    owner,
)
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from tasking import BOARD, CARD, DAY, HOUR, NEW_CARD, OTHER, THREAD, ended, group, planned, shown, task_id

from peerbot import board, deliveries, departures, duty, groups, hello, members, tasks
from peerbot.database import Database
from peerbot.errors import NotAllowed, NotValid, TaskDone, TaskTaken, TaskUnknown
from peerbot.models import Delivery, Group, Guild, Member, Task

__all__ = ["group", "task_id"]  # pytest finds fixtures by their names here


@pytest.mark.both_databases
async def test_a_question_opens_one_task_and_plans_its_thread(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        first = await hello.ask(session, actor(), group.group_id, now=now)
        again = await hello.ask(session, actor(), group.group_id, now=now + HOUR)
        assert (first.task_id, first.planned) == (again.task_id, again.planned)
        (delivery,) = await planned(session, "desk.thread")
        assert (delivery.subject_id, delivery.channel_id) == (first.task_id, 1_100_000_000_000_000_020)
        assert len((await session.scalars(select(Task))).all()) == 1


async def test_threads_are_opened_where_the_owner_chose(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        (await session.get_one(Guild, GUILD)).threads_channel_id = ROOM + 7
        await hello.ask(session, actor(), group.group_id, now=now)
        assert [each.channel_id for each in await planned(session, "desk.thread")] == [ROOM + 7]


async def test_the_thread_is_told_first_and_the_card_follows(db: Database, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        assert await planned(session, "desk.board") == []
        await tasks.thread_opened(session, task_id, THREAD, now=now)
        assert [one.channel_id for one in await planned(session, "desk.hello")] == [THREAD]
        assert len(await planned(session, "desk.board")) == 1
        await board.board_ready(session, GUILD, BOARD, now=now)
        await board.board_ready(session, GUILD, BOARD, now=now)
        assert [(one.channel_id, one.subject_id) for one in await planned(session, "desk.post")] == [(BOARD, task_id)]


async def test_a_claim_says_who_has_it_and_holds_for_a_day(db: Database, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await tasks.claim(session, facilitator(), task_id, now=now)
    async with db.begin() as session:
        await tasks.claim(session, facilitator(), task_id, now=now + HOUR)
        view = await tasks.find(session, GUILD, task_id)
        assert view is not None
        assert (view.claimed_by, view.claimed_at) == (FACILITATOR, now)
    with pytest.raises(TaskTaken) as taken:
        async with db.begin() as session:
            await tasks.claim(session, facilitator(OTHER), task_id, now=now + HOUR)
    assert str(FACILITATOR) in str(taken.value.text.params["who"])
    async with db.begin() as session:
        await tasks.claim(session, facilitator(OTHER), task_id, now=now + DAY)
        view = await tasks.find(session, GUILD, task_id)
        assert view is not None
        assert view.claimed_by == OTHER


@pytest.mark.parametrize(
    "somebody",
    [actor(), actor(LEO), facilitator(LEO), actor(FACILITATOR)],
    ids=["the person", "a member", "a facilitator of another group", "who lost the role"],
)
async def test_only_facilitators_of_the_group_deal_with_its_tasks(
    db: Database, task_id: int, now: datetime, somebody: object
) -> None:
    for rule in (tasks.claim, tasks.answer, hello.welcome, hello.decline):
        with pytest.raises(NotAllowed):
            async with db.begin() as session:
                await rule(session, somebody, task_id, now=now)  # pyright: ignore[reportArgumentType] - an actor
    async with db.begin() as session:
        await tasks.claim(session, owner(), task_id, now=now)


async def test_a_task_of_another_server_is_not_there(db: Database, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await make_guild(session, guild_id=OTHER_GUILD, now=now)
        with pytest.raises(TaskUnknown):
            await tasks.claim(session, owner(guild_id=OTHER_GUILD), task_id, now=now)
        with pytest.raises(TaskUnknown):
            await tasks.claim(session, owner(), task_id + 1, now=now)
        assert await tasks.find(session, OTHER_GUILD, task_id) is None


@pytest.mark.both_databases
async def test_what_is_done_is_done_once(db: Database, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await shown(session, task_id, now)
        await ended(session)
        await tasks.answer(session, facilitator(), task_id, now=now)
        assert {one.kind for one in await session.scalars(select(Delivery).where(Delivery.state == 0))} == {
            "desk.draw",
            "desk.thread",
        }
    for rule in (tasks.claim, tasks.answer, hello.welcome):
        with pytest.raises(TaskDone):
            async with db.begin() as session:
                await rule(session, facilitator(OTHER), task_id, now=now)


async def test_an_answer_is_told_once_its_thread_is_there(db: Database, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await tasks.answer(session, facilitator(), task_id, now=now)
        assert await planned(session, "desk.answer") == []
        await tasks.thread_opened(session, task_id, THREAD, now=now)
        await tasks.thread_opened(session, task_id, THREAD, now=now)
        assert [one.channel_id for one in await planned(session, "desk.answer")] == [THREAD]
        assert await planned(session, "desk.hello") == []
        assert await planned(session, "desk.board") == [], "what is done needs no card any more"


async def test_whoever_asked_can_ask_again_when_it_is_answered(
    db: Database, group: Group, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await tasks.answer(session, facilitator(), task_id, now=now)
        assert (await hello.ask(session, actor(), group.group_id, now=now)).task_id != task_id


@pytest.mark.both_databases
async def test_five_tasks_a_day_are_the_most(db: Database, guild: Guild, now: datetime) -> None:
    async with db.begin() as session:
        asked = [await make_group(session, now=now, name=f"Group {one}", room_id=ROOM + one) for one in range(6)]
        for group in asked[:5]:
            await hello.ask(session, actor(), group.group_id, now=now)
        with pytest.raises(NotValid):
            await hello.ask(session, actor(), asked[5].group_id, now=now + HOUR)
        await hello.ask(session, actor(), asked[0].group_id, now=now + HOUR)
        await hello.ask(session, actor(LEO), asked[5].group_id, now=now + HOUR)
        await hello.ask(session, actor(), asked[5].group_id, now=now + DAY)


@pytest.mark.parametrize(("card", "seconds"), [(NEW_CARD, 5), (CARD, 20)], ids=["new", "old"])
async def test_the_card_is_drawn_again_as_often_as_discord_likes(
    db: Database, task_id: int, now: datetime, card: int, seconds: int
) -> None:
    async with db.begin() as session:
        await shown(session, task_id, now, card=card)
        assert await planned(session, "desk.draw") == []
        await tasks.claim(session, facilitator(), task_id, now=now)
        (draw,) = await planned(session, "desk.draw")
        assert draw.due_at == now
        draw.state, draw.ended_at = deliveries.DONE, now
        await session.flush()
        await tasks.answer(session, facilitator(), task_id, now=now + timedelta(seconds=2))
        await session.refresh(draw)
        assert draw.due_at == now + timedelta(seconds=seconds)


async def test_a_card_posted_too_late_is_drawn_again(db: Database, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await board.board_ready(session, GUILD, BOARD, now=now)
        await tasks.claim(session, facilitator(), task_id, now=now)
        (post,) = await planned(session, "desk.post")
        post.message_id = CARD
        await board.card_posted(session, post, now)
        assert [(one.channel_id, one.subject_id) for one in await planned(session, "desk.draw")] == [(BOARD, task_id)]


@pytest.mark.both_databases
async def test_a_lost_card_is_posted_again_while_its_task_is_open(db: Database, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await shown(session, task_id, now)
        await board.card_lost(session, task_id, CARD + 1, now=now)
        assert len(await planned(session, "desk.post")) == 1, "another message was lost"
        await board.card_lost(session, task_id, CARD, now=now)
        await board.card_lost(session, task_id, CARD, now=now)
        assert [one.channel_id for one in await planned(session, "desk.post")] == [BOARD, BOARD]


async def test_a_deleted_task_thread_is_made_again_only_for_open_tasks(
    db: Database, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await shown(session, task_id, now)
        await ended(session)
        await board.thread_deleted(session, GUILD, BOARD, now=now)
        assert (await session.get_one(Guild, GUILD)).task_thread_id is None
        (made,) = await planned(session, "desk.board")
        assert made.state == deliveries.PENDING
        await board.board_ready(session, GUILD, BOARD + 1, now=now)
        assert [one.channel_id for one in await planned(session, "desk.post")] == [BOARD, BOARD + 1]
        await tasks.answer(session, facilitator(), task_id, now=now)
        await ended(session)
        await board.thread_deleted(session, GUILD, BOARD + 1, now=now)
        assert {one.state for one in await planned(session, "desk.board")} == {deliveries.DONE}


async def test_a_deleted_private_thread_is_forgotten_and_comes_back_when_claimed(
    db: Database, task_id: int, now: datetime
) -> None:
    async with db.begin() as session:
        await shown(session, task_id, now)
        await ended(session)
        await board.thread_deleted(session, GUILD, THREAD, now=now)
        assert await tasks.thread_of(session, task_id) is None
        assert {one.state for one in await planned(session, "desk.thread")} == {deliveries.DONE}
        await tasks.claim(session, facilitator(), task_id, now=now)
        assert {one.state for one in await planned(session, "desk.thread")} == {deliveries.PENDING}
        await tasks.thread_opened(session, task_id, THREAD + 1, now=now)
        assert [one.channel_id for one in await planned(session, "desk.hello")] == [THREAD, THREAD + 1]


@pytest.mark.both_databases
async def test_the_desk_shows_the_oldest_of_ones_own_groups_first(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        other = await make_group(session, now=now, name="Owls", room_id=ROOM + 1, by=facilitator(LEO))
        for later, user_id in enumerate(range(MAYA + 100, MAYA + 107)):
            await hello.ask(session, actor(user_id), group.group_id, now=now - later * HOUR)
        await hello.ask(session, actor(), other.group_id, now=now - DAY)
    async with db.read() as session:
        mine = await tasks.desk(session, facilitator(), now=now)
        assert [task.created_at for task in mine.tasks] == [now - later * HOUR for later in (6, 5, 4, 3, 2)]
        assert (mine.more, mine.off_until, mine.others_on_duty) == (2, None, 2)
        assert {task.group_name for task in mine.tasks} == {"Tuesday"}
        owls = await tasks.desk(session, facilitator(LEO), now=now)
        assert [task.group_name for task in owls.tasks] == ["Owls"]
        everything = await tasks.desk(session, owner(), now=now)
        assert (len(everything.tasks), everything.more) == (5, 3)
        with pytest.raises(NotAllowed):
            await tasks.desk(session, actor(), now=now)


async def on_duty(session: AsyncSession, group: Group, now: datetime) -> list[int]:
    return [members.user_id(session, member) for member in await duty.on_duty(session, group.group_id, now=now)]


@pytest.mark.both_databases
async def test_off_duty_ends_by_itself(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        assert await on_duty(session, group, now) == [FACILITATOR, OTHER]
        assert await duty.go_off(session, facilitator(), for_a_week=True, now=now) == now + timedelta(weeks=1)
        assert await on_duty(session, group, now) == [OTHER]
        assert await duty.off_until(session, facilitator(), now=now) == now + timedelta(weeks=1)
        assert await duty.others_on_duty(session, facilitator(OTHER), now=now) == 0
        assert await on_duty(session, group, now + timedelta(weeks=1)) == [FACILITATOR, OTHER]
        await duty.come_back(session, facilitator(), now=now)
        assert await on_duty(session, group, now) == [FACILITATOR, OTHER]
        with pytest.raises(NotAllowed):
            await duty.go_off(session, actor(), for_a_week=False, now=now)


@pytest.mark.parametrize(
    ("at", "zone", "until"),
    [
        ("2026-11-25 20:00", "Europe/Berlin", "2026-11-26 07:00"),
        ("2026-11-25 23:30", "Europe/Berlin", "2026-11-27 07:00"),
        ("2026-03-28 12:00", "Europe/Berlin", "2026-03-29 06:00"),
        ("2026-11-25 20:00", "America/New_York", "2026-11-26 13:00"),
    ],
)
def test_tomorrow_morning_is_the_servers(at: str, zone: str, until: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert duty.tomorrow(moment, zone) == datetime.fromisoformat(until).replace(tzinfo=UTC)


async def test_whoever_is_back_gets_into_the_threads_that_were_opened_meanwhile(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await duty.go_off(session, facilitator(), for_a_week=True, now=now)
        begun = await hello.ask(session, actor(), group.group_id, now=now)
        (thread,) = await planned(session, "desk.thread")
        wanted = await tasks.thread_wanted(session, thread, now=now)
        assert wanted is not None
        assert (wanted.user_id, wanted.listed) == (MAYA, (OTHER,))
        await shown(session, begun.task_id, now)
        await ended(session)
        (back,) = await planned(session, "desk.back")
        assert back.due_at == now + timedelta(weeks=1)
        await tasks.let_back_in(session, back, now)
        await session.refresh(thread)
        assert thread.state == deliveries.DONE, "they are still off duty"
        await tasks.let_back_in(session, back, now + timedelta(weeks=1))
        await session.refresh(thread)
        assert thread.state == deliveries.PENDING


async def test_leaving_the_server_for_a_week_ends_a_task(db: Database, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await departures.leave(session, GUILD, MAYA, now=now)
        view = await tasks.find(session, GUILD, task_id)
        assert view is not None
        assert (view.is_away, view.done_at) == (True, None)
        (lapse,) = await planned(session, "groups.seat_lapses")
        await departures.lapse(session, lapse, now + groups.RETURN)
        view = await tasks.find(session, GUILD, task_id)
        assert view is not None
        assert view.outcome == "left"


@pytest.mark.both_databases
async def test_whoever_asked_something_is_known_until_a_month_after(db: Database, task_id: int, now: datetime) -> None:
    async with db.begin() as session:
        await session.execute(update(Member).values(created_at=now - 2 * DAY))
        await tasks.answer(session, facilitator(), task_id, now=now)
        await session.execute(Delivery.__table__.delete())  # pyright: ignore[reportAttributeAccessIssue] - a table
        await members.forget_idle(session, now=now)
        assert await members.find(session, GUILD, MAYA) is not None
        await tasks.purge(session, now=now + tasks.KEEP)
        assert await tasks.find(session, GUILD, task_id) is not None
        await tasks.purge(session, now=now + tasks.KEEP + HOUR)
        assert await tasks.find(session, GUILD, task_id) is None
        await members.forget_idle(session, now=now)
        assert await members.find(session, GUILD, MAYA) is None


async def test_a_group_whose_last_facilitator_left_the_server_is_told_of_after_a_week(
    db: Database, group: Group, now: datetime
) -> None:
    told = select(Delivery).where(Delivery.kind == "staff.nobody_left")
    async with db.begin() as session:
        for user_id in (FACILITATOR, OTHER):
            await departures.leave(session, GUILD, user_id, now=now)
        one, other = await planned(session, "groups.seat_lapses")
        await departures.lapse(session, one, now + groups.RETURN)
        assert (await session.scalars(told)).all() == []
        await departures.lapse(session, other, now + groups.RETURN)
        assert (await session.scalars(told)).one().channel_id == STAFF
