"""What groups post: the panel, cards, greetings, and what facilitators are told. What they say is read when sent."""

from __future__ import annotations

from typing import Any

import discord

from cogs._help import help_now_button, help_words
from cogs._outbox import Post
from cogs.groups import _buttons as buttons
from cogs.groups import _cards as drawn
from cogs.groups import _effects as effects
from cogs.groups import _line_cards as line_cards
from peerbot import access, cards, directory, groups, seats
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.models import Card, Delivery, Group, Guild, Member
from peerbot.text import Reader, _, channel_mention, n_

PANEL_GROUPS = 7
MESSAGE_UNKNOWN = 10008


class GroupPosts:
    """The messages of groups."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    def register(self) -> None:
        """Tell the outbox what each kind says."""
        outbox = self.bot.outbox
        self.bot.drawings["panel"] = self.draw_panel
        self.bot.drawings["group"] = self.draw_group
        outbox.message("groups.welcome", self.render_welcome)
        outbox.message("groups.closed", self.render_closed)
        outbox.step("seats.free", seats.offer)
        outbox.step("seats.expire", seats.expire)
        outbox.step("seats.again", seats.offer_again)
        outbox.letter("seats.offer", self.render_offer)
        outbox.letter("seats.closed", self.render_line_closed)
        outbox.message("staff.room_gone", self.render_room_gone)
        outbox.message("staff.strangers", self.render_strangers)

    async def _group_and_guild(self, delivery: Delivery) -> tuple[Group | None, Guild | None]:
        async with self.bot.db.read(wait=BACKGROUND) as session:
            return await groups.find(session, delivery), await settings_of.find(session, delivery.guild_id)

    async def draw_panel(self, _card: Card, guild: Guild) -> discord.ui.LayoutView:
        """Return the server's panel."""
        reader = Reader(guild.locale, guild.time_zone)
        async with self.bot.db.read(wait=BACKGROUND) as session:
            page = await directory.page(session, guild.guild_id, size=PANEL_GROUPS)
        words = help_words(guild.help_countries, reader, self.bot.clock.now().date())
        return drawn.panel_card(page, guild, reader, words)

    async def draw_group(self, card: Card, guild: Guild) -> discord.ui.LayoutView:
        """Return a group's card, for everyone."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            view = await directory.view(session, guild.guild_id, cards.shows(card))
        return drawn.group_card(view, guild, Reader(guild.locale, guild.time_zone), private=False)

    async def render_welcome(self, delivery: Delivery) -> Post | None:
        """Return the greeting of a newcomer in the room; nothing when they have left again."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            decided = await access.decide(session, delivery, now=self.bot.clock.now())
            guild = await settings_of.find(session, delivery.guild_id)
        if decided is None or guild is None or not decided.wanted:
            return None
        reader = Reader(guild.locale, guild.time_zone)
        words = _("Someone new is here. Welcome! You can just read. Say hello when you feel like it.")
        return Post(reader.say(words), [help_now_button(guild.help_countries, reader)])

    async def render_closed(self, delivery: Delivery) -> Post | None:
        """Return the farewell in the room of a closed group."""
        group, guild = await self._group_and_guild(delivery)
        if group is None or guild is None or group.closed_at is None:
            return None
        reader = Reader(guild.locale, guild.time_zone)
        day = reader.date(group.closed_at + access.FAREWELL)
        words = _(
            "**{name}** has closed. Thank you for being here. You can read here until {day}.", name=group.name, day=day
        )
        return Post(reader.say(words), [help_now_button(guild.help_countries, reader)])

    async def render_offer(self, delivery: Delivery) -> Post | None:
        """Return the offer of a seat; nothing when it is over."""
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            offer = await seats.announce(session, delivery, now=self.bot.clock.now())
            guild = await settings_of.find(session, delivery.guild_id)
        if offer is None or guild is None:
            return None
        reader = Reader(offer.locale or guild.locale, offer.zone or guild.time_zone)
        key = f"{delivery.guild_id}.{delivery.group_id}"
        answers: list[discord.ui.Item[Any]] = [buttons.TakeButton(key, reader), buttons.PassButton(key, reader)]
        return Post(line_cards.offer_letter(offer, reader), [*answers, help_now_button(guild.help_countries, reader)])

    async def render_line_closed(self, delivery: Delivery) -> Post | None:
        """Return the news, for somebody who waited, that a group has closed."""
        group, guild = await self._group_and_guild(delivery)
        async with self.bot.db.read(wait=BACKGROUND) as session:
            member = await session.get(Member, delivery.member_id)
        if group is None or guild is None or member is None:
            return None
        reader = Reader(member.locale or guild.locale, member.zone or guild.time_zone)
        words = _("**{name}** has closed, so its line has ended. You did nothing wrong.", name=group.name)
        more = _("Other groups may have a seat for you.")
        ways: list[discord.ui.Item[Any]] = [line_cards.panel_link(guild, reader)]
        return Post(f"{reader.say(words)} {reader.say(more)}", [help_now_button(guild.help_countries, reader), *ways])

    async def render_room_gone(self, delivery: Delivery) -> Post | None:
        """Return the news that a group's channel was deleted, or that it has none; nothing when it has a room again."""
        group, guild = await self._group_and_guild(delivery)
        if group is None or guild is None or group.room_id is not None or group.state != "open":
            return None
        reader = Reader(guild.locale, guild.time_zone)
        was_deleted = _(
            "The room of **{name}** was deleted. Its members keep their seats. Shall I make a new room?",
            name=group.name,
        )
        lacks = _("**{name}** has no room. Its members keep their seats. Shall I make one?", name=group.name)
        words = was_deleted if delivery.subject_id else lacks  # which channel it was, or none, for a reminder
        return Post(reader.say(words), [buttons.NewRoomButton(group.group_id, reader)])

    async def render_strangers(self, delivery: Delivery) -> Post | None:
        """Return whom a room lets in without a seat, as it is now."""
        group, guild = await self._group_and_guild(delivery)
        server = self.bot.get_guild(delivery.guild_id)
        if group is None or guild is None or server is None or group.room_id is None:
            return None
        async with self.bot.db.read(wait=BACKGROUND) as session:
            rooms = await access.rooms(session, delivery.guild_id, group_id=group.group_id, now=self.bot.clock.now())
        found = await effects.strangers(self.bot, server, rooms[0]) if rooms else set[int]()
        if not found:
            return None
        reader = Reader(guild.locale, guild.time_zone)
        words = n_(
            "{room} lets in someone who has no seat in **{name}**. I did not let them in, so I change nothing.",
            "{room} lets in {n} people who have no seat in **{name}**. I did not let them in, so I change nothing.",
            len(found),
            name=group.name,
            room=channel_mention(group.room_id),
        )
        return Post(reader.say(words), [buttons.PeopleButton(group.group_id, reader)])
