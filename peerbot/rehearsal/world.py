"""Keep everything that exists: people, servers, channels, messages, applications.

State is held in Discord's wire form, so that what REST answers is what is stored. Methods named for what a person does
are the way that things are changed by hand; each tells the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from peerbot.rehearsal import permissions, wire
from peerbot.rehearsal.application import MEMBERS_INTENT, Application, new_token
from peerbot.rehearsal.ground import Ground
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.interactions import Interactions
from peerbot.rehearsal.refusals import unknown
from peerbot.rehearsal.wire import Wire


@dataclass
class World(Ground):
    """A small Discord.

    `pings` lists who was notified: (message id, user id). `violations` and `unknown_routes` must be empty at the end
    of a test. `contract`, if set, checks every request and response against Discord's own document.
    `old_edits_until_too_many` is how many edits of messages older than an hour Discord takes (None: all), and
    `dms_until_too_fast` is how many new direct channels are opened before Discord finds it too fast (None: never).
    """

    users: dict[int, Wire] = field(default_factory=dict[int, Wire])
    guilds: dict[int, Guild] = field(default_factory=dict[int, Guild])
    dms: dict[int, Wire] = field(default_factory=dict[int, Wire])
    dm_bots: dict[int, int] = field(default_factory=dict[int, int])
    messages: dict[int, dict[int, Wire]] = field(default_factory=dict[int, dict[int, Wire]])
    applications: dict[int, Application] = field(default_factory=dict[int, Application])
    pings: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    audit: list[Wire] = field(default_factory=list[Wire])
    files: dict[int, bytes] = field(default_factory=dict[int, bytes])
    nonces: dict[tuple[int, str], tuple[int, int, datetime]] = field(
        default_factory=dict[tuple[int, str], tuple[int, int, datetime]]
    )
    dms_until_too_fast: int | None = None
    old_edits_until_too_many: int | None = None
    violations: list[str] = field(default_factory=list[str])
    unknown_routes: list[str] = field(default_factory=list[str])
    contract: Any = None
    interactions: Interactions = field(init=False)

    def __post_init__(self) -> None:
        """Give the world its interactions, and let time do its work."""
        self.interactions = Interactions(self)
        self.clock.watch(self._time_has_passed)

    def _time_has_passed(self) -> None:
        for guild in self.guilds.values():
            guild.archive_quiet_threads()

    def person(self, name: str) -> Wire:
        """Make a user; a name used before makes another user with the same display name."""
        user = wire.user(self.new_id(), name)
        self.users[int(user["id"])] = user
        return user

    def guild(self, name: str, *, owner: str) -> Guild:
        """Make a server with its owner, @everyone and a #general text channel."""
        user = self.person(owner)
        guild_id = self.new_id()
        guild = Guild(self, guild_id, wire.guild(guild_id, name, int(user["id"])))
        guild.roles[guild_id] = wire.role(guild_id, "@everyone", permissions.EVERYONE_AT_FIRST, 0)
        self.guilds[guild_id] = guild
        guild.add_member(user)
        guild.add_channel("general")
        return guild

    def application(self, name: str, *, owner: str = "Developer", privileged: int = MEMBERS_INTENT) -> Application:
        """Register an application with a bot; `privileged` are the intent bits switched on in its portal."""
        application_id = self.new_id()
        # A bot made today has the id of its application.
        bot = wire.user(application_id, name, bot=True)
        self.users[application_id] = bot
        token = new_token(application_id)
        application = Application(application_id, name, bot, self.person(owner), token, privileged)
        self.applications[application_id] = application
        return application

    # finding

    def find_channel(self, channel_id: int) -> Wire | None:
        """Return a channel, thread or DM, if there is one with this id."""
        if channel_id in self.dms:
            return self.dms[channel_id]
        for guild in self.guilds.values():
            found = guild.channels.get(channel_id) or guild.threads.get(channel_id)
            if found is not None:
                return found
        return None

    def channel(self, channel_id: int) -> Wire:
        """Return a channel, thread or DM, or refuse with 10003."""
        if (found := self.find_channel(channel_id)) is None:
            raise unknown("Channel")
        return found

    def guild_by_id(self, guild_id: int) -> Guild:
        """Return a guild, or refuse with 10004."""
        if (found := self.guilds.get(guild_id)) is None:
            raise unknown("Guild")
        return found

    def guild_of(self, channel: Wire) -> Guild | None:
        """Return the guild of a channel; None for a DM."""
        return self.guilds[int(channel["guild_id"])] if "guild_id" in channel else None

    def message(self, channel_id: int, message_id: int) -> Wire:
        """Return a message, or refuse with 10008."""
        if (found := self.messages.get(channel_id, {}).get(message_id)) is None:
            raise unknown("Message")
        return found

    def bot_by_token(self, token: str) -> Application | None:
        """Return the application whose bot has this token."""
        return next((one for one in self.applications.values() if one.token == token), None)

    # direct messages

    def has_dm(self, application: Application, user_id: int) -> bool:
        """Say whether a bot and a person have a direct channel."""
        return self._dm(application, user_id) is not None

    def dm(self, application: Application, user_id: int) -> Wire:
        """Return the direct channel of a bot and a person, made at the first call."""
        if (found := self._dm(application, user_id)) is not None:
            return found
        channel = wire.dm(self.new_id(), self.users[user_id])
        self.dms[int(channel["id"])] = channel
        self.dm_bots[int(channel["id"])] = application.bot_id
        return channel

    def _dm(self, application: Application, user_id: int) -> Wire | None:
        for channel_id, channel in self.dms.items():
            if self.dm_bots[channel_id] == application.bot_id and channel["recipients"][0]["id"] == str(user_id):
                return channel
        return None

    def close_dms(self, user_id: int) -> None:
        """Let a person refuse direct messages from every bot."""
        for application in self.applications.values():
            application.dms_closed_by.add(user_id)

    def open_dms(self, user_id: int) -> None:
        """Let a person take direct messages again."""
        for application in self.applications.values():
            application.dms_closed_by.discard(user_id)
