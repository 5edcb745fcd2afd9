"""Letters of a made-up kind, written to people of the stage as a feature would write them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from cogs._help import help_now_button
from cogs._outbox import Post
from peerbot import deliveries, members, reach
from peerbot.bot import PeerBot
from peerbot.database import BACKGROUND
from peerbot.models import Delivery
from peerbot.rehearsal.people import Person
from peerbot.rehearsal.seen import Seen, Shown
from peerbot.rehearsal.wire import PRIVATE_THREAD, Wire
from peerbot.text import _
from tests.stories.stage import Stage

KIND = "story.letter"
WORDS = "Here is news for you"
NEW_YORK = "America/New_York"


def words(bot: PeerBot) -> Callable[[Delivery], Awaitable[Post]]:
    """Return what writes the words of a letter."""

    async def render(delivery: Delivery) -> Post:
        async with bot.db.read(wait=BACKGROUND) as session:
            reader = await reach.reader_of(session, delivery)
        number = delivery.dedupe_key.rsplit(":", 1)[-1]
        return Post(reader.say(_("Here is news for you, {number}.", number=number)), [help_now_button("", reader)])

    return render


def register(bot: PeerBot) -> None:
    """Let a bot know the kind of letter."""
    bot.outbox.letter(KIND, words(bot))


async def write(stage: Stage, person: Person, *keys: str, **changes: Any) -> int:
    """Plan letters to somebody, which can wait for the morning; let the bot do what it can, and return the last."""
    db = stage.db
    assert stage.bot is not None
    assert db is not None
    if register not in stage.prepares:
        stage.prepares.append(register)
        register(stage.bot)
    now = stage.clock.now()
    async with db.begin() as session:
        member = await members.of(session, stage.guild.id, person.user_id, now=now)
        planned = [
            await deliveries.plan(
                session, KIND, key, guild_id=stage.guild.id, now=now, member_id=member.member_id, **changes
            )
            for key in keys or ("1",)
        ]
    await stage.world.settle()
    return planned[-1]


async def row(stage: Stage, delivery_id: int) -> Delivery:
    """Return a letter's row as it is now."""
    assert stage.db is not None
    async with stage.db.read() as session:
        return await session.get_one(Delivery, delivery_id)


async def first_tried(stage: Stage, delivery_id: int, at: datetime) -> None:
    """Let a letter have been tried first at a moment."""
    assert stage.db is not None
    async with stage.db.begin() as session:
        tried = update(Delivery).where(Delivery.delivery_id == delivery_id).values(first_send_at=at)
        await session.execute(tried)


def by_dm(person: Person) -> list[Seen]:
    """Return the letters among somebody's direct messages."""
    return [seen for seen in person.inbox if WORDS in seen]


def threads_of(stage: Stage, person: Person) -> list[Wire]:
    """Return the private threads that somebody is in."""
    return [
        thread
        for thread_id, thread in stage.guild.threads.items()
        if thread["type"] == PRIVATE_THREAD and person.user_id in stage.guild.thread_members[thread_id]
    ]


def in_threads(stage: Stage, person: Person) -> list[Seen]:
    """Return the letters in somebody's private threads."""
    return [seen for thread in threads_of(stage, person) for seen in person.sees(thread) if WORDS in seen]


async def until(stage: Stage, hour: int, minute: int = 0, zone: str = NEW_YORK) -> None:
    """Let time pass until a clock on a wall in this zone shows an hour, and nothing is going on."""
    now = stage.clock.now().astimezone(ZoneInfo(zone))
    then = datetime.combine(now.date(), now.time().replace(hour, minute, 0, 0), ZoneInfo(zone))
    then = then if then > now else datetime.combine(now.date() + timedelta(days=1), then.time(), ZoneInfo(zone))
    stage.clock.move(then - now)
    await stage.world.settle()


@pytest.fixture
async def noon(stage: Stage) -> Stage:
    """It is noon in New York, and the server is set up."""
    await until(stage, 12)
    return stage


async def choose(person: Person, way: str, *, from_: Shown | None = None) -> Shown:
    """Have somebody choose how to be written to, and return what they read then."""
    card = from_ or await person.press(await person.slash("/my"), "Messages")
    return await person.press(card, way)
