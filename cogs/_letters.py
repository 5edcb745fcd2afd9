"""Letters: find the channel in which a member is written to, open it, and send there once.

The channel is written down before anything is sent to it, and the one that was written down is searched before a letter
goes to another: so a kill, a retry or a change of mind never brings the same letter by direct message and in the
thread. A thread is woken, made anew when it was deleted, and its member put back into it, before each letter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import discord

from cogs._threads import REASON, THREAD_ARCHIVED, open_thread, out_of_sight
from peerbot import deliveries, reach
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.dispatcher import Gone, NotNeeded, Outcome, Retry, Sent
from peerbot.models import Delivery
from peerbot.reach import Nowhere, Wait, Way
from peerbot.text import Verbatim, _

# topics/opcodes-and-status-codes.mdx
CHANNEL_UNKNOWN = 10003
PERSON_GONE = frozenset({10007, 10013, 50278})
"""Not a member, no such user, no server in common."""
DM_CLOSED = 50007
TOO_FAST = frozenset({40003, 20026})
"""Direct messages are opened too fast; the bot is held to be one that floods."""
THREAD_LOCKED = 160005
LOCKED = "thread locked"
"""The problem of a thread in which only whoever manages threads may write."""

NOT_READY = Retry("not ready", timedelta(seconds=2))
LATER = Retry("too many DMs", timedelta(minutes=5))
CLAIM_LOST = Retry("claim lost")
TRIES = 2
"""A thread that turns out to be deleted is made anew in the same run."""

T = TypeVar("T")


class Letters:
    """Carry letters to members; `post` sends a message to the channel of its row, `find` looks for it there."""

    def __init__(
        self,
        bot: PeerBot,
        post: Callable[[Delivery], Awaitable[Outcome]],
        find: Callable[[Delivery], Awaitable[int | None]],
    ) -> None:
        self.bot = bot
        self._post = post
        self._find = find
        self._writing: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def send(self, delivery: Delivery) -> Outcome:
        """Send a letter the way that its member is written to now; raises what discord.py raises."""
        # One letter to a person at a time, so that two that are due at once do not both make the thread.
        async with self._writing.setdefault(delivery.member_id or 0, asyncio.Lock()):
            return await self._send(delivery)

    async def _send(self, delivery: Delivery) -> Outcome:
        waits = self.bot.outbox.letters[delivery.kind]
        for _try in range(TRIES):
            async with self.bot.db.read(wait=BACKGROUND) as session:
                way = await reach.decide(session, delivery, waits=waits, now=self.bot.clock.now())
            match way:
                case Nowhere(is_away):
                    return await self._drop(delivery, is_away=is_away)
                case Wait(until):
                    return Retry(reach.QUIET_HOURS, until - self.bot.clock.now())
                case Way():
                    outcome = await self._by_dm(delivery, way) if way.by == reach.DM else None
                    outcome = outcome or await self._by_thread(delivery, way)
            if outcome is not None:
                return outcome
        return NOT_READY

    async def give_up(self, delivery: Delivery) -> None:
        """Note that a letter reached its member by no way: it stands in no channel."""
        await self._note(deliveries.address, delivery, None)

    async def _by_dm(self, delivery: Delivery, way: Way) -> Outcome | None:
        """Send by direct message; return None when the thread is to be used for this letter."""
        try:
            channel_id = way.dm_channel_id
            if channel_id is None:
                opened = await self.bot.http.start_private_message(way.user_id)
                channel_id = int(opened["id"])
                await self._note(reach.dm_opened, delivery, channel_id)
            return await self._address(delivery, channel_id) or await self._post(delivery)
        except discord.HTTPException as problem:
            if problem.code in PERSON_GONE:
                return await self._drop(delivery, is_away=True)
            if problem.code in TOO_FAST:
                if self.bot.clock.now() + (LATER.after or timedelta()) <= way.dm_until:
                    return LATER
                await self._note(reach.went_wrong, delivery, reach.DM_LATE)
                return None
            if problem.code == DM_CLOSED:
                await self._note(reach.dm_refused, delivery)
                return None
            if problem.code == CHANNEL_UNKNOWN:
                await self._note(reach.dm_opened, delivery, None)
                return NOT_READY
            raise

    async def _by_thread(self, delivery: Delivery, way: Way) -> Outcome | None:
        """Send into the member's private thread; return None when it was deleted, so that one is to be made."""
        server = self.bot.get_guild(delivery.guild_id)
        if server is None or server.unavailable:
            # A letter of a server that sent peerbot away is nobody's any more.
            waits = out_of_sight(self.bot, server)
            return (await self._sent_before(delivery) or waits) if isinstance(waits, NotNeeded) else waits
        thread_id = way.thread_id
        if thread_id is None:
            name = way.reader.say(_("For you ({code})", code=Verbatim(way.code)))
            thread = await open_thread(self.bot, delivery.guild_id, way.above_id, name, [])
            if thread is None:
                return Gone(f"not found {CHANNEL_UNKNOWN}")
            thread_id = await self._note(reach.thread_made, delivery, thread.id)
            if thread_id is None:
                return NotNeeded()  # the member was erased meanwhile
        known = await self._address(delivery, thread_id)
        if known is not None:
            return known
        try:
            await self._put_in(thread_id, way.user_id)
            return await self._post(delivery)
        except discord.HTTPException as problem:
            if problem.code == CHANNEL_UNKNOWN:
                await self._note(reach.thread_lost, delivery, thread_id)
                return None
            if problem.code in PERSON_GONE:
                return await self._drop(delivery, is_away=True)
            if problem.code in {THREAD_LOCKED, THREAD_ARCHIVED}:
                return Gone(LOCKED)
            raise

    async def _put_in(self, thread_id: int, user_id: int) -> None:
        """Put the member into their thread, where they mostly are; only one that is awake takes members."""
        try:
            await self.bot.http.add_user_to_thread(thread_id, user_id)
        except discord.HTTPException as problem:
            if problem.code != THREAD_ARCHIVED:
                raise
            try:
                await self.bot.http.edit_channel(thread_id, archived=False, reason=REASON)
            except discord.Forbidden:
                raise problem from None  # it is locked as well: only whoever manages threads wakes it
            await self.bot.http.add_user_to_thread(thread_id, user_id)

    async def _address(self, delivery: Delivery, channel_id: int) -> Outcome | None:
        """Write down where a letter goes; return None when it may be sent there now."""
        if delivery.channel_id == channel_id:
            return None
        sent = await self._sent_before(delivery)
        if sent is not None:
            return sent
        return None if await self._note(deliveries.address, delivery, channel_id) else CLAIM_LOST

    async def _sent_before(self, delivery: Delivery) -> Outcome | None:
        """Look whether the letter stands in the channel that was written down before."""
        message_id = await self._find(delivery) if delivery.channel_id is not None else None
        return Sent(message_id) if message_id is not None else None

    async def _drop(self, delivery: Delivery, *, is_away: bool) -> Outcome:
        """Let go of a letter that has no reader any more, unless it had arrived before that."""
        sent = await self._sent_before(delivery)
        if sent is None and is_away:
            await self._note(reach.went_wrong, delivery, reach.AWAY)
        return sent or NotNeeded()

    async def _note(self, rule: Callable[..., Awaitable[T]], delivery: Delivery, *what: Any) -> T:
        """Write down what became of a letter, by a rule that takes the session, the delivery, and what there is."""
        async with self.bot.db.begin(wait=BACKGROUND) as session:
            return await rule(session, delivery, *what)
