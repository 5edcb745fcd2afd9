"""Bots that know nothing of this project: the stand-in is a Discord, not a mirror of one bot."""

from __future__ import annotations

import asyncio
import logging

import discord
import hikari
import pytest
from discord import app_commands

from peerbot.rehearsal import people
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.world import World
from tests.standin.conftest import Connect


def a_plain_bot() -> discord.Client:
    """Make a bot as the library's own examples do."""
    bot = discord.Client(intents=discord.Intents(guilds=True))
    tree = app_commands.CommandTree(bot)

    class Greeting(discord.ui.View):
        @discord.ui.button(label="Wave back", style=discord.ButtonStyle.primary)
        async def wave(self, interaction: discord.Interaction, button: discord.ui.Button[Greeting]) -> None:
            button.disabled = True
            await interaction.response.edit_message(content="You waved", view=self)

    @tree.command(description="Be greeted")
    async def greet(interaction: discord.Interaction, name: str) -> None:
        await interaction.response.send_message(f"Hello {name}", view=Greeting())

    @bot.event
    async def setup_hook() -> None:
        await tree.sync()

    return bot


async def test_a_bot_of_twenty_lines_answers_a_command_and_a_button(
    connect: Connect, world: World, guild: Guild
) -> None:
    await connect(a_plain_bot())
    maya = people.join(world, guild, "Maya")

    card = await maya.slash("/greet", name="Maya")
    after = await maya.press(card, "Wave back")

    assert "Hello Maya" in card
    assert "You waved" in after
    assert after.disabled == ["Wave back"]


def a_hikari_bot(application: Application, url: str) -> hikari.GatewayBot:
    """Make a bot with another library, which needs no more than another address."""
    bot = hikari.GatewayBot(
        application.token,
        intents=hikari.Intents.GUILDS,
        banner=None,
        logs=None,
        rest_url=f"{url}/api/v10",
    )

    @bot.listen()
    async def on_start(event: hikari.StartedEvent) -> None:
        me = await bot.rest.fetch_application()
        await bot.rest.create_slash_command(me, "greet", "Be greeted")

    @bot.listen()
    async def on_interaction(event: hikari.InteractionCreateEvent) -> None:
        interaction = event.interaction
        if isinstance(interaction, hikari.CommandInteraction):
            row = bot.rest.build_message_action_row()
            row.add_interactive_button(hikari.ButtonStyle.PRIMARY, "wave", label="Wave back")
            kind = hikari.ResponseType.MESSAGE_CREATE
            await interaction.create_initial_response(kind, "Hello", component=row)
        elif isinstance(interaction, hikari.ComponentInteraction):
            kind = hikari.ResponseType.MESSAGE_UPDATE
            await interaction.create_initial_response(kind, "You waved", components=[])

    return bot


async def test_a_bot_made_with_hikari_answers_a_command_and_a_button(
    standin: Discord,
    world: World,
    guild: Guild,
    application: Application,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bot = a_hikari_bot(application, standin.url)
    maya = people.join(world, guild, "Maya")
    await asyncio.wait_for(bot.start(check_for_updates=False), 10)
    try:
        await world.until(lambda: application.commands)
        card = await maya.slash("/greet")
        after = await maya.press(card, "Wave back")
    finally:
        await bot.close()

    assert "Hello" in card
    assert (after.text, after.labels) == ("You waved", [])
    # The library only logs what it cannot read.
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []
