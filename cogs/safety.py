"""Help now: one command that answers everyone, in servers and in direct messages."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs._help import codes_of, give, help_card, today_of, unsure_card
from cogs._interactions import Answer, Filled, answering, submits
from peerbot import countries
from peerbot.bot import PeerBot
from peerbot.text import clean


class Safety(commands.Cog):
    """The command for a person who needs help at this moment."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    @app_commands.command(name="help-now", description="Help lines you can reach right now. Only you see the answer.")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def help_now(self, interaction: discord.Interaction[Any]) -> None:
        """Show the help card, for the countries of the server when they are known."""
        async with answering(interaction, defers=False) as answer:
            chosen = self.bot.help_countries.get(interaction.guild_id or 0, "")
            await give(answer, help_card(codes_of(chosen), answer.reader, today_of(answer)), fresh=True)


@submits("safety:country")
async def choose_country(answer: Answer, _state: str, filled: Filled) -> None:
    """Turn the card to the country that was typed, or ask which of the close ones it is."""
    typed = clean(filled.text("country"))
    found = countries.find(typed)
    if found.code is None:
        await give(answer, unsure_card(typed, found.close, answer.reader))
    else:
        await give(answer, help_card([found.code], answer.reader, today_of(answer)))


async def setup(bot: PeerBot) -> None:
    """Add the command."""
    countries.find("")  # learns the names now, so that nobody waits for it later
    await bot.add_cog(Safety(bot))
