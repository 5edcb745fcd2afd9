"""Messages that show how things stand: the server's panel, its board of meetings, cards of groups and of meetings.

A change marks the cards that show it; each is redrawn at most once in five seconds, an old one more seldom, and not if
it would look the same. A card that somebody deleted is posted again, a day later at most. Posting is a message (so it
is not doubled), drawing is an effect (so it may run twice).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from sqlalchemy import Executable, String, bindparam, cast, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries
from peerbot.deliveries import Priority
from peerbot.models import Card, Delivery

SPACING = timedelta(seconds=5)
OLD = timedelta(hours=1)
"""The age from which Discord takes fewer edits of a message (code 30046, opcodes-and-status-codes.mdx)."""
OLD_SPACING = timedelta(seconds=20)
"""Discord does not say how many; users of other bots counted three in twenty seconds for a whole channel."""
LOOK_AFTER = timedelta(days=1)
"""How long a card stays unseen: who deletes one is not reported without the intent to read messages."""
PANEL = "panel"
BOARD = "board"
PUBLIC = (PANEL, BOARD)
"""What everyone may see of all groups."""
DISCORD_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)


def of_group(group_id: int) -> str:
    """Return the subject of a group's card."""
    return f"group:{group_id}"


def of_meeting(meeting_id: int) -> str:
    """Return the subject of a meeting's card."""
    return f"meeting:{meeting_id}"


def of_hosts(meeting_id: int) -> str:
    """Return the subject of the card on which facilitators see who hosts a meeting."""
    return f"hosts:{meeting_id}"


def kind_of(card: Card) -> str:
    """Return what sort of thing a card shows: "panel", "board", "group", "meeting" or "hosts"."""
    return card.subject.partition(":")[0]


def shows(card: Card) -> int:
    """Return the id of the group or the meeting that a card shows."""
    return int(card.subject.partition(":")[2])


async def place(
    session: AsyncSession,
    guild_id: int,
    subject: str,
    channel_id: int,
    *,
    group_id: int | None = None,
    now: datetime,
) -> None:
    """Show a card in a channel: redraw the one that is there, or post one, taking down one in another channel.

    A card that has a `group_id` goes with its group.
    """
    card = await _find(session, guild_id, subject)
    if card is None:
        card = Card(guild_id=guild_id, subject=subject, group_id=group_id, channel_id=channel_id, posts=0)
        session.add(card)
        await session.flush()
    elif card.message_id is not None and card.channel_id == channel_id:
        card.drawn = None  # whoever asks for it shall have it, although nothing changed: it may have been deleted
        await session.flush()
        await mark(session, guild_id, subject, now=now)
        return
    elif card.message_id is not None:
        await _take_down(session, card, now)
    elif card.posts and card.channel_id == channel_id and await _is_on_its_way(session, card):
        return
    card.channel_id = channel_id
    await _post(session, card, now)


async def stands(session: AsyncSession, guild_id: int, subject: str) -> bool:
    """Return whether there is such a card, posted or on its way."""
    return await _find(session, guild_id, subject) is not None


async def channel_of(session: AsyncSession, guild_id: int, subject: str) -> int | None:
    """Return the channel in which a card stands, or to which it is on its way."""
    return await session.scalar(select(Card.channel_id).where(Card.guild_id == guild_id, Card.subject == subject))


async def take_down(session: AsyncSession, guild_id: int, subject: str, *, now: datetime) -> None:
    """Remove a card."""
    card = await _find(session, guild_id, subject)
    if card is not None:
        await _take_down(session, card, now)
        await session.delete(card)


async def mark(session: AsyncSession, guild_id: int, *subjects: str, now: datetime) -> None:
    """Have cards redrawn, as far as they are posted."""
    await mark_everywhere(session, [guild_id], *subjects, now=now)


async def mark_everywhere(session: AsyncSession, guild_ids: Sequence[int], *subjects: str, now: datetime) -> None:
    """Have cards of several servers redrawn, as far as they are posted."""
    wanted = {"guild_ids": guild_ids, "subjects": subjects}
    for card, state, ended_at in (await session.execute(_shown(), wanted)).all():
        drawn_at = now if state == deliveries.LEASED else ended_at  # it may be being drawn at this moment
        spacing = OLD_SPACING if now - posted_at(card.message_id or 0) > OLD else SPACING
        await deliveries.plan(
            session,
            "card.draw",
            str(card.card_id),
            guild_id=card.guild_id,
            now=now,
            due_at=now if drawn_at is None else max(now, drawn_at + spacing),
            priority=Priority.CARD,
            again=True,
            channel_id=card.channel_id,
            subject_id=card.card_id,
        )


