"""What stands in channels about meetings: their cards and the board. What they say is read when they are drawn."""

from __future__ import annotations

import discord

from cogs.meetings import _cards as drawn
from peerbot import cards, notices
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.models import Card, Guild
from peerbot.text import Reader


class MeetingPosts:
    """The cards of meetings."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    def register(self) -> None:
        """Say how each card looks."""
        self.bot.drawings["meeting"] = self.draw_meeting
        self.bot.drawings["board"] = self.draw_board

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
