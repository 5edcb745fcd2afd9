"""Discord's own events: make, change and delete the one of a series, so that it is the one of its next meeting."""

from __future__ import annotations

from typing import Any

import discord

from cogs import _threads as threads
from peerbot import native_events
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.dispatcher import NotNeeded, Outcome, Sent
from peerbot.making import EVENT
from peerbot.models import Delivery
from peerbot.native_events import Wanted
from peerbot.text import Reader, _

IN_VOICE, ELSEWHERE, GUILD_ONLY = 2, 3, 2
UNKNOWN_EVENT = 10070
MANAGED = "A meeting of a group"
LONGEST = 100


class NativeEvents:
    """The events of series."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    def register(self) -> None:
        """Tell the outbox how an event is made to match."""
        self.bot.outbox.effect(EVENT, self.match)

    async def match(self, delivery: Delivery) -> Outcome:
        """Make the event of a series match its next meeting."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            mirror = await native_events.mirror(session, delivery, now=self.bot.clock.now())
            guild = await settings_of.find(session, delivery.guild_id)
        if mirror is None or guild is None:
            return NotNeeded()
        server = self.bot.get_guild(delivery.guild_id)
        if server is None or server.unavailable:
            return threads.out_of_sight(self.bot, server)
        event_id, wanted = mirror.event_id, mirror.wanted
        if event_id is not None and (wanted is None or wanted.meeting_id != mirror.event_for):
            await self._delete(delivery.guild_id, event_id)
            await self._note(mirror.series_id, None, None)
            event_id = None
        if wanted is None or wanted.has_begun:
            return Sent()
        form = _form(server, wanted, Reader(guild.locale, guild.time_zone))
        if event_id is not None and await self._edit(server, event_id, form):
            return Sent()
        made_id = await self._found(server, form) or await self._create(server, form)
        await self._note(mirror.series_id, made_id, wanted.meeting_id)
        return Sent()

    async def _create(self, server: discord.Guild, form: dict[str, Any]) -> int:
        made: Any = await self.bot.http.create_guild_scheduled_event(server.id, **form, reason=MANAGED)
        return int(made["id"])

    async def _found(self, server: discord.Guild, form: dict[str, Any]) -> int | None:
        """Return an event that was made and could not be noted down, because the process was killed in between."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            known = await native_events.known(session, server.id)
        there: Any = await self.bot.http.get_scheduled_events(server.id, with_user_count=False)
        for event in there:
            is_ours = event.get("creator_id") == str(server.me.id) and int(event["id"]) not in known
            if is_ours and _same(event, form):
                return int(event["id"])
        return None

    async def _edit(self, server: discord.Guild, event_id: int, form: dict[str, Any]) -> bool:
        """Change an event, if it differs; return whether it is still there."""
        there = server.get_scheduled_event(event_id)
        if there is not None and _is_as(there, form):
            return True
        try:
            await self.bot.http.edit_scheduled_event(server.id, event_id, **form, reason=MANAGED)
        except discord.NotFound as problem:
            if problem.code != UNKNOWN_EVENT:
                raise
            return False
        return True

    async def _delete(self, guild_id: int, event_id: int) -> None:
        try:
            await self.bot.http.delete_scheduled_event(guild_id, event_id, reason=MANAGED)
        except discord.NotFound as problem:
            if problem.code != UNKNOWN_EVENT:
                raise  # it has ended, or somebody was faster

    async def _note(self, series_id: int, event_id: int | None, meeting_id: int | None) -> None:
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await native_events.note(session, series_id, event_id, meeting_id)


def _form(server: discord.Guild, wanted: Wanted, reader: Reader) -> dict[str, Any]:
    """Return an event as Discord takes it: in the voice channel, else elsewhere, which names no room."""
    channel = server.get_channel(wanted.room_id) if wanted.room_id is not None else None
    in_voice = isinstance(channel, discord.VoiceChannel)
    place: dict[str, Any] = {"channel_id": None, "entity_metadata": {"location": reader.say(_("In the group's room"))}}
    if in_voice:
        place = {"channel_id": str(wanted.room_id), "entity_metadata": None}
    return {
        "name": wanted.name[:LONGEST],
        "description": reader.say(_("You can just listen. Late is fine. So is not coming.")),
        "privacy_level": GUILD_ONLY,
        "entity_type": IN_VOICE if in_voice else ELSEWHERE,
        "scheduled_start_time": wanted.starts_at.isoformat(),
        "scheduled_end_time": wanted.ends_at.isoformat(),
        **place,
    }


def _same(event: dict[str, Any], form: dict[str, Any]) -> bool:
    starts_at = discord.utils.parse_time(event["scheduled_start_time"])
    return event["name"] == form["name"] and starts_at == discord.utils.parse_time(form["scheduled_start_time"])


def _is_as(event: discord.ScheduledEvent, form: dict[str, Any]) -> bool:
    """Return whether an event looks as it should; a changed description alone is not worth a request."""
    times = [discord.utils.parse_time(form[key]) for key in ("scheduled_start_time", "scheduled_end_time")]
    place = str(event.channel_id) if event.channel_id is not None else None
    return [event.name, event.start_time, event.end_time, place] == [form["name"], *times, form["channel_id"]]
