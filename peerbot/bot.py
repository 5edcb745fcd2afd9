"""The Discord client: what it subscribes to, what it loads, how it starts and stops.

It asks for the least that the product needs (never message content, no member cache), pings nobody unless a message
says whom, and keeps no messages. What it does lives in the cogs, which are loaded by name.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import aiohttp
import discord
import discord.gateway
import discord.http
import yarl
from discord import app_commands
from discord.ext import commands

from peerbot.budget import SendBudget, require_in_time
from peerbot.clock import Clock
from peerbot.config import Settings
from peerbot.database import Database
from peerbot.dispatcher import Courier, Dispatcher, Outbox
from peerbot.errors import DatabaseBusy, OutcomeUnknown
from peerbot.models import Card, Guild
from peerbot.processes import Presence, Standing
from peerbot.roll import Roll

log = logging.getLogger(__name__)

# peerbot never speaks; the library would warn at each start that it cannot.
discord.VoiceClient.warn_nacl = False
discord.VoiceClient.warn_dave = False

FEATURES = (
    "cogs._interactions",
    "cogs._outbox",
    "cogs._cards",
    "cogs._reach",
    "cogs.safety",
    "cogs.setup",
    "cogs.groups",
    "cogs.desk",
    "cogs.meetings",
)
FEW = 25
"""About so many people Discord is asked one by one while the gateway takes no more questions, for which it may take a
minute; that many requests begin within half a second."""
NOT_THERE = frozenset({10007, 10013})
"""Not a member, no such user (topics/opcodes-and-status-codes.mdx)."""
IDENTIFY_WAIT = 5.0
"""Seconds between two identifies of one rate-limit bucket (events/gateway.mdx, "Max concurrency")."""


def intents() -> discord.Intents:
    """Return the least that peerbot needs; GUILD_MEMBERS is the one privileged intent."""
    wanted = discord.Intents.none()
    wanted.guilds = True
    wanted.members = True
    wanted.voice_states = True
    wanted.guild_scheduled_events = True
    wanted.auto_moderation_execution = True
    return wanted


Drawing = Callable[[Card, Guild], Awaitable[discord.ui.LayoutView]]
"""How a card looks now; each feature says it of its own, by the card's kind."""
LONGEST_WAIT = 30.0
"""Seconds that the library may wait out a rate limit; longer ones go back to the outbox, before their lease ends."""


RAW = "socket_raw_receive"
"""What the library calls each message of the gateway, before it reads it."""
OF_PEOPLE = "GUILD_MEMBER_"
CHANGES = frozenset({f"{OF_PEOPLE}ADD", f"{OF_PEOPLE}UPDATE", f"{OF_PEOPLE}REMOVE"})
"""What Discord calls it when somebody came, was changed or left (events/gateway-events.mdx, "Guilds")."""
UNCOUNTED = ("/api/v10/interactions/", "/api/v10/webhooks/")
"""Answers to interactions, which Discord does not count (topics/rate-limits.mdx) and nobody shall wait for."""


class Tree(app_commands.CommandTree["PeerBot"]):
    """Commands that are answered by one process of several."""

    async def interaction_check(self, interaction: discord.Interaction[PeerBot]) -> bool:
        return await interaction.client.presence.may_answer()