@cache
def _shown() -> Executable:
    """Return the query for cards that are shown, and how each was drawn last."""
    key = cast(Card.guild_id, String) + ":card.draw:" + cast(Card.card_id, String)
    wanted = Card.subject.in_(bindparam("subjects", expanding=True))
    return (
        select(Card, Delivery.state, Delivery.ended_at)
        .outerjoin(Delivery, Delivery.dedupe_key == key)
        .where(Card.guild_id.in_(bindparam("guild_ids", expanding=True)), Card.message_id.is_not(None), wanted)
        .order_by(Card.card_id)
    )


async def look_after(session: AsyncSession, guild_id: int, *, now: datetime) -> None:
    """Have those cards of a server drawn, changed or not, that were not drawn for a day."""
    shown = select(Card).where(Card.guild_id == guild_id, Card.message_id.is_not(None)).order_by(Card.card_id)
    cards = {f"{guild_id}:card.draw:{card.card_id}": card for card in await session.scalars(shown)}
    lately = (Delivery.dedupe_key.in_(cards), Delivery.ended_at > now - LOOK_AFTER)
    drawn = set((await session.scalars(select(Delivery.dedupe_key).where(*lately))).all())
    for key, card in cards.items():
        if key not in drawn and now - posted_at(card.message_id or 0) > LOOK_AFTER:
            await note_drawn(
                session, card.card_id, None
            )  # by a statement: somebody may have removed the card meanwhile
            await mark(session, guild_id, card.subject, now=now)


async def note_drawn(session: AsyncSession, card_id: int, digest: str | None) -> None:
    """Remember what a card shows; None has it drawn, changed or not."""
    await session.execute(update(Card).where(Card.card_id == card_id).values(drawn=digest))


def posted_at(message_id: int) -> datetime:
    """Return when a message was posted, which its id tells (reference.mdx, "Snowflakes")."""
    return DISCORD_EPOCH + timedelta(milliseconds=message_id >> 22)


async def find(session: AsyncSession, delivery: Delivery) -> Card | None:
    """Return the card that a delivery is about, if it is still wanted."""
    return await session.scalar(
        select(Card).where(Card.card_id == delivery.subject_id, Card.guild_id == delivery.guild_id)
    )


async def posted(session: AsyncSession, delivery: Delivery, now: datetime) -> None:
    """Remember where a card now is, and draw it again in case something changed meanwhile.

    One that was posted although it had moved elsewhere meanwhile is taken down again.
    """
    card = await find(session, delivery)
    if card is not None and is_current(card, delivery):
        card.message_id = delivery.message_id
        await session.flush()
        await mark(session, card.guild_id, card.subject, now=now + SPACING)
    elif delivery.message_id is not None and delivery.channel_id is not None:
        await _remove(session, delivery.guild_id, delivery.channel_id, delivery.message_id, now)


def is_current(card: Card, delivery: Delivery) -> bool:
    """Return whether a delivery is the card's newest posting."""
    return delivery.dedupe_key == _post_key(card)


def _post_key(card: Card) -> str:
    return f"{card.guild_id}:card.post:{card.card_id}:{card.posts}"


async def _is_on_its_way(session: AsyncSession, card: Card) -> bool:
    state = await session.scalar(select(Delivery.state).where(Delivery.dedupe_key == _post_key(card)))
    return state in (deliveries.PENDING, deliveries.LEASED)


async def lost(session: AsyncSession, gone: Card, *, now: datetime) -> None:
    """Post a card again whose message somebody deleted, unless it stands elsewhere by now."""
    same = (Card.card_id == gone.card_id, Card.guild_id == gone.guild_id, Card.message_id == gone.message_id)
    card = await session.scalar(select(Card).where(*same).with_for_update())
    if card is not None:
        await _post(session, card, now)


async def _find(session: AsyncSession, guild_id: int, subject: str) -> Card | None:
    return await session.scalar(select(Card).where(Card.guild_id == guild_id, Card.subject == subject))


async def _post(session: AsyncSession, card: Card, now: datetime) -> None:
    card.message_id = card.drawn = None
    card.posts += 1
    await session.flush()
    await deliveries.plan(
        session,
        "card.post",
        f"{card.card_id}:{card.posts}",
        guild_id=card.guild_id,
        now=now,
        priority=Priority.CARD,
        channel_id=card.channel_id,
        subject_id=card.card_id,
    )


async def _take_down(session: AsyncSession, card: Card, now: datetime) -> None:
    if card.message_id is not None:
        await _remove(session, card.guild_id, card.channel_id, card.message_id, now)


async def _remove(session: AsyncSession, guild_id: int, channel_id: int, message_id: int, now: datetime) -> None:
    await deliveries.plan(
        session,
        "card.remove",
        str(message_id),
        guild_id=guild_id,
        now=now,
        priority=Priority.CARD,
        channel_id=channel_id,
        subject_id=message_id,
    )
