"""What facilitators are told in the staff channel: what failed, and what is strange; and how they try it again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from builders import (
    GUILD,
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

from peerbot import deliveries, members, pacing, rooms, staff
from peerbot.database import Database
from peerbot.errors import NotAllowed, NotValid
from peerbot.models import Delivery, Group, Guild
from peerbot.rights import Actor


@pytest.fixture
async def group(db: Database, guild: Guild, now: datetime) -> Group:
    async with db.begin() as session:
        return await make_group(session, now=now)


async def failed(db: Database, group: Group, now: datetime, kind: str = "groups.room", key: str = "x") -> int:
    async with db.begin() as session:
        row_id = await deliveries.plan(session, kind, key, guild_id=GUILD, now=now, group_id=group.group_id)
        row = await session.get_one(Delivery, row_id)
        row.state, row.problem, row.ended_at = deliveries.DEAD, "forbidden 50013", now
        await session.flush()
        await staff.tell_failure(session, row, now)
    return row_id


async def told(db: Database, kind: str) -> list[Delivery]:
    async with db.read() as session:
        return list(await session.scalars(select(Delivery).where(Delivery.kind == kind)))


async def test_a_failure_is_told_in_the_staff_channel_until_it_is_mended(
    db: Database, group: Group, now: datetime
) -> None:
    row_id = await failed(db, group, now)
    [message] = await told(db, "staff.failed")
    assert (message.channel_id, message.subject_id) == (STAFF, row_id)
    async with db.begin() as session:
        trouble = await staff.trouble(session, GUILD, row_id)
        assert trouble == staff.Trouble(row_id, "groups.room", "forbidden 50013", ROOM, "Tuesday")
        assert await staff.try_again(session, facilitator(), row_id, now=now) == [row_id]
        assert (await session.get_one(Delivery, row_id, populate_existing=True)).state == deliveries.PENDING
        assert await staff.trouble(session, GUILD, row_id) is None
        assert await staff.try_again(session, facilitator(), row_id, now=now) == []


@pytest.mark.both_databases
async def test_many_failures_of_one_kind_are_one_trouble_and_mended_together(
    db: Database, group: Group, now: datetime
) -> None:
    rows = [await failed(db, group, now, kind="groups.access", key=str(n)) for n in range(3)]
    assert len(await told(db, "staff.failed")) == 1
    async with db.begin() as session:
        assert sorted(await staff.try_again(session, facilitator(), rows[0], now=now)) == rows
    await failed(db, group, now + timedelta(days=1), kind="groups.access", key="next day")
    assert len(await told(db, "staff.failed")) == 2, "told again on another day"


async def test_what_may_have_been_sent_before_it_failed_is_searched_for_though_it_waits_for_others(
    db: Database, group: Group, now: datetime
) -> None:
    rows = [await failed(db, group, now, kind="groups.welcome", key=str(n)) for n in range(pacing.PLACES + 1)]
    async with db.begin() as session:
        await session.execute(update(Delivery).values(first_send_at=now, channel_id=ROOM))
        assert len(await staff.try_again(session, facilitator(), rows[0], now=now)) == len(rows)
        claimed = await deliveries.claim(session, now=now, owner="me", limit=99)
        again = [row for row in claimed if row.delivery_id in rows]
        assert len(await pacing.share_out(session, again, [], ["groups.welcome"], now=now)) == pacing.PLACES
        firsts = await session.scalars(select(Delivery.first_send_at).where(Delivery.delivery_id.in_(rows)))
        assert set(firsts) == {now}, "else it would be sent without a look at the channel"


@pytest.mark.both_databases
async def test_letters_of_one_kind_that_fail_for_one_reason_are_one_trouble_and_mended_together(
    db: Database, group: Group, now: datetime
) -> None:
    letters = ("seats.offer", "meetings.reminder")
    async with db.begin() as session:
        another = await make_group(session, now=now, name="Friday", room_id=ROOM + 1)
        row_ids: list[int] = []
        for number, user_id in enumerate((1, 2, 3)):
            member = await members.of(session, GUILD, user_id, now=now)
            row_id = await deliveries.plan(
                session, "seats.offer", f"o{number}", guild_id=GUILD, now=now, member_id=member.member_id,
                channel_id=7000 + number, group_id=(None, group.group_id, another.group_id)[number],
            )  # fmt: skip
            row = await session.get_one(Delivery, row_id)
            row.state, row.problem, row.ended_at = deliveries.DEAD, "error", now
            await session.flush()
            await staff.tell_failure(session, row, now, letters=letters)
            row_ids.append(row_id)
    (note,) = await told(db, "staff.failed")
    assert note.subject_id == row_ids[0]
    async with db.begin() as session:
        trouble = await staff.trouble(session, GUILD, row_ids[0], letters=letters)
        assert trouble == staff.Trouble(row_ids[0], "seats.offer", "error", None, "", is_letter=True), (
            "no channel, no group"
        )
        await staff.tell_again(session, note, now, letters=letters)
    assert len(await told(db, "staff.failed")) == 2, "once more in the new staff channel"
    async with db.begin() as session:
        again = await staff.try_again(session, facilitator(), row_ids[0], letters=letters, now=now)
        assert sorted(again) == row_ids


async def test_each_note_gives_its_own_reason_though_something_else_failed_since(
    db: Database, group: Group, now: datetime
) -> None:
    first = await failed(db, group, now)
    later = await failed(db, group, now + timedelta(minutes=1), key="later")
    async with db.begin() as session:
        (await session.get_one(Delivery, later)).problem = "error"
    async with db.read() as session:
        found = [await staff.trouble(session, GUILD, each) for each in (first, later)]
    assert [each.problem for each in found if each] == ["forbidden 50013", "error"]


async def test_a_failure_to_tell_a_failure_is_not_told(db: Database, group: Group, now: datetime) -> None:
    await failed(db, group, now, kind="staff.failed")
    assert len(await told(db, "staff.failed")) == 1, "the one that failed"


@pytest.mark.parametrize("somebody", [actor(), facilitator(guild_id=OTHER_GUILD), owner(guild_id=OTHER_GUILD)])
async def test_others_cannot_try_a_failure_again(db: Database, group: Group, now: datetime, somebody: Actor) -> None:
    row_id = await failed(db, group, now)
    async with db.begin() as session:
        await make_guild(session, guild_id=OTHER_GUILD, now=now)
    if somebody.guild_id == GUILD:
        with pytest.raises(NotAllowed):
            async with db.begin() as session:
                await staff.try_again(session, somebody, row_id, now=now)
    else:
        async with db.begin() as session:
            assert await staff.try_again(session, somebody, row_id, now=now) == []
    async with db.read() as session:
        assert (await session.get_one(Delivery, row_id)).state == deliveries.DEAD


async def test_a_room_that_was_deleted_is_told_and_can_be_made_anew(db: Database, group: Group, now: datetime) -> None:
    with pytest.raises(NotValid):
        async with db.begin() as session:
            await rooms.new_room(session, facilitator(), group.group_id, now=now)
    async with db.begin() as session:
        await staff.tell_room_gone(session, OTHER_GUILD, ROOM, now=now)
        await staff.tell_room_gone(session, GUILD, ROOM, now=now)
        await staff.tell_room_gone(session, GUILD, ROOM, now=now)
    assert [message.group_id for message in await told(db, "staff.room_gone")] == [group.group_id]
    async with db.begin() as session:
        await rooms.new_room(session, facilitator(), group.group_id, now=now)
    assert len(await told(db, "groups.room")) == 1


@pytest.mark.both_databases
async def test_strangers_in_a_room_are_told_once_a_day(db: Database, group: Group) -> None:
    morning = datetime.fromisoformat("2026-03-01T08:00:00+00:00")
    for at in (morning, morning + timedelta(hours=2), morning + timedelta(days=1)):
        async with db.begin() as session:
            await staff.tell_strangers(session, GUILD, group.group_id, now=at)
    assert len(await told(db, "staff.strangers")) == 2
