"""What can be seen of groups: pages, topics, choices, and what somebody typed."""

from __future__ import annotations

from datetime import datetime

import pytest
from builders import (
    AGREED,
    FACILITATOR,
    GUILD,
    LEO,
    MAYA,
    OTHER_GUILD,
    OWNER,
    ROLE,
    ROOM,
    actor,
    facilitator,
    make_group,
    make_guild,
    owner,
    seat,
)

from peerbot import directory, facilitators, groups, members
from peerbot.database import Database
from peerbot.errors import GroupUnknown
from peerbot.models import Guild

pytestmark = pytest.mark.both_databases

NAMES = ["Anchor", "Bridge", "Candle", "Dawn", "Ember", "Fern", "Garden", "Harbour"]


@pytest.fixture
async def ids(db: Database, guild: Guild, now: datetime) -> dict[str, int]:
    """Eight groups; Anchor is full, Bridge is closed, every second one is about rest."""
    made: dict[str, int] = {}
    async with db.begin() as session:
        for number, name in enumerate(NAMES):
            topic = "Rest" if number % 2 else "Ängste"
            group = await make_group(session, now=now, name=name, topic=topic, capacity=1, room_id=ROOM + number)
            made[name] = group.group_id
            if name == "Anchor":
                await seat(session, group, MAYA, now=now)
        await groups.close(session, facilitator(), made["Bridge"], now=now)
        await make_guild(session, guild_id=OTHER_GUILD, now=now)
        await make_group(session, guild_id=OTHER_GUILD, now=now, name="Elsewhere")
    return made


async def names(db: Database, **asked: object) -> tuple[list[str], bool]:
    async with db.read() as session:
        page = await directory.page(session, GUILD, **asked)  # pyright: ignore[reportArgumentType]
    return [group.name for group in page.groups], page.has_more


async def test_open_groups_of_the_server_are_shown_page_by_page(db: Database, ids: dict[str, int]) -> None:
    assert await names(db) == (["Anchor", "Candle", "Dawn", "Ember", "Fern", "Garden"], True)
    assert await names(db, number=1) == (["Harbour"], False)
    assert await names(db, number=2) == ([], False)


async def test_groups_are_found_by_topic_and_by_free_seat(db: Database, ids: dict[str, int]) -> None:
    assert (await names(db, free=True))[0][0] == "Candle"
    assert await names(db, topic="rest") == (["Dawn", "Fern", "Harbour"], False)
    assert await names(db, topic="Ängste", free=True) == (["Candle", "Ember", "Garden"], False)
    assert await names(db, topic="%") == ([], False)


async def test_groups_where_somebody_is_or_was_told_no_or_looks_after_are_left_out_for_them(
    db: Database, ids: dict[str, int], now: datetime
) -> None:
    async with db.begin() as session:
        for name in ("Candle", "Dawn"):
            await groups.sign_up(session, actor(LEO), ids[name], agreed=AGREED, now=now)
        leo = await members.of(session, GUILD, LEO, now=now)
        await groups.remove(session, facilitator(), ids["Candle"], leo.member_id, now=now)
        await facilitators.add(session, facilitator(), ids["Ember"], LEO, frozenset({ROLE}), now=now)
    assert (await names(db, free=True))[0] == ["Candle", "Ember", "Fern", "Garden", "Harbour"]
    assert await names(db, without=leo.member_id) == (["Anchor", "Fern", "Garden", "Harbour"], False)
    async with db.read() as session:
        shown = await directory.others(session, GUILD, LEO, size=2)
        assert [group.name for group in shown.groups] == ["Fern", "Garden"]
        shown = await directory.others(session, GUILD, OWNER, size=2)
        assert [group.name for group in shown.groups] == ["Candle", "Ember"]


async def test_topics_are_offered_while_somebody_types(db: Database, ids: dict[str, int]) -> None:
    async with db.read() as session:
        assert list(await directory.topics(session, GUILD)) == ["Rest", "Ängste"]
        assert list(await directory.topics(session, GUILD, like="re")) == ["Rest"]
        assert list(await directory.topics(session, GUILD, like="%")) == []
        assert list(await directory.topics(session, OTHER_GUILD)) == ["Rest"]


async def test_a_facilitator_is_offered_the_groups_of_their_own(db: Database, ids: dict[str, int]) -> None:
    async with db.begin() as session:
        await make_group(session, by=facilitator(LEO), name="Island", room_id=99)
        everything = [name for name, _ in await directory.choices(session, owner())]
        assert everything == ["Anchor", *NAMES[2:], "Island"]
        assert [name for name, _ in await directory.choices(session, facilitator(LEO))] == ["Island"]
        assert await directory.choices(session, facilitator(404)) == []
        assert await directory.choices(session, actor(FACILITATOR)) == []
        assert [name for name, _ in await directory.choices(session, owner(), like="AR")] == ["Garden", "Harbour"]
        assert await directory.choices(session, owner(), like="_") == []


async def test_a_group_is_found_by_what_was_chosen_or_typed(db: Database, ids: dict[str, int]) -> None:
    async with db.read() as session:
        for words in (str(ids["Candle"]), "Candle", " candle ", "CANDLE", "can\u200bdle"):
            assert await directory.named(session, GUILD, words) == ids["Candle"]


@pytest.mark.parametrize("words", ["", "Bridge", "Elsewhere", "cand", "%", "9" * 18, "9" * 19, "9" * 40, "-1", "²"])
async def test_what_names_no_open_group_of_the_server_is_unknown(db: Database, ids: dict[str, int], words: str) -> None:
    async with db.read() as session:
        with pytest.raises(GroupUnknown):
            await directory.named(session, GUILD, words)


async def test_a_group_shows_counts_and_facilitators_and_nobody_else(db: Database, ids: dict[str, int]) -> None:
    async with db.read() as session:
        view = await directory.view(session, GUILD, ids["Anchor"])
    assert (view.taken, view.capacity, view.free, view.is_open) == (1, 1, 0, True)
    assert view.facilitator_ids == (FACILITATOR,)
    assert str(MAYA) not in repr(view)


async def test_everyone_sees_their_own_seats_only(db: Database, ids: dict[str, int]) -> None:
    async with db.read() as session:
        [mine] = await directory.seats(session, GUILD, MAYA)
        assert (mine.name, mine.room_id, mine.is_open, mine.paused_until) == ("Anchor", ROOM, True, None)
        assert await directory.seats(session, GUILD, LEO) == ()
        assert await directory.seats(session, OTHER_GUILD, MAYA) == ()
