"""What is written about hosts: in the task thread, in the group's room, and to a host after a meeting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import discord
from discord import ui

from cogs import _threads as threads
from cogs._help import help_now_button
from cogs._outbox import Post
from cogs.meetings import _hosting_buttons as buttons
from cogs.meetings import _hosting_cards as drawn
from cogs.meetings._looks import is_seen, unfit
from cogs.meetings._plan_buttons import AskCancelButton
from peerbot import arrivals, board, cards, debriefs, handovers, hosting, meetings, members, reach, times
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.dispatcher import NotNeeded, Outcome, Sent
from peerbot.errors import MeetingUnknown
from peerbot.hosting import ASK, LATE, Hosts
from peerbot.models import Card, Delivery, Guild
from peerbot.text import Reader, Text, _, mention

NOBODY = discord.AllowedMentions.none()


class HostingPosts:
    """The messages about hosts."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    def register(self) -> None:
        """Tell the outbox what each kind says, and how a card of hosts looks."""
        outbox = self.bot.outbox
        outbox.step(board.READY, handovers.show)
        outbox.step("meetings.listed", handovers.listed_anew)
        outbox.step("meetings.let_go", handovers.let_go)
        outbox.step(debriefs.RESTED, debriefs.rested)
        outbox.step(hosting.SAID_FOR, handovers.remembered)
        outbox.step(handovers.ANEW, handovers.ask_anew)
        outbox.message("meetings.unhosted", self.render_unhosted)
        outbox.letter("meetings.not_found", self.render_not_found, waits_for_morning=False)
        outbox.letter("meetings.hosts_anew", self.render_anew)
        outbox.message("meetings.cover", self.render_cover)
        outbox.effect("meetings.cover_draw", self.draw_cover)
        outbox.message("meetings.soon", self.render_soon)
        outbox.message("meetings.call", self.render_call)
        outbox.message("meetings.late", self.render_late)
        for kind in ("left", "arrived", "on_way", "nobody", "on_again"):
            outbox.message(f"meetings.{kind}", self.render_room)
        outbox.message("meetings.talk", self.render_talk)
        outbox.effect("meetings.talk_back", self.take_talk_back)
        outbox.letter("meetings.debrief", self.render_debrief)
        outbox.letter("meetings.load", self.render_load)
        self.bot.drawings["hosts"] = self.draw_hosts

    async def draw_hosts(self, card: Card, guild: Guild) -> ui.LayoutView:
        """Return a card as it looks now."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            hosts = await hosting.hosts_of(session, guild.guild_id, cards.shows(card))
        return drawn.hosts_card(hosts, Reader(guild.locale, guild.time_zone))

    async def _called(self, guild: Guild, user_ids: Sequence[int]) -> list[int]:
        """Return those of some people who hold the role now."""
        server = self.bot.get_guild(guild.guild_id)
        if server is None:
            return []
        hold = await threads.holders(self.bot, server, guild.facilitator_role_id, user_ids)
        return [user_id for user_id in user_ids if user_id in hold]

    async def _asked(self, delivery: Delivery) -> tuple[Hosts, Guild, list[int]] | None:
        """Return a meeting's hosts, its server, and whom to ask for cover."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            meeting = await meetings.find(session, delivery.guild_id, delivery.subject_id or 0)
            if guild is None or meeting is None:
                return None
            hosts = await hosting.hosts_of(session, delivery.guild_id, meeting.meeting_id)
            call = await hosting.called(session, meeting, now=self.bot.clock.now(), others=True)
            people = {member.member_id: members.user_id(session, member) for member in call.people}
        holders = await self._called(guild, list(people.values()))
        return hosts, guild, hosting.spared(holders, _of(people, call.busy))

    async def render_cover(self, delivery: Delivery) -> Post | None:
        """Return the message that asks others to host, if that is still wanted."""
        found = await self._asked(delivery)
        if found is None:
            return None
        hosts, guild, called = found
        if hosts.meeting.state != "planned" or (not hosts.wanted and hosts.user_ids):
            return None
        reader = Reader(guild.locale, guild.time_zone)
        words = drawn.cover_words(hosts, called, reader)
        button = buttons.CanHostButton(f"{hosts.meeting.meeting_id}.{ASK}", reader)
        return Post(words, [button], mentions=_calling(called))

    async def draw_cover(self, delivery: Delivery) -> Outcome:
        """Write into the messages that ask for cover what has come of it."""
        found = await self._asked(delivery)
        async with self.bot.db.read(wait=BACKGROUND) as session:
            sent = await hosting.asked(session, delivery.guild_id, delivery.subject_id or 0)
        if found is None or not sent:
            return NotNeeded()
        hosts, guild, called = found
        reader = Reader(guild.locale, guild.time_zone)
        is_open = hosts.meeting.state == "planned" and (hosts.wanted or not hosts.user_ids)
        words = drawn.cover_words(hosts, called, reader)
        for message in sent:
            view = ui.View(timeout=None)
            if is_open:
                view.add_item(buttons.CanHostButton(f"{hosts.meeting.meeting_id}.{ASK}", reader))
            view.stop()
            await self._edit(message, words, view)
        return Sent()

    async def _edit(self, sent: Delivery, words: str, view: ui.View) -> None:
        await self._wake(sent, lambda message: message.edit(content=words, view=view, allowed_mentions=NOBODY))

    async def _wake(self, sent: Delivery, do: Callable[[discord.PartialMessage], Awaitable[object]]) -> None:
        """Do something to a message that was sent, if it is there, in a thread that may sleep."""
        channel = self.bot.get_partial_messageable(sent.channel_id or 0, guild_id=sent.guild_id)
        message = channel.get_partial_message(sent.message_id or 0)
        try:
            await do(message)
        except discord.NotFound:
            return  # somebody deleted it
        except discord.HTTPException as problem:
            if problem.code != threads.THREAD_ARCHIVED:
                raise
            await self.bot.http.edit_channel(message.channel.id, archived=False, reason=threads.REASON)
            await do(message)

    async def take_talk_back(self, delivery: Delivery) -> Outcome:
        """Delete the lines that say that somebody wants to talk, who took that back."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            lines = await debriefs.taken_back(session, delivery)
        for line in lines:
            await self._wake(line, lambda message: message.delete())
        return Sent()

    async def _meeting(self, delivery: Delivery) -> tuple[Hosts, Guild, list[int], list[int]] | None:
        """Return the hosts of a meeting that is as it was, its server, its hosts on duty, and whom else to call."""
        now = self.bot.clock.now()
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            meeting = await hosting.still(session, delivery)
            if guild is None or meeting is None:
                return None
            hosts = await hosting.hosts_of(session, delivery.guild_id, meeting.meeting_id)
            call = await hosting.called(session, meeting, now=now)
            people = {member.member_id: members.user_id(session, member) for member in call.people}
        holders = await self._called(guild, list(people.values()))
        called = hosting.spared(holders, _of(people, call.busy), _of(people, call.spoken))
        if hosts.user_ids and not any(one in hosts.user_ids for one in called):
            gone = await unfit(self.bot, guild, hosts.user_ids)
            hosts = replace(hosts, user_ids=tuple(one for one in hosts.user_ids if one not in gone))
        return hosts, guild, [one for one in called if one in hosts.user_ids], called

    async def render_soon(self, delivery: Delivery) -> Post | None:
        """Return the message before a meeting, which calls its hosts, or others where it has none."""
        found = await self._meeting(delivery)
        if found is None:
            return None
        hosts, guild, on_duty, called = found
        reader = Reader(guild.locale, guild.time_zone)
        left = round((hosts.meeting.starts_at - self.bot.clock.now()) / timedelta(minutes=1))
        words = drawn.soon_words(hosts, on_duty, called, left, reader)
        number = hosts.meeting.meeting_id
        row: list[ui.Item[ui.View]] = [buttons.SheetButton(number, reader), buttons.HereButton(number, reader)]
        row += [buttons.NeedCoverButton(number, reader)]
        if hosts.may_be_more:
            row += [buttons.CanHostButton(f"{number}.second", reader)]
        return Post(words, row, mentions=_calling(on_duty or called))

    async def render_unhosted(self, delivery: Delivery) -> Post | None:
        """Return the message that calls others, and the owner, an hour before a meeting that nobody hosts."""
        found = await self._meeting(delivery)
        server = self.bot.get_guild(delivery.guild_id)
        if found is None or found[0].user_ids:
            return None
        hosts, guild, _on_duty, called = found
        owner = [server.owner_id] if server is not None and server.owner_id else []
        called = list(dict.fromkeys([*called, *owner]))
        reader = Reader(guild.locale, guild.time_zone)
        number = hosts.meeting.meeting_id
        row: list[ui.Item[ui.View]] = [buttons.CanHostButton(f"{number}.{ASK}", reader)]
        row += [AskCancelButton(number, reader)]
        lines = drawn.unhosted_words(hosts, called, reader)
        return Post("\n".join(map(reader.say, lines)), row, mentions=_calling(called))

    async def render_not_found(self, delivery: Delivery) -> Post | None:
        """Return the letter to somebody who asked for cover, which nobody has given yet."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            meeting = await hosting.still(session, delivery)
            if guild is None or meeting is None or await hosting.hosting(session, meeting):
                return None
            view = await meetings.view(session, delivery.guild_id, meeting.meeting_id)
            reader = await reach.reader_of(session, delivery)
        lines = drawn.not_found_words(view, reader)
        return Post("\n".join(map(reader.say, lines)), [help_now_button(guild.help_countries, reader)])

    async def render_call(self, delivery: Delivery) -> Post | None:
        """Return the message that calls others because nobody is there."""
        found = await self._meeting(delivery)
        if found is None or found[0].meeting.here_at is not None:
            return None
        hosts, guild, on_duty, called = found
        reader = Reader(guild.locale, guild.time_zone)
        sees = is_seen(self.bot, delivery.guild_id, hosts.meeting)
        asks_hosts = bool(on_duty) and not sees and not delivery.dedupe_key.endswith(arrivals.OTHERS)
        called = on_duty if asks_hosts else called
        lines = drawn.call_words(hosts, called, sees=sees, asks_hosts=asks_hosts)
        number = hosts.meeting.meeting_id
        row: list[ui.Item[ui.View]] = [buttons.HereButton(number, reader)]
        row += [buttons.NeedCoverButton(number, reader)] if asks_hosts else []
        row += [buttons.CanHostButton(f"{number}.{LATE}", reader)]
        return Post("\n".join(map(reader.say, lines)), row, mentions=_calling(called))

    async def render_late(self, delivery: Delivery) -> Post | None:
        """Return what a group's room reads when no facilitator is known to be there; it says only what is so."""
        found = await self._meeting(delivery)
        if found is None or found[0].meeting.here_at is not None:
            return None
        hosts, guild, on_duty, called = found
        sees = is_seen(self.bot, delivery.guild_id, hosts.meeting)
        return self._to_members(guild, drawn.late_words(hosts, on_duty, called, sees=sees))

    async def render_room(self, delivery: Delivery) -> Post | None:
        """Return what a group's room is told of what came of a meeting at which nobody was."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            meeting = await meetings.find(session, delivery.guild_id, delivery.subject_id or 0)
            if guild is None or meeting is None:
                return None
            view = await meetings.view(session, delivery.guild_id, meeting.meeting_id)
            stands = await hosting.still(session, delivery) is not None
            told = await arrivals.was_told(session, delivery)
            comes = told and await arrivals.is_on_the_way(session, delivery, now=self.bot.clock.now())
        lines: list[Text] = []
        if delivery.kind == "meetings.left" and stands and view.here_at is None:
            lines = [_("Your facilitator had to go. You can talk, or just be here. I write when somebody comes.")]
        elif delivery.kind == "meetings.on_way" and comes:
            lines = [_("A facilitator is on the way. Please wait a little.")]
        elif delivery.kind == "meetings.arrived" and told:
            lines = [_("A facilitator is here now. Thank you for waiting.")]
        elif delivery.kind == "meetings.on_again" and stands and view.here_at is not None:
            lines = [_("A facilitator is here after all, so the meeting is on. Thank you for waiting.")]
        elif delivery.kind == "meetings.nobody" and view.state == "cancelled" and view.why == "nobody":
            lines = [_("I am sorry. Nobody could come to host today, so this meeting is off.")]
            lines += [_("It is not because of you. You can stay and talk here.")]
            if view.next_at is not None:
                next_at = times.when(view.next_at, view.zone, Reader(guild.locale, guild.time_zone))
                lines += [_("You meet next: {when}", when=next_at)]
        return self._to_members(guild, lines) if lines else None

    def _to_members(self, guild: Guild, lines: Sequence[Text]) -> Post:
        reader = Reader(guild.locale, guild.time_zone)
        return Post("\n".join(map(reader.say, lines)), [help_now_button(guild.help_countries, reader)])

    async def render_talk(self, delivery: Delivery) -> Post | None:
        """Return the line that somebody would like to talk, for the others of the group who are on duty."""
        try:
            async with self.bot.db.read(wait=BACKGROUND) as session:
                guild = await settings_of.find(session, delivery.guild_id)
                person, others = await debriefs.wants_to_talk(session, delivery, now=self.bot.clock.now())
                view = await meetings.view(session, delivery.guild_id, delivery.subject_id or 0)
                who, user_ids = members.user_id(session, person), [members.user_id(session, each) for each in others]
        except MeetingUnknown:
            return None
        if guild is None:
            return None
        called = await self._called(guild, user_ids)
        reader = Reader(guild.locale, guild.time_zone)
        lines = [_("{who} would like to talk after **{name}**.", who=mention(who), name=view.group_name)]
        lines += [drawn.who_is_called(called)] if called else []
        door = help_now_button(guild.help_countries, reader)
        return Post("\n".join(map(reader.say, lines)), [door], mentions=_calling(called))

    async def render_debrief(self, delivery: Delivery) -> Post | None:
        """Return the letter that asks a host how it went."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            meeting = await meetings.find(session, delivery.guild_id, delivery.subject_id or 0)
            if guild is None or meeting is None or meeting.state == "cancelled":
                return None
            view = await meetings.view(session, delivery.guild_id, meeting.meeting_id)
            reader = await reach.reader_of(session, delivery)
        row = drawn.word_buttons(guild, debriefs.Said(view, frozenset()), reader)
        words = "\n".join(map(reader.say, drawn.debrief_words(view)))
        return Post(words, [*row, help_now_button(guild.help_countries, reader)])

    async def render_anew(self, delivery: Delivery) -> Post | None:
        """Return the letter to somebody whose word about hosting does not hold for a new time."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            said = await handovers.said_before(session, delivery)
            reader = await reach.reader_of(session, delivery)
        if guild is None or said is None:
            return None
        lines = drawn.anew_words(said, reader)
        return Post("\n".join(map(reader.say, lines)), [help_now_button(guild.help_countries, reader)])

    async def render_load(self, delivery: Delivery) -> Post | None:
        """Return the kind note to somebody who does much."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
            reader = await reach.reader_of(session, delivery)
        if guild is None:
            return None
        lines = [
            _("You have been there for others a lot lately. Thank you."),
            _("Rest is part of it. You can ask for cover for a meeting, be off duty, or step back. No reason needed."),
            _("*I need cover* is on the card in the task thread. /desk has *Off duty*. /my has *Step back*."),
            _("Only you read this. I write it seldom."),
        ]
        return Post("\n".join(map(reader.say, lines)), [help_now_button(guild.help_countries, reader)])


def _of(people: Mapping[int, int], member_ids: Collection[int]) -> list[int]:
    return [user_id for member_id, user_id in people.items() if member_id in member_ids]


def _calling(user_ids: Sequence[int]) -> discord.AllowedMentions:
    """Return the permission to call these people, and nobody else."""
    if not user_ids:
        return NOBODY
    return discord.AllowedMentions(everyone=False, roles=False, users=[discord.Object(one) for one in user_ids])
