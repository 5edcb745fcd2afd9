"""What stands in channels about meetings: their cards and the board. What they say is read when they are drawn."""

from __future__ import annotations

from contextlib import suppress

import discord

from cogs.meetings import _cards as drawn
from cogs.meetings import _letters as letters
from peerbot import cards, notices, reminders
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.dispatcher import NotNeeded, Outcome, Sent
from peerbot.models import Card, Delivery, Guild
from peerbot.text import Reader


class MeetingPosts:
    """The cards of meetings."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    def register(self) -> None:
        """Say how each card looks."""
        self.bot.drawings["meeting"] = self.draw_meeting
        self.bot.drawings["board"] = self.draw_board
        self.bot.outbox.effect(notices.START_DRAW, self.draw_start)

    async def draw_meeting(self, card: Card, guild: Guild) -> discord.ui.LayoutView:
        """Return the card of a meeting, for its group."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            now = self.bot.clock.now()
            notice = await notices.notice(session, guild.guild_id, cards.shows(card), now=now)
        return drawn.meeting_card(notice, guild, Reader(guild.locale, guild.time_zone))

    async def draw_board(self, _card: Card, guild: Guild) -> discord.ui.LayoutView:
        """Return the board, for everyone."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            lines = await notices.board(session, guild.guild_id, now=self.bot.clock.now())
        return drawn.board_card(lines, guild, Reader(guild.locale, guild.time_zone))

    async def draw_start(self, delivery: Delivery) -> Outcome:
        """Let the post that a meeting has begun lead there, as long as it goes on."""
        now = self.bot.clock.now()
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            sent = await notices.starts(session, delivery.guild_id, delivery.subject_id or 0)
            standing = [await reminders.starting(session, each) for each in sent]
        if guild is None:
            return NotNeeded()
        reader = Reader(guild.locale, guild.time_zone)
        for row, meeting in zip(sent, standing, strict=True):
            is_on = meeting is not None and now < meeting.ends_at
            view = discord.ui.View(timeout=None)
            for button in letters.start_buttons(meeting if is_on else None, guild, reader, now):
                view.add_item(button)
            view.stop()
            channel = self.bot.get_partial_messageable(row.channel_id or 0, guild_id=row.guild_id)
            with suppress(discord.NotFound):  # somebody deleted it
                await channel.get_partial_message(row.message_id or 0).edit(view=view)
        return Sent()
