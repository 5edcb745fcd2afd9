"""A small bot for the tests to fill with commands."""

from __future__ import annotations

import discord
from discord import app_commands

from tests.standin.conftest import Client

Talk = discord.Interaction[discord.Client]


class Bot:
    """A running client with a command tree; commands are synced by the test when it has added them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.tree = app_commands.CommandTree(client)
