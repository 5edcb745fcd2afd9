"""Looking at every server's series when peerbot starts, whatever became of the look of each day."""

from __future__ import annotations

import logging

import discord
from discord.ext import commands

from peerbot import series
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.errors import DatabaseBusy, OutcomeUnknown

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Servers of one transaction."""


class Looking(commands.Cog):
    """Has meetings made that came near while peerbot was away, and times worked out by the newest rules of zones."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Look at the servers that are here."""
        await self._look([server.id for server in self.bot.guilds])

    @commands.Cog.listener()
    async def on_lead(self) -> None:
        """Look at what another process did not see to."""
        await self.on_ready()

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Look at a server that peerbot comes back to."""
        await self._look([guild.id])

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Let meetings whose channel was deleted be in their groups' rooms."""
        if not self.bot.presence.leads:
            return
        try:
            await self._place_gone(channel.guild.id, channel.id)
        except (DatabaseBusy, OutcomeUnknown):
            log.warning("Meetings in a channel that was deleted still name it; the next start sees to it.")

    async def _place_gone(self, guild_id: int, channel_id: int) -> None:
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await series.place_gone(session, guild_id, channel_id, now=self.bot.clock.now())

    async def _look(self, guild_ids: list[int]) -> None:
        if not self.bot.presence.leads:
            return
        try:
            for first in range(0, len(guild_ids), AT_ONCE):
                async with self.bot.db.begin(wait=BACKGROUND) as session:
                    some = guild_ids[first : first + AT_ONCE]
                    await series.look_everywhere(session, some, now=self.bot.clock.now())
                    named = await series.places(session, some)
                for guild_id, channel_id in named:
                    server = self.bot.get_guild(guild_id)
                    if server is not None and not server.unavailable and server.get_channel(channel_id) is None:
                        await self._place_gone(guild_id, channel_id)  # it was deleted while nobody looked
        except (DatabaseBusy, OutcomeUnknown):
            log.warning("Meetings could not be looked at; it is done at the next start, and once a day.")
