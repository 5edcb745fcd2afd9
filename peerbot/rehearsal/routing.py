"""Give each route one small function, and what it needs to answer.

A route is registered with Discord's own path template, which is also its name for faults, rate limits, transcripts and
the contract. Each `routes_*` module has its own `routes = Routes()`; the server tries them all. A route
function returns the body (200), None (204) or an Answer, and raises Refusal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from peerbot.rehearsal.application import Application
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.refusals import Refusal, invalid_form, missing_access, missing_permissions
from peerbot.rehearsal.wire import DM, Wire
from peerbot.rehearsal.world import World

LONGEST_REASON = 512


@dataclass(frozen=True)
class Answer:
    """A response whose status is not the usual one."""

    status: int
    body: Any = None


@dataclass(frozen=True)
class Upload:
    """One file of a multipart request."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Call:
    """One request, parsed: who asks, for what, with which body."""

    world: World
    method: str
    template: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    files: Mapping[int, Upload] = field(default_factory=dict[int, Upload])
    caller: Application | None = None
    gateway_url: str = ""
    reason: str | None = None
    sessions_left: int = 1000

    @property
    def application(self) -> Application:
        """Return the application that asks; routes without authorization must not use it."""
        if self.caller is None:
            raise Refusal(401, 0, "401: Unauthorized")
        return self.caller

    def number(self, name: str) -> int:
        """Return an id from the path; `@me` is the bot that asks."""
        value = self.path[name]
        if value == "@me":
            return self.application.bot_id
        if not value.isdecimal():
            raise Refusal(400, 50035, "Invalid Form Body", {name: not_a_snowflake(value)})
        return int(value)

    def asked(self, name: str, default: int, least: int, most: int) -> int:
        """Return a number from the query within its limits, else refuse."""
        value = self.query.get(name)
        if value is None:
            return default
        if not value.isdecimal() or not least <= int(value) <= most:
            problem = {"code": "NUMBER_TYPE_MAX", "message": f"int value should be between {least} and {most}."}
            raise Refusal(400, 50035, "Invalid Form Body", {name: {"_errors": [problem]}})
        return int(value)

    # where the request goes

    def guild(self) -> Guild:
        """Return the guild of the path; one without the bot is closed to it."""
        guild = self.world.guild_by_id(self.number("guild_id"))
        if self.application.bot_id not in guild.members:
            raise missing_access()
        return guild

    def channel(self) -> Wire:
        """Return the channel of the path if the bot can see it."""
        channel = self.world.channel(self.number("channel_id"))
        self.see(channel)
        return channel

    def see(self, channel: Wire) -> None:
        """Refuse unless the bot can see the channel."""
        guild, bot_id = self.world.guild_of(channel), self.application.bot_id
        own_dm = guild is None and self.world.dm_bots[int(channel["id"])] == bot_id
        if not own_dm and not (guild and guild.can_see(bot_id, channel)):
            raise missing_access()

    def guild_channel(self) -> tuple[Guild, Wire]:
        """Return the channel of the path, which must belong to a guild, and that guild."""
        channel = self.channel()
        if (guild := self.world.guild_of(channel)) is None:
            raise Refusal(403, 50003, "Cannot execute action on a DM channel")
        return guild, channel

    def require(self, guild: Guild, needed: int, channel: Wire | None = None) -> None:
        """Refuse unless the bot has every one of these permissions, in the guild or in the channel."""
        if guild.permissions_of(self.application.bot_id, channel) & needed != needed:
            raise missing_permissions()

    def require_in(self, channel: Wire, needed: int) -> None:
        """Refuse unless the bot has these permissions in a channel; in a DM there are none to lack."""
        if channel["type"] != DM:
            self.require(self.world.guilds[int(channel["guild_id"])], needed, channel)

    def record(self, guild: Guild, action: str, target_id: int | str) -> None:
        """Write a line into the audit log."""
        entry = {"guild_id": guild.id, "by": self.application.bot_id, "action": action, "target_id": int(target_id)}
        self.world.audit.append(entry | {"reason": self.reason})


def audit_reason(headers: Mapping[str, str]) -> str | None:
    """Return the reason of a request for the audit log (developers/resources/audit-log.mdx), if it gives one."""
    reason = unquote(headers.get("X-Audit-Log-Reason", ""))
    if len(reason) > LONGEST_REASON:
        raise invalid_form("reason", f"Must be between 1 and {LONGEST_REASON} in length.")
    return reason or None


def not_a_snowflake(value: str) -> Wire:
    """Return Discord's error for an id that is no number."""
    return {"_errors": [{"code": "NUMBER_TYPE_COERCE", "message": f'Value "{value}" is not snowflake.'}]}


RouteFunction = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """One route: method, Discord's path template below /api/v10, and the function that answers.

    `authorized` routes need a bot token; the others carry a token of their own in the path.
    """

    method: str
    template: str
    function: RouteFunction
    authorized: bool = True


class Routes:
    """The routes of one module, in the order in which they are tried."""

    def __init__(self) -> None:
        self.all: list[Route] = []

    def __call__(
        self, method: str, template: str, *, authorized: bool = True
    ) -> Callable[[RouteFunction], RouteFunction]:
        """Register the decorated function for a method and a path template."""

        def register(function: RouteFunction) -> RouteFunction:
            self.all.append(Route(method, template, function, authorized))
            return function

        return register
