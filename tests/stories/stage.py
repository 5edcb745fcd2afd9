"""The stage of stories: a made-up server with its people, and the real bot, started and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from discord.ext.tasks import SleepHandle

from cogs.groups._cog import Groups
from peerbot.bot import PeerBot
from peerbot.clock import Clock
from peerbot.config import Settings
from peerbot.database import BACKGROUND, Database, connect, transaction_open
from peerbot.deliveries import release_dead
from peerbot.models import Group
from peerbot.rehearsal import people
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.ground import Happening
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.permissions import Bit
from peerbot.rehearsal.seen import Seen, Shown
from peerbot.rehearsal.server import Discord
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

DEFAULT = 0
"""A message that somebody wrote; Discord's own lines have other types (resources/message.mdx)."""


@dataclass
class Stage:
    """A server with its people, and the bot that can be stopped and started.

    `expected_errors` are the beginnings of the lines that the story makes the bot log as errors, in order.
    `expected_mentions` are the people whom messages mention, in order: "Ana, Joe" for one that mentions both.
    `prepares` is done to each bot before it starts.
    """

    discord: Discord
    settings: Settings
    clock: Clock
    application: Application
    guild: Guild
    facilitators: Wire
    panel: Wire
    staff: Wire
    olive: Person
    ana: Person
    joe: Person
    maya: Person
    sam: Person
    lee: Person
    kim: Person
    during_transactions: list[str] = field(default_factory=list[str])
    expected_errors: list[str] = field(default_factory=list[str])
    prepares: list[Callable[[PeerBot], None]] = field(default_factory=list[Callable[[PeerBot], None]])
    expected_mentions: list[str] = field(default_factory=list[str])
    bot: PeerBot | None = None
    db: Database | None = None
    _running: asyncio.Task[None] | None = None

    @property
    def world(self) -> World:
        return self.discord.world

    @property
    def people(self) -> list[Person]:
        """Everyone who is there from the beginning."""
        return [self.olive, self.ana, self.joe, self.maya, self.sam, self.lee, self.kim]

    async def start(self) -> PeerBot:
        """Start the bot and wait until it is ready."""
        self.db = connect(self.settings)
        with suppress(Exception):  # a story may begin with the database down
            async with self.db.begin(wait=BACKGROUND) as session:
                await release_dead(session, lock=0)
        trace = aiohttp.TraceConfig()

        async def on_request(_session: object, _context: object, params: aiohttp.TraceRequestStartParams) -> None:
            if transaction_open.get():
                self.during_transactions.append(f"{params.method} {params.url.path}")

        trace.on_request_start.append(on_request)
        self.bot = PeerBot(self.settings, self.db, self.clock, owner="1", http_trace=trace, guild_ready_timeout=0.01)
        for prepare in self.prepares:
            prepare(self.bot)
        self._running = asyncio.create_task(self.bot.start(self.application.token))
        ready = asyncio.create_task(self._ready(self.bot))
        await asyncio.wait({self._running, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
        if self._running.done():
            self._running.result()
        assert ready.done()
        # Twice: on PostgreSQL one look at the deliveries sees two moments, between which one may be claimed.
        self.world.idle_checks += [self._listens, self._has_compared, *[self.bot.dispatcher.is_idle] * 2]
        return self.bot

    async def _listens(self) -> bool:
        """Say whether nothing that happened is still being dealt with."""
        return not any(task.get_name().startswith(("discord.py: on_", "CommandTree-")) for task in asyncio.all_tasks())

    async def _has_compared(self) -> bool:
        """Say whether the bot has compared the server with its database since it became ready."""
        groups = self.bot.get_cog("Groups") if self.bot is not None else None
        sleeping = groups.catch_up._handle if isinstance(groups, Groups) else None
        return isinstance(sleeping, SleepHandle) and not sleeping.done()

    async def _ready(self, bot: PeerBot) -> None:
        while bot.is_closed() or not hasattr(bot._ready, "wait"):
            await asyncio.wait({asyncio.ensure_future(self.world.until(lambda: True))})
        await bot.wait_until_ready()

    async def stop(self) -> None:
        """Stop the bot as SIGTERM does."""
        if self.bot is None or self.db is None or self._running is None:
            return
        self.world.idle_checks.clear()
        await self.bot.stop()
        await asyncio.wait({self._running}, timeout=5)
        await self.db.close()
        self.bot = self.db = self._running = None

    async def restart(self) -> None:
        """Stop the bot and start it again, with nothing kept but the database."""
        await self.stop()
        await self.start()

    async def set_up(self, **changes: object) -> Shown:
        """Have the owner answer the five questions."""
        form = await self.olive.slash("/setup")
        answers: dict[str, object] = {
            "Who facilitates? (role)": self.facilitators,
            "Where should members find groups?": self.panel,
            "Where do facilitators talk?": self.staff,
            "Time zone": "New York",
        }
        seen = await form.send(answers | changes)
        await self.world.settle()
        return seen

    async def new_group(self, name: str = "Tuesday meeting", *, by: Person | None = None, **changes: Any) -> Shown:
        """Have a facilitator create a group."""
        form = await (by or self.ana).slash("/group new")
        answers: dict[str, object] = {
            "Name": name,
            "What is it like?": "For adults whose depression has not eased with treatment. No proof needed.",
            "Topic": "Rebuilding",
            "How do you meet?": "Voice",
            "Seats": "12",
        }
        seen = await form.send(answers | changes)
        await self.world.settle()
        return seen

    async def groups_without_rooms(self, *names: str) -> None:
        """Write groups down as if their rooms had been deleted, which is much faster than creating them."""
        assert self.db is not None
        details = {"about": "", "topic": "Rest", "meets_by": "text", "capacity": 12, "state": "open"}
        async with self.db.begin() as session:
            for name in names:
                group = Group(guild_id=self.guild.id, created_at=self.clock.now(), name=name, **details)
                group.name_key = name.casefold()
                session.add(group)

    async def join(self, person: Person, name: str = "Tuesday meeting") -> Shown:
        """Have somebody find a group, agree and join; return what they see last."""
        groups = await person.slash("/groups")
        card = await person.press(groups, name)
        agreement = await person.press(card, "Join")
        if "I agree" not in agreement.labels:
            return agreement
        welcome = await person.press(agreement, "I agree")
        await self.world.settle()
        return welcome

    def room(self, name: str = "tuesday-meeting") -> Wire:
        """Return a group's channel."""
        return next(c for c in self.guild.channels.values() if c["name"] == name)

    # what is there

    def posted(self, channel: Wire) -> list[Seen]:
        """Return what stands in a channel for all who can read it."""
        return [seen for seen in self.olive.sees(channel) if not seen.ephemeral]

    def panel_card(self) -> Seen:
        """Return the one panel of the panel channel."""
        (panel,) = [seen for seen in self.posted(self.panel) if "Find a group" in seen]
        return panel

    def group_card(self, name: str = "Tuesday meeting") -> Seen:
        """Return the one card of a group in the panel channel."""
        (card,) = [seen for seen in self.posted(self.panel) if f"## {name}" in seen]
        return card

    def told(self) -> list[Seen]:
        """Return what facilitators were told in the staff channel, the oldest first; not that a thread was begun."""
        return [seen for seen in self.posted(self.staff) if seen.wire["type"] == DEFAULT]

    @property
    def bot_role(self) -> Wire:
        """The role that Discord manages for the bot."""
        mine = (role for role in self.guild.roles.values() if role.get("tags", {}).get("bot_id"))
        return next(mine)

    @contextmanager
    def requests(self) -> Generator[list[str]]:
        """Collect the requests that the bot makes meanwhile, as "PUT /channels/1/permissions/2"."""
        made: list[str] = []

        def note(happening: Happening) -> None:
            if happening.kind == "request":
                made.append(f"{happening.details['method']} {happening.details['path']}")

        stop = self.world.listen(note)
        try:
            yield made
        finally:
            stop()

    # what happens

    def newcomer(self, name: str, *roles: Wire) -> Person:
        """Let one more person join the server."""
        return people.join(self.world, self.guild, name, *roles)

    def allow(self, *bits: Bit) -> None:
        """Give the bot's role exactly these permissions."""
        self.guild.edit_role(int(self.bot_role["id"]), permissions=str(int(sum(bits))))

    def forbid_in(self, channel: Wire, bit: Bit) -> None:
        """Deny the bot one permission in a channel; with no bit, let it have all again."""
        allowed = Bit.VIEW_CHANNEL & ~bit
        self.guild.set_overwrite(int(channel["id"]), self.application.bot_id, 1, int(allowed), int(bit))

    async def later(self, **by: float) -> None:
        """Let time pass (as timedelta takes it), and wait until nothing is going on."""
        self.clock.move(timedelta(**by))
        await self.world.settle()

    async def people_of(self, name: str = "Tuesday meeting", *, by: Person | None = None) -> Shown:
        """Have a facilitator look at who is in a group."""
        return await (by or self.ana).slash("/group people", group=name)
