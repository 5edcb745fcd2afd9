"""Cards: one message for each, redrawn when things change, and not too often."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from builders import GUILD, OTHER_GUILD, PANEL, make_group, make_guild
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import cards, deliveries
from peerbot.cards import OLD_SPACING, SPACING
from peerbot.database import Database
from peerbot.models import Card, Delivery, Guild

SECOND = timedelta(seconds=1)


@pytest.fixture
async def panel(db: Database, guild: Guild, now: datetime) -> Card:
    """A panel that has just been posted; its outbox is empty."""
    async with db.begin() as session:
        await session.execute(text("DELETE FROM deliveries"))
        card = (await session.scalars(select(Card))).one()
        card.message_id = message_of(now)
    return card


def message_of(at: datetime) -> int:
    """Return the id of a message that was posted at a moment."""
    return int((at - cards.DISCORD_EPOCH) / timedelta(milliseconds=1)) << 22


async def draws(db: Database) -> list[Delivery]:
    async with db.read() as session:
        return list(await session.scalars(select(Delivery).where(Delivery.kind == "card.draw")))


async def mark(db: Database, now: datetime) -> None:
    async with db.begin() as session:
        await cards.mark(session, GUILD, cards.PANEL, now=now)


async def draw(session: AsyncSession, now: datetime) -> None:
    for claimed in await deliveries.claim(session, now=now, owner="me", limit=5):
        await deliveries.finish(session, claimed, deliveries.DONE, now=now)


async def test_a_change_draws_the_card_at_once(db: Database, panel: Card, now: datetime) -> None:
    await mark(db, now)
    [drawing] = await draws(db)
    assert (drawing.next_at, drawing.channel_id, drawing.subject_id) == (now, PANEL, panel.card_id)


@pytest.mark.both_databases
async def test_many_changes_draw_the_card_once_in_five_seconds(db: Database, panel: Card, now: datetime) -> None:
    await mark(db, now)
    async with db.begin() as session:
        await draw(session, now)
    for later in range(1, 5):
        await mark(db, now + later * SECOND)
        [drawing] = await draws(db)
        assert drawing.next_at == now + SPACING
    await mark(db, now + 60 * SECOND)
    assert [drawing.next_at for drawing in await draws(db)] == [now + 60 * SECOND]


async def test_an_old_card_is_drawn_more_seldom(db: Database, panel: Card, now: datetime) -> None:
    later = now + timedelta(hours=2)
    await mark(db, later)
    async with db.begin() as session:
        await draw(session, later)
    await mark(db, later + SECOND)
    [drawing] = await draws(db)
    assert drawing.next_at == later + OLD_SPACING


async def test_a_card_that_was_not_drawn_for_a_day_is_drawn_as_if_it_had_changed(
    db: Database, panel: Card, now: datetime
) -> None:
    async with db.begin() as session:
        await cards.note_drawn(session, panel.card_id, "digest")
        await cards.look_after(session, GUILD, now=now + timedelta(hours=23))
    assert await draws(db) == []
    later = now + timedelta(hours=25)
    async with db.begin() as session:
        await cards.look_after(session, GUILD, now=later)
        assert (await session.get_one(Card, panel.card_id, populate_existing=True)).drawn is None
        await draw(session, later)
    async with db.begin() as session:
        await cards.note_drawn(session, panel.card_id, "digest")
        await cards.look_after(session, GUILD, now=later + timedelta(hours=1))
        assert (await session.get_one(Card, panel.card_id, populate_existing=True)).drawn == "digest"


async def test_a_card_that_is_removed_while_it_is_looked_at_does_no_harm(
    db: Database, panel: Card, now: datetime
) -> None:
    def remove(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if "FROM deliveries" in statement:  # the cards were read before
            cursor.execute("DELETE FROM cards")

    async with db.begin() as session:
        await cards.note_drawn(session, panel.card_id, "digest")
    event.listen(db.writer.sync_engine, "before_cursor_execute", remove)
    async with db.begin() as session:
        await cards.look_after(session, GUILD, now=now + timedelta(hours=25))
    assert await draws(db) == []


@pytest.mark.both_databases
async def test_a_change_while_the_card_is_drawn_draws_it_again_five_seconds_later(
    db: Database, panel: Card, now: datetime
) -> None:
    await mark(db, now)
    async with db.begin() as session:
        [claimed] = await deliveries.claim(session, now=now, owner="me", limit=5)
    await mark(db, now + SECOND)
    async with db.begin() as session:
        await deliveries.finish(session, claimed, deliveries.DONE, now=now + SECOND)
    assert [(drawing.state, drawing.next_at) for drawing in await draws(db)] == [(0, now + SECOND + SPACING)]


async def test_a_group_without_a_card_draws_none(db: Database, panel: Card, now: datetime) -> None:
    async with db.begin() as session:
        group = await make_group(session, now=now)
        await cards.mark(session, GUILD, cards.of_group(group.group_id), now=now)
    assert [drawing.subject_id for drawing in await draws(db)] == [panel.card_id], "the panel counts the groups"


@pytest.mark.both_databases
async def test_a_deleted_card_is_posted_again_once(db: Database, panel: Card, now: datetime) -> None:
    for _found_out in range(2):
        async with db.begin() as session:
            await cards.lost(session, panel, now=now)
        async with db.read() as session:
            posts = list(await session.scalars(select(Delivery).where(Delivery.kind == "card.post")))
            assert len(posts) == 1
            assert (await session.get_one(Card, panel.card_id)).message_id is None


async def test_a_card_remembers_where_it_was_posted(db: Database, panel: Card, now: datetime) -> None:
    async with db.begin() as session:
        await cards.lost(session, panel, now=now)
        [posting] = await session.scalars(select(Delivery).where(Delivery.kind == "card.post"))
        posting.message_id = 78
        await cards.posted(session, posting, now)
        assert (await session.get_one(Card, panel.card_id)).message_id == 78


async def test_a_card_that_moved_while_it_was_posted_is_taken_down_where_it_no_longer_belongs(
    db: Database, panel: Card, now: datetime
) -> None:
    async with db.begin() as session:
        await cards.lost(session, panel, now=now)
        [posting] = await session.scalars(select(Delivery).where(Delivery.kind == "card.post"))
        await cards.place(session, GUILD, cards.PANEL, PANEL + 9, now=now)
        posting.message_id = 78
        await cards.posted(session, posting, now)
        [removal] = await session.scalars(select(Delivery).where(Delivery.kind == "card.remove"))
        assert (removal.channel_id, removal.subject_id) == (PANEL, 78)
        assert (await session.get_one(Card, panel.card_id)).message_id is None


@pytest.mark.both_databases
async def test_the_card_of_a_closed_group_is_taken_down(db: Database, panel: Card, now: datetime) -> None:
    async with db.begin() as session:
        group = await make_group(session, now=now)
        await cards.place(session, GUILD, cards.of_group(group.group_id), PANEL, group_id=group.group_id, now=now)
        card = (await session.scalars(select(Card).where(Card.group_id == group.group_id))).one()
        card.message_id = 79
        await session.flush()
        await cards.take_down(session, GUILD, cards.of_group(group.group_id), now=now)
        await cards.take_down(session, GUILD, cards.of_group(group.group_id), now=now)
        [removal] = await session.scalars(select(Delivery).where(Delivery.kind == "card.remove"))
        assert removal.subject_id == 79


async def test_a_card_of_another_server_is_not_touched(db: Database, panel: Card, now: datetime) -> None:
    async with db.begin() as session:
        await make_guild(session, guild_id=OTHER_GUILD, now=now)
        gone = Card(card_id=panel.card_id, guild_id=OTHER_GUILD, message_id=panel.message_id)
        await cards.lost(session, gone, now=now)
        assert (await session.get_one(Card, panel.card_id)).message_id == panel.message_id
        foreign = Delivery(subject_id=panel.card_id, guild_id=OTHER_GUILD)
        assert await cards.find(session, foreign) is None
