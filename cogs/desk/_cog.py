"""The command of the desk, and threads that somebody deletes."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs._interactions import answering
from cogs.desk import _handlers as handlers
from peerbot import board
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND


class Desk(commands.Cog):
    """The facilitators' desk."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    @app_commands.command(name="desk", description="What waits for you, off duty, practise (only you see it)")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_events=True)
    async def desk(self, interaction: discord.Interaction[Any]) -> None:
        """Show what waits for the person."""
        async with answering(interaction) as answer:
            await handlers.show_desk(answer)

    @commands.Cog.listener()
    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """Note that a thread of ours was deleted by hand."""
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await board.thread_deleted(session, payload.guild_id, payload.thread_id, now=self.bot.clock.now())
