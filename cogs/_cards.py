"""Draw cards that stand in channels: post one, redraw it when it would look different, post it again when it is gone.

What a card shows is said by the feature that it belongs to, in `bot.drawings`.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import discord

from cogs._outbox import Post
from peerbot import board, cards
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.dispatcher import NotNeeded, Outcome, Sent
from peerbot.models import Card, Delivery

CHANNEL_UNKNOWN, MESSAGE_UNKNOWN = 10003, 10008


class Cards:
    """The deliveries of cards."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    async def _drawing(self, delivery: Delivery) -> tuple[Card | None, discord.ui.LayoutView | None]:
        async with self.bot.db.read(wait=BACKGROUND) as session:
            card = await cards.find(session, delivery)
            guild = await settings_of.find(session, delivery.guild_id)
            if card is None or guild is None:
                return None, None
        return card, await self.bot.drawings[cards.kind_of(card)](card, guild)

    async def render_card(self, delivery: Delivery) -> Post | None:
        """Return a card to be posted."""
        card, view = await self._drawing(delivery)
        if card is None or view is None or card.message_id is not None or not cards.is_current(card, delivery):
            return None
        await self._note(card, view)
        return Post(card=view)

    async def draw(self, delivery: Delivery) -> Outcome:
        """Redraw a card; post it again when its message is gone."""
        card, view = await self._drawing(delivery)
        if card is None or view is None or card.message_id is None or card.drawn == _digest(view):
            return NotNeeded()
        channel = self.bot.get_partial_messageable(card.channel_id, guild_id=card.guild_id)
        view.stop()
        try:
            await channel.get_partial_message(card.message_id).edit(view=view)
        except discord.NotFound as problem:
            if problem.code == CHANNEL_UNKNOWN and cards.kind_of(card) == "hosts":
                async with self.bot.db.begin(wait=BACKGROUND) as session:  # the task thread was deleted meanwhile
                    await board.thread_deleted(session, card.guild_id, card.channel_id, now=self.bot.clock.now())
                return Sent()
            if problem.code != MESSAGE_UNKNOWN:
                raise
            async with self.bot.db.begin(wait=BACKGROUND) as session:
                await cards.lost(session, card, now=self.bot.clock.now())
        else:
            await self._note(card, view)
        return Sent()

    async def _note(self, card: Card, view: discord.ui.LayoutView) -> None:
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await cards.note_drawn(session, card.card_id, _digest(view))

    async def remove(self, delivery: Delivery) -> Outcome:
        """Delete a card of ours that moved elsewhere."""
        if delivery.channel_id is None or delivery.subject_id is None:
            return NotNeeded()
        channel = self.bot.get_partial_messageable(delivery.channel_id, guild_id=delivery.guild_id)
        try:
            await channel.get_partial_message(delivery.subject_id).delete()
        except (discord.NotFound, discord.Forbidden):
            return NotNeeded()  # it is gone, or in a channel that is no longer ours to change
        return Sent()


def _digest(view: discord.ui.LayoutView) -> str:
    """Return a short sign of what a card shows; its marker is no part of that."""
    shown = json.dumps([_plain(part) for part in view.to_components()], sort_keys=True)
    return sha256(shown.encode()).hexdigest()[:16]


def _plain(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _plain(value) for name, value in part.items() if name != "id"}
    return [_plain(each) for each in part] if isinstance(part, list) else part


async def setup(bot: PeerBot) -> None:
    """Register the deliveries of cards."""
    drawing = Cards(bot)
    bot.outbox.message("card.post", drawing.render_card, after=cards.posted)
    bot.outbox.effect("card.draw", drawing.draw)
    bot.outbox.effect("card.remove", drawing.remove)
