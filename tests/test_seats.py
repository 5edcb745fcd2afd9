"""Seats: who gets one, who keeps one, who gives one up."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from builders import AGREED, FACILITATOR, GUILD, LEO, MAYA, ROOM, actor, details, facilitator, make_group, owner, seat
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import access, departures, directory, facilitators, groups, members, pauses, setup
from peerbot.database import Database
from peerbot.errors import (
    AgreementNeeded,
    AlreadyMember,
    GroupClosed,
    GroupFull,
    GroupUnknown,
    NotMember,
    NotSetUp,
    NotValid,
    PeerbotError,
    WasRemoved,
)
from peerbot.models import Delivery, Facilitator, Group, Guild, Membership

DAY = timedelta(days=1)


@pytest.fixture
async def group(db: Database, guild: Guild, now: datetime) -> Group:
    async with db.begin() as session:
        return await make_group(session, now=now, capacity=2)


async def member_id(session: AsyncSession, user_id: int) -> int:
    member = await members.find(session, GUILD, user_id)
    assert member is not None
    return member.member_id


async def planned(session: AsyncSession, kind: str) -> list[Delivery]:
    return list(await session.scalars(select(Delivery).where(Delivery.kind == kind).order_by(Delivery.delivery_id)))


async def seats_of(db: Database, user_id: int) -> list[str]:
    async with db.read() as session:
        return [seat.name for seat in await directory.seats(session, GUILD, user_id)]


async def refused(db: Database, error: type[PeerbotError], user_id: int, group_id: int, agreed: str = AGREED) -> None:
    with pytest.raises(error):
        async with db.begin() as session:
            await groups.sign_up(session, actor(user_id), group_id, agreed=agreed, now=datetime.now().astimezone())


async def run(db: Database, step: str, now: datetime) -> None:
    """Run the newest step of a kind, as the dispatcher does when it is due."""
    rules = {"groups.pause_over": pauses.end_pause, "groups.seat_lapses": departures.lapse}
    async with db.begin() as session:
        newest = (await planned(session, step))[-1]
        await rules[step](session, newest, now)


@pytest.mark.both_databases
async def test_whoever_agrees_gets_a_seat_access_and_a_welcome(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        joined = await groups.sign_up(session, actor(), group.group_id, agreed=AGREED, now=now)
        assert joined is not None
        assert (joined.name, joined.room_id) == ("Tuesday", ROOM)
        effects = await planned(session, "groups.access")
        welcomes = await planned(session, "groups.welcome")
        mine = await member_id(session, MAYA)
    assert joined.access_id in {effect.delivery_id for effect in effects if effect.member_id == mine}
    assert [(welcome.channel_id, welcome.member_id) for welcome in welcomes] == [(ROOM, mine)]
    assert welcomes[0].not_after is not None
    assert await seats_of(db, MAYA) == ["Tuesday"]


async def test_the_agreement_is_asked_before_the_first_seat(db: Database, group: Group, now: datetime) -> None:
    with pytest.raises(AgreementNeeded) as asked:
        async with db.begin() as session:
            await groups.sign_up(session, actor(), group.group_id, now=now)
    assert asked.value.version == AGREED
    assert await seats_of(db, MAYA) == []


@pytest.mark.parametrize("version", ["", "1.0", "0.1", "1.2", "1.1 "])
async def test_agreeing_to_other_words_is_no_agreement(db: Database, group: Group, version: str) -> None:
    await refused(db, AgreementNeeded, MAYA, group.group_id, agreed=version)


async def test_whoever_agreed_is_not_asked_again(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        other = await make_group(session, now=now, name="Thursday", room_id=ROOM + 1)
        await seat(session, group, MAYA, now=now)
        await groups.sign_up(session, actor(), other.group_id, now=now)
    assert await seats_of(db, MAYA) == ["Thursday", "Tuesday"]


async def test_changed_words_are_asked_at_the_next_join_and_block_nothing_else(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        other = await make_group(session, now=now, name="Thursday", room_id=ROOM + 1)
        await seat(session, group, MAYA, now=now)
        await setup.save_words(session, owner(), danger_policy="We call.", reading_hours="9 to 5", now=now)
    with pytest.raises(AgreementNeeded) as asked:
        async with db.begin() as session:
            await groups.sign_up(session, actor(), other.group_id, agreed=AGREED, now=now)
    assert asked.value.version == "1.2"
    async with db.begin() as session:
        await pauses.pause(session, actor(), group.group_id, now=now)
        await pauses.resume(session, actor(), group.group_id)
        await groups.leave(session, actor(), group.group_id, now=now)
        await groups.sign_up(session, actor(), other.group_id, agreed="1.2", now=now)
    assert await seats_of(db, MAYA) == ["Thursday"]


async def test_a_full_group_says_so_and_does_not_ask_for_the_agreement(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
    await refused(db, GroupFull, 5, group.group_id, agreed="none")


async def test_a_second_tap_takes_no_second_seat(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
    await refused(db, AlreadyMember, MAYA, group.group_id)
    async with db.read() as session:
        assert await groups.seats_taken(session, group.group_id) == 1


async def test_a_closed_group_takes_nobody(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await groups.close(session, facilitator(), group.group_id, now=now)
    await refused(db, GroupClosed, MAYA, group.group_id)


async def test_a_group_that_never_was_is_unknown(db: Database, group: Group) -> None:
    for group_id in (0, -1, group.group_id + 1, 2**63 - 1):
        await refused(db, GroupUnknown, MAYA, group_id)


async def test_nobody_joins_where_nothing_is_set_up(db: Database, group: Group, now: datetime) -> None:
    with pytest.raises(NotSetUp):
        async with db.begin() as session:
            await groups.sign_up(session, actor(guild_id=99), group.group_id, agreed=AGREED, now=now)


async def test_a_facilitator_is_in_already(db: Database, group: Group) -> None:
    await refused(db, NotValid, FACILITATOR, group.group_id)


@pytest.mark.both_databases
async def test_leaving_frees_the_seat_and_leaves_no_row(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
        await groups.leave(session, actor(), group.group_id, now=now)
        mine = await member_id(session, MAYA)
        left = select(func.count()).where(Membership.member_id == mine)
        assert await session.scalar(left) == 0
        await seat(session, group, 5, now=now)
    assert await seats_of(db, MAYA) == []


async def test_leaving_twice_says_that_nothing_was_changed(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        await groups.leave(session, actor(), group.group_id, now=now)
    for rule in (groups.leave, pauses.pause):
        with pytest.raises(NotMember, match="Nothing was changed"):
            async with db.begin() as session:
                await rule(session, actor(), group.group_id, now=now)


async def test_coming_and_going_greets_once_a_day(db: Database, group: Group, now: datetime) -> None:
    for later, greetings in ((0, 1), (0, 1), (1, 2)):
        async with db.begin() as session:
            await seat(session, group, MAYA, now=now + timedelta(days=later))
            await groups.leave(session, actor(), group.group_id, now=now)
            assert len(await planned(session, "groups.welcome")) == greetings


async def test_the_next_person_is_welcomed_although_the_last_one_left(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
    async with db.begin() as session:
        await groups.leave(session, actor(), group.group_id, now=now)
    async with db.begin() as session:
        await seat(session, group, LEO, now=now)
        assert len(await planned(session, "groups.welcome")) == 2


async def test_a_paused_seat_is_a_taken_seat(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
        until = await pauses.pause(session, actor(), group.group_id, now=now)
    assert until == now.replace(microsecond=0) + timedelta(weeks=12)
    await refused(db, GroupFull, 5, group.group_id)


async def test_pausing_twice_keeps_the_first_end(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        first = await pauses.pause(session, actor(), group.group_id, now=now)
        assert await pauses.pause(session, actor(), group.group_id, now=now + DAY) == first
        assert len(await planned(session, "groups.pause_over")) == 1


@pytest.mark.both_databases
async def test_a_pause_that_reaches_its_end_gives_the_seat_up(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        until = await pauses.pause(session, actor(), group.group_id, now=now)
        assert (await planned(session, "groups.pause_over"))[0].next_at == until
    await run(db, "groups.pause_over", until - timedelta(seconds=1))
    assert await seats_of(db, MAYA) == ["Tuesday"], "not before its end"
    await run(db, "groups.pause_over", until)
    assert await seats_of(db, MAYA) == []
    await run(db, "groups.pause_over", until)


async def test_a_pause_that_was_ended_keeps_the_seat(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        until = await pauses.pause(session, actor(), group.group_id, now=now)
        await pauses.resume(session, actor(), group.group_id)
    await run(db, "groups.pause_over", until)
    async with db.begin() as session:
        await pauses.pause(session, actor(), group.group_id, now=now + DAY)
        old = (await planned(session, "groups.pause_over"))[0]
        await pauses.end_pause(session, old, until)
    assert await seats_of(db, MAYA) == ["Tuesday"], "the step of an older pause ends no newer one"


async def test_resuming_without_a_pause_changes_nothing(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        await pauses.resume(session, actor(), group.group_id)
    assert await seats_of(db, MAYA) == ["Tuesday"]


@pytest.mark.both_databases
async def test_a_removed_person_cannot_join_until_let_back(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        mine = await member_id(session, MAYA)
        await groups.remove(session, facilitator(), group.group_id, mine, reason="agreement", now=now)
        await seat(session, group, LEO, 5, now=now)
    assert await seats_of(db, MAYA) == []
    await refused(db, WasRemoved, MAYA, group.group_id)
    async with db.begin() as session:
        await groups.leave(session, actor(LEO), group.group_id, now=now)
        await groups.let_back(session, facilitator(), group.group_id, mine)
        await seat(session, group, MAYA, now=now)
    assert await seats_of(db, MAYA) == ["Tuesday"]


@pytest.mark.parametrize(("reason", "kept"), [("asked", "asked"), ("she said that she", "none"), ("", "none")])
async def test_a_reason_is_one_of_four_words_never_a_text(
    db: Database, group: Group, now: datetime, reason: str, kept: str
) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        mine = await member_id(session, MAYA)
        await groups.remove(session, facilitator(), group.group_id, mine, reason=reason, now=now)
        assert await session.scalar(select(Membership.removed_for).where(Membership.member_id == mine)) == kept


async def test_nobody_can_be_removed_twice_or_without_a_seat(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        mine = await member_id(session, MAYA)
        await groups.remove(session, facilitator(), group.group_id, mine, now=now)
    for someone in (mine, mine + 1000):
        with pytest.raises(NotMember):
            async with db.begin() as session:
                await groups.remove(session, facilitator(), group.group_id, someone, now=now)


async def test_letting_back_somebody_with_a_seat_takes_nothing_away(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        await groups.let_back(session, facilitator(), group.group_id, await member_id(session, MAYA))
    assert await seats_of(db, MAYA) == ["Tuesday"]


@pytest.mark.both_databases
async def test_a_seat_waits_seven_days_for_somebody_who_left_the_server(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
        await departures.leave(session, GUILD, MAYA, now=now)
    await run(db, "groups.seat_lapses", now + 7 * DAY - timedelta(seconds=1))
    await refused(db, GroupFull, 5, group.group_id)
    await run(db, "groups.seat_lapses", now + 7 * DAY)
    assert await seats_of(db, MAYA) == []
    async with db.begin() as session:
        await seat(session, group, 5, now=now)


@pytest.mark.both_databases
async def test_whoever_comes_back_in_time_has_the_seat_and_access_again(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        await departures.leave(session, GUILD, MAYA, now=now)
        effects = await planned(session, "groups.access")
        for effect in effects:
            effect.state = 2
        await session.flush()
        await departures.come_back(session, GUILD, MAYA, now=now + DAY)
        mine = await member_id(session, MAYA)
        await session.refresh(next(effect for effect in effects if effect.member_id == mine))
        assert [effect.state for effect in effects if effect.member_id == mine] == [0]
    await run(db, "groups.seat_lapses", now + 8 * DAY)
    assert await seats_of(db, MAYA) == ["Tuesday"]


async def test_leaving_the_server_again_starts_the_seven_days_anew(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        await departures.leave(session, GUILD, MAYA, now=now)
        await departures.leave(session, GUILD, MAYA, now=now + DAY)
        assert len(await planned(session, "groups.seat_lapses")) == 1, "two notices of one departure are one"
        await departures.come_back(session, GUILD, MAYA, now=now + 2 * DAY)
        await departures.leave(session, GUILD, MAYA, now=now + 6 * DAY)
        first, second = await planned(session, "groups.seat_lapses")
        await departures.lapse(session, first, now + 7 * DAY)
    assert await seats_of(db, MAYA) == ["Tuesday"]
    async with db.begin() as session:
        await departures.lapse(session, second, now + 13 * DAY)
    assert await seats_of(db, MAYA) == []


async def test_a_facilitator_who_stays_away_no_longer_looks_after_the_group(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await departures.leave(session, GUILD, FACILITATOR, now=now)
    await run(db, "groups.seat_lapses", now + 7 * DAY)
    async with db.read() as session:
        assert await session.scalar(select(func.count()).select_from(Facilitator)) == 0


async def test_a_stranger_who_comes_or_goes_leaves_no_row(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await departures.leave(session, GUILD, 404, now=now)
        await departures.come_back(session, GUILD, 404, now=now)
        assert await members.find(session, GUILD, 404) is None


@pytest.mark.both_databases
async def test_who_left_and_who_came_while_nobody_looked_is_found_out(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
        await departures.leave(session, GUILD, LEO, now=now)
        asked = dict(await departures.known(session, GUILD))
        assert set(asked.values()) == {FACILITATOR, MAYA, LEO}
        assert await departures.known(session, GUILD, after=max(asked)) == []
        await departures.compare(session, GUILD, asked.values(), {FACILITATOR, LEO}, now=now)
        away = {user_id: await members.find(session, GUILD, user_id) for user_id in (FACILITATOR, MAYA, LEO)}
    assert {user_id for user_id, member in away.items() if member and member.away_since} == {MAYA}


@pytest.mark.both_databases
async def test_access_follows_the_seat_and_only_what_was_given_is_taken(
    db: Database, group: Group, now: datetime
) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        mine = await member_id(session, MAYA)
        effect = next(each for each in await planned(session, "groups.access") if each.member_id == mine)
        room = frozenset({("room", ROOM)})
        decided = await access.decide(session, effect, now=now)
        assert decided == access.Wanted(MAYA, room, room), "it is written down with the seat, before it is given"
        await access.record(session, effect, room)
        await access.record(session, effect, room)
        assert await access.decide(session, effect, now=now) == access.Wanted(MAYA, room, room)
        await groups.leave(session, actor(), group.group_id, now=now)
        assert await access.decide(session, effect, now=now) == access.Wanted(MAYA, frozenset(), room)
        await access.forget(session, effect, room)
        assert await access.decide(session, effect, now=now) == access.Wanted(MAYA, frozenset(), frozenset())


async def test_the_room_of_a_closed_group_stays_readable_for_a_week(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        mine = await member_id(session, MAYA)
        effect = next(each for each in await planned(session, "groups.access") if each.member_id == mine)
        await groups.close(session, facilitator(), group.group_id, now=now)
        for after, readable in [(DAY, True), (7 * DAY, False)]:
            decided = await access.decide(session, effect, now=now + after)
            assert decided is not None
            assert bool(decided.wanted) is readable
        farewell = (await planned(session, "groups.farewell"))[0]
        assert farewell.next_at == now + 7 * DAY
        await groups.end_access(session, farewell, now + 7 * DAY)
        assert await groups.seats_taken(session, group.group_id) == 0


@pytest.mark.both_databases
async def test_a_room_is_compared_by_who_should_be_in_it(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
        await departures.leave(session, GUILD, LEO, now=now)
        [room] = await access.rooms(session, GUILD, now=now)
    assert (room.group_id, room.room_id) == (group.group_id, ROOM)
    assert set(room.wanted) == {FACILITATOR, MAYA, LEO}
    assert room.away == {LEO}, "nothing can be given to somebody who is away"
    assert set(room.held) == {MAYA, LEO}


async def test_becoming_a_facilitator_frees_the_seat(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, LEO, now=now)
        await facilitators.add(session, facilitator(), group.group_id, MAYA, facilitator().role_ids, now=now)
        assert await groups.seats_taken(session, group.group_id) == 1
        await groups.edit(session, facilitator(MAYA), group.group_id, details(capacity=1), now=now)


async def test_a_closed_group_pauses_nobody(db: Database, group: Group, now: datetime) -> None:
    async with db.begin() as session:
        await seat(session, group, MAYA, now=now)
        await groups.close(session, facilitator(), group.group_id, now=now)
    with pytest.raises(GroupClosed):
        async with db.begin() as session:
            await pauses.pause(session, actor(), group.group_id, now=now)
