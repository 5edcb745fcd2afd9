"""Sealed ids: who is found again, and that a stolen database names nobody."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from builders import (
    FACILITATOR,
    GUILD,
    LEO,
    MAYA,
    OTHER_GUILD,
    OTHER_KEY,
    OWNER,
    ROOM,
    actor,
    facilitator,
    make_group,
    make_guild,
    owner,
    seat,
)
from dumps import dump, forms, traces
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select

from peerbot import deliveries, departures, facilitators, groups, members, pauses, staff
from peerbot.access import Wanted, decide, record
from peerbot.config import Secret, Settings, decode_key
from peerbot.database import BACKGROUND, Database, connect
from peerbot.errors import KeyWrong
from peerbot.members import Seal
from peerbot.models import Delivery, Grant, Guild, KeyCheck, Member

pytestmark = pytest.mark.both_databases

SNOWFLAKES = st.integers(min_value=0, max_value=2**63 - 1)


@pytest.fixture
def other_seal() -> Seal:
    return Seal(decode_key(Secret(OTHER_KEY)))


async def test_the_same_person_is_found_again(db: Database, guild: Guild, now: datetime) -> None:
    async with db.begin() as session:
        first = await members.of(session, GUILD, MAYA, now=now)
    async with db.begin() as session:
        assert (await members.of(session, GUILD, MAYA, now=now)).member_id == first.member_id
        assert members.user_id(session, first) == MAYA
    async with db.read() as session:
        found = await members.find(session, GUILD, MAYA)
        assert found is not None
        assert found.member_id == first.member_id
        assert await members.find(session, GUILD, LEO) is None


async def test_one_person_in_two_servers_looks_like_two(db: Database, guild: Guild, now: datetime) -> None:
    async with db.begin() as session:
        await make_guild(session, guild_id=OTHER_GUILD)
        here = await members.of(session, GUILD, MAYA, now=now)
        there = await members.of(session, OTHER_GUILD, MAYA, now=now)
    assert here.member_id != there.member_id
    assert here.sealed_user_id != there.sealed_user_id


async def test_the_language_is_remembered_when_one_is_given(db: Database, guild: Guild, now: datetime) -> None:
    for locale, remembered in [(None, None), ("de", "de"), (None, "de"), ("pt-BR", "pt-BR")]:
        async with db.begin() as session:
            await members.of(session, GUILD, MAYA, now=now, locale=locale)
        async with db.read() as session:
            found = await members.find(session, GUILD, MAYA)
            assert found is not None
            assert found.locale == remembered


async def test_who_was_found_is_asked_for_anew_when_what_was_done_since_is_taken_back(
    db: Database, guild: Guild, now: datetime
) -> None:
    async with db.begin() as session:
        await members.of(session, GUILD, MAYA, now=now)
    async with db.begin() as session:
        maya = await members.find(session, GUILD, MAYA)
        assert maya is not None
        with suppress(ZeroDivisionError):
            async with session.begin_nested():
                maya.zone = "Europe/Berlin"
                await members.of(session, GUILD, LEO, now=now)
                assert await members.find(session, GUILD, LEO) is not None
                raise ZeroDivisionError
        again = await members.find(session, GUILD, MAYA)
        assert again is not None
        assert again.zone is None
        assert await members.find(session, GUILD, LEO) is None


async def test_those_of_many_who_are_known_are_found(db: Database, guild: Guild, now: datetime) -> None:
    async with db.begin() as session:
        for user_id in (MAYA, LEO):
            await members.of(session, GUILD, user_id, now=now)
        found = await members.find_all(session, GUILD, range(MAYA - 100, MAYA + 200))
        assert {members.user_id(session, member) for member in found} == {MAYA, LEO}


@given(SNOWFLAKES, SNOWFLAKES, SNOWFLAKES)
def test_an_id_opens_in_its_own_server_only(guild_id: int, other_guild_id: int, user_id: int) -> None:
    one = Seal(decode_key(Secret(OTHER_KEY)))
    sealed = one.close(guild_id, user_id)
    assert one.open(guild_id, sealed) == user_id
    if guild_id != other_guild_id:
        with pytest.raises(KeyWrong):
            one.open(other_guild_id, sealed)


def test_another_key_opens_no_id(seal: Seal, other_seal: Seal) -> None:
    with pytest.raises(KeyWrong, match="PEERBOT_DATA_KEY"):
        other_seal.open(GUILD, seal.close(GUILD, MAYA))


def test_a_damaged_id_is_not_opened(seal: Seal) -> None:
    sealed = bytearray(seal.close(GUILD, MAYA))
    sealed[-1] ^= 1
    for damaged in (bytes(sealed), b"", b"short"):
        with pytest.raises(KeyWrong):
            seal.open(GUILD, damaged)


def test_new_keys_differ_and_are_taken_as_they_are() -> None:
    keys = {members.new_key() for _ in range(3)}
    assert len(keys) == 3
    assert {len(decode_key(Secret(key))) for key in keys} == {64}


async def test_a_new_database_takes_the_key_as_its_own(db: Database) -> None:
    for _ in range(2):
        async with db.begin() as session:
            await members.check_key(session)


async def test_a_wrong_key_is_refused_with_a_clear_sentence_and_changes_nothing(
    db: Database, settings: Settings
) -> None:
    async with db.begin() as session:
        await members.check_key(session)
        before = (await session.scalars(select(KeyCheck.sealed))).all()
    wrong = connect(replace(settings, data_key=Secret(OTHER_KEY)))
    try:
        with pytest.raises(KeyWrong) as refused:
            async with wrong.begin() as session:
                await members.check_key(session)
    finally:
        await wrong.close()
    assert "not the key of this database" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert OTHER_KEY not in str(refused.value)
    async with db.read() as session:
        assert (await session.scalars(select(KeyCheck.sealed))).all() == before


async def test_a_change_of_key_seals_everyone_anew(
    db: Database, settings: Settings, guild: Guild, other_seal: Seal, now: datetime
) -> None:
    async with db.begin() as session:
        await members.check_key(session)
        ids = {(await members.of(session, GUILD, user_id, now=now)).member_id: user_id for user_id in (MAYA, LEO)}
    async with db.begin() as session:
        assert await members.rekey(session, other_seal) == 2
    changed = connect(replace(settings, data_key=Secret(OTHER_KEY)))
    async with changed.begin() as session:
        await members.check_key(session)
        for member_id, user_id in ids.items():
            member = await members.of(session, GUILD, user_id, now=now)
            assert member.member_id == member_id
    await changed.close()
    with pytest.raises(KeyWrong):
        async with db.begin() as session:
            await members.check_key(session)


async def test_a_change_of_key_that_fails_halfway_leaves_the_old_one_valid(
    db: Database, guild: Guild, other_seal: Seal, now: datetime
) -> None:
    async with db.begin() as session:
        await members.check_key(session)
        for user_id in (MAYA, LEO):
            await members.of(session, GUILD, user_id, now=now)
        damaged = await members.of(session, GUILD, OWNER, now=now)
        damaged.sealed_user_id = b"damaged, so that it cannot be opened"
    with pytest.raises(KeyWrong):
        async with db.begin() as session:
            await members.rekey(session, other_seal)
    async with db.begin() as session:
        await members.check_key(session)
        for user_id in (MAYA, LEO):
            assert await members.find(session, GUILD, user_id) is not None


async def test_a_change_of_key_is_lost_whole_when_its_transaction_is(
    db: Database, guild: Guild, other_seal: Seal, now: datetime
) -> None:
    async with db.begin() as session:
        await members.check_key(session)
        await members.of(session, GUILD, MAYA, now=now)
    with suppress(RuntimeError):
        async with db.begin() as session:
            assert await members.rekey(session, other_seal) == 1
            raise RuntimeError("killed here")
    async with db.begin() as session:
        await members.check_key(session)
        assert await members.find(session, GUILD, MAYA) is not None


async def test_the_wrong_key_cannot_change_the_key(
    db: Database, settings: Settings, guild: Guild, other_seal: Seal, now: datetime
) -> None:
    async with db.begin() as session:
        await members.check_key(session)
        await members.of(session, GUILD, MAYA, now=now)
    wrong = connect(replace(settings, data_key=Secret(OTHER_KEY)))
    with pytest.raises(KeyWrong):
        async with wrong.begin() as session:
            await members.rekey(session, other_seal)
    await wrong.close()


async def busy_life(db: Database, now: datetime) -> None:
    """Let people do everything that leaves rows behind."""
    async with db.begin() as session:
        group = await make_group(session, role_id=77, now=now)
        await seat(session, group, MAYA, LEO, now=now)
        await pauses.pause(session, actor(LEO), group.group_id, now=now)
        maya = await members.of(session, GUILD, MAYA, now=now)
        row = await deliveries.plan(session, "groups.access", "x", guild_id=GUILD, now=now, group_id=group.group_id,
                                    member_id=maya.member_id)  # fmt: skip
        delivery = await session.get_one(Delivery, row)
        wanted = await decide(session, delivery, now=now)
        both = frozenset({("room", ROOM), ("role", 77)})
        assert wanted == Wanted(MAYA, both, both)
        await record(session, delivery, both)
        await groups.remove(session, facilitator(), group.group_id, maya.member_id, reason="asked", now=now)
        await facilitators.add(session, owner(), group.group_id, OWNER, facilitator().role_ids, now=now)
        await departures.leave(session, GUILD, LEO, now=now)
        await staff.tell_strangers(session, GUILD, group.group_id, now=now)
        await staff.tell_failure(session, delivery, now)


EVERYONE = (MAYA, LEO, OWNER, FACILITATOR)


async def test_a_dump_of_the_database_contains_no_user_id(db: Database, guild: Guild, now: datetime) -> None:
    await busy_life(db, now)
    async with db.read() as session:
        content = await dump(session)
        assert len((await session.scalars(select(Member))).all()) == len(EVERYONE)
    assert str(GUILD).encode() in content, "the dump shows what is there"
    assert traces(content, EVERYONE) == []


async def test_the_files_of_sqlite_contain_no_user_id(
    db: Database, guild: Guild, now: datetime, settings: Settings
) -> None:
    await busy_life(db, now)
    if settings.url.get_backend_name() != "sqlite":
        pytest.skip("PostgreSQL's files belong to its server")
    file = Path(str(settings.url.database))
    content = b"".join(part.read_bytes() for part in file.parent.glob(file.name + "*"))
    assert GUILD.to_bytes(8, "big") in content, "the files show what is there"
    assert traces(content, EVERYONE) == []


@pytest.mark.parametrize("around", [b"", b"a", b"ab", b"abc"])
def test_the_search_finds_an_id_in_every_form(around: bytes) -> None:
    decimal, big, little = (form for _, form in forms(MAYA)[:3])
    for plain in (decimal, big, little):
        assert traces(around + plain + around, [MAYA])
        assert traces(base64.b64encode(around + plain + around), [MAYA])
        assert traces(base64.urlsafe_b64encode(around + plain), [MAYA])
        assert traces(plain.hex().encode(), [MAYA])
        assert traces(plain.hex().upper().encode(), [MAYA])
    assert traces(b"nothing of the kind", [MAYA]) == []


async def test_whoever_nothing_is_kept_of_is_forgotten(db: Database, guild: Guild, now: datetime) -> None:
    later = now + timedelta(days=2)
    async with db.begin() as session:
        group = await make_group(session, now=now)
        await seat(session, group, MAYA, LEO, now=now)
        await groups.leave(session, actor(LEO), group.group_id, now=now)
        assert await members.forget_idle(session, now=later) == 0, "the outbox still knows what it did for them"
    async with db.begin() as session:
        await session.execute(delete(Delivery))
        assert await members.forget_idle(session, now=later) == 0, "access that was promised is not taken back yet"
        await session.execute(delete(Grant))
        assert await members.forget_idle(session, now=now) == 0, "they may just be reading the agreement"
        assert await members.forget_idle(session, now=later) == 1
        assert await members.find(session, GUILD, LEO) is None
        assert await members.find(session, GUILD, MAYA) is not None
        assert await members.find(session, GUILD, FACILITATOR) is not None


async def test_whoever_is_joining_at_this_moment_is_not_forgotten(db: Database, guild: Guild, now: datetime) -> None:
    later = now + timedelta(days=2)
    async with db.begin() as session:
        group = await make_group(session, now=now)
        await members.of(session, GUILD, LEO, now=now)

    async def forget() -> None:
        async with db.begin(wait=BACKGROUND) as session:
            await members.forget_idle(session, now=later)

    async with db.begin() as session:
        await seat(session, group, LEO, now=later)
        forgetting = asyncio.create_task(forget())
        await asyncio.wait({forgetting}, timeout=0.3)
    await forgetting
    async with db.read() as session:
        assert await members.find(session, GUILD, LEO) is not None
        assert await groups.seats_taken(session, group.group_id) == 1


async def test_a_database_that_nobody_used_is_not_the_one_to_change_the_key_of(db: Database) -> None:
    with pytest.raises(KeyWrong, match="no peerbot has used"):
        async with db.begin() as session:
            await members.rekey(session, Seal(bytes(range(64))))
