"""Keep a gateway session: what it takes, what it has been sent, how far its client has read.

A session outlives its connection, so that a client can resume it; only an end by the client (close code 1000 or 1001)
or an invalid session ends it. Frames are numbered without gaps in the order in which things happened.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from peerbot.rehearsal import events, sight
from peerbot.rehearsal.application import Application
from peerbot.rehearsal.ground import Event
from peerbot.rehearsal.guild import Guild
from peerbot.rehearsal.wire import Wire
from peerbot.rehearsal.world import World

DISPATCH = 0


@dataclass(frozen=True)
class Ping:
    """A WebSocket ping that carries the number of the last frame before it."""

    number: int


# What waits to be written to a connection: a frame, a ping, or the close code that ends it.
Outgoing = asyncio.Queue[str | int | Ping]


def frame(op: int, data: Any = None, *, name: str | None = None, number: int | None = None) -> str:
    """Write one gateway frame."""
    return json.dumps({"op": op, "d": data, "s": number, "t": name})


class Session:
    """One identified client, or one shard of it."""

    def __init__(self, world: World, application: Application, intents: int, shard: tuple[int, int]) -> None:
        self.id = secrets.token_hex(16)
        self.world = world
        self.application = application
        self.intents = intents
        self.shard = shard
        self.number = 0
        self.read = 0
        self.asked = 0
        self.sent: list[str] = []
        self._seen: dict[int, set[int]] = {}
        self.outgoing: Outgoing | None = None

    def __str__(self) -> str:
        return f"{self.application.name} shard {self.shard[0]} (read {self.read} of {self.number})"

    # what it takes

    def offer(self, event: Event) -> None:
        """Take an event that this session's guilds, intents and sight let through."""
        if self._takes(event):
            self._take(event)
        if event.guild_id is not None and self.intents & events.GUILDS and self._holds(event.guild_id):
            self._show_what_came_into_sight(self.world.guilds[event.guild_id], event)

    def _take(self, event: Event) -> None:
        payload = event.payload
        if event.name == "GUILD_CREATE":
            payload = self.guild_create(self.world.guilds[int(payload["id"])])
        elif (
            event.name in {"MESSAGE_CREATE", "MESSAGE_UPDATE"} and event.guild_id and not self.intents & events.CONTENT
        ):
            payload = events.without_content(payload, self.application.bot["id"])
        elif event.name in sight.OF_CHANNELS and event.guild_id:
            payload = sight.shown(self.world.guilds[event.guild_id], self.application.bot_id, payload)
        self.dispatch(event.name, payload)

    def _show_what_came_into_sight(self, guild: Guild, event: Event) -> None:
        """Send each channel that the bot sees since this event, and the threads in it."""
        if event.name not in sight.CHANGING_EVERYTHING | sight.OF_CHANNELS:
            return
        before, bot_id = self._seen.get(guild.id, set()), self.application.bot_id
        places = guild.channels
        if event.name in sight.OF_CHANNELS:
            ids = [int(one) for one in (event.payload["id"], event.payload.get("parent_id")) if one]
            places = {one: guild.channels[one] for one in ids if one in guild.channels}
        now = {channel_id for channel_id, one in places.items() if sight.visible(guild, bot_id, one)}
        self._seen[guild.id] = before - places.keys() | now
        for channel_id in sorted(now - before):
            # The event itself has shown the channel that it is about.
            if event.name not in sight.OF_CHANNELS or event.payload["id"] != str(channel_id):
                self.dispatch("CHANNEL_UPDATE", guild.channels[channel_id])
        if gained := {str(channel_id) for channel_id in now - before}:
            self._list_threads(guild, gained)

    def _list_threads(self, guild: Guild, channel_ids: set[str]) -> None:
        found = [one for one in guild.threads.values() if one["parent_id"] in channel_ids and self._sees(guild, one)]
        own = [guild.thread_members[int(one["id"])].get(self.application.bot_id) for one in found]
        if found:
            told: Wire = {"guild_id": str(guild.id), "channel_ids": sorted(channel_ids), "threads": found}
            self.dispatch("THREAD_LIST_SYNC", told | {"members": [place for place in own if place]})

    def _takes(self, event: Event) -> bool:
        if event.application_id not in (None, self.application.id) or not self._holds(event.guild_id):
            return False
        if not events.passes(event.name, self.intents, in_guild=event.guild_id is not None):
            return self._about_itself(event)
        if event.channel is None:
            return True
        if event.guild_id is None:
            return self.world.dm_bots[int(event.channel["id"])] == self.application.bot_id
        if event.name == "THREAD_MEMBERS_UPDATE" and not self.intents & events.MEMBERS:
            return self._about_itself(event)
        return self.world.guilds[event.guild_id].can_see(self.application.bot_id, event.channel)

    def _holds(self, guild_id: int | None) -> bool:
        if guild_id is None:
            return self.shard[0] == 0
        installed = self.application.id in self.world.guilds[guild_id].applications
        return installed and (guild_id >> 22) % self.shard[1] == self.shard[0]

    def _about_itself(self, event: Event) -> bool:
        bot_id, payload = self.application.bot["id"], event.payload
        if event.name == "GUILD_MEMBER_UPDATE":
            return payload["user"]["id"] == bot_id
        if event.name == "THREAD_MEMBERS_UPDATE":
            added = [entry["user_id"] for entry in payload.get("added_members", [])]
            return bot_id in added or bot_id in payload.get("removed_member_ids", [])
        return False

    # what it is sent

    def dispatch(self, name: str, payload: Wire) -> None:
        """Number an event, keep it for a resume, and send it if somebody is connected."""
        events.check(name, payload)
        self.number += 1
        text = frame(DISPATCH, payload, name=name, number=self.number)
        self.sent.append(text)
        self.send(text)

    def send(self, text: str) -> None:
        """Send a frame if somebody is connected."""
        if self.outgoing is not None:
            self.outgoing.put_nowait(text)

    def start(self, gateway_url: str, *, shard: list[int] | None) -> None:
        """Send READY and the session's guilds."""
        guilds = [guild for guild in self.world.guilds.values() if self._holds(guild.id)]
        ready: Wire = {
            "v": 10,
            "user": self.application.bot | {"mfa_enabled": False, "verified": True, "email": None},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": self.id,
            "resume_gateway_url": gateway_url,
            "application": {"id": str(self.application.id), "flags": self.application.flags},
        }
        self.dispatch("READY", ready if shard is None else ready | {"shard": shard})
        if self.intents & events.GUILDS:
            for guild in guilds:
                self.dispatch("GUILD_CREATE", self.guild_create(guild) | {"unavailable": False})

    def replay(self, after: int) -> None:
        """Send again everything after a frame number, then RESUMED."""
        self.read = after
        for text in self.sent[after:]:
            self.send(text)
        self.dispatch("RESUMED", {})

    def guild_create(self, guild: Guild) -> Wire:
        """Return a guild as GUILD_CREATE gives it to this session.

        Without the presences intent its members are the bot alone (developers/events/gateway-events.mdx, "Guild
        Create").
        """
        bot_id = self.application.bot_id
        self._seen[guild.id] = sight.all_visible(guild, bot_id)
        shown = {bot_id, *guild.voice} if self.intents & events.VOICE else {bot_id}
        members = guild.members.values() if self.intents & events.PRESENCES else [guild.members[one] for one in shown]
        return guild.wire() | {
            "joined_at": guild.members[bot_id]["joined_at"],
            "large": len(guild.members) > 50,  # noqa: PLR2004 (the least large_threshold that a client may ask for)
            "member_count": len(guild.members),
            "members": list(members),
            "channels": [sight.shown(guild, bot_id, one) for one in guild.channels.values()],
            "threads": [self._thread(guild, thread) for thread in guild.threads.values() if self._sees(guild, thread)],
            "presences": [],
            "voice_states": [*guild.voice.values()] if self.intents & events.VOICE else [],
            "stage_instances": [],
            "guild_scheduled_events": list(guild.events.values()),
            "soundboard_sounds": [],
        }

    def _sees(self, guild: Guild, thread: Wire) -> bool:
        return not thread["thread_metadata"]["archived"] and guild.can_see(self.application.bot_id, thread)

    def _thread(self, guild: Guild, thread: Wire) -> Wire:
        own = guild.thread_members[int(thread["id"])].get(self.application.bot_id)
        return thread | {"member": own} if own else thread

    # how far its client has read

    def caught_up(self) -> bool:
        """Say whether the client has processed everything; one that is away has nothing before it."""
        return self.outgoing is None or self.read >= self.number

    def ask_how_far(self) -> None:
        """Send a WebSocket ping, once for each state of the session.

        Clients answer it when they have processed what came before it, and it does not count as something they say.
        """
        if self.outgoing is not None and self.asked < self.number:
            self.asked = self.number
            self.outgoing.put_nowait(Ping(self.number))

    def has_read(self, number: int) -> None:
        """Note the last frame that the client has processed, from a heartbeat or the answer to a ping."""
        self.read = max(self.read, number)
        self.world.changed()

    # its connection

    def attach(self, outgoing: Outgoing) -> None:
        """Send to this connection from now on."""
        self.outgoing = outgoing
        self.asked = 0

    def detach(self, outgoing: Outgoing, *, how: Literal["ended", "lost"]) -> None:
        """Lose a connection; an ended session is forgotten, a lost one can be resumed."""
        if self.outgoing is not outgoing:
            return  # another connection has resumed the session meanwhile
        self.outgoing = None
        if how == "ended":
            self.forget()
        self.world.changed()

    def forget(self) -> None:
        """End the session: nothing can resume it."""
        self.outgoing = None
        if self in self.world.sessions:
            self.world.sessions.remove(self)
