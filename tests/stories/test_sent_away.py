"""A server that sends the bot away: what was planned for it ends, and is not tried for ever."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select, update

from peerbot import deliveries, members
from peerbot.models import Delivery, Group
from tests.stories.correspondence import choose, noon, register
from tests.stories.hellos import asks
from tests.stories.stage import Stage

__all__ = ["noon"]
KINDS = ("desk.thread", "desk.board", "desk.shut_out", "desk.let_go", "story.letter")


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_waits_for_a_server_that_sent_the_bot_away(noon: Stage, kind: str) -> None:
    await noon.new_group()
    await choose(noon.maya, "In a private thread")
    await asks(noon, noon.sam)
    bot = noon.bot
    assert bot is not None
    assert noon.db is not None
    register(bot)
    gone = asyncio.create_task(bot.wait_for("guild_remove", timeout=5))
    await asyncio.wait({gone}, timeout=0)
    noon.guild.uninstall(noon.application)
    await gone
    async with noon.db.begin() as session:
        await session.execute(update(Delivery).values(state=deliveries.DONE))
        maya = await members.of(session, noon.guild.id, noon.maya.user_id, now=noon.clock.now())
        await deliveries.plan(
            session, kind, "0" if kind == "desk.board" else "1", guild_id=noon.guild.id, now=noon.clock.now(),
            channel_id=None if kind == "story.letter" else int(noon.panel["id"]), member_id=maya.member_id, again=True,
            group_id=await session.scalar(select(Group.group_id)), subject_id=1,
        )  # fmt: skip
    await noon.later(seconds=1)
    async with noon.db.read() as session:
        states = await session.scalars(select(Delivery.state).where(Delivery.kind == kind))
        assert set(states) <= {deliveries.CANCELLED, deliveries.DONE}
    noon.expected_mentions = ["Ana"]
