"""Whether a facilitator is at a meeting: seen in its voice channel, when somebody comes or when it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import discord
from discord.ext import commands

from cogs import _threads as threads
from peerbot import arrivals, handovers
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.dispatcher import NotNeeded, Outcome, Retry, Sent
from peerbot.meetings import MeetingView
from peerbot.models import Delivery, Guild


class Looks(commands.Cog):
    """Looks for facilitators; `since` is from when on this process has seen without a gap who comes and goes."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot
        self.since: datetime | None = None

    def register(self) -> None:
        """Tell the outbox what each look does."""
        self.bot.outbox.effect("meetings.look_late", self.look_late)
        self.bot.outbox.effect("meetings.look_empty", self.look_empty)
        self.bot.outbox.effect("meetings.look_hosts", self.look_hosts)

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Remember that nothing before this moment was seen; a session that is resumed has no gap."""
        self.since = self.bot.clock.now()

    @commands.Cog.listener()
    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Note that a facilitator has come; of members, nothing is noted."""
        if after.channel is None or before.channel == after.channel or not self.bot.presence.leads:
            return
        guild_id, now = member.guild.id, self.bot.clock.now()
        async with self.bot.db.read(wait=BACKGROUND) as session:
            meeting_ids = await arrivals.in_channel(session, guild_id, after.channel.id, now=now)
            guild = await settings_of.find(session, guild_id)
        if guild is None or not meeting_ids or not _may(member, guild):
            return
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            for meeting_id in meeting_ids:
                await arrivals.seen(session, guild_id, meeting_id, [member.id], now=now)

    async def look_hosts(self, delivery: Delivery) -> Outcome:
        """Look whether those who are to host a meeting soon still hold the role."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            user_ids = await handovers.hosts_ahead(session, delivery)
        server = self.bot.get_guild(delivery.guild_id)
        if guild is None or server is None or server.unavailable:
            return threads.out_of_sight(self.bot, server) if guild is not None else NotNeeded()
        # Whom Discord does not name may only not be in sight.
        gone = await unfit(self.bot, guild, user_ids)
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            called = await handovers.looked_ahead(session, delivery, gone, now=self.bot.clock.now())
        return Sent() if called else NotNeeded()

    async def look_late(self, delivery: Delivery) -> Outcome:
        """Look whether a facilitator is there; call others if not."""
        known = await self._look(delivery)
        if known is not None:
            return known
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            called = await arrivals.nobody_yet(session, delivery, now=self.bot.clock.now())
        return Sent() if called else NotNeeded()

    async def look_empty(self, delivery: Delivery) -> Outcome:
        """Look whether a facilitator has come; have the meeting cancelled if not."""
        known = await self._look(delivery)
        if known is not None:
            return known
        now = self.bot.clock.now()
        since = self.since or now
        async with self.bot.db.read(wait=BACKGROUND) as session:
            view = await arrivals.waited_for(session, delivery)
        by_voice = view is not None and is_seen(self.bot, delivery.guild_id, view)
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            off = await arrivals.nobody_came(session, delivery, looking_since=since, by_voice=by_voice, now=now)
        return Sent() if off else NotNeeded()

    async def _look(self, delivery: Delivery) -> Outcome | None:
        """Return what is known without doing anything; None when nobody is there."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            view = await arrivals.waited_for(session, delivery)
            guild = await settings_of.find(session, delivery.guild_id)
        server = self.bot.get_guild(delivery.guild_id)
        if view is None or guild is None:
            return NotNeeded()
        shard = self.bot.get_shard(server.shard_id) if server is not None else None
        if server is None or server.unavailable:
            return threads.out_of_sight(self.bot, server)
        if shard is None or shard.is_closed():
            return Retry("not in touch")
        user_ids = await self._speaking(server, view, guild)
        if not user_ids:
            return None
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            now = self.bot.clock.now()
            is_there = await arrivals.seen(session, delivery.guild_id, view.meeting_id, user_ids, now=now)
        return NotNeeded() if is_there else None

    async def _speaking(self, server: discord.Guild, view: MeetingView, guild: Guild) -> list[int]:
        """Return who is in a meeting's voice channel and may facilitate."""
        channel = voice_of(server, view)
        if channel is None or not channel.voice_states:
            return []
        there = await threads.present(self.bot, server, channel.voice_states.keys())
        return [member.id for member in there if _may(member, guild)]


def voice_of(server: discord.Guild, view: MeetingView) -> discord.VoiceChannel | discord.StageChannel | None:
    """Return the channel in which those who are at a meeting can be seen."""
    channel = server.get_channel(view.channel_id) if view.channel_id is not None else None
    return channel if isinstance(channel, discord.VoiceChannel | discord.StageChannel) else None


def is_seen(bot: PeerBot, guild_id: int, view: MeetingView) -> bool:
    """Return whether it can be seen who is at a meeting: it takes place in a voice channel, and behind no link."""
    server = bot.get_guild(guild_id)
    return server is not None and not view.link and voice_of(server, view) is not None


async def unfit(bot: PeerBot, guild: Guild, user_ids: Sequence[int]) -> set[int]:
    """Return those of some people who are in the server and may not host any more."""
    server = bot.get_guild(guild.guild_id)
    there = await threads.present(bot, server, user_ids) if server is not None else []
    return {member.id for member in there if not _may(member, guild)}


def _may(member: discord.Member, guild: Guild) -> bool:
    return threads.holds(member, guild.facilitator_role_id) or member.guild_permissions.manage_guild
