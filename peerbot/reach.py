"""How a member is written to: which way, when, and what went wrong with it.

A letter goes by direct message unless the member chose their private thread, and into that thread as well once their
direct messages were found closed; whoever chose no messages, or is not in the server, gets none. Letters that can wait
do so through the quiet hours of the member's zone, else the server's. What went wrong is kept until `/my` has said it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from peerbot import deliveries, members
from peerbot.deliveries import Priority
from peerbot.errors import NotKnown
from peerbot.models import Delivery, Guild, Member
from peerbot.permissions import threads_channel
from peerbot.quiet import after_quiet
from peerbot.rights import Actor, guild_of
from peerbot.setup import find_zone
from peerbot.text import Reader

DM, THREAD, NONE = "dm", "thread", "none"
DM_CLOSED, DM_LATE, THREAD_GONE, AWAY, UNREACHED = "dm_closed", "dm_late", "thread_gone", "away", "unreached"
"""What went wrong: direct messages are closed, could not be opened in time; the thread was deleted; the member was not
in the server; no way worked."""

QUIET_HOURS = "quiet hours"
"""The problem of a letter that waits for the morning."""
PATIENCE = timedelta(minutes=20)
"""How long a letter waits for a direct message that Discord does not let the bot open yet."""
TEST_LIFE = timedelta(minutes=10)
"""After this time a test message would only puzzle."""
TEST = "reach.test"


@dataclass(frozen=True)
class Way:
    """Where a letter goes now. `by` is DM or THREAD; the channels are those that were opened before.

    `above_id` is the channel under which the member's thread stands; `code` is of this member alone, and tells nothing.
    `dm_until` is when the thread is better than a direct message that cannot be opened yet.
    """

    user_id: int
    by: str
    dm_channel_id: int | None
    thread_id: int | None
    above_id: int
    code: str
    reader: Reader
    dm_until: datetime


@dataclass(frozen=True)
class Wait:
    """Not now: it is night where the member is."""

    until: datetime


@dataclass(frozen=True)
class Nowhere:
    """The letter has no reader: the member is gone, wants no messages, or is away from the server."""

    is_away: bool = False


@dataclass(frozen=True)
class Habits:
    """How a person is written to, for themselves to see. `zone` is their own, where they set one.

    `reminders` are as `Member` keeps them; None: they were not asked yet.
    """

    by: str
    zone: str | None
    server_zone: str
    thread_id: int | None
    problem: str | None
    reminders: str | None = None


async def decide(session: AsyncSession, delivery: Delivery, *, waits: bool, now: datetime) -> Way | Wait | Nowhere:
    """Return where a letter goes at this moment; `waits` says that it can wait for the morning."""
    member, guild = await _reader(session, delivery)
    if member is None or guild is None or member.reach == NONE:
        return Nowhere()
    if member.away_since is not None:
        return Nowhere(is_away=True)
    zone = member.zone or guild.time_zone
    wanted_at = after_quiet(delivery.due_at, zone) if waits else delivery.due_at
    morning = after_quiet(now, zone) if waits else now
    if morning > now:
        return Wait(morning)
    return Way(
        user_id=members.user_id(session, member),
        by=member.reach or DM,
        dm_channel_id=member.dm_channel_id,
        thread_id=member.thread_id,
        above_id=threads_channel(guild),
        code=_code(member),
        reader=Reader(member.locale or guild.locale, zone),
        dm_until=min(wanted_at + PATIENCE, delivery.not_after or datetime.max.replace(tzinfo=now.tzinfo)),
    )


async def reader_of(session: AsyncSession, delivery: Delivery) -> Reader:
    """Return the member whom a letter is for, as a reader: their language and zone, else those of their server."""
    member, guild = await _reader(session, delivery)
    locale = (member and member.locale) or (guild and guild.locale)
    zone = (member and member.zone) or (guild and guild.time_zone)
    return Reader(locale or Reader.locale, zone or Reader.zone)


# what became of it


async def dm_opened(session: AsyncSession, delivery: Delivery, channel_id: int | None) -> None:
    """Remember the direct channel of a letter's member; None when the one that was known is none any more."""
    await _change(session, delivery, dm_channel_id=channel_id)


async def thread_made(session: AsyncSession, delivery: Delivery, thread_id: int) -> int | None:
    """Remember the private thread of a letter's member, unless another process was first; return the one that counts.

    None when there is no such member any more.
    """
    member, _guild = await _reader(session, delivery, locked=True)
    if member is None:
        return None
    member.thread_id = member.thread_id or thread_id
    await session.flush()
    return member.thread_id


