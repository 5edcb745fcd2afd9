"""What tasks change on Discord: private threads, the task thread, and who is in them.

Each effect makes Discord match the database as it is when it runs, so it may run twice. Only a facilitator who holds
the role at that moment is let into a private thread.
"""

from __future__ import annotations

from datetime import timedelta

import discord

from cogs import _threads as threads
from peerbot import board, readers, tasks
from peerbot import setup as settings_of
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.dispatcher import Gone, NotNeeded, Outcome, Retry, Sent
from peerbot.models import Delivery
from peerbot.tasks import TaskView, ThreadWanted
from peerbot.text import Reader, _

BEING_OPENED = Retry("thread being opened", timedelta(seconds=2))
"""Who opens a thread may have read that somebody belongs in it before they were struck off."""
CHANNEL_GONE = Gone("not found 10003")
NUMBERS = 1_000_000


class DeskEffects:
    """The effects of tasks."""

    def __init__(self, bot: PeerBot) -> None:
        self.bot = bot

    def register(self) -> None:
        """Tell the outbox what each kind does."""
        outbox = self.bot.outbox
        outbox.effect("desk.thread", self.open_thread)
        outbox.effect("desk.board", self.open_board)
        outbox.effect("desk.shut_out", self.shut_out)
        outbox.effect("desk.let_go", self.let_go)
        outbox.step("desk.back", tasks.let_back_in)

    async def open_thread(self, delivery: Delivery) -> Outcome:
        """Make a task's private thread, or find the one it has, with the people who belong in it."""
        now = self.bot.clock.now()
        async with self.bot.db.read(wait=BACKGROUND) as session:
            wanted = await tasks.thread_wanted(session, delivery, now=now)
            guild = await settings_of.find(session, delivery.guild_id)
        if wanted is None or guild is None:
            return NotNeeded()
        server = self.bot.get_guild(delivery.guild_id)
        if server is None or server.unavailable:
            return threads.out_of_sight(self.bot, server)
        try:
            thread = await self._thread(server, wanted, Reader(guild.locale), guild.facilitator_role_id)
        except (discord.Forbidden, discord.NotFound):
            await self._show_without(wanted.view, delivery)
            raise
        if thread is None:
            await self._show_without(wanted.view, delivery)
            return CHANNEL_GONE
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await tasks.thread_opened(session, wanted.view.task_id, thread.id, now=now)
        return Sent()

    async def _thread(
        self, server: discord.Guild, wanted: ThreadWanted, reader: Reader, role_id: int
    ) -> discord.Thread | None:
        task = wanted.view
        thread = await threads.find_thread(server, task.thread_id)
        if thread is not None and task.done_at is not None:
            return thread
        others, is_new = await let_in(self.bot, server, role_id, wanted), thread is None
        if thread is None:
            name = reader.say(_("Hello {number}", number=thread_number(task)))
            thread = await threads.open_thread(self.bot, server.id, wanted.parent_id, name, [])
        if thread is None:
            return None
        # A new one is for its person first: where they cannot see it, nobody is called to talk with them.
        for user_id in [wanted.user_id, *others] if is_new else [*others, wanted.user_id]:
            await threads.add_person(thread, user_id, needed=user_id == wanted.user_id)
        return thread

    async def _show_without(self, task: TaskView, delivery: Delivery) -> None:
        """Have a task shown to facilitators although its private thread cannot be opened."""
        if task.done_at is None and task.message_id is None:
            async with self.bot.db.begin(wait=BACKGROUND) as session:
                await board.plan(session, delivery.guild_id, now=self.bot.clock.now())

    async def open_board(self, delivery: Delivery) -> Outcome:
        """Make the task thread in the staff channel, unless it is there; a card that is posted wakes it."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            guild = await settings_of.find(session, delivery.guild_id)
        server = self.bot.get_guild(delivery.guild_id)
        if guild is None:
            return NotNeeded()
        if server is None or server.unavailable:
            return threads.out_of_sight(self.bot, server)
        thread = await threads.find_thread(server, guild.task_thread_id)
        if thread is None or thread.parent_id != guild.staff_channel_id:
            name = Reader(guild.locale).say(_("Tasks"))
            thread = await threads.open_public_thread(self.bot, server.id, guild.staff_channel_id, name)
        if thread is None:
            return CHANNEL_GONE
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            await board.board_ready(session, delivery.guild_id, thread.id, now=self.bot.clock.now())
        return Sent()

    async def shut_out(self, delivery: Delivery) -> Outcome:
        """Take somebody out of the private threads of a group that they may not read any more."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            found = await readers.shut_out_of(session, delivery)
            guild = await settings_of.find(session, delivery.guild_id)
        server = self.bot.get_guild(delivery.guild_id)
        if found is None or guild is None:
            return NotNeeded()
        if server is None or server.unavailable:
            return threads.out_of_sight(self.bot, server)
        (member, *_more) = [*await threads.present(self.bot, server, [found.user_id], afresh=True), None]
        if member is not None and found.is_listed and threads.holds(member, guild.facilitator_role_id):
            return NotNeeded()
        keeps = found.had if member is not None and member.guild_permissions.manage_guild else frozenset[int]()
        for thread_id in found.thread_ids:
            thread = await threads.find_thread(server, thread_id) if thread_id not in keeps else None
            if thread is not None:
                await threads.remove_person(thread, found.user_id)
        return BEING_OPENED if found.too_early else Sent()

    async def let_go(self, delivery: Delivery) -> Outcome:
        """Leave the thread of a task that is forgotten to its person, and let it sleep."""
        async with self.bot.db.read(wait=BACKGROUND) as session:
            person = await readers.keeper(session, delivery)
        server = self.bot.get_guild(delivery.guild_id)
        if server is None or server.unavailable:
            return threads.out_of_sight(self.bot, server)
        thread = await threads.find_thread(server, delivery.channel_id)
        if person is None or thread is None:
            return NotNeeded()
        others = [each.id for each in await thread.fetch_members() if each.id not in {person, server.me.id}]
        for user_id in others:
            await threads.remove_person(thread, user_id)
        if others:
            await thread.edit(archived=True, reason=threads.REASON)
        return Sent()


async def let_in(bot: PeerBot, server: discord.Guild, role_id: int, wanted: ThreadWanted) -> list[int]:
    """Return who, besides its person, may be let into a task's thread now."""
    claimer = wanted.view.claimed_by
    asked = [*wanted.listed, *([claimer] if claimer is not None and claimer not in wanted.listed else [])]
    found = {member.id: member for member in await threads.present(bot, server, asked, afresh=True)}
    return [
        user_id
        for user_id in asked
        if user_id in found
        and (
            (user_id in wanted.listed and threads.holds(found[user_id], role_id))
            or (user_id == claimer and found[user_id].guild_permissions.manage_guild)
        )
    ]


def thread_number(task: TaskView) -> str:
    """Return the number in the name of a task's thread.

    The moment too: in a restored database ids begin anew, and an old thread is somebody else's.
    """
    return f"{task.task_id}-{int(task.created_at.timestamp()) % NUMBERS:06}"
