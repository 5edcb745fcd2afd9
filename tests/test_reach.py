"""Which way a letter goes and when, what a member chooses, and what is told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders import GUILD, LEO, MAYA, OTHER_GUILD, PANEL, actor, make_guild
from sqlalchemy import select, update

from peerbot import deliveries, members, reach
from peerbot.database import Database
from peerbot.deliveries import PENDING
from peerbot.errors import NotKnown, NotSetUp, NotValid
from peerbot.models import Delivery, Guild, Member
from peerbot.reach import Nowhere, Wait, Way

NOON = datetime(2026, 3, 10, 11, tzinfo=UTC)
"""Noon in Berlin, where the server is."""
NIGHT = datetime(2026, 3, 10, 22, tzinfo=UTC)
MORNING = datetime(2026, 3, 11, 7, tzinfo=UTC)
THREADS = PANEL + 100
KIND = "test.letter"


@pytest.fixture
def now() -> datetime:
    return NOON


async def letter(db: Database, user_id: int = MAYA, *, at: datetime = NOON, **changes: Any) -> Delivery:
    """Plan and claim a letter; the changes are the member's."""
    async with db.begin() as session:
        member = await members.of(session, GUILD, user_id, now=at)
        for name, value in changes.items():
            setattr(member, name, value)
        await session.flush()
        key = str(at.timestamp())
        planned = await deliveries.plan(session, KIND, key, guild_id=GUILD, now=at, member_id=member.member_id)
        await session.execute(update(Delivery).where(Delivery.delivery_id != planned).values(state=deliveries.DONE))
        (claimed,) = await deliveries.claim(session, now=at, owner="me", limit=10)
        return claimed


async def way(db: Database, sent: Delivery, *, at: datetime = NOON, waits: bool = True) -> Way | Wait | Nowhere:
    async with db.read() as session:
        return await reach.decide(session, sent, waits=waits, now=at)


async def person(db: Database, user_id: int = MAYA) -> Member:
    async with db.read() as session:
        found = await members.find(session, GUILD, user_id)
        assert found is not None
        return found


@pytest.mark.both_databases
@pytest.mark.parametrize(("chosen", "by"), [(None, "dm"), ("dm", "dm"), ("thread", "thread")])
async def test_a_letter_goes_the_way_that_was_chosen_and_by_direct_message_without_a_choice(
    db: Database, guild: Guild, chosen: str | None, by: str
) -> None:
    found = await way(db, await letter(db, reach=chosen, dm_channel_id=5, thread_id=6))
    assert isinstance(found, Way)
    assert (found.user_id, found.by, found.dm_channel_id, found.thread_id) == (MAYA, by, 5, 6)
    assert found.above_id == guild.panel_channel_id


@pytest.mark.both_databases
async def test_threads_stand_in_the_channel_that_was_chosen_for_them(db: Database, guild: Guild) -> None:
    sent = await letter(db)
    async with db.begin() as session:
        (await session.get_one(Guild, guild.guild_id)).threads_channel_id = THREADS
    found = await way(db, sent)
    assert isinstance(found, Way)
    assert found.above_id == THREADS


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("changes", "nowhere"),
    [
        ({"reach": "none"}, Nowhere()),
        ({"away_since": NOON}, Nowhere(is_away=True)),
        ({"reach": "none", "away_since": NOON}, Nowhere()),
    ],
)
async def test_whoever_is_away_or_wants_none_gets_no_letter(
    db: Database, guild: Guild, changes: dict[str, Any], nowhere: Nowhere
) -> None:
    assert await way(db, await letter(db, **changes)) == nowhere


async def test_a_letter_to_nobody_and_one_to_a_member_of_another_server_go_nowhere(db: Database, guild: Guild) -> None:
    sent = await letter(db)
    async with db.begin() as session:
        await make_guild(session, now=NOON, guild_id=OTHER_GUILD)
        other = await members.of(session, OTHER_GUILD, LEO, now=NOON, locale="de")
    for member_id in (None, other.member_id, 10**9):
        sent.member_id = member_id
        assert await way(db, sent) == Nowhere()
        async with db.begin() as session:
            assert (await reach.reader_of(session, sent)).locale == "en-US"
            await reach.dm_refused(session, sent)
            await reach.went_wrong(session, sent, reach.UNREACHED)
    async with db.read() as session:
        kept = await session.get_one(Member, other.member_id)
        assert (kept.reach, kept.reach_problem) == (None, None)