async def thread_lost(session: AsyncSession, delivery: Delivery, thread_id: int) -> None:
    """Forget a private thread that somebody deleted, unless another one stands in its place by now."""
    lost = (Member.guild_id == delivery.guild_id, Member.thread_id == thread_id)
    await session.execute(update(Member).where(*lost).values(thread_id=None, reach_problem=THREAD_GONE))


async def dm_refused(session: AsyncSession, delivery: Delivery) -> None:
    """Write into the thread from now on: the member's direct messages are closed, or they blocked the bot.

    It stays so until they choose direct messages again.
    """
    closed = (Member.guild_id == delivery.guild_id, Member.member_id == delivery.member_id)
    by_dm = Member.reach.is_(None) | (Member.reach == DM)
    await session.execute(update(Member).where(*closed, by_dm).values(reach=THREAD, reach_problem=DM_CLOSED))


async def went_wrong(session: AsyncSession, delivery: Delivery, problem: str) -> None:
    """Keep what went wrong with a letter until `/my` has said it."""
    await _change(session, delivery, reach_problem=problem)


# what the member sees and chooses


async def habits(session: AsyncSession, guild_id: int, user_id: int) -> Habits:
    """Return how a person is written to in a server. Raises NotSetUp."""
    guild = await guild_of(session, guild_id)
    member = await members.find(session, guild_id, user_id)
    if member is None:
        return Habits(DM, None, guild.time_zone, None, None)
    return Habits(
        member.reach or DM, member.zone, guild.time_zone, member.thread_id, member.reach_problem, member.reminders
    )


async def told(session: AsyncSession, guild_id: int, user_id: int, problem: str) -> None:
    """Forget what went wrong, because the person has read it; anything that went wrong since is kept."""
    member = await members.find(session, guild_id, user_id)
    if member is not None and member.reach_problem == problem:
        member.reach_problem = None
        await session.flush()


async def choose(session: AsyncSession, actor: Actor, by: str, *, is_here: bool, now: datetime) -> int | None:
    """Write to a person as they choose, and plan a test message; return its id, None for no messages.

    `is_here` says that they asked inside the server, so that they are somebody there. Raises NotSetUp or NotKnown.
    """
    member = await person(session, actor, is_here=is_here, now=now)
    member.reach, member.reach_problem = by, None
    await session.flush()
    if by == NONE:
        return None
    key = f"{member.member_id}:{by}:{int(now.timestamp())}"
    return await deliveries.plan(
        session, TEST, key, guild_id=actor.guild_id, now=now, not_after=now + TEST_LIFE, priority=Priority.ACCESS,
        member_id=member.member_id,
    )  # fmt: skip


async def set_zone(session: AsyncSession, actor: Actor, words: str, *, is_here: bool, now: datetime) -> None:
    """Keep a person's own time zone; without words, their server's counts. Raises NotSetUp, NotKnown or NotValid."""
    member = await person(session, actor, is_here=is_here, now=now)
    member.zone = find_zone(words) if words.strip() else None
    await session.flush()


async def person(session: AsyncSession, actor: Actor, *, is_here: bool, now: datetime) -> Member:
    """Return who asks; `is_here`: inside the server, so that they are somebody there. Raises NotSetUp or NotKnown."""
    await guild_of(session, actor.guild_id)
    if is_here:
        return await members.of(session, actor.guild_id, actor.user_id, now=now, locale=actor.locale)
    member = await members.find(session, actor.guild_id, actor.user_id)
    if member is None:
        raise NotKnown
    return member


async def _reader(
    session: AsyncSession, delivery: Delivery, *, locked: bool = False
) -> tuple[Member | None, Guild | None]:
    guild = await session.get(Guild, delivery.guild_id)
    member = await session.get(Member, delivery.member_id or 0, with_for_update=locked or None)
    return (member if member is not None and member.guild_id == delivery.guild_id else None), guild


async def _change(session: AsyncSession, delivery: Delivery, **changes: Any) -> None:
    reader = (Member.guild_id == delivery.guild_id, Member.member_id == delivery.member_id)
    await session.execute(update(Member).where(*reader).values(**changes))


def _code(member: Member) -> str:
    # Of the person and not of the row: in a restored or a new database, ids begin anew, and a thread that bears
    # somebody else's number must never be taken for theirs.
    return base64.b32encode(hashlib.sha256(member.sealed_user_id).digest()[:5]).decode().lower()
