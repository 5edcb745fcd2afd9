"""The floor: a bot that does nothing but answer a command and a button, with the intents and caches of peerbot."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import discord
import discord.gateway
import discord.http
import yarl
from discord import app_commands, ui
from discord.ext import commands

if TYPE_CHECKING:
    from benchmarks.child import Control

TEXTS, BUTTONS = 8, 6
AT_ONCE = 32
"""Messages under way at once, like deliveries."""


def card() -> ui.LayoutView:
    """Return a card of about the size of a list of groups."""
    view = ui.LayoutView(timeout=None)
    box = ui.Container[Any]()
    for number in range(TEXTS):
        box.add_item(ui.TextDisplay[Any](f"**Group {number}**\nRest, voice, 3 seats free"))
    row = ui.ActionRow[Any]()
    row.add_item(ui.Button(custom_id="bare:press", label="Press"))
    box.add_item(row)
    view.add_item(box)
    view.stop()
    return view


class BareBot(commands.AutoShardedBot):
    """One command, one button, no database."""

    def __init__(self, control: Control) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=_intents(),
            allowed_mentions=discord.AllowedMentions.none(),
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags(voice=True, joined=False),
            max_messages=None,
        )
        self._control = control
        control.questions["send"] = self._send

    async def setup_hook(self) -> None:
        """Tell Discord of the command."""

        @app_commands.command(name="groups", description="Find a group")
        @app_commands.guild_only()
        async def groups(interaction: discord.Interaction[Any]) -> None:
            await interaction.response.send_message(view=card(), ephemeral=True)

        self.tree.add_command(groups)
        await self.tree.sync()

    async def on_ready(self) -> None:
        """Note that all servers are there."""
        self._control.is_ready()

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Answer the button in the card that was pressed."""
        if interaction.type is discord.InteractionType.component:
            await interaction.response.edit_message(view=card())

    async def _send(self, channel_ids: list[int]) -> float:
        """Send a message to each channel, some at once; return the seconds that it took."""
        places = asyncio.Semaphore(AT_ONCE)

        async def send(number: int, channel_id: int) -> None:
            async with places:
                view = ui.View(timeout=None)
                view.add_item(ui.Button(custom_id="bare:note", label="Help now"))
                view.stop()
                channel = self.get_partial_messageable(channel_id)
                await channel.send(f"Note {number}.", view=view, nonce=f"bare{number}-{time.monotonic_ns() % 10**9}")

        begun = time.monotonic()
        await asyncio.gather(*(send(number, channel_id) for number, channel_id in enumerate(channel_ids)))
        return time.monotonic() - begun


def _intents() -> discord.Intents:
    wanted = discord.Intents.none()
    wanted.guilds = wanted.members = wanted.voice_states = True
    wanted.guild_scheduled_events = wanted.auto_moderation_execution = True
    return wanted


async def run(control: Control) -> None:
    """Run the bot until SIGTERM."""
    url = os.environ["PEERBOT_DISCORD_URL"]
    discord.http.Route.BASE = f"{url}/api/v10"
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url).with_scheme("ws") / "gateway/"
    bot = BareBot(control)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    running = asyncio.create_task(bot.start(os.environ["PEERBOT_DISCORD_TOKEN"]))
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    await bot.close()
    await asyncio.gather(running, return_exceptions=True)