@pytest.mark.both_databases
async def test_at_night_a_letter_waits_for_the_morning_of_its_reader(db: Database, guild: Guild) -> None:
    assert await way(db, await letter(db, at=NIGHT), at=NIGHT) == Wait(MORNING)
    assert isinstance(await way(db, await letter(db, at=NIGHT + timedelta(seconds=1)), at=NIGHT, waits=False), Way)
    in_tokyo = await letter(db, at=NIGHT + timedelta(seconds=2), zone="Asia/Tokyo")
    assert await way(db, in_tokyo, at=NIGHT) == Wait(datetime(2026, 3, 10, 23, tzinfo=UTC))
    assert isinstance(await way(db, in_tokyo, at=NIGHT + timedelta(hours=1)), Way)


async def test_how_long_a_direct_message_is_waited_for_begins_in_the_morning_and_ends_with_the_letter(
    db: Database, guild: Guild
) -> None:
    sent = await letter(db, at=NIGHT)
    found = await way(db, sent, at=MORNING)
    assert isinstance(found, Way)
    assert found.dm_until == MORNING + reach.PATIENCE
    sent.not_after = MORNING + timedelta(minutes=1)
    found = await way(db, sent, at=MORNING)
    assert isinstance(found, Way)
    assert found.dm_until == sent.not_after


async def test_a_threads_name_is_the_persons_own_and_does_not_come_with_the_row(db: Database, guild: Guild) -> None:
    codes: list[str] = []
    for number, user_id in enumerate((MAYA, LEO)):
        found = await way(db, await letter(db, user_id, at=NOON + timedelta(seconds=number)))
        assert isinstance(found, Way)
        codes.append(found.code)
    assert len(set(codes)) == 2
    async with db.begin() as session:
        await session.delete(await session.get_one(Member, (await person(db)).member_id))
    again = await way(db, await letter(db, at=NOON + timedelta(seconds=9)))
    assert isinstance(again, Way)
    assert again.code == codes[0]


@pytest.mark.both_databases
async def test_a_letter_is_read_in_the_language_and_zone_of_its_reader_else_of_the_server(
    db: Database, guild: Guild
) -> None:
    sent = await letter(db)
    async with db.read() as session:
        reader = await reach.reader_of(session, sent)
    assert (reader.locale, reader.zone) == ("en-US", "Europe/Berlin")
    sent = await letter(db, at=NOON + timedelta(seconds=1), locale="de", zone="Asia/Tokyo")
    async with db.read() as session:
        reader = await reach.reader_of(session, sent)
    assert (reader.locale, reader.zone) == ("de", "Asia/Tokyo")


@pytest.mark.both_databases
@pytest.mark.parametrize(("chosen", "then"), [(None, "thread"), ("dm", "thread"), ("none", "none")])
async def test_closed_direct_messages_change_the_way_of_whoever_was_written_to_by_them(
    db: Database, guild: Guild, chosen: str | None, then: str
) -> None:
    sent = await letter(db, reach=chosen)
    async with db.begin() as session:
        await reach.dm_refused(session, sent)
    found = await person(db)
    assert found.reach == then
    assert found.reach_problem == (reach.DM_CLOSED if then == "thread" else None)


@pytest.mark.both_databases
async def test_of_two_threads_that_were_made_at_once_the_first_counts(db: Database, guild: Guild) -> None:
    sent = await letter(db)
    for made in (6, 7):
        async with db.begin() as session:
            assert await reach.thread_made(session, sent, made) == 6
    sent.member_id = None
    async with db.begin() as session:
        assert await reach.thread_made(session, sent, 8) is None


