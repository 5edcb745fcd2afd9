"""What the owner chooses for a server: five answers, a time zone in plain words, the words of the agreement."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

import pytest
from builders import GUILD, OTHER_GUILD, PANEL, ROLE, STAFF, actor, facilitator, owner
from sqlalchemy import select

from peerbot import setup
from peerbot.database import Database
from peerbot.errors import NotAllowed, NotSetUp, NotValid, PeerbotError
from peerbot.models import Card, Delivery, Guild
from peerbot.rights import Actor

ANSWERS: dict[str, Any] = {
    "facilitator_role_id": ROLE,
    "panel_channel_id": PANEL,
    "staff_channel_id": STAFF,
    "time_zone": "Berlin",
    "locale": "de",
}


async def save(db: Database, now: datetime, by: Actor | None = None, **changes: Any) -> Guild:
    async with db.begin() as session:
        return await setup.save(session, by or owner(), **ANSWERS | changes, now=now)


async def refused(db: Database, error: type[PeerbotError], now: datetime, **changes: Any) -> None:
    with pytest.raises(error):
        await save(db, now, **changes)
    async with db.read() as session:
        assert await setup.find(session, GUILD) is None


async def panels(db: Database) -> list[tuple[str, int | None]]:
    async with db.read() as session:
        rows = await session.execute(select(Delivery.kind, Delivery.channel_id).order_by(Delivery.delivery_id))
        return [(kind, channel_id) for kind, channel_id in rows]


@pytest.mark.both_databases
async def test_five_answers_are_kept_and_the_panel_is_posted(db: Database, now: datetime) -> None:
    await save(db, now)
    async with db.read() as session:
        guild = await setup.find(session, GUILD)
        assert guild is not None
        assert (guild.facilitator_role_id, guild.panel_channel_id, guild.staff_channel_id) == (ROLE, PANEL, STAFF)
        assert (guild.time_zone, guild.locale, guild.words_version) == ("Europe/Berlin", "de", 1)
        assert await setup.find(session, OTHER_GUILD) is None
    assert await panels(db) == [("card.post", PANEL)]


@pytest.mark.parametrize("somebody", [actor(), facilitator()])
async def test_only_who_manages_the_server_sets_it_up(db: Database, now: datetime, somebody: Actor) -> None:
    await refused(db, NotAllowed, now, by=somebody)


@pytest.mark.parametrize(
    "wrong", [{"panel_channel_id": STAFF}, {"facilitator_role_id": GUILD}, {"time_zone": "Atlantis"}]
)
async def test_answers_that_cannot_work_are_refused(db: Database, now: datetime, wrong: dict[str, Any]) -> None:
    await refused(db, NotValid, now, **wrong)


async def test_a_second_setup_changes_the_answers_and_keeps_the_words(db: Database, now: datetime) -> None:
    await save(db, now)
    async with db.begin() as session:
        await setup.save_words(session, owner(), danger_policy="We call.", reading_hours="9 to 5", now=now)
    changed = await save(db, now, time_zone="Tokyo", facilitator_role_id=ROLE + 1)
    assert (changed.time_zone, changed.facilitator_role_id) == ("Asia/Tokyo", ROLE + 1)
    assert (changed.danger_policy, changed.words_version) == ("We call.", 2)


@pytest.mark.both_databases
async def test_two_taps_on_the_last_question_post_one_panel(db: Database, now: datetime) -> None:
    await save(db, now)
    await save(db, now)
    assert await panels(db) == [("card.post", PANEL)]


async def test_a_panel_moves_with_its_channel(db: Database, now: datetime) -> None:
    await save(db, now)
    async with db.begin() as session:
        card = (await session.scalars(select(Card))).one()
        card.message_id = 77
    await save(db, now, panel_channel_id=PANEL + 5)
    assert await panels(db) == [("card.post", PANEL), ("card.remove", PANEL), ("card.post", PANEL + 5)]


@pytest.mark.both_databases
async def test_changed_words_make_a_new_agreement_and_the_same_words_do_not(db: Database, now: datetime) -> None:
    await save(db, now)
    versions: list[str] = []
    for policy in ("", "We call.", " We call.\u200b ", "We do not call."):
        async with db.begin() as session:
            guild = await setup.save_words(session, owner(), danger_policy=policy, reading_hours="", now=now)
            versions.append(setup.agreement_of(guild).version)
    assert versions == ["1.1", "1.2", "1.2", "1.3"]


async def test_words_are_for_the_owner_and_not_too_long(db: Database, now: datetime) -> None:
    with pytest.raises(NotSetUp):
        async with db.begin() as session:
            await setup.save_words(session, owner(), danger_policy="x", reading_hours="", now=now)
    await save(db, now)
    for by, policy, error in ((facilitator(), "x", NotAllowed), (owner(), "x" * 301, NotValid)):
        with pytest.raises(error):
            async with db.begin() as session:
                await setup.save_words(session, by, danger_policy=policy, reading_hours="", now=now)
    async with db.begin() as session:
        await setup.save_words(session, owner(), danger_policy="x" * 300, reading_hours="x" * 300, now=now)


@pytest.mark.parametrize(
    ("words", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("berlin", "Europe/Berlin"),
        (" New York ", "America/New_York"),
        ("new_york", "America/New_York"),
        ("america/argentina/buenos aires", "America/Argentina/Buenos_Aires"),
        ("Port-au-Prince", "America/Port-au-Prince"),
        ("utc", "UTC"),
    ],
)
def test_a_time_zone_is_known_by_its_name_or_its_city(words: str, zone: str) -> None:
    assert setup.find_zone(words) == zone


@pytest.mark.parametrize(
    ("words", "near"), [("Berlim", "Europe/Berlin"), ("New Yrok", "America/New_York"), ("", "America/New_York")]
)
def test_an_unknown_time_zone_is_refused_with_close_ones(words: str, near: str) -> None:
    with pytest.raises(NotValid) as refusal:
        setup.find_zone(words)
    assert near in refusal.value.text.params["zones"]


def test_every_zone_that_the_machine_knows_by_a_place_is_found() -> None:
    for zone in available_timezones():
        if "/" in zone and not zone.startswith(("Etc/", "SystemV/")):
            assert setup.find_zone(zone) == zone
