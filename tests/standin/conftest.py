"""A fresh stand-in for each test, and clients that are pointed at it.

A route that the stand-in does not have, or a body that Discord's document forbids, fails the test that met it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import discord
import pytest
import yarl
from discord import gateway as discord_gateway
from discord import http as discord_http

from peerbot.clock import Clock
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.contract import Contract, document_path
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.server import Discord, serve
from peerbot.rehearsal.world import World

USUAL = int(
    Bit.VIEW_CHANNEL
    | Bit.SEND_MESSAGES
    | Bit.READ_MESSAGE_HISTORY
    | Bit.MANAGE_CHANNELS
    | Bit.MANAGE_ROLES
    | Bit.MANAGE_THREADS
    | Bit.CREATE_PRIVATE_THREADS
    | Bit.CREATE_PUBLIC_THREADS
    | Bit.SEND_MESSAGES_IN_THREADS
    | Bit.ATTACH_FILES
    | Bit.EMBED_LINKS
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def discords_document() -> Contract | None:
    """Discord's own document, where it is at hand; test_contract says so where it is not."""
    return Contract.load() if document_path() else None


@pytest.fixture
async def standin(
    clock: Clock, discords_document: Contract | None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Discord]:
    """A stand-in with an empty world, and discord.py pointed at it."""
    world = World(clock, contract=discords_document)
    async with serve(world) as running:
        monkeypatch.setattr(discord_http.Route, "BASE", f"{running.url}/api/v10")
        monkeypatch.setattr(discord_gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(running.gateway.url))
        yield running
    assert world.unknown_routes == []
    assert world.violations == []


@pytest.fixture
def world(standin: Discord) -> World:
    return standin.world


@pytest.fixture
def guild(world: World) -> Guild:
    """A server owned by Olga."""
    return world.guild("Harbour", owner="Olga")


@pytest.fixture
def application(world: World, guild: Guild) -> Application:
    """An application whose bot is in the server with the permissions that such a bot asks for."""
    made = world.application("peerbot")
    guild.install(made, USUAL)
    return made


class Client(discord.Client):
    """A plain client that says what happened to it."""

    def __init__(self, intents: discord.Intents | None = None, **options: Any) -> None:
        options = {"max_messages": None, "guild_ready_timeout": 0.02, "chunk_guilds_at_startup": False} | options
        super().__init__(intents=intents or discord.Intents(guilds=True, members=True, messages=True), **options)
        self.happened: asyncio.Queue[tuple[str, tuple[Any, ...]]] = asyncio.Queue()

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        super().dispatch(event, *args, **kwargs)
        self.happened.put_nowait((event, args))

    async def next(self, event: str, seconds: float = 5) -> Any:
        """Wait for an event and return its argument, or all of several; what comes before it is passed over."""
        async with asyncio.timeout(seconds):
            while True:
                name, args = await self.happened.get()
                if name == event:
                    return args[0] if len(args) == 1 else args


class Connect(Protocol):
    """Log a client in, with the application's token unless told otherwise, and wait until it is ready."""

    async def __call__(self, client: discord.Client | None = None, *, token: str | None = None) -> Client: ...


@pytest.fixture
async def connect(application: Application) -> AsyncIterator[Connect]:
    """Connect clients that are closed after the test; a client of another kind comes back as it is."""
    running: list[tuple[discord.Client, asyncio.Task[None]]] = []

    async def connected(client: discord.Client | None = None, *, token: str | None = None) -> Any:
        client = client or Client()
        try:
            await client.login(token or application.token)
        except discord.LoginFailure:
            await client.close()
            raise
        task = asyncio.create_task(client.connect())
        running.append((client, task))
        ready = asyncio.create_task(client.wait_until_ready())
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        if task.done():
            ready.cancel()
            running.pop()
            await client.close()
            task.result()
        return client

    yield connected
    for client, task in running:
        await client.close()
        await asyncio.wait_for(task, 5)