@pytest.mark.both_databases
async def test_a_lost_thread_is_forgotten_unless_there_is_a_new_one(db: Database, guild: Guild) -> None:
    sent = await letter(db)
    async with db.begin() as session:
        await reach.thread_made(session, sent, 6)
        await reach.thread_lost(session, sent, 5)
    assert ((await person(db)).thread_id, (await person(db)).reach_problem) == (6, None)
    async with db.begin() as session:
        await reach.thread_lost(session, sent, 6)
    assert ((await person(db)).thread_id, (await person(db)).reach_problem) == (None, reach.THREAD_GONE)


@pytest.mark.both_databases
async def test_what_was_told_is_forgotten_and_what_went_wrong_since_is_not(db: Database, guild: Guild) -> None:
    await letter(db, reach_problem=reach.DM_LATE)
    async with db.begin() as session:
        await reach.told(session, GUILD, MAYA, reach.DM_CLOSED)
        await reach.told(session, GUILD, LEO, reach.DM_LATE)
    assert (await person(db)).reach_problem == reach.DM_LATE
    async with db.begin() as session:
        await reach.told(session, GUILD, MAYA, reach.DM_LATE)
    assert (await person(db)).reach_problem is None


@pytest.mark.both_databases
async def test_a_choice_plans_a_test_that_ends_soon_and_no_messages_plan_none(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        planned = await reach.choose(session, actor(), "dm", is_here=True, now=NOON)
        test = await session.get_one(Delivery, planned)
        assert (test.kind, test.channel_id, test.not_after) == (reach.TEST, None, NOON + reach.TEST_LIFE)
        assert await reach.choose(session, actor(), "dm", is_here=True, now=NOON) == planned, "a double tap"
        assert await reach.choose(session, actor(), "none", is_here=True, now=NOON) is None
    assert (await person(db)).reach == "none"


async def test_a_choice_forgets_what_went_wrong_before(db: Database, guild: Guild) -> None:
    await letter(db, reach_problem=reach.DM_CLOSED, reach="thread")
    async with db.begin() as session:
        await reach.choose(session, actor(), "dm", is_here=False, now=NOON)
        assert await reach.habits(session, GUILD, MAYA) == reach.Habits("dm", None, "Europe/Berlin", None, None)


async def test_nobody_chooses_in_a_server_in_which_nothing_is_kept_of_them(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        with pytest.raises(NotKnown):
            await reach.choose(session, actor(), "dm", is_here=False, now=NOON)
        with pytest.raises(NotKnown):
            await reach.set_zone(session, actor(), "Tokyo", is_here=False, now=NOON)
        with pytest.raises(NotSetUp):
            await reach.choose(session, actor(guild_id=OTHER_GUILD), "dm", is_here=True, now=NOON)
    async with db.read() as session:
        assert await session.scalar(select(Member)) is None


@pytest.mark.both_databases
async def test_a_zone_is_kept_by_its_city_and_emptied_by_nothing(db: Database, guild: Guild) -> None:
    async with db.begin() as session:
        await reach.set_zone(session, actor(), "tokyo", is_here=True, now=NOON)
        with pytest.raises(NotValid):
            await reach.set_zone(session, actor(), "Atlantis", is_here=True, now=NOON)
    assert (await person(db)).zone == "Asia/Tokyo"
    async with db.begin() as session:
        await reach.set_zone(session, actor(), "  ", is_here=True, now=NOON)
    assert (await person(db)).zone is None


@pytest.mark.both_databases
async def test_a_channel_is_written_down_only_by_whoever_holds_the_claim(db: Database, guild: Guild) -> None:
    sent = await letter(db)
    async with db.begin() as session:
        assert await deliveries.address(session, sent, 77)
    assert sent.channel_id == 77
    stale = Delivery(delivery_id=sent.delivery_id, claim_no=sent.claim_no - 1)
    async with db.begin() as session:
        assert not await deliveries.address(session, stale, 88)
    async with db.begin() as session:
        await deliveries.postpone(session, sent, until=NOON, problem="later")
        assert not await deliveries.address(session, sent, 99)
    async with db.read() as session:
        row = await session.get_one(Delivery, sent.delivery_id)
        assert (row.state, row.channel_id) == (PENDING, 77)