class PeerBot(commands.AutoShardedBot):
    """The bot of one process."""

    courier: Courier

    def __init__(
        self,
        settings: Settings,
        db: Database,
        clock: Clock,
        *,
        owner: str,
        http_trace: aiohttp.TraceConfig | None = None,
        guild_ready_timeout: float = 2.0,
    ) -> None:
        point_at(settings.discord_url)
        trace = http_trace or aiohttp.TraceConfig()
        trace.on_request_start.append(self._begin_request)
        trace.on_request_chunk_sent.append(self._begin_to_write)
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=intents(),
            allowed_mentions=discord.AllowedMentions.none(),
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags(voice=True, joined=False),
            max_messages=None,
            max_ratelimit_timeout=LONGEST_WAIT,
            guild_ready_timeout=guild_ready_timeout,
            allowed_installs=app_commands.AppInstallationType(guild=True),
            tree_cls=Tree,
            http_trace=trace,
            enable_debug_events=True,  # for RAW
        )
        self.settings = settings
        self.db = db
        self.clock = clock
        self.outbox = Outbox()
        self.help_countries: dict[int, str] = {}
        self.drawings: dict[str, Drawing] = {}
        self.budget = SendBudget()
        self.dispatcher = Dispatcher(db, clock, self.outbox, owner=owner)
        self.roll = Roll[discord.Member](clock, self._ask_who_is_there)
        self.presence = Presence(db, owner, self._in_touch)
        self.presence.changed = self._stands
        self._following: asyncio.Task[None] | None = None
        self._identifies_at_once = 1
        self._last_bucket = 0

    async def setup_hook(self) -> None:
        """Load the features, tell Discord of commands that changed, and begin to deliver."""
        for name in FEATURES:
            # Not load_extension: it runs a module anew for each bot, and what modules register would exist twice.
            await import_module(name).setup(self)
        await sync_commands(self)
        try:
            await self.presence.say_alive()
        except (DatabaseBusy, OutcomeUnknown):
            log.warning("The database does not answer yet.")
        self.presence.start()
        self.dispatcher.start(self.courier)
        if self.settings.clock_offset_file is not None:
            self._following = asyncio.create_task(self.clock.follow(), name="clock")

    async def _begin_request(self, _session: object, _context: object, params: aiohttp.TraceRequestStartParams) -> None:
        if not params.url.path.startswith(UNCOUNTED):
            await self.budget.take()
            require_in_time()

    async def _begin_to_write(self, *_: object) -> None:
        require_in_time()  # the last moment: the connection may have taken long, or the process was frozen

    def _in_touch(self) -> bool:
        return any(not shard.is_closed() for shard in self.shards.values())

    def _stands(self, standing: Standing) -> None:
        self.budget.share_with(standing.living)
        if standing.leads and self.is_ready():
            self.dispatch("lead")  # what others saw and this one passed over is looked at anew

    async def on_guild_available(self, _guild: discord.Guild) -> None:
        """Deliver at once what waited for a server to be in sight; after a start that is what a kill left open."""
        self.dispatcher.wake()

    async def _ask_who_is_there(self, guild_id: int, user_ids: list[int]) -> dict[int, discord.Member]:
        server = self.get_guild(guild_id)
        if server is None:
            raise TimeoutError("server not in sight")
        shard = self.get_shard(server.shard_id)
        if shard is not None and shard.is_ws_ratelimited() and len(user_ids) <= FEW:
            found = await asyncio.gather(*(self._ask_about(server, user_id) for user_id in user_ids))
            return {member.id: member for member in found if member is not None}
        there = await server.query_members(user_ids=user_ids, limit=len(user_ids), cache=False)
        return {member.id: member for member in there}

    async def _ask_about(self, server: discord.Guild, user_id: int) -> discord.Member | None:
        """Return a person if they are in a server, asked without the gateway.

        Raises TimeoutError when Discord does not say.
        """
        try:
            return await server.fetch_member(user_id)
        except (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError) as problem:
            if isinstance(problem, discord.NotFound) and problem.code in NOT_THERE:
                return None
            raise TimeoutError("Discord does not say who is there") from problem

    def dispatch(self, event_name: str, /, *args: Any, **named: Any) -> None:
        """Tell listeners of an event; what Discord sent itself is looked at here and now.

        As an event for listeners, each message would wait in a task of its own, all that arrive at a start together.
        """
        if event_name != RAW:
            super().dispatch(event_name, *args, **named)
            return
        try:
            self._look_for_changes(*args)
        except Exception:  # it must not end the connection
            log.exception("What Discord sent of a person was not understood.")

    def _look_for_changes(self, message: str) -> None:
        """Forget what is known of a person who came, was changed or left.

        From what Discord sends itself: the library passes changes on only of members whom it keeps, those in voice.
        """
        if OF_PEOPLE not in message:
            return
        event: dict[str, Any] = json.loads(message)
        if event["t"] in CHANGES:
            self.roll.has_changed(int(event["d"]["guild_id"]), int(event["d"]["user"]["id"]))

    async def on_shard_connect(self, shard_id: int) -> None:
        """Trust nothing that was known before a new session; one that is resumed has missed nothing."""
        self.roll.begin_anew({guild.id for guild in self.guilds if guild.shard_id == shard_id})

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait as long as Discord asks between identifies, and not longer."""
        if initial:
            if (self.shard_count or 1) > 1:
                self._identifies_at_once = (await self.fetch_session_start_limits()).max_concurrency
            return
        bucket = (shard_id or 0) // max(self._identifies_at_once, 1)
        if bucket != self._last_bucket:
            self._last_bucket = bucket
            await asyncio.sleep(IDENTIFY_WAIT)  # noqa: TID251 - the pause that Discord asks for

    async def stop(self) -> None:
        """Finish what is in flight and leave Discord."""
        await self.leave_work()
        await self.close()

    async def leave_work(self) -> None:
        """Finish what is in flight, and leave the rest and the answering to others."""
        if self._following is not None:
            self._following.cancel()
        await asyncio.gather(self.dispatcher.stop(), self.presence.stop())


def point_at(discord_url: str | None) -> None:
    """Send this process's Discord traffic to a stand-in; without an address, nothing is changed."""
    if discord_url is None:
        return
    discord.http.Route.BASE = f"{discord_url}/api/v10"
    gateway = yarl.URL(discord_url).with_scheme("ws") / "gateway/"
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway


async def sync_commands(bot: PeerBot) -> bool:
    """Tell Discord about the commands when they differ from what it has; return whether they did."""
    assert bot.application_id is not None, "login gives the application's id"  # noqa: S101
    ours = [command.to_dict(bot.tree) for command in bot.tree.get_commands()]
    theirs: list[Any] = await bot.http.get_global_commands(bot.application_id)
    by_name = {(command["name"], command.get("type", 1)): command for command in theirs}
    same = len(theirs) == len(ours) and all(
        _says_the_same(command, by_name.get((command["name"], command.get("type", 1)))) for command in ours
    )
    if not same:
        await bot.tree.sync()
        log.info("Told Discord about %d commands.", len(ours))
    return not same


def _says_the_same(ours: Any, theirs: Any) -> bool:
    """Compare what we would send with what Discord has, which leaves out empty values and adds its own fields."""
    if isinstance(ours, dict):
        fields: dict[str, Any] = ours
        return isinstance(theirs, dict) and all(
            _says_the_same(value, theirs[name]) if name in theirs else not value for name, value in fields.items()
        )
    if isinstance(ours, list):
        entries: list[Any] = ours
        if not isinstance(theirs, list):
            return not entries
        return len(entries) == len(theirs) and all(map(_says_the_same, entries, theirs))
    return ours == theirs or str(ours) == str(theirs)
