"""What is said about tasks: to facilitators in the task thread, to the person in the private thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord
from discord import ui

from cogs import _threads as threads
from cogs._doors import browse_button, look_button
from cogs._help import help_now_button
from cogs._outbox import Post
from cogs.desk import _cards as drawn
from peerbot import board, directory, duty, hello, members, tasks
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.directory import GroupView
from peerbot.dispatcher import NotNeeded, Outcome, Sent
from peerbot.hello import Standing
from peerbot.models import Delivery, Guild
from peerbot.tasks import TaskView
from peerbot.text import Reader, Text, _, channel_mention

CHANNEL_UNKNOWN = 10003
OTHERS = 3
"""Other groups that somebody is shown at once."""


class DeskPosts:
    """The messages of tasks."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    def register(self) -> None:
        """Tell the outbox what each kind says."""
        outbox = self.bot.outbox
        outbox.message("desk.post", self.render_card, after=board.card_posted)
        outbox.effect("desk.draw", self.draw)
        outbox.message("desk.hello", self.render_hello)
        outbox.message("desk.answer", self.render_answer)

    async def _task(self, delivery: Delivery) -> tuple[TaskView | None, Guild | None, list[int]]:
        """Return a task, its server, and who of its group is on duty and holds the role."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            task = await tasks.find(session, delivery.guild_id, delivery.subject_id)
            guild = await settings_of.find(session, delivery.guild_id)
            called = await duty.on_duty(session, task.group_id, now=self.bot.clock.now()) if task is not None else []
            user_ids = [members.user_id(session, member) for member in called]
        server = self.bot.get_guild(delivery.guild_id)
        if guild is None or server is None:
            return task, guild, []
        hold = await threads.holders(self.bot, server, guild.facilitator_role_id, user_ids)
        return task, guild, [user_id for user_id in user_ids if user_id in hold]

    async def render_card(self, delivery: Delivery) -> Post | None:
        """Return the card of an open task, which calls who is on duty."""
        task, guild, on_duty = await self._task(delivery)
        if task is None or guild is None or task.done_at is not None or task.message_id is not None:
            return None
        reader = Reader(guild.locale, guild.time_zone)
        called = on_duty if task.claimed_by is None and not task.is_away else []
        mentions = discord.AllowedMentions(everyone=False, roles=False, users=[discord.Object(one) for one in called])
        words = drawn.task_words(task, on_duty, reader)
        return Post(
            words, drawn.task_buttons(task, reader), mentions=mentions if called else discord.AllowedMentions.none()
        )

    async def draw(self, delivery: Delivery) -> Outcome:
        """Draw a task's card as it is now; post it again when its message is gone."""
        task, guild, on_duty = await self._task(delivery)
        if task is None or guild is None or task.channel_id is None or task.message_id is None:
            return NotNeeded()
        reader = Reader(guild.locale, guild.time_zone)
        view = ui.View(timeout=None)
        for button in drawn.task_buttons(task, reader):
            view.add_item(button)
        view.stop()
        channel = self.bot.get_partial_messageable(task.channel_id, guild_id=delivery.guild_id)
        message = channel.get_partial_message(task.message_id)
        words = drawn.task_words(task, on_duty, reader)
        try:
            await self._edit(message, words, view)
        except discord.NotFound as problem:
            await self._lost(problem.code, task, delivery)
        return Sent()

    async def _edit(self, message: discord.PartialMessage, words: str, view: ui.View) -> None:
        nobody = discord.AllowedMentions.none()
        try:
            await message.edit(content=words, view=view, allowed_mentions=nobody)
        except discord.HTTPException as problem:
            if problem.code != threads.THREAD_ARCHIVED:
                raise
            await self.bot.http.edit_channel(message.channel.id, archived=False, reason=threads.REASON)
            await message.edit(content=words, view=view, allowed_mentions=nobody)

    async def _lost(self, code: int, task: TaskView, delivery: Delivery) -> None:
        now = self.bot.clock.now()
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            if code == CHANNEL_UNKNOWN:
                await board.thread_deleted(session, delivery.guild_id, task.channel_id or 0, now=now)
            else:
                await board.card_lost(session, task.task_id, task.message_id or 0, now=now)

    async def render_hello(self, delivery: Delivery) -> Post | None:
        """Return the first words in a private thread: what it is for, who reads it, and who is there."""
        task, guild, on_duty = await self._task(delivery)
        if task is None or guild is None or task.done_at is not None:
            return None
        reader = Reader(guild.locale, guild.time_zone)
        name = task.group_name
        lines = [
            _("Hi. This is your place to talk with the facilitators of **{name}** before you join.", name=name)
            if task.kind == "hello"
            else _("Hi. You can ask the facilitators of **{name}** here.", name=name),
            threads.WHO_READS,
            _("You can write something, or just wait. No need to explain anything."),
            _("A facilitator writes to you here.")
            if on_duty
            else _("No facilitator is on duty right now. They read this when they are back."),
        ]
        if guild.reading_hours:
            lines.append(_("Facilitators read: {hours}", hours=guild.reading_hours))
        if task.kind == "hello":
            lines.append(_("Changed your mind? That is fine: /my, then *Leave*."))
        words = "\n".join(reader.say(line) for line in lines)
        return Post(words, [help_now_button(guild.help_countries, reader)])

    async def render_answer(self, delivery: Delivery) -> Post | None:
        """Return what became of a task, for its person."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            standing = await hello.standing(session, delivery)
            guild = await settings_of.find(session, delivery.guild_id)
            page = await directory.page(
                session, delivery.guild_id, free=True, without=delivery.member_id, size=OTHERS + 1
            )
        others = [group for group in page.groups if group.group_id != delivery.group_id][:OTHERS]
        if standing is None or guild is None:
            return None
        reader = Reader(guild.locale, guild.time_zone)
        told = _told(standing, others)
        if not told:
            return None
        shows_others = standing.outcome in {"fit", "closed"}
        doors: list[ui.Item[Any]] = []
        if shows_others:
            doors += [look_button(group.group_id, group.name, reader) for group in others]
            doors += [browse_button(reader)]
        words = "\n".join(reader.say(line) for line in told)
        return Post(words, [*doors, help_now_button(guild.help_countries, reader)])


def _told(standing: Standing, others: Sequence[GroupView]) -> Sequence[Text]:
    """Return the sentences for the person of a task; none when there is nothing to say any more."""
    name = standing.group_name
    offered = _("These groups have a seat today:") if others else _("Other groups: /groups.")
    if standing.outcome == "fit":
        return [
            _("Thank you for saying hello. **{name}** is not the right place this time.", name=name),
            _("That says nothing about you. You are welcome here."),
            offered,
        ]
    if standing.outcome == "closed":
        return [_("**{name}** has closed. You did nothing wrong.", name=name), offered]
    if standing.outcome == "done":
        return [_("I hope that helped. You can ask again at any time: *Ask first* on the group's card.")]
    if standing.state in {"active", "paused"}:
        room = channel_mention(standing.room_id) if standing.room_id is not None else None
        return [
            _("Welcome! You have a seat in **{name}**.", name=name),
            _("Your room: {room}. Come when you like. You can just read.", room=room)
            if room is not None
            else _("Your room is on the way. /my shows it."),
            _("Find this again, pause or leave: /my"),
        ]
    if standing.state in {"waiting", "offered"}:
        return [
            _("Welcome! **{name}** is full right now, so you are in line.", name=name),
            _("I tell you when a seat is yours. Your place: /my"),
        ]
    return []
