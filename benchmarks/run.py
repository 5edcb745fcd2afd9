"""What every benchmark is given: where to work, which databases there are, how big to be, where to say what it does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bots import Bot, running
from benchmarks.databases import Databases
from benchmarks.tables import Table
from benchmarks.town import Town
from peerbot import schema
from peerbot.clock import Clock
from peerbot.rehearsal.server import Discord, serve
from peerbot.rehearsal.world import World


@dataclass(frozen=True)
class Run:
    """One run of the benchmarks; a quick one only shows that all of them work."""

    folder: Path
    databases: Databases
    quick: bool
    say: Callable[[str], None]

    def size(self, full: int, quick: int) -> int:
        """Return how many of something this run takes."""
        return quick if self.quick else full

    @asynccontextmanager
    async def town(
        self, *, servers: int, groups: int, seated: int, clock: Clock | None = None
    ) -> AsyncGenerator[tuple[Discord, Town]]:
        """Serve a town in this process, by another clock if there is one."""
        self.say(f"building {servers} servers of {groups} groups of {seated}")
        async with serve(World(clock=clock or Clock())) as discord:
            yield discord, Town.build(discord.world, servers=servers, groups=groups, seated=seated)

    async def seeded(self, town: Town, engine: str) -> str:
        """Return the address of a new database that agrees with the town."""
        url = self.databases.fresh(engine)
        settings = self.databases.settings(url)
        schema.bring_up(settings.url)
        await town.seed(settings, town.world.clock.now())
        return url

    @asynccontextmanager
    async def peerbot(
        self, discord: Discord, town: Town, database_url: str, *, unlimited: bool = False, **more: str
    ) -> AsyncGenerator[Bot]:
        """Run peerbot on a database, with more settings if there are any."""
        settings = {"database_url": database_url, "data_key": self.databases.key, "log_level": "WARNING", **more}
        async with running(
            "peerbot", discord.url, town.peerbot.token, self.folder, unlimited=unlimited, **settings
        ) as bot:
            yield bot

    @asynccontextmanager
    async def bare(self, discord: Discord, town: Town) -> AsyncGenerator[Bot]:
        """Run the bare bot."""
        async with running("bare", discord.url, town.bare.token, self.folder) as bot:
            yield bot


Benchmark = Callable[[Run], Awaitable[list[Table]]]
